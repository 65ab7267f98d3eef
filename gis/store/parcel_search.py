"""Parcels by what people know of them: a number old or new, words of an address, a place; at any date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from math import isfinite
from typing import Any

import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, Row, text

from gis import crs as reference
from gis.errors import BadParameter
from gis.land.number_forms import TEXT_MOST, parse, spellings
from gis.land.parcel import ATTRIBUTES
from gis.store.geometry import city_crs

LIMIT, LIMIT_MOST = 20, 200
"""Parcels of an answer."""
CONSIDERED = 2000
"""Parcels that are put in order; a question that fits more is too wide to have a best answer."""
WORDS_MOST = 8
"""Words of an address that are looked for."""


class FoundBy(StrEnum):
    """What of a parcel was what was asked for."""

    UID = "uid"
    NUMBER = "number"
    OLD_NUMBER = "old_number"
    ADDRESS = "address"
    SIMILAR_ADDRESS = "similar_address"
    PLACE = "place"


@dataclass(frozen=True, slots=True)
class FoundParcel:
    """A parcel as it was at the date asked for."""

    by: FoundBy
    attributes: Mapping[str, Any]
    """By the names of the register's columns."""
    shape: BaseGeometry
    """In the city's CRS."""

    @property
    def uid(self) -> str:
        """The parcel's key."""
        return str(self.attributes["uid"])


@dataclass(frozen=True, slots=True)
class Found:
    """An answer: parcels in the order of how well they fit."""

    parcels: tuple[FoundParcel, ...]
    has_more: bool = False
    """There are more than were asked for."""


@dataclass(frozen=True, slots=True)
class When:
    """The time of a question."""

    as_of: date | None = None
    """When it was so; None is today."""
    known_at: datetime | None = None
    """When the register knew it; None is now."""


_OF_STREETS = frozenset({"duong", "pho", "hem", "ngo", "ngach", "so", "nha", "to", "khu", "ap"})
_OF_UNITS = frozenset({"p", "phuong", "xa", "q", "quan", "huyen", "tp", "thanh", "thi", "tran", "tinh", "viet", "nam"})
COMMON_WORDS = _OF_STREETS | _OF_UNITS
"""Words of most addresses: kinds of streets and of administrative units."""

COLUMNS = ("uid", "version", *ATTRIBUTES)
# Names of the code alone are put into the statements; what is asked for is bound.
_SELECT = (
    f"SELECT {', '.join(f'p.{name}' for name in COLUMNS)}, lower(p.valid) AS valid_from, upper(p.valid) AS valid_to, "  # noqa: S608
    "ST_AsBinary(p.geom) AS __geom, {by} AS __by FROM (SELECT * FROM diaba.parcel_version p WHERE "
)
_NOT_BY_INDEX = "(p.address_key || '')"
_NUMBER = "p.parcel_no = ANY(:parcels) AND p.sheet_no = ANY(:sheets)"
_OLD_NUMBER = "p.old_parcel_no = ANY(:parcels) AND p.old_sheet_no = ANY(:sheets)"


def find(connection: Connection, asked: str, when: When | None = None, *, limit: int = LIMIT) -> Found:
    """Parcels by one text: a uid, a number in any of its forms, else words of an address.

    Raises:
        BadParameter: the text is empty or too long, or the limit is out of range.
    """
    checked = _text("text", asked)
    when = when or When()
    found = find_by_uid(connection, checked, when)
    if not found.parcels and (number := parse(checked)):
        found = find_by_number(connection, number.sheet, number.parcel, when, limit=limit)
    return found if found.parcels else find_by_address(connection, checked, when, limit=limit)


def find_by_uid(connection: Connection, uid: str, when: When | None = None) -> Found:
    """The parcel of this key, if it was there then."""
    where = _SELECT.format(by="'uid'") + "p.uid = :uid"
    return _found(connection, where, "p.uid", {"uid": _text("uid", uid)}, when, 1)


def find_by_number(
    connection: Connection,
    sheet: str,
    parcel: str,
    when: When | None = None,
    *,
    ward: str | None = None,
    limit: int = LIMIT,
) -> Found:
    """Parcels that have this sheet and parcel number, first; then those that had it before their last renumbering."""
    where = _SELECT.format(by=f"CASE WHEN {_NUMBER} THEN 'number' ELSE 'old_number' END")
    where += f"(({_NUMBER}) OR ({_OLD_NUMBER}))"
    values: dict[str, Any] = {
        "parcels": list(spellings(_text("parcel", parcel))),
        "sheets": list(spellings(_text("sheet", sheet))),
    }
    if ward is not None:
        where += " AND p.ward_code = :ward"
        values["ward"] = _text("ward", ward)
    return _found(connection, where, "__by, p.ward_code, p.uid", values, when, limit)


def find_by_address(connection: Connection, asked: str, when: When | None = None, *, limit: int = LIMIT) -> Found:
    """Parcels whose address has a word beginning with each word asked for, accents or not, in any order.

    A word that begins with a digit is a number and must be a whole one: 1 is not 12.
    Those that have the text as it was typed come first, then the shorter address. Where no address has all the words,
    the most similar are found, by trigrams. Of more than `CONSIDERED` addresses the rest is not looked at.
    """
    checked = _text("text", asked)
    words = _words(connection, checked)
    if not words:
        return Found(())
    # In the index a word that most addresses have costs more than it sorts out; of what is found it is asked as well.
    told = any(word not in COMMON_WORDS for word in words)
    likes = " AND ".join(
        f"{_NOT_BY_INDEX if told and word in COMMON_WORDS else 'p.address_key'} LIKE :word{n}"
        for n, word in enumerate(words)
    )
    values: dict[str, Any] = {f"word{n}": _pattern(word) for n, word in enumerate(words)}
    as_typed = "position(lower(normalize(:typed, NFC)) IN lower(normalize(p.address, NFC)))"
    order = f"({as_typed} = 0), length(p.address), p.uid"
    found = _found(connection, _SELECT.format(by="'address'") + likes, order, values | {"typed": checked}, when, limit)
    if found.parcels:
        return found
    where = _SELECT.format(by="'similar_address'") + ":key OPERATOR(public.<%) p.address_key"
    order = "public.word_similarity(:key, p.address_key) DESC, length(p.address), p.uid"
    return _found(connection, where, order, {"key": " ".join(words)}, when, limit)


def find_at(
    connection: Connection,
    x: float,
    y: float,
    crs: CRS | None = None,
    when: When | None = None,
    *,
    limit: int = LIMIT,
) -> Found:
    """The parcels at a place; on a boundary those on both sides.

    Args:
        connection: A connection that may read.
        x: Easting or longitude.
        y: Northing or latitude.
        crs: Of x and y; the city's when not given.
        when: The time.
        limit: Parcels of the answer.

    Raises:
        BadParameter: the place is not in the city's coordinate system, or is given in degrees where metres are asked.
    """
    city = reference.horizontal(city_crs(connection))
    given = city if crs is None else reference.horizontal(crs)
    if given.is_projected and abs(x) <= 180 and abs(y) <= 180:
        raise BadParameter("at", f"{x},{y}", "these look like degrees; give --crs EPSG:4326 (or crs=EPSG:4326)")
    if given.is_geographic and not (abs(x) <= 180 and abs(y) <= 90):
        raise BadParameter("at", f"{x},{y}", "give longitude,latitude in degrees")
    east, north = (x, y) if given == city else reference.transformer(given, city).transform(x, y)
    if not (isfinite(east) and isfinite(north)):
        raise BadParameter("at", f"{x},{y}", "the place is outside of the city's coordinate system")
    place = "ST_SetSRID(ST_MakePoint(:east, :north), :srid)"
    # `&&` besides: under row-level security it alone may look into the spatial index.
    where = _SELECT.format(by="'place'") + f"p.geom && {place} AND ST_Intersects(p.geom, {place})"
    values = {"east": float(east), "north": float(north), "srid": reference.srid(city)}
    return _found(connection, where, "p.uid", values, when, limit)


def _found(
    connection: Connection, where: str, order: str, values: Mapping[str, Any], when: When | None, limit: int
) -> Found:
    if not 1 <= limit <= LIMIT_MOST:
        raise BadParameter("limit", limit, f"from 1 to {LIMIT_MOST}")
    when = when or When()
    bound: dict[str, Any] = {**values, "limit": limit + 1}
    if when.known_at is None:
        where += " AND upper_inf(p.recorded)"
    else:
        where += " AND p.recorded @> CAST(:known_at AS timestamptz)"
        bound["known_at"] = when.known_at
    if when.as_of is None:
        where += " AND p.valid @> current_date"
    else:
        where += " AND p.valid @> CAST(:as_of AS date)"
        bound["as_of"] = when.as_of
    bound["considered"] = CONSIDERED
    asked = text(f"{where} LIMIT :considered) p ORDER BY {order} LIMIT :limit")
    rows = connection.execute(asked, bound).all()
    return Found(tuple(_parcels(rows[:limit])), len(rows) > limit)


def _parcels(rows: Sequence[Row[Any]]) -> Iterable[FoundParcel]:
    shapes = shapely.from_wkb([bytes(row._mapping["__geom"]) for row in rows])
    for row, shape in zip(rows, shapes, strict=True):
        values = row._mapping
        attributes = {name: values[name] for name in (*COLUMNS, "valid_from", "valid_to")}
        yield FoundParcel(FoundBy(values["__by"]), attributes, shape)


def _pattern(word: str) -> str:
    return f"% {word} %" if word[0].isdigit() else f"% {word}%"


def _words(connection: Connection, asked: str) -> list[str]:
    """The words of a text as the index has them: letters and digits alone, so that none is a pattern."""
    key: str = connection.execute(text("SELECT diaba.search_key(:asked)"), {"asked": asked}).scalar_one()
    return list(dict.fromkeys(key.split()))[:WORDS_MOST]


def _text(name: str, given: str) -> str:
    found = given.strip()
    if not found or len(found) > TEXT_MOST or any(letter < " " or "\ud800" <= letter <= "\udfff" for letter in found):
        raise BadParameter(name, ascii(given[:40])[1:-1], f"give 1 to {TEXT_MOST} characters, none a control character")
    return found
