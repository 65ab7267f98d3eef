"""QGIS of the distribution, without a screen: opens features, tiles and relief, and its pictures are looked at."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray

from gis.crs import transformer
from tests.api.conftest import PARCELS
from tests.gis.store_samples import EAST, NORTH, building, lot

SCRIPT = Path(__file__).parent / "desktop" / "qgis_client.py"
SYSTEM_PYTHON = "/usr/bin/python3"
"""QGIS's modules are the system's."""
SIDE = 260.0
"""Of the picture, metres of Web Mercator."""


@pytest.fixture(scope="module")
def box() -> tuple[float, float, float, float]:
    x, y = transformer(9210, 3857).transform(EAST + 120, NORTH + 10)
    return x - SIDE / 2, y - SIDE / 2, x + SIDE / 2, y + SIDE / 2


@pytest.fixture(scope="module")
def seen(
    address: str, box: tuple[float, float, float, float], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    """What QGIS says, and the folder of its pictures."""
    folder = tmp_path_factory.mktemp("qgis")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "QT_QPA_PLATFORM": "offscreen",
        "XDG_RUNTIME_DIR": str(folder),
        "LC_ALL": "C.UTF-8",
    }
    told = subprocess.run(
        [SYSTEM_PYTHON, str(SCRIPT), address, ",".join(map(str, box)), str(folder)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env=environment,
    )
    if "No module named 'qgis'" in told.stderr:
        pytest.fail("this test needs QGIS: run scripts/setup.sh test", pytrace=False)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout.splitlines()[-1]), folder


def picture(folder: Path, name: str) -> NDArray[np.int64]:
    with rasterio.open(folder / f"{name}.png") as source:
        return source.read([1, 2, 3]).astype(np.int64)


def share(image: NDArray[np.int64], colour: tuple[int, int, int]) -> float:
    """Of the picture's dots, how many have a colour."""
    return float((np.abs(image - np.array(colour)[:, None, None]).max(axis=0) <= 3).mean())


def expected(shapes: list[shapely.Polygon]) -> float:
    """Share of the picture that shapes of EPSG:9210 cover."""
    there = transformer(9210, 3857)
    web = shapely.transform(shapely.union_all(shapes), lambda xy: np.column_stack(there.transform(*xy.T)))
    return float(web.area) / SIDE**2


def test_qgis_opens_everything_and_has_nothing_to_complain_about(seen: tuple[dict[str, Any], Path]) -> None:
    told, _ = seen
    assert told["valid"] == {"features": True, "tiles": True, "relief": True}
    assert told["errors"] == {"features": [], "tiles": [], "relief": [], "map": []}
    assert told["messages"] == []


def test_qgis_has_the_features_where_the_register_has_them(seen: tuple[dict[str, Any], Path]) -> None:
    found = {uid: shapely.from_wkt(wkt) for uid, wkt in seen[0]["features"]["geometry"].items()}
    assert len(found) == PARCELS
    assert seen[0]["features"]["crs"] == "EPSG:4326"
    back = transformer(4326, 9210)
    for number in range(PARCELS):
        there = shapely.transform(
            found[f"p-{number:04d}"], lambda xy: np.column_stack(back.transform(xy[:, 0], xy[:, 1]))
        )
        assert there.hausdorff_distance(lot(number)) < 0.005


def test_qgis_s_picture_of_the_tiles_shows_lots_and_houses(seen: tuple[dict[str, Any], Path]) -> None:
    image = picture(seen[1], "tiles")
    houses = expected([building(n).footprint for n in range(PARCELS)])
    lots = expected([lot(n) for n in range(PARCELS)])
    assert share(image, (0x20, 0x40, 0xD0)) == pytest.approx(houses, rel=0.15)
    assert share(image, (0xD0, 0x20, 0x20)) == pytest.approx(lots - houses, rel=0.4)
    assert share(image, (255, 255, 255)) > 0.8


def test_qgis_s_picture_of_the_features_is_that_of_the_tiles(seen: tuple[dict[str, Any], Path]) -> None:
    features, tiles = picture(seen[1], "features"), picture(seen[1], "tiles")
    one = features.min(axis=0) < 250
    other = tiles.min(axis=0) < 250
    assert (one & other).sum() > 0.97 * (one | other).sum()


def test_qgis_draws_the_relief_below_the_tiles(seen: tuple[dict[str, Any], Path]) -> None:
    relief, both = picture(seen[1], "relief"), picture(seen[1], "map")
    assert np.unique(relief.reshape(3, -1), axis=1).shape[1] > 50
    assert share(both, (0x20, 0x40, 0xD0)) > 0.04
    same = (np.abs(relief - both).max(axis=0) <= 3).mean()
    assert same > 0.8
