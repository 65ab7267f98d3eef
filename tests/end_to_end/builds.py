"""Builds of a small survey by the command line, and what must be equal after any of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gis.access.roles import Role
from gis.raster import read_raster
from gis.settings import Settings
from gis.store.database import Database

ROWS = {
    "building_version": "SELECT uid, epoch, tile_key, status, encode(ST_AsEWKB(footprint), 'hex'),"
    " encode(ST_AsEWKB(solid), 'hex'), ground_height, roof_height_min, roof_height_50p, roof_height_70p,"
    " roof_height_max, height, sigma_height, area, sigma_area, lod, point_count, point_density,"
    " no_data_fraction, reason, source, attributes::text, coarser::text FROM building_version"
    " WHERE upper_inf(recorded) ORDER BY uid",
    "closed": "SELECT count(*) FROM building_version WHERE NOT upper_inf(recorded)",
    "raster_product": "SELECT tile_key, epoch, product, sha256, resolution, encode(ST_AsEWKB(extent), 'hex')"
    " FROM raster_product ORDER BY tile_key, product",
    "point_product": "SELECT tile_key, epoch, sha256, point_count FROM point_product ORDER BY tile_key",
    "build_tile": "SELECT tile_key, epoch, state, input_hash, reason FROM build_tile ORDER BY tile_key",
}
"""What must be equal; all but the moments when it was recorded and how long it took."""


def diaba(
    home: Path, *arguments: str, program: Sequence[str] = ("-m", "api.cli.main"), **options: Any
) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DIABA_HOME": str(home), "DIABA_CITY": "kill"}
    environment.pop("DIABA_DATABASE_URL", None)
    return subprocess.Popen([sys.executable, *program, *arguments], env=environment, **options)


def finish(process: subprocess.Popen[bytes], seconds: float = 900) -> None:
    # The first build of a fresh checkout compiles the core as well, beside another that does the same.
    assert process.wait(seconds) == 0, process.args


def contents(home: Path) -> tuple[dict[str, list[Any]], dict[str, np.ndarray]]:
    settings = Settings(home=home, database_url=None, city_name="kill")
    city = settings.city()
    with Database.of(city, settings, start=True).open(Role.READER) as connection:
        rows = {name: [tuple(row) for row in connection.exec_driver_sql(sql)] for name, sql in ROWS.items()}
        paths = connection.exec_driver_sql("SELECT tile_key, product, path FROM raster_product").all()
    return rows, {f"{key}/{product}": read_raster(city.folder / path).values for key, product, path in paths}


def prepared(home: Path, points: Path) -> None:
    """A city whose catalogue holds the point files of a folder."""
    finish(diaba(home, "db", "migrate", stdout=subprocess.DEVNULL))
    files = sorted(str(path) for path in points.glob("*.laz"))
    finish(diaba(home, "lidar", "add", *files, "--epoch", "survey", stdout=subprocess.DEVNULL))
