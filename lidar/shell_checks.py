"""Compiled checks of a solid's rings, faces and shell, on flat arrays.

A solid is the vertex of each corner, rings after each other, faces after each other: `corner` (c,), `ring` (r + 1,) the
place of each ring's first corner, `face` (f + 1,) the place of each face's first ring.
"""

from __future__ import annotations

from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.city_model.building import Solid
from gis.errors import BadGeometry
from lidar.morphology import compiled

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TOO_FEW_POINTS, REPEATED, NO_AREA, NOT_PLANAR, HOLE_OUTSIDE, HOLES_NESTED, HOLE_TURNS_ALONG = 1, 2, 4, 8, 16, 32, 64
EDGE, OPEN, FANS, SHELLS = 128, 256, 512, 1024
"""What is wrong, as bits."""
MOST_PAIRS = 128
"""Corners of a face up to which all pairs of its edges are looked at here."""
ROUNDING = 1e-14
"""Share of the square of a face's extent: how wrong the side of a line can be in double precision, with room."""


class Flat(NamedTuple):
    """A solid as flat arrays."""

    vertices: Floats
    corner: Integers
    ring: Integers
    face: Integers


def flattened(solid: Solid) -> Flat:
    """The solid as flat arrays.

    Raises:
        BadGeometry: a face names a vertex that is not there.
    """
    of_face = [face.rings for face in solid.faces]
    rings = list(chain.from_iterable(of_face))
    corner = np.fromiter(chain.from_iterable(rings), dtype=np.int64)
    starts = np.fromiter(accumulate(map(len, rings), initial=0), dtype=np.int64, count=len(rings) + 1)
    faces = np.fromiter(accumulate(map(len, of_face), initial=0), dtype=np.int64, count=len(of_face) + 1)
    vertices = np.ascontiguousarray(solid.vertices, dtype=np.float64)
    if len(corner) and not 0 <= corner.min() <= corner.max() < len(vertices):
        raise BadGeometry("a solid", "a face names a vertex that is not there")
    return Flat(vertices, corner, starts, faces)


@compiled
def faults(
    vertices: Floats, corner: Integers, ring: Integers, face: Integers, snap: float, planarity: float
) -> tuple[int, NDArray[np.bool_], float]:
    """Bits of all that is wrong, (f,) faces in doubt as of `face_faults`, and m³.

    Where rings are wrong nothing else is looked at, and no face is in doubt.
    """
    same = identities(vertices, snap)
    found = ring_faults(same, corner, ring)
    if found != 0:
        return found, np.zeros(0, dtype=np.bool_), 0.0
    bits, doubt = face_faults(vertices, corner, ring, face, planarity, snap * snap)
    for k in range(bits.shape[0]):
        found |= bits[k]
    found |= shell_faults(same, corner, ring, face)
    return found, doubt, volume_of(vertices, corner, ring)


@compiled
def volume_of(vertices: Floats, corner: Integers, ring: Integers) -> float:
    """m³ by the divergence theorem over fans of triangles; a hole's ring runs the other way and takes its part off."""
    first = vertices[corner[0]]
    total = 0.0
    for r in range(ring.shape[0] - 1):
        ax, ay, az = vertices[corner[ring[r]]] - first
        for k in range(ring[r] + 1, ring[r + 1] - 1):
            bx, by, bz = vertices[corner[k]] - first
            cx, cy, cz = vertices[corner[k + 1]] - first
            total += ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    return total / 6.0


@compiled
def faces_up(vertices: Floats, corner: Integers, ring: Integers, face: Integers) -> tuple[Floats, Floats]:
    """(f,) upward part of each face's unit normal, NaN without area, and (f,) its area in m², holes taken off.

    By Newell's method over all rings of a face, as `gis.city_model.faces.normals`.
    """
    count = face.shape[0] - 1
    up, area = np.empty(count), np.empty(count)
    for f in range(count):
        x, y, z = 0.0, 0.0, 0.0
        first = vertices[corner[ring[face[f]]]]
        for r in range(face[f], face[f + 1]):
            for k in range(ring[r], ring[r + 1]):
                here = vertices[corner[k]]
                following = vertices[corner[k + 1 if k + 1 < ring[r + 1] else ring[r]]]
                ax, ay, az = here[0] - first[0], here[1] - first[1], here[2] - first[2]
                bx, by, bz = following[0] - first[0], following[1] - first[1], following[2] - first[2]
                x += ay * bz - az * by
                y += az * bx - ax * bz
                z += ax * by - ay * bx
        length = np.sqrt(x * x + y * y + z * z)
        up[f] = z / length if length > 0.0 else np.nan
        area[f] = length / 2.0
    return up, area


@compiled
def identities(vertices: Floats, snap: float) -> Integers:
    """(n,) for each vertex the first one that rounds to the same place."""
    n = vertices.shape[0]
    place = np.empty((n, 3), dtype=np.int64)
    key = np.empty(n, dtype=np.int64)
    for i in range(n):
        mixed = np.int64(0)
        for axis in range(3):
            place[i, axis] = np.int64(np.rint(vertices[i, axis] / snap))
            mixed = mixed * np.int64(1_000_003) + place[i, axis]
        key[i] = mixed
    order = np.argsort(key, kind="mergesort")
    same = np.empty(n, dtype=np.int64)
    start = 0
    for at in range(n):
        i = order[at]
        if key[i] != key[order[start]]:
            start = at
        same[i] = i
        for before in range(start, at):
            j = order[before]
            if place[i, 0] == place[j, 0] and place[i, 1] == place[j, 1] and place[i, 2] == place[j, 2]:
                same[i] = same[j]
                break
    return same


@compiled
def ring_faults(same: Integers, corner: Integers, ring: Integers) -> int:
    """Bits of rings of fewer than three corners, and of corners that are the same as the next."""
    found = 0
    for r in range(ring.shape[0] - 1):
        if ring[r + 1] - ring[r] < 3:
            found |= TOO_FEW_POINTS
        for k in range(ring[r], ring[r + 1]):
            following = k + 1 if k + 1 < ring[r + 1] else ring[r]
            if k != following and same[corner[k]] == same[corner[following]]:
                found |= REPEATED
    return found


@compiled
def shell_faults(same: Integers, corner: Integers, ring: Integers, face: Integers) -> int:
    """Bits of how the faces hold together: edges, then fans around vertices, then connected parts."""
    c, n = corner.shape[0], same.shape[0]
    key, reverse = np.empty(c, dtype=np.int64), np.empty(c, dtype=np.int64)
    before, owner = np.empty(c, dtype=np.int64), np.empty(c, dtype=np.int64)
    for f in range(face.shape[0] - 1):
        for r in range(face[f], face[f + 1]):
            for k in range(ring[r], ring[r + 1]):
                following = k + 1 if k + 1 < ring[r + 1] else ring[r]
                a, b = same[corner[k]], same[corner[following]]
                key[k], reverse[k] = a * n + b, b * n + a
                before[following], owner[k] = k, f
    order = np.argsort(key, kind="mergesort")
    ordered = key[order]
    found = 0
    for k in range(1, c):
        if ordered[k] == ordered[k - 1]:
            found |= EDGE
    twin = np.empty(c, dtype=np.int64)
    for k in range(c):
        at = np.searchsorted(ordered, reverse[k])
        there = at < c and ordered[at] == reverse[k]
        twin[k] = order[at] if there else -1
        if not there:
            found |= OPEN
    if found != 0:
        return found
    # Turning from an edge that leaves a vertex to the next: across the face to the edge that comes in, then its twin.
    seen = np.zeros(c, dtype=np.bool_)
    fans = np.zeros(n, dtype=np.int64)
    parent = np.arange(face.shape[0] - 1)
    for k in range(c):
        if not seen[k]:
            fans[same[corner[k]]] += 1
            h = k
            while not seen[h]:
                seen[h] = True
                h = twin[before[h]]
        low, high = _root(parent, owner[k]), _root(parent, owner[twin[k]])
        parent[max(low, high)] = min(low, high)
    if fans.max() > 1:
        found |= FANS
    for f in range(1, parent.shape[0]):
        if parent[f] == f:
            found |= SHELLS
    return found


@compiled
def _root(parent: Integers, k: int) -> int:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@compiled
def face_faults(
    vertices: Floats, corner: Integers, ring: Integers, face: Integers, planarity: float, smallest: float
) -> tuple[Integers, NDArray[np.bool_]]:
    """(f,) bits of each face, and (f,) whether its edges may meet where they should not: that is to be decided exactly.

    A face that is not in doubt is simple: all pairs of its edges that are no neighbours are apart for certain.
    """
    count = face.shape[0] - 1
    bits = np.zeros(count, dtype=np.int64)
    doubt = np.zeros(count, dtype=np.bool_)
    for f in range(count):
        start, middle, end = ring[face[f]], ring[face[f] + 1], ring[face[f + 1]]
        local = np.empty((end - start, 3))
        for k in range(start, end):
            local[k - start] = vertices[corner[k]] - vertices[corner[start]]
        normal = np.zeros(3)
        for k in range(middle - start):
            following = k + 1 if k + 1 < middle - start else 0
            for axis in range(3):
                i, j = (axis + 1) % 3, (axis + 2) % 3
                normal[axis] += local[k, i] * local[following, j] - local[k, j] * local[following, i]
        length = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
        if length < smallest:
            bits[f] |= NO_AREA
            continue
        normal /= length
        offset, drop = 0.0, 0
        for k in range(end - start):
            offset += local[k, 0] * normal[0] + local[k, 1] * normal[1] + local[k, 2] * normal[2]
        offset /= end - start
        for k in range(end - start):
            away = local[k, 0] * normal[0] + local[k, 1] * normal[1] + local[k, 2] * normal[2] - offset
            if abs(away) > planarity:
                bits[f] |= NOT_PLANAR
        for axis in range(1, 3):
            if abs(normal[axis]) > abs(normal[drop]):
                drop = axis
        flat = np.empty((end - start, 2))
        flat[:, 0], flat[:, 1] = local[:, (drop + 1) % 3], local[:, (drop + 2) % 3]
        rings = ring[face[f] : face[f + 1] + 1] - start
        for r in range(1, rings.shape[0] - 1):
            if _doubled_area(flat, rings[r], rings[r + 1]) * normal[drop] > 0.0:
                bits[f] |= HOLE_TURNS_ALONG
        if end - start > MOST_PAIRS or not _apart(flat, rings):
            doubt[f] = True
            continue
        for r in range(1, rings.shape[0] - 1):
            x, y = flat[rings[r]]
            if not _inside(flat, rings[0], rings[1], x, y):
                bits[f] |= HOLE_OUTSIDE
            for other in range(1, rings.shape[0] - 1):
                if other != r and _inside(flat, rings[other], rings[other + 1], x, y):
                    bits[f] |= HOLES_NESTED
    return bits, doubt


@compiled
def _apart(xy: Floats, rings: Integers) -> bool:
    """Whether for certain no two edges meet but neighbours in their common corner."""
    n = xy.shape[0]
    following = np.empty(n, dtype=np.int64)
    for r in range(rings.shape[0] - 1):
        for k in range(rings[r], rings[r + 1]):
            following[k] = k + 1 if k + 1 < rings[r + 1] else rings[r]
    extent = max(np.ptp(xy[:, 0]), np.ptp(xy[:, 1]))
    unsure = ROUNDING * extent * extent
    for a in range(n):
        b = following[a]
        for c in range(a + 1, n):
            d = following[c]
            if b == c or d == a:
                # Neighbours: apart unless the second runs back along the first.
                first, middle, last = (a, b, d) if b == c else (c, a, b)
                ux, uy = xy[middle, 0] - xy[first, 0], xy[middle, 1] - xy[first, 1]
                vx, vy = xy[last, 0] - xy[middle, 0], xy[last, 1] - xy[middle, 1]
                if ux * vx + uy * vy <= unsure and abs(ux * vy - uy * vx) <= unsure:
                    return False
                continue
            if (
                max(xy[a, 0], xy[b, 0]) < min(xy[c, 0], xy[d, 0])
                or max(xy[c, 0], xy[d, 0]) < min(xy[a, 0], xy[b, 0])
                or max(xy[a, 1], xy[b, 1]) < min(xy[c, 1], xy[d, 1])
                or max(xy[c, 1], xy[d, 1]) < min(xy[a, 1], xy[b, 1])
            ):
                continue
            if _beside(xy, a, b, c, d, unsure) or _beside(xy, c, d, a, b, unsure):
                continue
            return False
    return True


@compiled
def _beside(xy: Floats, a: int, b: int, c: int, d: int, unsure: float) -> bool:
    """Whether c and d lie on one side of the line through a and b for certain."""
    ux, uy = xy[b, 0] - xy[a, 0], xy[b, 1] - xy[a, 1]
    first = ux * (xy[c, 1] - xy[a, 1]) - uy * (xy[c, 0] - xy[a, 0])
    second = ux * (xy[d, 1] - xy[a, 1]) - uy * (xy[d, 0] - xy[a, 0])
    return bool((first > unsure and second > unsure) or (first < -unsure and second < -unsure))


@compiled
def _doubled_area(xy: Floats, start: int, end: int) -> float:
    total = 0.0
    for k in range(start, end):
        j = k + 1 if k + 1 < end else start
        total += xy[k, 0] * xy[j, 1] - xy[k, 1] * xy[j, 0]
    return total


@compiled
def _inside(xy: Floats, start: int, end: int, x: float, y: float) -> bool:
    """Whether a place that lies on no edge of a ring is inside it."""
    within = False
    for k in range(start, end):
        j = k + 1 if k + 1 < end else start
        if (xy[k, 1] > y) != (xy[j, 1] > y):
            across = xy[k, 0] + (y - xy[k, 1]) * (xy[j, 0] - xy[k, 0]) / (xy[j, 1] - xy[k, 1])
            if x < across:
                within = not within
    return within
