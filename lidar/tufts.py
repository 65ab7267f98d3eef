"""Tufts and low shrubs that a ground filter's tolerance lets pass: points that stand over the ground's own plane.

A plane is fitted through the ground of 3 × 3 cells and fitted again without what stands above it, so that it settles
on the soil. A point must stand over the planes of its own and all neighbouring cells: at a crest or the foot of a
slope, one of those lies on the point's own side of the edge and passes through it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.cells import UNIT, Cells, Mask, around
from lidar.moments import MOMENTS, N, Z, add_point, add_shifted, height_plane, shifted
from lidar.morphology import compiled, in_threads

FEWEST = 16
"""Points a plane rests on: in 9 m², two a square metre; thinner surveys cannot tell a tuft from the ground."""
SETTLED = (0.3, 0.15, 0.08, 0.06)
"""Metres above the plane beyond which points are left out, round by round."""
TUFT = 0.12
"""Metres above all planes: six times the range noise; a mown lawn is lower."""
TUFT_SLOPE = 0.15
"""Added for each unit of slope: a point may be off by so many metres in its position."""
TUFT_SPREAD = 3.0
"""Times the spread of the points about the plane that a tuft stands above it, where that is more."""
REACH = 2.0 * len(SETTLED) + 3.0
"""Metres: each round looks one window farther."""
NONE = -(1 << 31)
"""Height of a cell's plane where there is none."""
UNKNOWN = np.int16(-32768)
"""Where there is no plane to tell by."""
MOST = 30_000
"""Millimetres: what stands higher is told as this."""
EDGE = int(UNIT)
"""Millimetres: a cell's edge."""


def above_soil(cells: Cells, ground: Mask, asked: Mask) -> NDArray[np.int16]:
    """(k,) least height of a point over the soil's planes about it, less what the planes leave unsure; millimetres.

    A height of less than `TUFT` is that over the first such plane, not the least: it is asked no further.

    Args:
        cells: where the points lie.
        ground: (k,) what the ground filter found, on which the planes rest.
        asked: (k,) the points to tell; of others, and where there is no plane, it is `UNKNOWN`.
    """
    height, slope = np.full(cells.shape, NONE, dtype=np.int32), np.zeros((*cells.shape, 3), dtype=np.float32)
    rows, work, limit = cells.shape[0], cells.points * 4, np.inf
    whole, changed = np.ones(cells.shape, dtype=np.bool_), np.ones(cells.shape, dtype=np.bool_)
    for following in SETTLED:
        before, before_slope = height, slope
        if limit < np.inf:
            in_threads(_look_over, rows, work, cells, ground, before, before_slope, limit, whole, changed)
        asked_again = around(changed, 1) > 0
        needed = around(asked_again, 1) > 0
        height, slope = before.copy(), before_slope.copy()
        settling = cells, ground, before, before_slope, limit, asked_again, needed
        in_threads(_fit, rows, work, *settling, height, slope)
        limit = following * UNIT
    over = np.full(cells.points, UNKNOWN, dtype=np.int16)
    in_threads(_least, rows, work, cells, asked, height, slope, over)
    return over


@compiled
def _is_soil(x: int, y: int, z: int, height: int, a: float, b: float, limit: float) -> bool:
    """Whether a place in a cell is not over the cell's plane, if there is one; millimetres from the cell's centre."""
    over = z - height - (a * x + b * y)
    return height == NONE or over <= limit


@compiled
def _look_over(
    first: int, last: int, cells: Any, ground: Any, height: Any, slope: Any, limit: float, whole: Any, changed: Any
) -> None:
    """Mark the cells whose soil may be other points than the round before, unless it was and is all of the ground."""
    begin, u, v, w = cells.begin, cells.u, cells.v, cells.w
    columns = height.shape[1]
    for r in range(first, last):
        for c in range(columns):
            z, a, b = height[r, c], slope[r, c, 0], slope[r, c, 1]
            is_whole = True
            if z != NONE:
                for p in range(begin[r * columns + c], begin[r * columns + c + 1]):
                    if ground[p] and not _is_soil(u[p] - EDGE // 2, v[p] - EDGE // 2, w[p], z, a, b, limit):
                        is_whole = False
                        break
            changed[r, c] = not (is_whole and whole[r, c])
            whole[r, c] = is_whole


@compiled
def _sum_row(r: int, cells: Any, ground: Any, height: Any, slope: Any, limit: float, needed: Any, sums: Any) -> None:
    """The moments of the soil of each needed cell, about its centre and zero height."""
    begin, u, v, w = cells.begin, cells.u, cells.v, cells.w
    columns = height.shape[1]
    sums[:] = 0
    for c in range(columns):
        if not needed[r, c]:
            continue
        z, a, b = height[r, c], slope[r, c, 0], slope[r, c, 1]
        for p in range(begin[r * columns + c], begin[r * columns + c + 1]):
            if not ground[p]:
                continue
            x, y = u[p] - EDGE // 2, v[p] - EDGE // 2
            if _is_soil(x, y, w[p], z, a, b, limit):
                add_point(sums[c], x, y, w[p])


@compiled
def _fit(
    first: int,
    last: int,
    cells: Any,
    ground: Any,
    before: Any,
    before_slope: Any,
    limit: float,
    asked: Any,
    needed: Any,
    height: Any,
    slope: Any,
) -> None:
    """The plane of each asked cell's window: height at the cell's centre (mm), slopes and spread about it (mm)."""
    rows, columns = height.shape
    sums = np.zeros((3, columns, MOMENTS), dtype=np.int64)
    down = np.zeros((columns, MOMENTS), dtype=np.int64)
    t, total = np.zeros(MOMENTS, dtype=np.int64), np.zeros(MOMENTS, dtype=np.int64)
    for r in range(max(first - 1, 0), min(first + 1, rows)):
        _sum_row(r, cells, ground, before, before_slope, limit, needed, sums[r % 3])
    for r in range(first, last):
        if r + 1 < rows:
            _sum_row(r + 1, cells, ground, before, before_slope, limit, needed, sums[(r + 1) % 3])
        down[:] = 0
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            for c in range(columns):
                if sums[i % 3, c, N] > 0:
                    add_shifted(down[c], sums[i % 3, c], 0, (i - r) * EDGE, 0)
        for c in range(columns):
            if not asked[r, c]:
                continue
            height[r, c], n = NONE, 0
            slope[r, c] = 0.0
            for j in range(max(c - 1, 0), min(c + 2, columns)):
                n += down[j, N]
            if n < FEWEST:
                continue
            total[:] = 0
            for j in range(max(c - 1, 0), min(c + 2, columns)):
                if down[j, N] > 0:
                    add_shifted(total, down[j], (j - c) * EDGE, 0, 0)
            base = total[Z] // n
            shifted(t, total, 0, 0, -base)
            some, level, a, b, variance = height_plane(t)
            if some:
                height[r, c] = base + int(np.rint(level))
                slope[r, c, 0], slope[r, c, 1], slope[r, c, 2] = a, b, np.sqrt(variance)


@compiled
def _least(first: int, last: int, cells: Any, asked: Any, height: Any, slope: Any, over: Any) -> None:
    begin, u, v, w = cells.begin, cells.u, cells.v, cells.w
    rows, columns = height.shape
    tuft, rise, spread = TUFT * UNIT, TUFT_SLOPE * UNIT, TUFT_SPREAD
    for r in range(first, last):
        for c in range(columns):
            if height[r, c] == NONE:
                continue
            for p in range(begin[r * columns + c], begin[r * columns + c + 1]):
                if not asked[p]:
                    continue
                x, y = u[p] - EDGE // 2, v[p] - EDGE // 2
                # The own cell's plane first, which tells of most points that they are no tuft.
                least = np.inf
                for k in range(9):
                    i, j = r + (k + 4) % 9 // 3 - 1, c + (k + 4) % 9 % 3 - 1
                    if i < 0 or j < 0 or i >= rows or j >= columns or height[i, j] == NONE:
                        continue
                    a, b = slope[i, j, 0], slope[i, j, 1]
                    off = w[p] - height[i, j] - (a * (x - (j - c) * EDGE) + b * (y - (i - r) * EDGE))
                    unsure = rise * np.sqrt(a * a + b * b) + max(spread * slope[i, j, 2] - tuft, 0.0)
                    least = min(least, off - unsure)
                    if least <= tuft:
                        break
                over[p] = int(max(min(least, MOST), -MOST))
