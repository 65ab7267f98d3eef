"""Edges that do not cross to the faces they bound: half-edges linked round each face, holes and the outside told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import compiled
from lidar.noding import UNIT, Integers, noded, unique

STRIPS = 16
"""Of a footprint, in each of which the edges over it are known."""


@dataclass(frozen=True, slots=True)
class Subdivision:
    """An outline's inside, parted into faces. Half-edge 2 e runs along edge e, 2 e + 1 against it."""

    vertices: Integers
    """(v, 2) units of 0.1 mm."""
    edges: Integers
    """(e, 2) vertices, the lower first."""
    rim: Integers
    """(e,) 1 or -1 on the outline (its inside is left of the edge, or right), 0 inside."""
    source: Integers
    """(e,) segment that it comes from."""
    face: Integers
    """(2 e,) face on the left of each half-edge, -1 outside."""
    following: Integers
    """(2 e,) the next half-edge round the face."""
    area: NDArray[np.float64]
    """(f,) m² of each face, its holes taken off."""
    fixed: int
    """The first so many vertices are the outline's own."""


def subdivide(segments: Integers, outline: NDArray[np.bool_]) -> Subdivision | None:
    """Part the inside of an outline by segments, those that end in the open cut back; None if they do not come apart.

    Args:
        segments: (n, 4) x, y of both ends in units of 0.1 mm; those of the outline form rings, the inside on the left.
        outline: (n,) which are the outline's.
    """
    made = noded(segments, outline)
    if made is None:
        return None
    vertices, edges, rim, source = made
    kept = _without_dead_ends(len(vertices), edges, rim)
    edges, rim, source = edges[kept], rim[kept], source[kept]
    following = linked(vertices, edges)
    face, area = _faces(vertices, edges, rim, following)
    fixed = len(unique(segments[outline][:, :2]))
    return Subdivision(vertices, edges, rim, source, face, following, area * UNIT * UNIT, fixed)


@compiled
def _without_dead_ends(count: Any, edges: Any, rim: Any) -> Any:
    """Edges that are left when those with a free end are taken off, again and again."""
    kept = np.ones(edges.shape[0], dtype=np.bool_)
    degree = np.zeros(count, dtype=np.int64)
    for e in range(edges.shape[0]):
        degree[edges[e, 0]] += 1
        degree[edges[e, 1]] += 1
    changed = True
    while changed:
        changed = False
        for e in range(edges.shape[0]):
            if kept[e] and rim[e] == 0 and (degree[edges[e, 0]] == 1 or degree[edges[e, 1]] == 1):
                kept[e] = False
                degree[edges[e, 0]] -= 1
                degree[edges[e, 1]] -= 1
                changed = True
    return kept


@compiled
def _half(dx: Any, dy: Any) -> Any:
    return 0 if dy > 0 or (dy == 0 and dx > 0) else 1


@compiled
def linked(vertices: Any, edges: Any) -> Any:
    """(2 e,) the half-edge after each one round the face on its left: the next clockwise at its end."""
    n = 2 * edges.shape[0]
    origin, dx, dy = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for h in range(n):
        a, b = edges[h >> 1, h & 1], edges[h >> 1, 1 - (h & 1)]
        origin[h] = a
        dx[h], dy[h] = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
    order = np.argsort(origin, kind="mergesort")
    following = np.empty(n, dtype=np.int64)
    first = 0
    while first < n:
        last = first
        while last < n and origin[order[last]] == origin[order[first]]:
            last += 1
        for i in range(first + 1, last):  # insertion sort counter-clockwise: exact, and few edges meet in a vertex
            h, j = order[i], i
            while j > first and _before(dx[h], dy[h], dx[order[j - 1]], dy[order[j - 1]]):
                order[j] = order[j - 1]
                j -= 1
            order[j] = h
        for i in range(first, last):
            before = order[i - 1] if i > first else order[last - 1]
            following[order[i] ^ 1] = before
        first = last
    return following


@compiled
def _before(ax: Any, ay: Any, bx: Any, by: Any) -> Any:
    """Whether direction a comes before b, counter-clockwise from east."""
    a, b = _half(ax, ay), _half(bx, by)
    if a != b:
        return a < b
    return ax * by - ay * bx > 0


@compiled
def _faces(vertices: Any, edges: Any, rim: Any, following: Any) -> Any:
    """(2 e,) face on the left of each half-edge, -1 outside, and each face's area in square units."""
    n = following.shape[0]
    loop = np.full(n, -1, dtype=np.int64)
    doubled = []
    start: list[int] = []
    for h in range(n):
        if loop[h] >= 0:
            continue
        total, at, this = np.int64(0), h, len(start)
        while loop[at] < 0:
            loop[at] = this
            a, b = edges[at >> 1, at & 1], edges[at >> 1, 1 - (at & 1)]
            total += vertices[a, 0] * vertices[b, 1] - vertices[a, 1] * vertices[b, 0]
            at = following[at]
        doubled.append(total)
        start.append(h)
    loops = len(start)
    owner = np.full(loops, -1, dtype=np.int64)  # of a hole's loop, the loop it lies in
    for k in range(loops):
        if doubled[k] > 0:
            owner[k] = k
            continue
        x, y = np.int64(0), np.int64(-1)
        at, first = start[k], True
        while first or at != start[k]:  # its lowest vertex, the leftmost of those
            v = edges[at >> 1, at & 1]
            if first or vertices[v, 1] < y or (vertices[v, 1] == y and vertices[v, 0] < x):
                x, y = vertices[v, 0], vertices[v, 1]
            first = False
            at = following[at]
        best = np.int64(0)
        for m in range(loops):
            if (
                doubled[m] > 0
                and (owner[k] < 0 or doubled[m] < best)
                and _holds(vertices, edges, following, start[m], x, y)
            ):
                owner[k], best = m, doubled[m]
    inside = np.zeros(loops, dtype=np.bool_)
    for h in range(n):
        along = rim[h >> 1] if (h & 1) == 0 else -rim[h >> 1]
        if along > 0 and owner[loop[h]] >= 0:
            inside[owner[loop[h]]] = True
    changed = True
    while changed:
        changed = False
        for e in range(edges.shape[0]):
            if rim[e] != 0:
                continue
            a, b = owner[loop[2 * e]], owner[loop[2 * e + 1]]
            if a >= 0 and b >= 0 and inside[a] != inside[b]:
                inside[a] = inside[b] = True
                changed = True
    number = np.full(loops, -1, dtype=np.int64)
    count = 0
    for k in range(loops):
        if owner[k] == k and inside[k]:
            number[k] = count
            count += 1
    area = np.zeros(count)
    for k in range(loops):
        if owner[k] >= 0 and number[owner[k]] >= 0:
            area[number[owner[k]]] += doubled[k] / 2.0
    face = np.full(n, -1, dtype=np.int64)
    for h in range(n):
        if owner[loop[h]] >= 0:
            face[h] = number[owner[loop[h]]]
    return face, area


@compiled
def _holds(vertices: Any, edges: Any, following: Any, start: Any, x: Any, y: Any) -> Any:
    """Whether a loop goes round a point; of a point on the loop, never (it belongs to the loop's own part)."""
    within, at, first = False, start, True
    while first or at != start:
        first = False
        a, b = edges[at >> 1, at & 1], edges[at >> 1, 1 - (at & 1)]
        ax, ay, bx, by = vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1]
        if (ax == x and ay == y) or (bx == x and by == y):
            return False
        if (ay > y) != (by > y):
            side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            if (side > 0) == (by > ay):
                within = not within
        at = following[at]
    return within


def faces_at(parts: Subdivision, xy: NDArray[np.float64]) -> Integers:
    """(n,) the face that holds each point (n, 2), metres from the origin; -1 outside."""
    return np.asarray(_faces_below(xy, parts.vertices, parts.edges, parts.face))


@compiled
def _faces_below(xy: Any, vertices: Any, edges: Any, face: Any) -> Any:
    """What lies under the lowest edge above each point."""
    found = np.full(xy.shape[0], -1, dtype=np.int64)
    sides = np.empty((face.shape[0], 4))
    for h in range(face.shape[0]):
        a, b = edges[h >> 1, h & 1], edges[h >> 1, 1 - (h & 1)]
        sides[h, 0], sides[h, 1] = vertices[a, 0] * UNIT, vertices[a, 1] * UNIT
        sides[h, 2], sides[h, 3] = vertices[b, 0] * UNIT, vertices[b, 1] * UNIT
    low, high = sides[:, 0].min(), sides[:, 0].max()
    scale = STRIPS / max(high - low, 1e-9)
    # Of each strip of x the edges over it, in their order: running west, so that their left is below.
    start = np.zeros(STRIPS + 1, dtype=np.int64)
    for h in range(sides.shape[0]):
        if sides[h, 0] > sides[h, 2]:
            for s in range(_strip(sides[h, 2], low, scale), _strip(sides[h, 0], low, scale) + 1):
                start[s + 1] += 1
    for s in range(STRIPS):
        start[s + 1] += start[s]
    member, cursor = np.empty(start[-1], dtype=np.int64), start[:-1].copy()
    for h in range(sides.shape[0]):
        if sides[h, 0] > sides[h, 2]:
            for s in range(_strip(sides[h, 2], low, scale), _strip(sides[h, 0], low, scale) + 1):
                member[cursor[s]] = h
                cursor[s] += 1
    for i in range(xy.shape[0]):
        x, y, best = xy[i, 0], xy[i, 1], np.inf
        if not low <= x <= high:
            continue
        s = _strip(x, low, scale)
        for k in range(start[s], start[s + 1]):
            h = member[k]
            if sides[h, 0] > x and sides[h, 2] <= x:
                at = sides[h, 1] + (x - sides[h, 0]) * (sides[h, 3] - sides[h, 1]) / (sides[h, 2] - sides[h, 0])
                if at > y and at < best:
                    best, found[i] = at, face[h]
    return found


@compiled
def _strip(x: Any, low: Any, scale: Any) -> Any:
    return min(int((x - low) * scale), STRIPS - 1)
