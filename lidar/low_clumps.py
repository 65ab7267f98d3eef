"""Clumps of points below the ground: multipath between walls comes in dozens, and metres too deep.

On blocks of 3 m, so that thin surveys have few gaps among them, a clump is a small patch of lowest points with a jump
up all around, below nearly all that lies about it. The floor of a light well is as low as the streets near it, a ditch
is long, and a pit one can walk into has no jump: these stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import EMPTY, Height, compiled

BLOCK = 3
"""Cells along a block's edge."""
JUMP = 1.5
"""Metres between a clump and the blocks around it, more than a block's own slope has."""
LARGEST = 4
"""Blocks that a clump extends over: 12 m."""
AROUND = 7
"""Blocks on each side of a clump within which its surroundings are looked at: a street is that near."""
AS_LOW = 0.03
"""Share of the surroundings that may be as low."""
ENOUGH = 40
"""Blocks with points that a judgement needs around it."""
BELOW = 1.0
"""Metres below the level of the surroundings from which a block's points are the clump's."""
REACH_CELLS = BLOCK * (LARGEST + AROUND + 1)
"""Cells of context the result depends on."""


def clump_limits(height: Height, south: int, west: int) -> Height | None:
    """Height of each block below which points belong to a clump, −inf where there is none; None if there is no clump.

    Args:
        height: (rows, columns) metres, lowest points of cells; +inf where there is none.
        south: absolute row of the first row; blocks lie on multiples of their size.
        west: absolute column of the first column.
    """
    first_row, first_column = south % BLOCK, west % BLOCK
    shape = tuple(
        -(-(count + first) // BLOCK) for count, first in zip(height.shape, (first_row, first_column), strict=True)
    )
    lowest = np.full(shape, EMPTY, dtype=np.float32)
    _lowest(height, first_row, first_column, lowest)
    limits = np.full(shape, -EMPTY, dtype=np.float32)
    return limits if _find(lowest, limits) else None


@compiled
def drop_below(
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    z: NDArray[np.float64],
    limits: Height,
    first_row: int,
    first_column: int,
    kept: NDArray[np.bool_],
    touched: NDArray[np.bool_],
) -> None:
    """Unmark the points below their block's limit in `kept`, and mark their cells in `touched`."""
    for i in range(len(z)):
        if kept[i] and z[i] < limits[(row[i] + first_row) // BLOCK, (column[i] + first_column) // BLOCK]:
            kept[i] = False
            touched[row[i], column[i]] = True


@compiled
def _lowest(height: Height, first_row: int, first_column: int, lowest: Height) -> None:
    for r in range(height.shape[0]):
        for c in range(height.shape[1]):
            i, j = (r + first_row) // BLOCK, (c + first_column) // BLOCK
            lowest[i, j] = min(lowest[i, j], height[r, c])


@compiled
def _find(lowest: Height, limits: Height) -> bool:
    rows, columns = lowest.shape
    patch = np.zeros((rows, columns), dtype=np.int32)
    queue = np.empty(rows * columns, dtype=np.int32)
    window = np.empty((LARGEST + 2 * AROUND) ** 2, dtype=np.float32)
    number, found = 0, False
    for r in range(rows):
        for c in range(columns):
            if lowest[r, c] == EMPTY or patch[r, c]:
                continue
            number += 1
            size, top, bottom, left, right, highest, is_low = _fill(lowest, r, c, number, patch, queue)
            if not is_low or max(bottom - top, right - left) >= LARGEST:
                continue
            count = as_low = 0
            for i in range(max(0, top - AROUND), min(rows, bottom + AROUND + 1)):
                for j in range(max(0, left - AROUND), min(columns, right + AROUND + 1)):
                    if lowest[i, j] != EMPTY and patch[i, j] != number:
                        window[count] = lowest[i, j]
                        count += 1
                        as_low += lowest[i, j] <= highest + JUMP
            if count < ENOUGH or as_low > AS_LOW * count:
                continue
            level = np.partition(window[:count], as_low)[as_low] - np.float32(BELOW)
            found = True
            for k in range(size):
                limits[queue[k] // columns, queue[k] % columns] = level
    return found


@compiled
def _fill(lowest: Height, r: int, c: int, number: int, patch: NDArray[np.int32], queue: NDArray[np.int32]) -> Any:
    """Number the blocks reached without a jump: how many, their extent, the highest, and whether no other is below."""
    rows, columns = lowest.shape
    top, bottom, left, right, highest, is_low = r, r, c, c, lowest[r, c], True
    queue[0], size, done = r * columns + c, 1, 0
    patch[r, c] = number
    while done < size:
        i, j = queue[done] // columns, queue[done] % columns
        done += 1
        top, bottom, left, right = min(top, i), max(bottom, i), min(left, j), max(right, j)
        highest = max(highest, lowest[i, j])
        for m in range(max(0, i - 1), min(rows, i + 2)):
            for n in range(max(0, j - 1), min(columns, j + 2)):
                if lowest[m, n] == EMPTY or patch[m, n] == number:
                    continue
                rise = lowest[m, n] - lowest[i, j]
                if abs(rise) <= JUMP and patch[m, n] == 0:
                    patch[m, n] = number
                    queue[size] = m * columns + n
                    size += 1
                elif rise < -JUMP:
                    is_low = False
    return size, top, bottom, left, right, highest, is_low
