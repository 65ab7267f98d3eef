"""Rectangles that dormers, stair heads and the like fill: their sides are too short to be found one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import compiled
from lidar.roof_planes import SMALLEST, RoofPlanes

SHORTEST = 0.7
"""m: a border shorter than this (or than two spacings) is no line."""
FILLED = 0.6
"""Share of a rectangle that a piece of a plane must fill, or that it of the piece, to be bounded by its sides."""


def box_sides(
    label: NDArray[np.int64],
    xy: NDArray[np.float64],
    directions: NDArray[np.float64],
    roof: RoofPlanes,
    frame: NDArray[np.float64],
) -> list[tuple[int, tuple[float, ...]]]:
    """Plane and sides, x and y of both ends in m, of the rectangles that pieces of a plane fill.

    Args:
        label: (rows, columns) plane of each cell, -1 outside.
        xy: (n, 2) m, the points that `roof` labels.
        directions: of walls, within a quarter turn, the first of those that fit as well is taken.
        roof: its planes.
        frame: (3,) west and south of the cells, and their side, in m.
    """
    west, south, cell = frame
    least = max(SHORTEST, 2 * roof.spacing) / 2
    sides: list[tuple[int, tuple[float, ...]]] = []
    on_plane = roof.label >= 0
    for plane, row, column in _pieces(label):
        if len(row) * cell**2 < SMALLEST:
            continue
        places = np.column_stack([west + (column + 0.5) * cell, south + (row + 0.5) * cell])
        best: tuple[float, float, tuple[float, float], tuple[float, float]] | None = None
        for angle in directions.tolist():
            run = np.array([np.cos(angle), np.sin(angle)])
            along, across = _extent(places @ run, cell), _extent(places @ (-run[1], run[0]), cell)
            if min(along[1] - along[0], across[1] - across[0]) < least:
                continue
            unlike = abs(len(row) * cell**2 / ((along[1] - along[0]) * (across[1] - across[0])) - 1.0)
            if unlike <= 1.0 - FILLED and (best is None or unlike < best[0] - 1e-9):
                best = unlike, angle, along, across
        if best is not None:
            own = _sides(*best[1:], xy, roof.label == plane, on_plane, 1.5 * cell)
            sides += [(plane, side) for side in own]
    return sides


def _pieces(label: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Plane, rows and columns of the cells of each piece, plane by plane, in the order of the pieces' first cells."""
    piece, of_piece = _joined_cells(label)
    cells = np.argsort(piece.reshape(-1), kind="stable")
    starts = np.searchsorted(piece.reshape(-1)[cells], np.arange(len(of_piece) + 1))
    for k in np.argsort(of_piece, kind="stable"):
        row, column = np.divmod(cells[starts[k] : starts[k + 1]], label.shape[1])
        yield int(of_piece[k]), row, column


@compiled
def _joined_cells(label: Any) -> Any:
    """(rows, columns) number of the piece of one plane that each cell is in, -1 outside, and (pieces,) their planes."""
    rows, columns = label.shape
    piece = np.full((rows, columns), -1, dtype=np.int64)
    waiting = np.empty((rows * columns, 2), dtype=np.int64)
    planes = np.empty(rows * columns, dtype=np.int64)
    count = 0
    for r in range(rows):
        for c in range(columns):
            if label[r, c] < 0 or piece[r, c] >= 0:
                continue
            piece[r, c], planes[count] = count, label[r, c]
            waiting[0, 0], waiting[0, 1] = r, c
            left = 1
            while left > 0:
                left -= 1
                i, j = waiting[left, 0], waiting[left, 1]
                for di, dj in ((1, 0), (0, 1), (-1, 0), (0, -1)):
                    m, n = i + di, j + dj
                    if 0 <= m < rows and 0 <= n < columns and piece[m, n] < 0 and label[m, n] == label[r, c]:
                        piece[m, n] = count
                        waiting[left, 0], waiting[left, 1] = m, n
                        left += 1
            count += 1
    return piece, planes[:count].copy()


def _sides(
    angle: float,
    along: tuple[float, float],
    across: tuple[float, float],
    xy: NDArray[np.float64],
    own: NDArray[np.bool_],
    on_plane: NDArray[np.bool_],
    reach: float,
) -> list[tuple[float, ...]]:
    """A rectangle's four sides, each put where it parts the plane's points from others best, within a reach."""
    run = np.array([np.cos(angle), np.sin(angle)])
    u, v = xy @ run, xy @ (-run[1], run[0])
    beside_u = on_plane & (v > across[0]) & (v < across[1])
    beside_v = on_plane & (u > along[0]) & (u < along[1])
    low = -_parting(-u[beside_u], own[beside_u], -along[0], reach)
    high = _parting(u[beside_u], own[beside_u], along[1], reach)
    left = -_parting(-v[beside_v], own[beside_v], -across[0], reach)
    right = _parting(v[beside_v], own[beside_v], across[1], reach)
    corners = [
        (a * run[0] - b * run[1], a * run[1] + b * run[0])
        for a, b in ((low, left), (high, left), (high, right), (low, right))
    ]
    return [(*a, *b) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)]


@compiled
def _parting(at: Any, own: Any, start: Any, reach: Any) -> Any:
    """Where most of a plane's own points lie before it and others behind; the start where there are not both."""
    places = np.empty(at.shape[0])
    count, others = 0, 0
    for wanted in (False, True):  # of points at one place the others come first
        for i in range(at.shape[0]):
            if own[i] == wanted and abs(at[i] - start) <= reach:
                places[count] = at[i]
                count += 1
        if not wanted:
            others = count
    if others == 0 or others == count:
        return start
    order = np.argsort(places[:count], kind="mergesort")
    wrong, fewest = count - others, count + 1
    before, best, width = start - reach, start, -1.0
    for k in range(count + 1):
        behind = places[order[k]] if k < count else start + reach
        if wrong < fewest or (wrong == fewest and behind - before > width):
            fewest, best, width = wrong, (before + behind) / 2.0, behind - before
        if k < count:
            wrong += 1 if order[k] < others else -1
            before = behind
    return best


@compiled
def _extent(across: Any, cell: Any) -> Any:
    """First and last of the strips, a cell wide, that hold at least half as much as is usual."""
    low = across.min() - cell / 2
    held = np.zeros(int((across.max() - low) / cell) + 1, dtype=np.int64)
    for place in across:
        held[int((place - low) / cell)] += 1
    ordered = np.sort(held)
    empty = np.searchsorted(ordered, 1)
    filled = ordered.shape[0] - empty
    usual = (ordered[empty + (filled - 1) // 2] + ordered[empty + filled // 2]) / 2.0
    first, last = 0, held.shape[0] - 1
    while 2 * held[first] < usual:
        first += 1
    while 2 * held[last] < usual:
        last -= 1
    return low + first * cell, low + (last + 1) * cell
