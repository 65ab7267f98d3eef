"""The kernels of the surface model: the highest first return of each cell, its small gaps closed, its pits lifted."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.grid import Grid
from lidar.morphology import compiled, dilation, in_threads

MAX_GAP = 4.0
"""Metres: farthest return a gap is closed from, however sparse the survey."""
GAP_SPACINGS = 3.0
"""Mean point spacings without any return that make a void (water, a shadow): by chance e⁻²⁸ at even density."""
SQUARE = 2.0
"""Metres: edge of the squares the density is counted on."""
DENSITY_WINDOW = 4
"""Squares on each side over which it is measured; empty ones do not count, or a shore would look sparse."""
PIT_DEPTH = 1.0
"""Metres a single cell lies below its neighbours to be a beam that slipped through a crown."""
PIT_NEIGHBOURS = 7
"""Of 8 neighbours higher by that much; a passage between walls, one cell wide, has six."""
NETWORK = np.array(
    [
        *((0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (1, 2), (5, 6)),
        *((0, 4), (1, 5), (2, 6), (3, 7), (2, 4), (3, 5), (1, 2), (3, 4), (5, 6)),
    ]
)
"""Pairs that, put in order one after the other, sort eight values (Batcher 1968)."""
SURFACE_REACH = MAX_GAP + SQUARE * (DENSITY_WINDOW + 1)
"""Metres, and two cells: no point farther than this changes a cell."""


def highest(
    x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], chosen: NDArray[np.bool_], grid: Grid
) -> NDArray[np.float32]:
    """(rows, columns) the highest chosen point of each cell, north first; −inf where there is none."""
    top = np.full(grid.shape, -np.inf, dtype=np.float32)
    last_row = grid.first_row + grid.rows - 1
    in_threads(_raise, grid.rows, len(x), x, y, z, chosen, grid.resolution, grid.first_column, last_row, top)
    return top


@compiled
def _raise(
    first: int,
    last: int,
    x: Any,
    y: Any,
    z: Any,
    chosen: Any,
    resolution: float,
    first_column: int,
    last_row: int,
    top: Any,
) -> None:
    columns = top.shape[1]
    for i in range(x.shape[0]):
        if not chosen[i]:
            continue
        v = last_row - np.floor(y[i] / resolution)
        if not (first <= v < last):
            continue
        u = np.floor(x[i] / resolution) - first_column
        if 0 <= u < columns and np.isfinite(z[i]):
            r, c = int(v), int(u)
            top[r, c] = max(top[r, c], np.float32(z[i]))


@dataclass(frozen=True, slots=True)
class Gaps:
    """How far a return may be before its absence means a void, from the density around."""

    widest: NDArray[np.float32]
    """(rows, columns of squares of 2 m, from the south-west) metres."""
    row: NDArray[np.int64]
    """Of squares, of each row of cells."""
    column: NDArray[np.int64]
    """The same, of each column."""


def typical_gaps(x: NDArray[np.float64], y: NDArray[np.float64], chosen: NDArray[np.bool_], grid: Grid) -> Gaps:
    """The gaps to be expected between the chosen points of a grid."""
    bounds = grid.bounds
    west, south = floor(bounds.min_x / SQUARE) - DENSITY_WINDOW, floor(bounds.min_y / SQUARE) - DENSITY_WINDOW
    east, north = floor(bounds.max_x / SQUARE) + DENSITY_WINDOW, floor(bounds.max_y / SQUARE) + DENSITY_WINDOW
    count = np.zeros((north - south + 1, east - west + 1), dtype=np.int64)
    in_threads(_count, count.shape[0], len(x), x, y, chosen, west, south, count)
    points, squares = _window_sum(count), _window_sum((count > 0).astype(np.int64))
    spacing = np.sqrt(SQUARE * SQUARE * np.maximum(squares, 1) / np.maximum(points, 1))
    widest = np.clip(GAP_SPACINGS * spacing, 1.5 * grid.resolution, MAX_GAP).astype(np.float32)
    at_x, at_y = grid.centres()
    column = np.floor(at_x / SQUARE).astype(np.int64) - (west + DENSITY_WINDOW)
    row = np.floor(at_y / SQUARE).astype(np.int64) - (south + DENSITY_WINDOW)
    return Gaps(widest, row, column)


def _window_sum(count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum over the window about each square that has a whole one."""
    size = 2 * DENSITY_WINDOW + 1
    for axis in (0, 1):
        total = np.insert(np.cumsum(count, axis=axis), 0, 0, axis=axis)
        count = np.take(total, range(size, total.shape[axis]), axis) - np.take(
            total, range(total.shape[axis] - size), axis
        )
    return count


@compiled
def _count(first: int, last: int, x: Any, y: Any, chosen: Any, west: int, south: int, count: Any) -> None:
    columns = count.shape[1]
    for i in range(x.shape[0]):
        if not chosen[i]:
            continue
        v = np.floor(y[i] / SQUARE) - south
        if not (first <= v < last):
            continue
        u = np.floor(x[i] / SQUARE) - west
        if 0 <= u < columns:
            count[int(v), int(u)] += 1


def close_gaps(top: NDArray[np.float32], gaps: Gaps, resolution: float) -> NDArray[np.float32]:
    """The surface with each empty cell given the median of the nearest occupied ones, if they are near enough.

    The median stands on one side of a wall, where a mean would hang a slope on it.
    """
    closed = np.empty_like(top)
    most = int(max(MAX_GAP / resolution, 1.5))
    in_sight = dilation(top, most) > -np.inf
    in_threads(
        _close, top.shape[0], top.size, top, in_sight, most, gaps.widest, gaps.row, gaps.column, resolution, closed
    )
    return closed


@compiled
def _close(
    first: int,
    last: int,
    top: Any,
    in_sight: Any,
    most: int,
    widest: Any,
    row_of: Any,
    column_of: Any,
    resolution: float,
    out: Any,
) -> None:
    columns = top.shape[1]
    found = np.empty(8 * (most + 2), dtype=np.float32)
    around, filled = np.empty((8, columns), dtype=np.float32), np.empty(columns, dtype=np.int8)
    for row in range(first, last):
        # no gap is narrower than a cell and a half: the eight neighbours are always near
        _gather_around(top, row, around, filled)
        for k in range(len(NETWORK)):
            _order(around[NETWORK[k, 0]], around[NETWORK[k, 1]])
        for column in range(columns):
            n = filled[column]
            if top[row, column] > -np.inf:
                out[row, column] = top[row, column]
            elif n > 0:
                out[row, column] = around[8 - n + (n - 1) // 2, column]
            elif not in_sight[row, column]:
                out[row, column] = np.nan
            else:
                limit = widest[row_of[row], column_of[column]] / resolution
                n = _nearest_ring(top, row, column, min(most, int(limit)), limit * limit, found)
                _sort(found, n)
                out[row, column] = found[(n - 1) // 2] if n > 0 else np.nan


@compiled
def _gather_around(top: Any, row: int, around: Any, filled: Any) -> None:
    """The heights of the eight neighbours of a row's cells, −inf where there is none, and how many there are."""
    rows, columns = top.shape
    around[:] = -np.inf
    filled[:] = 0
    k = 0
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            if down == 0 and right == 0:
                continue
            if 0 <= row + down < rows:
                west, east = max(0, -right), min(columns, columns - right)
                around[k, west:east] = top[row + down, west + right : east + right]
                _add_filled(around[k], filled)
            k += 1


@compiled
def _add_filled(heights: Any, filled: Any) -> None:
    for c in range(filled.shape[0]):
        filled[c] += np.int8(heights[c] > -np.inf)


@compiled
def _order(lower: Any, higher: Any) -> None:
    """Exchange what is not in order, cell by cell; all in the wide registers."""
    for c in range(lower.shape[0]):
        a, b = lower[c], higher[c]
        lower[c] = a if a < b else b
        higher[c] = b if a < b else a


@compiled
def _nearest_ring(top: Any, row: int, column: int, most: int, square: float, found: Any) -> int:
    """Fill `found` with the heights on the smallest ring about a cell that has some near enough; their number."""
    rows, columns = top.shape
    n = 0
    for ring in range(1, most + 1):
        for r in range(max(row - ring, 0), min(row + ring + 1, rows)):
            step = 1 if abs(r - row) == ring else 2 * ring
            for c in range(column - ring, column + ring + 1, step):
                near = (r - row) ** 2 + (c - column) ** 2 <= square
                if near and 0 <= c < columns and top[r, c] > -np.inf:
                    found[n] = top[r, c]
                    n += 1
        if n:
            break
    return n


@compiled
def _sort(values: Any, count: int) -> None:
    """Insertion sort of the first few values, in place."""
    for i in range(1, count):
        value, j = values[i], i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value


def lift_pits(surface: NDArray[np.float32]) -> NDArray[np.float32]:
    """The surface with single cells far below nearly all their neighbours raised to the neighbours' median."""
    lifted = np.empty_like(surface)
    in_threads(_lift, surface.shape[0], surface.size, surface, lifted)
    return lifted


@compiled
def _lift(first: int, last: int, surface: Any, out: Any) -> None:
    rows, columns = surface.shape
    around = np.empty(9, dtype=np.float32)
    higher = np.empty(columns, dtype=np.int8)
    for row in range(first, last):
        out[row] = surface[row]
        higher[:] = 0
        for r in range(max(row - 1, 0), min(row + 2, rows)):
            for right in (-1, 0, 1):
                west, east = max(0, -right), min(columns, columns - right)
                _add_higher(surface[r, west + right : east + right], surface[row, west:east], higher[west:east])
        for column in range(columns):
            if higher[column] < PIT_NEIGHBOURS:
                continue
            n = 0
            for r in range(max(row - 1, 0), min(row + 2, rows)):
                for c in range(max(column - 1, 0), min(column + 2, columns)):
                    if (r != row or c != column) and not np.isnan(surface[r, c]):
                        around[n] = surface[r, c]
                        n += 1
            _sort(around, n)
            out[row, column] = around[n // 2]


@compiled
def _add_higher(other: Any, own: Any, higher: Any) -> None:
    for c in range(higher.shape[0]):
        higher[c] += np.int8(other[c] - own[c] > PIT_DEPTH)
