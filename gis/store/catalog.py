"""The catalogue of files: campaigns, the point clouds they flew, and what was made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, and_, delete, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from gis import crs as reference
from gis.bounds import BoundingBox
from gis.errors import Conflict
from gis.store import frames
from gis.store.geometry import box, city_crs, touches
from gis.store.schema import lidar_campaign, lidar_tile, point_product, raster_product
from gis.store.versions import plain

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class LidarTile:
    """A point cloud file as the catalogue knows it."""

    sha256: str
    path: str
    """As an URL, or relative to the city's folder."""
    point_count: int
    crs: str
    """The file's own."""
    bounds: BoundingBox
    density: float | None = None
    """Points per m²."""
    classes: Mapping[int | str, int] = field(default_factory=dict)
    """Points of each class."""


@dataclass(frozen=True, slots=True)
class RasterProduct:
    """A raster made of a tile."""

    product: Literal["dtm", "dsm", "ndsm"]
    path: str
    sha256: str
    resolution: float
    """Cell size in metres."""
    bounds: BoundingBox


@dataclass(frozen=True, slots=True)
class PointProduct:
    """A tile's classified point cloud."""

    path: str
    sha256: str
    point_count: int
    bounds: BoundingBox
    classes: Mapping[int | str, int] = field(default_factory=dict)


def save_campaign(
    connection: Connection,
    epoch: str,
    flown_from: date | None = None,
    flown_to: date | None = None,
    note: str | None = None,
) -> None:
    """Add a campaign, or tell more of a known one; what is not given stays."""
    given = {"flown_from": flown_from, "flown_to": flown_to, "note": note}
    told = {name: value for name, value in given.items() if value is not None}
    statement = insert(lidar_campaign).values(epoch=epoch, **given)
    if told:
        statement = statement.on_conflict_do_update(index_elements=["epoch"], set_=told)
    else:
        statement = statement.on_conflict_do_nothing()
    connection.execute(statement)


def campaigns(connection: Connection) -> DataFrame:
    """All campaigns, by epoch: epoch, flown_from, flown_to, note."""
    return frames.table(connection, list(lidar_campaign.columns), literal(True), [lidar_campaign.c.epoch])


def save_tiles(connection: Connection, epoch: str, tiles: Sequence[LidarTile]) -> int:
    """Add files to a campaign; a file known by its content stays as it is, one whose content changed is entered anew.

    Returns how many were new.

    Raises:
        Conflict: a file belongs to another campaign already, or the campaign is not known.
    """
    srid = reference.srid(city_crs(connection))
    added = 0
    for tile in sorted(tiles, key=lambda one: one.sha256):
        values = {
            "sha256": tile.sha256,
            "epoch": epoch,
            "path": tile.path,
            "point_count": tile.point_count,
            "density": plain(tile.density),
            "crs": tile.crs,
            "extent": _extent(connection, tile.bounds, srid),
            "classes": plain(tile.classes),
        }
        known = connection.scalar(select(lidar_tile.c.sha256).where(lidar_tile.c.sha256 == tile.sha256))
        at_path = and_(lidar_tile.c.epoch == epoch, lidar_tile.c.path == tile.path)
        if known is None and connection.execute(update(lidar_tile).where(at_path).values(values)).rowcount:
            added += 1
            continue
        moved = insert(lidar_tile).values(values).on_conflict_do_nothing().returning(lidar_tile.c.sha256)
        if connection.scalar(moved) is not None:
            added += 1
            continue
        other = connection.scalar(select(lidar_tile.c.epoch).where(lidar_tile.c.sha256 == tile.sha256))
        if other != epoch:
            raise Conflict(f"{tile.path}: the same file belongs to the campaign {other} already")
    return added


def tiles(connection: Connection, epoch: str, bounds: BoundingBox | None = None) -> GeoDataFrame:
    """A campaign's files that meet the bounds, by path: the columns of `lidar_tile`, geometry `extent`."""
    condition = lidar_tile.c.epoch == epoch
    if bounds is not None:
        condition = and_(condition, touches(lidar_tile.c.extent, bounds, connection))
    order = [lidar_tile.c.path, lidar_tile.c.sha256]
    return frames.read(connection, list(lidar_tile.columns), condition, order, geometry="extent")


def save_products(
    connection: Connection,
    tile_key: str,
    epoch: str,
    rasters: Sequence[RasterProduct],
    points: PointProduct | None,
) -> None:
    """Make these the tile's files; what it had else is forgotten here (the files stay)."""
    srid = reference.srid(city_crs(connection))
    of_tile = {"tile_key": tile_key, "epoch": epoch}
    for table in (raster_product, point_product):
        connection.execute(delete(table).where(table.c.tile_key == tile_key, table.c.epoch == epoch))
    for raster in sorted(rasters, key=lambda one: one.product):
        values = {
            "product": raster.product,
            "path": raster.path,
            "sha256": raster.sha256,
            "resolution": float(raster.resolution),
            "extent": _extent(connection, raster.bounds, srid),
        }
        connection.execute(insert(raster_product).values(**of_tile, **values))
    if points is not None:
        values = {
            "path": points.path,
            "sha256": points.sha256,
            "point_count": int(points.point_count),
            "classes": plain(points.classes),
            "extent": _extent(connection, points.bounds, srid),
        }
        connection.execute(insert(point_product).values(**of_tile, **values))


def rasters(
    connection: Connection, epoch: str, product: str | None = None, bounds: BoundingBox | None = None
) -> GeoDataFrame:
    """An epoch's rasters, of one product or of all, that meet the bounds; by tile and product, geometry `extent`."""
    table = raster_product
    condition = table.c.epoch == epoch
    if product is not None:
        condition = and_(condition, table.c.product == product)
    if bounds is not None:
        condition = and_(condition, touches(table.c.extent, bounds, connection))
    return frames.read(
        connection, list(table.columns), condition, [table.c.tile_key, table.c.product], geometry="extent"
    )


def points(connection: Connection, epoch: str, bounds: BoundingBox | None = None) -> GeoDataFrame:
    """An epoch's classified point clouds that meet the bounds; by tile, geometry `extent`."""
    table = point_product
    condition = table.c.epoch == epoch
    if bounds is not None:
        condition = and_(condition, touches(table.c.extent, bounds, connection))
    return frames.read(connection, list(table.columns), condition, [table.c.tile_key], geometry="extent")


def _extent(connection: Connection, bounds: BoundingBox, srid: int) -> str:
    return box(bounds.to(reference.horizontal(city_crs(connection))), srid)
