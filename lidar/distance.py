"""How far cells are from the nearest of some cells, exactly, in two passes over the grid.

After Meijster, Roerdink and Hesselink (2000), "A general algorithm for computing distance transforms in linear time".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import compiled


def distance_to(cells: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(rows, columns) Euclidean distance from each cell to the nearest true one, in cells; +inf where there is none."""
    squared: NDArray[np.float64] = _squared(np.ascontiguousarray(cells))
    return np.sqrt(squared)


@compiled
def _squared(cells: Any) -> Any:
    """The squares, whole numbers as floats: their roots are the nearest to the true ones."""
    rows, columns = cells.shape
    none = rows + columns
    # Along columns: how far up or down the nearest is.
    along = np.empty((rows, columns), dtype=np.int64)
    for r in range(rows):
        for c in range(columns):
            above = along[r - 1, c] + 1 if r > 0 else none
            along[r, c] = 0 if cells[r, c] else min(above, none)
    for r in range(rows - 2, -1, -1):
        for c in range(columns):
            along[r, c] = min(along[r, c], along[r + 1, c] + 1)
    # Along rows: the lowest of the parabolas that stand over the columns.
    found = np.empty((rows, columns))
    lowest = np.empty(columns, dtype=np.int64)
    since = np.empty(columns, dtype=np.int64)
    for r in range(rows):
        top = -1
        for c in range(columns):
            height = along[r, c]
            if height >= none:
                continue
            begin: Any = 0
            while top >= 0:
                b, h = lowest[top], along[r, lowest[top]]
                begin = 1 + (c * c - b * b + height * height - h * h) // (2 * (c - b))
                if begin > since[top]:
                    break
                top -= 1
            if top < 0:
                begin = 0
            if begin < columns:
                top += 1
                lowest[top], since[top] = c, begin
        for c in range(columns - 1, -1, -1):
            if top < 0:
                found[r, c] = np.inf
                continue
            b, h = lowest[top], along[r, lowest[top]]
            found[r, c] = (c - b) * (c - b) + h * h
            if c == since[top]:
                top = max(top - 1, 0)
    return found
