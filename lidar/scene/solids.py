"""From a plan of cells, each under one plane, to a closed solid with semantics.

A building without overhangs is a partition of its footprint into cells, each with a planar top. Its walls follow: on
every edge between two cells (or a cell and the outside) a vertical face from the lower height to the higher. Heights
at a plan vertex are shared by all faces that meet there, so that every edge of the shell is used exactly twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, hypot

import numpy as np
from numpy.typing import NDArray

from gis.city_model.building import Face, Solid, Surface
from lidar.scene.shapes import Point, Ring, signed_area

SAME_HEIGHT_M = 0.004
"""Heights this near to each other at one plan vertex are one."""
ON_EDGE_M = 0.0015
MILLIMETRE = 1000.0

Plane = tuple[float, float, float]
"""(a, b, c): z = a·x + b·y + c."""
Key = tuple[int, int]
_NEAR = (0, -1, 1, -2, 2)


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of the plan under one plane; rings counter-clockwise, not closed."""

    ring: Ring
    plane: Plane
    holes: tuple[Ring, ...] = ()

    def height_at(self, x: float, y: float) -> float:
        """Of its plane."""
        a, b, c = self.plane
        return a * x + b * y + c


def level(z: float) -> Plane:
    """A horizontal plane."""
    return (0.0, 0.0, z)


def build_solid(cells: Sequence[Cell], ground: float) -> Solid:
    """The closed solid of a plan of cells above a horizontal base.

    The cells must not overlap, and together have one connected area. Coordinates are rounded to millimetres in plan.
    """
    rings = _noded(cells)
    heights = _heights(rings, cells, ground)
    return _Shell(rings, heights, ground).solid()


CellRings = list[list[Key]]


def _key(point: Point) -> Key:
    return (round(point[0] * MILLIMETRE), round(point[1] * MILLIMETRE))


def _known(key: Key, known: dict[Key, Key]) -> Key:
    """The vertex met before within two millimetres: where planes meet, each cell computes the corner on its own."""
    if key in known:
        return known[key]
    x, y = key
    for near in ((x + dx, y + dy) for dx in _NEAR for dy in _NEAR):
        if near in known:
            known[key] = known[near]
            return known[near]
    known[key] = key
    return key


def _noded(cells: Sequence[Cell]) -> list[CellRings]:
    """Rings on whole millimetres that share every vertex of their neighbours; outer rings left, holes right turning."""
    raw: list[CellRings] = []
    known: dict[Key, Key] = {}
    for cell in cells:
        outer = _dedupe([_known(_key(p), known) for p in cell.ring])
        holes = [_dedupe([_known(_key(p), known) for p in hole])[::-1] for hole in cell.holes]
        raw.append([outer, *holes])
    points = sorted({key for rings in raw for ring in rings for key in ring})
    grid: dict[Key, list[Key]] = defaultdict(list)
    for key in points:
        grid[(key[0] // 2000, key[1] // 2000)].append(key)
    noded = [[_with_points(ring, grid) for ring in rings] for rings in raw]
    return _split_crossings(noded, cells)


def _dedupe(ring: list[Key]) -> list[Key]:
    return [key for k, key in enumerate(ring) if key != ring[k - 1]]


def _with_points(ring: list[Key], grid: dict[Key, list[Key]]) -> list[Key]:
    """Insert the plan vertices that lie on its edges."""
    out: list[Key] = []
    tolerance = ON_EDGE_M * MILLIMETRE
    for k, (x0, y0) in enumerate(ring):
        x1, y1 = ring[(k + 1) % len(ring)]
        out.append((x0, y0))
        dx, dy = x1 - x0, y1 - y0
        length = hypot(dx, dy)
        found = []
        for gx in range(floor((min(x0, x1) - 2) / 2000), floor((max(x0, x1) + 2) / 2000) + 1):
            for gy in range(floor((min(y0, y1) - 2) / 2000), floor((max(y0, y1) + 2) / 2000) + 1):
                for px, py in grid.get((gx, gy), ()):
                    t = ((px - x0) * dx + (py - y0) * dy) / length
                    if tolerance < t < length - tolerance and abs((px - x0) * dy - (py - y0) * dx) / length < tolerance:
                        found.append((t, (px, py)))
        out.extend(key for _, key in sorted(found))
    return out


def _edges(noded: list[CellRings]) -> dict[tuple[Key, Key], int]:
    edges = {}
    for index, rings in enumerate(noded):
        for ring in rings:
            for k, key in enumerate(ring):
                edges[(key, ring[(k + 1) % len(ring)])] = index
    return edges


def _z(cell: Cell, key: Key) -> float:
    return cell.height_at(key[0] / MILLIMETRE, key[1] / MILLIMETRE)


def _split_crossings(noded: list[CellRings], cells: Sequence[Cell]) -> list[CellRings]:
    """Add a vertex where, along a shared edge, the higher cell becomes the lower."""
    edges = _edges(noded)
    added: dict[tuple[Key, Key], Key] = {}
    for (i, j), one in edges.items():
        other = edges.get((j, i))
        if other is None or other <= one:
            continue
        first = _z(cells[one], i) - _z(cells[other], i)
        last = _z(cells[one], j) - _z(cells[other], j)
        if first * last < 0 and min(abs(first), abs(last)) > SAME_HEIGHT_M:
            t = first / (first - last)
            middle = (round(i[0] + t * (j[0] - i[0])), round(i[1] + t * (j[1] - i[1])))
            added[(i, j)] = added[(j, i)] = middle
    if not added:
        return noded

    def split(ring: list[Key]) -> list[Key]:
        out = []
        for k, key in enumerate(ring):
            out.append(key)
            middle = added.get((key, ring[(k + 1) % len(ring)]))
            if middle is not None:
                out.append(middle)
        return out

    return [[split(ring) for ring in rings] for rings in noded]


Heights = dict[tuple[int, Key], float]


def _heights(noded: list[CellRings], cells: Sequence[Cell], ground: float) -> Heights:
    """The height of each cell at each of its vertices; those that differ by rounding only are made one."""
    at: dict[Key, list[tuple[float, int]]] = defaultdict(list)
    for index, rings in enumerate(noded):
        for ring in rings:
            for key in ring:
                at[key].append((_z(cells[index], key), index))
    heights: Heights = {}
    for key, found in at.items():
        group = ground
        for z, index in sorted(found):
            if z - group > SAME_HEIGHT_M:
                group = z
            heights[(index, key)] = group
    return heights


class _Shell:
    """Assembles the faces of a solid."""

    def __init__(self, noded: list[CellRings], heights: Heights, ground: float) -> None:
        self.noded, self.heights, self.ground = noded, heights, ground
        self.edges = _edges(noded)
        self.index: dict[tuple[Key, float], int] = {}
        self.faces: list[Face] = []
        levels: dict[Key, set[float]] = defaultdict(set)
        for (_, key), z in heights.items():
            levels[key].update((z, ground))
        self.levels = {key: sorted(found) for key, found in levels.items()}

    def solid(self) -> Solid:
        """All faces: roof, walls, ground."""
        for index, rings in enumerate(self.noded):
            loops = tuple(tuple(self._vertex(key, self.heights[(index, key)]) for key in ring) for ring in rings)
            self.faces.append(Face(loops, Surface.ROOF))
        outline: dict[Key, Key] = {}
        for (i, j), cell in self.edges.items():
            other = self.edges.get((j, i))
            self._wall(i, j, cell, other)
            if other is None:
                outline[i] = j
        self._ground(outline)
        vertices = np.array([[x / MILLIMETRE, y / MILLIMETRE, z] for (x, y), z in self.index], dtype=np.float64)
        return Solid(vertices, tuple(self.faces))

    def _vertex(self, key: Key, z: float) -> int:
        return self.index.setdefault((key, z), len(self.index))

    def _wall(self, i: Key, j: Key, cell: int, other: int | None) -> None:
        """The face between a cell and a lower neighbour on its right."""
        top = (self.heights[(cell, i)], self.heights[(cell, j)])
        foot = (self.ground, self.ground) if other is None else (self.heights[(other, i)], self.heights[(other, j)])
        if (top[0] <= foot[0] and top[1] <= foot[1]) or i == j:
            return
        rise_j = [z for z in self.levels[j] if foot[1] <= z <= top[1]] or [top[1]]
        rise_i = [z for z in self.levels[i] if foot[0] <= z <= top[0]] or [top[0]]
        loop = [self._vertex(j, z) for z in rise_j] + [self._vertex(i, z) for z in reversed(rise_i)]
        if len(loop) > 2:
            self.faces.append(Face((tuple(loop),), Surface.WALL))

    def _ground(self, outline: dict[Key, Key]) -> None:
        """The base, seen from below: outer ring first."""
        loops: list[list[Key]] = []
        left = dict(outline)
        while left:
            start = next(iter(left))
            loop = [start]
            key = left.pop(start)
            while key != start:
                loop.append(key)
                if key not in left:
                    raise ValueError("the plan's outline touches itself")
                key = left.pop(key)
            loops.append(loop)
        loops.sort(key=lambda loop: -abs(signed_area([(float(x), float(y)) for x, y in loop])))
        rings = tuple(tuple(self._vertex(key, self.ground) for key in reversed(loop)) for loop in loops)
        self.faces.append(Face(rings, Surface.GROUND))


def is_closed(solid: Solid) -> bool:
    """Whether each edge is used exactly once in each direction."""
    used: set[tuple[int, int]] = set()
    count = 0
    for face in solid.faces:
        for ring in face.rings:
            used.update(zip(ring, (*ring[1:], ring[0]), strict=True))
            count += len(ring)
    return len(used) == count and all((j, i) in used and i != j for i, j in used)


def faults(solid: Solid) -> list[str]:
    """What is wrong with a solid: open or doubly used edges, faces that are not flat, a volume that is not positive."""
    found = []
    used: dict[tuple[int, int], int] = defaultdict(int)
    for face in solid.faces:
        for ring in face.rings:
            for k, i in enumerate(ring):
                used[(i, ring[(k + 1) % len(ring)])] += 1
        off = flatness(solid, face)
        if off > 0.01:
            found.append(f"a {face.surface} is {off:.3f} m off its plane")
    for (i, j), times in used.items():
        if i == j or times != 1 or used.get((j, i)) != 1:
            found.append(f"the edge {i}–{j} is not used once in each direction")
    if not found and volume(solid) <= 0:
        found.append("its volume is not positive")
    return found


def normal(solid: Solid, face: Face) -> NDArray[np.float64]:
    """Outward normal by Newell's method; its length is twice the outer ring's area."""
    ring = solid.vertices[list(face.rings[0])]
    return np.asarray(np.cross(ring - ring[0], np.roll(ring, -1, axis=0) - ring[0]).sum(axis=0))


def flatness(solid: Solid, face: Face) -> float:
    """Greatest distance of a vertex from the face's mean plane, metres."""
    n = normal(solid, face)
    length = float(np.linalg.norm(n))
    if length < 1e-9:
        return 0.0
    points = solid.vertices[[i for ring in face.rings for i in ring]]
    off = (points - points.mean(axis=0)) @ (n / length)
    return float(np.abs(off).max())


def volume(solid: Solid) -> float:
    """By the divergence theorem, m³."""
    total = 0.0
    origin = solid.vertices.mean(axis=0)
    for face in solid.faces:
        for ring in face.rings:
            points = solid.vertices[list(ring)] - origin
            total += float(
                np.einsum("ij,ij->", np.cross(points[1:-1], points[2:]), np.broadcast_to(points[0], (len(ring) - 2, 3)))
            )
    return total / 6
