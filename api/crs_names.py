"""Coordinate reference systems by the names OGC API gives them, in the axis order their authority set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pyproj import CRS

from gis.crs import VN2000, VN2000_TM3_105_45, WEB_MERCATOR, WGS84, is_vietnamese, normalise, srid
from gis.errors import BadParameter

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG = re.compile(
    r"(?:https?://www\.opengis\.net/def/crs/EPSG/[0-9.]{1,8}/|\[?EPSG:|urn:ogc:def:crs:EPSG:[0-9.]{0,8}:)([0-9]{4,6})\]?"
)
_CRS84_NAMES = frozenset({CRS84, CRS84.replace("http:", "https:"), "CRS84", "OGC:CRS84", "[OGC:CRS84]"})


@dataclass(frozen=True, slots=True)
class NamedCrs:
    """A CRS as a client names it."""

    uri: str
    crs: CRS
    is_north_first: bool
    """Whether the authority's order of the axes is (north, east), as in EPSG:4326."""
    srid: int
    """The number PostGIS knows it by."""

    @property
    def decimals(self) -> int:
        """Digits after the point that hold a millimetre."""
        return 8 if self.crs.is_geographic else 3


def _epsg(code: int) -> NamedCrs:
    crs = normalise(code)
    return NamedCrs(
        f"http://www.opengis.net/def/crs/EPSG/0/{code}",
        crs,
        is_north_first=crs.axis_info[0].direction.lower() in ("north", "south"),
        srid=code,
    )


LONGITUDE_LATITUDE = NamedCrs(CRS84, normalise(WGS84), is_north_first=False, srid=WGS84)
"""The CRS of GeoJSON, and of every coordinate whose CRS is not named."""


VN2000_TM3_107_45 = 5899
"""VN-2000 / TM-3 107-45, of the part that joined Ho Chi Minh City in 2025."""


def offered(city: CRS) -> tuple[NamedCrs, ...]:
    """What the city's features can be had in: CRS84, the register's own, EPSG:4326 and EPSG:3857.

    Of a Vietnamese city also the zones of Ho Chi Minh City and VN-2000 in degrees.
    """
    # By its text: to hash a CRS its WKT is written, for each request anew.
    return _offered(city.srs)


@lru_cache(maxsize=16)
def _offered(text: str) -> tuple[NamedCrs, ...]:
    city = normalise(text)
    national = (VN2000_TM3_105_45, VN2000_TM3_107_45, VN2000) if is_vietnamese(city) else ()
    codes = dict.fromkeys((srid(city), WGS84, WEB_MERCATOR, *national))
    return (LONGITUDE_LATITUDE, *(_epsg(code) for code in codes))


def storage(city: CRS) -> NamedCrs:
    """The register's own CRS."""
    return _epsg(srid(city))


def named(parameter: str, text: str | None, among: Sequence[NamedCrs]) -> NamedCrs:
    """The CRS a parameter names: a URI, a URN, [EPSG:3857] or EPSG:3857. None is CRS84.

    Raises:
        BadParameter: it is not one of those offered.
    """
    if text is None or text in _CRS84_NAMES:
        return LONGITUDE_LATITUDE
    match = _EPSG.fullmatch(text)
    for candidate in among:
        if match and candidate.uri.endswith(f"/{match[1]}"):
            return candidate
    raise BadParameter(parameter, text[:80], f"not offered; one of {', '.join(c.uri for c in among)}")
