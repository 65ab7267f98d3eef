"""The survey's tiles to products in the store: plan, work, save; interrupted anywhere, started again, it finishes the rest.

A tile's products lie in a folder named by the hash of everything they were made from. They are written first, then one
transaction makes them and the tile's buildings known. So whatever is known is whole, and a second run does only what is
missing or was made from something else.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import shapely

from gis.bounds import BoundingBox
from gis.city_model.building import Building
from gis.crs import name_of
from gis.errors import BadInput, DiabaError, NotFound
from gis.files import PART, sha256, written_whole
from gis.grid import Grid
from gis.raster import write_cog
from gis.settings import City
from gis.store import buildings as building_register
from gis.store import catalog as tile_catalog
from gis.store import footprints as footprint_register
from gis.store import runs
from gis.store.database import Database
from gis.access.roles import Role
from lidar import catalog, scheduler
from lidar.footprints import Footprints, read_footprints, write_footprints
from lidar.pipeline import BUFFER, Tile, process_tile
from lidar.write import write_laz

METHOD = 1
"""Raised whenever the chain makes something else from the same input, so that old products are made again."""


@dataclass(frozen=True, slots=True)
class BuildParameters:
    """How the city is cut and rastered."""

    tile_size: float = 500.0
    """Metres; tiles lie on multiples of it."""
    resolution: float = 0.5
    """Metres per raster cell."""


@dataclass(frozen=True, slots=True)
class TileRecord:
    """What a worker sends back: where a tile's products are, its buildings and figures. Small, but for the buildings."""

    products: Mapping[str, Path]
    digests: Mapping[str, str]
    point_count: int
    buildings: tuple[Building, ...]
    statistics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What a build did."""

    done: int
    """Tiles made now."""
    unchanged: int
    """Tiles whose products were up to date."""
    failed: Mapping[str, str]
    """Tile → reason."""
    points: int
    buildings: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TileWork:
    """The work on one tile, as a value that travels to a worker."""

    city: City
    epoch: str
    parameters: BuildParameters
    footprints: Path | None
    """Snapshot of the base map's footprints."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """Tile key → hash of its input."""

    def __call__(self, tile: Tile) -> TileRecord:
        """Make a tile's products and write its files."""
        started = time.perf_counter()
        known = _footprints(self.footprints, self.city) if self.footprints else None
        grid = Grid.covering(tile.bounds, self.parameters.resolution)
        made = process_tile(tile, known, grid)
        folder = product_folder(self.city, self.epoch, tile.key, self.hashes[tile.key])
        files = {product: folder / f"{product}.tif" for product in ("dtm", "dsm", "ndsm")}
        for product, path in files.items():
            write_cog(getattr(made.terrain, product), path, name=product, crs=self.city.crs, epoch=self.epoch)
        files["points"] = folder / "points.laz"
        write_laz(made.points, files["points"])
        statistics = {**made.statistics, "seconds": round(time.perf_counter() - started, 3)}
        digests = {product: sha256(path) for product, path in files.items()}
        return TileRecord(files, digests, len(made.points), made.buildings, statistics)


@lru_cache(maxsize=2)
def _footprints(path: Path, city: City) -> Footprints:
    return read_footprints(path, crs=city.crs)


def product_folder(city: City, epoch: str, tile_key: str, input_hash: str) -> Path:
    """Where a tile's products lie."""
    return city.folder / "products" / epoch / tile_key / input_hash[:16]


def build(
    database: Database,
    city: City,
    epoch: str,
    *,
    area: BoundingBox | None = None,
    scheduler_address: str | None = None,
    workers: int = 2,
    parameters: BuildParameters = BuildParameters(),  # noqa: B008 - frozen
    on_tile: Callable[[int, int, str], None] = lambda done, total, key: None,
) -> BuildSummary:
    """Make the products of all tiles of an epoch that are missing or out of date.

    Args:
        database: The city's store; the catalogue there says which files belong to the epoch.
        city: Its settings: CRS and folder.
        epoch: Name of the survey.
        area: Only tiles that intersect it.
        scheduler_address: A dask.distributed scheduler; None works with local processes.
        workers: Number of local processes.
        parameters: Tile size and resolution.
        on_tile: Called as (tiles finished, tiles to do, key) whenever one is finished.

    Raises:
        NotFound: the catalogue has no file of that epoch.
        StoreUnreachable: the database does not answer.
    """
    started = time.perf_counter()
    tiles, work = plan(database, city, epoch, area=area, parameters=parameters)
    with database.open(Role.WRITER) as connection:
        states = runs.states(connection, epoch)
    todo = [tile for tile in tiles if not _is_current(tile, work, states)]
    _remove_partial_files(city)
    with database.open(Role.WRITER) as connection:
        for tile in todo:
            runs.claim(connection, tile.key, epoch, tile.bounds, work.hashes[tile.key])
    failed: dict[str, str] = {}
    points = buildings = finished = 0
    for tile, result in scheduler.run(todo, work, scheduler=scheduler_address, workers=workers):
        finished += 1
        with database.open(Role.WRITER) as connection:
            if isinstance(result, DiabaError):
                failed[tile.key] = str(result)
                runs.fail(connection, tile.key, epoch, str(result))
            else:
                save(connection, city, epoch, tile, work.hashes[tile.key], parameters, result)
                points += result.point_count
                buildings += len(result.buildings)
        on_tile(finished, len(todo), tile.key)
    _remove_unreferenced(city, epoch, {tile.key: work.hashes[tile.key] for tile in tiles})
    return BuildSummary(
        done=len(todo) - len(failed),
        unchanged=len(tiles) - len(todo),
        failed=failed,
        points=points,
        buildings=buildings,
        seconds=time.perf_counter() - started,
    )
