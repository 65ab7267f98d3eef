"""Features of a collection by place, time, attribute and key, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shapely import from_wkb, to_wkb
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, Row, text

from gis.store.collections import NOW, Collection, Moment

COUNTED_AT_MOST = 100_000
"""Rows that are counted for `numberMatched`; beyond, the number is left out rather than waited for."""


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """What is asked of a collection."""

    limit: int
    area: BaseGeometry | None = None
    """In the city's CRS; features that share a point with it."""
    moment: Moment = NOW
    filters: Mapping[str, str] = field(default_factory=dict)
    after: str | None = None
    """The key of the last feature already seen."""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One feature, its geometry in the city's CRS."""

    key: str
    geometry: BaseGeometry | None
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some features, and how many match in all (None: too many to count)."""

    items: tuple[Item, ...]
    matched: int | None
    has_more: bool


def find_items(connection: Connection, collection: Collection, query: ItemQuery) -> Page:
    """A page of features in the order of their keys.

    Each key appears once: of an interval's versions the newest is shown.
    """
    where, values = _conditions(collection, query)
    paged = where if query.after is None else f"{where} AND {collection.key} > :after"
    ordered = f"WHERE {paged} {_order(collection, query.moment)}"
    sql = f"{_select(collection, query.moment)} {ordered} LIMIT :limit OFFSET :offset"
    paging = {"after": query.after, "limit": query.limit + 1, "offset": query.offset}
    rows = connection.execute(text(sql), values | paging).all()
    items = tuple(_item(row) for row in rows[: query.limit])
    return Page(items, _count(connection, collection, where, values), len(rows) > query.limit)


def find_item(connection: Connection, collection: Collection, key: str, moment: Moment = NOW) -> Item | None:
    """The feature of that key at a moment, or None."""
    where, values = _conditions(collection, ItemQuery(limit=1, moment=moment))
    sql = (
        f"{_select(collection, moment)} WHERE {where} AND {collection.key} = :key {_order(collection, moment)} LIMIT 1"
    )
    row = connection.execute(text(sql), values | {"key": key}).first()
    return None if row is None else _item(row)


def _select(collection: Collection, moment: Moment) -> str:
    columns = ", ".join(f'{expression} AS "{name}"' for name, expression in collection.properties.items())
    distinct = f"DISTINCT ON ({collection.key})" if moment.is_interval else ""
    return (
        f"SELECT {distinct} {collection.key} AS __key, ST_AsBinary({collection.geometry}) AS __geometry, {columns} "  # noqa: S608
        f"FROM {collection.source}"
    )


def _order(collection: Collection, moment: Moment) -> str:
    newest_first = f", {collection.newest} DESC NULLS LAST" if moment.is_interval and collection.newest else ""
    return f"ORDER BY {collection.key}{newest_first}"


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
    for index, (name, value) in enumerate(query.filters.items()):
        conditions.append(f"CAST({collection.properties[name]} AS text) = :filter_{index}")
        values[f"filter_{index}"] = value
    return " AND ".join(conditions), values


def _count(connection: Connection, collection: Collection, where: str, values: Mapping[str, Any]) -> int | None:
    """How many keys match, exactly, or None where that would take long."""
    sql = (
        f"SELECT count(*) FROM (SELECT DISTINCT {collection.key} FROM {collection.source} WHERE {where} "  # noqa: S608
        "LIMIT :most) AS matching"
    )
    count = int(connection.execute(text(sql), {**values, "most": COUNTED_AT_MOST + 1}).scalar_one())
    return count if count <= COUNTED_AT_MOST else None


def _item(row: Row[Any]) -> Item:
    values = dict(row._mapping)
    key, shape = values.pop("__key"), values.pop("__geometry")
    return Item(str(key), None if shape is None else from_wkb(bytes(shape)), values)
