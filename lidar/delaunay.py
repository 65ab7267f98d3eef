"""Delaunay triangles of points of an integer grid, one point at a time, until they follow a height field.

Lawson, C. L. (1977): Software for C¹ surface interpolation: a point is put into its triangle, and edges are flipped
until no circumcircle holds a fourth point. Garland & Heckbert (1995): Fast polygonal approximation of terrains and
height fields: the next point is the one at which the triangles are farthest from the heights.
Coordinates are whole numbers up to 2¹², so that both tests are exact in 64 bits.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

NONE = -1


@njit(nogil=True, cache=True)
def refined(
    heights: Any, seeds: Any, tolerance: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Triangulate a square grid so that no inner grid point is farther in height than the tolerance.

    Args:
        heights: (n, n) of the grid points, finite.
        seeds: (k, 2) row and column of points that are vertices in any case. On the four outer edges there will be no
            others than these and the corners.
        tolerance: in the unit of the heights.

    Returns:
        Rows and columns of the vertices (v,) and triangles (t, 3) of their numbers, clockwise where rows run down.
    """
    n = heights.shape[0]
    most_points = n * n
    rows, columns = np.empty(most_points, np.int32), np.empty(most_points, np.int32)
    corners = np.empty(6 * most_points, np.int32)
    twins = np.full(6 * most_points, NONE, np.int32)
    used = np.zeros((n, n), np.bool_)
    last = n - 1
    for k in range(4):
        rows[k], columns[k] = (0 if k < 2 else last), (0 if k in (0, 3) else last)
        used[rows[k], columns[k]] = True
    corners[:6] = np.array([0, 1, 2, 0, 2, 3], np.int32)
    twins[2], twins[3] = 3, 2
    points, triangles, seed = 4, 2, 0
    stamps = np.zeros(2 * most_points, np.int64)
    worst = np.zeros((2 * most_points, 2), np.int32)
    queue = [(0.0, 0, 0)]
    changed = [0, 1]
    while True:
        if seed < seeds.shape[0]:
            # Seeds need no measure: all triangles are measured after the last of them.
            r, c = seeds[seed]
            seed += 1
            if used[r, c]:
                continue
            used[r, c] = True
            rows[points], columns[points] = r, c
            t = _triangle_with(rows, columns, corners, triangles, r, c)
        else:
            if seed == seeds.shape[0]:
                seed += 1
                queue.clear()
                changed.clear()
                changed.extend(range(triangles))
            for k in changed:
                _measure(heights, rows, columns, corners, k, tolerance, worst, stamps, queue)
            t = _next(queue, stamps)
            if t == NONE:
                break
            rows[points], columns[points] = worst[t]
        points += 1
        changed.clear()
        triangles = _insert(rows, columns, corners, twins, triangles, t, points - 1, changed)
    return rows[:points].copy(), columns[:points].copy(), corners[: 3 * triangles].copy().reshape(triangles, 3)


@njit(nogil=True, cache=True)
def _next(queue: Any, stamps: Any) -> Any:
    """The triangle that is farthest off; NONE if all are near enough."""
    while len(queue) > 0:
        _, t, stamp = heappop(queue)
        if stamps[t] == stamp:
            return t
    return NONE


@njit(nogil=True, cache=True)
def _turn(rows: Any, columns: Any, a: int, b: int, r: int, c: int) -> Any:
    """Positive where (r, c) lies to the right of a → b, seen with rows running down: the inside of a triangle."""
    across, down = np.int64(columns[b]) - columns[a], np.int64(rows[b]) - rows[a]
    return across * (np.int64(r) - rows[a]) - down * (np.int64(c) - columns[a])


@njit(nogil=True, cache=True)
def _in_circle(rows: Any, columns: Any, a: int, b: int, c: int, d: int) -> Any:
    """Whether d lies within the circle through the triangle a, b, c."""
    ax, ay = np.int64(columns[a]) - columns[d], np.int64(rows[a]) - rows[d]
    bx, by = np.int64(columns[b]) - columns[d], np.int64(rows[b]) - rows[d]
    cx, cy = np.int64(columns[c]) - columns[d], np.int64(rows[c]) - rows[d]
    aa, bb, cc = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
    return ax * (by * cc - bb * cy) - ay * (bx * cc - bb * cx) + aa * (bx * cy - by * cx) > 0


@njit(nogil=True, cache=True)
def _triangle_with(rows: Any, columns: Any, corners: Any, triangles: int, r: int, c: int) -> int:
    for t in range(triangles):
        i, j, k = corners[3 * t], corners[3 * t + 1], corners[3 * t + 2]
        if (
            _turn(rows, columns, i, j, r, c) >= 0
            and _turn(rows, columns, j, k, r, c) >= 0
            and _turn(rows, columns, k, i, r, c) >= 0
        ):
            return t
    return NONE


@njit(nogil=True, cache=True)
def _insert(rows: Any, columns: Any, corners: Any, twins: Any, triangles: int, t: int, point: int, changed: Any) -> int:
    """Put a point into a triangle, or onto one of its edges, and flip; adds the triangles changed to a list.

    In each triangle made of the point its third corner is the point and its first edge lies opposite. Returns how many
    triangles there are now.
    """
    r, c = rows[point], columns[point]
    on = NONE
    for edge in range(3):
        if _turn(rows, columns, corners[3 * t + edge], corners[3 * t + (edge + 1) % 3], r, c) == 0:
            on = edge
    pending = [0]
    pending.clear()
    if on == NONE:
        i, j, k = corners[3 * t], corners[3 * t + 1], corners[3 * t + 2]
        outer_jk, outer_ki = twins[3 * t + 1], twins[3 * t + 2]
        first, second, third = 3 * t, 3 * triangles, 3 * triangles + 3
        triangles += 2
        _set(corners, twins, first, i, j, point, twins[first])
        _set(corners, twins, second, j, k, point, outer_jk)
        _set(corners, twins, third, k, i, point, outer_ki)
        _join(twins, first + 1, second + 2)
        _join(twins, second + 1, third + 2)
        _join(twins, third + 1, first + 2)
        pending.append(first)
        pending.append(second)
        pending.append(third)
    else:
        edge, after, before = 3 * t + on, 3 * t + (on + 1) % 3, 3 * t + (on + 2) % 3
        u, v, w = corners[edge], corners[after], corners[before]
        beyond, outer_vw, outer_wu = twins[edge], twins[after], twins[before]
        first, second = 3 * t, 3 * triangles
        triangles += 1
        _set(corners, twins, first, w, u, point, outer_wu)
        _set(corners, twins, second, v, w, point, outer_vw)
        _join(twins, second + 1, first + 2)
        twins[first + 1] = NONE
        twins[second + 2] = NONE
        pending.append(first)
        pending.append(second)
        if beyond != NONE:
            base = beyond - beyond % 3
            after, before = base + (beyond + 1) % 3, base + (beyond + 2) % 3
            q = corners[before]
            outer_uq, outer_qv = twins[after], twins[before]
            third, fourth = base, 3 * triangles
            triangles += 1
            _set(corners, twins, third, u, q, point, outer_uq)
            _set(corners, twins, fourth, q, v, point, outer_qv)
            _join(twins, third + 1, fourth + 2)
            _join(twins, first + 1, third + 2)
            _join(twins, fourth + 1, second + 2)
            pending.append(third)
            pending.append(fourth)
    for edge in pending:
        changed.append(edge // 3)
    while len(pending) > 0:
        _flip(rows, columns, corners, twins, pending.pop(), pending, changed)
    return triangles


@njit(nogil=True, cache=True)
def _flip(rows: Any, columns: Any, corners: Any, twins: Any, edge: int, pending: Any, changed: Any) -> None:
    """Turn the edge opposite of a new point if the corner beyond it lies within the triangle's circle."""
    beyond = twins[edge]
    if beyond == NONE:
        return
    own, other = edge - edge % 3, beyond - beyond % 3
    u, v, p = corners[edge], corners[own + (edge + 1) % 3], corners[own + (edge + 2) % 3]
    q = corners[other + (beyond + 2) % 3]
    if not _in_circle(rows, columns, u, v, p, q):
        return
    outer_vp, outer_pu = twins[own + (edge + 1) % 3], twins[own + (edge + 2) % 3]
    outer_uq, outer_qv = twins[other + (beyond + 1) % 3], twins[other + (beyond + 2) % 3]
    _set(corners, twins, own, u, q, p, outer_uq)
    _set(corners, twins, other, q, v, p, outer_qv)
    _join(twins, own + 1, other + 2)
    _join(twins, own + 2, outer_pu)
    _join(twins, other + 1, outer_vp)
    pending.append(own)
    pending.append(other)
    changed.append(other // 3)


@njit(nogil=True, cache=True)
def _set(corners: Any, twins: Any, base: int, i: int, j: int, k: int, outer: int) -> None:
    """Make a triangle whose first edge has this twin."""
    corners[base], corners[base + 1], corners[base + 2] = i, j, k
    _join(twins, base, outer)


@njit(nogil=True, cache=True)
def _join(twins: Any, one: int, other: int) -> None:
    twins[one] = other
    if other != NONE:
        twins[other] = one


@njit(nogil=True, cache=True)
def _measure(
    heights: Any,
    rows: Any,
    columns: Any,
    corners: Any,
    t: int,
    tolerance: float,
    worst: Any,
    stamps: Any,
    queue: Any,
) -> None:
    """Find the inner grid point at which a triangle is farthest from the heights; queue it if that is too far."""
    stamps[t] += 1
    i, j, k = corners[3 * t], corners[3 * t + 1], corners[3 * t + 2]
    area = _turn(rows, columns, i, j, rows[k], columns[k])
    if area <= 0:
        return
    last = heights.shape[0] - 1
    hi, hj, hk = heights[rows[i], columns[i]], heights[rows[j], columns[j]], heights[rows[k], columns[k]]
    most = tolerance
    top, bottom = max(1, min(rows[i], rows[j], rows[k])), min(last - 1, max(rows[i], rows[j], rows[k]))
    left, right = (
        max(1, min(columns[i], columns[j], columns[k])),
        min(last - 1, max(columns[i], columns[j], columns[k])),
    )
    for r in range(top, bottom + 1):
        for c in range(left, right + 1):
            of_k = _turn(rows, columns, i, j, r, c)
            of_i = _turn(rows, columns, j, k, r, c)
            of_j = area - of_k - of_i
            if of_i < 0 or of_j < 0 or of_k < 0:
                continue
            off = abs((of_i * hi + of_j * hj + of_k * hk) / area - heights[r, c])
            if off > most:
                most = off
                worst[t, 0], worst[t, 1] = r, c
    if most > tolerance:
        heappush(queue, (-most, t, stamps[t]))
