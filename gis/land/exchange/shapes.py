"""Outlines of parcels as lists of corners, and as the polygons they may or may not be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gis.crs import horizontal, srid, transformer
from gis.land.exchange.problems import Kind, Problem

Ring = Sequence[tuple[float, float]]
CORNERS_MOST = 100_000
"""Of one parcel."""


def polygon_of(record: str, rings: Sequence[Ring]) -> tuple[Polygon | None, list[Problem]]:
    """The polygon of an outer and inner rings; None with the reason where they are no rings at all."""
    problems: list[Problem] = []
    for ring in rings:
        if len(ring) < 4 or not np.isfinite(np.asarray(ring)).all():
            why = f"a ring has {len(ring)} corners, four are needed" if len(ring) < 4 else "a coordinate is no number"
            return None, [Problem(Kind.INVALID_RING, record, {"why": why})]
        if tuple(ring[0]) != tuple(ring[-1]):
            gap = float(np.hypot(ring[0][0] - ring[-1][0], ring[0][1] - ring[-1][1]))
            problems.append(Problem(Kind.OPEN_BOUNDARY, record, {"distance_m": gap}, shapely.LineString(ring)))
    if problems:
        return None, problems
    return Polygon(rings[0], rings[1:]) if rings else None, problems


def single(record: str, shape: BaseGeometry | None) -> tuple[Polygon | None, Problem | None]:
    """The one valid polygon a shape is, or what is wrong with it."""
    if shape is None or shape.is_empty:
        return None, Problem(Kind.NO_GEOMETRY, record)
    if isinstance(shape, MultiPolygon) and len(shape.geoms) == 1:
        shape = shape.geoms[0]
    if not isinstance(shape, Polygon):
        parts = int(shapely.get_num_geometries(shape))
        return None, Problem(Kind.SEVERAL_PARTS, record, {"kind": shape.geom_type, "parts": parts}, shape)
    if shapely.get_num_coordinates(shape) > CORNERS_MOST:
        why = f"it has more than {CORNERS_MOST} corners"
        return None, Problem(Kind.INVALID_RING, record, {"why": why})
    if not shape.is_valid:
        return None, Problem(Kind.INVALID_RING, record, {"why": shapely.is_valid_reason(shape)}, shape)
    return shape, None


def moved(shapes: NDArray[np.object_], source: CRS, target: CRS) -> NDArray[np.object_]:
    """Shapes (n,) from one CRS to another by the one pinned transformation; in the same CRS they stay to the bit."""
    first, second = horizontal(source), horizontal(target)
    if first == second or srid(first) == srid(second):
        return shapes
    change = transformer(first, second)

    def move(corners: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(change.transform(corners[:, 0], corners[:, 1]))

    return np.asarray(shapely.transform(shapes, move), dtype=object)


def rings_of(polygon: Polygon) -> list[NDArray[np.float64]]:
    """The outer and the inner rings, each (n, 2), first corner repeated at the end."""
    return [shapely.get_coordinates(ring) for ring in (polygon.exterior, *polygon.interiors)]
