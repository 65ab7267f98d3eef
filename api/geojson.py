"""Features as GeoJSON, in the CRS and axis order asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from api.crs_names import NamedCrs
from gis.crs import transformer
from gis.store.items import Item


def features(items: Sequence[Item], city: CRS, crs: NamedCrs) -> list[dict[str, Any]]:
    """Each item as a GeoJSON feature; outer rings counter-clockwise (RFC 7946) before axes are swapped."""
    shapes = projected(np.array([item.geometry for item in items], dtype=object), city, crs)
    texts = shapely.to_geojson(shapes)
    return [
        {
            "type": "Feature",
            "id": item.key,
            "geometry": None if text is None else orjson.Fragment(text),
            "properties": item.properties,
        }
        for item, text in zip(items, texts, strict=True)
    ]


def projected(shapes: NDArray[np.object_], city: CRS, crs: NamedCrs) -> NDArray[np.object_]:
    """Geometries (n,) from the city's CRS to another, rounded to the millimetre; None stays None."""
    change = transformer(city, crs.crs)

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(np.column_stack(change.transform(xy[:, 0], xy[:, 1])), crs.decimals)

    moved = shapely.orient_polygons(shapely.transform(shapes, move))
    if crs.is_north_first:
        moved = shapely.transform(moved, lambda xy: xy[:, ::-1])
    return np.asarray(moved, dtype=object)
