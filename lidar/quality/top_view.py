"""What a point file looks like from above, in a picture's worth of cells, gathered batch by batch."""

from __future__ import annotations

from math import ceil, floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_ACROSS: Final = 800
"""Cells along the longer side of a picture."""
LEAST_CELL: Final = 0.5
"""Metres."""


class TopView:
    """The highest point of each cell and its class; rows run from south to north, positions in metres."""

    def __init__(self, west: float, south: float, columns: int, rows: int, cell: float) -> None:
        self.west, self.south, self.cell = west, south, cell
        self.height = np.full((rows, columns), -np.inf)
        """Metres; −inf where there is no point."""
        self.classes = np.zeros((rows, columns), dtype=np.uint8)

    @classmethod
    def covering(cls, bounds: tuple[float, float, float, float], metres_per_unit: float) -> TopView:
        """A grid over (min x, min y, max x, max y) in some unit."""
        west, south, east, north = (value * metres_per_unit for value in bounds)
        cell = max(LEAST_CELL, max(east - west, north - south) / MOST_ACROSS)
        columns, rows = ceil((east - west) / cell) + 1, ceil((north - south) / cell) + 1
        return cls(floor(west / cell) * cell, floor(south / cell) * cell, columns, rows, cell)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """West, east, south and north edge, as pictures take it."""
        rows, columns = self.height.shape
        return self.west, self.west + columns * self.cell, self.south, self.south + rows * self.cell

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
