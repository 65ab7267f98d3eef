"""What clients write into a URL, turned into values at the door: boxes, positions, times, page tokens."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import UTC, date, datetime
from math import isfinite

import numpy as np
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from api.crs_names import NamedCrs
from gis.crs import WGS84, horizontal, normalise, srid, transformer
from gis.errors import BadParameter, NotFound
from gis.store.collections import Moment

KEY_MOST = 200
"""Characters of a feature's key."""
NUMBER_MOST = 40
"""Characters of one number."""
EDGE_POINTS = 16
"""Points a box's edge is cut into before it is bent into another projection."""
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


def area(text: str, crs: NamedCrs, city: CRS) -> BaseGeometry:
    """The box `a,b,c,d` (or six numbers with heights) in the city's CRS, edges bent as the projection bends them.

    A box far larger than the city is cut to where the city's projection is sound; that may leave nothing (empty).

    Raises:
        BadParameter: not four or six finite numbers, a minimum above its maximum, across the antimeridian, or beyond
            the poles.
    """
    parts = text.split(",", 6)
    if len(parts) not in (4, 6):
        raise BadParameter("bbox", text[:80], "give four numbers, or six with heights")
    numbers = [number("bbox", part) for part in parts]
    low, high = numbers[: len(numbers) // 2][:2], numbers[len(numbers) // 2 :][:2]
    if crs.is_north_first:
        low, high = low[::-1], high[::-1]
    if low[0] > high[0]:
        raise BadParameter("bbox", text[:80], "its west exceeds its east; boxes across the antimeridian are not served")
    if low[1] > high[1]:
        raise BadParameter("bbox", text[:80], "its south exceeds its north")
    if crs.crs.is_geographic and (low[0] < -180 or high[0] > 180 or low[1] < -90 or high[1] > 90):
        raise BadParameter("bbox", text[:80], "beyond ±180° of longitude or ±90° of latitude")
    target = horizontal(city)
    box = _rectangle((low[0], low[1]), (high[0], high[1]))
    if crs.crs != target:
        box = _bent(_cut_to_use(box, crs.crs, target), crs.crs, target)
    found: BaseGeometry = shapely.set_srid(box, srid(target))
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


def token(key: str) -> str:
    """The page token that continues after a key."""
    return urlsafe_b64encode(key.encode()).decode().rstrip("=")


def after(text: str) -> str:
    """The key a page token continues after.

    Raises:
        BadParameter: the token was not made here.
    """
    try:
        if len(text) <= 4 * KEY_MOST and text.isascii():
            found = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            if token(found) == text and 0 < len(found) <= KEY_MOST and not _CONTROL.search(found):
                return found
    except (Base64Error, UnicodeDecodeError, ValueError):
        pass
    raise BadParameter("token", ascii(text[:40])[1:-1], "not a page token of this service; follow the link `next`")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else _instant("datetime", text).date()
    except ValueError as error:
        raise BadParameter(
            "datetime", ascii(text[:40])[1:-1], "give 2026-01-31, 2026-01-31T12:00:00Z or an interval"
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
    around = shapely.box(
        use.west - MARGIN_DEGREES, use.south - MARGIN_DEGREES, use.east + MARGIN_DEGREES, use.north + MARGIN_DEGREES
    )
    if not crs.is_geographic:
        around = shapely.box(*transformer(WGS84, crs).transform_bounds(*around.bounds))
    return shapely.intersection(box, around)


def _bent(box: BaseGeometry, crs: CRS, city: CRS) -> BaseGeometry:
    if box.is_empty:
        return shapely.Polygon()
    longest = max(box.bounds[2] - box.bounds[0], box.bounds[3] - box.bounds[1])
    dense = shapely.segmentize(box, longest / EDGE_POINTS) if longest > 0 else box
    bent = shapely.transform(dense, lambda xy: np.column_stack(transformer(crs, city).transform(xy[:, 0], xy[:, 1])))
    if not np.isfinite(shapely.get_coordinates(bent)).all():
        raise BadParameter("bbox", box.bounds, "reaches outside of the city's coordinate system")
    return bent
