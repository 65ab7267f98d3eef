"""Rectangles that dormers, stair heads and the like fill: their sides are too short to be found one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.fused import along
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
    west, south, cell = frame.tolist()
    least = max(SHORTEST, 2 * roof.spacing) / 2
    sides: list[tuple[int, tuple[float, ...]]] = []
    runs = np.array([(np.cos(angle), np.sin(angle)) for angle in directions])
    for plane, row, column in _pieces(label):
        if len(row) * cell**2 < SMALLEST:
            continue
        number, box = _rectangle(row, column, runs, west, south, cell, least)
        if number >= 0:
            corners = _parted_corners(xy, roof.label, plane, runs[number], box, 1.5 * cell).tolist()
            sides += [(plane, (*one, *other)) for one, other in pairwise([*corners, corners[0]])]
    return sides


@compiled
def _rectangle(row: Any, column: Any, runs: Any, west: Any, south: Any, cell: Any, least: Any) -> Any:
    """Number of the direction of the rectangle that cells fill best, -1 of none, and (4,) its extent in and across it.

    Args:
        row: (n,) of the cells.
        column: the same.
        runs: (d, 2) the directions, the first of those that fit as well is taken.
        west: m, of the cells.
        south: the same.
        cell: m, their side.
        least: m, of the rectangle's sides.
    """
    n = row.shape[0]
    u, v = np.empty(n), np.empty(n)
    best, chosen = np.inf, -1
    box = np.zeros(4)
    for number in range(runs.shape[0]):
        run_x, run_y = runs[number, 0], runs[number, 1]
        for k in range(n):
            x, y = west + (column[k] + 0.5) * cell, south + (row[k] + 0.5) * cell
            u[k], v[k] = along(x, y, run_x, run_y), along(x, y, -run_y, run_x)
        first, last = _extent(u, cell)
        left, right = _extent(v, cell)
        if min(last - first, right - left) < least:
            continue
        unlike = abs(n * cell**2 / ((last - first) * (right - left)) - 1.0)
        if unlike <= 1.0 - FILLED and (chosen < 0 or unlike < best - 1e-9):
            best, chosen = unlike, number
            box[0], box[1], box[2], box[3] = first, last, left, right
    return chosen, box


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


@compiled
def _parted_corners(xy: Any, label: Any, plane: Any, run: Any, box: Any, reach: Any) -> Any:
    """(4, 2) corners of a rectangle, each side put where it parts a plane's points from others best, within a reach."""
    n = xy.shape[0]
    at, own = np.empty((4, n)), np.empty((4, n), dtype=np.bool_)
    count = np.zeros(4, dtype=np.int64)
    starts = (-box[0], box[1], -box[2], box[3])
    for i in range(n):
        if label[i] < 0:
            continue
        u, v = along(xy[i, 0], xy[i, 1], run[0], run[1]), along(xy[i, 0], xy[i, 1], -run[1], run[0])
        beside_u, beside_v = box[2] < v < box[3], box[0] < u < box[1]
        for side in range(4):
            if not (beside_u if side < 2 else beside_v):
                continue
            place = u if side < 2 else v
            place = -place if side % 2 == 0 else place
            if abs(place - starts[side]) <= reach:
                at[side, count[side]], own[side, count[side]] = place, label[i] == plane
                count[side] += 1
    placed = np.empty(4)
    for side in range(4):
        placed[side] = _parting(at[side, : count[side]], own[side, : count[side]], starts[side], reach)
    low, high, left, right = -placed[0], placed[1], -placed[2], placed[3]
    corners = np.empty((4, 2))
    for k in range(4):
        a, b = high if k in (1, 2) else low, right if k >= 2 else left
        corners[k, 0], corners[k, 1] = a * run[0] - b * run[1], a * run[1] + b * run[0]
    return corners


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
