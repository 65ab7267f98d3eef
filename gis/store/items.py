"""Features of a collection by place, time, attribute, filter and key, a page at a time, as GeoJSON.

PostgreSQL writes the text of each feature, so nothing of it is taken apart and put together again here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from shapely import from_wkb, to_wkb
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, TextClause, text

from gis.store.changes import Reach, reaches
from gis.store.collections import NOW, Collection, Moment
from gis.store.cql2 import Condition
from gis.store.property_types import TYPES, Kind

COUNTED_AT_MOST = 10_000
"""Features that are counted for each page; of more the planner's estimate is told, and the number itself on request."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """A property pages are sorted by; what has no value comes last."""

    name: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """How features are written."""

    srid: int
    decimals: int
    """Digits after the point."""
    is_north_first: bool = False
    properties: tuple[str, ...] | None = None
    """Those that are wanted; None: all."""
    with_geometry: bool = True


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """What is asked of a collection."""

    limit: int
    area: BaseGeometry | None = None
    """In the city's CRS; features that share a point with it."""
    moment: Moment = NOW
    equal: Mapping[str, Any] = field(default_factory=dict)
    """Properties and the values they must have, of the property's kind."""
    where: Condition | None = None
    sort: tuple[SortKey, ...] = ()
    after: tuple[Any, ...] | None = None
    """Of the last feature already seen: the values it was sorted by, and its key."""
    offset: int = 0

    @property
    def is_restricted(self) -> bool:
        """Whether it asks for a part of the collection."""
        return self.area is not None or bool(self.equal) or self.where is not None


@dataclass(frozen=True, slots=True)
class Page:
    """Some features, and how many match in all."""

    features: tuple[str, ...]
    """Each a GeoJSON feature."""
    matched: int | None
    """Exactly; None where there are too many to count."""
    estimate: int | None
    """What the planner thinks, where they were not counted."""
    last: tuple[Any, ...] | None
    """Where the next page goes on; None: there is none."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What a statement gave."""

    features: tuple[str, ...]
    last: tuple[Any, ...] | None
    """Of the last feature, where more follow: what it was sorted by, and its key."""
    version: int | None
    """The highest of the features'."""
    collected: int

    def page(self, matched: int | None, estimate: int | None = None) -> Page:
        return Page(self.features, matched, estimate, self.last)


@dataclass(frozen=True, slots=True)
class Item:
    """One feature, its geometry in the city's CRS."""

    key: str
    geometry: BaseGeometry | None
    properties: dict[str, Any]


def find_page(connection: Connection, collection: Collection, query: ItemQuery, form: Form) -> Page:
    """A page of features in the order asked for, those of equal rank in the order of their keys.

    Each key appears once: of an interval's versions the newest that matches is shown. What a condition leaves is
    collected first and sorted then, so that the planner does not walk the keys of a whole city looking for what lies in
    a small box; only where that is much, the keys are walked.
    """
    if query.is_restricted:
        read = _read(connection, collection, query, form, collected=True)
        if read.collected <= COUNTED_AT_MOST:
            return read.page(read.collected)
    read = _read(connection, collection, query, form, collected=False)
    if query.after is None and not query.offset and read.last is None:
        return read.page(len(read.features))
    if reaches(connection).get(collection.id) is Reach.SOME:
        # The planner's statistics are of all rows, those that are not shown among them.
        return read.page(counted(connection, collection, query))
    estimate = estimated(connection, collection, query)
    # Between a half and twice is what an estimate is worth.
    if not query.is_restricted and estimate <= 2 * COUNTED_AT_MOST:
        count = counted(connection, collection, query, most=COUNTED_AT_MOST + 1)
        if count <= COUNTED_AT_MOST:
            return read.page(count)
    return read.page(None, max(estimate, COUNTED_AT_MOST))


def counted(connection: Connection, collection: Collection, query: ItemQuery, *, most: int | None = None) -> int:
    """How many features match, exactly, or up to a number."""
    where, values = _conditions(collection, query)
    sql = (
        f"SELECT count(*) FROM (SELECT {_once(collection, query)} FROM {collection.source} WHERE {where} "  # noqa: S608
        "LIMIT :most) AS matching"
    )
    return int(connection.execute(text(sql), {**values, "most": most}).scalar_one())


def estimated(connection: Connection, collection: Collection, query: ItemQuery) -> int:
    """How many features the planner thinks match, from its statistics."""
    where, values = _conditions(collection, query)
    sql = f"EXPLAIN (FORMAT JSON) SELECT {_once(collection, query)} FROM {collection.source} WHERE {where}"  # noqa: S608
    (plan,) = connection.execute(text(sql), values).scalar_one()
    return int(plan["Plan"]["Plan Rows"])


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature as it is sent."""

    text: str
    """GeoJSON."""
    version: int | None
    """The version that is shown, where the register counts them."""


def find_feature(
    connection: Connection, collection: Collection, key: str, form: Form, moment: Moment = NOW
) -> Feature | None:
    """The feature of that key at a moment, or None."""
    only = Condition(f"{collection.key} = :key", {"key": key})
    read = _read(connection, collection, ItemQuery(1, moment=moment, where=only), form, collected=False)
    return Feature(read.features[0], read.version) if read.features else None


def find_item(connection: Connection, collection: Collection, key: str, moment: Moment = NOW) -> Item | None:
    """The feature of that key at a moment with its geometry decoded, or None."""
    only = Condition(f"{collection.key} = :key", {"key": key})
    found = find_items(connection, collection, ItemQuery(1, moment=moment, where=only))
    return found[0] if found else None


def find_items(connection: Connection, collection: Collection, query: ItemQuery) -> list[Item]:
    """As many features as the limit says in the order of their keys, after the last one seen, geometries decoded."""
    where, values = _conditions(collection, query)
    columns = ", ".join(f'{expression} AS "{name}"' for name, expression in collection.properties.items())
    if query.after is not None:
        where += f" AND {collection.key} > :after"
        values["after"] = query.after[-1]
    sql = (
        f"SELECT {f'DISTINCT ON ({collection.key})' if query.moment.is_interval else ''} "  # noqa: S608
        f"{collection.key} AS __key, ST_AsBinary({collection.geometry}) AS __geometry, {columns} "
        f"FROM {collection.source} WHERE {where} {_newest_first(collection, query.moment)} LIMIT :limit"
    )
    rows = connection.execute(text(sql), values | {"limit": query.limit}).mappings()
    return [_item(dict(row)) for row in rows]


def _item(found: dict[str, Any]) -> Item:
    name, shape = found.pop("__key"), found.pop("__geometry")
    return Item(str(name), None if shape is None else from_wkb(bytes(shape)), found)


def statement(collection: Collection, query: ItemQuery, form: Form, *, collected: bool) -> tuple[str, dict[str, Any]]:
    """The query of a page and what it binds.

    One row: the features' GeoJSON, parted by a control character (0x1E); how many these are, of which one may be too
    many; key and what it was sorted by of the last to show; the highest version; how many were collected.
    """
    where, values = _conditions(collection, query)
    shown = tuple(collection.properties) if form.properties is None else form.properties
    columns = {name: collection.properties[name] for name in (*shown, *(key.name for key in query.sort))}
    listed = "".join(f', {expression} AS "{name}"' for name, expression in columns.items())
    interval = query.moment.is_interval
    hits = (
        f"SELECT {f'DISTINCT ON ({collection.key})' if interval else ''} "  # noqa: S608
        f"{collection.key} AS __key, {collection.geometry} AS __geometry, "
        f"{collection.version} AS __version{listed} FROM {collection.source} "
        f"WHERE {where} {_newest_first(collection, query.moment) if interval else ''}"
    )
    values |= {"limit": query.limit + 1, "shown": query.limit, "offset": query.offset}
    values |= {"srid": form.srid, "decimals": form.decimals}
    order = ", ".join([*(f"{_column(key)} {_direction(key)} NULLS LAST" for key in query.sort), "__key"])
    paging = "" if query.after is None else f"WHERE {_beyond(query.sort, query.after, values)}"
    ordered = f"{paging} ORDER BY {order} LIMIT :limit OFFSET :offset"
    ranked = f"json_build_array({', '.join([*map(_column, query.sort), '__key'])})" if query.sort else "NULL"
    chosen = f"SELECT __key, {_feature(shown, form)} AS feature, {ranked} AS ranked, __version"
    if not collected:
        # In one piece, so that the planner may walk an index in the order asked for.
        source, hit, count = f"({hits}) AS hit", "", "NULL"
    else:
        values["probed"] = COUNTED_AT_MOST + 1
        source, hit, count = "hit", f"WITH hit AS MATERIALIZED ({hits} LIMIT :probed)", "(SELECT count(*) FROM hit)"
    # All in one row, which takes less to send and read than a hundred. Only names and expressions of ours are put in.
    return (
        f"{hit} SELECT string_agg(feature, E'\\x1e') AS features, count(*) AS number, "  # noqa: S608
        f"(array_agg(__key))[:shown] AS key, (array_agg(ranked))[:shown] AS ranked, max(__version) AS version, "
        f"{count} AS counted FROM ({chosen} FROM (SELECT * FROM {source} {ordered}) AS page) AS page",
        values,
    )


@lru_cache(maxsize=256)
def _parsed(sql: str) -> TextClause:
    return text(sql)


def _read(connection: Connection, collection: Collection, query: ItemQuery, form: Form, *, collected: bool) -> _Read:
    sql, values = statement(collection, query, form, collected=collected)
    texts, number, key, ranked, version, counted_ = connection.execute(_parsed(sql), values).one()
    # No JSON has this control character in it.
    features = texts.split("\x1e") if texts is not None else []
    last: tuple[Any, ...] | None = None
    if number > query.limit:
        last = tuple(ranked) if ranked is not None else (str(key),)
    return _Read(tuple(features[: query.limit]), last, version, counted_ or 0)


def _feature(shown: Sequence[str], form: Form) -> str:
    """SQL of the text of a feature."""
    geometry = "'null'"
    if form.with_geometry:
        # Outer rings counter-clockwise (RFC 7946) before axes are swapped. Of a line the function would swap the ends.
        shape = "ST_Transform(__geometry, CAST(:srid AS integer))"
        shape = f"CASE WHEN ST_Dimension(__geometry) = 2 THEN ST_ForcePolygonCCW({shape}) ELSE {shape} END"
        shape = f"ST_FlipCoordinates({shape})" if form.is_north_first else shape
        geometry = f"COALESCE(ST_AsGeoJSON({shape}, CAST(:decimals AS integer), 0), 'null')"
    listed = ", ".join(f'page."{name}"' for name in shown)
    properties = f"CAST(row_to_json((SELECT p FROM (SELECT {listed}) AS p)) AS text)" if shown else "'{}'"  # noqa: S608
    return (
        """'{"type":"Feature","id":' || CAST(to_json(CAST(__key AS text)) AS text) || ',"geometry":' || """
        f"""{geometry} || ',"properties":' || {properties} || '}}'"""
    )


def _once(collection: Collection, query: ItemQuery) -> str:
    """The key, once for all versions of an interval; on a day each key has one version."""
    return f"DISTINCT {collection.key}" if query.moment.is_interval else collection.key


def _newest_first(collection: Collection, moment: Moment) -> str:
    newest = f", {collection.newest} DESC NULLS LAST" if moment.is_interval and collection.newest else ""
    return f"ORDER BY {collection.key}{newest}"


def _conditions(collection: Collection, query: ItemQuery) -> tuple[str, dict[str, Any]]:
    """The WHERE clause without the paging, and the values it binds."""
    moment = query.moment
    is_dated = moment.is_interval or (moment.first_day is not None and collection.valid_on == "TRUE")
    conditions = [collection.known, collection.valid_within if is_dated else collection.valid_on]
    values: dict[str, Any] = {
        "day": None if moment.is_interval else moment.first_day,
        "first_day": moment.first_day,
        "last_day": moment.last_day if moment.is_interval else moment.first_day,
        "known_at": moment.known_at,
    }
    if query.area is not None:
        # `&&` says what ST_Intersects implies: under row-level security it alone may look into the spatial index.
        conditions.append(f"{collection.geometry} && ST_GeomFromEWKB(:area)")
        conditions.append(f"ST_Intersects({collection.geometry}, ST_GeomFromEWKB(:area))")
        values["area"] = to_wkb(query.area, include_srid=True)
    for index, (name, value) in enumerate(query.equal.items()):
        conditions.append(f"{collection.properties[name]} = CAST(:equal_{index} AS {TYPES[name].kind.value})")
        values[f"equal_{index}"] = value
    if query.where is not None:
        conditions.append(query.where.sql)
        values |= query.where.values
    return " AND ".join(conditions), values


def _column(key: SortKey) -> str:
    return f'"{key.name}"'


def _direction(key: SortKey) -> str:
    return "DESC" if key.descending else "ASC"


def _beyond(sort: Sequence[SortKey], after: Sequence[Any], values: dict[str, Any]) -> str:
    """The condition for what comes after a feature, told by what it was sorted by and its key."""
    values["after"] = after[-1]
    condition = "__key > :after"
    for index, (key, value) in reversed(list(enumerate(zip(sort, after[:-1], strict=True)))):
        column = _column(key)
        if value is None:
            condition = f"({column} IS NULL AND {condition})"
            continue
        values[f"after_{index}"] = value
        bound = f"CAST(:after_{index} AS {TYPES[key.name].kind.value})"
        further = "<" if key.descending else ">"
        condition = f"({column} {further} {bound} OR {column} IS NULL OR ({column} = {bound} AND {condition}))"
    return condition


def kinds_of(sort: Sequence[SortKey]) -> list[Kind]:
    """The kinds of what a page token holds."""
    return [*(TYPES[key.name].kind for key in sort), Kind.TEXT]
