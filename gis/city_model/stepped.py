"""A solid of flat steps: ground below, a flat roof over each part at its own height, vertical walls between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from gis.city_model.building import Face, Solid, Surface
from gis.errors import BadGeometry

GRID: Final = 0.001
"""Metres: corners lie on multiples of it, so that steps that share a side share its corners."""

Point = tuple[float, float]


def stepped_solid(steps: Sequence[tuple[BaseGeometry, float]], ground: float = 0.0) -> Solid:
    """The solid that is, over each place, as high as the highest step there.

    Every edge of the subdivision of the plane by the steps carries a wall between the heights on its two sides, and
    walls that meet over a corner share all heights there: the shell is closed by construction.

    Args:
        steps: area and height above the same datum as the ground, metres.
        ground: height of the bottom.

    Raises:
        BadGeometry: nothing is left of the steps, or they fall into parts.
    """
    lines = shapely.union_all([shapely.boundary(area) for area, _ in steps], grid_size=GRID)
    parts = [shapely.orient_polygons(part) for part in shapely.get_parts(shapely.polygonize([lines]))]
    cells = [(part, height) for part in parts if (height := _height(part, steps)) is not None and height > ground]
    if not cells or not isinstance(shapely.union_all([part for part, _ in cells]), Polygon):
        raise BadGeometry("solid", "nothing is left of its steps" if not cells else "its steps fall into parts")
    sides: dict[tuple[Point, Point], float] = {}
    levels: dict[Point, set[float]] = {}
    for part, height in cells:
        for ring in _rings(part):
            for start, end in zip(ring, [*ring[1:], ring[0]], strict=True):
                sides[start, end] = height
                levels.setdefault(start, set()).add(height)
    vertices = _Vertices()
    faces = []
    for part, height in cells:
        rings = _rings(part)
        faces.append(Face(tuple(vertices.of(ring, ground)[::-1] for ring in rings), Surface.GROUND))
        faces.append(Face(tuple(vertices.of(ring, height) for ring in rings), Surface.ROOF))
    for (start, end), high in sides.items():
        low = sides.get((end, start), ground)
        if high > low:
            up = [z for z in sorted(levels[end]) if low < z < high]
            down = [z for z in sorted(levels[start], reverse=True) if low < z < high]
            corners = [(start, low), (end, low), *((end, z) for z in up), (end, high), (start, high)]
            corners += [(start, z) for z in down]
            faces.append(Face((tuple(vertices.number(place, z) for place, z in corners),), Surface.WALL))
    return Solid(vertices.array, tuple(faces))


def _height(part: Polygon, steps: Sequence[tuple[BaseGeometry, float]]) -> float | None:
    inside = part.representative_point()
    return max((height for area, height in steps if area.intersects(inside)), default=None)


def _rings(part: Polygon) -> list[list[Point]]:
    """The corners of its rings, not closed; its inside lies to the left."""
    return [[(x, y) for x, y in ring.coords[:-1]] for ring in (part.exterior, *part.interiors)]


class _Vertices:
    def __init__(self) -> None:
        self.numbers: dict[tuple[float, float, float], int] = {}

    def number(self, place: Point, z: float) -> int:
        return self.numbers.setdefault((*place, z), len(self.numbers))

    def of(self, ring: Sequence[Point], z: float) -> tuple[int, ...]:
        return tuple(self.number(place, z) for place in ring)

    @property
    def array(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.array(list(self.numbers), dtype=np.float64)
