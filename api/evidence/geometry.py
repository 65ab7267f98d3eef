"""Geometry of a sheet's pictures: from the register's metres to centimetres from an origin, and where to cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from api.evidence.sheet import Area, Line, Place
from gis.city_model.building import Solid
from gis.city_model.faces import triangles
from gis.errors import BadGeometry

BEYOND: Final = 5.0
"""Metres that a section runs on beyond building and parcel."""
STANDS_OUT: Final = 0.15
"""Metres: what stands out less does not decide where the section is cut."""


def to_cm(coordinates: NDArray[np.float64], origin: Place) -> list[tuple[int, int]]:
    """(n, 2) metres as centimetres from the origin."""
    shifted = np.rint((coordinates[:, :2] - np.array(origin)) * 100).astype(np.int64)
    return [(int(x), int(y)) for x, y in shifted]


def line(geometry: BaseGeometry, origin: Place) -> Line:
    """A line in centimetres."""
    return tuple(to_cm(shapely.get_coordinates(geometry), origin))


def area(polygon: Polygon, origin: Place) -> Area:
    """A polygon in centimetres."""
    return tuple(line(ring, origin) for ring in (polygon.exterior, *polygon.interiors))


def areas(geometry: BaseGeometry, origin: Place) -> tuple[Area, ...]:
    """The polygons of a geometry in centimetres, what is none of it left out."""
    return tuple(area(part, origin) for part in _polygons(geometry))


def lines(geometry: BaseGeometry, origin: Place) -> tuple[Line, ...]:
    """The lines of a geometry in centimetres."""
    parts = shapely.get_parts(geometry)
    return tuple(line(part, origin) for part in parts if isinstance(part, LineString) and part.length > 0)


def _polygons(geometry: BaseGeometry) -> Iterator[Polygon]:
    for part in shapely.get_parts(geometry):
        if isinstance(part, Polygon) and not part.is_empty:
            yield part


def section_line(footprint: Polygon, allowed: BaseGeometry | None, parcel: BaseGeometry | None) -> LineString:
    """Where to cut: through what stands out of the allowed area, across the line it crosses; else along the building.

    The long axis of the building's smallest rectangle shows its whole roof. It runs from the end nearer to the
    south-west, so that the same building is cut the same way.
    """
    middle, direction = _long_axis(footprint)
    if allowed is not None and not allowed.is_empty:
        places = [shapely.Point(place) for place in shapely.get_coordinates(footprint)]
        far = np.array([place.distance(allowed) for place in places])
        worst = int(np.argmax(far))
        if far[worst] > STANDS_OUT:
            start, end = shapely.get_coordinates(shapely.shortest_line(allowed, places[worst]))
            part = footprint.difference(allowed)
            middle = shapely.get_coordinates(max(_polygons(part), key=lambda one: one.area).centroid)[0]
            direction = (end - start) / np.hypot(*(end - start))
    if direction @ np.array([1.0, 1e-3]) < 0:
        direction = -direction
    shown = footprint if parcel is None else footprint.union(parcel)
    along = (shapely.get_coordinates(shown) - middle) @ direction
    return LineString([middle + (along.min() - BEYOND) * direction, middle + (along.max() + BEYOND) * direction])


def _long_axis(footprint: Polygon) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ring = shapely.get_coordinates(shapely.minimum_rotated_rectangle(footprint))
    sides = np.diff(ring[:3], axis=0)
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    longest = int(np.argmax(lengths))
    return shapely.get_coordinates(footprint.centroid)[0], sides[longest] / lengths[longest]


def crossings(cut: LineString, geometry: BaseGeometry) -> tuple[tuple[int, int], ...]:
    """From where to where a straight line runs over an area, cm from its start."""
    start = shapely.points(cut.coords[0])
    found = []
    for part in shapely.get_parts(shapely.intersection(cut, geometry)):
        if isinstance(part, LineString) and part.length > 0:
            ends = np.rint(shapely.distance(shapely.points(shapely.get_coordinates(part)), start) * 100)
            found.append((int(ends.min()), int(ends.max())))
    return tuple(sorted(found))


def profile(cut: LineString, corners: NDArray[np.float64], faces: NDArray[np.int64]) -> list[tuple[int, int, int, int]]:
    """Where triangles (t, 3) of corners (n, 3) cross the vertical plane of a line: distances and heights, cm.

    What lies beyond the ends of the line is left out.
    """
    (x0, y0), (x1, y1) = cut.coords
    along = np.array([x1 - x0, y1 - y0]) / cut.length
    shifted = corners[:, :2] - np.array([x0, y0])
    distance, side = shifted @ along, shifted @ np.array([-along[1], along[0]])
    found = set()
    for face in faces:
        ends = []
        for a, b in ((face[0], face[1]), (face[1], face[2]), (face[2], face[0])):
            if (side[a] < 0) != (side[b] < 0):
                share = side[a] / (side[a] - side[b])
                ends.append(
                    (
                        distance[a] + share * (distance[b] - distance[a]),
                        corners[a, 2] + share * (corners[b, 2] - corners[a, 2]),
                    )
                )
        if len(ends) == 2:
            (d0, z0), (d1, z1) = sorted((round(float(d) * 100), round(float(z) * 100)) for d, z in ends)
            if (d0, z0) != (d1, z1) and d1 >= 0 and d0 <= cut.length * 100:
                found.add((d0, z0, d1, z1))
    return sorted(found)


def mesh(solid: Solid | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Corners (n, 3) and triangles (t, 3) of a solid; none of one that cannot be parted into triangles."""
    none = np.empty((0, 3)), np.empty((0, 3), np.int64)
    if solid is None:
        return none
    try:
        return solid.vertices, triangles(solid)[0]
    except BadGeometry:
        return none
