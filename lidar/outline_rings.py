"""Rings along the edges of cells: a mask traced to a polygon, its short steps evened out."""

from __future__ import annotations

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage
from shapely import Polygon

SHORTEST_EDGE = 1.25
"""m: a step in a wall below this is taken for the cells' doing."""
SMALLEST_COURT = 6.0
"""m²: a hole below this is closed."""


def traced(mask: NDArray[np.bool_], cell: float, origin: tuple[float, float]) -> Polygon | None:
    """The largest part of a mask as a polygon along cell edges, small holes closed; None for an empty mask.

    Cells that meet in a corner only are not one part. Each ring starts at the upper-left corner of its first cell, rows
    first, and has the mask to its left.

    Args:
        mask: (rows, columns), north first.
        cell: m.
        origin: x and y of the upper-left corner.
    """
    label, count = ndimage.label(mask)
    if count == 0:
        return None
    corners, starts, of, is_hole = _rings(label)
    coordinates = np.column_stack([origin[0] + corners[:, 1] * cell, origin[1] - corners[:, 0] * cell])
    rings = np.empty(len(of), dtype=object)
    rings[:] = [shapely.linearrings(coordinates[starts[k] : starts[k + 1]]) for k in range(len(of))]
    large = ~is_hole | (shapely.area(shapely.polygons(rings)) >= SMALLEST_COURT)
    parts: list[Polygon] = [
        shapely.polygons(rings[~is_hole & (of == part)][0], holes=list(rings[is_hole & large & (of == part)]) or None)
        for part in range(1, count + 1)
    ]
    return max(parts, key=lambda p: (float(p.area), p.bounds))


def right_angled(outline: Polygon) -> Polygon | None:
    """An outline along cell edges with its short steps evened out; None when nothing valid is left."""
    outer = evened(shapely.get_coordinates(outline.exterior)[:-1])
    if outer is None:
        return None
    holes = [h for h in (evened(shapely.get_coordinates(hole)[:-1]) for hole in outline.interiors) if h is not None]
    polygon = Polygon(outer, [h for h in holes if Polygon(h).area >= SMALLEST_COURT])
    return polygon if polygon.is_valid and not polygon.is_empty else None


def evened(ring: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """A ring of alternating horizontal and vertical edges without those shorter than `SHORTEST_EDGE`.

    Edges are kept as lines; taking out an edge makes one line of its two neighbours, in the mean place of both by
    their lengths. The shortest goes first. None when nothing is left.
    """
    left = _without_short(lines_of(ring), SHORTEST_EDGE)
    return ring_of(left) if len(left) >= 4 else None


def ring_of(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of a ring of alternating lines, a vertical one first."""
    other = np.roll(lines, -1)
    across = np.where(np.arange(len(lines)) % 2 == 0, lines, other)
    up = np.where(np.arange(len(lines)) % 2 == 0, other, lines)
    return np.column_stack([across, up])


def lines_of(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """x, y, x, y, … of a rectilinear ring's edges, a vertical one first; collinear edges are one."""
    upright = ring[:, 0] == np.roll(ring[:, 0], -1)
    corners = ring[np.roll(upright, 1) != upright]
    following = np.roll(corners, -1, axis=0)
    vertical = corners[:, 0] == following[:, 0]
    lines = np.where(vertical, corners[:, 0], corners[:, 1])
    return lines if vertical[0] else np.roll(lines, -1)


@njit(cache=True, nogil=True)
def _rings(label):  # type: ignore[no-untyped-def]
    """The rings round the parts of a labelled mask, in cells from its upper-left corner.

    Returns:
        Corners (n, 2) as row and column, the first of a ring again at its end; where each ring starts, and the end;
        the part each ring belongs to; whether it is a hole.
    """
    rows, columns = label.shape
    # An edge is where a cell meets its upper (0) or left (1) neighbour.
    seen = np.zeros((rows + 1, columns + 1, 2), dtype=np.bool_)
    outer = np.zeros(label.max() + 1, dtype=np.bool_)
    # A first entry, taken off at the end, tells the compiler what the lists hold.
    corners, starts, of, holes = [(0, 0)], [0], [0], [False]
    for row in range(rows):
        for column in range(columns):
            part = label[row, column]
            if part > 0 and not outer[part]:
                outer[part] = True
                hole, down, right = False, 1, 0
            elif part == 0 and row > 0 and label[row - 1, column] > 0 and not seen[row, column, 0]:
                part = label[row - 1, column]
                hole, down, right = True, 0, 1
            else:
                continue
            starts.append(len(corners) - 1)
            of.append(part)
            holes.append(hole)
            corners.append((row, column))
            r, c = row, column
            while True:
                seen[min(r, r + down), min(c, c + right), abs(down)] = True
                r, c = r + down, c + right
                # To the right first: where a part meets itself in a corner, what lies between is a hole.
                if _at(label, r, c, down, right, False) == part:
                    corners.append((r, c))
                    down, right = right, -down
                elif _at(label, r, c, down, right, True) != part:
                    corners.append((r, c))
                    down, right = -right, down
                if r == row and c == column:
                    break
    starts.append(len(corners) - 1)
    return np.array(corners)[1:], np.array(starts)[1:], np.array(of)[1:], np.array(holes)[1:]


@njit(cache=True, nogil=True)
def _at(label, r, c, down, right, left_hand):  # type: ignore[no-untyped-def]
    """The part of the cell ahead of a corner, on the left or on the right hand; 0 outside."""
    if right != 0:
        column = c if right > 0 else c - 1
        above = (right > 0) == left_hand
        row = r - 1 if above else r
    else:
        row = r if down > 0 else r - 1
        east = (down > 0) == left_hand
        column = c if east else c - 1
    if row < 0 or column < 0 or row >= label.shape[0] or column >= label.shape[1]:
        return 0
    return label[row, column]


@njit(cache=True, nogil=True)
def _without_short(lines, shortest_kept):  # type: ignore[no-untyped-def]
    """The lines of a ring without edges below a length, the shortest first; a vertical line stays the first."""
    lines = lines.copy()
    n = lines.shape[0]
    rest = np.empty(n)
    while n > 4:
        shortest, length = 0, np.inf
        for i in range(n):
            own = abs(lines[(i + 1) % n] - lines[i - 1 if i > 0 else n - 1])
            if own < length:
                shortest, length = i, own
        if length >= shortest_kept:
            break
        before, after = (shortest - 1) % n, (shortest + 1) % n
        of_before = abs(lines[(before + 1) % n] - lines[(before - 1) % n])
        of_after = abs(lines[(after + 1) % n] - lines[(after - 1) % n])
        weight = of_before + of_after
        place = lines[before]
        if weight > 0:
            place = (lines[before] * of_before + lines[after] * of_after) / weight
        # Lines alternate: vertical ones stay at even places.
        shift = 0 if before % 2 == 0 else 1
        rest[shift % (n - 2)] = place
        for k in range(3, n):
            rest[(k - 2 + shift) % (n - 2)] = lines[(before + k) % n]
        n -= 2
        lines[:n] = rest[:n]
    return lines[:n]
