"""CesiumJS, a stranger's globe, shows the 3D Tiles in a real browser that reaches this machine alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import rasterio

from gis.crs import transformer
from tests.api.conftest import FLAGGED, PARCELS, CityStore, furnish, served
from tests.api.test_point_tiles import COUNT, add_points
from tests.gis.store_samples import EAST, NORTH, building

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).parent / "browser" / "cesium.mjs"
PICKED = (3, 9, 16)
GROUND = ((10, 20), (60, 60), (200, 100))
"""Metres from the small city's corner."""


def lonlat(east: float, north: float, height: float) -> list[float]:
    lon, lat = transformer(9210, 4326).transform(east, north)
    return [lon, lat, height]


def roof_of(number: int) -> list[float]:
    """The middle of a building's roof."""
    solid = building(number, height=12.4 if number == 3 else 6.0 + number / 10).solid
    assert solid is not None
    west, south = solid.vertices.min(axis=0)[:2]
    return lonlat(west + 2.5, south + 8, solid.vertices[:, 2].max())


@pytest.fixture(scope="module")
def globe_address(make_store: Callable[..., CityStore], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with buildings and points."""
    store = make_store("globe")
    furnish(store, tmp_path_factory.mktemp("registers"))
    add_points(store, "2024")
    with served(store) as url:
        yield url


@pytest.fixture(scope="module")
def visit(globe_address: str, browser: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What the globe showed, and the folder of its pictures."""
    node = shutil.which("node")
    if node is None or not (CHECKOUT / "node_modules" / "cesium").exists():
        pytest.fail("the globe's test needs Node and `npm install`: run scripts/setup.sh test", pytrace=False)
    folder = tmp_path_factory.mktemp("globe")
    question = {
        "target": lonlat(EAST + 60, NORTH + 8, 5.0),
        "tilesets": [
            {"path": "/3dtiles/tileset.json?as_of=2026-01-01", "range": 800.0},
            {"path": "/3dtiles/tileset.json?as_of=2026-01-01", "range": 140.0, "pick": [roof_of(n) for n in PICKED]},
            {"path": "/points/2024/tileset.json", "range": 200.0},
            {"path": "/3dtiles/tileset.json", "range": 300.0, "terrain": "/terrain"},
        ],
        "terrain": {"path": "/terrain", "places": [lonlat(EAST + x, NORTH + y, 0.0)[:2] for x, y in GROUND]},
    }
    told = subprocess.run(
        [node, str(SCRIPT), globe_address, str(browser), str(folder), json.dumps(question)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=CHECKOUT,
    )
    assert told.returncode == 0, told.stderr
    seen: dict[str, Any] = json.loads(told.stdout)
    return seen, folder


def test_the_globe_has_nothing_to_complain_about(visit: tuple[dict[str, Any], Path]) -> None:
    seen, _ = visit
    assert seen["console"] == []
    assert seen["failed"] == []
    assert seen["foreign"] == []
    for shown in seen["shown"]:
        assert shown["failures"] == []
        assert shown["settled"], shown


def test_far_away_are_blocks_and_near_the_best_models(visit: tuple[dict[str, Any], Path]) -> None:
    seen, _ = visit
    far, near, *_ = seen["shown"]
    assert far["features"] == near["features"] == PARCELS - 1
    assert any(path.startswith("/3dtiles/3/") for path in seen["requests"])
    assert any(path.startswith("/3dtiles/4/") for path in seen["requests"])


def test_a_building_is_where_the_store_has_it_and_says_what_is_known(visit: tuple[dict[str, Any], Path]) -> None:
    picked = visit[0]["picked"]
    assert [one["uid"] for one in picked] == [building(n).uid for n in PICKED]
    assert picked[0]["uid"] == FLAGGED
    assert picked[0]["permit"] == "GPXD-0003"
    assert picked[0]["height"] == pytest.approx(12.4, abs=1e-5)
    assert picked[0]["lod"] == "1.2"
    assert "verdict" not in picked[0]


def test_the_picture_has_roofs_and_walls(visit: tuple[dict[str, Any], Path]) -> None:
    with rasterio.open(visit[1] / "cesium-1.png") as source:
        red, green, blue = source.read([1, 2, 3]).astype(int)
    roofs = (red > 1.5 * green) & (red > 60)
    assert roofs.mean() > 0.02
    walls = (abs(red - green) < 25) & (abs(green - blue) < 25) & (red > 110) & (green < red + 6)
    assert walls.mean() > 0.01


def test_the_globe_stands_on_the_terrain_of_the_store(globe_address: str, visit: tuple[dict[str, Any], Path]) -> None:
    seen, folder = visit
    for (x, y), height in zip(GROUND, seen["terrain"], strict=True):
        asked = {"x": EAST + x, "y": NORTH + y, "crs": "EPSG:9210"}
        # The triangles of the finest level are within 7 cm of the terrain.
        assert height == pytest.approx(
            httpx.get(f"{globe_address}/raster/dtm/value", params=asked).json()["value"], abs=0.1
        )
    assert sum(path.startswith("/terrain/1") for path in seen["requests"]) > 20
    with rasterio.open(folder / "cesium-3.png") as source:
        picture = source.read([1, 2, 3]).astype(int)
    assert len(np.unique(picture.reshape(3, -1), axis=1).T) > 100, "slopes and roofs in their shades"


def test_points_are_drawn_in_the_colours_of_their_classes(visit: tuple[dict[str, Any], Path]) -> None:
    seen, folder = visit
    assert 10_000 < seen["shown"][2]["points"] <= COUNT
    with rasterio.open(folder / "cesium-2.png") as source:
        picture = source.read([1, 2, 3]).astype(int)
    for colour in ((176, 128, 80), (214, 96, 77)):
        near = np.abs(picture - np.array(colour)[:, None, None]).max(axis=0) < 12
        assert near.mean() > 0.005, colour
