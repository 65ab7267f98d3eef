"""Lines and polygons that clients write into a URL as WKT, turned into the city's CRS at the door."""

from __future__ import annotations

import numpy as np
import shapely
from pyproj import CRS
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from api.crs_names import NamedCrs
from gis.crs import horizontal, srid, transformer
from gis.errors import BadParameter

TEXT_MOST = 16_000
"""Characters; longer ones no longer fit into a URL."""


def shape(parameter: str, text: str, kind: str, crs: NamedCrs, city: CRS) -> BaseGeometry:
    """A geometry in the city's CRS, with its SRID. x is the easting or longitude whatever the order of the CRS's axes.

    Its vertices are brought over; between them it is straight in the city's CRS.

    Args:
        parameter: its name, for messages.
        text: WKT.
        kind: "LineString" or "Polygon".
        crs: of the text.
        city: the city's.

    Raises:
        BadParameter: not WKT of that kind, too long, not valid, or outside of the city's coordinate system.
    """
    example = "LINESTRING(106.69 10.76, 106.70 10.77)" if kind == "LineString" else "POLYGON((106.69 10.76, …))"
    if len(text) > TEXT_MOST:
        raise BadParameter(parameter, "…", f"at most {TEXT_MOST} characters")
    try:
        with np.errstate(all="ignore"):
            given = shapely.from_wkt(text)
    except (GEOSException, ValueError) as error:
        raise BadParameter(parameter, ascii(text[:40])[1:-1], f"not WKT such as {example}") from error
    if given is None or given.geom_type != kind or given.is_empty:
        raise BadParameter(parameter, ascii(text[:40])[1:-1], f"not WKT such as {example}")
    change = transformer(crs.crs, horizontal(city))
    moved = shapely.transform(shapely.force_2d(given), lambda xy: np.column_stack(change.transform(xy[:, 0], xy[:, 1])))
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise BadParameter(parameter, ascii(text[:40])[1:-1], "reaches outside of the city's coordinate system")
    if kind == "Polygon" and not shapely.is_valid(moved):
        raise BadParameter(parameter, ascii(text[:40])[1:-1], "the polygon crosses itself")
    found: BaseGeometry = shapely.set_srid(moved, srid(city))
    return found
