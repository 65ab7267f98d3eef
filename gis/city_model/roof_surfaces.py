"""The roofs of buildings, surface by surface: polygons in space with slope, azimuth and area."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import shapely

from gis.city_model.building import Building, Surface
from gis.city_model.faces import normals, slopes


def roof_surfaces(buildings: Sequence[Building]) -> tuple[dict[str, list[Any]], list[shapely.Polygon]]:
    """Columns and shapes of the roof faces of the best models, building by building.

    Columns: `uid` of the building, `lod`, `slope_deg` from the horizontal, `azimuth_deg` of the way down, clockwise
    from grid north (NaN where it is flat to 0.1°), `area_m2` in its plane.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("uid", "lod", "slope_deg", "azimuth_deg", "area_m2")}
    shapes: list[shapely.Polygon] = []
    for building in buildings:
        if (solid := building.solid) is None:
            continue
        normal, area = normals(solid)
        slope, azimuth = slopes(normal)
        for number, face in enumerate(solid.faces):
            if face.surface is Surface.ROOF:
                outer, *holes = (solid.vertices[list(ring)] for ring in face.rings)
                shapes.append(shapely.Polygon(outer, holes))
                values = (building.uid, building.lod, slope[number], azimuth[number], area[number])
                for name, value in zip(columns, values, strict=True):
                    columns[name].append(round(float(value), 3) if not isinstance(value, str) else value)
    return columns, shapes
