"""A plane through the chosen cells around each cell, or on one side of it: least squares with its residual spread."""

from __future__ import annotations

from math import hypot, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import Height, compiled, in_threads

RIDGE = 0.005
"""Variance, in squared window radii, added to the positions: cells all in a line give a plane level across it."""

ALL_ROUND = np.zeros((1, 2))
"""No direction: the whole window."""
SIDES = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)], dtype=np.float64)
"""Eight half windows, (east, north): at the edge of a cliff one of them sees the plateau alone."""


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


class Tolerance(NamedTuple):
    """How far above a plane a point may lie: metres, and metres a unit of slope and a metre of spread."""

    base: float
    by_slope: float
    by_spread: float

    def above(self, planes: Planes) -> Height:
        """Metres, a cell."""
        slope = np.hypot(planes.slope_x, planes.slope_y)
        found: Height = (self.base + self.by_slope * slope + self.by_spread * planes.spread).astype(np.float32)
        return found


def fit_planes(
    cells: Cells,
    chosen: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radii: tuple[int, ...],
    enough: int,
    *,
    directions: NDArray[np.float64] = ALL_ROUND,
    tolerance: Tolerance | None = None,
    nearest: bool = False,
    largest_spread: float = np.inf,
) -> Planes:
    """Fit at each wanted cell through the chosen cells of the smallest window that holds enough of them.

    Args:
        cells: the points.
        chosen: cells the planes go through.
        wanted: cells that get a plane.
        radii: of the windows, in cells, growing.
        enough: cells a window must hold.
        directions: (k, 2) east and north; a plane is fitted to the half window on that side, and of the k planes
            the one kept is that under which the highest point would be tolerated.
        tolerance: compares planes of several directions.
        nearest: keep the plane nearest to the cell's own point instead; wanted cells then hold one.
        largest_spread: planes of a greater spread are not kept, metres.
    """
    planes = Planes(*(np.full(cells.height.shape, np.nan, dtype=np.float32) for _ in range(4)))
    sizes = np.array(radii, dtype=np.int64)
    weights = tolerance or Tolerance(0.0, 0.0, 0.0)
    arguments = (
        *cells,
        chosen,
        wanted,
        sizes,
        enough,
        directions,
        weights.by_slope,
        weights.by_spread,
        nearest,
        largest_spread,
    )
    in_threads(_fit, cells.height.shape[0], cells.height.size * 8, *arguments, *planes)
    return planes


@compiled
def _fit(
    first: int,
    last: int,
    height: Height,
    offset_x: Height,
    offset_y: Height,
    chosen: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radii: NDArray[np.int64],
    enough: int,
    directions: NDArray[np.float64],
    by_slope: float,
    by_spread: float,
    nearest: bool,
    largest_spread: float,
    plane_height: Height,
    slope_x: Height,
    slope_y: Height,
    spread: Height,
) -> None:
    columns = height.shape[1]
    several = directions.shape[0] > 1
    for r in range(first, last):
        for c in range(columns):
            if not wanted[r, c] or (several and _count(chosen, r, c, radii[-1]) < enough):
                continue
            highest = -np.inf
            for direction in directions:
                for radius in radii:
                    if not several and _count(chosen, r, c, radius) < enough:
                        continue
                    count, z, a, b, residual = _plane(
                        height, offset_x, offset_y, chosen, r, c, radius, direction[0], direction[1]
                    )
                    if count < enough:
                        continue
                    if nearest:
                        bound = -abs(height[r, c] - z - a * offset_x[r, c] - b * offset_y[r, c])
                    else:
                        bound = z + by_slope * hypot(a, b) + by_spread * residual
                    if residual <= largest_spread and bound > highest:
                        highest = bound
                        plane_height[r, c] = z
                        slope_x[r, c] = a
                        slope_y[r, c] = b
                        spread[r, c] = residual
                    break


@compiled
def _count(chosen: NDArray[np.bool_], r: int, c: int, radius: int) -> int:
    rows, columns = chosen.shape
    count = 0
    for i in range(max(0, r - radius), min(rows, r + radius + 1)):
        for j in range(max(0, c - radius), min(columns, c + radius + 1)):
            count += chosen[i, j]
    return count


@compiled
def _plane(
    height: Height,
    offset_x: Height,
    offset_y: Height,
    chosen: NDArray[np.bool_],
    r: int,
    c: int,
    radius: int,
    east: float,
    north: float,
) -> tuple[int, float, float, float, float]:
    """Number of cells, height at the centre, the two slopes a cell, residual spread; weights fall off to the border."""
    rows, columns = height.shape
    size = radius + 1.0
    base = np.float32(0.0)
    one_side = east != 0.0 or north != 0.0
    count = 0
    w = wx = wy = wz = wxx = wxy = wyy = wxz = wyz = wzz = 0.0
    for i in range(max(0, r - radius), min(rows, r + radius + 1)):
        for j in range(max(0, c - radius), min(columns, c + radius + 1)):
            if not chosen[i, j] or (one_side and (j - c) * east + (i - r) * north <= 0.0):
                continue
            if count == 0:
                base = height[i, j]
            count += 1
            weight = (1.0 - abs(j - c) / size) * (1.0 - abs(i - r) / size)
            dx = (j - c + offset_x[i, j]) / size
            dy = (i - r + offset_y[i, j]) / size
            z = float(height[i, j] - base)
            w += weight
            wx += weight * dx
            wy += weight * dy
            wz += weight * z
            wxx += weight * dx * dx
            wxy += weight * dx * dy
            wyy += weight * dy * dy
            wxz += weight * dx * z
            wyz += weight * dy * z
            wzz += weight * z * z
    if count == 0:
        return 0, 0.0, 0.0, 0.0, 0.0
    mx, my, mz = wx / w, wy / w, wz / w
    xx, xy, yy = wxx / w - mx * mx + RIDGE, wxy / w - mx * my, wyy / w - my * my + RIDGE
    xz, yz, zz = wxz / w - mx * mz, wyz / w - my * mz, wzz / w - mz * mz
    determinant = xx * yy - xy * xy
    a, b = (xz * yy - yz * xy) / determinant, (yz * xx - xz * xy) / determinant
    residual = sqrt(max(0.0, zz - a * xz - b * yz))
    return count, float(base) + mz - a * mx - b * my, a / size, b / size, residual
