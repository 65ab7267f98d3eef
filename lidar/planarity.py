"""Which points lie on a plane with their neighbours: roofs and walls do, leaves do not.

A plane is fitted through a cube and the 26 about it by its principal components, and a point is planar where it lies
in one of the good planes of its own or the neighbouring cubes. A window that does not straddle an edge fits up to it.
Cubes of height keep the crown over a roof apart from the roof. Where a window holds too few points the cubes of twice
the edge are asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.cells import UNIT, Cells, Mask
from lidar.cubes import AROUND, EDGE, HALF, Cubes, SortedPoints, coarser, sorted_into_cubes, windows
from lidar.moments import MOMENTS, N, add, add_point, flattest_plane, shifted, thicker_than
from lidar.morphology import compiled, in_threads

LEVELS = 4
"""Edges of 0.5, 1, 2 and 4 m; the windows are three times as wide. 0.3 points/m² fill the coarsest."""
SUPPORT_LEVEL = 2
"""Cubes of 2 m, in which planar and other points are weighed up, over 3 × 3 × 3 of them."""
ENOUGH = 7
"""Points of a window: more than twice a plane's unknowns. With fewer the next size is asked."""
SPREAD = (0.09, 0.09, 0.12, 0.18)
"""Metres, 1σ about the plane, for each size: range noise, strips' mismatch, tiles; a wide window holds a little more
than one plane; foliage spreads over half its cube."""
DISTANCE = 0.2
"""Metres from a plane at which a point is still its own (2σ)."""
BROAD = 0.2
"""Second principal deviation, in cubes' edges, below which the points are a line (wire, kerb, ridge), not a plane."""
LARGEST = EDGE * 2 ** (LEVELS - 1)
"""Metres: edge of the largest cubes."""
REACH = 3 * LARGEST
"""Metres: the neighbouring cube's window and the cube itself."""
SHARE_REACH = REACH + 2 * EDGE * 2**SUPPORT_LEVEL
"""Metres: with the planar points about a point."""
UNDECIDED, PLANAR = 0, 2
"""States of a point; 1 is decided and not planar."""


@dataclass(frozen=True, slots=True)
class Planarity:
    """What is found of k points in the order of cells."""

    planar: Mask
    """(k,) on a plane with its neighbours; depends on points within `REACH`."""
    share: NDArray[np.uint8]
    """(k,) percent of the points about one that are planar and their pulse's only return; `SHARE_REACH`."""


def planarity(cells: Cells, chosen: Mask, single: Mask) -> Planarity:
    """Judge the chosen points; of the others none is planar, and none has a share.

    Args:
        cells: where the points lie.
        chosen: (k,) the points to look at.
        single: (k,) points that are their pulse's only return.
    """
    result = Planarity(np.zeros(cells.points, dtype=np.bool_), np.zeros(cells.points, dtype=np.uint8))
    if not chosen.any():
        return result
    points, finest = sorted_into_cubes(cells, chosen)
    state = np.zeros(len(points.order), dtype=np.uint8)
    cubes, of = finest, np.arange(len(finest.column), dtype=np.int32)
    support, of_support = cubes, of
    for level in range(LEVELS):
        if level > 0:
            cubes, parent = coarser(cubes)
            of = parent[of]
        if level == SUPPORT_LEVEL:
            support, of_support = cubes, of
        _decide(points, finest, cubes, of, SPREAD[level], state)
    shares = _shares(points, support, of_support, state, single)
    in_threads(_hand_out, len(of), len(state) * 4, points, of_support, state, shares, result.planar, result.share)
    return result


def _decide(
    points: SortedPoints,
    finest: Cubes,
    cubes: Cubes,
    of: NDArray[np.int32],
    spread: float,
    state: NDArray[np.uint8],
) -> None:
    """Judge the points that are undecided and whose window holds enough; `of`: the cube of each finest one."""
    m, widest = len(cubes.column), cubes.widest
    wanted = np.full(m, cubes.level == 0)
    if cubes.level > 0:
        in_threads(_want, cubes.rows, m * 64, points, finest, cubes, of, widest, state, wanted)
    if wanted.any():
        in_threads(_fit_and_judge, cubes.rows, m * 64, points, finest, cubes, of, widest, wanted, spread, state)


def _shares(
    points: SortedPoints, cubes: Cubes, of: NDArray[np.int32], state: NDArray[np.uint8], single: Mask
) -> NDArray[np.uint8]:
    """(cubes,) percent of the points in the window about each, those that are planar and single."""
    counts = np.zeros((len(cubes.column), 2), dtype=np.int32)
    shares = np.zeros(len(cubes.column), dtype=np.uint8)
    _count(points, of, state, single, counts)
    in_threads(_weigh, cubes.rows, len(shares) * 32, cubes, cubes.widest, counts, shares)
    return shares


@compiled
def _finest_rows(r: int, cubes: Any, finest: Any) -> tuple[int, int]:
    """The rows of finest cubes, first and end, that make up row `r`."""
    low = ((r + cubes.south) << cubes.level) - finest.south
    return max(low, 0), min(low + (1 << cubes.level), len(finest.row) - 1)


@compiled
def _want(
    first: int, last: int, points: Any, finest: Any, cubes: Any, of: Any, widest: int, state: Any, wanted: Any
) -> None:
    """Mark the cubes with undecided points and those about them: theirs are the planes that count.

    Threads may mark the same cube at a border: they write the same value.
    """
    near, count = np.empty((widest, AROUND), dtype=np.int32), np.empty(widest, dtype=np.int32)
    asked = np.empty(widest, dtype=np.bool_)
    for r in range(first, last):
        asked[:] = False
        some = False
        low, high = _finest_rows(r, cubes, finest)
        for f in range(finest.row[low], finest.row[high]):
            if state[points.start[f]] == UNDECIDED:
                asked[of[f] - cubes.row[r]] = True
                some = True
        if not some:
            continue
        windows(cubes, r, asked, near, count)
        for m in range(cubes.row[r + 1] - cubes.row[r]):
            if asked[m]:
                for i in range(count[m]):
                    wanted[near[m, i]] = True


@compiled
def _fit_and_judge(
    first: int,
    last: int,
    points: Any,
    finest: Any,
    cubes: Any,
    of: Any,
    widest: int,
    wanted: Any,
    spread: float,
    state: Any,
) -> None:
    """Fit planes row by row, and judge the row behind, whose neighbours then have theirs; three rows are kept."""
    row = cubes.row
    near, count = np.empty((3, widest, AROUND), dtype=np.int32), np.empty((3, widest), dtype=np.int32)
    sums = np.empty((3, widest, MOMENTS), dtype=np.int64)
    planes, enough = np.empty((3, widest, 4), dtype=np.float32), np.empty((3, widest), dtype=np.bool_)
    begin, end = max(first - 1, 0), min(last + 1, len(row) - 1)
    for r in range(max(begin - 1, 0), begin + 1):
        _sum_row(r, points, finest, cubes, of, sums[r % 3])
    for r in range(begin, end):
        if r + 1 < len(row) - 1:
            _sum_row(r + 1, points, finest, cubes, of, sums[(r + 1) % 3])
        windows(cubes, r, wanted[row[r] : row[r + 1]], near[r % 3], count[r % 3])
        _fit_row(r, cubes, near[r % 3], count[r % 3], sums, wanted, spread, planes[r % 3], enough[r % 3])
        if r - 1 >= first:
            s = (r - 1) % 3
            _judge_row(r - 1, points, finest, cubes, of, near[s], count[s], planes, enough[s], state)
    if end == last:
        s = (last - 1) % 3
        _judge_row(last - 1, points, finest, cubes, of, near[s], count[s], planes, enough[s], state)


@compiled
def _sum_row(r: int, points: Any, finest: Any, cubes: Any, of: Any, sums: Any) -> None:
    """The moments of each cube of a row about zero: they wrap around, which the shift to a near origin undoes."""
    column, layer, row = finest.column, finest.layer, cubes.row
    sums[: row[r + 1] - row[r]] = 0
    low, high = _finest_rows(r, cubes, finest)
    for fine_row in range(low, high):
        y = (fine_row + finest.south) * HALF
        for f in range(finest.row[fine_row], finest.row[fine_row + 1]):
            s = sums[of[f] - row[r]]
            x, z = column[f] * HALF, layer[f] * HALF
            for i in range(points.start[f], points.start[f + 1]):
                add_point(s, points.place[i, 0] + x, points.place[i, 1] + y, points.place[i, 2] + z)


@compiled
def _fit_row(
    r: int, cubes: Any, near: Any, count: Any, sums: Any, wanted: Any, spread: float, planes: Any, enough: Any
) -> None:
    """Fill rows of `planes`, normal and its offset from the cube's corner (m), zeros where there is no good one."""
    column, layer, row = cubes.column, cubes.layer, cubes.row
    edge = HALF << cubes.level
    limit, broad = (spread * UNIT) ** 2, (BROAD * edge) ** 2
    total, t = np.zeros(MOMENTS, dtype=np.int64), np.zeros(MOMENTS, dtype=np.int64)
    behind, beside, ahead = sums[(r + 2) % 3], sums[r % 3], sums[(r + 1) % 3]
    begin, end = row[r], row[r + 1]
    for m in range(begin, end):
        here = m - row[r]
        planes[here, :] = 0.0
        enough[here] = False
        if not wanted[m]:
            continue
        points = 0
        for i in range(count[here]):
            q = near[here, i]
            if q < begin:
                points += behind[q - row[r - 1], N]
            elif q < end:
                points += beside[q - begin, N]
            else:
                points += ahead[q - end, N]
        if points < ENOUGH:
            continue
        enough[here] = True
        total[:] = 0
        for i in range(count[here]):
            q = near[here, i]
            if q < begin:
                add(total, behind[q - row[r - 1]])
            elif q < end:
                add(total, beside[q - begin])
            else:
                add(total, ahead[q - end])
        shifted(t, total, -column[m] * edge, -(r + cubes.south) * edge, -layer[m] * edge)
        if thicker_than(t, limit):
            continue
        u, v, w, offset, least, middle = flattest_plane(t)
        if least <= limit and middle >= broad:
            planes[here, 0], planes[here, 1], planes[here, 2], planes[here, 3] = u, v, w, offset / UNIT


@compiled
def _inside(f: int, fine_row: int, finest: Any, level: int) -> tuple[int, int, int]:
    """Millimetres from the corner of a cube of `level` to that of its part `f`."""
    mask = (1 << level) - 1
    return (
        (finest.column[f] & mask) * HALF,
        ((fine_row + finest.south) & mask) * HALF,
        (finest.layer[f] & mask) * HALF,
    )


@compiled
def _judge_row(
    r: int,
    points: Any,
    finest: Any,
    cubes: Any,
    of: Any,
    near: Any,
    count: Any,
    planes: Any,
    enough: Any,
    state: Any,
) -> None:
    column, layer, row = cubes.column, cubes.layer, cubes.row
    edge = EDGE * (1 << cubes.level)
    low, high = _finest_rows(r, cubes, finest)
    for fine_row in range(low, high):
        for f in range(finest.row[fine_row], finest.row[fine_row + 1]):
            m = of[f]
            here = m - row[r]
            if state[points.start[f]] != UNDECIDED or not enough[here]:
                continue
            dx, dy, dz = _inside(f, fine_row, finest, cubes.level)
            for i in range(points.start[f], points.start[f + 1]):
                u = (points.place[i, 0] + dx) / UNIT
                v = (points.place[i, 1] + dy) / UNIT
                w = (points.place[i, 2] + dz) / UNIT
                state[i] = 1
                for j in range(count[here]):
                    q = near[here, j]
                    s = 0
                    if q < row[r]:
                        s = -1
                    elif q >= row[r + 1]:
                        s = 1
                    plane = planes[(r + s) % 3, q - row[r + s]]
                    a, b, c = plane[0], plane[1], plane[2]
                    if a == 0.0 and b == 0.0 and c == 0.0:
                        continue
                    x = u - (column[q] - column[m]) * edge
                    z = w - (layer[q] - layer[m]) * edge
                    if abs(a * x + b * (v - s * edge) + c * z - plane[3]) <= DISTANCE:
                        state[i] = PLANAR
                        break


@compiled
def _count(points: Any, of: Any, state: Any, single: Any, counts: Any) -> None:
    for f in range(len(of)):
        for i in range(points.start[f], points.start[f + 1]):
            counts[of[f], 0] += 1
            if state[i] == PLANAR and single[points.order[i]]:
                counts[of[f], 1] += 1


@compiled
def _weigh(first: int, last: int, cubes: Any, widest: int, counts: Any, shares: Any) -> None:
    near, count = np.empty((widest, AROUND), dtype=np.int32), np.empty(widest, dtype=np.int32)
    every = np.ones(widest, dtype=np.bool_)
    for r in range(first, last):
        windows(cubes, r, every, near, count)
        for m in range(cubes.row[r], cubes.row[r + 1]):
            n, chosen = 0, 0
            for i in range(count[m - cubes.row[r]]):
                n += counts[near[m - cubes.row[r], i], 0]
                chosen += counts[near[m - cubes.row[r], i], 1]
            shares[m] = np.uint8(100 * chosen // n)


@compiled
def _hand_out(first: int, last: int, points: Any, of: Any, state: Any, shares: Any, planar: Any, share: Any) -> None:
    for f in range(first, last):
        for i in range(points.start[f], points.start[f + 1]):
            planar[points.order[i]] = state[i] == PLANAR
            share[points.order[i]] = shares[of[f]]
