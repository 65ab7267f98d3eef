"""Moments of the cells in tent-shaped windows, as whole numbers: the same in any order, from any corner, in any tile.

A cell's weight in the window of radius R is (R + 1 − |rows|)·(R + 1 − |columns|), whole too. Along each axis such a
tent changes from place to place by two running sums (Heckbert 1986, Filtering by repeated integration), so that a
window costs the same whatever its size; windows wanted here and there are added up cell by cell. Both give one result.

Heights and places in cells are rounded to `STEP`. Heights are counted from the datum itself, places from a corner of
the block at work or from the window's centre: a shift of the origin is exact in whole numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import Height, compiled

PARTS = 1024
"""Steps in a metre of height and in the edge of a cell: what is rounded away is below any scanner's noise."""
STEP = 1.0 / PARTS
HIGHEST = 12_000.0
"""Metres from the datum: a cell beyond it, higher or lower than any ground on Earth, is in no window."""
LARGEST_RADIUS = 12
"""Cells. The weights of a window add up to (R + 1)⁴, so that with the height above the sums stay below 2⁶³."""

MOMENTS = 10
"""Of a window: w, wx, wy, wz, wxx, wxy, wyy, wxz, wyz, wzz, in that order; steps east, north and up."""
FACTORS = np.array([(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 3)])
"""Of w, x, y, z, those whose product each moment is the sum of; w is 1, or all are 0."""
Sums = NDArray[np.int64]

DIRECTIONS = 16
"""Counted anticlockwise from east: an even one is a multiple of an eighth of a turn, an odd one all between two."""


def _sectors() -> NDArray[np.int8]:
    north, east = np.mgrid[-LARGEST_RADIUS : LARGEST_RADIUS + 1, -LARGEST_RADIUS : LARGEST_RADIUS + 1]
    quarter = np.where(east > 0, np.where(north >= 0, 0, 3), np.where(north > 0, 1, 2))
    quarter[(east == 0) & (north < 0)] = 3
    along = np.choose(quarter, (east, north, -east, -north))
    across = np.choose(quarter, (north, -east, -north, east))
    within = np.where(across == 0, 0, np.where(across < along, 1, np.where(across == along, 2, 3)))
    return np.where((north == 0) & (east == 0), -1, quarter * 4 + within).astype(np.int8)


SECTOR = _sectors()
"""Direction of a window's cells, by rows north and columns east of the middle one, itself −1."""


@compiled
def gather(
    height: Height,
    offset_x: Height,
    offset_y: Height,
    chosen: NDArray[np.bool_],
    row: int,
    column: int,
    steps: NDArray[np.int32],
) -> None:
    """Fill `steps` (4, rows, columns) with w = 1, x, y, z of the chosen cells from `row`, `column` on, 0 elsewhere.

    Places are in steps from the centre of the first cell, which may lie outside of the grid.
    """
    rows, columns = height.shape
    steps[:] = 0
    for i in range(max(0, -row), min(steps.shape[1], rows - row)):
        for j in range(max(0, -column), min(steps.shape[2], columns - column)):
            z = height[row + i, column + j]
            if chosen[row + i, column + j] and abs(z) <= HIGHEST:
                steps[0, i, j] = 1
                steps[1, i, j] = j * PARTS + whole(offset_x[row + i, column + j])
                steps[2, i, j] = i * PARTS + whole(offset_y[row + i, column + j])
                steps[3, i, j] = whole(z)


@compiled
def whole(value: float) -> int:
    """A height, or a place in a cell, in steps."""
    return int(np.floor(value * PARTS + 0.5))


@compiled
def window_counts(steps: NDArray[np.int32], halo: int, radius: int, count: NDArray[np.int32]) -> None:
    """Fill `count` with the number of chosen cells in the square window of each cell; `steps` reach `halo` around."""
    rows, columns = count.shape
    of_column = np.zeros(steps.shape[2], dtype=np.int32)
    for i in range(halo - radius, halo + radius):
        for j in range(of_column.shape[0]):
            of_column[j] += steps[0, i, j]
    for r in range(rows):
        for j in range(of_column.shape[0]):
            of_column[j] += steps[0, r + halo + radius, j]
        total = 0
        for j in range(halo - radius, halo + radius):
            total += of_column[j]
        for c in range(columns):
            total += of_column[c + halo + radius]
            count[r, c] = total
            total -= of_column[c + halo - radius]
        for j in range(of_column.shape[0]):
            of_column[j] -= steps[0, r + halo - radius, j]


@compiled
def sum_window(steps: NDArray[np.int32], row: int, column: int, radius: int, sums: Sums) -> None:
    """Fill `sums` (MOMENTS,) with the window about a cell of `steps`, the places counted from the cell's centre."""
    size = radius + 1
    x0, y0 = column * PARTS, row * PARTS
    w = wx = wy = wz = wxx = wxy = wyy = wxz = wyz = wzz = np.int64(0)
    for i in range(row - radius, row + radius + 1):
        down = size - abs(i - row)
        for j in range(column - radius, column + radius + 1):
            if steps[0, i, j] == 0:
                continue
            weight = down * (size - abs(j - column))
            x, y, z = steps[1, i, j] - x0, steps[2, i, j] - y0, np.int64(steps[3, i, j])
            w += weight
            wx += weight * x
            wy += weight * y
            wz += weight * z
            wxx += weight * x * x
            wxy += weight * x * y
            wyy += weight * y * y
            wxz += weight * x * z
            wyz += weight * y * z
            wzz += weight * z * z
    sums[0], sums[1], sums[2], sums[3], sums[4] = w, wx, wy, wz, wxx
    sums[5], sums[6], sums[7], sums[8], sums[9] = wxy, wyy, wxz, wyz, wzz


@compiled
def sum_sectors(
    steps: NDArray[np.int32], row: int, column: int, radius: int, counts: NDArray[np.int64], sectors: Sums
) -> None:
    """The same by the directions that the cells lie in: `counts` (DIRECTIONS,) and `sectors` (DIRECTIONS, MOMENTS)."""
    size = radius + 1
    x0, y0 = column * PARTS, row * PARTS
    counts[:] = 0
    sectors[:] = 0
    for i in range(row - radius, row + radius + 1):
        down = size - abs(i - row)
        for j in range(column - radius, column + radius + 1):
            direction = SECTOR[i - row + LARGEST_RADIUS, j - column + LARGEST_RADIUS]
            if steps[0, i, j] == 0 or direction < 0:
                continue
            counts[direction] += 1
            weight = np.int64(down * (size - abs(j - column)))
            x, y, z = steps[1, i, j] - x0, steps[2, i, j] - y0, np.int64(steps[3, i, j])
            wx, wy, wz = weight * x, weight * y, weight * z
            to = sectors[direction]
            to[0] += weight
            to[1] += wx
            to[2] += wy
            to[3] += wz
            to[4] += wx * x
            to[5] += wx * y
            to[6] += wy * y
            to[7] += wx * z
            to[8] += wy * z
            to[9] += wz * z


@compiled
def sum_side(counts: NDArray[np.int64], sectors: Sums, direction: int, sums: Sums) -> int:
    """Fill `sums` with the half window towards one of the directions, without its rim; give the number of its cells."""
    count = 0
    sums[:] = 0
    for turn in range(1 - DIRECTIONS // 4, DIRECTIONS // 4):
        k = (direction + turn) % DIRECTIONS
        count += counts[k]
        for m in range(MOMENTS):
            sums[m] += sectors[k, m]
    return count


@compiled
def start_columns(steps: NDArray[np.int32], halo: int, radius: int, change: Sums, tents: Sums) -> None:
    """Fill `tents` (MOMENTS, columns of steps) with the sums down each column about the block's first row.

    `change` becomes what the step into that row, as any other, has added: cells from it on came nearer, others went.
    """
    size = radius + 1
    change[:] = 0
    tents[:] = 0
    for e in range(-size, size):
        for k in range(MOMENTS):
            p, q = steps[FACTORS[k, 0], halo + e], steps[FACTORS[k, 1], halo + e]
            _add_products(tents[k], p, q, size - abs(e))
            _add_products(change[k], p, q, 1 if e >= 0 else -1)


@compiled
def _add_products(target: Any, p: Any, q: Any, factor: int) -> None:
    for j in range(target.shape[0]):
        target[j] += factor * (np.int64(p[j]) * np.int64(q[j]))


@compiled
def next_row(steps: NDArray[np.int32], row: int, radius: int, change: Sums, tents: Sums) -> None:
    """Move the columns' sums from `row` of the steps to the one after it."""
    size = radius + 1
    for k in range(MOMENTS):
        p, q = steps[FACTORS[k, 0]], steps[FACTORS[k, 1]]
        if FACTORS[k, 0] == 0:
            _add_plain_differences(change[k], q[row + size], q[row], q[row - size])
        else:
            _add_differences(change[k], p[row + size], q[row + size], p[row], q[row], p[row - size], q[row - size])
    to, of = tents.reshape(tents.size), change.reshape(change.size)
    for k in range(to.shape[0]):
        to[k] += of[k]


@compiled
def _add_differences(target: Any, p: Any, q: Any, p0: Any, q0: Any, p1: Any, q1: Any) -> None:
    """Add second differences of products; one loop of one target, which the wide registers take."""
    for j in range(target.shape[0]):
        here = np.int64(p0[j]) * np.int64(q0[j])
        target[j] += np.int64(p[j]) * np.int64(q[j]) - here - here + np.int64(p1[j]) * np.int64(q1[j])


@compiled
def _add_plain_differences(target: Any, q: Any, q0: Any, q1: Any) -> None:
    """The same of values times w, which is 1 wherever there are some."""
    for j in range(target.shape[0]):
        here = np.int64(q0[j])
        target[j] += np.int64(q[j]) - here - here + np.int64(q1[j])


@compiled
def sum_row(tents: Sums, halo: int, radius: int, sums: Any) -> None:
    """Fill `sums` (MOMENTS, columns of the block) from the columns' sums of its row."""
    size = radius + 1
    for k in range(0, MOMENTS, 2):  # two at a time: one waits for its last sum while the other is added
        line, target, other_line, other_target = tents[k], sums[k], tents[k + 1], sums[k + 1]
        total = change = other_total = other_change = np.int64(0)
        for e in range(-size, size):
            total += (size - abs(e)) * line[halo + e]
            change += line[halo + e] if e >= 0 else -line[halo + e]
            other_total += (size - abs(e)) * other_line[halo + e]
            other_change += other_line[halo + e] if e >= 0 else -other_line[halo + e]
        for c in range(target.shape[0]):
            target[c], other_target[c] = total, other_total
            here = halo + c
            if c + 1 < target.shape[0]:
                change += line[here + size] - 2 * line[here] + line[here - size]
                total += change
                other_change += other_line[here + size] - 2 * other_line[here] + other_line[here - size]
                other_total += other_change


@compiled
def centred(sums: Sums, x0: int, y0: int) -> None:
    """Count the places of a window's sums from x0, y0 (steps) instead, in place."""
    w, wx, wy, wz = sums[0], sums[1], sums[2], sums[3]
    x, y = wx - x0 * w, wy - y0 * w
    sums[1], sums[2] = x, y
    sums[4] -= x0 * (wx + x)
    sums[5] -= x0 * wy + y0 * x
    sums[6] -= y0 * (wy + y)
    sums[7] -= x0 * wz
    sums[8] -= y0 * wz
