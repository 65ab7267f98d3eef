"""Kernels on height grids: lowest point a cell, sliding maximum, opening, sight lines.

Grids are float32, row 0 the southernmost; an empty cell holds +inf. Every kernel works on a range of rows (or
columns), holds no lock and writes only into that range, so that several threads share one grid with one result.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from gis.errors import BadInput

Height = NDArray[np.float32]
Kernel = TypeVar("Kernel", bound=Callable[..., Any])

EMPTY = np.float32(np.inf)
"""Height of a cell without a point."""

SMALL = 1 << 16
"""Cells below which a second thread costs more than it gains."""

MOST_CELLS = 1 << 26
"""Cells of one grid (8 km squared at 1 m): some 2 GB at work."""


def compiled(function: Kernel) -> Kernel:
    """Compile with numba: cached on disk, without the interpreter's lock, in IEEE arithmetic (same bits everywhere)."""
    return cast(Kernel, numba.njit(cache=True, nogil=True)(function))


def in_threads(kernel: Callable[..., None], count: int, work: int, *arguments: Any) -> None:
    """Call `kernel(first, last, *arguments)` over the ranges that make up 0…count, in numba's number of threads.

    Plain threads, not numba's own pool: they may be used from any thread or process of a scheduler.
    """
    threads = numba.get_num_threads() if work >= SMALL else 1
    edges = [count * i // threads for i in range(threads + 1)]
    if threads == 1:
        kernel(0, count, *arguments)
        return
    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(kernel, a, b, *arguments) for a, b in pairwise(edges)]
        for run in running:
            run.result()


def cells_of(
    x: NDArray[np.float64], y: NDArray[np.float64], size: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[int, int]]:
    """Row from the south and column from the west of each point, on cells that are multiples of their size; the shape.

    Raises:
        BadInput: the points lie absurdly far apart.
    """
    west, south = np.floor(x.min() / size), np.floor(y.min() / size)
    columns, rows = np.floor(x.max() / size) - west + 1, np.floor(y.max() / size) - south + 1
    if columns * rows > MOST_CELLS:
        raise BadInput(
            f"the points spread over {columns * size:.0f} × {rows * size:.0f} m, too far for one piece: "
            "there are stray points, or the cloud must be cut into tiles"
        )
    column = (np.floor(x / size) - west).astype(np.int32)
    row = (np.floor(y / size) - south).astype(np.int32)
    return row, column, (int(rows), int(columns))


@compiled
def lowest_points(
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    used: NDArray[np.bool_],
    rows: int,
    columns: int,
) -> tuple[Height, NDArray[np.int64]]:
    """Height and index of the lowest used point of each cell; of equals the one first in x, then y."""
    height = np.full((rows, columns), EMPTY, dtype=np.float32)
    index = np.full((rows, columns), -1, dtype=np.int64)
    for i in range(len(z)):
        if not used[i]:
            continue
        r, c = row[i], column[i]
        k = index[r, c]
        if k < 0 or z[i] < z[k] or (z[i] == z[k] and (x[i] < x[k] or (x[i] == x[k] and y[i] < y[k]))):
            index[r, c] = i
            height[r, c] = z[i]
    return height, index


def opening(surface: Height, radius: int) -> Height:
    """Grey opening by a square of 2·radius + 1 cells: what is higher than its surroundings and narrower is cut off.

    Empty cells neither lower nor raise; a cell with no height within the window stays −inf.
    """
    eroded = -dilation(-surface, radius)
    eroded[eroded == EMPTY] = -EMPTY
    return dilation(eroded, radius)


def dilation(surface: Height, radius: int) -> Height:
    """The highest cell within a square of 2·radius + 1 cells; beyond the grid there is none."""
    rows, columns = surface.shape
    along, opened = np.empty_like(surface), np.empty_like(surface)
    in_threads(_maximum_along_rows, rows, surface.size, surface, along, radius)
    in_threads(_maximum_along_columns, columns, surface.size, along, opened, radius)
    return opened


@compiled
def _maximum_along_rows(first: int, last: int, source: Height, target: Height, radius: int) -> None:
    """Maximum over 2·radius + 1 cells of a row in three comparisons a cell (van Herk 1992, Gil & Werman 1993)."""
    columns = source.shape[1]
    width = 2 * radius + 1
    padded = ((columns + 2 * radius + width - 1) // width) * width
    line = np.full(padded, -EMPTY, dtype=np.float32)
    before, after = np.empty(padded, dtype=np.float32), np.empty(padded, dtype=np.float32)
    for r in range(first, last):
        line[radius : radius + columns] = source[r]
        for start in range(0, padded, width):
            end = start + width - 1
            before[start] = line[start]
            after[end] = line[end]
            for k in range(1, width):
                before[start + k] = max(before[start + k - 1], line[start + k])
                after[end - k] = max(after[end - k + 1], line[end - k])
        for c in range(columns):
            target[r, c] = max(after[c], before[c + width - 1])


@compiled
def _maximum_along_columns(first: int, last: int, source: Height, target: Height, radius: int) -> None:
    """The same down the columns first…last, a whole stretch of a row at a time."""
    rows = source.shape[0]
    width = 2 * radius + 1
    padded = ((rows + 2 * radius + width - 1) // width) * width
    before = np.full((padded, last - first), -EMPTY, dtype=np.float32)
    after = np.full((padded, last - first), -EMPTY, dtype=np.float32)
    before[radius : radius + rows] = source[:, first:last]
    after[radius : radius + rows] = source[:, first:last]
    for r in range(padded):
        if r % width:
            for c in range(last - first):
                before[r, c] = max(before[r, c], before[r - 1, c])
    for r in range(padded - 1, -1, -1):
        if r % width != width - 1:
            for c in range(last - first):
                after[r, c] = max(after[r, c], after[r + 1, c])
    for r in range(rows):
        for c in range(last - first):
            target[r, first + c] = max(after[r, c], before[r + width - 1, c])


def sight_lines(surface: Height, ground: NDArray[np.bool_], step: float, reach: int) -> tuple[NDArray[np.int8], ...]:
    """Walk from each cell in eight directions: how many ways lead to ground, and how many over an edge.

    A way ends at ground when it gets there by steps of less than `step` (height a cell), over an edge when it first
    meets a greater step down, undecided at a greater step up, at an empty cell, or after `reach` cells.

    Returns:
        (attached, edges): number of directions, 0…8 each, a cell.
    """
    attached = np.zeros(surface.shape, dtype=np.int8)
    edges = np.zeros(surface.shape, dtype=np.int8)
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
        _walk(surface, ground, np.float32(step), reach, down, right, attached, edges)
    return attached, edges


@compiled
def _walk(
    surface: Height,
    ground: NDArray[np.bool_],
    step: np.float32,
    reach: int,
    down: int,
    right: int,
    attached: NDArray[np.int8],
    edges: NDArray[np.int8],
) -> None:
    """One direction. A state a cell: n > 0 ground in n steps, n < 0 an edge in −n steps, 0 undecided."""
    rows, columns = surface.shape
    length = np.float32(np.sqrt(down * down + right * right))
    limit = step * length
    furthest = np.int16(reach / length)
    behind = np.zeros(columns, dtype=np.int16)
    here = np.zeros(columns, dtype=np.int16)
    for n in range(rows):
        r = rows - 1 - n if down > 0 else n
        for m in range(columns):
            c = columns - 1 - m if right > 0 else m
            i, j = r + down, c + right
            state = np.int16(0)
            if 0 <= i < rows and 0 <= j < columns and surface[r, c] != EMPTY and surface[i, j] != EMPTY:
                drop = surface[r, c] - surface[i, j]
                if drop > limit:
                    state = np.int16(-1)
                elif drop >= -limit:
                    if ground[i, j]:
                        state = np.int16(1)
                    else:
                        beyond = here[j] if down == 0 else behind[j]
                        if 0 < beyond < furthest:
                            state = np.int16(beyond + 1)
                        elif -furthest < beyond < 0:
                            state = np.int16(beyond - 1)
            here[c] = state
            if state > 0:
                attached[r, c] += 1
            elif state < 0:
                edges[r, c] += 1
        behind, here = here, behind


def share_around(occupied: NDArray[np.bool_] | NDArray[np.int32], radius: int) -> Height:
    """Share of the cells of a square window that are occupied (or mean count); beyond the grid all is empty."""
    rows, columns = occupied.shape
    width = 2 * radius + 1
    total = np.zeros((rows + width, columns + width), dtype=np.int32)
    total[1 + radius : 1 + radius + rows, 1 + radius : 1 + radius + columns] = occupied
    np.cumsum(total, axis=0, out=total)
    np.cumsum(total, axis=1, out=total)
    count = total[width:, width:] - total[:-width, width:] - total[width:, :-width] + total[:-width, :-width]
    share: Height = (count / np.float32(width * width)).astype(np.float32)
    return share
