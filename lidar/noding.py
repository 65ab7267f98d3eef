"""Segments cut where they meet, on a grid of 0.1 mm: snap rounding to 2 cm that leaves the outline as it is.

After Hobby (1999), "Practical segment intersection with finite precision output": a segment that passes near a vertex
is led through it. What is nearer together than the snap becomes one, so that no sliver is left where lines that were
estimated should have met in one place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import compiled

UNIT = 1e-4
"""m: coordinates are whole numbers of it."""
SNAP = 200
"""Units (2 cm): vertices of lines nearer to each other, or to the outline, than this are one."""
ON = 2
"""Units: how far rounding may put a vertex off the outline's edge it lies on."""
ROUNDS = 8
"""Times that segments which were led aside are looked at for new meetings."""

Integers = NDArray[np.int64]


def noded(segments: Integers, outline: NDArray[np.bool_]) -> tuple[Integers, Integers, Integers, Integers] | None:
    """Vertices and edges that segments make, none crossing another.

    Args:
        segments: (n, 4) x, y of both ends in units; those of the outline form closed rings, the inside on their left.
        outline: (n,) which are the outline's.

    Returns:
        vertices (v, 2); edges (e, 2) by vertex; (e,) 1 if the outline runs along the edge, -1 if against it, 0 if not
        at all or both ways; (e,) the segment it comes from, the lowest of several. None if the segments still cross
        after all rounds, which needs many lines within a few centimetres.
    """
    fixed = unique(np.concatenate([segments[outline][:, :2], segments[outline][:, 2:]]))
    rim = segments[outline]
    vertices = _accepted(fixed, rim, _in_order(_meetings(segments, outline)))
    pieces, sources, rims = segments, np.arange(len(segments)), outline
    for _ in range(ROUNDS):
        start, end, source, along = _routed(pieces, sources, rims, vertices, len(fixed))
        edges, sign, origin = _single(start, end, source, along)
        met = _in_order(crossings(vertices, edges))
        if len(met) == 0:
            return vertices, edges, sign, origin
        grown = _accepted(vertices, rim, met)
        if len(grown) == len(vertices):
            grown = _unique_after(vertices, met)
        vertices = grown
        ends = vertices[edges]
        backwards = sign < 0
        ends[backwards] = ends[backwards][:, ::-1]
        pieces, sources, rims = ends.reshape(-1, 4), origin, sign != 0
    return None


def _in_order(points: Integers) -> Integers:
    """(m, 2) places in the order of their coordinates."""
    found: Integers = points[np.lexsort((points[:, 1], points[:, 0]))]
    return found


def unique(points: Integers) -> Integers:
    """(m, 2) places in the order of their coordinates, each once."""
    ordered = _in_order(points)
    new = np.ones(len(ordered), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return ordered[new]


def _unique_after(first: Integers, more: Integers) -> Integers:
    """The first points, then those of the others that are not among them."""
    _, where = np.unique(np.concatenate([first, more]), axis=0, return_index=True)
    added = np.sort(where[where >= len(first)]) - len(first)
    return np.concatenate([first, more[added]])


@compiled
def _meetings(segments: Any, outline: Any) -> Any:
    """Where lines meet each other or the outline, and their ends."""
    n = segments.shape[0]
    found = []
    for i in range(n):
        if outline[i]:
            continue
        found.append((segments[i, 0], segments[i, 1]))
        found.append((segments[i, 2], segments[i, 3]))
        for j in range(n):
            if j > i or outline[j]:
                met, x, y = _meeting(segments[i], segments[j])
                if met:
                    found.append((x, y))
    points = np.empty((len(found), 2), dtype=np.int64)
    for k in range(len(found)):
        points[k, 0], points[k, 1] = found[k]
    return points


@compiled
def _meeting(first: Any, second: Any) -> Any:
    """Whether two segments meet, ends drawn out by the snap, and where, rounded."""
    ax, ay, bx, by = first[0], first[1], first[2], first[3]
    cx, cy, dx, dy = second[0], second[1], second[2], second[3]
    rx, ry, sx, sy = float(bx - ax), float(by - ay), float(dx - cx), float(dy - cy)
    determinant = rx * sy - ry * sx
    r, s = np.sqrt(rx * rx + ry * ry), np.sqrt(sx * sx + sy * sy)
    if r == 0.0 or s == 0.0 or abs(determinant) < 1e-3 * r * s:
        return False, np.int64(0), np.int64(0)
    px, py = float(cx - ax), float(cy - ay)
    t, u = (px * sy - py * sx) / determinant, (px * ry - py * rx) / determinant
    if t < -SNAP / r or t > 1.0 + SNAP / r or u < -SNAP / s or u > 1.0 + SNAP / s:
        return False, np.int64(0), np.int64(0)
    return True, np.int64(np.rint(ax + t * rx)), np.int64(np.rint(ay + t * ry))


@compiled
def _distance(x: Any, y: Any, segment: Any) -> Any:
    """Distance of a point from a segment, and the nearest place on it as a share of its length."""
    rx, ry = float(segment[2] - segment[0]), float(segment[3] - segment[1])
    px, py = float(x - segment[0]), float(y - segment[1])
    length = rx * rx + ry * ry
    t = 0.0 if length == 0.0 else min(max((px * rx + py * ry) / length, 0.0), 1.0)
    return np.hypot(px - t * rx, py - t * ry), t


@compiled
def _accepted(fixed: Any, rim: Any, candidates: Any) -> Any:
    """Fixed vertices and those candidates that no vertex is near; what is near the outline is put on it.

    Candidates are sorted; those put on the outline come first.
    """
    n, m = candidates.shape[0], fixed.shape[0]
    placed = candidates.copy()
    kind = np.zeros(n, dtype=np.int64)  # 0 inside, 1 on the outline, 2 taken by a fixed vertex
    for k in range(n):
        nearest, where, edge = np.inf, 0.0, -1
        for e in range(rim.shape[0]):
            if (
                min(rim[e, 0], rim[e, 2]) - SNAP > candidates[k, 0]
                or max(rim[e, 0], rim[e, 2]) + SNAP < candidates[k, 0]
                or min(rim[e, 1], rim[e, 3]) - SNAP > candidates[k, 1]
                or max(rim[e, 1], rim[e, 3]) + SNAP < candidates[k, 1]
            ):
                continue
            away, t = _distance(candidates[k, 0], candidates[k, 1], rim[e])
            if away < nearest:
                nearest, where, edge = away, t, e
        if nearest <= SNAP:
            placed[k, 0] = np.int64(np.rint(rim[edge, 0] + where * (rim[edge, 2] - rim[edge, 0])))
            placed[k, 1] = np.int64(np.rint(rim[edge, 1] + where * (rim[edge, 3] - rim[edge, 1])))
            kind[k] = 1
        for v in range(m):
            if _together(fixed[v], placed[k]):
                kind[k] = 2
                break
    vertices = np.empty((m + n, 2), dtype=np.int64)
    vertices[:m] = fixed
    count = m
    for wanted in (1, 0):
        for k in range(n):
            if kind[k] != wanted:
                continue
            free = True
            for v in range(count - 1, m - 1, -1):
                if _together(vertices[v], placed[k]):
                    free = False
                    break
            if free:
                vertices[count] = placed[k]
                count += 1
    return vertices[:count]


@compiled
def _together(one: Any, other: Any) -> Any:
    """Whether two places are no farther apart than the snap; exact."""
    dx, dy = one[0] - other[0], one[1] - other[1]
    return abs(dx) <= SNAP and abs(dy) <= SNAP and dx * dx + dy * dy <= SNAP * SNAP


@compiled
def _nearest(x: Any, y: Any, vertices: Any) -> Any:
    best, found = np.int64(-1), -1
    for v in range(vertices.shape[0]):
        dx, dy = vertices[v, 0] - x, vertices[v, 1] - y
        away = dx * dx + dy * dy
        if found < 0 or away < best:
            best, found = away, v
    return found


@compiled
def _routed(segments: Any, sources: Any, rims: Any, vertices: Any, fixed: Any) -> Any:
    """Each segment as a chain of the vertices it passes: start, end, source and whether outline, of each link."""
    links = []
    share, passed = np.empty(vertices.shape[0]), np.empty(vertices.shape[0], dtype=np.int64)
    for i in range(segments.shape[0]):
        segment = segments[i]
        first = _nearest(segment[0], segment[1], vertices)
        last = _nearest(segment[2], segment[3], vertices)
        reach = ON if rims[i] else SNAP
        west, east = min(segment[0], segment[2]) - reach, max(segment[0], segment[2]) + reach
        south, north = min(segment[1], segment[3]) - reach, max(segment[1], segment[3]) + reach
        count = 0
        for v in range(vertices.shape[0]):
            x, y = vertices[v, 0], vertices[v, 1]
            if v in (first, last) or x < west or x > east or y < south or y > north:
                continue
            away, t = _distance(x, y, segment)
            if away <= reach and t > 0.0 and t < 1.0:
                k = count  # sorted by insertion: few are passed
                while k > 0 and (share[k - 1] > t or (share[k - 1] == t and passed[k - 1] > v)):
                    share[k], passed[k] = share[k - 1], passed[k - 1]
                    k -= 1
                share[k], passed[k] = t, v
                count += 1
        at = first
        for v in passed[:count]:
            links.append((at, v, sources[i], rims[i]))
            at = v
        if at != last:
            links.append((at, last, sources[i], rims[i]))
    count = len(links)
    start, end = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    source, along = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.bool_)
    for k in range(count):
        start[k], end[k], source[k], along[k] = links[k]
    return start, end, source, along


def _single(
    start: Integers, end: Integers, source: Integers, along: NDArray[np.bool_]
) -> tuple[Integers, Integers, Integers]:
    """Links as edges, each once, with how the outline runs along it and the lowest source."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.lexsort((source, high, low))
    low, high, source = low[order], high[order], source[order]
    sign = np.where(along, np.where(start < end, 1, -1), 0)[order]
    new = np.ones(len(low), dtype=bool)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    first = np.flatnonzero(new)
    total = np.clip(np.add.reduceat(sign, first), -1, 1) if len(first) else sign
    return np.column_stack([low[first], high[first]]), total, source[first]


@compiled
def crossings(vertices: Any, edges: Any) -> Any:
    """(m, 2) where edges cross without a vertex of both being there."""
    n = edges.shape[0]
    west = np.empty(n, dtype=np.int64)
    for e in range(n):
        west[e] = min(vertices[edges[e, 0], 0], vertices[edges[e, 1], 0])
    order = np.argsort(west, kind="mergesort")
    found = []
    for i in range(n):
        a, b = edges[order[i], 0], edges[order[i], 1]
        east = max(vertices[a, 0], vertices[b, 0])
        for j in range(i + 1, n):
            if west[order[j]] > east:
                break
            c, d = edges[order[j], 0], edges[order[j], 1]
            if a in (c, d) or b in (c, d):
                continue
            ab_c, ab_d = _side(vertices, a, b, c), _side(vertices, a, b, d)
            cd_a, cd_b = _side(vertices, c, d, a), _side(vertices, c, d, b)
            if ab_c * ab_d < 0 and cd_a * cd_b < 0:
                p, q, r, s = vertices[a], vertices[b], vertices[c], vertices[d]
                rx, ry, sx, sy = float(q[0] - p[0]), float(q[1] - p[1]), float(s[0] - r[0]), float(s[1] - r[1])
                t = (float(r[0] - p[0]) * sy - float(r[1] - p[1]) * sx) / (rx * sy - ry * sx)
                found.append((np.int64(np.rint(p[0] + t * rx)), np.int64(np.rint(p[1] + t * ry))))
    points = np.empty((len(found), 2), dtype=np.int64)
    for k in range(len(found)):
        points[k, 0], points[k, 1] = found[k]
    return points


@compiled
def _side(vertices: Any, a: Any, b: Any, c: Any) -> Any:
    """1 if c lies to the left of the line from a to b, -1 to the right, 0 on it; exact up to 90 km."""
    value = (vertices[b, 0] - vertices[a, 0]) * (vertices[c, 1] - vertices[a, 1]) - (
        vertices[b, 1] - vertices[a, 1]
    ) * (vertices[c, 0] - vertices[a, 0])
    return 1 if value > 0 else (-1 if value < 0 else 0)
