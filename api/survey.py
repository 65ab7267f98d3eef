"""The files of a survey: checked and entered into the catalogue of an epoch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pyproj import CRS

from gis.access.roles import Role
from gis.crs import horizontal, name_of
from gis.errors import BadCrs, BadParameter, NotFound
from gis.settings import City
from gis.store import catalog as register
from gis.store.catalog import LidarTile
from gis.store.database import Database
from lidar import catalog
from lidar.catalog import FileRecord


def add_files(
    database: Database, city: City, files: Iterable[Path], epoch: str, *, crs: CRS | None = None
) -> list[FileRecord]:
    """Check point files and enter them into the catalogue of an epoch: all of them, or none.

    Raises:
        UnreadableFile, MissingCrs: a file cannot be used.
        BadCrs: a file is not in the city's CRS.
        Conflict: a file belongs to another epoch.
    """
    records = catalog.scan(files, crs)
    for record in records:
        if record.problem is not None:
            raise record.problem
        if record.bounds is not None and record.bounds.crs != horizontal(city.crs):
            raise BadCrs(
                f"{record.path} is in {name_of(record.bounds.crs)}, the city in {name_of(horizontal(city.crs))}; "
                "reproject it first: diaba lidar pipeline reproject.json"
            )
    tiles = [
        LidarTile(
            sha256=record.sha256,
            path=str(Path(record.path).resolve()),
            point_count=record.header.point_count,
            crs=name_of(record.crs),
            bounds=record.bounds,
            density=round(record.header.point_count / max(record.bounds.area, 1.0), 3),
        )
        for record in records
        if record.header is not None and record.bounds is not None and record.crs is not None
    ]
    with database.open(Role.WRITER) as connection:
        register.save_campaign(connection, epoch)
        register.save_tiles(connection, epoch, tiles)
    return records


def only_epoch(database: Database) -> str:
    """The epoch of a city that was surveyed once.

    Raises:
        NotFound: it was not surveyed.
        BadParameter: it was surveyed more than once.
    """
    with database.open(Role.READER) as connection:
        epochs = list(register.campaigns(connection)["epoch"])
    if not epochs:
        raise NotFound("epoch", "yet: enter point files with diaba lidar add")
    if len(epochs) > 1:
        raise BadParameter("epoch", None, f"name one of {', '.join(epochs)} with --epoch")
    return str(epochs[0])
