"""Which points are no higher above planes than is tolerated: those of a cloud, or one point of each cell."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.local_plane import Planes
from lidar.morphology import Height, compiled, in_threads

CELL = 1.0
"""Metres. One size for every density, so that no tile has to guess it: thin clouds leave cells empty, dense ones do
not; an alley is seen by a cell that it only touches, because the lowest point of a cell counts."""


class Points(NamedTuple):
    """n points and the cells they lie in, all (n,)."""

    row: NDArray[np.int32]
    column: NDArray[np.int32]
    x: NDArray[np.float64]
    """Metres."""
    y: NDArray[np.float64]
    z: NDArray[np.float64]
    """Metres."""


class CellPoints(NamedTuple):
    """One of n points in each cell."""

    source: NDArray[np.int64]
    """(rows, columns) which, −1 where there is none."""
    x: NDArray[np.float64]
    """(n,) metres."""
    y: NDArray[np.float64]
    z: NDArray[np.float64]

    def offsets(self) -> tuple[Height, Height]:
        """Where each cell's point lies east and north of the cell's centre, in cells (−0.5…0.5); 0 without one."""
        shape = self.source.shape
        east, north = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
        in_threads(_place, shape[0], self.source.size * 4, *self, east, north)
        return east, north


def mark_near(
    points: Points | CellPoints,
    planes: Planes,
    tolerance: Height,
    wanted: NDArray[np.bool_],
    near: NDArray[np.bool_],
    left: NDArray[np.bool_],
) -> None:
    """Mark the points of wanted cells at most the tolerance above their cell's plane, and the cells of the others.

    Args:
        points: to judge; those marked already are passed over.
        planes: of cells; where there is none (NaN) nothing is near.
        tolerance: (rows, columns) metres.
        wanted: (rows, columns) which cells' points are asked about, of points of cells; of a cloud, all are.
        near: (n,) of a cloud, (rows, columns) of points of cells; marked.
        left: (rows, columns); marked.
    """
    surfaces = (planes.height, planes.slope_x, planes.slope_y, tolerance)
    if isinstance(points, CellPoints):
        in_threads(_near_cells, len(near), near.size * 4, *points, wanted, *surfaces, near, left)
    else:
        in_threads(_near_planes, len(near), len(near), *points, *surfaces, near, left)


@compiled
def _in_cell(coordinate: float) -> float:
    """From the centre of its cell, in cells (−0.5…0.5)."""
    place: float = coordinate / CELL - np.floor(coordinate / CELL) - 0.5
    return place


@compiled
def _place(first: int, last: int, source: Any, x: Any, y: Any, z: Any, east: Height, north: Height) -> None:
    for r in range(first, last):
        for c in range(source.shape[1]):
            i = source[r, c]
            east[r, c] = _in_cell(x[i]) if i >= 0 else 0.0
            north[r, c] = _in_cell(y[i]) if i >= 0 else 0.0


@compiled
def _is_near(x: float, y: float, z: float, height: Any, slope_x: Any, slope_y: Any, tolerance: Any) -> bool:
    """No plane is NaN, and nothing near it."""
    plane = height + slope_x * _in_cell(x) + slope_y * _in_cell(y)
    return bool(z - plane <= tolerance)


@compiled
def _near_planes(
    first: int,
    last: int,
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    height: Height,
    slope_x: Height,
    slope_y: Height,
    tolerance: Height,
    near: NDArray[np.bool_],
    left: NDArray[np.bool_],
) -> None:
    for i in range(first, last):
        if near[i]:
            continue
        r, c = row[i], column[i]
        if _is_near(x[i], y[i], z[i], height[r, c], slope_x[r, c], slope_y[r, c], tolerance[r, c]):
            near[i] = True
        else:
            left[r, c] = True


@compiled
def _near_cells(
    first: int,
    last: int,
    source: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    height: Height,
    slope_x: Height,
    slope_y: Height,
    tolerance: Height,
    near: NDArray[np.bool_],
    left: NDArray[np.bool_],
) -> None:
    for r in range(first, last):
        for c in range(source.shape[1]):
            i = source[r, c]
            if i < 0 or not wanted[r, c] or near[r, c]:
                continue
            if _is_near(x[i], y[i], z[i], height[r, c], slope_x[r, c], slope_y[r, c], tolerance[r, c]):
                near[r, c] = True
            else:
                left[r, c] = True
