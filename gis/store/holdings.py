"""Every file of the catalogue as one list: surveys as flown, classified points, and rasters, by area and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, text

RASTERS = ("dtm", "dsm", "ndsm")
COLLECTIONS = (*RASTERS, "points", "survey")

_COLUMNS = (
    "collection, key, epoch, path, sha256, extent, added, flown_from, flown_to, resolution, point_count, density, "
    "classes, crs"
)
_OF_TILE = "p.tile_key || '-' || p.epoch AS key, p.epoch, p.path, p.sha256, p.extent, b.finished_at AS added"
_CAMPAIGN = "LEFT JOIN diaba.lidar_campaign c ON c.epoch = p.epoch"
_BUILT = "LEFT JOIN diaba.build_tile b ON b.tile_key = p.tile_key AND b.epoch = p.epoch"
_RASTERS = (
    f"SELECT p.product AS collection, {_OF_TILE}, c.flown_from, c.flown_to, p.resolution, "  # noqa: S608  fixed texts
    "NULL::bigint AS point_count, NULL::double precision AS density, NULL::jsonb AS classes, NULL::text AS crs "
    f"FROM diaba.raster_product p {_BUILT} {_CAMPAIGN}"
)
_POINTS = (
    f"SELECT 'points', {_OF_TILE}, c.flown_from, c.flown_to, NULL, p.point_count, NULL, p.classes, NULL "  # noqa: S608
    f"FROM diaba.point_product p {_BUILT} {_CAMPAIGN}"
)
_SURVEYS = (
    "SELECT 'survey', p.sha256, p.epoch, p.path, p.sha256, p.extent, p.added_at, c.flown_from, c.flown_to, NULL, "  # noqa: S608
    f"p.point_count, p.density, p.classes, p.crs FROM diaba.lidar_tile p {_CAMPAIGN}"
)
_ALL = f"{_RASTERS} UNION ALL {_POINTS} UNION ALL {_SURVEYS}"
_FIRST = "COALESCE(flown_from::timestamp AT TIME ZONE 'UTC', flown_to::timestamp AT TIME ZONE 'UTC', added)"
_LAST = "COALESCE((COALESCE(flown_to, flown_from) + 1)::timestamp AT TIME ZONE 'UTC' - interval '1 second', added)"


@dataclass(frozen=True, slots=True)
class Holding:
    """A file of the catalogue."""

    collection: str
    """One of `COLLECTIONS`."""
    key: str
    """Unique in its collection: "tile-epoch" of a product, the digest of a survey's file."""
    epoch: str
    path: str
    """As an URL, absolute, or relative to the city's folder."""
    sha256: str
    extent: BaseGeometry
    """In the city's CRS."""
    added: datetime | None
    """When it came into the catalogue."""
    first: datetime | None
    """Start of the campaign's first day; when it was added, where that is not known."""
    last: datetime | None
    """The last second of the campaign's last day, likewise."""
    resolution: float | None
    """Cell size of a raster, metres."""
    point_count: int | None
    density: float | None
    """Points per m²."""
    classes: Mapping[str, int] | None
    """Points of each class."""
    crs: str | None
    """Of a survey's file; all else is in the city's."""


@dataclass(frozen=True, slots=True)
class HoldingQuery:
    """What is looked for; what is not given does not matter."""

    collections: Sequence[str] | None = None
    keys: Sequence[str] | None = None
    area: BaseGeometry | None = None
    """In the city's CRS, with its SRID."""
    first: datetime | None = None
    last: datetime | None = None
    after: tuple[str, str] | None = None
    """Collection and key of the last one seen."""
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Holdings:
    """A page of files."""

    found: tuple[Holding, ...]
    matched: int
    """How many there are on all pages."""
    has_more: bool


@dataclass(frozen=True, slots=True)
class Covered:
    """What a collection's files cover."""

    count: int
    extent: BaseGeometry | None
    """In the city's CRS."""
    first: datetime | None
    last: datetime | None
    epochs: tuple[str, ...] = field(default=())


def find(connection: Connection, query: HoldingQuery) -> Holdings:
    """A page of the files sought, by collection and key."""
    where, values = _condition(query)
    matched = connection.execute(
        text(f"SELECT count(*) FROM ({_ALL}) AS held WHERE {where}"),  # noqa: S608  fixed texts, bound values
        values,
    ).scalar_one()
    onward = "TRUE" if query.after is None else "(collection, key) > (:after_collection, :after_key)"
    if query.after is not None:
        values |= {"after_collection": query.after[0], "after_key": query.after[1]}
    rows = connection.execute(
        text(
            f"SELECT {_COLUMNS}, ST_AsBinary(extent) AS outline, {_FIRST} AS first, {_LAST} AS last "  # noqa: S608
            f"FROM ({_ALL}) AS held WHERE {where} AND {onward} ORDER BY collection, key LIMIT :most"
        ),
        {**values, "most": query.limit + 1},
    ).all()
    found = tuple(_holding(row) for row in rows[: query.limit])
    return Holdings(found, int(matched), has_more=len(rows) > query.limit)


def find_one(connection: Connection, collection: str, key: str) -> Holding | None:
    """A file by its identity."""
    page = find(connection, HoldingQuery(collections=(collection,), keys=(key,), limit=1))
    return page.found[0] if page.found else None


def covered(connection: Connection) -> dict[str, Covered]:
    """What each collection holds; those that hold nothing too."""
    rows = connection.execute(
        text(
            f"SELECT collection, count(*), ST_AsBinary(ST_SetSRID(ST_Extent(extent)::geometry, 0)), "  # noqa: S608
            f"min({_FIRST}), max({_LAST}), array_agg(DISTINCT epoch ORDER BY epoch) "
            f"FROM ({_ALL}) AS held GROUP BY collection"
        )
    ).all()
    found = {row[0]: Covered(row[1], shapely.from_wkb(bytes(row[2])), row[3], row[4], tuple(row[5])) for row in rows}
    return {name: found.get(name, Covered(0, None, None, None)) for name in COLLECTIONS}


def _condition(query: HoldingQuery) -> tuple[str, dict[str, Any]]:
    parts, values = ["TRUE"], dict[str, Any]()
    if query.collections is not None:
        parts.append("collection = ANY(:collections)")
        values["collections"] = list(query.collections)
    if query.keys is not None:
        parts.append("key = ANY(:keys)")
        values["keys"] = list(query.keys)
    if query.area is not None:
        parts.append("ST_Intersects(extent, ST_GeomFromWKB(:area, :srid))")
        values |= {"area": shapely.to_wkb(query.area), "srid": shapely.get_srid(query.area)}
    if query.first is not None:
        parts.append(f"{_LAST} >= :first")
        values["first"] = query.first
    if query.last is not None:
        parts.append(f"{_FIRST} <= :last")
        values["last"] = query.last
    return " AND ".join(parts), values


def _holding(row: Any) -> Holding:
    return Holding(
        collection=row.collection,
        key=row.key,
        epoch=row.epoch,
        path=row.path,
        sha256=row.sha256,
        extent=shapely.from_wkb(bytes(row.outline)),
        added=row.added,
        first=row.first,
        last=row.last,
        resolution=row.resolution,
        point_count=row.point_count,
        density=row.density,
        classes=row.classes,
        crs=row.crs,
    )
