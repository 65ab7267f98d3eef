"""Point clouds as 3D Tiles: all points of the file, once, where laspy has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import laspy
import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.spatial import cKDTree

from api.main import create_app
from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.files import sha256
from gis.store import catalog, runs
from gis.store.catalog import PointProduct
from gis.store.runs import PlannedTile
from lidar.point_cloud import PointCloud
from lidar.write import write_laz
from lidar.write_copc import write_copc
from tests.api.conftest import CityStore
from tests.api.test_tiles3d import back, judged
from tests.gis.city_model.gltf_reading import chunks, numbers, positions
from tests.gis.store_samples import EAST, NORTH

EPOCH = "2025"
COUNT = 150_000


def cloud(store: CityStore, count: int = COUNT) -> PointCloud:
    """Ground with a hill and, by chance, roofs."""
    random = np.random.default_rng(5)
    x, y = random.uniform([EAST, NORTH], [EAST + 200, NORTH + 100], (count, 2)).round(3).T
    high = (np.floor((x - EAST) / 10) % 3 == 0) & (np.floor((y - NORTH) / 10) % 2 == 0)
    z = (2.0 + 5.0 * np.exp(-((x - EAST - 150) ** 2 + (y - NORTH - 50) ** 2) / 900) + 9.0 * high).round(3)
    zero = np.zeros(count)
    return PointCloud(
        x, y, z, np.where(high, 6, 2).astype(np.uint8), zero.astype(np.uint16), np.ones(count, np.uint8),
        np.ones(count, np.uint8), zero.astype(np.uint16), zero, zero.astype(np.float32), zero.astype(np.uint8),
        store.city.crs,
    )  # fmt: skip


def add_points(store: CityStore, epoch: str = EPOCH) -> Path:
    """A campaign with a COPC file, and one with a plain LAZ."""
    bounds = BoundingBox(EAST, NORTH, EAST + 200, NORTH + 100, horizontal(store.city.crs))
    copc, laz = (store.city.folder / "points" / name for name in ("near.copc.laz", "far.laz"))
    copc.parent.mkdir(parents=True, exist_ok=True)
    write_copc(cloud(store), copc)
    write_laz(cloud(store, 100), laz)
    with store.database.open(Role.WRITER) as connection:
        catalog.save_campaign(connection, epoch, date(int(epoch), 2, 1), date(int(epoch), 2, 20))
        runs.plan(connection, epoch, [PlannedTile("near", bounds, "a"), PlannedTile("far", bounds, "b")])
        for name, path, count in (("near", copc, COUNT), ("far", laz, 100)):
            product = PointProduct(str(path.relative_to(store.city.folder)), sha256(path), count, bounds, {2: count})
            catalog.save_products(connection, name, epoch, [], product)
    return copc


@pytest.fixture(scope="module")
def surveyed(make_store: Callable[..., CityStore]) -> tuple[CityStore, Path]:
    store = make_store("surveyed")
    return store, add_points(store)


@pytest.fixture(scope="module")
def points_client(surveyed: tuple[CityStore, Path]) -> Iterator[TestClient]:
    store, _ = surveyed
    with TestClient(create_app(store.settings, store.city), raise_server_exceptions=False) as made:
        yield made


def voxels(client: TestClient, url: str = f"/points/{EPOCH}/tileset.json") -> list[tuple[str, dict[str, Any]]]:
    found, todo = [], [client.get(url).json()["root"]]
    while todo:
        tile = todo.pop()
        todo.extend(tile.get("children", []))
        if "content" in tile:
            at = urljoin(url, tile["content"]["uri"])
            found += voxels(client, at) if ".json" in at else [(at, tile)]
    return found


def test_every_point_is_there_once_where_the_file_has_it(
    points_client: TestClient, surveyed: tuple[CityStore, Path]
) -> None:
    found: list[NDArray[np.float64]] = []
    for url, tile in voxels(points_client):
        document, binary = chunks(points_client.get(url).content)
        ecef = positions(document, binary)
        found.append(back(ecef))
        west, south, east, north, low, high = tile["boundingVolume"]["region"]
        lon, lat, height = Transformer.from_crs(4978, 4979, always_xy=True).transform(*ecef.T)
        assert west <= np.radians(lon).min() <= np.radians(lon).max() <= east
        assert south <= np.radians(lat).min() <= np.radians(lat).max() <= north
        assert low <= height.min() <= height.max() <= high
    assert len(found) > 1
    got = np.concatenate(found)
    truth = laspy.read(surveyed[1]).xyz
    assert len(got) == len(truth) == COUNT
    apart, nearest = cKDTree(truth).query(got)
    assert apart.max() < 0.01
    assert len(np.unique(nearest)) > 0.999 * COUNT


def test_colours_are_of_the_classes_or_of_the_heights(points_client: TestClient) -> None:
    urls = [url for url, _ in voxels(points_client)]
    seen = set()
    for url in urls:
        document, binary = chunks(points_client.get(url).content)
        attributes = document["meshes"][0]["primitives"][0]["attributes"]
        seen |= {tuple(row) for row in np.unique(numbers(document, binary, attributes["COLOR_0"]), axis=0).tolist()}
    # #b08050 ground and #d6604d building, linear.
    assert seen == {(111, 55, 20), (171, 30, 19)}
    other = urls[0].replace("colour=class", "colour=height")
    document, binary = chunks(points_client.get(other).content)
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    assert len(np.unique(numbers(document, binary, attributes["COLOR_0"]), axis=0)) > 5


def test_khronos_validator_finds_no_fault_in_points(points_client: TestClient, tmp_path: Path) -> None:
    files = []
    for url, _ in voxels(points_client):
        files.append(tmp_path / f"{len(files)}.glb")
        files[-1].write_bytes(points_client.get(url).content)
    for said in judged(files):
        assert (said["numErrors"], said["numWarnings"]) == (0, 0), said["messages"]


def test_what_is_no_copc_is_named_and_not_there(points_client: TestClient) -> None:
    extras = points_client.get(f"/points/{EPOCH}/tileset.json").json()["asset"]["extras"]
    assert (extras["left_out"], extras["complete"]) == (["far"], False)
    for path in (
        f"/points/{EPOCH}/far/tileset.json",
        f"/points/{EPOCH}/none/tileset.json",
        "/points/1999/tileset.json",
        f"/points/{EPOCH}/near/25-0-0-0.glb",
        f"/points/{EPOCH}/..%2F..%2Fnear/tileset.json",
    ):
        answer = points_client.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert points_client.get(f"/points/{EPOCH}/near/tileset.json?colour=pink").status_code == 400


def test_a_file_that_is_gone_or_damaged_does_not_take_the_others_along(
    points_client: TestClient, surveyed: tuple[CityStore, Path]
) -> None:
    _, copc = surveyed
    aside = copc.with_suffix(".aside")
    copc.rename(aside)
    try:
        answer = points_client.get(f"/points/{EPOCH}/tileset.json")
        assert answer.json()["asset"]["extras"]["left_out"] == ["far", "near"]
        assert points_client.get(f"/points/{EPOCH}/near/tileset.json").status_code == 404
    finally:
        aside.rename(copc)
