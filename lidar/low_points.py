"""Points below the ground: multipath and detector errors, which would drag every surface of lowest points down."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.low_clumps import BLOCK, clump_limits, drop_below
from lidar.low_clumps import REACH_CELLS as CLUMPS_REACH
from lidar.morphology import EMPTY, Height, compiled, in_threads, lowest_points, lowest_points_again

WINDOW = 10
"""Cells to each side within which the surroundings' level is taken."""
LEVEL = 0.03
"""Share of the surroundings' cells that may lie below that level."""
GAP = 1.0
"""Metres a lone point must lie below that level; each neighbour of its own height asks for as much again."""
NEAR = 3
"""Cells to each side in which neighbours of a point's own height support it."""
OWN_HEIGHT = 0.5
"""Metres, and metres a cell of distance, by which a supporting neighbour may be higher."""
MOST_SUPPORT = 8
"""Neighbours at which a low place is taken for real whatever its depth."""
ROUNDS = 2
"""Low points removed from one cell at most."""

REACH_CELLS = CLUMPS_REACH + ROUNDS * WINDOW
"""Cells of context the result depends on."""


class LowestPoints(NamedTuple):
    """The surface of the lowest points, low outliers left out."""

    height: Height
    """Of each cell, +inf where it is empty."""
    source: NDArray[np.int64]
    """The point it comes from, −1 where it is empty."""
    kept: NDArray[np.bool_]
    """False for the points found to lie below the ground, a point each."""


def lowest_without_outliers(
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    used: NDArray[np.bool_],
    shape: tuple[int, int],
) -> LowestPoints:
    """Take the lowest point of each cell; drop it and take the next as long as it lies alone below its surroundings.

    Whole clumps of such points go first.
    """
    kept = used.copy()
    height, index = lowest_points(row, column, x, y, z, kept, *shape)
    south, west = int(np.floor(y[0])) - int(row[0]), int(np.floor(x[0])) - int(column[0])
    limits = clump_limits(height, south, west)
    if limits is not None:
        touched = np.zeros(shape, dtype=np.bool_)
        drop_below(row, column, z, limits, south % BLOCK, west % BLOCK, kept, touched)
        lowest_points_again(touched, row, column, x, y, z, kept, height, index)
    for _ in range(ROUNDS):
        low = np.zeros(shape, dtype=np.bool_)
        in_threads(_find_low, shape[0], height.size * 16, height, low)
        if not low.any():
            break
        kept[index[low]] = False
        lowest_points_again(low, row, column, x, y, z, kept, height, index)
    return LowestPoints(height, index, kept)


@compiled
def _find_low(first: int, last: int, height: Height, low: NDArray[np.bool_]) -> None:
    rows, columns = height.shape
    window = np.empty((2 * WINDOW + 1) ** 2, dtype=np.float32)
    higher = np.empty((2 * NEAR + 1, 2 * NEAR + 1))
    for i in range(-NEAR, NEAR + 1):
        for j in range(-NEAR, NEAR + 1):
            higher[NEAR + i, NEAR + j] = OWN_HEIGHT * (1.0 + sqrt(i * i + j * j))
    for r in range(first, last):
        for c in range(columns):
            own = height[r, c]
            if own == EMPTY:
                continue
            support = 0
            for i in range(max(0, r - NEAR), min(rows, r + NEAR + 1)):
                for j in range(max(0, c - NEAR), min(columns, c + NEAR + 1)):
                    support += height[i, j] <= own + higher[NEAR + i - r, NEAR + j - c]
                if support > MOST_SUPPORT:
                    break
            support -= 1
            if support >= MOST_SUPPORT:
                continue
            count = 0
            for i in range(max(0, r - WINDOW), min(rows, r + WINDOW + 1)):
                for j in range(max(0, c - WINDOW), min(columns, c + WINDOW + 1)):
                    if height[i, j] != EMPTY:
                        window[count] = height[i, j]
                        count += 1
            rank = max(int(LEVEL * count), support + 1, 2)
            if rank < count and np.partition(window[:count], rank)[rank] - own > GAP * (1 + support):
                low[r, c] = True
