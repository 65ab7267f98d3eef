"""How far the city's data reach, and which raster files lie where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, text

from gis.bounds import BoundingBox
from gis.crs import horizontal, srid
from gis.errors import BadParameter, NotFound, StoreUnreachable
from gis.grid import Grid
from gis.settings import City

LOOKED_THROUGH = 20_000
"""Rows of a table whose extent is worked out one by one: some milliseconds."""


@dataclass(frozen=True, slots=True)
class RasterFile:
    """A raster product of the catalogue."""

    path: Path
    epoch: str
    flown: date | None
    """Last day of the campaign."""
    resolution: float
    """Cell size in metres."""
    sha256: str = ""
    """Of the file."""


def city_name(connection: Connection) -> str:
    """The name of the city the database holds.

    Raises:
        StoreUnreachable: the database holds none yet.
    """
    found = connection.execute(text("SELECT name FROM diaba.city")).scalar_one_or_none()
    if found is None:
        raise StoreUnreachable("of the city", "it is empty; run: diaba db migrate")
    return str(found)


def is_demo(connection: Connection) -> bool:
    """Whether the city is invented."""
    return bool(connection.execute(text("SELECT is_demo FROM diaba.city")).scalar_one_or_none())


def extent(connection: Connection, city: CRS, tables: Sequence[tuple[str, str]]) -> BoundingBox | None:
    """What the rows of some (table, geometry column) cover, in the city's CRS; None without any.

    Exact for small tables, and for those of which not everybody sees all. That of a larger one is read off its spatial
    index, at once for any number of rows; it may be too large by a few metres of rounding, and by what an import that
    failed has touched.
    Table and column are names of this project's schema, never a client's.
    """
    found: BoundingBox | None = None
    for table, column in tables:
        by_ward = _by_ward(connection, table)
        count, *corners = connection.execute(
            text(
                "SELECT count(*), ST_XMin(ST_Extent(g)), ST_YMin(ST_Extent(g)), ST_XMax(ST_Extent(g)), "  # noqa: S608
                f"ST_YMax(ST_Extent(g)) FROM (SELECT {column} AS g FROM diaba.{table} LIMIT :most) AS looked_through"
            ),
            {"most": None if by_ward else LOOKED_THROUGH + 1},
        ).one()
        if count > LOOKED_THROUGH and not by_ward:
            corners = list(
                connection.execute(
                    text(
                        "SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e) "
                        "FROM (SELECT ST_EstimatedExtent('diaba', :table, :column) AS e) AS estimate"
                    ),
                    {"table": table, "column": column},
                ).one()
            )
        west, south, east, north = corners
        if west is not None:
            box = BoundingBox(west, south, east, north, horizontal(city))
            found = box if found is None else found.union(box)
    return found


def _by_ward(connection: Connection, table: str) -> bool:
    """Whether not all see all rows: then the index would tell of those that are not shown."""
    return bool(
        connection.execute(text("SELECT row_security_active(:table)"), {"table": f"diaba.{table}"}).scalar_one()
    )


def rasters_over(
    connection: Connection, product: str, area: BoundingBox, *, epoch: str | None = None, most: int
) -> list[RasterFile]:
    """The files of a product that touch an area in the city's CRS, the newest campaign first."""
    rows = connection.execute(
        text(
            "SELECT r.path, r.epoch, c.flown_to, r.resolution, r.sha256 FROM diaba.raster_product r "
            "LEFT JOIN diaba.lidar_campaign c ON c.epoch = r.epoch "
            "WHERE r.product = :product AND (CAST(:epoch AS text) IS NULL OR r.epoch = :epoch) "
            "AND r.extent && ST_MakeEnvelope(:west, :south, :east, :north, :srid) "
            "ORDER BY c.flown_to DESC NULLS LAST, r.epoch DESC, r.tile_key LIMIT :most"
        ),
        {
            "product": product,
            "epoch": epoch,
            "srid": srid(area.crs),
            "most": most,
            **dict(zip(("west", "south", "east", "north"), area.tuple, strict=True)),
        },
    )
    return [RasterFile(Path(row[0]), row[1], row[2], row[3], row[4]) for row in rows]


def rasters_to_read(
    connection: Connection,
    city: City,
    product: str,
    bounds: BoundingBox | None = None,
    *,
    epoch: str | None = None,
    files_most: int,
    cells_most: int,
) -> tuple[list[Path], Grid]:
    """The files of a product and the cells that the bounds touch (without them: all), for `gis.raster.read_over`.

    The newest campaign comes first. The resolution is that of the newest file; files of another are left out.

    Args:
        connection: A connection that may read.
        city: The city.
        product: "dtm", "dsm" or "ndsm".
        bounds: In the city's CRS.
        epoch: Of this campaign alone.
        files_most: Files at most.
        cells_most: Cells at most.

    Raises:
        NotFound: no such product is there.
        BadParameter: it would be too many files or cells.
    """
    area = bounds or extent(connection, city.crs, [("raster_product", "extent")])
    found = [] if area is None else rasters_over(connection, product, area, epoch=epoch, most=files_most + 1)
    files = [file for file in found if file.resolution == found[0].resolution and (city.folder / file.path).exists()]
    if area is None or not files:
        raise NotFound("raster", product)
    if len(found) > files_most:
        raise BadParameter("bbox", area.tuple, f"touches more than {files_most} files; ask for a smaller area")
    grid = Grid.covering(area, files[0].resolution)
    if grid.rows * grid.columns > cells_most:
        raise BadParameter("bbox", area.tuple, f"has more than {cells_most} cells; ask for a smaller area")
    return [city.folder / file.path for file in files], grid


def extents_of(connection: Connection, product: str, city: CRS) -> list[BoundingBox]:
    """The rectangles that a product's files cover, each once, in the city's CRS."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT ST_XMin(extent), ST_YMin(extent), ST_XMax(extent), ST_YMax(extent) "
            "FROM diaba.raster_product WHERE product = :product ORDER BY 1, 2, 3, 4"
        ),
        {"product": product},
    )
    return [BoundingBox(row[0], row[1], row[2], row[3], horizontal(city)) for row in rows]


def rasters_meeting(
    connection: Connection, product: str, shape: BaseGeometry, *, epoch: str | None = None, most: int
) -> list[RasterFile]:
    """The files of a product that share a point with a geometry (with its SRID), the newest campaign first.

    Raises:
        BadParameter: they are more than the most.
    """
    rows = connection.execute(
        text(
            "SELECT r.path, r.epoch, c.flown_to, r.resolution, r.sha256 FROM diaba.raster_product r "
            "LEFT JOIN diaba.lidar_campaign c ON c.epoch = r.epoch "
            "WHERE r.product = :product AND (CAST(:epoch AS text) IS NULL OR r.epoch = :epoch) "
            "AND ST_Intersects(r.extent, ST_GeomFromWKB(:shape, :srid)) "
            "ORDER BY c.flown_to DESC NULLS LAST, r.epoch DESC, r.tile_key LIMIT :most"
        ),
        {
            "product": product,
            "epoch": epoch,
            "shape": shapely.to_wkb(shape),
            "srid": shapely.get_srid(shape),
            "most": most + 1,
        },
    ).all()
    if len(rows) > most:
        raise BadParameter("coords", "…", f"meets more than {most} files of {product}; ask for less at once")
    return [RasterFile(Path(row[0]), row[1], row[2], row[3], row[4]) for row in rows]
