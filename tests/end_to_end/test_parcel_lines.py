"""`diaba lidar build --parcel-lines`: the register's parcels part what the points show as one roof."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from shapely import box
from shapely.geometry.base import BaseGeometry

from gis.access.roles import Role
from gis.crs import normalise
from gis.settings import Settings
from gis.store import buildings, parcels
from gis.store.database import Database
from gis.store.geometry import encode
from gis.store.versions import since
from lidar.point_cloud import PointCloud
from lidar.write import write_laz
from tests.gis.store_samples import remove_cluster

from .builds import diaba, finish

EAST, NORTH, SIZE = 603_000.0, 1_191_000.0, 80
BLANK = dict.fromkeys(("ward_code", "sheet_no", "parcel_no", "land_use", "area_legal", "address"))
BUILD = ("lidar", "build", "--epoch", "survey", "--workers", "1", "--parcel-lines", "--json")


def test_a_roof_over_two_lots_is_two_buildings_and_a_moved_line_makes_them_anew(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    x, y = random.uniform(0, SIZE, (2, 8 * SIZE * SIZE))
    roof = (np.abs(x - 40) < 10) & (np.abs(y - 40) < 6)
    points, home = tmp_path / "points", tmp_path / "home"
    points.mkdir()
    write_laz(PointCloud.from_xyz(EAST + x, NORTH + y, 2 + 7.0 * roof, normalise("EPSG:9210+5727")), points / "a.laz")
    finish(diaba(home, "db", "migrate", stdout=subprocess.DEVNULL))
    try:
        finish(diaba(home, "lidar", "add", str(points / "a.laz"), "--epoch", "survey", stdout=subprocess.DEVNULL))
        divided(home, 38.0)
        assert build(home)["tiles_done"] == 1
        west, east = outlines(home)
        assert west.bounds[2] == east.bounds[0] == EAST + 38
        divided(home, 42.0)
        assert build(home)["tiles_done"] == 1
        west, east = outlines(home)
        assert west.bounds[2] == east.bounds[0] == EAST + 42
    finally:
        finish(diaba(home, "db", "stop", stdout=subprocess.DEVNULL))
        remove_cluster(home)


def store(home: Path) -> Database:
    settings = Settings(home=home, database_url=None, city_name="kill")
    return Database.of(settings.city(), settings, start=True)


def divided(home: Path, at: float) -> None:
    """Two lots side by side that meet there."""
    lots = {"w": box(EAST, NORTH, EAST + at, NORTH + SIZE), "e": box(EAST + at, NORTH, EAST + SIZE, NORTH + SIZE)}
    rows = [
        {**BLANK, "uid": uid, "area_measured": lot.area, "geom": encode([lot], 9210)[0], "valid": since(None)}
        for uid, lot in lots.items()
    ]
    with store(home).open(Role.WRITER) as connection:
        parcels.save(connection, rows)


def build(home: Path) -> dict[str, Any]:
    process = diaba(home, *BUILD, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    told: dict[str, Any] = json.loads(printed)
    return told


def outlines(home: Path) -> list[BaseGeometry]:
    """Of the buildings, from west to east."""
    with store(home).open(Role.READER) as connection:
        found = buildings.current(connection, "survey").geometry
    return sorted(found, key=lambda outline: float(outline.centroid.x))
