"""Kernels on height grids: lowest point a cell, highest of a window, opening, sight lines.

Grids are float32, row 0 the southernmost; an empty cell holds +inf. Every kernel works on a range of rows (or
columns), holds no lock and writes only into that range, so that several threads share one grid with one result.
"""

from __future__ import annotations

from _thread import start_new_thread
from collections.abc import Callable
from itertools import pairwise
from queue import SimpleQueue
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


PARTS = 64
"""Parts a long column is looked through in, at most."""


def compiled(function: Kernel) -> Kernel:
    """Compile with numba: cached on disk, without the interpreter's lock, in IEEE arithmetic (same bits everywhere)."""
    return cast(Kernel, numba.njit(cache=True, nogil=True)(function))


def in_threads(kernel: Callable[..., None], count: int, work: int, *arguments: Any) -> None:
    """Call `kernel(first, last, *arguments)` over the ranges that make up 0…count, in numba's number of threads.

    Plain threads, not numba's own pool: they may be used from any thread or process of a scheduler. The caller works at
    once and takes over the ranges of threads that a busy machine has not let begin by then.
    """
    threads = numba.get_num_threads() if work >= SMALL else 1
    if threads == 1:
        kernel(0, count, *arguments)
        return
    left = list(pairwise(count * i // threads for i in range(threads + 1)))
    done: SimpleQueue[BaseException | None] = SimpleQueue()

    def take_on() -> None:
        while True:
            try:
                first, last = left.pop()
            except IndexError:
                return
            try:
                kernel(first, last, *arguments)
            except BaseException as failure:  # noqa: BLE001 - raised again by the caller
                done.put(failure)
            else:
                done.put(None)

    for _ in range(threads - 1):
        start_new_thread(take_on, ())
    take_on()
    for failure in [done.get() for _ in range(threads)]:
        if failure is not None:
            raise failure


def extremes(*columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k,) lowest and (k,) highest of k columns of one length, not 0; NaN of one with a value that is not finite."""
    count = len(columns[0])
    parts = np.empty((min(count, PARTS), len(columns), 2))
    in_threads(_extremes, len(parts), count * len(columns), columns, parts)
    return parts[:, :, 0].min(axis=0), parts[:, :, 1].max(axis=0)


@compiled
def _extremes(first: int, last: int, columns: tuple[NDArray[np.float64], ...], parts: NDArray[np.float64]) -> None:
    """Of each part of the columns; NaN spreads."""
    for part in range(first, last):
        for k in range(len(columns)):
            values = columns[k][len(columns[k]) * part // len(parts) : len(columns[k]) * (part + 1) // len(parts)]
            low, high, finite = values[0], values[0], True
            for value in values:
                low, high = min(low, value), max(high, value)
                finite &= abs(value) < np.inf
            parts[part, k, 0], parts[part, k, 1] = (low, high) if finite else (np.nan, np.nan)


def cells_of(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    size: float,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[int, int]]:
    """Row from the south and column from the west of each point, on cells that are multiples of their size; the shape.

    `low` and `high` are the `extremes` of both columns.

    Raises:
        BadInput: the points lie absurdly far apart.
    """
    west, south = np.floor(low / size)
    columns, rows = np.floor(high / size) - (west, south) + 1
    if columns * rows > MOST_CELLS:
        raise BadInput(
            f"the points spread over {columns * size:.0f} × {rows * size:.0f} m, too far for one piece: "
            "there are stray points, or the cloud must be cut into tiles"
        )
    row, column = np.empty(len(x), dtype=np.int32), np.empty(len(x), dtype=np.int32)
    in_threads(_locate, len(x), len(x), x, y, size, west, south, row, column)
    return row, column, (int(rows), int(columns))


@compiled
def _locate(
    first: int,
    last: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    size: float,
    west: float,
    south: float,
    row: NDArray[np.int32],
    column: NDArray[np.int32],
) -> None:
    for i in range(first, last):
        row[i], column[i] = int(np.floor(y[i] / size) - south), int(np.floor(x[i] / size) - west)


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
    within = np.ones((rows, columns), dtype=np.bool_)
    in_threads(_lower, rows, len(z), within, row, column, x, y, z, used, height, index)
    return height, index


def lowest_points_again(
    within: NDArray[np.bool_],
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    used: NDArray[np.bool_],
    height: Height,
    index: NDArray[np.int64],
) -> None:
    """Find the lowest used points of some cells anew, in place, as `lowest_points` does."""
    height[within], index[within] = EMPTY, -1
    in_threads(_lower, height.shape[0], len(z), within, row, column, x, y, z, used, height, index)


@compiled
def _lower(
    first: int,
    last: int,
    within: NDArray[np.bool_],
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    used: NDArray[np.bool_],
    height: Height,
    index: NDArray[np.int64],
) -> None:
    for i in range(len(z)):
        r = row[i]
        if not first <= r < last:
            continue
        c = column[i]
        if not within[r, c] or not used[i] or np.float32(z[i]) > height[r, c]:
            continue
        k = index[r, c]
        if k < 0 or z[i] < z[k] or (z[i] == z[k] and (x[i] < x[k] or (x[i] == x[k] and y[i] < y[k]))):
            index[r, c] = i
            height[r, c] = z[i]


def opening(surface: Height, radius: int) -> Height:
    """Grey opening by a square of 2·radius + 1 cells: what is higher than its surroundings and narrower is cut off.

    Empty cells neither lower nor raise; a cell with no height within the window stays −inf.
    """
    return dilation(_extreme(surface, radius, lowest=True), radius)


def dilation(surface: Height, radius: int) -> Height:
    """The highest cell within a square of 2·radius + 1 cells; beyond the grid there is none."""
    return _extreme(surface, radius, lowest=False)


def _extreme(surface: Height, radius: int, lowest: bool) -> Height:
    """The highest cell of each square window; or the lowest, −inf where all are empty."""
    rows, columns = surface.shape
    along, found = np.empty_like(surface), np.empty_like(surface)
    in_threads(_along_rows, rows, surface.size, surface, along, radius, lowest)
    in_threads(_along_columns, columns, surface.size, along, found, radius, lowest)
    return found


STRIP = 64
"""Columns worked down at a time: a strip of a tile's height fits into a core's own memory."""


@compiled
def _along_rows(first: int, last: int, source: Height, target: Height, radius: int, lowest: bool) -> None:
    """Maximum over 2·radius + 1 cells of a row, by maxima over 2, 4, 8 … cells: all in the wide registers.

    The lowest is minus the maximum of the cells' negatives, which is what is left in `target` then.
    """
    columns = source.shape[1]
    width = 2 * radius + 1
    line = np.full(columns + width - 1, -EMPTY, dtype=np.float32)
    other = np.full_like(line, -EMPTY)
    for r in range(first, last):
        line[:] = -EMPTY
        own, inside = source[r], line[radius : radius + columns]
        for c in range(columns):
            inside[c] = -own[c] if lowest else own[c]
        reach = 1
        while 2 * reach <= width:
            _greater(line, line[reach:], other)
            line, other = other, line
            reach *= 2
        _greater(line, line[width - reach :], target[r])


@compiled
def _along_columns(first: int, last: int, source: Height, target: Height, radius: int, lowest: bool) -> None:
    """The same down the columns first…last, a strip of them at a time; the lowest are turned over again."""
    rows = source.shape[0]
    width = 2 * radius + 1
    line = np.full((rows + width - 1) * STRIP, -EMPTY, dtype=np.float32)
    other = np.full_like(line, -EMPTY)
    for left in range(first, last, STRIP):
        across = min(STRIP, last - left)
        line[: radius * STRIP], line[(radius + rows) * STRIP :] = -EMPTY, -EMPTY
        for r in range(rows):
            begin = (radius + r) * STRIP
            line[begin : begin + across] = source[r, left : left + across]
        reach = 1
        while 2 * reach <= width:
            _greater(line, line[reach * STRIP :], other)
            line, other = other, line
            reach *= 2
        for r in range(rows):
            made, there = target[r, left : left + across], (r + width - reach) * STRIP
            _greater(line[r * STRIP : r * STRIP + across], line[there : there + across], made)
            if lowest:
                for c in range(across):
                    made[c] = -EMPTY if made[c] == -EMPTY else -made[c]


@compiled
def _greater(a: Height, b: Height, target: Height) -> None:
    """The greater of each pair; as many as the shortest has."""
    for k in range(min(a.shape[0], b.shape[0], target.shape[0])):
        target[k] = a[k] if a[k] > b[k] else b[k]


def sight_lines(surface: Height, ground: NDArray[np.bool_], step: float, reach: int) -> tuple[NDArray[np.int8], ...]:
    """Walk from each cell in eight directions: how many ways lead to ground, and how many over an edge.

    A way ends at ground when it gets there by steps of less than `step` (height a cell), over an edge when it first
    meets a greater step down, undecided at a greater step up, at an empty cell, or after `reach` cells.

    Returns:
        (attached, edges): number of directions, 0…8 each, a cell.
    """
    attached = np.zeros(surface.shape, dtype=np.int8)
    edges = np.zeros(surface.shape, dtype=np.int8)
    rows = surface.shape[0]
    in_threads(_walk_along, rows, surface.size, surface, ground, np.float32(step), reach, attached, edges)
    in_threads(_walk_across, rows, surface.size, surface, ground, np.float32(step), reach, attached, edges)
    return attached, edges


@compiled
def _walk_along(
    first: int,
    last: int,
    surface: Height,
    ground: NDArray[np.bool_],
    step: np.float32,
    reach: int,
    attached: NDArray[np.int8],
    edges: NDArray[np.int8],
) -> None:
    """To the east and to the west. A state a cell: n > 0 ground in n steps, n < 0 an edge in −n steps, 0 undecided."""
    columns = surface.shape[1]
    for r in range(first, last):
        for right in (1, -1):
            state = 0
            start = columns - 2 if right > 0 else 1
            for m in range(columns - 1):
                c = start - m * right
                state = _state(surface[r, c], surface[r, c + right], ground[r, c + right], state, step, reach)
                attached[r, c] += np.int8(state > 0)
                edges[r, c] += np.int8(state < 0)


@compiled
def _walk_across(
    first: int,
    last: int,
    surface: Height,
    ground: NDArray[np.bool_],
    step: np.float32,
    reach: int,
    attached: NDArray[np.int8],
    edges: NDArray[np.int8],
) -> None:
    """In the six directions that lead into another row: rows beyond the range are walked as far as a way reaches."""
    rows, columns = surface.shape
    behind, here = np.zeros(columns + 2, dtype=np.int16), np.zeros(columns + 2, dtype=np.int16)
    for down in (1, -1):
        for right in (0, 1, -1):
            length = np.float32(np.sqrt(1 + right * right))
            limit, furthest = step * length, int(reach / length)
            if down > 0:
                begin, end = min(last + furthest, rows) - 1, first - 1
            else:
                begin, end = max(first - furthest, 0), last
            behind[:] = 0
            for r in range(begin, end, -down):
                i = r + down
                if 0 <= i < rows:
                    west, east = max(0, -right), min(columns, columns - right)
                    own, next_to = surface[r, west:east], surface[i, west + right : east + right]
                    is_ground = ground[i, west + right : east + right]
                    beyond, found = behind[1 + west + right : 1 + east + right], here[1 + west : 1 + east]
                    _states(own, next_to, is_ground, beyond, limit, furthest, found)
                    if first <= r < last:
                        _tally(found, attached[r, west:east], edges[r, west:east])
                behind, here = here, behind
                here[:] = 0


@compiled
def _states(
    own: Height,
    other: Height,
    ground: NDArray[np.bool_],
    beyond: NDArray[np.int16],
    limit: np.float32,
    furthest: int,
    found: NDArray[np.int16],
) -> None:
    for c in range(own.shape[0]):
        found[c] = _state(own[c], other[c], ground[c], beyond[c], limit, furthest)


@compiled
def _state(own: np.float32, other: np.float32, is_ground: bool, beyond: int, limit: np.float32, furthest: int) -> int:
    """Of a cell, from the next cell on the way and that one's state; all selections, for the wide registers."""
    # from an empty cell the drop is infinite or no number, onto one it is minus infinite: undecided, all of them
    drop = own - other
    passed = beyond + 1 if beyond > 0 else beyond - 1
    state = passed if (beyond != 0 and abs(passed) <= furthest) else 0
    state = 1 if is_ground else state
    state = state if drop >= -limit else 0
    state = -1 if drop > limit else state
    return state if own < EMPTY else 0


@compiled
def _tally(found: NDArray[np.int16], attached: NDArray[np.int8], edges: NDArray[np.int8]) -> None:
    for c in range(found.shape[0]):
        attached[c] += np.int8(found[c] > 0)
    for c in range(found.shape[0]):
        edges[c] += np.int8(found[c] < 0)


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
