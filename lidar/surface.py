"""The kernels of the surface model: the highest first return of each cell, its small gaps closed, its pits lifted."""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gis.grid import Grid

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
SURFACE_REACH = MAX_GAP + SQUARE * (DENSITY_WINDOW + 1)
"""Metres, and two cells: no point farther than this changes a cell."""


@njit(nogil=True, cache=True)
def highest(x: Any, y: Any, z: Any, chosen: Any, resolution: float, first_column: int, last_row: int, top: Any) -> None:
    """Raise each cell of `top` (rows, columns; north first; −inf where empty) to its highest chosen point."""
    rows, columns = top.shape
    for i in range(x.shape[0]):
        if not chosen[i]:
            continue
        u, v = x[i] / resolution, y[i] / resolution
        if not (np.isfinite(u) and np.isfinite(v) and np.isfinite(z[i])):
            continue
        c, r = int(np.floor(u)) - first_column, last_row - int(np.floor(v))
        if 0 <= r < rows and 0 <= c < columns and z[i] > top[r, c]:
            top[r, c] = z[i]


def typical_gap(
    x: NDArray[np.float64], y: NDArray[np.float64], chosen: NDArray[np.bool_], grid: Grid
) -> NDArray[np.float64]:
    """(rows, columns) metres: how far a return may be before its absence means a void, from the density around."""
    bounds = grid.bounds
    west, south = floor(bounds.min_x / SQUARE) - DENSITY_WINDOW, floor(bounds.min_y / SQUARE) - DENSITY_WINDOW
    east, north = floor(bounds.max_x / SQUARE) + DENSITY_WINDOW, floor(bounds.max_y / SQUARE) + DENSITY_WINDOW
    count = np.zeros((north - south + 1, east - west + 1), dtype=np.int64)
    _count(x, y, chosen, west, south, count)
    occupied = count > 0
    size = 2 * DENSITY_WINDOW + 1
    points = sliding_window_view(count, (size, size)).sum(axis=(2, 3))
    squares = sliding_window_view(occupied, (size, size)).sum(axis=(2, 3))
    spacing = np.sqrt(SQUARE * SQUARE * np.maximum(squares, 1) / np.maximum(points, 1))
    at_x, at_y = grid.centres()
    column = np.floor(at_x / SQUARE).astype(np.int64) - (west + DENSITY_WINDOW)
    row = np.floor(at_y / SQUARE).astype(np.int64) - (south + DENSITY_WINDOW)
    gap: NDArray[np.float64] = np.clip(GAP_SPACINGS * spacing[row[:, None], column], 1.5 * grid.resolution, MAX_GAP)
    return gap


@njit(nogil=True, cache=True)
def _count(x: Any, y: Any, chosen: Any, west: int, south: int, count: Any) -> None:
    rows, columns = count.shape
    for i in range(x.shape[0]):
        if chosen[i] and np.isfinite(x[i]) and np.isfinite(y[i]):
            c, r = int(np.floor(x[i] / SQUARE)) - west, int(np.floor(y[i] / SQUARE)) - south
            if 0 <= r < rows and 0 <= c < columns:
                count[r, c] += 1


@njit(nogil=True, cache=True, parallel=True)
def close_gaps(top: Any, gap: Any, resolution: float, out: Any) -> None:
    """Give each empty cell the median of the nearest occupied ones, not farther than `gap` (rows, columns; metres).

    The median stands on one side of a wall, where a mean would hang a slope on it.
    """
    rows, columns = top.shape
    widest = int(max(MAX_GAP / resolution, 1.5))
    for row in prange(rows):
        found = np.empty(8 * (widest + 2) + 16)
        for column in range(columns):
            if top[row, column] > -np.inf:
                out[row, column] = top[row, column]
                continue
            out[row, column] = np.nan
            limit = gap[row, column] / resolution
            for ring in range(1, widest + 1):
                if ring > limit:
                    break
                n = 0
                for r in range(max(row - ring, 0), min(row + ring + 1, rows)):
                    for c in range(max(column - ring, 0), min(column + ring + 1, columns)):
                        edge = abs(r - row) == ring or abs(c - column) == ring
                        if edge and top[r, c] > -np.inf and (r - row) ** 2 + (c - column) ** 2 <= limit * limit:
                            found[n] = top[r, c]
                            n += 1
                if n:
                    part = np.sort(found[:n])
                    out[row, column] = part[(n - 1) // 2]
                    break


@njit(nogil=True, cache=True, parallel=True)
def lift_pits(surface: Any, out: Any) -> None:
    """Copy the surface, single cells far below nearly all their neighbours raised to the neighbours' median."""
    rows, columns = surface.shape
    for row in prange(rows):
        around = np.empty(8)
        for column in range(columns):
            z = surface[row, column]
            out[row, column] = z
            if np.isnan(z):
                continue
            n, higher = 0, 0
            for r in range(max(row - 1, 0), min(row + 2, rows)):
                for c in range(max(column - 1, 0), min(column + 2, columns)):
                    if (r != row or c != column) and not np.isnan(surface[r, c]):
                        around[n] = surface[r, c]
                        n += 1
                        higher += surface[r, c] - z > PIT_DEPTH
            if higher >= PIT_NEIGHBOURS:
                out[row, column] = np.sort(around[:n])[n // 2]
