"""`diaba lidar build` killed at random moments: started again to the end, it made what an undisturbed run makes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gis.access.roles import Role
from gis.raster import read_raster
from gis.settings import Settings
from gis.store.database import Database

KILLS = 10
SEED = 20260101
BUILD = ["lidar", "build", "--epoch", "survey", "--tile-size", "100", "--workers", "2"]
ROWS = {
    "building_version": "SELECT uid, epoch, tile_key, status, encode(ST_AsEWKB(footprint), 'hex'),"
    " encode(ST_AsEWKB(solid), 'hex'), ground_height, roof_height_min, roof_height_50p, roof_height_70p,"
    " roof_height_max, height, sigma_height, area, sigma_area, lod, point_count, point_density,"
    " no_data_fraction, reason, source, attributes::text FROM building_version WHERE upper_inf(recorded) ORDER BY uid",
    "closed": "SELECT count(*) FROM building_version WHERE NOT upper_inf(recorded)",
    "raster_product": "SELECT tile_key, epoch, product, sha256, resolution, encode(ST_AsEWKB(extent), 'hex')"
    " FROM raster_product ORDER BY tile_key, product",
    "point_product": "SELECT tile_key, epoch, sha256, point_count FROM point_product ORDER BY tile_key",
    "build_tile": "SELECT tile_key, epoch, state, input_hash, reason FROM build_tile ORDER BY tile_key",
}
"""What must be equal; all but the moments when it was recorded and how long it took."""


def diaba(home: Path, *arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "DIABA_HOME": str(home), "DIABA_CITY": "kill"}
    environment.pop("DIABA_DATABASE_URL", None)
    return subprocess.Popen([sys.executable, "-m", "api.cli.main", *arguments], env=environment, **options)


def finish(process: "subprocess.Popen[bytes]", seconds: float = 300) -> None:
    assert process.wait(seconds) == 0, process.args


def contents(home: Path) -> tuple[dict[str, list[Any]], dict[str, np.ndarray]]:
    settings = Settings(home=home, database_url=None, city_name="kill")
    city = settings.city()
    with Database.of(city, settings, start=True).open(Role.READER) as connection:
        rows = {name: [tuple(row) for row in connection.exec_driver_sql(sql)] for name, sql in ROWS.items()}
        paths = connection.exec_driver_sql("SELECT tile_key, product, path FROM raster_product").all()
    return rows, {f"{key}/{product}": read_raster(city.folder / path).values for key, product, path in paths}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scene") / "alley"
    finish(diaba(folder.parent, "scene", "make", str(folder), "--recipe", "alley", "--seed", "3", "--density", "4"))
    return folder


def prepared(home: Path, scene: Path) -> None:
    finish(diaba(home, "db", "migrate", stdout=subprocess.DEVNULL))
    files = sorted(str(path) for path in (scene / "lidar").glob("*.laz"))
    finish(diaba(home, "lidar", "add", *files, "--epoch", "survey", stdout=subprocess.DEVNULL))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_build_killed_ten_times_ends_like_an_undisturbed_one(scene: Path, tmp_path: Path) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for home in (calm, killed):
        prepared(home, scene)
    try:
        started = time.monotonic()
        finish(diaba(calm, *BUILD, stdout=subprocess.DEVNULL))
        whole = time.monotonic() - started
        moments = random.Random(SEED)  # noqa: S311  moments, not secrets
        for _ in range(KILLS):
            process = diaba(killed, *BUILD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0.05, 0.9) * whole)
            process.send_signal(signal.SIGKILL)
            process.wait()
        finish(diaba(killed, *BUILD, stdout=subprocess.DEVNULL))
        expected_rows, expected_pixels = contents(calm)
        rows, pixels = contents(killed)
        assert rows == expected_rows
        assert rows["build_tile"], "nothing was built"
        assert {row[2] for row in rows["build_tile"]} == {"done"}
        assert pixels.keys() == expected_pixels.keys()
        for name, values in pixels.items():
            np.testing.assert_array_equal(values, expected_pixels[name], err_msg=name)
        leftovers = [path for path in killed.rglob("*.part*") if path.is_file()]
        assert leftovers == []
    finally:
        for home in (calm, killed):
            finish(diaba(home, "db", "stop", stdout=subprocess.DEVNULL))
