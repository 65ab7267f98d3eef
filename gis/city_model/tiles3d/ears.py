"""Triangles of all faces of many solids in one compiled pass: ears are cut off, after holes are opened to the outside.

A face is seen along the axis its normal is longest in. A hole is joined to the ring around it by two coincident edges,
from its rightmost corner to a corner that sees it (Eberly, *Triangulation by Ear Clipping*, 2002). Corners on straight
lines are passed over, and slivers without area. What the triangles cover is held against the face's own area: a face
they miss is no simple polygon, and is told.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

AREA: Final = 1e-6
"""Share of a face's area that its triangles may miss."""
SPECK: Final = 1e-6
"""m²: a face of less is left out."""
FLAT: Final = 1e-7
"""m²: twice the area of a corner that is none; corners lie on 0.1 mm, and 10⁶ m from the origin of the CRS."""


def triangulated(
    xyz: NDArray[np.float64], rings: NDArray[np.int64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Triangles of faces.

    Args:
        xyz: (p, 3) corners.
        rings: (r + 1,) first corner of each ring, which is not closed.
        faces: (f + 1,) first ring of each face: the outer one, then holes, which turn the other way.

    Returns:
        (t, 3) corners of triangles that turn as their face does; (t,) their face; (f, 3) unit normals, outwards;
        (f,) whether a face is left to be cut otherwise, with no triangles.
    """
    corners = rings[faces[1:]] - rings[faces[:-1]]
    room = np.concatenate([[0], np.cumsum(corners + 2 * np.diff(faces))])
    triangles = np.empty((int(room[-1]), 3), dtype=np.int64)
    counts = np.zeros(len(corners), dtype=np.int64)
    normals = np.zeros((len(corners), 3))
    left = np.zeros(len(corners), dtype=np.bool_)
    _all(np.ascontiguousarray(xyz), rings, faces, room, triangles, counts, normals, left)
    owner = np.repeat(np.arange(len(corners)), counts)
    index = np.arange(len(owner)) + np.repeat(room[:-1] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return triangles[index], owner, normals, left


@njit(cache=True, nogil=True)
def _all(xyz, rings, faces, room, triangles, counts, normals, left):  # type: ignore[no-untyped-def]
    for f in range(len(faces) - 1):
        first, last = faces[f], faces[f + 1]
        nx, ny, nz = 0.0, 0.0, 0.0
        o = rings[first]
        for r in range(first, last):
            a, b = rings[r], rings[r + 1]
            for i in range(a, b):
                j = i + 1 if i + 1 < b else a
                x0, y0, z0 = xyz[i, 0] - xyz[o, 0], xyz[i, 1] - xyz[o, 1], xyz[i, 2] - xyz[o, 2]
                x1, y1, z1 = xyz[j, 0] - xyz[o, 0], xyz[j, 1] - xyz[o, 1], xyz[j, 2] - xyz[o, 2]
                nx += y0 * z1 - z0 * y1
                ny += z0 * x1 - x0 * z1
                nz += x0 * y1 - y0 * x1
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if length < 2.0 * SPECK:
            continue
        normals[f, 0], normals[f, 1], normals[f, 2] = nx / length, ny / length, nz / length
        if abs(nz) >= abs(nx) and abs(nz) >= abs(ny):
            u, v, twice, turned = 0, 1, abs(nz), nz < 0
        elif abs(nx) >= abs(ny):
            u, v, twice, turned = 1, 2, abs(nx), nx < 0
        else:
            u, v, twice, turned = 2, 0, abs(ny), ny < 0
        if turned:
            u, v = v, u
        out = triangles[room[f] : room[f + 1]]
        count = _face(xyz, u, v, rings, first, last, twice, out)
        if count < 0:
            left[f] = True
        else:
            counts[f] = count


@njit(cache=True, nogil=True)
def _face(xyz, u, v, rings, first, last, twice, out):  # type: ignore[no-untyped-def]
    """Triangles of one face seen from its outside in (u, v), where it turns to the left; −1: it has no such."""
    most = rings[last] - rings[first] + 2 * (last - first)
    poly = np.empty(most, dtype=np.int64)
    size = rings[first + 1] - rings[first]
    for i in range(size):
        poly[i] = rings[first] + i
    if size == 4 and last - first == 1:
        # Most walls: cut along a diagonal, where all four corners turn to the left.
        a, b, c, d = poly[0], poly[1], poly[2], poly[3]
        one, two = _cross(xyz, u, v, a, b, c), _cross(xyz, u, v, a, c, d)
        if one > FLAT and two > FLAT and _cross(xyz, u, v, b, c, d) > 0 and _cross(xyz, u, v, d, a, b) > 0:
            out[0, 0], out[0, 1], out[0, 2] = a, b, c
            out[1, 0], out[1, 1], out[1, 2] = a, c, d
            return 2
    for _ in range(last - first - 1):
        # The hole that reaches farthest to the right of those not opened yet; opened ones are in `poly` already.
        best, best_corner = -1, -1
        for r in range(first + 1, last):
            corner = rings[r]
            opened = False
            for i in range(size):
                if poly[i] == corner:
                    opened = True
                    break
            if opened:
                continue
            for i in range(rings[r], rings[r + 1]):
                if xyz[i, u] > xyz[corner, u]:
                    corner = i
            if best < 0 or xyz[corner, u] > xyz[best_corner, u]:
                best, best_corner = r, corner
        at = _bridge(xyz, u, v, poly, size, best_corner)
        if at < 0:
            return -1
        a, b = rings[best], rings[best + 1]
        length = b - a
        for i in range(size - 1, at, -1):
            poly[i + length + 2] = poly[i]
        for i in range(length + 1):
            poly[at + 1 + i] = a + (best_corner - a + i) % length
        poly[at + length + 2] = poly[at]
        size += length + 2
    return _ears(xyz, u, v, poly, size, twice, out)


@njit(cache=True, nogil=True)
def _bridge(xyz, u, v, poly, size, hole):  # type: ignore[no-untyped-def]
    """Place in the polygon of a corner that sees the rightmost corner of a hole; −1: none does."""
    hx, hy = xyz[hole, u], xyz[hole, v]
    nearest, at = np.inf, -1
    for i in range(size):
        p, q = poly[i], poly[(i + 1) % size]
        py, qy = xyz[p, v], xyz[q, v]
        # The inside is to the left of an edge that goes up on the right of the hole.
        if py <= hy <= qy and py < qy:
            x = xyz[p, u] + (hy - py) / (qy - py) * (xyz[q, u] - xyz[p, u])
            if hx <= x < nearest:
                nearest = x
                at = i if xyz[p, u] > xyz[q, u] else (i + 1) % size
                if py == hy:
                    at = i
                elif qy == hy:
                    at = (i + 1) % size
    if at < 0:
        return -1
    bx, by = xyz[poly[at], u], xyz[poly[at], v]
    if by == hy:
        return at
    # A corner inside of the triangle (hole, where the ray ends, the chosen corner) would be in the way: the one at the
    # smallest angle to the ray is taken then.
    best, flattest = at, np.inf
    for i in range(size):
        x, y = xyz[poly[i], u], xyz[poly[i], v]
        if x < hx or (x == bx and y == by):
            continue
        if _inside(x, y, hx, hy, nearest, hy, bx, by) and _reflex(xyz, u, v, poly, size, i):
            slope = abs(y - hy) / max(x - hx, 1e-300)
            if slope < flattest or (slope == flattest and x < xyz[poly[best], u]):
                flattest, best = slope, i
    return best


@njit(cache=True, nogil=True)
def _reflex(xyz, u, v, poly, size, i):  # type: ignore[no-untyped-def]
    return _cross(xyz, u, v, poly[(i - 1) % size], poly[i], poly[(i + 1) % size]) <= 0


@njit(cache=True, nogil=True)
def _ears(xyz, u, v, poly, size, twice, out):  # type: ignore[no-untyped-def]
    before, after = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    for i in range(size):
        before[i], after[i] = (i - 1) % size, (i + 1) % size
    count, left, here, tried = 0, size, 0, 0
    covered = 0.0
    while left > 2:
        if tried > left:
            return -1
        b, d = before[here], after[here]
        area = _cross(xyz, u, v, poly[b], poly[here], poly[d])
        if abs(area) <= FLAT or (area > 0 and _is_ear(xyz, u, v, poly, before, after, here)):
            if area > FLAT:
                out[count, 0], out[count, 1], out[count, 2] = poly[b], poly[here], poly[d]
                covered += area
                count += 1
            after[b], before[d] = d, b
            left -= 1
            tried = 0
            # One further on, so that triangles do not become a fan of slivers.
            here = after[d]
        else:
            here = d
            tried += 1
    return count if abs(covered - twice) <= AREA * twice + SPECK else -1


@njit(cache=True, nogil=True)
def _is_ear(xyz, u, v, poly, before, after, here):  # type: ignore[no-untyped-def]
    a, b, c = poly[before[here]], poly[here], poly[after[here]]
    ax, ay, bx, by, cx, cy = xyz[a, u], xyz[a, v], xyz[b, u], xyz[b, v], xyz[c, u], xyz[c, v]
    i = after[after[here]]
    while i != before[here]:
        x, y = xyz[poly[i], u], xyz[poly[i], v]
        same = (x == ax and y == ay) or (x == bx and y == by) or (x == cx and y == cy)
        if (
            not same
            and _inside(x, y, ax, ay, bx, by, cx, cy)
            and _cross(xyz, u, v, poly[before[i]], poly[i], poly[after[i]]) <= 0
        ):
            return False
        i = after[i]
    return True


@njit(cache=True, nogil=True)
def _inside(x, y, ax, ay, bx, by, cx, cy):  # type: ignore[no-untyped-def]
    """Whether a place is in a triangle or on its rim, whichever way it turns."""
    one = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    two = (cx - bx) * (y - by) - (cy - by) * (x - bx)
    three = (ax - cx) * (y - cy) - (ay - cy) * (x - cx)
    return (one >= 0 and two >= 0 and three >= 0) or (one <= 0 and two <= 0 and three <= 0)


@njit(cache=True, nogil=True)
def _cross(xyz, u, v, a, b, c):  # type: ignore[no-untyped-def]
    return (xyz[b, u] - xyz[a, u]) * (xyz[c, v] - xyz[a, v]) - (xyz[b, v] - xyz[a, v]) * (xyz[c, u] - xyz[a, u])
