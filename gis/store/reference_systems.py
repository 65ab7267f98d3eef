"""Rows of PostGIS's spatial_ref_sys: those the city needs, with the one pinned way between VN-2000 and WGS 84.

Given the authority EPSG, PROJ chooses between its two operations by place: in Ho Chi Minh City it takes "VN-2000 to
WGS 84 (1)", made for two blocks of the Mekong delta, and the city moves by 0.80 m; beyond 107.11° E it takes the other.
So the Vietnamese rows carry the seven parameters of the pinned operation (`gis.crs`) and an authority PROJ does not
know, which makes it read the row's own text. Clients find AUTHORITY["EPSG", …] in that text.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

from pyproj import CRS
from pyproj.crs import BoundCRS
from pyproj.crs.coordinate_operation import ToWGS84Transformation
from sqlalchemy import Connection, text

from gis.crs import VN2000, WGS84, CrsLike, horizontal, is_vietnamese, srid, transformer
from gis.errors import BadCrs

AUTHORITY = "DIABA"
VIETNAMESE = (VN2000, 3405, 3406, *range(5896, 5900), *range(9205, 9219))
"""All CRS of EPSG on the datum VN-2000 in plane or geographic coordinates."""
_PARAMETERS = (
    "X-axis translation",
    "Y-axis translation",
    "Z-axis translation",
    "X-axis rotation",
    "Y-axis rotation",
    "Z-axis rotation",
    "Scale difference",
)
"""Order of TOWGS84."""


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
    geodetic = plain.geodetic_crs
    if geodetic is None or not is_vietnamese(plain):
        raise BadCrs(f"EPSG:{code} is not on the datum VN-2000")
    shift = ToWGS84Transformation(geodetic, *_seven_parameters())
    bound = BoundCRS(source_crs=plain, target_crs=CRS.from_epsg(WGS84), transformation=shift)
    row = _plain_row(code)
    return {**row, "authority": AUTHORITY, "srtext": bound.to_wkt("WKT1_GDAL"), "proj4text": _proj4(bound)}


def _plain_row(crs: CrsLike) -> dict[str, str | int]:
    flat = horizontal(crs)
    return {
        "srid": srid(flat),
        "authority": "EPSG" if flat.to_epsg() else AUTHORITY,
        "srtext": flat.to_wkt("WKT1_GDAL"),
        "proj4text": _proj4(flat),
    }


@lru_cache(maxsize=1)
def _seven_parameters() -> tuple[float, ...]:
    """Metres, arc seconds and parts per million, rotations in the sense of TOWGS84 (position vector)."""
    for operation in transformer(VN2000, WGS84).operations or ():
        if "Coordinate Frame rotation" in operation.method_name:
            values = {parameter.name: float(parameter.value) for parameter in operation.params}
            # The two conventions turn the axes, or the vector: the other way round.
            return tuple(-values[name] if "rotation" in name else values[name] for name in _PARAMETERS)
    raise BadCrs("the pinned operation between VN-2000 and WGS 84 has no seven parameters")


def _proj4(crs: CRS) -> str:
    with warnings.catch_warnings():
        # A PROJ string names no datum; PostGIS reads it only where both other texts fail.
        warnings.simplefilter("ignore", UserWarning)
        return crs.to_proj4()
