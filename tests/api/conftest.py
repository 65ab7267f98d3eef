"""A small real city for the tests of the service: a private cluster, registers, measured buildings, terrain."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.cli.main import run
from api.main import create_app
from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.crs import CrsLike, horizontal, normalise
from gis.files import sha256
from gis.grid import Grid
from gis.raster import Raster, write_cog
from gis.settings import City, Settings
from gis.store import building_changes, catalog, discrepancies, parcels, registers, runs
from gis.store.building_changes import Comparison
from gis.store.catalog import LidarTile, RasterProduct
from gis.store.cluster import Cluster
from gis.store.database import Database
from gis.store.postmaster import Postmaster
from gis.store.runs import PlannedTile
from tests.gis.store_samples import EAST, NORTH, building, lot, register_layers, write_registers

Run = Callable[..., "tuple[int, str, str]"]
"""The command line: arguments in; exit code, stdout and stderr out."""
PARCELS = 40
OLD, NEW = "2012", "2025"
FLAGGED = "b-0003"
TILE = "1206_2382"
VARIOUS = 30
STREETS = ("Đường Nguyễn Trãi", "ĐƯỜNG NGUYỄN TRÃI", "duong nguyen trai", "Hẻm 5%_\\ 'x'", "Lê Lợi", "")


@dataclass(frozen=True)
class CityStore:
    """A city of the tests and where its store is."""

    settings: Settings
    city: City
    database: Database


@pytest.fixture(scope="session")
def installation() -> Iterator[Settings]:
    """A home with a running private cluster."""
    folder = Path(tempfile.mkdtemp(prefix="diaba-api-"))
    folder.chmod(0o755)
    settings = Settings(folder / "home", None, None)
    Cluster(settings.home).start()
    yield settings
    cluster = Cluster(settings.home)
    cluster.stop()
    shutil.rmtree(cluster.socket, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_home() -> Iterator[Path]:
    """A home of the test's own, with nothing in it yet; what runs there in the end is ended."""
    folder = Path(tempfile.mkdtemp(prefix="diaba-test-"))
    folder.chmod(0o755)
    yield folder / "home"
    cluster = Cluster(folder / "home")
    Postmaster(cluster.data).end(signal.SIGQUIT, 30)
    shutil.rmtree(cluster.socket, ignore_errors=True)
    shutil.rmtree(folder)


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Make the command line of a home: arguments in; exit code, stdout and stderr out."""

    def made(home: Path, *before: str) -> Run:
        monkeypatch.setenv("DIABA_HOME", str(home))
        monkeypatch.delenv("DIABA_DATABASE_URL", raising=False)
        monkeypatch.delenv("DIABA_CITY", raising=False)

        def call(*arguments: str) -> tuple[int, str, str]:
            code = run([*before, *arguments])
            out, err = capfd.readouterr()
            return code, out, err

        return call

    return made


@pytest.fixture(scope="session")
def make_store(installation: Settings) -> Callable[..., CityStore]:
    """Make an empty city."""

    def make(name: str, crs: CrsLike = "EPSG:9210+5727") -> CityStore:
        city = City(name, normalise(crs), installation.home / "cities" / name)
        # The service is started as a program too, which reads it there.
        city.save()
        return CityStore(installation, city, Database.of(city, installation, start=True))

    return make


def terrain(bounds: BoundingBox) -> Raster:
    """A plane that rises to the north-east, with a hill; the second band is its standard deviation."""
    grid = Grid.covering(bounds, 0.5)
    x, y = np.meshgrid(*grid.centres())
    hill = 8.0 * np.exp(-((x - EAST - 60) ** 2 + (y - NORTH - 60) ** 2) / 400.0)
    heights = 1.0 + 0.01 * (x - EAST) + 0.02 * (y - NORTH) + hill
    return Raster(heights.astype(np.float32), grid, {"sigma": np.full(grid.shape, 0.07, dtype=np.float32)})


def furnish(store: CityStore, folder: Path) -> None:
    """Import registers, two campaigns with buildings, a terrain and a flagged difference."""
    layers = register_layers(PARCELS)
    bounds = BoundingBox(EAST - 50, NORTH - 50, EAST + 350, NORTH + 150, horizontal(store.city.crs))
    dtm = store.city.folder / "rasters" / f"{TILE}.tif"
    write_cog(terrain(bounds), dtm, name="dtm", crs=store.city.crs)
    raster = RasterProduct("dtm", str(dtm.relative_to(store.city.folder)), sha256(dtm), 0.5, bounds)
    old = [building(n, height=6.0) for n in range(PARCELS - 2)]
    new = [
        replace(
            building(n, height=12.4 if f"b-{n:04d}" == FLAGGED else 6.0 + n / 10, solid=n != 7),
            attributes={
                "planes": 1,
                "note": "nhà phố",
                "roof_type": "sloped" if n % 2 else "flat",
                "storeys": 4,
                "storeys_least": 3,
                "storeys_most": 5,
            },
        )
        for n in range(PARCELS)
    ]
    path = write_registers(folder / "registers.gpkg", layers)
    with store.database.open(Role.WRITER) as connection:
        registers.import_registers(connection, path)
        for epoch, flown, buildings in ((OLD, date(2012, 3, 1), old), (NEW, date(2025, 2, 1), new)):
            catalog.save_campaign(connection, epoch, flown, flown.replace(day=20))
            tile = LidarTile(epoch[-1] * 64, f"lidar/{epoch}.laz", 80_000, "EPSG:9210+5727", bounds, 10.0, {2: 50_000})
            catalog.save_tiles(connection, epoch, [tile])
            runs.plan(connection, epoch, [PlannedTile(TILE, bounds, epoch * 8)])
            runs.claim(connection, TILE, epoch)
            runs.save_tile(
                connection,
                TILE,
                epoch,
                rasters=[raster] if epoch == NEW else [],
                points=None,
                buildings=buildings,
                statistics={},
            )
        found = {
            "kind": "storeys",
            "building_uid": FLAGGED,
            "parcel_uid": "p-0003",
            "permit_no": "GPXD-0003",
            "epoch": NEW,
            "actual": 12.4,
            "limit_value": 11.6,
            "unit": "m",
            "delta": 0.8,
            "sigma": 0.1,
            "confidence": 0.99,
            "evidence": {"rule": "permit height"},
        }
        discrepancies.save(connection, [found], epoch=NEW)
        change = {
            "change": "taller",
            "building_uid": FLAGGED,
            "parcel_uid": "p-0003",
            "delta": 6.4,
            "unit": "m",
            "sigma": 0.2,
            "confidence": 0.999,
            "evidence": {},
            "geom": building(3).footprint,
        }
        building_changes.save(connection, Comparison(OLD, NEW, 0.01, 0.0, 0.0, 0.0, None, None, None), [change])


@pytest.fixture(scope="session")
def store(make_store: Callable[..., CityStore], tmp_path_factory: pytest.TempPathFactory) -> CityStore:
    """The small city, filled. It is invented, so the public sees of it what planners see."""
    made = make_store("small")
    with made.database.open(Role.OWNER) as connection:
        connection.execute(text("UPDATE diaba.city SET is_demo = true"))
    furnish(made, tmp_path_factory.mktemp("registers"))
    return made


@pytest.fixture(scope="session")
def client(store: CityStore) -> Iterator[TestClient]:
    """The service without a network; errors inside of it are answers, as they are for clients."""
    with TestClient(create_app(store.settings, store.city), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture(scope="session")
def various(make_store: Callable[..., CityStore], tmp_path_factory: pytest.TempPathFactory) -> CityStore:
    """A city whose parcels differ in everything, with values missing here and there."""
    made = make_store("various")
    layers = register_layers(VARIOUS)
    frame, numbers = layers["parcels"], range(VARIOUS)
    frame["land_use"] = [("ODT", "CLN", "LUC", None)[n % 4] for n in numbers]
    frame["address"] = [STREETS[n % 6] or None for n in numbers]
    frame["area_legal"] = [None if n % 7 == 3 else 20.0 + 12.5 * (n * 7 % VARIOUS) for n in numbers]
    frame["ward_code"] = ["26734" if n % 3 else "26737" for n in numbers]
    frame["sheet_no"] = [str(n % 5) for n in numbers]
    frame["valid_from"] = [f"20{9 + n % 8:02d}-0{1 + n % 9}-15" for n in numbers]
    frame.geometry = [lot(n, 5.0 if n % 2 else 6.0) for n in numbers]
    with made.database.open(Role.WRITER) as connection:
        registers.import_registers(connection, write_registers(tmp_path_factory.mktemp("various") / "r.gpkg", layers))
    return made


@pytest.fixture(scope="session")
def various_client(various: CityStore) -> Iterator[TestClient]:
    """The service of that city."""
    with TestClient(create_app(various.settings, various.city), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture(scope="session")
def various_rows(various: CityStore) -> list[dict[str, Any]]:
    """The parcels as the register's own reader gives them."""
    with various.database.open(Role.READER) as connection:
        frame = parcels.current(connection)
    found = []
    for record in frame.to_dict("records"):
        row = {name: None if value is None or value != value else value for name, value in record.items()}
        days = {name: row[name] and row[name].date() for name in ("valid_from", "valid_to")}
        found.append({**row, **days, "geometry": row["geom"]})
    return found


@pytest.fixture(scope="session")
def address(store: CityStore) -> Iterator[str]:
    """The service on a real port, for other people's programs."""
    with served(store) as url:
        yield url


@contextmanager
def served(store: CityStore, *options: str, **settings: str) -> Iterator[str]:
    """`diaba serve` as a process of its own while the context lasts, with options and settings; gives its address.

    A thread would not do: a library that waits for an answer while it holds the interpreter's lock would wait for ever.
    """
    environment = os.environ | {"DIABA_HOME": str(store.settings.home), "DIABA_CITY": store.city.name} | settings
    program = [sys.executable, "-m", "api.cli.main", "serve", "--port", "0", "--json", *options]
    with subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        # The log must be read, or the service stops when the pipe is full.
        log = threading.Thread(target=_drain, args=(process.stderr,), daemon=True)
        log.start()
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("}"):
                break
        try:
            yield str(json.loads(said)["url"])
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
            log.join(5)


def _drain(stream: IO[str]) -> None:
    for _ in stream:
        pass


@pytest.fixture(scope="session")
def measured(make_store: Callable[..., CityStore]) -> CityStore:
    """A city of four tiles in two campaigns, with all their products."""
    from tests.api.measured import measure

    made = make_store("measured")
    measure(made)
    return made


@pytest.fixture(scope="session")
def measured_client(measured: CityStore) -> Iterator[TestClient]:
    """The service of the measured city without a network."""
    with TestClient(create_app(measured.settings, measured.city), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture(scope="session")
def measured_address(measured: CityStore) -> Iterator[str]:
    """The service of the measured city on a real port."""
    with served(measured) as url:
        yield url
