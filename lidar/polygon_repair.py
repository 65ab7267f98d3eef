"""Any geometry to valid polygons with area, and what was wrong with it."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

SLIVER = 0.5
"""m²: a part of a repaired or multi-part outline below this is no building."""


def sound_parts(geometry: BaseGeometry) -> tuple[list[BaseGeometry], str]:
    """A geometry's polygons by falling area, and what was wrong with it ("" if nothing)."""
    if geometry.is_empty:
        return [], "left out: its outline is empty"
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        return [], "left out: a coordinate is not a finite number"
    if geometry.geom_type not in {"Polygon", "MultiPolygon", "GeometryCollection"}:
        return [], f"left out: it is a {geometry.geom_type}, not a polygon"
    why = ""
    if not geometry.is_valid:
        why = f"repaired: {shapely.is_valid_reason(geometry)}"
        geometry = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    pieces = [p for p in shapely.get_parts(_flattened(geometry)) if p.geom_type == "Polygon" and not p.is_empty]
    whole = sum(p.area for p in pieces)
    large = [p for p in pieces if p.area >= SLIVER]
    if not large:
        return [], f"left out: an area of {whole:.2f} m² is no building"
    if len(large) < len(pieces) and not why:
        why = f"repaired: parts below {SLIVER} m² left out"
    return sorted(large, key=lambda p: (-p.area, *p.bounds)), why


def grown(geometry: BaseGeometry, metres: float) -> BaseGeometry:
    """Buffered with sharp corners, and valid: where vertices are a nanometre apart, GEOS may make sides that cross."""
    found: BaseGeometry = shapely.buffer(geometry, metres, join_style="mitre")
    return found if found.is_valid else shapely.make_valid(found, method="structure", keep_collapsed=False)


def _flattened(geometry: BaseGeometry) -> BaseGeometry:
    """A collection whose members are single geometries."""
    if geometry.geom_type != "GeometryCollection":
        return geometry
    parts = [piece for part in shapely.get_parts(geometry) for piece in shapely.get_parts(part)]
    return shapely.GeometryCollection(parts)
