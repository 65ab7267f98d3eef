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

from lidar.local_plane import Cells, Planes, solve
from lidar.morphology import Height, compiled, in_threads
from lidar.tent_sums import HIGHEST, MOMENTS, PARTS, sum_window, whole

LEVEL = 0.3
"""Metres above or below a cell within which another is on its level: grass and misplacement."""
LEVEL_SLOPE = 0.3
"""The same a metre of distance (17°): land that is built on or farmed; cliffs and walls are several times as steep."""
GROUND_SHARE = 0.5
"""Of the cells on a cell's level that must be ground."""


def fit_level_planes(
    cells: Cells,
    ground: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radii: tuple[int, ...],
    enough: int,
    largest_spread: float,
    planes: Planes,
) -> NDArray[np.bool_]:
    """Fit at each wanted cell through the ground on its level in the smallest window that holds enough of it.

    Args:
        cells: the points; wanted cells hold one.
        ground: cells the planes go through; they hold one too.
        wanted: cells that get a plane if most cells on their level are ground.
        radii: of the windows, in cells, growing, at most `tent_sums.LARGEST_RADIUS`.
        enough: ground cells on its level that a window must hold.
        largest_spread: planes of a greater spread are not kept, metres.
        planes: changed in place where one is found.

    Returns:
        (rows, columns) true where one is found.
    """
    found = np.zeros(wanted.shape, dtype=np.bool_)
    if not wanted.any():
        return found
    sizes = np.array(radii, dtype=np.int64)
    arguments = (*cells, ground, wanted, sizes, enough, largest_spread)
    in_threads(_fit_levels, wanted.shape[0], wanted.size, *arguments, *planes, found)
    return found


@compiled
def _fit_levels(
    first: int,
    last: int,
    height: Height,
    offset_x: Height,
    offset_y: Height,
    ground: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radii: NDArray[np.int64],
    enough: int,
    largest_spread: float,
    plane_height: Height,
    slope_x: Height,
    slope_y: Height,
    spread: Height,
    found: NDArray[np.bool_],
) -> None:
    """Of the rows first…last, which hold few wanted cells: each gathers its own surroundings, ring by ring."""
    centre = radii[-1]
    steps = np.empty((4, 2 * centre + 1, 2 * centre + 1), dtype=np.int32)
    sums = np.empty(MOMENTS, dtype=np.int64)
    for r in range(first, last):
        for c in range(wanted.shape[1]):
            if not wanted[r, c]:
                continue
            steps[0] = 0
            count, others, within = 0, 0, -1
            for radius in radii:
                taken = _take_ring(height, offset_x, offset_y, ground, r, c, within, radius, centre, steps)
                count, others, within = count + taken[0], others + taken[1], radius
                if count < enough or count < GROUND_SHARE * (count + others):
                    continue
                sum_window(steps, centre, centre, radius, sums)
                z, a, b, residual = solve(sums, radius + 1)
                if residual <= largest_spread:
                    plane_height[r, c] = z
                    slope_x[r, c] = a
                    slope_y[r, c] = b
                    spread[r, c] = residual
                    found[r, c] = True
                break


@compiled
def _take_ring(
    height: Height,
    offset_x: Height,
    offset_y: Height,
    ground: NDArray[np.bool_],
    r: int,
    c: int,
    within: int,
    radius: int,
    centre: int,
    steps: NDArray[np.int32],
) -> Any:
    """Put the ground on a cell's level from beyond one window to the next into `steps`, whose centre the cell is.

    How many cells that were, and how many on its level are no ground.
    """
    rows, columns = height.shape
    x, y, z = offset_x[r, c], offset_y[r, c], height[r, c]
    furthest = np.float32(LEVEL + LEVEL_SLOPE * 1.5 * (radius + 1))
    count = others = 0
    for i in range(max(0, r - radius), min(rows, r + radius + 1)):
        skip = abs(i - r) <= within
        for j in range(max(0, c - radius), min(columns, c + radius + 1)):
            rise = abs(height[i, j] - z)
            if rise > furthest or (skip and abs(j - c) <= within):
                continue
            off = rise - LEVEL
            if off > 0.0:
                east, north = j - c + offset_x[i, j] - x, i - r + offset_y[i, j] - y
                if off * off > LEVEL_SLOPE * LEVEL_SLOPE * (east * east + north * north):
                    continue
            if not ground[i, j]:
                others += 1
            elif abs(height[i, j]) <= HIGHEST:
                count += 1
                m, n = i - r + centre, j - c + centre
                steps[0, m, n] = 1
                steps[1, m, n] = n * PARTS + whole(offset_x[i, j])
                steps[2, m, n] = m * PARTS + whole(offset_y[i, j])
                steps[3, m, n] = whole(height[i, j])
    return count, others
