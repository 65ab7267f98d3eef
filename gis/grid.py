"""A raster's geometry: cells of one size, aligned the same over the whole city."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from gis.bounds import BoundingBox
from gis.errors import BadParameter

SNAP = 1e-9
"""Fraction of a cell by which a bound may miss a cell edge through rounding."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows run from north to south, columns from west to east; every cell edge is a multiple of the resolution.

    So any two grids of one resolution and CRS fit into each other, and a tile is a window of the city.
    A cell is named by the index of its lower-left corner: `first_column · resolution` is its west edge.
    """

    crs: CRS
    resolution: float
    first_column: int
    first_row: int
    """Index of the southernmost row, counted from y = 0 to the north."""
    columns: int
    rows: int

    def __post_init__(self) -> None:
        if not (isfinite(self.resolution) and self.resolution > 0):
            raise BadParameter("resolution", self.resolution, "must be a positive number of metres")
        if self.columns < 1 or self.rows < 1:
            raise BadParameter("grid", (self.rows, self.columns), "a grid has at least one row and one column")

    @classmethod
    def covering(cls, bounds: BoundingBox, resolution: float) -> Grid:
        """The smallest aligned grid that covers the bounds."""
        if not (isfinite(resolution) and resolution > 0):
            raise BadParameter("resolution", resolution, "must be a positive number of metres")
        west, south = floor(bounds.min_x / resolution + SNAP), floor(bounds.min_y / resolution + SNAP)
        east, north = ceil(bounds.max_x / resolution - SNAP), ceil(bounds.max_y / resolution - SNAP)
        return cls(bounds.crs, resolution, west, south, max(east - west, 1), max(north - south, 1))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return (self.rows, self.columns)

    @property
    def west(self) -> float:
        """X of the left edge."""
        return self.first_column * self.resolution

    @property
    def south(self) -> float:
        """Y of the lower edge."""
        return self.first_row * self.resolution

    @property
    def north(self) -> float:
        """Y of the upper edge."""
        return (self.first_row + self.rows) * self.resolution

    @property
    def east(self) -> float:
        """X of the right edge."""
        return (self.first_column + self.columns) * self.resolution

    @property
    def bounds(self) -> BoundingBox:
        """The rectangle the cells cover."""
        return BoundingBox(self.west, self.south, self.east, self.north, self.crs)

    @property
    def transform(self) -> Affine:
        """From (column, row) to (x, y) of a cell's upper-left corner, as rasterio has it."""
        return Affine(self.resolution, 0.0, self.west, 0.0, -self.resolution, self.north)

    def buffered(self, distance: float) -> Grid:
        """Grown on all sides by at least the distance, in whole cells."""
        cells = ceil(distance / self.resolution - SNAP)
        return Grid(
            self.crs,
            self.resolution,
            self.first_column - cells,
            self.first_row - cells,
            self.columns + 2 * cells,
            self.rows + 2 * cells,
        )

    def meeting(self, other: Grid) -> Grid | None:
        """The cells that both have, of the same alignment; None where there are none."""
        west, south = max(self.first_column, other.first_column), max(self.first_row, other.first_row)
        east = min(self.first_column + self.columns, other.first_column + other.columns)
        north = min(self.first_row + self.rows, other.first_row + other.rows)
        if east <= west or north <= south:
            return None
        return Grid(self.crs, self.resolution, west, south, east - west, north - south)

    def window_in(self, larger: Grid) -> tuple[slice, slice]:
        """Rows and columns that this grid takes up in a larger one of the same alignment.

        Raises:
            BadParameter: this grid does not lie inside the larger one, or their resolutions differ.
        """
        top = (larger.first_row + larger.rows) - (self.first_row + self.rows)
        left = self.first_column - larger.first_column
        inside = top >= 0 and left >= 0 and top + self.rows <= larger.rows and left + self.columns <= larger.columns
        if not inside or self.resolution != larger.resolution:
            raise BadParameter("window", self.bounds.tuple, f"does not lie in the grid {larger.bounds.tuple}")
        return slice(top, top + self.rows), slice(left, left + self.columns)

    def cells(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column of each position; positions outside get indices outside of the shape."""
        column = np.floor(x / self.resolution).astype(np.int64) - self.first_column
        row = (self.first_row + self.rows - 1) - np.floor(y / self.resolution).astype(np.int64)
        return row, column

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """X of each column's centre (columns,) and y of each row's centre (rows,), north first."""
        x = (self.first_column + np.arange(self.columns) + 0.5) * np.float64(self.resolution)
        y = (self.first_row + self.rows - np.arange(self.rows) - 0.5) * np.float64(self.resolution)
        return x, y
