"""Points in the order of their cells of a metre, for the search for noise, and what the cells hold."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from lidar.morphology import SMALL, compiled, extremes, in_threads

BLOCK: Final = 5
"""Metres; point spacing is taken over 3 × 3 blocks of this size."""
SPACING: Final = (0.15, 2.4)
"""Metres; limits of the local spacing."""


class Cells(NamedTuple):
    """Points in the order of their cells of a metre, and what the cells hold."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]
    order: NDArray[np.uint32]
    """Which point each was."""
    start: NDArray[np.int64]
    """Where each cell's points begin, row by row, and the end of the last."""
    rows: int
    columns: int
    west: int
    south: int
    spacing: NDArray[np.float64]
    """By block."""
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    fourth: NDArray[np.float64]
    """The fourth-highest of each cell."""


def sorted_cells(
    x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], last: NDArray[np.bool_]
) -> Cells:
    """Sort points (n,), at least one, metres, into cells on whole metres; `last` says which end a pulse.

    A counting sort in as many parts as there are threads; within a cell the points keep their order.
    """
    low, high = extremes(x, y)
    west, south = (int(edge) * BLOCK for edge in np.floor(low / BLOCK))
    columns, rows = (
        int(edge + 1) * BLOCK - first for edge, first in zip(np.floor(high / BLOCK), (west, south), strict=True)
    )
    parts = numba.get_num_threads() if len(x) >= SMALL else 1
    place = np.zeros((parts, rows * columns), dtype=np.uint32)
    pulses = np.zeros((parts, rows // BLOCK, columns // BLOCK), dtype=np.int64)
    in_threads(_count, parts, len(x), x, y, last, west, south, columns, place, pulses)
    start = np.zeros(rows * columns + 1, dtype=np.int64)
    _begin(place, start)
    ordered = np.empty(len(x)), np.empty(len(x)), np.empty(len(x)), np.empty(len(x), dtype=np.uint32)
    in_threads(_place, parts, len(x), x, y, z, west, south, columns, place, *ordered)
    heights = np.empty((3, rows * columns))
    in_threads(_heights, rows * columns, len(x), ordered[2], start, *heights)
    return Cells(*ordered, start, rows, columns, west, south, _spacing(pulses.sum(axis=0)), *heights)


@compiled
def _count(
    first: int,
    last: int,
    x: Any,
    y: Any,
    last_return: Any,
    west: int,
    south: int,
    columns: int,
    count: Any,
    pulses: Any,
) -> None:
    """The points of each cell and the pulses that end in each block, of some parts of the points."""
    for part in range(first, last):
        for i in range(len(x) * part // len(count), len(x) * (part + 1) // len(count)):
            row, column = int(np.floor(y[i])) - south, int(np.floor(x[i])) - west
            count[part, row * columns + column] += 1
            if last_return[i]:
                pulses[part, row // BLOCK, column // BLOCK] += 1


@compiled
def _begin(count: Any, start: Any) -> None:
    """Turn each part's counts into the places of its first points."""
    place = 0
    for cell in range(count.shape[1]):
        start[cell] = place
        for part in range(count.shape[0]):
            n = count[part, cell]
            count[part, cell] = place
            place += n
    start[-1] = place


@compiled
def _place(
    first: int,
    last: int,
    x: Any,
    y: Any,
    z: Any,
    west: int,
    south: int,
    columns: int,
    place: Any,
    xs: Any,
    ys: Any,
    zs: Any,
    order: Any,
) -> None:
    for part in range(first, last):
        for i in range(len(x) * part // len(place), len(x) * (part + 1) // len(place)):
            cell = (int(np.floor(y[i])) - south) * columns + int(np.floor(x[i])) - west
            k = place[part, cell]
            xs[k], ys[k], zs[k], order[k] = x[i], y[i], z[i], i
            place[part, cell] += 1


@compiled
def _spacing(count: Any) -> Any:
    """(rows, columns) of blocks: the spacing of pulses in metres, over the occupied ones of 3 × 3 blocks."""
    rows, columns = count.shape
    spacing = np.full((rows, columns), SPACING[1])
    for r in range(rows):
        for c in range(columns):
            pulses, occupied = 0, 0
            for rr in range(max(r - 1, 0), min(r + 2, rows)):
                for cc in range(max(c - 1, 0), min(c + 2, columns)):
                    if count[rr, cc] > 0:
                        pulses += count[rr, cc]
                        occupied += 1
            if pulses > 0:
                spacing[r, c] = min(max(np.sqrt(occupied * BLOCK * BLOCK / pulses), SPACING[0]), SPACING[1])
    return spacing


@compiled
def _heights(first: int, last: int, z: Any, start: Any, lowest: Any, highest: Any, fourth: Any) -> None:
    """Lowest, highest and fourth-highest point of each cell; +inf and −inf where there is none."""
    for cell in range(first, last):
        a, b, c, d = -np.inf, -np.inf, -np.inf, -np.inf
        low = np.inf
        for i in range(start[cell], start[cell + 1]):
            low = min(low, z[i])
            d = max(d, min(z[i], c))
            c = max(c, min(z[i], b))
            b = max(b, min(z[i], a))
            a = max(a, z[i])
        lowest[cell], highest[cell], fourth[cell] = low, a, d
