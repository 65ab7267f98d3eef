"""A plane through the chosen cells around each cell, or on one side of it: least squares with its residual spread.

The sums behind a plane are whole numbers (`lidar.tent_sums`): a plane is the same in every tile, bit for bit.
"""

from __future__ import annotations

from math import floor, hypot, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadParameter
from lidar.morphology import Height, compiled, in_threads
from lidar.tent_sums import (
    DIRECTIONS,
    LARGEST_RADIUS,
    MOMENTS,
    PARTS,
    STEP,
    Sums,
    centred,
    gather,
    next_row,
    start_columns,
    sum_row,
    sum_sectors,
    sum_side,
    sum_window,
    window_counts,
)

RIDGE = 0.005
"""Variance, in squared window radii, added to the positions: cells all in a line give a plane level across it."""

BLOCK = 128
"""Cells along the edge of a block: with its surroundings it fits into a core's own memory."""
HALO = LARGEST_RADIUS + 1
"""Cells around a block that its windows ask, and one that a running sum has just left."""
RUNNING = 10
"""Cells of single windows, a cell of the block, from which running sums over the whole block cost less."""

SIDES = np.array([0, 8, 4, 12, 2, 14, 6, 10])
"""Eight half windows, by `tent_sums.DIRECTIONS`, the first of equals: at a cliff's edge one sees the plateau alone."""


class Cells(NamedTuple):
    """One point a cell: its height and where in the cell it lies."""

    height: Height
    """Metres, +inf where the cell is empty."""
    offset_x: Height
    """Of the point, in cells east of the cell's centre (−0.5…0.5)."""
    offset_y: Height
    """Of the point, in cells north of the cell's centre."""


class Planes(NamedTuple):
    """A plane a cell, all arrays of one shape; NaN where there were too few cells."""

    height: Height
    """Metres, at the cell's centre."""
    slope_x: Height
    """Metres a cell, to the east."""
    slope_y: Height
    """Metres a cell, to the north."""
    spread: Height
    """Root mean square of the residuals, metres."""

    def at(self, chosen: NDArray[np.bool_]) -> Planes:
        """Those of the chosen cells alone, in a row."""
        return Planes(*(values[chosen] for values in self))


class Tolerance(NamedTuple):
    """How far above a plane a point may lie: metres, and metres a unit of slope and a metre of spread."""

    base: float
    by_slope: float
    by_spread: float

    def above(self, planes: Planes) -> Height:
        """Metres, a cell."""
        found = np.empty(planes.height.shape, dtype=np.float32)
        weights = np.float32(self.base), np.float32(self.by_slope), np.float32(self.by_spread)
        surfaces = (values.reshape(-1) for values in planes[1:])
        in_threads(_above, found.size, found.size, *weights, *surfaces, found.reshape(-1))
        return found


@compiled
def _above(
    first: int,
    last: int,
    base: Any,
    by_slope: Any,
    by_spread: Any,
    slope_x: Height,
    slope_y: Height,
    spread: Height,
    found: Height,
) -> None:
    for i in range(first, last):
        slope = np.sqrt(slope_x[i] * slope_x[i] + slope_y[i] * slope_y[i])
        found[i] = base + by_slope * slope + by_spread * spread[i]


def no_planes(shape: tuple[int, int]) -> Planes:
    """NaN in every cell."""
    return Planes(*(np.full(shape, np.nan, dtype=np.float32) for _ in range(4)))


def fit_planes(
    cells: Cells,
    chosen: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radii: tuple[int, ...],
    enough: int,
    *,
    fitted: Planes | None = None,
) -> Planes:
    """Fit at each wanted cell through the chosen cells of the smallest window that holds enough of them.

    Args:
        cells: the points; one more than `tent_sums.HIGHEST` from the datum is in no window.
        chosen: cells the planes go through.
        wanted: cells that get a plane.
        radii: of the windows, in cells, growing, at most `tent_sums.LARGEST_RADIUS`.
        enough: cells a window must hold.
        fitted: planes fitted before; those of the wanted cells are replaced in it, and it is returned.

    Raises:
        BadParameter: a window is too large.
    """
    planes = no_planes(cells.height.shape) if fitted is None else fitted
    across, blocks, work = _blocks(cells, radii)
    in_threads(_fit_blocks, blocks, work, across, *cells, chosen, wanted, np.array(radii), enough, *planes)
    return planes


def fit_sides(
    cells: Cells,
    chosen: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radius: int,
    enough: int,
    tolerance: Tolerance,
    largest_spread: float,
) -> Planes:
    """Fit at each wanted cell through the chosen cells on one side of it.

    Of the planes of the eight half windows, that is kept under which the highest point would be tolerated.

    Args:
        cells: as those of `fit_planes`, like the others.
        chosen: cells the planes go through.
        wanted: cells that get a plane.
        radius: of the window, in cells.
        enough: cells a half window must hold.
        tolerance: compares the planes.
        largest_spread: planes of a greater spread are not kept, metres.

    Raises:
        BadParameter: the window is too large.
    """
    planes = no_planes(cells.height.shape)
    across, blocks, work = _blocks(cells, (radius,))
    compared = (tolerance.by_slope, tolerance.by_spread, largest_spread)
    in_threads(_fit_sides, blocks, work, across, *cells, chosen, wanted, radius, enough, *compared, *planes)
    return planes


def _blocks(cells: Cells, radii: tuple[int, ...]) -> tuple[int, int, int]:
    """The blocks from west to east, all blocks, and the work there is."""
    if radii[-1] > LARGEST_RADIUS:
        raise BadParameter("radii", radii, f"windows of planes reach {LARGEST_RADIUS} cells at most")
    rows, columns = cells.height.shape
    across = -(-columns // BLOCK)
    return across, -(-rows // BLOCK) * across, cells.height.size * 8


@compiled
def _fit_blocks(
    first: int,
    last: int,
    across: int,
    height: Height,
    offset_x: Height,
    offset_y: Height,
    chosen: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radii: NDArray[np.int64],
    enough: int,
    plane_height: Height,
    slope_x: Height,
    slope_y: Height,
    spread: Height,
) -> None:
    """Planes through whole windows, block by block."""
    steps = np.empty((4, BLOCK + 2 * HALO, BLOCK + 2 * HALO), dtype=np.int32)
    count = np.empty((BLOCK, BLOCK), dtype=np.int32)
    change = np.empty((MOMENTS, BLOCK + 2 * HALO), dtype=np.int64)
    tents = np.empty_like(change)
    of_row, sums = np.empty((MOMENTS, BLOCK), dtype=np.int64), np.empty(MOMENTS, dtype=np.int64)
    for block in range(first, last):
        r0, c0 = block // across * BLOCK, block % across * BLOCK
        r1, c1 = min(r0 + BLOCK, height.shape[0]), min(c0 + BLOCK, height.shape[1])
        left = wanted[r0:r1, c0:c1].copy()
        if not left.any():
            continue
        _forget(left, r0, c0, plane_height, slope_x, slope_y, spread)
        gather(height, offset_x, offset_y, chosen, r0 - HALO, c0 - HALO, steps)
        for radius in radii:
            window_counts(steps, HALO, radius, count[: r1 - r0, : c1 - c0])
            found = 0
            for r in range(r1 - r0):
                for c in range(c1 - c0):
                    found += left[r, c] and count[r, c] >= enough
            if found == 0:
                continue
            running = found * (2 * radius + 1) ** 2 > RUNNING * (r1 - r0) * (c1 - c0)
            if running:
                start_columns(steps, HALO, radius, change, tents)
            for r in range(r1 - r0):
                if running:
                    if r > 0:
                        next_row(steps, HALO + r - 1, radius, change, tents)
                    sum_row(tents, HALO, radius, of_row[:, : c1 - c0])
                for c in range(c1 - c0):
                    if not (left[r, c] and count[r, c] >= enough):
                        continue
                    left[r, c] = False
                    if running:
                        sums[:] = of_row[:, c]
                        centred(sums, (HALO + c) * PARTS, (HALO + r) * PARTS)
                    else:
                        sum_window(steps, HALO + r, HALO + c, radius, sums)
                    z, a, b, residual = solve(sums, radius + 1)
                    plane_height[r0 + r, c0 + c] = z
                    slope_x[r0 + r, c0 + c] = a
                    slope_y[r0 + r, c0 + c] = b
                    spread[r0 + r, c0 + c] = residual


@compiled
def _fit_sides(
    first: int,
    last: int,
    across: int,
    height: Height,
    offset_x: Height,
    offset_y: Height,
    chosen: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radius: int,
    enough: int,
    by_slope: float,
    by_spread: float,
    largest_spread: float,
    plane_height: Height,
    slope_x: Height,
    slope_y: Height,
    spread: Height,
) -> None:
    """Planes through half windows, cell by cell, block by block."""
    steps = np.empty((4, BLOCK + 2 * HALO, BLOCK + 2 * HALO), dtype=np.int32)
    count = np.empty((BLOCK, BLOCK), dtype=np.int32)
    counts, sectors = np.empty(DIRECTIONS, dtype=np.int64), np.empty((DIRECTIONS, MOMENTS), dtype=np.int64)
    sums = np.empty(MOMENTS, dtype=np.int64)
    for block in range(first, last):
        r0, c0 = block // across * BLOCK, block % across * BLOCK
        r1, c1 = min(r0 + BLOCK, height.shape[0]), min(c0 + BLOCK, height.shape[1])
        if not wanted[r0:r1, c0:c1].any():
            continue
        gather(height, offset_x, offset_y, chosen, r0 - HALO, c0 - HALO, steps)
        window_counts(steps, HALO, radius, count[: r1 - r0, : c1 - c0])
        for r in range(r0, r1):
            for c in range(c0, c1):
                if not wanted[r, c] or count[r - r0, c - c0] < enough:
                    continue
                sum_sectors(steps, HALO + r - r0, HALO + c - c0, radius, counts, sectors)
                highest = -np.inf
                for side in SIDES:
                    if sum_side(counts, sectors, side, sums) < enough:
                        continue
                    z, a, b, residual = solve(sums, radius + 1)
                    bound = z + by_slope * hypot(a, b) + by_spread * residual
                    if residual <= largest_spread and bound > highest:
                        highest = bound
                        plane_height[r, c] = z
                        slope_x[r, c] = a
                        slope_y[r, c] = b
                        spread[r, c] = residual


@compiled
def _forget(wanted: Any, r0: int, c0: int, height: Height, slope_x: Height, slope_y: Height, spread: Height) -> None:
    """Take the planes of wanted cells away, those of a block from r0, c0 on."""
    for r in range(wanted.shape[0]):
        for c in range(wanted.shape[1]):
            if wanted[r, c]:
                height[r0 + r, c0 + c] = slope_x[r0 + r, c0 + c] = np.nan
                slope_y[r0 + r, c0 + c] = spread[r0 + r, c0 + c] = np.nan


@compiled
def solve(sums: Sums, size: int) -> Any:
    """Height at the window's centre, the two slopes a cell and the residual spread of its plane, metres."""
    w = sums[0]
    share, unit = 1.0 / w, 1.0 / (size * PARTS)
    # heights from the window's own mean: exact in whole numbers, and small enough for what follows
    base = floor(sums[3] * share)
    wz, wxz, wyz = sums[3] - base * w, sums[7] - base * sums[1], sums[8] - base * sums[2]
    wzz = sums[9] - base * (sums[3] + wz)
    of_place, of_height = share * unit, share * STEP
    mx, my, mz = sums[1] * of_place, sums[2] * of_place, wz * of_height
    of_square = of_place * unit
    xx, xy, yy = (
        sums[4] * of_square - mx * mx + RIDGE,
        sums[5] * of_square - mx * my,
        sums[6] * of_square - my * my + RIDGE,
    )
    xz, yz = wxz * (of_height * unit) - mx * mz, wyz * (of_height * unit) - my * mz
    zz = wzz * (of_height * STEP) - mz * mz
    inverse = 1.0 / (xx * yy - xy * xy)
    a, b = (xz * yy - yz * xy) * inverse, (yz * xx - xz * xy) * inverse
    residual = sqrt(max(0.0, zz - a * xz - b * yz))
    return base * STEP + mz - a * mx - b * my, a / size, b / size, residual
