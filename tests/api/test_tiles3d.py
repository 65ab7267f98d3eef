"""The 3D city as tiles: what a client that follows the tileset finds, against the store."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from fastapi.testclient import TestClient
from pyproj import Transformer

from gis.crs import transformer
from tests.api.conftest import FLAGGED, PARCELS
from tests.gis.city_model.gltf_reading import chunks, numbers, positions, properties
from tests.gis.store_samples import building

ROOT = "/3dtiles/tileset.json"


def tiles_of(client: TestClient, url: str = ROOT) -> list[tuple[str, dict[str, Any], list[float]]]:
    """All contents below a tileset that are no tilesets: address, tile, region."""
    document = client.get(url).json()
    found = []
    todo = [document["root"]]
    while todo:
        tile = todo.pop()
        todo.extend(tile.get("children", []))
        if "content" in tile:
            at = urljoin(url, tile["content"]["uri"])
            found += (
                tiles_of(client, at)
                if at.split("?")[0].endswith(".json")
                else [(at, tile, tile["boundingVolume"]["region"])]
            )
    return found


def back(ecef: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """EPSG:4978 in the city's CRS, by PROJ."""
    lon, lat, height = Transformer.from_crs(4978, 4979, always_xy=True).transform(*ecef.T)
    east, north = transformer(4326, 9210).transform(lon, lat)
    return np.column_stack([east, north, height])


def test_every_building_is_in_one_leaf_with_its_corners_where_the_store_has_them(client: TestClient) -> None:
    leaves = [one for one in tiles_of(client) if one[1]["geometricError"] == 0]
    seen: list[str] = []
    for url, _, _ in leaves:
        document, binary = chunks(client.get(url).content)
        facts = properties(document, binary)
        place = back(positions(document, binary))
        (mesh,) = document["meshes"]
        feature = numbers(document, binary, mesh["primitives"][0]["attributes"]["_FEATURE_ID_0"])
        for number, uid in enumerate(facts["uid"]):
            truth = building(int(uid[2:]), height=facts["height"][number]).solid
            assert truth is not None
            own = place[feature == number]
            apart = np.linalg.norm(own[:, None] - truth.vertices[None], axis=2)
            assert apart.min(axis=1).max() < 0.01, uid
            assert apart.min(axis=0).max() < 0.01, uid
        seen += facts["uid"]
    assert sorted(seen) == sorted(f"b-{n:04d}" for n in range(PARCELS) if n != 7)


def test_the_public_is_not_told_what_is_flagged(client: TestClient) -> None:
    for url, _, _ in tiles_of(client):
        raw = client.get(url).content
        assert b"verdict" not in raw
        assert b"flagged" not in raw


@pytest.mark.parametrize("path", ["/3dtiles/9/0/0.glb", "/3dtiles/4/99999999/0.glb", "/3dtiles/1/x/0.glb"])
def test_a_tile_that_cannot_be_is_refused(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_place_without_buildings_is_a_tile_without_a_scene(client: TestClient) -> None:
    document, binary = chunks(client.get("/3dtiles/4/1/1.glb").content)
    assert document == {"asset": {"version": "2.0", "generator": "diaba"}}
    assert binary == b""


def test_a_tile_names_the_permit_and_says_unknown_as_unknown(client: TestClient) -> None:
    facts: dict[str, tuple[Any, ...]] = {}
    for url, _, _ in tiles_of(client):
        if "/4/" in url:
            columns = properties(*chunks(client.get(url).content))
            facts |= {
                row[0]: row for row in zip(*(columns[name] for name in ("uid", "permit", "epoch", "lod")), strict=True)
            }
    assert facts[FLAGGED] == (FLAGGED, "GPXD-0003", "2025", "1.2")
