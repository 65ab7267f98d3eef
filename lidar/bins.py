"""Points summed up in bins: what every later kernel reads instead of points.

Two rules make a tile equal to its part of the city, bit for bit: sums over points are sums of whole numbers, so that
their order cannot matter, and a bin's moments are kept from its own corner, so that they do not know where the tile
begins.
A million echoes of one place cost no more than one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

BIN = 0.5
"""Metres: edge of the finest bin. At 2–16 points/m² a bin holds 0.5–4 points; finer ones only cost time."""
LEVELS = 4
"""Bins of 0.5, 1, 2 and 4 m."""
COARSEST = 2 ** (LEVELS - 1)
"""Finest bins along one edge of the coarsest."""
HALF_WINDOW = 3
"""Bins on each side of the one a cell's centre lies in; the kernel's radius never exceeds it."""
QUANTUM = 1e-4
"""Metres: coordinates inside a bin and heights are summed as multiples of this."""
PLANE_REACH = BIN * COARSEST * (HALF_WINDOW + 1)
"""Metres: no point farther than this enters a cell's plane."""

MAX_BIN_WEIGHT = 64
"""Points of a bin that count: errors inside a bin are not independent, and a million echoes are one place."""

COUNT, MEAN_X, MEAN_Y, MEAN_Z = range(4)


@dataclass(frozen=True, slots=True)
class Bins:
    """Points summed up on the levels of a pyramid whose edges are the same over the whole city.

    A level's bin is named by the index of its lower-left corner, in its own edge lengths from (0, 0); rows run from
    south to north.
    """

    moments: NDArray[np.float64]
    """(bins of all levels, 4): count, mean x and y in metres from the bin's own lower-left corner, mean height."""
    layout: NDArray[np.int64]
    """(levels, 3): first row in `moments`, rows and columns of bins."""
    west: float
    """Metres: the first bins' edges."""
    south: float


@njit(nogil=True, cache=True)
def _add_to_bins(x: Any, y: Any, z: Any, chosen: Any, first_column: int, first_row: int, count: Any, sums: Any) -> None:
    rows, columns = count.shape
    for i in range(x.shape[0]):
        if not chosen[i]:
            continue
        u, v = x[i] / BIN, y[i] / BIN
        if not (np.isfinite(u) and np.isfinite(v) and np.isfinite(z[i])):
            continue
        ci, ri = np.floor(u), np.floor(v)
        c, r = int(ci) - first_column, int(ri) - first_row
        if c < 0 or r < 0 or c >= columns or r >= rows:
            continue
        count[r, c] += 1
        sums[r, c, 0] += int(np.rint((u - ci) * (BIN / QUANTUM)))
        sums[r, c, 1] += int(np.rint((v - ri) * (BIN / QUANTUM)))
        sums[r, c, 2] += int(np.rint(z[i] / QUANTUM))


def bin_points(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    bounds: tuple[float, float, float, float],
) -> Bins:
    """Count and mean position of the chosen points in each bin, on all levels.

    Args:
        x: (n,) metres.
        y: (n,) metres.
        z: (n,) metres.
        chosen: (n,) which points to take.
        bounds: (west, south, east, north), metres: points outside may be left out.
    """
    edge = BIN * COARSEST
    west, south = int(np.floor(bounds[0] / edge)), int(np.floor(bounds[1] / edge))
    east, north = int(np.floor(bounds[2] / edge)) + 1, int(np.floor(bounds[3] / edge)) + 1
    shape = ((north - south) * COARSEST, (east - west) * COARSEST)
    count, sums = np.zeros(shape, dtype=np.int32), np.zeros((*shape, 3), dtype=np.int64)
    _add_to_bins(x, y, z, chosen, west * COARSEST, south * COARSEST, count, sums)
    layout = np.empty((LEVELS, 3), dtype=np.int64)
    first = 0
    for level in range(LEVELS):
        layout[level] = first, shape[0] >> level, shape[1] >> level
        first += int(layout[level, 1] * layout[level, 2])
    moments = np.zeros((first, 4))
    _moments(count, sums, layout, moments)
    return Bins(moments, layout, west * edge, south * edge)


@njit(nogil=True, cache=True)
def _moments(count: Any, sums: Any, layout: Any, moments: Any) -> None:
    """Means of the finest bins, and those of each coarser one from its four in a fixed order."""
    rows, columns = count.shape
    for r in range(rows):
        for c in range(columns):
            n = count[r, c]
            if n:
                k = r * columns + c
                moments[k, COUNT] = n
                moments[k, MEAN_X] = sums[r, c, 0] * QUANTUM / n
                moments[k, MEAN_Y] = sums[r, c, 1] * QUANTUM / n
                moments[k, MEAN_Z] = sums[r, c, 2] * QUANTUM / n
    for level in range(1, layout.shape[0]):
        size = BIN * 2 ** (level - 1)
        finer, first, rows, columns = layout[level - 1, 0], layout[level, 0], layout[level, 1], layout[level, 2]
        for r in range(rows):
            for c in range(columns):
                n, sx, sy, sz = 0.0, 0.0, 0.0, 0.0
                for i in range(2):
                    for j in range(2):
                        k = finer + (2 * r + i) * 2 * columns + 2 * c + j
                        if moments[k, COUNT] > 0:
                            n += moments[k, COUNT]
                            sx += moments[k, COUNT] * (j * size + moments[k, MEAN_X])
                            sy += moments[k, COUNT] * (i * size + moments[k, MEAN_Y])
                            sz += moments[k, COUNT] * moments[k, MEAN_Z]
                if n > 0:
                    k = first + r * columns + c
                    moments[k, COUNT] = n
                    moments[k, MEAN_X], moments[k, MEAN_Y], moments[k, MEAN_Z] = sx / n, sy / n, sz / n


@njit(nogil=True, cache=True, inline="never")
def gather(level: int, moments: Any, layout: Any, u: float, v: float, near: Any) -> int:
    """Fill `near` (rows of dx, dy, z, weight, d²) with the occupied bins about a place; give their number.

    `u`, `v`: metres from the lower-left corner of the bins, the exact difference of two coordinates; so is that to a
    bin's corner, and the rest does not know where the bins begin.
    """
    size = BIN * 2**level
    first, rows, columns = layout[level, 0], layout[level, 1], layout[level, 2]
    c0, r0 = int(np.floor(u / size)), int(np.floor(v / size))
    found = 0
    for r in range(max(r0 - HALF_WINDOW, 0), min(r0 + HALF_WINDOW + 1, rows)):
        for c in range(max(c0 - HALF_WINDOW, 0), min(c0 + HALF_WINDOW + 1, columns)):
            k = first + r * columns + c
            n = moments[k, COUNT]
            if n > 0:
                dx, dy = (c * size - u) + moments[k, MEAN_X], (r * size - v) + moments[k, MEAN_Y]
                near[found, 0], near[found, 1], near[found, 2] = dx, dy, moments[k, MEAN_Z]
                near[found, 3], near[found, 4] = min(n, MAX_BIN_WEIGHT), dx * dx + dy * dy
                found += 1
    return found
