"""Rows of PostGIS's spatial_ref_sys: those the city needs, with the one pinned way between VN-2000 and WGS 84.

Given the authority EPSG, PROJ chooses between its two operations by place: in Ho Chi Minh City it takes "VN-2000 to
WGS 84 (1)", made for two blocks of the Mekong delta, and the city moves by 0.80 m; beyond 107.11° E it takes the other.
So the Vietnamese rows carry the seven parameters of the pinned operation (`gis.crs`) and an authority PROJ does not
know, which makes it read the row's own text. Clients find AUTHORITY["EPSG", …] in that text.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

from pyproj import CRS
from sqlalchemy import Connection, text

from gis.crs import PINNED_POSITION_VECTOR, VN2000, CrsLike, horizontal, is_vietnamese, srid
from gis.errors import BadCrs

AUTHORITY = "DIABA"
VIETNAMESE = (VN2000, 3405, 3406, *range(5896, 5900), *range(9205, 9219))
"""All CRS of EPSG on the datum VN-2000 in plane or geographic coordinates."""


def complete(connection: Connection, crs: CrsLike) -> None:
    """Add or correct the rows of the Vietnamese CRS, and add the city's own where it is missing."""
    pinned = "UPDATE SET auth_name = excluded.auth_name, srtext = excluded.srtext, proj4text = excluded.proj4text"
    changed = "WHERE r.auth_name IS DISTINCT FROM excluded.auth_name OR r.srtext IS DISTINCT FROM excluded.srtext"
    for rows, otherwise in (
        ([_pinned_row(code) for code in VIETNAMESE], f"{pinned} {changed}"),
        ([_plain_row(crs)] if srid(crs) not in VIETNAMESE else [], "NOTHING"),
    ):
        if rows:
            connection.execute(
                text(
                    "INSERT INTO public.spatial_ref_sys AS r (srid, auth_name, auth_srid, srtext, proj4text) "  # noqa: S608
                    "VALUES (:srid, :authority, :srid, :srtext, :proj4text) "
                    f"ON CONFLICT (srid) DO {otherwise}"
                ),
                rows,
            )


@lru_cache(maxsize=64)
def _pinned_row(code: int) -> dict[str, str | int]:
    plain = CRS.from_epsg(code)
    if not is_vietnamese(plain):
        raise BadCrs(f"EPSG:{code} is not on the datum VN-2000")
    row = _plain_row(code)
    # Written in by hand: what PROJ prints of the parameters has been seen rounded to six digits, 8 mm off.
    parameters = ",".join(map(str, PINNED_POSITION_VECTOR))
    srtext, count = re.subn(
        r'(DATUM\["[^"]*",SPHEROID\[.*?\]\])', rf"\1,TOWGS84[{parameters}]", str(row["srtext"]), count=1
    )
    if not count:
        raise BadCrs(f"the definition of EPSG:{code} names no datum: {row['srtext']}")
    proj4text = f"{str(row['proj4text']).removesuffix(' +type=crs')} +towgs84={parameters} +type=crs"
    return {**row, "authority": AUTHORITY, "srtext": srtext, "proj4text": proj4text}


def _plain_row(crs: CrsLike) -> dict[str, str | int]:
    flat = horizontal(crs)
    return {
        "srid": srid(flat),
        "authority": "EPSG" if flat.to_epsg() else AUTHORITY,
        "srtext": flat.to_wkt("WKT1_GDAL"),
        "proj4text": _proj4(flat),
    }


def _proj4(crs: CRS) -> str:
    with warnings.catch_warnings():
        # A PROJ string names no datum; PostGIS reads it only where both other texts fail.
        warnings.simplefilter("ignore", UserWarning)
        return crs.to_proj4()
