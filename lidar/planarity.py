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
from lidar.moments import MOMENTS, XX, XY, XZ, YY, YZ, ZZ, N, X, Y, Z, add_point, flattest_plane, shifted
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
    keys = np.empty((2, widest + 3), dtype=np.int64)
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
        windows(cubes, r, asked, _begins(cubes, r), near, count, keys)
        for m in range(cubes.row[r + 1] - cubes.row[r]):
            if asked[m]:
                for i in range(count[m]):
                    wanted[near[m, i]] = True


@compiled
def _begins(cubes: Any, r: int) -> Any:
    """The numbers of the first cubes of row `r` and those beside it; what there is of them."""
    return np.int64(cubes.row[max(r - 1, 0)]), np.int64(cubes.row[r]), np.int64(cubes.row[r + 1])


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
    """Fit planes row by row, and judge the row behind, whose neighbours then have theirs.

    Three rows are kept, row r in the places from (r mod 3) · `widest` on.
    """
    row, kept = cubes.row, 3 * widest
    near, count = np.empty((kept, AROUND), dtype=np.int32), np.empty(kept, dtype=np.int32)
    keys = np.empty((2, widest + 3), dtype=np.int64)
    sums, corner = np.empty((kept, MOMENTS), dtype=np.int64), np.empty((kept, 3), dtype=np.int32)
    planes, enough = np.empty((kept, 4), dtype=np.float32), np.empty(kept, dtype=np.bool_)
    begin, end = max(first - 1, 0), min(last + 1, len(row) - 1)
    for r in range(max(begin - 1, 0), begin + 1):
        _sum_row(r, points, finest, cubes, of, r % 3 * widest, sums)
    for r in range(begin, end):
        places = ((r + 2) % 3 * widest, r % 3 * widest, (r + 1) % 3 * widest)
        if r + 1 < len(row) - 1:
            _sum_row(r + 1, points, finest, cubes, of, places[2], sums)
        asked = wanted[row[r] : row[r + 1]]
        windows(cubes, r, asked, places, near[places[1] :], count[places[1] :], keys)
        _fit_row(r, cubes, places[1], asked, near, count, sums, spread, corner, planes, enough)
        if r - 1 >= first:
            _judge_row(r - 1, points, finest, cubes, of, places[0], near, count, corner, planes, enough, state)
    if end == last:
        place = (last - 1) % 3 * widest
        _judge_row(last - 1, points, finest, cubes, of, place, near, count, corner, planes, enough, state)


@compiled
def _sum_row(r: int, points: Any, finest: Any, cubes: Any, of: Any, place: int, sums: Any) -> None:
    """Fill `sums` from `place` on, the moments of each cube of a row about zero.

    They wrap around, which the shift to a near origin undoes.
    """
    column, layer, row = finest.column, finest.layer, cubes.row
    cubes_of_row, place_of = row[r + 1] - row[r], place - row[r]
    sums[place : place + cubes_of_row] = 0
    low, high = _finest_rows(r, cubes, finest)
    for fine_row in range(low, high):
        y = (fine_row + finest.south) * HALF
        for f in range(finest.row[fine_row], finest.row[fine_row + 1]):
            s = sums[place_of + of[f]]
            x, z = column[f] * HALF, layer[f] * HALF
            for i in range(points.start[f], points.start[f + 1]):
                add_point(s, points.place[i, 0] + x, points.place[i, 1] + y, points.place[i, 2] + z)


@compiled
def _fit_row(
    r: int,
    cubes: Any,
    place: int,
    asked: Any,
    near: Any,
    count: Any,
    sums: Any,
    spread: float,
    corner: Any,
    planes: Any,
    enough: Any,
) -> None:
    """Fill from `place` on `corner`, where each cube of a row is, and `planes`, if they hold `enough`.

    A corner is column, row and layer in edges; a plane its normal and its offset from the corner (m), which is NaN
    where there is no good one.
    """
    edge = HALF << cubes.level
    limit, broad = (spread * UNIT) ** 2, (BROAD * edge) ** 2
    total, t = np.zeros(MOMENTS, dtype=np.int64), np.zeros(MOMENTS, dtype=np.int64)
    for m in range(place, place + len(asked)):
        own = cubes.row[r] + m - place
        corner[m, 0], corner[m, 1], corner[m, 2] = cubes.column[own], r + cubes.south, cubes.layer[own]
        planes[m, 3] = np.nan
        enough[m] = False
        if not asked[m - place]:
            continue
        points = 0
        for i in range(count[m]):
            points += sums[near[m, i], N]
        if points < ENOUGH:
            continue
        enough[m] = True
        _add_up(near, m, count[m], sums, total)
        shifted(t, total, -corner[m, 0] * edge, -corner[m, 1] * edge, -corner[m, 2] * edge)
        u, v, w, offset, least, middle = flattest_plane(t, limit)
        if least <= limit and middle >= broad and not u == v == w == 0.0:
            planes[m, 0], planes[m, 1], planes[m, 2], planes[m, 3] = u, v, w, offset / UNIT


@compiled
def _add_up(near: Any, m: int, count: int, sums: Any, total: Any) -> None:
    """The sums of a window."""
    n, x, y, z, xx, xy, xz, yy, yz, zz = 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    for i in range(count):
        q = near[m, i]
        n += sums[q, N]
        x += sums[q, X]
        y += sums[q, Y]
        z += sums[q, Z]
        xx += sums[q, XX]
        xy += sums[q, XY]
        xz += sums[q, XZ]
        yy += sums[q, YY]
        yz += sums[q, YZ]
        zz += sums[q, ZZ]
    total[N], total[X], total[Y], total[Z], total[XX] = n, x, y, z, xx
    total[XY], total[XZ], total[YY], total[YZ], total[ZZ] = xy, xz, yy, yz, zz


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
    place: int,
    near: Any,
    count: Any,
    corner: Any,
    planes: Any,
    enough: Any,
    state: Any,
) -> None:
    edge = EDGE * (1 << cubes.level)
    place_of = place - cubes.row[r]
    low, high = _finest_rows(r, cubes, finest)
    for fine_row in range(low, high):
        for f in range(finest.row[fine_row], finest.row[fine_row + 1]):
            m = place_of + of[f]
            if state[points.start[f]] != UNDECIDED or not enough[m]:
                continue
            dx, dy, dz = _inside(f, fine_row, finest, cubes.level)
            for i in range(points.start[f], points.start[f + 1]):
                u = (points.place[i, 0] + dx) / UNIT
                v = (points.place[i, 1] + dy) / UNIT
                w = (points.place[i, 2] + dz) / UNIT
                on_one = _on_plane(u, v, w, m, m, edge, corner, planes)
                k = 0
                while not on_one and k < count[m]:
                    on_one = _on_plane(u, v, w, m, near[m, k], edge, corner, planes)
                    k += 1
                state[i] = PLANAR if on_one else 1


@compiled
def _on_plane(u: float, v: float, w: float, m: int, q: int, edge: float, corner: Any, planes: Any) -> bool:
    """Whether the plane of cube q, if it has one, passes by a place, metres from the corner of cube m."""
    x = u - (corner[q, 0] - corner[m, 0]) * edge
    y = v - (corner[q, 1] - corner[m, 1]) * edge
    z = w - (corner[q, 2] - corner[m, 2]) * edge
    return bool(abs(planes[q, 0] * x + planes[q, 1] * y + planes[q, 2] * z - planes[q, 3]) <= DISTANCE)


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
    keys, every = np.empty((2, widest + 3), dtype=np.int64), np.ones(widest, dtype=np.bool_)
    for r in range(first, last):
        windows(cubes, r, every, _begins(cubes, r), near, count, keys)
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
