"""Rows PostGIS needs to transform the city's CRS: the Vietnamese zones are missing from its table."""

from __future__ import annotations

import warnings

from pyproj import CRS
from sqlalchemy import Connection, text

from gis.crs import bound

VIETNAMESE_ZONES = range(9205, 9219)
"""VN-2000 / TM-3, EPSG:9205 to EPSG:9218."""


def complete(connection: Connection, srid: int) -> None:
    """Add the missing rows of spatial_ref_sys: the Vietnamese zones and the city's own.

    They name no authority: by the name EPSG:9210 PostGIS would let PROJ choose among the ways to WGS 84, and it takes
    the one that is 0.80 m off. The definition with the pinned way inside leaves no choice.
    """
    wanted = sorted({*VIETNAMESE_ZONES, srid})
    known = set(
        connection.scalars(
            text("SELECT srid FROM public.spatial_ref_sys WHERE srid = ANY(:wanted)"), {"wanted": wanted}
        )
    )
    rows = [
        {"srid": code, "srtext": bound(code).to_wkt("WKT1_GDAL"), "proj4text": _proj4(bound(code))}
        for code in wanted
        if code not in known
    ]
    if rows:
        connection.execute(
            text(
                "INSERT INTO public.spatial_ref_sys (srid, srtext, proj4text) "
                "VALUES (:srid, :srtext, :proj4text) ON CONFLICT (srid) DO NOTHING"
            ),
            rows,
        )


def _proj4(crs: CRS) -> str:
    with warnings.catch_warnings():
        # A PROJ string loses the datum; PostGIS reads it only where the authority's name is missing.
        warnings.simplefilter("ignore", UserWarning)
        return crs.to_proj4()
