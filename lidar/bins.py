"""Points summed up in bins: what every later kernel reads instead of points.

Two rules make a tile equal to its part of the city, bit for bit: sums over points are sums of whole numbers, so that
their order cannot matter, and a bin's moments are kept from its own centre, so that they do not know where the tile
begins.
A million echoes of one place cost no more than one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import PARTS, compiled, in_threads

BIN = 0.5
"""Metres: edge of the finest bin. At 2–16 points/m² a bin holds 0.5–4 points; finer ones only cost time."""
LEVELS = 4
"""Bins of 0.5, 1, 2 and 4 m."""
COARSEST = 2 ** (LEVELS - 1)
"""Finest bins along one edge of the coarsest."""
REGION = 4 * COARSEST
"""Finest bins along one edge of a region, 16 m: the piece of ground whose density and noise are judged as one."""
BLOCK = 2 * REGION
"""Finest bins along one edge of a block, 32 m: the piece of ground worked on at a time, small enough for a core's own
memory."""
BAND = 4
"""Rows of blocks summed up at a time."""
QUANTUM = 1e-4
"""Metres: coordinates inside a bin and heights are summed as multiples of this."""

COUNT, MEAN_X, MEAN_Y, MEAN_Z = range(4)


@dataclass(frozen=True, slots=True)
class Bins:
    """Points summed up on the levels of a pyramid whose edges are the same over the whole city.

    A level's bin is named by the index of its lower-left corner, in its own edge lengths from (0, 0); rows run from
    south to north. The first row and column begin a block.
    """

    moments: NDArray[np.float32]
    """(4, bins of all levels): count, mean x and y in metres from the bin's own centre, mean height."""
    layout: NDArray[np.int64]
    """(levels, 3): first place in `moments`, rows and columns of bins."""
    west: float
    """Metres: the first bins' edges."""
    south: float


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
    edge = BIN * BLOCK
    west, south = floor(bounds[0] / edge), floor(bounds[1] / edge)
    east, north = floor(bounds[2] / edge) + 1, floor(bounds[3] / edge) + 1
    shape = ((north - south) * BLOCK, (east - west) * BLOCK)
    layout = np.empty((LEVELS, 3), dtype=np.int64)
    first = 0
    for level in range(LEVELS):
        layout[level] = first, shape[0] >> level, shape[1] >> level
        first += int(layout[level, 1] * layout[level, 2])
    moments = np.empty((4, first), dtype=np.float32)
    reach = np.empty((PARTS, 2))
    in_threads(_find_reach, PARTS, len(x), y, chosen, reach)
    in_threads(_bin_rows, north - south, len(x), x, y, z, chosen, reach, west * BLOCK, south * BLOCK, layout, moments)
    return Bins(moments, layout, west * edge, south * edge)


@compiled
def _find_reach(
    first: int, last: int, y: NDArray[np.float64], chosen: NDArray[np.bool_], reach: NDArray[np.float64]
) -> None:
    """From where to where north the chosen points of each part lie; files are flown or tiled, so that it is not far."""
    for part in range(first, last):
        low, high = np.inf, -np.inf
        for i in range(len(y) * part // len(reach), len(y) * (part + 1) // len(reach)):
            if chosen[i]:  # what is no number stays out of both
                low = y[i] if y[i] < low else low
                high = y[i] if y[i] > high else high
        reach[part, 0], reach[part, 1] = low, high


@compiled
def _bin_rows(
    first: int,
    last: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    reach: NDArray[np.float64],
    first_column: int,
    first_row: int,
    layout: NDArray[np.int64],
    moments: NDArray[np.float32],
) -> None:
    """The bins of rows of blocks, `BAND` of them at a time: another look at the points costs less than more memory."""
    sums = np.empty((min(BAND, last - first) * BLOCK, layout[0, 2], 4), dtype=np.int64)
    for start in range(first, last, BAND):
        stop = min(start + BAND, last)
        band = sums[: (stop - start) * BLOCK]
        band[:] = 0
        _add_to_bins(x, y, z, chosen, reach, first_column, first_row + start * BLOCK, band)
        _means(band, start * BLOCK, layout, moments)


@compiled
def _add_to_bins(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    reach: NDArray[np.float64],
    first_column: int,
    first_row: int,
    sums: NDArray[np.int64],
) -> None:
    rows, columns = sums.shape[0], sums.shape[1]
    for part in range(len(reach)):
        if reach[part, 1] / BIN - first_row < 0 or reach[part, 0] / BIN - first_row >= rows:
            continue
        for i in range(len(x) * part // len(reach), len(x) * (part + 1) // len(reach)):
            if not chosen[i]:
                continue
            v = y[i] / BIN - first_row
            if not (0 <= v < rows):
                continue
            u = x[i] / BIN - first_column
            if not (0 <= u < columns and np.isfinite(z[i])):
                continue
            c, r = int(u), int(v)
            cell = sums[r, c]
            cell[0] += 1
            cell[1] += int(np.floor((u - c - 0.5) * (BIN / QUANTUM) + 0.5))
            cell[2] += int(np.floor((v - r - 0.5) * (BIN / QUANTUM) + 0.5))
            cell[3] += int(np.floor(z[i] * (1.0 / QUANTUM) + 0.5))


@compiled
def _means(sums: NDArray[np.int64], row: int, layout: NDArray[np.int64], moments: NDArray[np.float32]) -> None:
    """Means of the finest bins from `row` on, and those of each coarser one from its four in a fixed order."""
    rows, columns = sums.shape[0], sums.shape[1]
    count, mean_x, mean_y, mean_z = moments[COUNT], moments[MEAN_X], moments[MEAN_Y], moments[MEAN_Z]
    for r in range(rows):
        k = (row + r) * columns
        for c in range(columns):
            n = float(sums[r, c, 0])
            factor = QUANTUM / max(n, 1.0)
            count[k + c] = n
            mean_x[k + c] = sums[r, c, 1] * factor
            mean_y[k + c] = sums[r, c, 2] * factor
            mean_z[k + c] = sums[r, c, 3] * factor
    for level in range(1, LEVELS):
        quarter = 0.25 * BIN * 2**level
        finer, start, columns = layout[level - 1, 0], layout[level, 0], layout[level, 2]
        for r in range(row >> level, (row + rows) >> level):
            for c in range(columns):
                n, sx, sy, sz = 0.0, 0.0, 0.0, 0.0
                for i in range(2):
                    k = finer + (2 * r + i) * 2 * columns + 2 * c
                    m, o = float(count[k]), float(count[k + 1])
                    n += m + o
                    sx += m * (mean_x[k] - quarter) + o * (mean_x[k + 1] + quarter)
                    sy += m * (mean_y[k] + (2 * i - 1) * quarter) + o * (mean_y[k + 1] + (2 * i - 1) * quarter)
                    sz += m * mean_z[k] + o * mean_z[k + 1]
                k = start + r * columns + c
                factor = 1.0 / max(n, 1.0)
                count[k], mean_x[k], mean_y[k], mean_z[k] = n, sx * factor, sy * factor, sz * factor
