"""What a point file looks like from above, in a picture's worth of cells, gathered batch by batch."""

from __future__ import annotations

from math import ceil, floor, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

MOST_ACROSS: Final = 800
"""Cells along the longer side of a picture."""
LEAST_CELL: Final = 0.5
"""Metres."""
POINTS_PER_CELL: Final = 2.0
"""On average over the bounds, so that a thin survey shows a surface, not specks (empty by chance: e⁻² = 14 %)."""
PATCHED: Final = 2
"""Cells; nearer than this to a point, an empty cell is drawn as its neighbour."""


class TopView:
    """The highest point of each cell and its class; rows run from south to north, positions in metres."""

    def __init__(self, west: float, south: float, columns: int, rows: int, cell: float) -> None:
        self.west, self.south, self.cell = west, south, cell
        self.height = np.full((rows, columns), -np.inf)
        """Metres; −inf where there is no point."""
        self.classes = np.zeros((rows, columns), dtype=np.uint8)

    @classmethod
    def covering(cls, bounds: tuple[float, float, float, float], metres_per_unit: float, point_count: int) -> TopView:
        """A grid over (min x, min y, max x, max y) in some unit, for so many points."""
        west, south, east, north = (value * metres_per_unit for value in bounds)
        longer = max(east - west, north - south)
        spacing = sqrt(POINTS_PER_CELL * (east - west) * (north - south) / max(point_count, 1))
        cell = max(LEAST_CELL, longer / MOST_ACROSS, spacing)
        columns, rows = ceil((east - west) / cell) + 1, ceil((north - south) / cell) + 1
        return cls(floor(west / cell) * cell, floor(south / cell) * cell, columns, rows, cell)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """West, east, south and north edge, as pictures take it."""
        rows, columns = self.height.shape
        return self.west, self.west + columns * self.cell, self.south, self.south + rows * self.cell

    def patched(self) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Heights (NaN where nothing is near) and classes, small holes filled from the nearest cell, for drawing."""
        empty = ~np.isfinite(self.height)
        if empty.all():
            return np.full(self.height.shape, np.nan), self.classes
        away, (row, column) = ndimage.distance_transform_edt(empty, return_indices=True)
        heights = np.where(away <= PATCHED, self.height[row, column], np.nan)
        return heights, np.asarray(self.classes[row, column])

    def add(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        z: NDArray[np.float64],
        classes: NDArray[np.uint8],
    ) -> None:
        """Look at some points; of equally high ones the greater class shows, so that their order does not."""
        rows, columns = self.height.shape
        column = np.floor((x - self.west) / self.cell).astype(np.int64)
        row = np.floor((y - self.south) / self.cell).astype(np.int64)
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        cell = row[inside] * columns + column[inside]
        order = np.lexsort((classes[inside], z[inside], cell))
        last = np.flatnonzero(np.r_[np.diff(cell[order]) != 0, True]) if len(order) else order
        chosen = order[last]
        place, top, code = cell[chosen], z[inside][chosen], classes[inside][chosen]
        height, shown = self.height.reshape(-1), self.classes.reshape(-1)
        higher = (top > height[place]) | ((top == height[place]) & (code > shown[place]))
        height[place[higher]] = top[higher]
        shown[place[higher]] = code[higher]
