"""Which points lie in which polygon: points sorted into square cells once, polygons' edges into bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from lidar.morphology import in_threads

CELL = 4.0
"""m: side of the cells points are sorted into; a footprint then looks at about its own area of points."""
MOST_CELLS = 50_000_000
"""Cells beyond which larger ones are used: points spread over a whole country on one sheet."""


@dataclass(frozen=True, slots=True)
class Membership:
    """For each of m polygons the indices of the points inside, as one list with offsets."""

    offsets: NDArray[np.int64]
    """(m + 1,): polygon i has `points[offsets[i]:offsets[i + 1]]`."""
    points: NDArray[np.int64]

    def of(self, polygon: int) -> NDArray[np.int64]:
        """Indices of the points inside one polygon."""
        return self.points[self.offsets[polygon] : self.offsets[polygon + 1]]


def points_in_polygons(x: NDArray[np.float64], y: NDArray[np.float64], polygons: NDArray[np.object_]) -> Membership:
    """Find the points inside each polygon, even-odd rule, so that holes are outside; polygons may overlap.

    Args:
        x: (n,) metres.
        y: (n,) metres.
        polygons: (m,) shapely polygons in the same CRS.
    """
    m = len(polygons)
    if m == 0 or len(x) == 0:
        return Membership(np.zeros(m + 1, dtype=np.int64), np.empty(0, dtype=np.int64))
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    edges, edge_offsets = _edges(polygons)
    boxes = shapely.bounds(polygons)
    origin = np.array([x.min(), y.min()])
    cell = CELL
    while (np.ptp(x) / cell + 1) * (np.ptp(y) / cell + 1) > MOST_CELLS:
        cell *= 2
    columns, rows = int(np.ptp(x) / cell) + 1, int(np.ptp(y) / cell) + 1
    starts, order = _sorted_into_cells(x, y, origin, cell, columns, rows)
    candidates = _candidates(boxes, origin, cell, columns, rows, starts)
    room = np.concatenate([[0], np.cumsum(candidates)])
    found = np.empty(room[-1], dtype=np.int64)
    counts = np.zeros(m, dtype=np.int64)
    in_threads(
        _fill, m, len(found), x, y, edges, edge_offsets, boxes, origin, cell, columns, rows, starts, order, room, found,
        counts,
    )  # fmt: skip
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Membership(offsets, _compacted(found, room, counts, offsets))


def _edges(polygons: NDArray[np.object_]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(k, 4) x0, y0, x1, y1 of all rings' edges, and (m + 1,) where each polygon's begin."""
    rings, owner = shapely.get_rings(polygons, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    within = ring[1:] == ring[:-1]
    edges = np.concatenate([xy[:-1], xy[1:]], axis=1)[within]
    counts = np.bincount(owner[ring[:-1][within]], minlength=len(polygons))
    return np.ascontiguousarray(edges), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


@njit(cache=True, nogil=True)
def _sorted_into_cells(x, y, origin, cell, columns, rows):  # type: ignore[no-untyped-def]
    """Counting sort of the points by cell: (cells + 1,) starts and (n,) order."""
    n = x.shape[0]
    starts = np.zeros(columns * rows + 1, dtype=np.int64)
    where = np.empty(n, dtype=np.int64)
    for i in range(n):
        column = min(int((x[i] - origin[0]) / cell), columns - 1)
        row = min(int((y[i] - origin[1]) / cell), rows - 1)
        where[i] = row * columns + column
        starts[where[i] + 1] += 1
    for c in range(columns * rows):
        starts[c + 1] += starts[c]
    order = np.empty(n, dtype=np.int64)
    cursor = starts[:-1].copy()
    for i in range(n):
        order[cursor[where[i]]] = i
        cursor[where[i]] += 1
    return starts, order


@njit(cache=True, nogil=True)
def _window(box, origin, cell, columns, rows):  # type: ignore[no-untyped-def]
    """First and last column and row of the cells that a box touches; empty when first > last."""
    first_column = max(int(np.floor((box[0] - origin[0]) / cell)), 0)
    last_column = min(int(np.floor((box[2] - origin[0]) / cell)), columns - 1)
    first_row = max(int(np.floor((box[1] - origin[1]) / cell)), 0)
    last_row = min(int(np.floor((box[3] - origin[1]) / cell)), rows - 1)
    return first_column, last_column, first_row, last_row


@njit(cache=True, nogil=True)
def _candidates(boxes, origin, cell, columns, rows, starts):  # type: ignore[no-untyped-def]
    """(m,) points in the cells each polygon's box touches."""
    counts = np.zeros(boxes.shape[0], dtype=np.int64)
    for p in range(boxes.shape[0]):
        c0, c1, r0, r1 = _window(boxes[p], origin, cell, columns, rows)
        if c0 > c1:
            continue
        for row in range(r0, r1 + 1):
            counts[p] += starts[row * columns + c1 + 1] - starts[row * columns + c0]
    return counts


@njit(cache=True, nogil=True)
def _bands(edges, south, height, bands):  # type: ignore[no-untyped-def]
    """Edges by horizontal band: (bands + 1,) starts and the edges' indices."""
    starts = np.zeros(bands + 1, dtype=np.int64)
    first = np.empty(edges.shape[0], dtype=np.int64)
    last = np.empty(edges.shape[0], dtype=np.int64)
    for e in range(edges.shape[0]):
        low, high = min(edges[e, 1], edges[e, 3]), max(edges[e, 1], edges[e, 3])
        first[e] = min(max(int((low - south) / height), 0), bands - 1)
        last[e] = min(max(int((high - south) / height), 0), bands - 1)
        for b in range(first[e], last[e] + 1):
            starts[b + 1] += 1
    for b in range(bands):
        starts[b + 1] += starts[b]
    members = np.empty(starts[bands], dtype=np.int64)
    cursor = starts[:-1].copy()
    for e in range(edges.shape[0]):
        for b in range(first[e], last[e] + 1):
            members[cursor[b]] = e
            cursor[b] += 1
    return starts, members


@njit(cache=True, nogil=True)
def _fill(  # type: ignore[no-untyped-def]
    first, last, x, y, edges, edge_offsets, boxes, origin, cell, columns, rows, starts, order, room, found, counts
):
    """Write each polygon's points from `room[p]` on, and how many they are."""
    for p in range(first, last):
        c0, c1, r0, r1 = _window(boxes[p], origin, cell, columns, rows)
        own = edges[edge_offsets[p] : edge_offsets[p + 1]]
        if c0 > c1 or r0 > r1 or room[p] == room[p + 1] or own.shape[0] == 0:
            continue
        bands = own.shape[0]
        height = max((boxes[p, 3] - boxes[p, 1]) / bands, 1e-9)
        band_starts, members = _bands(own, boxes[p, 1], height, bands)
        filled = 0
        for row in range(r0, r1 + 1):
            for k in range(starts[row * columns + c0], starts[row * columns + c1 + 1]):
                i = order[k]
                px, py = x[i], y[i]
                if px < boxes[p, 0] or px > boxes[p, 2] or py < boxes[p, 1] or py > boxes[p, 3]:
                    continue
                band = min(max(int((py - boxes[p, 1]) / height), 0), bands - 1)
                inside = False
                for j in range(band_starts[band], band_starts[band + 1]):
                    e = members[j]
                    y0, y1 = own[e, 1], own[e, 3]
                    if (y0 > py) != (y1 > py):
                        crossing = own[e, 0] + (py - y0) / (y1 - y0) * (own[e, 2] - own[e, 0])
                        if px < crossing:
                            inside = not inside
                if inside:
                    found[room[p] + filled] = i
                    filled += 1
        counts[p] = filled


@njit(cache=True, nogil=True)
def _compacted(found, room, counts, offsets):  # type: ignore[no-untyped-def]
    """The lists without the room left between them."""
    points = np.empty(offsets[-1], dtype=np.int64)
    for p in range(counts.shape[0]):
        points[offsets[p] : offsets[p + 1]] = found[room[p] : room[p] + counts[p]]
    return points
