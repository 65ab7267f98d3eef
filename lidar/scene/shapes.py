"""Small plane geometry: oriented boxes, half-planes, rings as lists of (x, y), counter-clockwise and not closed."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

import numpy as np
import shapely
from shapely import LineString, Polygon

Point = tuple[float, float]
Ring = list[Point]


@dataclass(frozen=True, slots=True)
class Axes:
    """A right-handed frame: u along the first axis, v to its left."""

    x: float
    y: float
    ux: float
    uy: float

    def to_world(self, u: float, v: float) -> Point:
        """From (u, v)."""
        return (self.x + u * self.ux - v * self.uy, self.y + u * self.uy + v * self.ux)

    def to_local(self, x: float, y: float) -> Point:
        """Into (u, v)."""
        dx, dy = x - self.x, y - self.y
        return (dx * self.ux + dy * self.uy, -dx * self.uy + dy * self.ux)

    def rectangle(self, u0: float, v0: float, u1: float, v1: float) -> Ring:
        """An upright rectangle of this frame."""
        return [self.to_world(u, v) for u, v in ((u0, v0), (u1, v0), (u1, v1), (u0, v1))]


@dataclass(frozen=True, slots=True)
class Box:
    """The smallest oriented rectangle around a polygon; length along u ≥ width along v; origin in its middle."""

    axes: Axes
    length: float
    width: float


def oriented_box(polygon: Polygon) -> Box:
    """Its longer side along u."""
    ring = shapely.get_coordinates(shapely.minimum_rotated_rectangle(polygon))
    first, second = ring[1] - ring[0], ring[2] - ring[1]
    a, b = float(np.hypot(*first)), float(np.hypot(*second))
    centre = ring[:4].mean(axis=0)
    along = first if a >= b else second
    length = max(a, b)
    ux, uy = float(along[0] / length), float(along[1] / length)
    if ux < 0 or (ux == 0 and uy < 0):
        ux, uy = -ux, -uy
    return Box(Axes(float(centre[0]), float(centre[1]), ux, uy), length, min(a, b))


def polygons_of(geometry: shapely.Geometry, least_area: float = 1.0) -> list[Polygon]:
    """The polygons of any geometry, without slivers."""
    if isinstance(geometry, Polygon):
        return [geometry] if geometry.area >= least_area else []
    return [p for part in getattr(geometry, "geoms", ()) for p in polygons_of(part, least_area)]


def lines_of(geometry: shapely.Geometry) -> list[LineString]:
    """The lines of any geometry."""
    if isinstance(geometry, LineString):
        return [] if geometry.is_empty else [geometry]
    return [line for part in getattr(geometry, "geoms", ()) for line in lines_of(part)]


def largest(geometry: shapely.Geometry) -> Polygon | None:
    """The polygon of most area, or None."""
    return max(polygons_of(geometry, 0.0), key=lambda p: p.area, default=None)


def snapped(polygon: Polygon) -> Polygon:
    """With coordinates on whole millimetres, without points in the middle of straight edges."""
    tidy = shapely.set_precision(polygon.simplify(0.005), 0.001)
    found = largest(tidy)
    return shapely.orient_polygons(found) if found is not None else Polygon()


def strip(line: LineString, width: float) -> Polygon:
    """The line's strip, of this full width, with flat ends."""
    found = largest(line.buffer(width / 2, cap_style="flat", join_style="mitre"))
    return found if found is not None else Polygon()


def ring_of(polygon: Polygon) -> Ring:
    """Its outer ring, counter-clockwise, not closed."""
    coords = [(float(x), float(y)) for x, y in polygon.exterior.coords[:-1]]
    return coords if signed_area(coords) > 0 else coords[::-1]


def signed_area(ring: Ring) -> float:
    """Positive when counter-clockwise."""
    total = 0.0
    x0, y0 = ring[-1]
    for x1, y1 in ring:
        total += x0 * y1 - x1 * y0
        x0, y0 = x1, y1
    return total / 2


def clip(ring: Ring, nx: float, ny: float, c: float) -> Ring:
    """The part of a convex ring where nx·x + ny·y ≥ c; empty when nothing is left."""
    kept: Ring = []
    if not ring:
        return kept
    x0, y0 = ring[-1]
    d0 = nx * x0 + ny * y0 - c
    for x1, y1 in ring:
        d1 = nx * x1 + ny * y1 - c
        if (d0 >= 0) != (d1 >= 0):
            t = d0 / (d0 - d1)
            kept.append((x0 + t * (x1 - x0), y0 + t * (y1 - y0)))
        if d1 >= 0:
            kept.append((x1, y1))
        x0, y0, d0 = x1, y1, d1
    return tidy(kept)


def tidy(ring: Ring, least: float = 0.01) -> Ring:
    """Without points nearer than `least` to the one before; empty when no area is left."""
    out: Ring = []
    for x, y in ring:
        if not out or hypot(x - out[-1][0], y - out[-1][1]) > least:
            out.append((x, y))
    while len(out) > 1 and hypot(out[0][0] - out[-1][0], out[0][1] - out[-1][1]) <= least:
        out.pop()
    return out if len(out) > 2 and abs(signed_area(out)) > 0.05 else []


def inset(ring: Ring, distance: float) -> Ring:
    """The ring moved inwards; empty when nothing (or more than one piece) is left."""
    made = Polygon(ring).buffer(-distance, join_style="mitre", mitre_limit=3.0)
    if not isinstance(made, Polygon) or made.is_empty or made.interiors:
        return []
    return tidy(ring_of(made))


def is_convex(ring: Ring) -> bool:
    """Whether it turns left everywhere (within rounding)."""
    n = len(ring)
    for k in range(n):
        (x0, y0), (x1, y1), (x2, y2) = ring[k - 1], ring[k], ring[(k + 1) % n]
        if (x1 - x0) * (y2 - y1) - (y1 - y0) * (x2 - x1) < -1e-6:
            return False
    return True
