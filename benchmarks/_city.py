"""A synthetic city in a private store, as large as one likes: lots along streets, houses on them, some terrain."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import shapely
from registers import CRS, EAST, NORTH, town

from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.city_model.building import Building, Face, Reason, Solid, Surface
from gis.crs import normalise, srid, transformer
from gis.files import sha256
from gis.grid import Grid
from gis.land.exchange.record import ParcelRecord
from gis.raster import Raster, write_cog
from gis.settings import City, Settings
from gis.store import catalog, parcels, runs
from gis.store.catalog import RasterProduct
from gis.store.cluster import Cluster
from gis.store.database import Database
from gis.store.geometry import encode
from gis.store.runs import PlannedTile
from gis.store.versions import since

BATCH = 20_000
EPOCH = "2025"
"""The campaign that measured the houses."""
TERRAIN = 1000.0
"""Edge length in metres of the terrain, in the middle of the city."""


@dataclass(frozen=True)
class Bench:
    """The city, where it is stored, and a sample of places in it."""

    settings: Settings
    city: City
    database: Database
    places: tuple[tuple[float, float], ...]
    """Longitude and latitude of parcels, spread over the city, in the order of chance."""
    houses: tuple[str, ...]
    """Uids of some houses."""


@contextmanager
def bench_city(parcel_count: int, house_count: int, kept: Path | None = None) -> Iterator[Bench]:
    """The city while the context lasts; in a folder that is kept it is made once for its size."""
    folder = kept or Path(mkdtemp(prefix="diaba-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    settings = Settings(folder / "home", None, None)
    cluster = Cluster(settings.home)
    city = City("bench", normalise("EPSG:9210+5727"), settings.home / "cities" / "bench")
    done = folder / f"made-{parcel_count}-{house_count}"
    try:
        city.save()
        database = Database.of(city, settings, start=True)
        records = town(parcel_count)
        if not done.exists():
            began = time.perf_counter()
            _fill(database, city, records, house_count)
            done.touch()
            print(f"the city was made in {time.perf_counter() - began:.0f} s", flush=True)
        yield Bench(settings, city, database, _places(records), _houses(database))
    finally:
        cluster.stop()
        shutil.rmtree(cluster.socket, ignore_errors=True)
        if kept is None:
            # Where the server's account cannot enter the folder, its data lie elsewhere.
            elsewhere = not cluster.data.is_relative_to(folder)
            shutil.rmtree(cluster.data.parent if elsewhere else folder, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)


def _fill(database: Database, city: City, records: Sequence[ParcelRecord], house_count: int) -> None:
    for batch in _batches(records):
        shapes = encode([record.shape for record in batch], srid(CRS))
        rows = [
            {
                "uid": record.uid,
                "ward_code": record.ward_code,
                "sheet_no": record.sheet_no,
                "parcel_no": record.parcel_no,
                "land_use": record.land_use,
                "address": record.address,
                "area_legal": record.area_legal,
                "area_measured": record.shape.area,
                "geom": shape,
                "valid": since(date(2009, 3, 1)),
            }
            for record, shape in zip(batch, shapes, strict=True)
        ]
        with database.open(Role.WRITER) as connection:
            parcels.save(connection, rows)
    every = max(1, len(records) // house_count)
    with database.open(Role.WRITER) as connection:
        catalog.save_campaign(connection, EPOCH, date(2025, 2, 1), date(2025, 2, 20))
    for number, batch in enumerate(_batches(records[::every][:house_count])):
        key = f"bench_{number}"
        houses = [_house(record) for record in batch]
        bounds = BoundingBox(*shapely.total_bounds([house.footprint for house in houses]), crs=CRS)
        with database.open(Role.WRITER) as connection:
            runs.plan(connection, EPOCH, [PlannedTile(key, bounds, "0" * 8)])
            runs.claim(connection, key, EPOCH)
            rasters = [_terrain(city, records)] if number == 0 else []
            runs.save_tile(connection, key, EPOCH, rasters=rasters, points=None, buildings=houses, statistics={})
    database.analyse()
    with database.server.administrate(database.name) as session:
        # As autovacuum leaves a table after a while: pages known to be visible need not be looked at.
        session.execute("VACUUM")


def _batches(records: Sequence[ParcelRecord]) -> Iterator[Sequence[ParcelRecord]]:
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]


def _house(record: ParcelRecord) -> Building:
    """A block over most of the lot, 3 to 30 m high, with all that a survey says of one."""
    height = 3.0 + 3.0 * (int(str(record.uid).rpartition("-")[2]) % 10)
    outline = shapely.buffer(record.shape, -0.3, join_style="mitre")
    ring = np.asarray(shapely.orient_polygons(outline).exterior.coords)[:-1]
    count = len(ring)
    corners = np.vstack([np.column_stack([ring, np.full(count, z)]) for z in (2.0, 2.0 + height)])
    walls = [Face(((i, (i + 1) % count, (i + 1) % count + count, i + count),), Surface.WALL) for i in range(count)]
    ground = Face((tuple(range(count))[::-1],), Surface.GROUND)
    roof = Face((tuple(range(count, 2 * count)),), Surface.ROOF)
    return Building(
        uid=f"b{str(record.uid)[1:]}",
        footprint=outline,
        ground_height=2.0,
        roof_height_min=2.0 + height,
        roof_height_50p=2.0 + height,
        roof_height_70p=2.0 + height,
        roof_height_max=2.0 + height,
        height=height,
        sigma_height=0.08,
        area=float(outline.area),
        sigma_area=0.4,
        lod="1.2",
        solid=Solid(corners, (ground, *walls, roof)),
        point_count=800,
        point_density=10.0,
        no_data_fraction=0.0,
        reason=Reason.NONE,
        attributes={},
    )


def _terrain(city: City, records: Sequence[ParcelRecord]) -> RasterProduct:
    middle = records[len(records) // 2].shape.centroid
    half = TERRAIN / 2
    bounds = BoundingBox(middle.x - half, middle.y - half, middle.x + half, middle.y + half, CRS)
    grid = Grid.covering(bounds, 1.0)
    x, y = np.meshgrid(*grid.centres())
    heights = 3.0 + np.sin((x - EAST) / 60) * np.cos((y - NORTH) / 45)
    path = city.folder / "rasters" / "bench.tif"
    write_cog(Raster(heights.astype(np.float32), grid), path, name="dtm", crs=city.crs)
    return RasterProduct("dtm", str(path.relative_to(city.folder)), sha256(path), 1.0, grid.bounds)


def _places(records: Sequence[ParcelRecord]) -> tuple[tuple[float, float], ...]:
    chance = random.Random(1836)  # noqa: S311
    chosen = chance.sample(list(records), min(3000, len(records)))
    points = shapely.get_coordinates(shapely.centroid([record.shape for record in chosen]))
    longitude, latitude = transformer(CRS, 4326).transform(points[:, 0], points[:, 1])
    return tuple(zip(longitude.tolist(), latitude.tolist(), strict=True))


def _houses(database: Database) -> tuple[str, ...]:
    from gis.store.collections import COLLECTIONS
    from gis.store.items import ItemQuery, find_items

    with database.open(Role.READER) as connection:
        page = find_items(connection, COLLECTIONS["buildings"], ItemQuery(limit=1000))
    return tuple(item.key for item in page)


def tile_of(place: tuple[float, float], zoom: int) -> tuple[int, int, int]:
    """The tile (z, x, y) of WebMercatorQuad that a longitude and latitude lie in."""
    longitude, latitude = place
    n = 2**zoom
    y = (1.0 - np.arcsinh(np.tan(np.radians(latitude))) / np.pi) / 2.0
    return zoom, int((longitude + 180.0) / 360.0 * n), int(y * n)


@dataclass
class Service:
    """A server process that answers at an address."""

    url: str
    process: subprocess.Popen[str]

    def resident_mib(self) -> float:
        """Memory of the process, MiB."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def diaba(bench: Bench, **settings: str) -> Iterator[Service]:
    """`diaba serve`, one process, nobody counted."""
    environment = os.environ | {
        "DIABA_HOME": str(bench.settings.home),
        "DIABA_CITY": bench.city.name,
        "DIABA_RATE_PER_SECOND": "0",
        "DIABA_CONCURRENT_MOST": "0",
        **settings,
    }
    command = [sys.executable, "-m", "api.cli.main", "serve", "--port", "0", "--json"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        said = _first_document(process)
        if said is None:
            raise SystemExit(f"diaba serve: {process.stderr.read() if process.stderr else ''}")
        threading.Thread(target=_read_away, args=(process.stderr,), daemon=True).start()
        try:
            yield Service(str(said["url"]), process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _first_document(process: subprocess.Popen[str]) -> dict[str, Any] | None:
    said = ""
    for line in process.stdout or ():
        said += line
        if line.startswith("}"):
            found: dict[str, Any] = json.loads(said)
            return found
    return None


def _read_away(stream: Any) -> None:
    for _ in stream:
        pass
