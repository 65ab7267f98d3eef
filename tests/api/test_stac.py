"""The catalogue as STAC API: the judge of STAC has nothing to say, GDAL reads it, and searches find what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from fastapi.testclient import TestClient

from gis.bounds import BoundingBox
from gis.crs import horizontal, transformer
from gis.files import sha256
from gis.store.holdings import COLLECTIONS
from tests.api.conftest import CityStore
from tests.api.measured import NEW, OLD, POINTS, TILES, box_of, ground
from tests.gis.store_samples import EAST, NORTH

JUDGE = Path(__file__).parent / "stac_judge.py"
CLASSES = ("core", "collections", "features", "item-search")


def around(west: float, south: float, east: float, north: float) -> list[float]:
    """A box of metres from the city's corner, in degrees, drawn in a little."""
    corners = transformer(9210, 4326).transform_bounds(EAST + west, NORTH + south, EAST + east, NORTH + north)
    return [corners[0] + 1e-6, corners[1] + 1e-6, corners[2] - 1e-6, corners[3] - 1e-6]


def found(client: TestClient, **body: Any) -> list[tuple[str, str]]:
    """Collection and id of what a search finds, by POST; GET must say the same."""
    answer = client.post("/stac/search", json={"limit": 100, **body})
    assert answer.status_code == 200, answer.text
    parameters = {
        name: json.dumps(value)
        if name == "intersects"
        else ",".join(map(str, value))
        if isinstance(value, list)
        else value
        for name, value in {"limit": 100, **body}.items()
    }
    by_url = client.get("/stac/search", params=parameters).json()
    assert [item["id"] for item in by_url["features"]] == [item["id"] for item in answer.json()["features"]]
    return [(item["collection"], item["id"]) for item in answer.json()["features"]]


def test_the_judge_of_stac_finds_no_error(measured_address: str, measured: CityStore) -> None:
    area = {"type": "Polygon", "coordinates": [[list(p) for p in shapely.box(*around(0, 0, 200, 200)).exterior.coords]]}
    chosen = [word for name in CLASSES for word in ("--conformance", name)]
    done = subprocess.run(
        [
            *(sys.executable, JUDGE, "--root-url", f"{measured_address}/stac", *chosen),
            *("--collection", "dtm", "--geometry", json.dumps(area)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert "Errors: none" in said, said[-3000:]
    warnings = said.split("Warnings:")[1].split("Errors:")[0].strip().splitlines()
    # It looks for items at 20° north, 20° east, where no part of the city is.
    assert all("bbox=20,20,21,21" in line for line in warnings if line != "none"), warnings


def test_a_stranger_walks_the_whole_catalogue(measured_address: str, measured: CityStore) -> None:
    """pystac, from link to link; what it finds is what was entered."""
    catalogue = pystac.Catalog.from_file(f"{measured_address}/stac")
    assert {child.id for child in catalogue.get_children()} == set(COLLECTIONS)
    dtm = next(child for child in catalogue.get_children() if child.id == "dtm")
    address = next(link.href for link in dtm.links if link.rel == "items")
    page = pystac.ItemCollection.from_file(f"{address}?limit=100")
    assert {item.id for item in page} == {f"{key}-{NEW}" for key in TILES} | {f"x0_y{j}-{OLD}" for j in (0, 1)}
    for item in page:
        key, epoch = item.id.rsplit("-", 1)
        assert item.properties["diaba:epoch"] == epoch
        outline = shapely.transform(
            shapely.geometry.shape(item.geometry),
            lambda xy: np.column_stack(transformer(4326, 9210).transform(xy[:, 0], xy[:, 1])),
        )
        assert outline.symmetric_difference(box_of(key, measured).polygon).area < 4 * 100 * 0.02
        file = measured.city.folder / "products" / epoch / key / "dtm.tif"
        asset = item.assets["data"]
        assert asset.extra_fields["file:checksum"] == "1220" + sha256(file)
        assert asset.extra_fields["file:size"] == file.stat().st_size
        with rasterio.open(file) as source:
            assert item.properties["proj:shape"] == list(source.shape)
            assert item.properties["proj:transform"] == list(source.transform)[:6]
            assert [band["name"] for band in asset.extra_fields["bands"]] == list(source.descriptions)
        assert item.properties["proj:code"] == "EPSG:9210"
        assert "EPSG:5727" in item.properties["diaba:vertical_datum"]


def test_gdal_reads_a_collection_as_one_raster(measured_address: str, measured: CityStore) -> None:
    """GDAL's STACIT driver: four files found by a search, read by ranges, are the terrain."""
    query = quote(f"datetime={NEW}-01-01T00:00:00Z/..&collections=dtm", safe="=&/:")
    with rasterio.open(f'STACIT:"{measured_address}/stac/search?{query}":asset=data') as source:
        assert source.crs.to_epsg() == 9210
        assert source.shape == (400, 400)
        values = source.read(1, masked=True).filled(np.nan)
        bounds = BoundingBox(*source.bounds, crs=horizontal(measured.city.crs))
    for key in TILES:
        raster = ground(key, NEW, measured)
        top = round((bounds.max_y - raster.grid.north) / 0.5)
        left = round((raster.grid.west - bounds.min_x) / 0.5)
        np.testing.assert_array_equal(values[top : top + 200, left : left + 200], raster.values)


def test_searches_find_what_is_there_and_nothing_else(measured_client: TestClient) -> None:
    south_west = {("dtm", f"x0_y0-{OLD}"), ("dtm", f"x0_y0-{NEW}")}
    only = {"collections": ["dtm"]}
    assert set(found(measured_client, bbox=around(10, 10, 60, 60), **only)) == south_west
    assert len(found(measured_client, bbox=around(10, 10, 160, 160), **only)) == 6
    assert found(measured_client, bbox=[0, 0, 1, 1]) == []
    point = {"type": "Point", "coordinates": list(transformer(9210, 4326).transform(EAST + 150, NORTH + 150))}
    assert found(measured_client, intersects=point, **only) == [("dtm", f"x1_y1-{NEW}")]
    both = {"type": "GeometryCollection", "geometries": [point]}
    assert found(measured_client, intersects=both, **only) == [("dtm", f"x1_y1-{NEW}")]
    assert {one[1][-4:] for one in found(measured_client, datetime="2012-03-20T23:00:00Z", **only)} == {OLD}
    assert {one[1][-4:] for one in found(measured_client, datetime="../2013-01-01T00:00:00Z", **only)} == {OLD}
    assert {one[1][-4:] for one in found(measured_client, datetime="2025-02-20T00:00:00+07:00/..", **only)} == {NEW}
    assert found(measured_client, datetime="2012-03-21T00:00:00Z/2025-01-31T23:59:59Z") == []
    assert set(found(measured_client, ids=[f"x0_y0-{OLD}"])) == {
        (name, f"x0_y0-{OLD}") for name in ("dtm", "dsm", "ndsm", "points")
    }
    assert found(measured_client, collections=["secret"]) == []


def test_pages_hold_each_item_once(measured_client: TestClient) -> None:
    whole = [item["id"] + item["collection"] for item in _pages(measured_client, "GET", 100)]
    assert len(whole) == len(set(whole)) == 6 * 4 + 2
    for method in ("GET", "POST"):
        assert [item["id"] + item["collection"] for item in _pages(measured_client, method, 7)] == whole


def _pages(client: TestClient, method: str, size: int) -> list[dict[str, Any]]:
    answer = (
        client.get(f"/stac/search?limit={size}")
        if method == "GET"
        else client.post("/stac/search", json={"limit": size})
    )
    items: list[dict[str, Any]] = []
    for _ in range(20):
        document = answer.json()
        items += document["features"]
        onward = next((link for link in document["links"] if link["rel"] == "next"), None)
        if onward is None:
            assert document["numberMatched"] == len(items)
            return items
        assert len(document["features"]) == size
        answer = client.get(onward["href"]) if method == "GET" else client.post(onward["href"], json=onward["body"])
    raise AssertionError("the pages have no end")


def test_points_tell_what_they_hold(measured_client: TestClient) -> None:
    item = measured_client.get(f"/stac/collections/points/items/x1_y0-{NEW}").json()
    assert item["properties"]["pc:count"] == POINTS
    assert item["properties"]["pc:encoding"] == "COPC"
    assert {"X", "Y", "Z", "classification"} <= {one["name"] for one in item["properties"]["pc:schemas"]}
    assert item["properties"]["diaba:classes"] == {"2": POINTS}
    assert item["assets"]["data"]["type"] == "application/vnd.laszip+copc"
    assert measured_client.get(item["assets"]["data"]["href"]).content[:4] == b"LASF"


def test_no_path_of_the_machine_is_told(measured_client: TestClient, measured: CityStore) -> None:
    said = measured_client.get("/stac/search", params={"limit": 100}).text
    assert str(measured.city.folder) not in said
    assert "products/" not in said


@pytest.mark.parametrize(
    "body",
    [
        {"bbox": "1,2,3,4"},
        {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, 3, "x"]},
        {"bbox": [3, 2, 1, 4]},
        {"bbox": [1, 2, 3, 4], "intersects": {"type": "Point", "coordinates": [1, 2]}},
        {"intersects": {"type": "Feature", "geometry": None, "properties": {}}},
        {"intersects": {"type": "Point", "coordinates": ["x", 2]}},
        {"intersects": {"type": "Point", "coordinates": [1000, 2]}},
        {"intersects": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}},
        {"intersects": {"type": "MultiPoint", "coordinates": [[1, 2]] * 20_000}},
        {"datetime": "2025-01-01"},
        {"datetime": "2025-13-01T00:00:00Z"},
        {"datetime": "../.."},
        {"datetime": "2025-01-01T00:00:00Z/2024-01-01T00:00:00Z"},
        {"limit": 0},
        {"limit": True},
        {"limit": "10"},
        {"ids": "x"},
        {"ids": ["x\x00"]},
        {"ids": ["x"] * 2_000},
        {"token": "x"},
        {"query": {"epoch": {"eq": 1}}},
    ],
)
def test_what_is_no_search_is_refused(measured_client: TestClient, body: dict[str, Any]) -> None:
    answer = measured_client.post("/stac/search", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["parameter"]


def test_what_does_not_exist_is_not_found(measured_client: TestClient) -> None:
    for path in (
        "collections/secret",
        "collections/secret/items",
        "collections/dtm/items/x",
        "collections/dtm/items/%00",
    ):
        assert measured_client.get(f"/stac/{path}").status_code == 404
