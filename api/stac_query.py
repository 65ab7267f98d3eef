"""What a search of the catalogue asks for, as STAC API writes it in a URL or a body, turned into values at the door."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import shapely
from pyproj import CRS
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from api.crs_names import LONGITUDE_LATITUDE
from api.query import MARGIN_DEGREES, after, area, key, number, plain, token
from gis.crs import WGS84, horizontal, srid, transformer
from gis.errors import BadParameter
from gis.store.holdings import COLLECTIONS, HoldingQuery
from gis.store.property_types import Kind

PAGE = 10
"""Items in an answer when the client does not say how many."""
LIMIT_DIGITS = 9
"""A larger number of items is no number of items; what is more than a page holds gets a page."""
LIMIT_SAID = "a whole number from 1; of more than a page holds there are further pages"
NAMES_MOST = 1_000
"""Ids or collections in one search."""
GEOMETRY_BYTES = 200_000
VERTICES_MOST = 10_000
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:)(\d{2})(?:\.(\d{1,30}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_GEOMETRIES = frozenset(
    ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection")
)
SEARCHED = ("bbox", "datetime", "intersects", "ids", "collections", "limit", "token")


def search(given: Mapping[str, Any], city: CRS, page_most: int) -> HoldingQuery:
    """A search from the members of a body; those of a URL are made alike before.

    Raises:
        BadParameter: a member is not what STAC API has there, is not known, or is larger than this service allows.
    """
    for name in given:
        if name not in SEARCHED:
            raise BadParameter(ascii(str(name)[:40])[1:-1], "…", f"no such parameter; there are {', '.join(SEARCHED)}")
    if given.get("bbox") is not None and given.get("intersects") is not None:
        raise BadParameter("intersects", "…", "give either bbox or intersects")
    sought: BaseGeometry | None = None
    if given.get("bbox") is not None:
        sought = area(_numbers(given["bbox"]), LONGITUDE_LATITUDE, city)
    elif given.get("intersects") is not None:
        sought = geometry(given["intersects"], city)
    first, last = interval(given.get("datetime"))
    return HoldingQuery(
        collections=_collections(given.get("collections")),
        keys=_names("ids", given.get("ids")),
        area=sought,
        first=first,
        last=last,
        after=None if given.get("token") is None else _after(given["token"]),
        limit=min(_limit(given.get("limit")), page_most),
    )


def from_url(parameters: Mapping[str, str]) -> dict[str, Any]:
    """The members of a URL's query, with lists and geometry as a body has them.

    Raises:
        BadParameter: `limit` is no number, or `intersects` no JSON.
    """
    given: dict[str, Any] = dict(parameters)
    for name in ("ids", "collections"):
        if name in given:
            given[name] = [part for part in given[name].split(",") if part]
    if "bbox" in given:
        given["bbox"] = [number("bbox", part) for part in given["bbox"].split(",", 6)]
    if "limit" in given:
        text = given["limit"]
        if not (text.isascii() and text.isdigit() and len(text) <= LIMIT_DIGITS):
            raise BadParameter("limit", ascii(text[:20])[1:-1], LIMIT_SAID)
        given["limit"] = int(text)
    if "intersects" in given:
        try:
            given["intersects"] = orjson.loads(given["intersects"])
        except orjson.JSONDecodeError as error:
            raise BadParameter("intersects", "…", "not a GeoJSON geometry") from error
    return given


def page_token(collection: str, name: str) -> str:
    """The token that continues after an item."""
    return token((collection, name))


def interval(text: Any) -> tuple[datetime | None, datetime | None]:
    """An instant, or an interval with `..` for an open end, after RFC 3339.

    Raises:
        BadParameter: it is neither, or ends before it starts.
    """
    if text is None:
        return None, None
    if not isinstance(text, str) or len(text) > 100:
        raise BadParameter("datetime", "…", "give a date-time or an interval after RFC 3339")
    if "/" not in text:
        found = _instant(text)
        return found, found
    start, end = text.split("/", 1)
    first = None if start in ("", "..") else _instant(start)
    last = None if end in ("", "..") else _instant(end)
    if first is None and last is None:
        raise BadParameter("datetime", ascii(text[:40])[1:-1], "an interval has at least one end")
    if first is not None and last is not None and first > last:
        raise BadParameter("datetime", ascii(text[:40])[1:-1], "the interval ends before it starts")
    return first, last


def geometry(given: Any, city: CRS) -> BaseGeometry:
    """A GeoJSON geometry in the city's CRS; what lies far outside of the city is cut off, which may leave nothing.

    Raises:
        BadParameter: it is none, is not valid, or is larger than allowed.
    """
    if not isinstance(given, dict) or given.get("type") not in _GEOMETRIES:
        raise BadParameter("intersects", "…", "not a GeoJSON geometry")
    text = orjson.dumps(given)
    if len(text) > GEOMETRY_BYTES:
        raise BadParameter("intersects", "…", f"at most {GEOMETRY_BYTES} bytes")
    try:
        shape = shapely.force_2d(shapely.from_geojson(text))
    except (GEOSException, ValueError) as error:
        raise BadParameter("intersects", "…", "not a GeoJSON geometry") from error
    places = shapely.get_coordinates(shape)
    if len(places) > VERTICES_MOST:
        raise BadParameter("intersects", "…", f"at most {VERTICES_MOST} positions")
    if not np.isfinite(places).all() or (np.abs(places) > (180, 90)).any():
        raise BadParameter("intersects", "…", "positions are longitude and latitude, ±180° and ±90°")
    if not shapely.is_valid(shape):
        raise BadParameter("intersects", "…", "the geometry crosses itself")
    use = city.area_of_use
    if use is not None:
        margin = MARGIN_DEGREES
        around = shapely.box(use.west - margin, use.south - margin, use.east + margin, use.north + margin)
        shape = shapely.intersection(shape, around) if shape.geom_type != "GeometryCollection" else _cut(shape, around)
    target = horizontal(city)
    change = transformer(WGS84, target)
    moved = shapely.transform(shape, lambda xy: np.column_stack(change.transform(xy[:, 0], xy[:, 1])))
    found: BaseGeometry = shapely.set_srid(moved, srid(target))
    return found


def _cut(collection: BaseGeometry, around: BaseGeometry) -> BaseGeometry:
    return shapely.GeometryCollection(list(shapely.intersection(shapely.get_parts(collection), around)))


def _numbers(given: Any) -> str:
    """Four or six numbers as text, as a URL has them."""
    if not isinstance(given, list) or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in given):
        raise BadParameter("bbox", "…", "give four numbers, or six with heights")
    return ",".join(repr(value) for value in given[:7])


def _collections(given: Any) -> Sequence[str] | None:
    names = _names("collections", given)
    # What is not one of ours finds nothing, and is no error.
    return None if names is None else [name for name in names if name in COLLECTIONS]


def _names(parameter: str, given: Any) -> list[str] | None:
    if given is None:
        return None
    if not isinstance(given, list) or len(given) > NAMES_MOST or not all(isinstance(one, str) for one in given):
        raise BadParameter(parameter, "…", f"give a list of at most {NAMES_MOST} names")
    return [plain(parameter, one) for one in given] or None


def _limit(given: Any) -> int:
    if given is None:
        return PAGE
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given < 10**LIMIT_DIGITS:
        raise BadParameter("limit", "…", LIMIT_SAID)
    return given


def _after(given: Any) -> tuple[str, str]:
    collection, name = after(given if isinstance(given, str) else "", (Kind.TEXT, Kind.TEXT))
    if collection not in COLLECTIONS:
        raise BadParameter("token", "…", "not a page token of this service; follow the link `next`")
    return collection, key("item", name)


def _instant(text: str) -> datetime:
    # A plus sign in a URL's query arrives as a blank.
    match = _RFC3339.fullmatch(re.sub(r" (?=\d{2}:\d{2}$)", "+", text))
    try:
        if match is None:
            raise ValueError
        day, clock, seconds, fraction, zone = match.groups()
        # A leap second is taken as the second before it.
        whole = f"{day}T{clock}{'59' if seconds == '60' else seconds}.{(fraction or '0')[:6]:0<6}"
        return datetime.fromisoformat(whole + zone.upper().replace("Z", "+00:00")).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadParameter("datetime", ascii(text[:40])[1:-1], "not a date-time after RFC 3339") from error
