"""Square cells of one metre that points are counted into, and sums, extremes and growth over windows of them.

Rows run from south to north. Cells are multiples of their size from (0, 0), so that tiles share them; what is summed
is whole numbers, so that no order of points matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadInput
from lidar.morphology import compiled

CELL = 1.0
"""Metres."""
MOST_CELLS = 1 << 26
"""Cells of one call (8 km squared)."""

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cells:
    """Where n points lie on a grid of `shape`."""

    index: NDArray[np.int32]
    """(n,) row · columns + column."""
    shape: tuple[int, int]
    west: int
    """Cells from zero to the first column."""
    south: int

    def count(self, chosen: Mask) -> NDArray[np.int64]:
        """How many of the chosen points lie in each cell."""
        return _count(self.index, chosen, self.shape[0] * self.shape[1]).reshape(self.shape)

    def total(self, chosen: Mask, value: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum of the chosen points' values in each cell."""
        return _total(self.index, chosen, value, self.shape[0] * self.shape[1]).reshape(self.shape)

    def highest(self, chosen: Mask, value: NDArray[np.float64]) -> Floats:
        """Greatest value of the chosen points in each cell, −inf where there is none."""
        return _highest(self.index, chosen, value, self.shape[0] * self.shape[1]).reshape(self.shape)


def cells_of(x: NDArray[np.float64], y: NDArray[np.float64]) -> Cells:
    """The cells of at least one point.

    Raises:
        BadInput: the points lie absurdly far apart.
    """
    west, south = np.floor(x.min() / CELL), np.floor(y.min() / CELL)
    columns, rows = np.floor(x.max() / CELL) - west + 1, np.floor(y.max() / CELL) - south + 1
    if not columns * rows <= MOST_CELLS:
        raise BadInput(
            f"the points spread over {columns * CELL:.0f} × {rows * CELL:.0f} m, too far for one piece: "
            "there are stray points, or the cloud must be cut into tiles"
        )
    index = np.empty(len(x), dtype=np.int32)
    _index(x, y, west, south, int(columns), index)
    return Cells(index, (int(rows), int(columns)), int(west), int(south))


def around(values: NDArray[np.int64], radius: int) -> NDArray[np.int64]:
    """Sum over the square of 2·radius + 1 cells about each cell; exact."""
    rows, columns = values.shape
    table = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    np.cumsum(values, axis=0, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
    top, bottom = np.maximum(np.arange(rows) - radius, 0), np.minimum(np.arange(rows) + radius + 1, rows)
    left, right = np.maximum(np.arange(columns) - radius, 0), np.minimum(np.arange(columns) + radius + 1, columns)
    bands = table[bottom] - table[top]
    return np.asarray(bands[:, right] - bands[:, left])


def ground_level(mean: Floats, reach: int) -> Floats:
    """Fill the cells without ground (NaN) from the ground met in eight directions, weighted by 1 / distance.

    Opposite directions give a plane back exactly. NaN stays where no ground is met within `reach` cells.
    """
    weight, weighted = np.zeros(mean.shape), np.zeros(mean.shape)
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
        _look(mean, down, right, reach, weight, weighted)
    with np.errstate(invalid="ignore"):
        met = (weighted / weight).astype(np.float32)
    return np.where(np.isnan(mean), met, mean)


@compiled
def _index(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    west: float,
    south: float,
    columns: int,
    index: NDArray[np.int32],
) -> None:
    for i in range(len(x)):
        index[i] = int(np.floor(y[i] / CELL) - south) * columns + int(np.floor(x[i] / CELL) - west)


@compiled
def _count(index: NDArray[np.int32], chosen: Mask, size: int) -> NDArray[np.int64]:
    counts = np.zeros(size, dtype=np.int64)
    for i in range(len(index)):
        if chosen[i]:
            counts[index[i]] += 1
    return counts


@compiled
def _total(index: NDArray[np.int32], chosen: Mask, value: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    sums = np.zeros(size, dtype=np.int64)
    for i in range(len(index)):
        if chosen[i]:
            sums[index[i]] += value[i]
    return sums


@compiled
def _highest(index: NDArray[np.int32], chosen: Mask, value: NDArray[np.float64], size: int) -> Floats:
    top = np.full(size, -np.inf, dtype=np.float32)
    for i in range(len(index)):
        if chosen[i] and value[i] > top[index[i]]:
            top[index[i]] = value[i]
    return top


@compiled
def _look(
    mean: Floats,
    down: int,
    right: int,
    reach: int,
    weight: NDArray[np.float64],
    weighted: NDArray[np.float64],
) -> None:
    """Add what is met first towards (`down`, `right`) to the sums."""
    rows, columns = mean.shape
    length = np.sqrt(down * down + right * right)
    behind, here = np.zeros(columns, dtype=np.int32), np.zeros(columns, dtype=np.int32)
    for n in range(rows):
        r = rows - 1 - n if down > 0 else n
        for m in range(columns):
            c = columns - 1 - m if right > 0 else m
            i, j = r + down, c + right
            steps = 0
            if 0 <= i < rows and 0 <= j < columns:
                if not np.isnan(mean[i, j]):
                    steps = 1
                else:
                    beyond = here[j] if down == 0 else behind[j]
                    if beyond > 0 and (beyond + 1) * length <= reach:
                        steps = beyond + 1
            here[c] = steps
            if steps > 0 and np.isnan(mean[r, c]):
                w = 1.0 / (steps * length)
                weight[r, c] += w
                weighted[r, c] += w * mean[r + steps * down, c + steps * right]
        behind, here = here, behind
