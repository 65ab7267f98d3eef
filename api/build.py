"""The survey's tiles to products in the store: plan, work, save. Interrupted anywhere, a second run finishes the rest.

A tile's products lie in a folder named by the hash of everything they were made from. They are written first, then one
transaction makes them and the tile's buildings known. So whatever is known is whole, and a second run does only what is
missing or was made from something else.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import shapely

from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.city_model.building import Building
from gis.crs import horizontal, name_of, normalise
from gis.errors import BadParameter, DiabaError, NotFound
from gis.files import PART, sha256, written_whole
from gis.grid import Grid
from gis.raster import write_cog
from gis.settings import City
from gis.store import catalog as register
from gis.store import footprints as base_map
from gis.store import parcels, runs
from gis.store.catalog import PointProduct, RasterProduct
from gis.store.database import Database
from gis.store.runs import PlannedTile, State
from lidar import catalog
from lidar.catalog import FileRecord
from lidar.footprints import Footprints, read_footprints
from lidar.pipeline import DEFAULT_BUFFER, RESOLUTION, TileProducts, process_tile
from lidar.scheduler import TileFailed, run
from lidar.tile import LARGEST_BUFFER, Tile
from lidar.write_copc import write_points

POINTS = "points.copc.laz"
PRODUCTS: tuple[Literal["dtm", "dsm", "ndsm"], ...] = ("dtm", "dsm", "ndsm")
SIZES = "bytes"
"""Of a tile's statistics: its files and their sizes, by which a lost one is noticed."""
METHOD = 7
"""Raised whenever the chain makes something else from the same input, so that old products are made again."""


@dataclass(frozen=True, slots=True)
class BuildParameters:
    """How the city is cut and rastered."""

    tile_size: float = 1000.0
    """Metres; tiles lie on multiples of it."""
    resolution: float = RESOLUTION
    """Metres per raster cell."""
    parcel_lines: bool = False
    """Whether derived outlines are parted at parcel lines; then a parcel's change makes the tiles around it anew."""


@dataclass(frozen=True, slots=True)
class TileJob:
    """A tile to make, and the hash of what it is made from."""

    tile: Tile
    input_hash: str

    @property
    def key(self) -> str:
        """The tile's."""
        return self.tile.key


@dataclass(frozen=True, slots=True)
class TileRecord:
    """What a worker sends back: where a tile's products are, its buildings and figures; a few kB, no points."""

    rasters: tuple[RasterProduct, ...]
    points: PointProduct | None
    """None of a tile that holds no point; it has no rasters either."""
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
    resolution: float
    base_map: Path
    """Snapshot of the known footprints."""
    parcels: Path | None = None
    """Snapshot of the parcels, where outlines are parted at their lines."""

    def __call__(self, job: TileJob) -> TileRecord:
        """Make a tile's products and write its files: all of them, or none.

        Raises:
            DiabaError: a file cannot be read.
            OSError: the products cannot be written.
        """
        started = time.perf_counter()
        tile = job.tile
        land = None if self.parcels is None else _snapshot(self.parcels)
        made = process_tile(tile, _snapshot(self.base_map), Grid.covering(tile.bounds, self.resolution), land)
        folder = Path("products", self.epoch, tile.key, job.input_hash[:16])
        new = not (self.city.folder / folder).exists()
        try:
            rasters, points = self._written(tile, made, folder) if len(made.points) or made.buildings else ((), None)
        except BaseException:
            if new:  # what is left would take the room that other tiles need
                shutil.rmtree(self.city.folder / folder, ignore_errors=True)
            raise
        files = [product.path for product in (*rasters, points) if product is not None]
        sizes = {path: (self.city.folder / path).stat().st_size for path in files}
        seconds = round(time.perf_counter() - started, 3)
        return TileRecord(rasters, points, made.buildings, {**made.statistics, "seconds": seconds, SIZES: sizes})

    def _written(self, tile: Tile, made: TileProducts, folder: Path) -> tuple[tuple[RasterProduct, ...], PointProduct]:
        rasters = []
        for product in PRODUCTS:
            path = folder / f"{product}.tif"
            whole = self.city.folder / path
            write_cog(getattr(made.terrain, product), whole, name=product, crs=self.city.crs, epoch=self.epoch)
            rasters.append(RasterProduct(product, str(path), sha256(whole), self.resolution, tile.bounds))
        path = folder / POINTS
        write_points(made.points, self.city.folder / path)
        codes, counts = np.unique(made.points.classification, return_counts=True)
        classes: dict[int | str, int] = {int(code): int(count) for code, count in zip(codes, counts, strict=True)}
        digest = sha256(self.city.folder / path)
        return tuple(rasters), PointProduct(str(path), digest, len(made.points), tile.bounds, classes)


@lru_cache(maxsize=2)
def _snapshot(path: Path) -> Footprints:
    return read_footprints(path)


def build(
    database: Database,
    city: City,
    epoch: str,
    *,
    area: BoundingBox | None = None,
    scheduler_address: str | None = None,
    workers: int = 2,
    parameters: BuildParameters = BuildParameters(),
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
        on_tile: Called as (tiles finished, tiles to do, key): with 0 finished at the start, then after each tile.

    Raises:
        NotFound: the catalogue has no file of that epoch.
        BadParameter: the tile size is no multiple of the resolution.
        StoreUnreachable: the database does not answer.
    """
    started = time.perf_counter()
    jobs, work = _plan(database, city, epoch, area, parameters)
    planned = [PlannedTile(job.key, job.tile.bounds, job.input_hash) for job in jobs]
    _remove_leftovers(city)
    with database.open(Role.WRITER) as connection:
        runs.plan(connection, epoch, planned)
        known = runs.states(connection, epoch)
        damaged = [job.key for job in jobs if _is_damaged(city, known[job.key].statistics)]
        runs.reopen(connection, epoch, damaged)
        todo = [job for job in jobs if job.key in damaged or known[job.key].state is not State.DONE]
        for job in todo:
            runs.claim(connection, job.key, epoch)
    on_tile(0, len(todo), "")
    failed: dict[str, str] = {}
    points = buildings = 0
    results = run(todo, work, scheduler=scheduler_address, workers=max(1, min(workers, len(todo))))
    for finished, (job, result) in enumerate(results, start=1):
        if not isinstance(result, DiabaError) and _is_damaged(city, result.statistics):
            result = TileFailed(job.key, "its products vanished while the others were made; build again")
        with database.open(Role.WRITER) as connection:
            if isinstance(result, DiabaError):
                failed[job.key] = str(result)
                runs.fail(connection, job.key, epoch, str(result))
            else:
                runs.save_tile(
                    connection,
                    job.key,
                    epoch,
                    rasters=result.rasters,
                    points=result.points,
                    buildings=result.buildings,
                    statistics=result.statistics,
                )
                points += 0 if result.points is None else result.points.point_count
                buildings += len(result.buildings)
        on_tile(finished, len(todo), job.key)
    _remove_leftovers(city)  # of workers that died
    _remove_unreferenced(database, city, epoch)
    if todo:
        database.analyse()
    return BuildSummary(
        done=len(todo) - len(failed),
        unchanged=len(jobs) - len(todo),
        failed=failed,
        points=points,
        buildings=buildings,
        seconds=time.perf_counter() - started,
    )


def _plan(
    database: Database, city: City, epoch: str, area: BoundingBox | None, parameters: BuildParameters
) -> tuple[list[TileJob], TileWork]:
    """The tiles of an epoch and the work on them.

    A tile's hash takes in all files and outlines within `LARGEST_BUFFER`, though most tiles read less around them: how
    far a tile reads is known only when it is made, and a product must never be older than what it was made from. A file
    that changes costs the tiles within 600 m of it, where 436 m would often have done.
    """
    cells = parameters.tile_size / parameters.resolution if parameters.resolution > 0 else 0.0
    if cells < 1 or abs(cells - round(cells)) > 1e-9:
        raise BadParameter("tile size", parameters.tile_size, f"must be a multiple of {parameters.resolution:g} m")
    with database.open(Role.WRITER) as connection:
        files = register.tiles(connection, epoch)
        known = _by_uid(base_map.all(connection))
        land = _by_uid(parcels.current(connection)) if parameters.parcel_lines else None
    if len(files) == 0:
        raise NotFound("point file in epoch", f"{epoch}: enter some with diaba lidar add")
    flat = horizontal(city.crs)
    records = []
    for row in files.rename_geometry("geometry").itertuples():
        west, south, east, north = row.geometry.bounds
        record = FileRecord(
            path=city.folder / row.path,
            sha256=row.sha256,
            header=None,
            bounds=BoundingBox(west, south, east, north, flat),
            crs=normalise(row.crs),
        )
        records.append(record)
    digest = {record.path: record.sha256 for record in records}
    tiles = catalog.tiles_over(records, parameters.tile_size, DEFAULT_BUFFER, area)
    layers = [(layer, shapely.STRtree(layer.geometry.to_numpy())) for layer in (known, land) if layer is not None]
    jobs = []
    for tile in tiles:
        seen = tile.bounds.buffered(LARGEST_BUFFER).polygon
        parts: list[Any] = [METHOD, parameters, tile.buffer, name_of(city.crs), *sorted(digest[p] for p in tile.paths)]
        for layer, tree in layers:
            near = layer.iloc[np.sort(tree.query(seen))]
            parts += zip(near["uid"], near.geometry.to_wkb(hex=True), strict=True)
        jobs.append(TileJob(tile, hashlib.sha256(repr(parts).encode()).hexdigest()))
    snapshots = [_write_snapshot(city, layer) for layer, _ in layers]
    return jobs, TileWork(city, epoch, parameters.resolution, *snapshots)


def _is_damaged(city: City, statistics: Mapping[str, Any]) -> bool:
    """Whether a file of a tile that was made is missing or has another size; cheap, so not whether a bit flipped."""
    for path, size in statistics.get(SIZES, {}).items():
        try:
            if (city.folder / path).stat().st_size != size:
                return True
        except FileNotFoundError:
            return True
    return False


def _by_uid(layer: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Names and outlines of a register, in the names' order."""
    return layer.rename_geometry("geometry")[["uid", "geometry"]].sort_values("uid", ignore_index=True)


def _write_snapshot(city: City, layer: gpd.GeoDataFrame) -> Path:
    """Outlines as a file the workers read; named by its content, so that it never changes under them."""
    content = hashlib.sha256(repr([*zip(layer["uid"], layer.geometry.to_wkb(), strict=True)]).encode()).hexdigest()
    path = city.folder / "products" / f"outlines-{content[:16]}.gpkg"
    if not path.exists():
        with written_whole(path) as part:
            flat = layer.set_crs(horizontal(city.crs), allow_override=True)
            flat.to_file(part, layer="outlines", driver="GPKG", geometry_type="Unknown")
    return path


def _remove_leftovers(city: City) -> None:
    """Files a killed process was writing. They are nobody's: a file has its name only when it is whole."""
    for leftover in (city.folder / "products").rglob(f".*{PART}*"):
        leftover.unlink(missing_ok=True)


def _remove_unreferenced(database: Database, city: City, epoch: str) -> None:
    """Products the store does not know any more, or never knew: made from input that has changed since."""
    with database.open(Role.READER) as connection:
        frames = [register.rasters(connection, epoch), register.points(connection, epoch)]
    known = {Path(path).parent for frame in frames for path in frame["path"]}
    for folder in (city.folder / "products" / epoch).glob("*/*"):
        if folder.relative_to(city.folder) not in known:
            shutil.rmtree(folder, ignore_errors=True)
