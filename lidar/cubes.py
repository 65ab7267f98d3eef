"""Points sorted by the cubes that hold them, and cubes of twice the edge over those.

Cubes stand on multiples of their edge and are kept in rows from south to north, a row's by column, a column's by
layer. The 26 neighbours of a row's cubes are met by walking three rows side by side, so that nothing is looked up in
a table and memory is read in its order. What is summed in cubes is whole numbers, so no order of points matters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.cells import Cells, Mask
from lidar.morphology import compiled, in_threads

EDGE = 0.5
"""Metres: edge of the finest cubes."""
HALF = 500
"""Millimetres of that edge: half a cell's."""
AROUND = 27
"""Cubes of a window: one and those that touch it."""
COLUMN_KEY = 1 << 32
"""From a cube's key to that of the next column's: one more is the next layer."""
LAST_KEY = 1 << 62
"""Greater than all cubes' keys."""
FEW = 24
"""Points up to which a column is sorted by insertion."""


class SortedPoints(NamedTuple):
    """k chosen points in the order of the finest cubes."""

    order: NDArray[np.int32]
    """(k,) index of each point among those of the cells."""
    place: NDArray[np.int16]
    """(k, 3) millimetres from the cube's lower south-west corner."""
    start: NDArray[np.int32]
    """(m + 1,) first point of each of the m finest cubes."""


class Cubes(NamedTuple):
    """m cubes of one size."""

    column: NDArray[np.int32]
    """(m,) edges from zero to the east."""
    layer: NDArray[np.int32]
    """(m,) edges from zero upwards."""
    row: NDArray[np.int32]
    """(rows + 1,) first cube of each row."""
    south: int
    """Edges from zero to the first row."""
    level: int
    """The edge is `EDGE` · 2^level."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.row) - 1

    @property
    def widest(self) -> int:
        """Cubes of the fullest row."""
        return int(np.diff(self.row).max())


def sorted_into_cubes(cells: Cells, chosen: Mask) -> tuple[SortedPoints, Cubes]:
    """The chosen points, at least one, by the finest cubes; two rows and columns of these make a cell's."""
    rows = cells.shape[0]
    found = np.zeros(2 * rows + 1, dtype=np.int32)
    in_threads(_count_rows, rows, cells.points, cells, cells.shape[1], chosen, found[1:])
    begin = np.cumsum(found, dtype=np.int32)
    count = int(begin[-1])
    order, place = np.empty(count, dtype=np.int32), np.empty((count, 3), dtype=np.int16)
    column, layer = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    work = count * 16
    in_threads(_sort_rows, rows, work, cells, cells.shape[1], chosen, begin, order, place, column, layer, found[1:])
    row = np.cumsum(found, dtype=np.int32)
    m = int(row[-1])
    start = np.empty(m + 1, dtype=np.int32)
    start[m] = count
    cube_column, cube_layer = np.empty(m, dtype=np.int32), np.empty(m, dtype=np.int32)
    in_threads(_open_cubes, len(row) - 1, work, begin, column, layer, row, start, cube_column, cube_layer)
    return SortedPoints(order, place, start), Cubes(cube_column, cube_layer, row, 2 * cells.south, 0)


def coarser(cubes: Cubes) -> tuple[Cubes, NDArray[np.int32]]:
    """The cubes of twice the edge, and for each of the given ones the number of that it is part of."""
    south = cubes.south >> 1
    rows = ((cubes.south + cubes.rows - 1) >> 1) - south + 1
    found, parent = np.zeros(rows + 1, dtype=np.int32), np.empty(len(cubes.column), dtype=np.int32)
    work = len(cubes.column) * 16
    none = np.empty(0, dtype=np.int32)
    in_threads(_merge, rows, work, cubes, south, none, parent, none, none, found[1:])
    row = np.cumsum(found, dtype=np.int32)
    column, layer = np.empty(row[-1], dtype=np.int32), np.empty(row[-1], dtype=np.int32)
    in_threads(_merge, rows, work, cubes, south, row, parent, column, layer, found[1:])
    return Cubes(column, layer, row, south, cubes.level + 1), parent


@compiled
def windows(cubes: Any, r: int, asked: Any, places: tuple[int, int, int], near: Any, count: Any, keys: Any) -> None:
    """Fill, for each asked cube of row `r` in its order, the places of the cubes in its window, its own among them.

    Args:
        cubes: all.
        r: the row.
        asked: (cubes of the row,) which ones; nothing is told of others.
        places: of the first cubes of the row before, of `r`, and of the row behind; the others of a row follow.
        near: (≥ cubes of the row, 27) to fill.
        count: (≥ cubes of the row,) to fill: how many.
        keys: (2, ≥ cubes of the fullest row + 3) to work in.
    """
    row = cubes.row
    cubes_of_row = row[r + 1] - row[r]
    count[:cubes_of_row] = 0
    _row_keys(cubes, r, keys[0])
    for a in range(3):
        s = r - 1 + a
        if s < 0 or s >= len(row) - 1:
            continue
        if a != 1:
            _row_keys(cubes, s, keys[1])
        # All of one type: each other one were compiled for itself.
        own, theirs, place = keys[0], keys[0 if a == 1 else 1], np.int64(places[a])
        west, here, east = np.int64(0), np.int64(0), np.int64(0)
        for m in range(cubes_of_row):
            if not asked[m]:
                continue
            low, n = own[m] - 1, np.int64(count[m])
            west, n = _fill(theirs, west, low - COLUMN_KEY, place, near, m, n)
            here, n = _fill(theirs, here, low, place, near, m, n)
            east, n = _fill(theirs, east, low + COLUMN_KEY, place, near, m, n)
            count[m] = n


@compiled
def _row_keys(cubes: Any, r: int, keys: Any) -> None:
    """The keys of a row's cubes, and behind them three that are greater than all."""
    column, layer, first = cubes.column, cubes.layer, cubes.row[r]
    n = cubes.row[r + 1] - first
    for i in range(n):
        keys[i] = column[first + i] * COLUMN_KEY + layer[first + i]
    keys[n : n + 3] = LAST_KEY


@compiled
def _fill(keys: Any, q: Any, low: Any, place: Any, near: Any, m: int, n: Any) -> Any:
    """Add to a window the cubes of the keys from `low` to `low` + 2, the first of which is not before number q.

    Returns that first one's number and how many the window holds then. Three are written, to be written over again.
    """
    while keys[q] < low:
        q += 1
    near[m, n], near[m, n + 1], near[m, n + 2] = place + q, place + q + 1, place + q + 2
    return q, n + (keys[q] <= low + 2) + (keys[q + 1] <= low + 2) + (keys[q + 2] <= low + 2)


@compiled
def _count_rows(first: int, last: int, cells: Any, columns: int, chosen: Any, found: Any) -> None:
    """Chosen points of each row of cubes."""
    begin, v = cells.begin, cells.v
    for r in range(first, last):
        south, north = 0, 0
        for p in range(begin[r * columns], begin[(r + 1) * columns]):
            if chosen[p]:
                if v[p] < HALF:
                    south += 1
                else:
                    north += 1
        found[2 * r], found[2 * r + 1] = south, north


@compiled
def _sort_rows(
    first: int,
    last: int,
    cells: Any,
    columns: int,
    chosen: Any,
    begin: Any,
    order: Any,
    place: Any,
    column: Any,
    layer: Any,
    found: Any,
) -> None:
    """Sort the points of each row of cubes by column and layer; count the row's cubes."""
    start, u, v, w = cells.begin, cells.u, cells.v, cells.w
    for r in range(first, last):
        for north in range(2):
            low = begin[2 * r + north]
            n, cubes = low, 0
            for c in range(columns):
                a, b = start[r * columns + c], start[r * columns + c + 1]
                for east in range(2):
                    begun, here = n, 2 * (c + cells.west) + east
                    for p in range(a, b):
                        if chosen[p] and (v[p] >= HALF) == (north == 1) and (u[p] >= HALF) == (east == 1):
                            order[n] = p
                            layer[n] = w[p] // HALF
                            n += 1
                    if n == begun:
                        continue
                    _by_layer(layer, order, np.int64(begun), np.int64(n))
                    for i in range(begun, n):
                        p = order[i]
                        column[i] = here
                        place[i, 0], place[i, 1] = u[p] - HALF * east, v[p] - HALF * north
                        place[i, 2] = w[p] - HALF * layer[i]
                        if i == begun or layer[i] != layer[i - 1]:
                            cubes += 1
            found[2 * r + north] = cubes


@compiled
def _by_layer(layer: Any, order: Any, low: Any, high: Any) -> None:
    """Sort one column's points."""
    if high - low > FEW:
        by = np.argsort(layer[low:high], kind="mergesort")
        layer[low:high] = layer[low:high][by]
        order[low:high] = order[low:high][by]
        return
    for i in range(low + 1, high):
        here, p, j = layer[i], order[i], i
        while j > low and layer[j - 1] > here:
            layer[j], order[j] = layer[j - 1], order[j - 1]
            j -= 1
        layer[j], order[j] = here, p


@compiled
def _open_cubes(
    first: int,
    last: int,
    begin: Any,
    column: Any,
    layer: Any,
    row: Any,
    start: Any,
    cube_column: Any,
    cube_layer: Any,
) -> None:
    for r in range(first, last):
        m = row[r]
        for i in range(begin[r], begin[r + 1]):
            if i == begin[r] or column[i] != column[i - 1] or layer[i] != layer[i - 1]:
                start[m], cube_column[m], cube_layer[m] = i, column[i], layer[i]
                m += 1


@compiled
def _merge(
    first: int,
    last: int,
    cubes: Any,
    coarse_south: int,
    coarse_row: Any,
    parent: Any,
    coarse_column: Any,
    coarse_layer: Any,
    found: Any,
) -> None:
    """Cubes of twice the edge in each of their rows: counted, or where `coarse_row` is known, filled in."""
    column, layer, row = cubes.column, cubes.layer, cubes.row
    fill = len(coarse_row) > 0
    at, end = np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.int64)
    for r in range(first, last):
        m = 0
        below = 2 * (r + coarse_south) - cubes.south
        for a in range(2):
            inside = 0 <= below + a < len(row) - 1
            end[2 * a] = row[below + a] if inside else 0
            end[2 * a + 1] = end[2 * a]
        rest_0 = row[below + 1] if 0 <= below < len(row) - 1 else 0
        rest_1 = row[below + 2] if 0 <= below + 1 < len(row) - 1 else 0
        while True:
            c, any_left = 0, False
            for a in range(2):
                q, rest = end[2 * a + 1], rest_0 if a == 0 else rest_1
                if q < rest and (not any_left or column[q] >> 1 < c):
                    c, any_left = column[q] >> 1, True
            if not any_left:
                break
            for a in range(2):
                q, rest = end[2 * a + 1], rest_0 if a == 0 else rest_1
                for b in range(2):
                    at[2 * a + b] = q
                    while q < rest and column[q] == 2 * c + b:
                        q += 1
                    end[2 * a + b] = q
            while True:
                k, some = 0, False
                for s in range(4):
                    if at[s] < end[s] and (not some or layer[at[s]] >> 1 < k):
                        k, some = layer[at[s]] >> 1, True
                if not some:
                    break
                for s in range(4):
                    while at[s] < end[s] and layer[at[s]] >> 1 == k:
                        if fill:
                            parent[at[s]] = coarse_row[r] + m
                        at[s] += 1
                if fill:
                    coarse_column[coarse_row[r] + m], coarse_layer[coarse_row[r] + m] = c, k
                m += 1
        found[r] = m
