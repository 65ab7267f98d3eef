"""Cells of a footprint under the planes of its roof that the nearest points have, and where two planes touch."""

from __future__ import annotations

from math import ceil, log, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lidar.distance import distance_to, nearest_to
from lidar.morphology import compiled
from lidar.roof_planes import RoofPlanes

CHANCE = 1e-4
"""Probability of an empty disc of the radius from which a gap is one, were points strewn at random."""
HIDING, FIELD = 1.0, 0.58
"""m that a plane must rise above another to hide it, and how far it then does by height: the tangent of 30°, half of
the widest field of view."""


@compiled
def cells_inside(edges: Any, west: Any, south: Any, cell: Any, rows: Any, columns: Any) -> Any:
    """(rows, columns) whether a cell's centre lies in the footprint."""
    inside = np.zeros((rows, columns), dtype=np.bool_)
    for r in range(rows):
        y = south + (r + 0.5) * cell
        for e in range(edges.shape[0]):
            ax, ay, bx, by = edges[e]
            if (ay > y) != (by > y):
                x = ax + (y - ay) * (bx - ax) / (by - ay)
                for c in range(max(int(np.ceil((x - west) / cell - 0.5)), 0), columns):
                    inside[r, c] = not inside[r, c]
    return inside


def plane_cells(
    xy: NDArray[np.float64], roof: RoofPlanes, frame: NDArray[np.float64], inside: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(rows, columns) the plane most of the points have in the nearest cell with any; -1 outside.

    In gaps that chance does not leave it is the plane that the others around hide (`_hidden`).

    Args:
        xy: (n, 2) m, the points that `roof` labels.
        roof: its planes.
        frame: (3,) west and south of the cells, and their side, in m.
        inside: (rows, columns) whether a cell's centre lies in the footprint.
    """
    west, south, cell = frame.tolist()
    most: NDArray[np.int64] = _most_frequent(xy, roof.label, west, south, cell, *inside.shape)
    known = most >= 0
    if not known.any():
        return most
    squared, near = nearest_to(known)
    label = np.where(inside, most.reshape(-1)[near], -1)
    return _hidden(label, np.sqrt(squared) * cell, roof, frame)


@compiled
def _most_frequent(xy: Any, label: Any, west: Any, south: Any, cell: Any, rows: Any, columns: Any) -> Any:
    """(rows, columns) the label that most of a cell's points have, the least of several; -1 without any."""
    n = xy.shape[0]
    place = np.full(n, -1, dtype=np.int64)
    start = np.zeros(rows * columns + 1, dtype=np.int64)
    for i in range(n):
        if label[i] < 0:
            continue
        column, row = np.int64(np.floor((xy[i, 0] - west) / cell)), np.int64(np.floor((xy[i, 1] - south) / cell))
        if 0 <= row < rows and 0 <= column < columns:
            place[i] = row * columns + column
            start[place[i] + 1] += 1
    for k in range(rows * columns):
        start[k + 1] += start[k]
    cursor, member = start[:-1].copy(), np.empty(start[-1], dtype=np.int64)
    for i in range(n):
        if place[i] >= 0:
            member[cursor[place[i]]] = label[i]
            cursor[place[i]] += 1
    most = np.full((rows, columns), -1, dtype=np.int64)
    for r in range(rows):
        for c in range(columns):
            k = r * columns + c
            if start[k + 1] - start[k] == 1:
                most[r, c] = member[start[k]]
            elif start[k + 1] > start[k]:
                most[r, c] = _commonest(member[start[k] : start[k + 1]])
    return most


@compiled
def _commonest(labels: Any) -> Any:
    """The most frequent of them, the least of several."""
    ordered = np.sort(labels)
    best, count, first = ordered[0], 0, 0
    for i in range(1, ordered.shape[0] + 1):
        if i == ordered.shape[0] or ordered[i] != ordered[first]:
            if i - first > count:
                best, count = ordered[first], i - first
            first = i
    return best


def _hidden(
    label: NDArray[np.int64], away: NDArray[np.float64], roof: RoofPlanes, frame: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The cells' planes, with the lower one in gaps behind a higher.

    What lies behind a wall is not seen from one side: a gap between two levels is of the lower one, for the higher
    would have been seen. A wall hides no more than its height times the tangent of the widest angle looked at.

    Args:
        label: (rows, columns) plane of the nearest point, -1 outside.
        away: (rows, columns) m to the nearest cell with a point.
        roof: its planes.
        frame: (3,) west and south of the cells, and their side, in m.
    """
    west, south, cell = frame
    widest = sqrt(-log(CHANCE) / pi) * roof.spacing
    wide = (away > widest) & (label >= 0)
    if not wide.any():
        return label
    pieces, _ = ndimage.label(wide)
    reach = ceil(widest / cell) + 1
    found = label
    for piece, place in enumerate(ndimage.find_objects(pieces), start=1):
        low = [max(own.start - reach, 0) for own in place]
        window = tuple(slice(a, own.stop + reach) for a, own in zip(low, place, strict=True))
        gap = distance_to(pieces[window] == piece) * cell <= widest
        row, column = np.nonzero(gap & (label[window] >= 0))
        row, column = row + low[0], column + low[1]
        own = label[row, column]
        beside = np.unique(own)
        if len(beside) == 1:
            continue
        x, y = west + (column + 0.5) * cell, south + (row + 0.5) * cell
        p, q, r = roof.planes[beside].T[:, :, None]
        height = p + q * x + r * y
        rise = height[np.searchsorted(beside, own), np.arange(len(own))] - height.min(axis=0)
        hidden = (rise > HIDING) & (away[row, column] <= FIELD * rise) & (away[row, column] > 0)
        if found is label:
            found = label.copy()
        found[row[hidden], column[hidden]] = beside[height.argmin(axis=0)][hidden]
    return found


@compiled
def contacts(label: Any, west: Any, south: Any, cell: Any) -> Any:
    """(n, 4) plane, plane (the lower first), x, y of each side between cells of two planes."""
    rows, columns = label.shape
    count = 0
    for r in range(rows):
        for c in range(columns):
            count += r + 1 < rows and label[r, c] != label[r + 1, c] and min(label[r, c], label[r + 1, c]) >= 0
            count += c + 1 < columns and label[r, c] != label[r, c + 1] and min(label[r, c], label[r, c + 1]) >= 0
    found = np.empty((count, 4))
    count = 0
    for r in range(rows):
        for c in range(columns):
            for up, right in ((1, 0), (0, 1)):
                if r + up == rows or c + right == columns:
                    continue
                one, other = label[r, c], label[r + up, c + right]
                if one != other and one >= 0 and other >= 0:
                    found[count, 0], found[count, 1] = min(one, other), max(one, other)
                    found[count, 2] = west + (c + 0.5 * (1 + right)) * cell
                    found[count, 3] = south + (r + 0.5 * (1 + up)) * cell
                    count += 1
    return found
