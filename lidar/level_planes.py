"""Planes through the ground at a cell's own height: they find the upper side of a break, whatever its outline.

Where the edge of a quarry or of a terrace is jagged, bent or narrow, no half window sees the upper side alone. Heights
tell it apart: on the upper side the ground goes on at about the cell's own height, the foot of the cliff lies far below
it. What stands on the ground has none at its own height; and of a roof that meets a slope most of what lies at its
height is roof, so that a plane is asked to go through more ground than it leaves other things out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.local_plane import BLOCK, HALO, Cells, Planes, solve
from lidar.morphology import Height, compiled, in_threads
from lidar.tent_sums import MOMENTS, PARTS, gather, sum_window

LEVEL = 0.3
"""Metres above or below a cell within which another is on its level: grass and misplacement."""
LEVEL_SLOPE = 0.3
"""The same a metre of distance (17°): land that is built on or farmed; cliffs and walls are several times as steep."""
GROUND_SHARE = 0.5
"""Of the cells on a cell's level that must be ground."""


def fit_level_planes(
    cells: Cells,
    occupied: NDArray[np.bool_],
    ground: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radii: tuple[int, ...],
    enough: int,
    largest_spread: float,
) -> Planes:
    """Fit at each wanted cell through the ground on its level in the smallest window that holds enough of it.

    Args:
        cells: the points; wanted cells hold one.
        occupied: cells that hold a point.
        ground: of these, the cells the planes go through.
        wanted: cells that get a plane, if most cells on their level are ground.
        radii: of the windows, in cells, growing, at most `tent_sums.LARGEST_RADIUS`.
        enough: ground cells on its level that a window must hold.
        largest_spread: planes of a greater spread are not kept, metres.
    """
    planes = Planes(*(np.full(cells.height.shape, np.nan, dtype=np.float32) for _ in range(4)))
    rows, columns = cells.height.shape
    across = -(-columns // BLOCK)
    blocks, work = -(-rows // BLOCK) * across, cells.height.size * 8
    arguments = (*cells, occupied, ground, wanted, np.array(radii, dtype=np.int64), enough, largest_spread)
    in_threads(_fit_levels, blocks, work, across, *arguments, *planes)
    return planes


@compiled
def _fit_levels(
    first: int,
    last: int,
    across: int,
    height: Height,
    offset_x: Height,
    offset_y: Height,
    occupied: NDArray[np.bool_],
    ground: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radii: NDArray[np.int64],
    enough: int,
    largest_spread: float,
    plane_height: Height,
    slope_x: Height,
    slope_y: Height,
    spread: Height,
) -> None:
    """Cell by cell, block by block."""
    steps = np.empty((4, BLOCK + 2 * HALO, BLOCK + 2 * HALO), dtype=np.int32)
    level = np.empty((4, 2 * HALO, 2 * HALO), dtype=np.int32)
    sums = np.empty(MOMENTS, dtype=np.int64)
    for block in range(first, last):
        r0, c0 = block // across * BLOCK, block % across * BLOCK
        r1, c1 = min(r0 + BLOCK, height.shape[0]), min(c0 + BLOCK, height.shape[1])
        if not wanted[r0:r1, c0:c1].any():
            continue
        gather(height, offset_x, offset_y, occupied, r0 - HALO, c0 - HALO, steps)
        for r in range(r0, r1):
            for c in range(c0, c1):
                if not wanted[r, c]:
                    continue
                for radius in radii:
                    here, others = _take_level(steps, ground, r0 - HALO, c0 - HALO, r, c, radius, level)
                    if here < enough:
                        continue
                    if here >= GROUND_SHARE * (here + others):
                        sum_window(level, radius, radius, radius, 0.0, 0.0, sums)
                        z, a, b, residual = solve(sums, radius + 1)
                        if residual <= largest_spread:
                            plane_height[r, c] = z
                            slope_x[r, c] = a
                            slope_y[r, c] = b
                            spread[r, c] = residual
                    break


@compiled
def _take_level(
    steps: NDArray[np.int32],
    ground: NDArray[np.bool_],
    row: int,
    column: int,
    r: int,
    c: int,
    radius: int,
    level: NDArray[np.int32],
) -> Any:
    """Fill `level` with the ground on a cell's level in its window; how many cells, and how many others are on it.

    The first of the steps is the cell at `row`, `column` of the grid; the first of `level` is the window's.
    """
    top, left = r - radius - row, c - radius - column
    x0, y0, z0 = steps[1, r - row, c - column], steps[2, r - row, c - column], steps[3, r - row, c - column]
    here = others = 0
    for i in range(2 * radius + 1):
        for j in range(2 * radius + 1):
            level[0, i, j] = 0
            if steps[0, top + i, left + j] == 0:
                continue
            x, y, z = steps[1, top + i, left + j], steps[2, top + i, left + j], steps[3, top + i, left + j]
            off, away = abs(z - z0) - LEVEL * PARTS, np.float64(x - x0) ** 2 + np.float64(y - y0) ** 2
            if off > 0.0 and off * off > LEVEL_SLOPE * LEVEL_SLOPE * away:
                continue
            if not ground[row + top + i, column + left + j]:
                others += 1
                continue
            here += 1
            level[0, i, j] = 1
            level[1, i, j], level[2, i, j], level[3, i, j] = x - left * PARTS, y - top * PARTS, z
    return here, others
