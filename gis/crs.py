"""Coordinate reference systems: one type inside, one pinned way between VN-2000 and WGS 84."""

from __future__ import annotations

import hashlib
import warnings
from functools import lru_cache
from typing import TypeAlias

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import TransformerGroup

from gis.errors import BadCrs

CrsLike: TypeAlias = "CRS | int | str"

VN2000_TM3_105_45 = 9210
"""VN-2000 / TM-3 105-45, the register's CRS in Ho Chi Minh City."""
HON_DAU_1992 = 5727
"""Hon Dau 1992 height, the national vertical datum."""
VN2000 = 4756
WGS84 = 4326
WEB_MERCATOR = 3857

FIRST_CUSTOM_SRID = 910_000
CUSTOM_SRIDS = 88_000
"""PostGIS leaves 910000–998999 to its users; a CRS without an EPSG number gets one of these."""

PINNED_VN2000_TO_WGS84 = "VN-2000 to WGS 84 (2)"
"""EPSG:6960: the seven parameters of the Ministry's decision 05/2007/QĐ-BTNMT; EPSG's other one differs by 0.80 m."""
PINNED_POSITION_VECTOR = (-191.90441429, -39.30318279, -111.45032835, 0.00928836, -0.01975479, 0.00427372, 0.252906278)
"""The same in the order and signs of TOWGS84: shifts (m), turns of the position vector (″), scale (ppm)."""


def normalise(crs: CrsLike) -> CRS:
    """Make one type of whatever names a CRS: an EPSG number, "EPSG:9210", "EPSG:9210+5727", WKT, PROJJSON or a CRS.

    Raises:
        BadCrs: nothing by that name is known to PROJ.
    """
    if isinstance(crs, CRS):
        return crs
    return _parse(str(crs).strip())


@lru_cache(maxsize=64)
def _parse(text: str) -> CRS:
    name = text
    if name.isdigit():
        name = f"EPSG:{name}"
    elif "+" in name and name.upper().startswith("EPSG:"):
        horizontal, vertical = name.split("+", 1)
        name = f"{horizontal}+{vertical.upper().removeprefix('EPSG:')}"
    try:
        return CRS.from_user_input(name)
    except CRSError as error:
        raise BadCrs(f"unknown coordinate reference system {text[:80]!r}; give for example EPSG:9210") from error


def horizontal(crs: CrsLike) -> CRS:
    """The horizontal part of a compound CRS; the CRS itself otherwise."""
    crs = normalise(crs)
    return crs.sub_crs_list[0] if crs.is_compound else crs


def vertical(crs: CrsLike) -> CRS | None:
    """The vertical part of a compound CRS, or None where it has none."""
    crs = normalise(crs)
    return crs.sub_crs_list[1] if crs.is_compound else None


def srid(crs: CrsLike) -> int:
    """The number PostGIS knows the horizontal part by: its EPSG number, or one of the user range made from its WKT."""
    flat = horizontal(crs)
    code = flat.to_epsg()
    if code is not None:
        return code
    digest = hashlib.sha256(flat.to_wkt().encode()).digest()
    return FIRST_CUSTOM_SRID + int.from_bytes(digest[:4], "big") % CUSTOM_SRIDS


def name_of(crs: CrsLike) -> str:
    """The shortest text that `normalise` takes back: "EPSG:9210+5727", "EPSG:28992", else WKT on one line."""
    full = normalise(crs)
    if (code := full.to_epsg()) is not None:
        return f"EPSG:{code}"
    codes = [part.to_epsg() for part in full.sub_crs_list] if full.is_compound else []
    return f"EPSG:{codes[0]}+{codes[1]}" if len(codes) == 2 and all(codes) else full.to_wkt()


def vertical_label(crs: CrsLike) -> str:
    """The vertical datum as a person reads it: "Hon Dau 1992 height (EPSG:5727)", or "not known"."""
    up = vertical(crs)
    if up is None:
        return "not known"
    return f"{up.name} ({name_of(up)})" if up.to_epsg() else up.name


def metres_per_unit(crs: CrsLike) -> float:
    """Length of the horizontal axes' unit in metres.

    Raises:
        BadCrs: the CRS is not projected.
    """
    flat = horizontal(crs)
    if not flat.is_projected:
        raise BadCrs(f"{flat.name!r} is not a projected CRS: its coordinates are degrees, not lengths")
    return float(flat.axis_info[0].unit_conversion_factor)


def is_vietnamese(crs: CrsLike) -> bool:
    """Whether the CRS is based on the datum VN-2000."""
    geodetic = horizontal(crs).geodetic_crs
    return geodetic is not None and geodetic.to_epsg() == VN2000


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    first, second = horizontal(source), horizontal(target)
    if is_vietnamese(first) == is_vietnamese(second):
        return Transformer.from_crs(first, second, always_xy=True)
    for candidate in TransformerGroup(first, second, always_xy=True).transformers:
        if PINNED_VN2000_TO_WGS84 in candidate.description:
            return candidate
    raise BadCrs(f"PROJ here lacks the operation {PINNED_VN2000_TO_WGS84!r} from {first.name} to {second.name}")


def transformer(source: CrsLike, target: CrsLike) -> Transformer:
    """The one transformation (x, y order) between two horizontal CRS; between VN-2000 and the rest it is pinned.

    Heights pass through: no geoid model ties Hòn Dấu to the ellipsoid in PROJ.

    Raises:
        BadCrs: no such transformation is known.
    """
    try:
        # By the texts they were made of: to write WKT takes longer than to transform some points.
        return _transformer(normalise(source).srs, normalise(target).srs)
    except ProjError as error:
        raise BadCrs(f"no transformation from {normalise(source).name} to {normalise(target).name}") from error


@lru_cache(maxsize=64)
def warpable(crs: CrsLike) -> str:
    """The horizontal CRS as a text for GDAL, with its one way to WGS 84 in it, where it is pinned.

    By its number GDAL lets PROJ choose the way, and drops one that is written beside the number.
    """
    flat = horizontal(crs)
    if not is_vietnamese(flat):
        return flat.to_wkt()
    with warnings.catch_warnings():
        # That the text does not name the datum is meant: its way to WGS 84 stands in its place.
        warnings.simplefilter("ignore", UserWarning)
        return f"{flat.to_proj4()} +towgs84={','.join(map(str, PINNED_POSITION_VECTOR))}"
