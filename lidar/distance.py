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


def nearest_to(cells: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows, columns) square of the distance from each cell to the nearest true one, and the number of that.

    Cells are numbered row by row, distances are in cells. There is a true one. Of several as near it is the one that
    `scipy.ndimage.distance_transform_edt` finds, at a quarter of the time.
    """
    found: tuple[NDArray[np.int64], NDArray[np.int64]] = _nearest(np.ascontiguousarray(cells))
    return found


@compiled
def _nearest(cells: Any) -> Any:
    rows, columns = cells.shape
    # Along columns: the row of the nearest, the first of two.
    along = np.full((rows, columns), -1, dtype=np.int64)
    for c in range(columns):
        last = -1
        for r in range(rows):
            last = r if cells[r, c] else last
            along[r, c] = last
        following = -1
        for r in range(rows - 1, -1, -1):
            following = r if cells[r, c] else following
            if following >= 0 and (along[r, c] < 0 or following - r < r - along[r, c]):
                along[r, c] = following
    # Along rows: of the parabolas that stand over the columns those that are the lowest somewhere.
    squared, number = np.empty((rows, columns), dtype=np.int64), np.empty((rows, columns), dtype=np.int64)
    lowest, height = np.empty(columns, dtype=np.int64), np.empty(columns, dtype=np.int64)
    for r in range(rows):
        top = -1
        for c in range(columns):
            if along[r, c] < 0:
                continue
            this = (along[r, c] - r) ** 2
            while top >= 1:
                a, b = lowest[top] - lowest[top - 1], c - lowest[top]
                if (a + b) * height[top] - b * height[top - 1] - a * this - a * b * (a + b) <= 0:
                    break
                top -= 1
            top += 1
            lowest[top], height[top] = c, this
        at = 0
        for c in range(columns):
            best = (lowest[at] - c) ** 2 + height[at]
            while at < top:
                further = (lowest[at + 1] - c) ** 2 + height[at + 1]
                if best <= further:
                    break
                best = further
                at += 1
            squared[r, c] = best
            number[r, c] = along[r, lowest[at]] * columns + lowest[at]
    return squared, number
