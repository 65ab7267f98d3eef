"""What clients write into a URL, turned into values at the door: boxes, positions, times, page tokens."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from api.crs_names import NamedCrs
from gis.crs import WGS84, horizontal, normalise, srid, transformer
from gis.errors import BadParameter, NotFound
from gis.store.collections import Moment
from gis.store.items import SortKey
from gis.store.property_types import Kind, PropertyType

KEY_MOST = 200
"""Characters of a feature's key."""
TOKEN_MOST = 4_000
"""Characters of a page token."""
SORT_KEYS_MOST = 4
PROPERTIES_MOST = 100
WHOLE_MOST = 2**62
NUMBER_MOST = 40
"""Characters of one number."""
EDGE_POINTS = 16
"""Points a box's edge is cut into before it is bent into another projection."""
STRAIGHT_DEGREES, STRAIGHT_UNITS = 0.002, 200.0
"""Edges so long stay straight: about 200 m of a parallel bend by a millimetre or less."""
MARGIN_DEGREES = 3.0
"""How far around a CRS's area of use its projection is still sound enough to cut a larger box to it."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def number(parameter: str, text: str) -> float:
    """A finite decimal number.

    Raises:
        BadParameter: it is none.
    """
    if len(text) <= NUMBER_MOST and _NUMBER.fullmatch(text.strip()):
        value = float(text)
        if isfinite(value):
            return value
    raise BadParameter(parameter, text[:NUMBER_MOST], "not a finite number")


def key(kind: str, text: str) -> str:
    """A feature's key as it may stand in the store.

    Raises:
        NotFound: nothing can have that key.
    """
    if not 0 < len(text) <= KEY_MOST or _CONTROL.search(text):
        raise NotFound(kind, ascii(text[:KEY_MOST])[1:-1])
    return text


def plain(parameter: str, text: str) -> str:
    """A short text without control characters.

    Raises:
        BadParameter: it is longer, or has some.
    """
    if len(text) > KEY_MOST or _CONTROL.search(text):
        raise BadParameter(
            parameter, ascii(text[:40])[1:-1], f"at most {KEY_MOST} characters, none of them control characters"
        )
    return text


def area(text: str, crs: NamedCrs, city: CRS, *, parameter: str = "bbox") -> BaseGeometry:
    """The box `a,b,c,d` (or six numbers with heights) in the city's CRS, edges bent as the projection bends them.

    A box far larger than the city is cut to where the city's projection is sound; that may leave nothing (empty).

    Raises:
        BadParameter: not four or six finite numbers, a minimum above its maximum, across the antimeridian, or beyond
            the poles.
    """
    parts = text.split(",", 6)
    if len(parts) not in (4, 6):
        raise BadParameter(parameter, text[:80], "give four numbers, or six with heights")
    numbers = [number(parameter, part) for part in parts]
    low, high = numbers[: len(numbers) // 2][:2], numbers[len(numbers) // 2 :][:2]
    if crs.is_north_first:
        low, high = low[::-1], high[::-1]
    if low[0] > high[0]:
        raise BadParameter(
            parameter, text[:80], "its west exceeds its east; boxes across the antimeridian are not served"
        )
    if low[1] > high[1]:
        raise BadParameter(parameter, text[:80], "its south exceeds its north")
    if crs.crs.is_geographic and (low[0] < -180 or high[0] > 180 or low[1] < -90 or high[1] > 90):
        raise BadParameter(parameter, text[:80], "beyond ±180° of longitude or ±90° of latitude")
    target, code = _plane(city.srs)
    box = _rectangle((low[0], low[1]), (high[0], high[1]))
    if crs.srid != code:
        box = _bent(parameter, _cut_to_use(box, crs.crs, target), crs.crs, target)
    found: BaseGeometry = shapely.set_srid(box, code)
    return found


def position(x: str, y: str, crs: NamedCrs, city: CRS) -> tuple[float, float]:
    """A position in the city's CRS. `x` is the easting or longitude whatever the order of the CRS's axes.

    Raises:
        BadParameter: not finite, or nowhere in the city's projection.
    """
    point = transformer(crs.crs, city).transform(number("x", x), number("y", y))
    if not all(isfinite(value) for value in point):
        raise BadParameter("x", x[:NUMBER_MOST], "the position is outside of the city's coordinate system")
    return float(point[0]), float(point[1])


def moment(text: str | None, known_at: str | None) -> Moment:
    """`datetime` of OGC API Features (an instant, or an interval with `..` for an open end), and when it was known.

    Registers are kept by the day: of a date-time its day as written counts.

    Raises:
        BadParameter: not RFC 3339, or an interval that ends before it starts.
    """
    known = None if known_at is None else _instant("known_at", known_at)
    if text is None:
        return Moment(known_at=known)
    if "/" not in text:
        return Moment(first_day=_day(text), known_at=known)
    start, end = text.split("/", 1)
    first = None if start in ("", "..") else _day(start)
    last = None if end in ("", "..") else _day(end)
    if first is None and last is None:
        raise BadParameter("datetime", text[:40], "an interval has at least one end")
    if first is not None and last is not None and first > last:
        raise BadParameter("datetime", text[:40], "the interval ends before it starts")
    return Moment(first, last, is_interval=True, known_at=known)


def token(last: Sequence[Any]) -> str:
    """The page token that continues after a feature: what pages are sorted by, and its key."""
    return urlsafe_b64encode(orjson.dumps(list(last))).decode().rstrip("=")


def after(text: str, kinds: Sequence[Kind], *, parameter: str = "token") -> tuple[Any, ...]:
    """Where a page token continues.

    Raises:
        BadParameter: the token was not made here, or for another order.
    """
    try:
        if len(text) <= TOKEN_MOST and text.isascii():
            found = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            if isinstance(found, list) and token(found) == text and len(found) == len(kinds) and found[-1]:
                return tuple(_of_kind(value, kind) for value, kind in zip(found, kinds, strict=True))
    except (Base64Error, UnicodeError, ValueError):
        pass
    why = "not a page token of this service for this order; follow the link `next`"
    raise BadParameter(parameter, ascii(text[:40])[1:-1], why)


def _of_kind(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind.is_number:
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
            return value
    elif isinstance(value, str) and not _CONTROL.search(value):
        return date.fromisoformat(value) if kind is Kind.DATE else value
    raise ValueError


def equal(parameter: str, text: str, kind: Kind) -> Any:
    """The value a property is asked to have.

    Raises:
        BadParameter: it is not of the property's kind.
    """
    if kind is Kind.DATE:
        if not _DAY.fullmatch(text):
            raise BadParameter(parameter, ascii(text[:40])[1:-1], "a day such as 2026-01-31 is needed")
        return _day(text, parameter)
    if kind.is_number:
        found = number(parameter, text)
        if kind is Kind.INTEGER and (found != int(found) or abs(found) >= WHOLE_MOST):
            raise BadParameter(parameter, text[:NUMBER_MOST], "a whole number is needed")
        return int(found) if kind is Kind.INTEGER else found
    return plain(parameter, text)


def sort_keys(
    text: str | None, sortable: Mapping[str, PropertyType], *, parameter: str = "sortby"
) -> tuple[SortKey, ...]:
    """What `sortby` says: names with + (may be left out) for ascending or - for descending, parted by commas.

    Raises:
        BadParameter: a property is not one of the collection's, is named twice, or there are too many.
    """
    if text is None:
        return ()
    # A plus sign in a URL's query arrives as a blank.
    parts = [part.strip() for part in text.split(",", SORT_KEYS_MOST)]
    names = [part.removeprefix("-").removeprefix("+") for part in parts]
    if len(names) > SORT_KEYS_MOST or len(set(names)) != len(names) or any(name not in sortable for name in names):
        why = f"up to {SORT_KEYS_MOST} different ones of {', '.join(sortable)}, with - before those that descend"
        raise BadParameter(parameter, ascii(text[:40])[1:-1], why)
    return tuple(SortKey(name, part.startswith("-")) for name, part in zip(names, parts, strict=True))


def chosen(text: str | None, among: Sequence[str]) -> tuple[str, ...] | None:
    """The properties `properties` names, parted by commas; an empty one wants none.

    Raises:
        BadParameter: a property is not one of the collection's.
    """
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",", PROPERTIES_MOST) if name.strip()))
    unknown = [name for name in names if name not in among]
    if unknown:
        raise BadParameter(
            "properties", ascii(unknown[0][:40])[1:-1], f"no such property; there are {', '.join(among)}"
        )
    return names


def geometry(tree: Mapping[str, Any], crs: NamedCrs, city: CRS, *, parameter: str = "filter") -> BaseGeometry:
    """A geometry of a filter or a feature, GeoJSON or {"bbox": [...]}, in the city's CRS with its SRID.

    Raises:
        BadParameter: it is not valid, or outside of its CRS or of the city's.
    """
    if "bbox" in tree:
        corners = tree["bbox"]
        if not isinstance(corners, list):
            raise BadParameter(parameter, "bbox", "give four numbers, or six with heights")
        return area(",".join(map(repr, corners)), crs, city, parameter=parameter)
    try:
        shape = shapely.force_2d(shapely.from_geojson(orjson.dumps(tree)))
    except (shapely.errors.ShapelyError, TypeError) as error:
        raise BadParameter(parameter, str(tree.get("type"))[:40], "it is no geometry") from error
    if shape is None or shape.is_empty or not shape.is_valid:
        raise BadParameter(parameter, str(tree.get("type"))[:40], "it is empty or not valid")
    if crs.is_north_first:
        shape = shapely.transform(shape, lambda xy: xy[:, ::-1])
    west, south, east, north = shape.bounds
    if crs.crs.is_geographic and (west < -180 or east > 180 or south < -90 or north > 90):
        raise BadParameter(parameter, str(tree.get("type"))[:40], "beyond ±180° of longitude or ±90° of latitude")
    target, code = _plane(city.srs)
    if crs.srid != code:
        shape = _moved(parameter, shape, crs.crs, target)
    found: BaseGeometry = shapely.set_srid(shape, code)
    return found


def _day(text: str, parameter: str = "datetime") -> date:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else _instant(parameter, text).date()
    except ValueError as error:
        raise BadParameter(
            parameter, ascii(text[:40])[1:-1], "give 2026-01-31, 2026-01-31T12:00:00Z or an interval"
        ) from error


def _instant(parameter: str, text: str) -> datetime:
    try:
        if len(text) > 40 or not text.isascii():
            raise ValueError
        # A plus sign in a URL's query arrives as a blank.
        found = datetime.fromisoformat(re.sub(r" (?=\d{2}:\d{2}$)", "+", text).upper())
    except ValueError as error:
        raise BadParameter(parameter, ascii(text[:40])[1:-1], "not a date-time after RFC 3339") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@lru_cache(maxsize=16)
def _plane(city: str) -> tuple[CRS, int]:
    """The city's horizontal CRS and its number, by the city's CRS as text, which is quick to look up."""
    flat = horizontal(city)
    return flat, srid(flat)


def _rectangle(low: tuple[float, float], high: tuple[float, float]) -> BaseGeometry:
    """A rectangle, or the line or point it has shrunk to."""
    if low == high:
        return shapely.Point(low)
    if low[0] == high[0] or low[1] == high[1]:
        return shapely.LineString([low, high])
    return shapely.box(*low, *high)


def _cut_to_use(box: BaseGeometry, crs: CRS, city: CRS) -> BaseGeometry:
    """The part of the box where the city's projection is sound."""
    use = city.area_of_use
    if use is None or not (crs.is_geographic or crs == normalise(3857)):
        return box
    west, south, east, north = (
        use.west - MARGIN_DEGREES, use.south - MARGIN_DEGREES, use.east + MARGIN_DEGREES, use.north + MARGIN_DEGREES,
    )  # fmt: skip
    if not crs.is_geographic:
        west, south, east, north = transformer(WGS84, crs).transform_bounds(west, south, east, north)
    left, bottom, right, top = box.bounds
    if west <= left and south <= bottom and right <= east and top <= north:
        return box
    return shapely.intersection(box, shapely.box(west, south, east, north))


def _bent(parameter: str, box: BaseGeometry, crs: CRS, city: CRS) -> BaseGeometry:
    if box.is_empty:
        return shapely.Polygon()
    longest = max(box.bounds[2] - box.bounds[0], box.bounds[3] - box.bounds[1])
    straight = STRAIGHT_DEGREES if crs.is_geographic else STRAIGHT_UNITS
    return _moved(
        parameter, shapely.segmentize(box, max(longest / EDGE_POINTS, straight)) if longest > 0 else box, crs, city
    )


def _moved(parameter: str, shape: BaseGeometry, crs: CRS, city: CRS) -> BaseGeometry:
    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer(crs, city).transform(xy[:, 0], xy[:, 1]))

    moved: BaseGeometry = shapely.transform(shape, move)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise BadParameter(parameter, shape.bounds, "reaches outside of the city's coordinate system")
    return moved
