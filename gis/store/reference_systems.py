"""Rows PostGIS needs to transform the city's CRS: the Vietnamese zones are missing from its table."""

from __future__ import annotations

from pyproj import CRS
from sqlalchemy import Connection, text

VIETNAMESE_ZONES = range(9205, 9219)
"""VN-2000 / TM-3, EPSG:9205 to EPSG:9218."""


def complete(connection: Connection, srid: int) -> None:
    """Add the missing rows of spatial_ref_sys: the Vietnamese zones and the city's own.

    The authority is EPSG, so that PROJ takes its own definition and none is spelled out here.
    """
    wanted = sorted({*VIETNAMESE_ZONES, srid})
    known = set(
        connection.scalars(
            text("SELECT srid FROM public.spatial_ref_sys WHERE srid = ANY(:wanted)"), {"wanted": wanted}
        )
    )
    rows = [
        {"srid": code, "srtext": CRS.from_epsg(code).to_wkt("WKT1_GDAL"), "proj4text": _proj4(CRS.from_epsg(code))}
        for code in wanted
        if code not in known
    ]
    if rows:
        connection.execute(
            text(
                "INSERT INTO public.spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text) "
                "VALUES (:srid, 'EPSG', :srid, :srtext, :proj4text) ON CONFLICT (srid) DO NOTHING"
            ),
            rows,
        )


def _proj4(crs: CRS) -> str:
    import warnings

    with warnings.catch_warnings():
        # A PROJ string loses the datum; PostGIS reads it only where the authority's name is missing.
        warnings.simplefilter("ignore", UserWarning)
        return crs.to_proj4()
