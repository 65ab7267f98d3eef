"""A labelled subdivision and a plane for each label to a closed solid that stands on the ground.

Over every face lies its plane; where the heights of two neighbours differ, a vertical wall joins them. Vertices at one
place are told apart by height, and a wall holds all that lie between its lower and its upper end, so that every edge
belongs to exactly two faces: closed and oriented by construction (the extrusion of Peters et al. 2022, watertight).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.city_model.building import Face, Solid, Surface
from lidar.morphology import compiled
from lidar.noding import UNIT, Integers, crossings
from lidar.roof_planes import BEND
from lidar.subdivision import Subdivision, linked

OUTSIDE = -1
DIGITS = 4
"""Decimals of a metre that coordinates are rounded to: faces stay planar to 1 mm at any slope up to 80°."""
ALIKE = 0.001
"""m: heights over one place that differ less are one."""
RIDGE = 0.10
"""m: planes nearer than this at both ends of an edge meet in it."""
FARTHEST = 0.05
"""m: how far a vertex may be moved to where its planes meet."""
APART = 0.002
"""m: vertices that would come nearer to each other stay; what is within 1 mm is one place to those who check solids."""
HELD, SOFT, ANCHOR = 1e6, 1e-3, 1e-6
"""Weights against that of a ridge, 1: of the outline, of a step's line, of the place where the vertex was."""
LOWEST = 0.1
"""m above the ground: no roof is lower."""

Ring = list[int]


class NotManifold(Exception):
    """Four walls meet in one vertical line, or a region meets itself there: regions touch in a point only."""

    def __init__(self, place: tuple[float, float]) -> None:
        self.place = place
        """m from the origin."""
        super().__init__()


@dataclass(slots=True)
class _Map:
    """What is left of a subdivision when faces of one label are one region."""

    xy: NDArray[np.float64]
    """(v, 2) m from the origin."""
    fixed: int
    edges: list[Sequence[int]]
    sides: list[Sequence[int]]
    """Region left and right of each edge."""
    plane: list[int]
    """Of each region."""


def solid_of(
    parts: Subdivision, label: Integers, planes: NDArray[np.float64], ground: float, origin: tuple[float, float]
) -> Solid:
    """The solid under the planes.

    Args:
        parts: of the footprint; vertices in units of 0.1 mm from the origin.
        label: (f,) plane of each face.
        planes: (k, 3) a, b, c of z = a + b x + c y, x and y in metres from the origin, z above the vertical datum.
        ground: m above the vertical datum; what a plane has below it is cut off at 0.1 m above.
        origin: in the CRS.

    Raises:
        NotManifold: regions touch in a point, and both stand above those between them.
    """
    regions = _merged(parts, label)
    _settle(regions, planes)
    level = _levels(regions, planes, ground)
    if _split(regions, planes, level):
        level = _levels(regions, planes, ground)
    return _raised(regions, level, ground, origin)


def _merged(parts: Subdivision, label: Integers) -> _Map:
    """Regions of one label that hang together, and the straight edges between them."""
    edges, sides, plane = _regions(parts.edges, parts.face, parts.source, label, len(parts.vertices), parts.fixed)
    xy = np.asarray(parts.vertices * UNIT, dtype=np.float64)
    return _Map(xy, parts.fixed, edges.tolist(), sides.tolist(), plane.tolist())


@compiled
def _regions(edges: Any, face: Any, source: Any, label: Any, vertices: Any, fixed: Any) -> Any:
    """(m, 2) both ends and (m, 2) regions left and right of the edges between regions, and the plane of each region.

    Edges that meet in a vertex with no other, and come from one segment, are one, unless the outline has that vertex.
    """
    parent = np.arange(label.shape[0])
    for e in range(edges.shape[0]):
        left, right = face[2 * e], face[2 * e + 1]
        if left >= 0 and right >= 0 and label[left] == label[right]:
            a, b = _root(parent, left), _root(parent, right)
            parent[max(a, b)] = min(a, b)
    region, plane = np.empty(label.shape[0], dtype=np.int64), np.empty(label.shape[0], dtype=np.int64)
    regions = 0
    for node in range(label.shape[0]):
        first = _root(parent, node)  # never a later one
        if first == node:
            region[node], plane[regions] = regions, label[node]
            regions += 1
        else:
            region[node] = region[first]
    sides, kept = np.empty(face.shape[0], dtype=np.int64), np.empty(edges.shape[0], dtype=np.bool_)
    start = np.zeros(vertices + 1, dtype=np.int64)
    for e in range(edges.shape[0]):
        for h in (2 * e, 2 * e + 1):
            sides[h] = region[face[h]] if face[h] >= 0 else OUTSIDE
        kept[e] = sides[2 * e] != sides[2 * e + 1]
        if kept[e]:
            start[edges[e, 0] + 1] += 1
            start[edges[e, 1] + 1] += 1
    for v in range(vertices):
        start[v + 1] += start[v]
    at, cursor = np.empty(start[-1], dtype=np.int64), start[:-1].copy()
    for e in range(edges.shape[0]):
        if kept[e]:
            for v in edges[e]:
                at[cursor[v]] = e
                cursor[v] += 1
    passed = np.zeros(vertices, dtype=np.bool_)
    for v in range(fixed, vertices):
        passed[v] = start[v + 1] - start[v] == 2 and source[at[start[v]]] == source[at[start[v] + 1]]
    made, beside = np.empty_like(edges), np.empty_like(edges)
    count = 0
    for v in range(vertices):
        if passed[v]:
            continue
        for k in range(start[v], start[v + 1]):
            e = at[k]
            if not kept[e]:
                continue
            kept[e] = False  # is in one of those made
            turned = edges[e, 0] != v
            there, step = edges[e, 0 if turned else 1], e
            while passed[there]:
                step = at[start[there]] if at[start[there] + 1] == step else at[start[there] + 1]
                kept[step] = False
                there = edges[step, 0] if edges[step, 1] == there else edges[step, 1]
            made[count, 0], made[count, 1] = v, there
            beside[count, 0], beside[count, 1] = sides[2 * e + turned], sides[2 * e + 1 - turned]
            count += 1
    return made[:count], beside[:count], plane[:regions]


@compiled
def _root(parent: Any, node: Any) -> Any:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


def _settle(regions: _Map, planes: NDArray[np.float64]) -> None:
    """Move each vertex to where the planes around it meet: along the outline on it, by least squares inside."""
    at: dict[int, list[int]] = {}
    for e, (a, b) in enumerate(regions.edges):
        at.setdefault(a, []).append(e)
        at.setdefault(b, []).append(e)
    moved = regions.xy.copy()
    places, heights = regions.xy.tolist(), planes.tolist()
    for v, own in at.items():
        if v < regions.fixed:
            continue
        x, y = places[v]
        xx, xy, yy, right_x, right_y = ANCHOR, 0.0, ANCHOR, 0.0, 0.0
        for e in own:
            nx, ny, away, weight = _line(regions, places, heights, e, x, y)
            xx, xy, yy = xx + weight * nx * nx, xy + weight * nx * ny, yy + weight * ny * ny
            right_x, right_y = right_x - weight * away * nx, right_y - weight * away * ny
        determinant = xx * yy - xy * xy
        dx, dy = (yy * right_x - xy * right_y) / determinant, (xx * right_y - xy * right_x) / determinant
        if hypot(dx, dy) <= FARTHEST:
            moved[v] = x + dx, y + dy
    edges = np.array(regions.edges, dtype=np.int64)
    run = moved[edges[:, 1]] - moved[edges[:, 0]]
    close = edges[np.hypot(run[:, 0], run[:, 1]) < APART].reshape(-1)
    moved[close] = regions.xy[close]
    before, after = (np.rint(xy / UNIT).astype(np.int64) for xy in (regions.xy, moved))
    if _alike(before, after, edges):
        regions.xy = np.round(moved, DIGITS)


@compiled
def _alike(before: Any, after: Any, edges: Any) -> Any:
    """Whether edges follow each other as before when their vertices have moved, and none crosses another."""
    if not np.array_equal(before, after) and not np.array_equal(linked(before, edges), linked(after, edges)):
        return False
    return len(crossings(after, edges)) == 0


def _line(
    regions: _Map, places: list[list[float]], planes: list[list[float]], e: int, x: float, y: float
) -> tuple[float, float, float, float]:
    """The line an edge lies on: its normal, how far a place is from it, and what it weighs."""
    (a, b), (left, right) = regions.edges[e], regions.sides[e]
    (ax, ay), (bx, by) = places[a], places[b]
    weight = HELD
    if left != OUTSIDE and right != OUTSIDE:
        weight = SOFT
        one, other = planes[regions.plane[left]], planes[regions.plane[right]]
        p, q, r = one[0] - other[0], one[1] - other[1], one[2] - other[2]
        bend = hypot(q, r)
        if bend >= BEND and max(abs(p + q * ax + r * ay), abs(p + q * bx + r * by)) <= RIDGE:
            return q / bend, r / bend, (p + q * x + r * y) / bend, 1.0
    length = hypot(bx - ax, by - ay)
    nx, ny = (ay - by) / length, (bx - ax) / length
    return nx, ny, nx * (x - ax) + ny * (y - ay), weight


def _levels(regions: _Map, planes: NDArray[np.float64], ground: float) -> dict[tuple[int, int], float]:
    """The height of each region at each vertex of its border; the same for regions that meet there."""
    around: dict[int, set[int]] = {}
    for (a, b), sides in zip(regions.edges, regions.sides, strict=True):
        for v in (a, b):
            around.setdefault(v, set()).update(sides)
    level: dict[tuple[int, int], float] = {}
    places, heights = regions.xy.tolist(), planes.tolist()
    for v, own in around.items():
        x, y = places[v]
        found = []
        for region in own - {OUTSIDE}:
            p, q, r = heights[regions.plane[region]]
            found.append((max(round(p + q * x + r * y, DIGITS), ground + LOWEST), region))
        if OUTSIDE in own:
            level[v, OUTSIDE] = ground
        found.sort()
        first = 0
        for k in range(1, len(found) + 1):
            if k == len(found) or found[k][0] - found[first][0] > ALIKE:
                height = round(sum(z for z, _ in found[first:k]) / (k - first), DIGITS)
                for _, region in found[first:k]:
                    level[v, region] = height
                first = k
    return level


def _split(regions: _Map, planes: NDArray[np.float64], level: dict[tuple[int, int], float]) -> bool:
    """Cut edges along which one neighbour is higher at one end and lower at the other; whether there were any."""
    added: list[tuple[float, float]] = []
    for e in range(len(regions.edges)):
        (a, b), (left, right) = regions.edges[e], regions.sides[e]
        at_a, at_b = level[a, left] - level[a, right], level[b, left] - level[b, right]
        if at_a * at_b >= 0:
            continue
        share = at_a / (at_a - at_b)
        place = regions.xy[a] + share * (regions.xy[b] - regions.xy[a])
        v = len(regions.xy) + len(added)
        added.append((round(float(place[0]), DIGITS), round(float(place[1]), DIGITS)))
        regions.edges[e] = (a, v)
        regions.edges.append((v, b))
        regions.sides.append((left, right))
    if added:
        regions.xy = np.concatenate([regions.xy, np.array(added)])
    return bool(added)


class _Corners(dict[tuple[int, float], int]):
    """Numbers of a solid's vertices, by place and height, in the order in which they are first asked for."""

    def __missing__(self, key: tuple[int, float]) -> int:
        self[key] = number = len(self)
        return number


def _raised(regions: _Map, level: dict[tuple[int, int], float], ground: float, origin: tuple[float, float]) -> Solid:
    """Ground, roofs and walls."""
    edges = np.array(regions.edges, dtype=np.int64)
    following = linked(np.rint(regions.xy / UNIT).astype(np.int64), edges).tolist()
    region = [side for sides in regions.sides for side in sides]  # on the left of each half-edge
    start = edges.reshape(-1).tolist()
    _check_manifold(regions, start, region, following, level)
    corners = _Corners()
    faces = []
    rim = [region[h] == OUTSIDE or region[h ^ 1] == OUTSIDE for h in range(len(start))]
    inside = [h for h in range(len(start)) if rim[h] and region[h] != OUTSIDE]
    places = regions.xy.tolist()
    for outer, holes in _polygons(inside, start, following, rim, places):
        rings = tuple(tuple([corners[v, ground] for v in reversed(ring)]) for ring in (outer, *holes))
        faces.append(Face(rings, Surface.GROUND))
    every = [True] * len(start)
    of_region: dict[int, list[int]] = {}
    for h, own in enumerate(region):
        of_region.setdefault(own, []).append(h)
    for own, halves in of_region.items():
        if own == OUTSIDE:
            continue
        for outer, holes in _polygons(halves, start, following, every, places):
            rings = tuple(tuple([corners[v, level[v, own]] for v in ring]) for ring in (outer, *holes))
            faces.append(Face(rings, Surface.ROOF))
    heights: dict[int, list[float]] = {}
    for (v, _), z in level.items():
        heights.setdefault(v, []).append(z)
    for v, own_heights in heights.items():
        heights[v] = sorted(set(own_heights))
    for h, own in enumerate(region):
        u, v, other = start[h], start[h ^ 1], region[h ^ 1]
        if own == OUTSIDE:
            continue
        low_u, low_v, high_u, high_v = level[u, other], level[v, other], level[u, own], level[v, own]
        if high_u < low_u or high_v < low_v or (high_u == low_u and high_v == low_v):
            continue
        up = [z for z in heights[v] if low_v <= z <= high_v]
        down = [z for z in reversed(heights[u]) if low_u <= z <= high_u]
        ring = [corners[v, z] for z in up] + [corners[u, z] for z in down]
        faces.append(Face((tuple(ring),), Surface.WALL))
    vertices = np.array([(*places[v], z) for v, z in corners])
    vertices[:, :2] += origin
    return Solid(vertices, tuple(faces))


def _check_manifold(
    regions: _Map,
    start: Sequence[int],
    region: Sequence[int],
    following: Sequence[int],
    level: dict[tuple[int, int], float],
) -> None:
    """Raise if in a vertical line more than two walls meet at one height, or a region meets itself.

    Raises:
        NotManifold: they do.
    """
    seen: set[int] = set()
    for first in range(len(start)):
        v = start[first]
        if v in seen:
            continue
        seen.add(v)
        turn, regions_here, h = [], [], first
        while True:
            turn.append(level[v, region[h]])
            regions_here.append(region[h])
            h = following[h ^ 1]
            if h == first:
                break
        if len(turn) < 4:
            continue
        if len(set(regions_here)) < len(regions_here):
            raise NotManifold((float(regions.xy[v][0]), float(regions.xy[v][1])))
        steps = list(zip(turn, turn[1:] + turn[:1], strict=True))
        for low, high in zip(sorted(set(turn)), sorted(set(turn))[1:], strict=False):
            if sum(min(a, b) <= low and max(a, b) >= high for a, b in steps) > 2:
                raise NotManifold((float(regions.xy[v][0]), float(regions.xy[v][1])))


def _polygons(
    halves: Sequence[int],
    start: Sequence[int],
    following: Sequence[int],
    counts: Sequence[bool],
    xy: Sequence[Sequence[float]],
) -> Iterator[tuple[Ring, list[Ring]]]:
    """The polygons to the left of half-edges, as an outer ring and its holes; edges that do not count are not there."""
    left = set(halves)
    rings: list[Ring] = []
    for first in halves:
        if first not in left:
            continue
        walk, h = [], first
        while h in left:
            left.remove(h)
            walk.append(start[h])
            h = following[h]
            while not counts[h]:
                h = following[h ^ 1]
        rings.extend(_simple(walk))
    areas = [_area([xy[v] for v in ring]) for ring in rings]
    outer = [ring for ring, area in zip(rings, areas, strict=True) if area > 0]
    holes = [ring for ring, area in zip(rings, areas, strict=True) if area < 0]
    for ring in outer:
        own = holes if len(outer) == 1 else [hole for hole in holes if _lies_in(hole, ring, xy)]
        yield ring, own


def _simple(walk: Ring) -> Iterator[Ring]:
    """A closed walk cut where it comes back to a vertex."""
    path: Ring = []
    place: dict[int, int] = {}
    for v in walk:
        if v in place:
            yield path[place[v] :]
            for gone in path[place[v] + 1 :]:
                del place[gone]
            del path[place[v] + 1 :]
        else:
            place[v] = len(path)
            path.append(v)
    yield path


def _area(ring: Sequence[Sequence[float]]) -> float:
    x0, y0 = ring[0]
    total, ax, ay = 0.0, 0.0, 0.0
    for x, y in ring:  # the last side's share is nought: it ends in the origin
        bx, by = x - x0, y - y0
        total += ax * by - bx * ay
        ax, ay = bx, by
    return total / 2.0


def _lies_in(hole: Ring, ring: Ring, xy: Sequence[Sequence[float]]) -> bool:
    """Whether a hole's first vertex that is not the ring's lies inside the ring."""
    own = set(ring)
    x, y = xy[next((v for v in hole if v not in own), hole[0])]
    within = False
    for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
        (ax, ay), (bx, by) = xy[a], xy[b]
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            within = not within
    return within
