"""A plane through the chosen cells around each cell: weighted least squares with its residual spread."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import Height, compiled, in_threads

RIDGE = 0.005
"""Variance, in squared window radii, added to the positions: cells all in a line give a plane level across it."""


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


def fit_planes(
    surface: Height,
    offset_x: Height,
    offset_y: Height,
    chosen: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radii: tuple[int, ...],
    enough: int,
) -> Planes:
    """Fit at each wanted cell through the chosen cells of the smallest window that holds enough of them.

    Args:
        surface: height of each cell's point.
        offset_x: position of the point east of its cell's west edge, in cells (0…1).
        offset_y: position of the point north of its cell's south edge, in cells (0…1).
        chosen: cells the planes go through.
        wanted: cells that get a plane.
        radii: of the windows, in cells, growing.
        enough: cells a window must hold.
    """
    planes = Planes(*(np.full(surface.shape, np.nan, dtype=np.float32) for _ in range(4)))
    sizes = np.array(radii, dtype=np.int64)
    arguments = (surface, offset_x, offset_y, chosen, wanted, sizes, enough, *planes)
    in_threads(_fit, surface.shape[0], surface.size * 8, *arguments)
    return planes


@compiled
def _fit(
    first: int,
    last: int,
    surface: Height,
    offset_x: Height,
    offset_y: Height,
    chosen: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    radii: NDArray[np.int64],
    enough: int,
    height: Height,
    slope_x: Height,
    slope_y: Height,
    spread: Height,
) -> None:
    rows, columns = surface.shape
    for r in range(first, last):
        for c in range(columns):
            if not wanted[r, c]:
                continue
            for radius in radii:
                top, bottom = max(0, r - radius), min(rows, r + radius + 1)
                left, right = max(0, c - radius), min(columns, c + radius + 1)
                count = 0
                for i in range(top, bottom):
                    for j in range(left, right):
                        if chosen[i, j]:
                            count += 1
                if count < enough:
                    continue
                size = radius + 1.0
                base = np.float32(0.0)
                w = wx = wy = wz = wxx = wxy = wyy = wxz = wyz = wzz = 0.0
                for i in range(top, bottom):
                    for j in range(left, right):
                        if not chosen[i, j]:
                            continue
                        if w == 0.0:
                            base = surface[i, j]
                        weight = (1.0 - abs(j - c) / size) * (1.0 - abs(i - r) / size)
                        dx = (j - c + offset_x[i, j] - 0.5) / size
                        dy = (i - r + offset_y[i, j] - 0.5) / size
                        z = float(surface[i, j] - base)
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
                mx, my, mz = wx / w, wy / w, wz / w
                xx, xy, yy = wxx / w - mx * mx + RIDGE, wxy / w - mx * my, wyy / w - my * my + RIDGE
                xz, yz, zz = wxz / w - mx * mz, wyz / w - my * mz, wzz / w - mz * mz
                determinant = xx * yy - xy * xy
                a = (xz * yy - yz * xy) / determinant
                b = (yz * xx - xz * xy) / determinant
                height[r, c] = base + mz - a * mx - b * my
                slope_x[r, c] = a / size
                slope_y[r, c] = b / size
                spread[r, c] = np.sqrt(max(0.0, zz - a * xz - b * yz))
                break
