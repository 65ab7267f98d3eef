"""Points sorted into square cells of one metre, and counts, sums, extremes and growth over windows of cells.

Rows run from south to north. Cells are multiples of their size from (0, 0), so that tiles share them; what is summed
is whole numbers, so that no order of points matters. All columns and masks of sorted points are in the cells' order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadInput
from lidar.morphology import compiled, in_threads

CELL = 1.0
"""Metres."""
UNIT = 1000.0
"""Places and heights are kept in whole millimetres."""
HIGHEST = 2.0e9
"""Millimetres: what is farther from zero is taken for as far as this."""
MOST_CELLS = 1 << 26
"""Cells of one call (8 km squared)."""

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]


class Cells(NamedTuple):
    """k points by the cells of a grid of `shape`."""

    order: NDArray[np.int32]
    """(k,) index of each point in the cloud."""
    begin: NDArray[np.int32]
    """(rows · columns + 1,) first point of each cell."""
    u: NDArray[np.uint16]
    """(k,) millimetres from the cell's west side."""
    v: NDArray[np.uint16]
    """(k,) millimetres from the cell's south side."""
    w: NDArray[np.int32]
    """(k,) height in millimetres."""
    shape: tuple[int, int]
    west: int
    """Cells from zero to the first column."""
    south: int

    @property
    def points(self) -> int:
        """How many points there are."""
        return len(self.order)

    def number(self, chosen: Mask) -> NDArray[np.int32]:
        """How many of the chosen points lie in each cell."""
        counts = np.empty(self.shape, dtype=np.int32)
        in_threads(_count, self.shape[0], self.points, self.begin, chosen, counts)
        return counts

    def total(self, chosen: Mask, value: NDArray[Any]) -> NDArray[np.int64]:
        """Sum of the chosen points' whole-number values in each cell."""
        sums = np.empty(self.shape, dtype=np.int64)
        in_threads(_total, self.shape[0], self.points, self.begin, chosen, value, sums)
        return sums

    def highest(self, chosen: Mask) -> Floats:
        """Greatest height (m) of the chosen points in each cell, −inf where there is none."""
        top = np.empty(self.shape, dtype=np.float32)
        in_threads(_extreme, self.shape[0], self.points, self.begin, chosen, self.w, 1, top)
        return top

    def lowest(self, chosen: Mask) -> Floats:
        """Least height (m) of the chosen points in each cell, inf where there is none."""
        bottom = np.empty(self.shape, dtype=np.float32)
        in_threads(_extreme, self.shape[0], self.points, self.begin, chosen, self.w, -1, bottom)
        return bottom

    def mean(self, chosen: Mask) -> Floats:
        """Mean height (m) of the chosen points in each cell, NaN where there is none."""
        means = np.empty(self.shape, dtype=np.float32)
        in_threads(_mean, self.shape[0], self.points, self.begin, chosen, self.w, means)
        return means


def cells_of(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], chosen: Mask) -> Cells:
    """The cells of the chosen points, at least one.

    Raises:
        BadInput: the points lie absurdly far apart.
    """
    least_x, least_y, most_x, most_y = _extent(x, y, chosen)
    west, south = np.floor(least_x / CELL), np.floor(least_y / CELL)
    columns, rows = np.floor(most_x / CELL) - west + 1, np.floor(most_y / CELL) - south + 1
    if not columns * rows <= MOST_CELLS:
        raise BadInput(
            f"the points spread over {columns * CELL:.0f} × {rows * CELL:.0f} m, too far for one piece: "
            "there are stray points, or the cloud must be cut into tiles"
        )
    shape = (int(rows), int(columns))
    index = np.empty(len(x), dtype=np.int32)
    in_threads(_index, len(x), len(x), x, y, chosen, west, south, shape[1], index)
    begin = np.zeros(shape[0] * shape[1] + 1, dtype=np.int32)
    in_threads(_count_cells, shape[0], len(x), index, shape[1], begin[1:])
    np.cumsum(begin, out=begin)
    order = np.empty(begin[-1], dtype=np.int32)
    in_threads(_place, shape[0], len(x), index, shape[1], begin, order)
    del index
    u, v = np.empty(len(order), dtype=np.uint16), np.empty(len(order), dtype=np.uint16)
    w = np.empty(len(order), dtype=np.int32)
    in_threads(_places_inside, len(order), len(order), x, y, z, order, u, v, w)
    return Cells(order, begin, u, v, w, shape, int(west), int(south))


def around(values: NDArray[Any], radius: int) -> NDArray[np.int64]:
    """Sum over the square of 2·radius + 1 cells about each cell; exact, modulo 2^64."""
    sums = np.empty(values.shape, dtype=np.int64)
    in_threads(_sum_around, values.shape[0], values.size, values, radius, sums)
    return sums


@compiled
def start_window(values: Any, first: int, radius: int, down: Any) -> None:
    """Fill `down` with what the windows of the row before `first` hold of each column, for `next_window` to begin."""
    down[:] = 0
    for r in range(max(first - 1 - radius, 0), min(first + radius, values.shape[0])):
        for c in range(values.shape[1]):
            down[c] += np.int64(values[r, c])


@compiled
def next_window(values: Any, r: int, radius: int, down: Any, sums: Any) -> None:
    """Move `down` (columns,) from the row before to row `r`, and fill `sums` (columns,) with those over each square."""
    rows, columns = values.shape
    if r + radius < rows:
        for c in range(columns):
            down[c] += np.int64(values[r + radius, c])
    if r - radius > 0:
        for c in range(columns):
            down[c] -= np.int64(values[r - radius - 1, c])
    total = np.int64(0)
    for c in range(min(radius, columns)):
        total += down[c]
    for c in range(columns):
        if c + radius < columns:
            total += down[c + radius]
        if c - radius > 0:
            total -= down[c - radius - 1]
        sums[c] = total


def ground_level(mean: Floats, reach: int) -> Floats:
    """Fill the cells without ground (NaN) from the ground met in eight directions, weighted by 1 / distance.

    Opposite directions give a plane back exactly. NaN stays where no ground is met within `reach` cells.
    """
    weight, weighted = np.zeros(mean.shape), np.zeros(mean.shape)
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
        _look(mean, down, right, reach, weight, weighted)
    with np.errstate(invalid="ignore"):
        met = (weighted / weight).astype(np.float32)
    return np.where(np.isnan(mean), met, mean)


@compiled
def _extent(x: Any, y: Any, chosen: Any) -> tuple[float, float, float, float]:
    west, south, east, north = np.inf, np.inf, -np.inf, -np.inf
    for p in range(len(x)):
        if chosen[p]:
            west, east, south, north = min(west, x[p]), max(east, x[p]), min(south, y[p]), max(north, y[p])
    return west, south, east, north


@compiled
def _index(
    first: int, last: int, x: Any, y: Any, chosen: Any, west: float, south: float, columns: int, index: Any
) -> None:
    for p in range(first, last):
        index[p] = -1
        if chosen[p]:
            index[p] = int(np.floor(y[p] / CELL) - south) * columns + int(np.floor(x[p] / CELL) - west)


@compiled
def _count_cells(first: int, last: int, index: Any, columns: int, counts: Any) -> None:
    """Each thread reads all points and counts those of its own rows."""
    low, high = first * columns, last * columns
    for p in range(len(index)):
        if low <= index[p] < high:
            counts[index[p]] += 1


@compiled
def _place(first: int, last: int, index: Any, columns: int, begin: Any, order: Any) -> None:
    low, high = first * columns, last * columns
    at = begin[low:high].copy()
    for p in range(len(index)):
        if low <= index[p] < high:
            order[at[index[p] - low]] = p
            at[index[p] - low] += 1


@compiled
def _places_inside(first: int, last: int, x: Any, y: Any, z: Any, order: Any, u: Any, v: Any, w: Any) -> None:
    for k in range(first, last):
        p = order[k]
        u[k] = int(np.rint((x[p] - np.floor(x[p] / CELL) * CELL) * UNIT))
        v[k] = int(np.rint((y[p] - np.floor(y[p] / CELL) * CELL) * UNIT))
        w[k] = int(max(min(np.rint(z[p] * UNIT), HIGHEST), -HIGHEST))


@compiled
def _count(first: int, last: int, begin: Any, chosen: Any, counts: Any) -> None:
    columns = counts.shape[1]
    for r in range(first, last):
        for c in range(columns):
            n = 0
            for p in range(begin[r * columns + c], begin[r * columns + c + 1]):
                n += chosen[p]
            counts[r, c] = n


@compiled
def _total(first: int, last: int, begin: Any, chosen: Any, value: Any, sums: Any) -> None:
    columns = sums.shape[1]
    for r in range(first, last):
        for c in range(columns):
            total = np.int64(0)
            for p in range(begin[r * columns + c], begin[r * columns + c + 1]):
                if chosen[p]:
                    total += np.int64(value[p])
            sums[r, c] = total


@compiled
def _extreme(first: int, last: int, begin: Any, chosen: Any, w: Any, sign: int, extreme: Any) -> None:
    columns = extreme.shape[1]
    none = np.int64(-(1 << 40))
    for r in range(first, last):
        for c in range(columns):
            best = none
            for p in range(begin[r * columns + c], begin[r * columns + c + 1]):
                best = max(best, sign * np.int64(w[p]) if chosen[p] else none)
            extreme[r, c] = sign * best / UNIT if best > none else -sign * np.inf


@compiled
def _mean(first: int, last: int, begin: Any, chosen: Any, w: Any, means: Any) -> None:
    columns = means.shape[1]
    for r in range(first, last):
        for c in range(columns):
            n, total = 0, 0
            for p in range(begin[r * columns + c], begin[r * columns + c + 1]):
                if chosen[p]:
                    n += 1
                    total += w[p]
            means[r, c] = total / n / UNIT if n > 0 else np.nan


@compiled
def _sum_around(first: int, last: int, values: Any, radius: int, sums: Any) -> None:
    down = np.empty(values.shape[1], dtype=np.int64)
    start_window(values, first, radius, down)
    for r in range(first, last):
        next_window(values, r, radius, down, sums[r])


@compiled
def _look(
    mean: Floats,
    down: int,
    right: int,
    reach: int,
    weight: NDArray[np.float64],
    weighted: NDArray[np.float64],
) -> None:
    """Add what is met first towards (`down`, `right`) to the sums."""
    rows, columns = mean.shape
    length = np.sqrt(down * down + right * right)
    behind, here = np.zeros(columns, dtype=np.int32), np.zeros(columns, dtype=np.int32)
    for n in range(rows):
        r = rows - 1 - n if down > 0 else n
        for m in range(columns):
            c = columns - 1 - m if right > 0 else m
            i, j = r + down, c + right
            steps = 0
            if 0 <= i < rows and 0 <= j < columns:
                if not np.isnan(mean[i, j]):
                    steps = 1
                else:
                    beyond = here[j] if down == 0 else behind[j]
                    if beyond > 0 and (beyond + 1) * length <= reach:
                        steps = beyond + 1
            here[c] = steps
            if steps > 0 and np.isnan(mean[r, c]):
                w = 1.0 / (steps * length)
                weight[r, c] += w
                weighted[r, c] += w * mean[r + steps * down, c + steps * right]
        behind, here = here, behind
