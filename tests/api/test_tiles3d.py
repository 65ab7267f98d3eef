"""The 3D city as tiles: what a client that follows the tileset finds, against the store."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from pyproj import Transformer
from shapely import box
from sqlalchemy import text

from api.caller import Caller, asking
from api.main import create_app
from gis.access.roles import Role
from gis.access.scope import scope_of
from gis.bounds import BoundingBox
from gis.city_model.building import Building, Solid
from gis.crs import horizontal, transformer
from gis.store import catalog, runs
from gis.store.runs import PlannedTile
from tests.api.conftest import FLAGGED, PARCELS, CityStore
from tests.gis.city_model.gltf_reading import chunks, numbers, positions, properties
from tests.gis.city_model.roof_samples import hip_roof, house
from tests.gis.store_samples import EAST, NORTH, block, building

CHECKOUT = Path(__file__).resolve().parents[2]
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


def test_the_public_is_not_told_what_is_flagged_but_in_an_invented_city(
    roofs_client: TestClient, client: TestClient
) -> None:
    for url, _, _ in tiles_of(roofs_client):
        raw = roofs_client.get(url).content
        assert b"verdict" not in raw
        assert b"flagged" not in raw
    facts = [properties(*chunks(client.get(url).content)) for url, _, _ in tiles_of(client)]
    told = {pair for one in facts for pair in zip(one["uid"], one["verdict"], strict=True)}
    assert {uid for uid, verdict in told if verdict == "flagged"} == {FLAGGED}


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


EPOCH = "2025"
APART = 300.0
"""Metres between the houses: each is alone in its leaf."""


def roofed(number: int, rise: float = 0.0) -> Building:
    """A house with a hip roof on a ground of its own height."""
    east, ground = EAST + APART * number, 2.0 + rise
    solid = hip_roof(east=east, ground=ground)
    low, high = solid.vertices.min(axis=0), solid.vertices.max(axis=0)
    return house(f"h-{number}", solid, box(low[0], low[1], high[0], high[1]), ground)


def tower() -> Building:
    """130 m, so that it is seen from afar."""
    solid: Solid = block(EAST + 40, NORTH + 40, 30, 30, 2.0, 132.0)
    made = house("tower", solid, box(EAST + 40, NORTH + 40, EAST + 70, NORTH + 70), 2.0)
    return replace(made, height=130.0, lod="1.2", coarser={})


def save(store: CityStore, houses: list[Building], epoch: str = EPOCH) -> None:
    bounds = BoundingBox(EAST - 50, NORTH - 50, EAST + 3000, NORTH + 150, horizontal(store.city.crs))
    with store.database.open(Role.WRITER) as connection:
        catalog.save_campaign(connection, epoch, date(int(epoch), 2, 1), date(int(epoch), 2, 20))
        runs.plan(connection, epoch, [PlannedTile("t", bounds, epoch)])
        runs.claim(connection, "t", epoch)
        runs.save_tile(connection, "t", epoch, rasters=[], points=None, buildings=houses, statistics={})


@pytest.fixture(scope="module")
def roofs(make_store: Callable[..., CityStore]) -> CityStore:
    """A city of four houses with roofs, far apart, and a tower."""
    store = make_store("roofs")
    save(store, [*(roofed(n) for n in range(4)), tower()])
    return store


@pytest.fixture
def roofs_client(roofs: CityStore) -> Iterator[TestClient]:
    with TestClient(create_app(roofs.settings, roofs.city), raise_server_exceptions=False) as made:
        yield made


def test_far_tiles_have_blocks_and_near_ones_roofs(roofs_client: TestClient) -> None:
    lods: dict[str, dict[str, tuple[str, int]]] = {}
    for url, _, _ in tiles_of(roofs_client):
        document, binary = chunks(roofs_client.get(url).content)
        facts = properties(document, binary)
        feature = numbers(document, binary, document["meshes"][0]["primitives"][0]["attributes"]["_FEATURE_ID_0"])
        place = back(positions(document, binary))
        heights = {
            uid: (lod, len(np.unique(place[feature == n, 2].round(1))))
            for n, (uid, lod) in enumerate(zip(facts["uid"], facts["lod"], strict=True))
        }
        lods.setdefault(url.split("/")[2], {}).update(heights)
    homes = {f"h-{n}" for n in range(4)}
    # A block has two heights, a hip roof three.
    assert {uid: lods["3"][uid] for uid in homes} == dict.fromkeys(homes, ("1.2", 2))
    assert {uid: lods["4"][uid] for uid in homes} == dict.fromkeys(homes, ("2.2", 3))
    assert set(lods["0"]) == set(lods["1"]) == set(lods["2"]) == {"tower"}


def test_only_the_tile_of_a_changed_building_changes(roofs: CityStore, roofs_client: TestClient) -> None:
    urls = [url for url, _, _ in tiles_of(roofs_client)]
    before = {url: roofs_client.get(url) for url in urls}
    again = {url: roofs_client.get(url, headers={"If-None-Match": before[url].headers["etag"]}) for url in urls}
    assert {one.status_code for one in again.values()} == {304}
    save(roofs, [roofed(0), roofed(1, rise=0.5), roofed(2), roofed(3), tower()])
    after = {url: roofs_client.get(url, headers={"If-None-Match": before[url].headers["etag"]}) for url in urls}
    changed = {url for url, one in after.items() if one.status_code == 200}
    x, y = int((EAST + APART) // 256), int(NORTH // 256)
    assert changed == {f"/3dtiles/4/{x}/{y}.glb", f"/3dtiles/3/{x // 2}/{y // 2}.glb"}
    leaf = after[f"/3dtiles/4/{x}/{y}.glb"].content
    place = back(positions(*chunks(leaf)))
    assert place[:, 2].max() == pytest.approx(roofed(1, rise=0.5).models["2.2"].vertices[:, 2].max(), abs=0.01)


def test_the_city_of_another_day_is_another(roofs: CityStore, roofs_client: TestClient) -> None:
    assert "children" not in roofs_client.get("/3dtiles/147/290/tileset.json?as_of=2020-01-01").json()["root"]
    links = [url for url, _, _ in tiles_of(roofs_client, f"{ROOT}?as_of=2025-06-01")]
    assert links
    assert all(url.endswith("?as_of=2025-06-01") for url in links)
    save(roofs, [roofed(5)], "2026")
    try:
        uids = {
            uid
            for url, _, _ in tiles_of(roofs_client, f"{ROOT}?as_of=2025-06-01")
            for uid in properties(*chunks(roofs_client.get(url).content))["uid"]
        }
        assert uids == {"h-0", "h-1", "h-2", "h-3", "tower"}
    finally:
        save(roofs, [], "2026")


def test_an_office_is_told_what_is_flagged_and_the_public_not_even_from_the_same_cache(store: CityStore) -> None:
    """While the city is none that is invented."""
    app = create_app(store.settings, store.city)
    x, y = int((EAST + 20) // 256), int(NORTH // 256)

    def invented(so: bool) -> None:
        with store.database.open(Role.OWNER) as connection:
            connection.execute(text("UPDATE diaba.city SET is_demo = :so"), {"so": so})

    async def told() -> dict[str, list[Any]]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return properties(*chunks((await client.get(f"/3dtiles/4/{x}/{y}.glb")).content))

    invented(False)
    try:
        assert "verdict" not in asyncio.run(told())
        with asking(Caller.of("inspector", scope_of(["inspection:*"]))):
            facts = asyncio.run(told())
        assert "verdict" not in asyncio.run(told())
    finally:
        invented(True)
    assert [uid for uid, verdict in zip(facts["uid"], facts["verdict"], strict=True) if verdict == "flagged"] == [
        FLAGGED
    ]
    # As soon as it is one again all are told, whatever was kept before.
    assert "verdict" in asyncio.run(told())
    app.state.service.close()


def test_the_content_lies_in_its_tile(roofs_client: TestClient, client: TestClient) -> None:
    for asked in (roofs_client, client):
        for url, _, region in tiles_of(asked):
            place = positions(*chunks(asked.get(url).content))
            lon, lat, height = Transformer.from_crs(4978, 4979, always_xy=True).transform(*place.T)
            lon, lat = np.radians(lon), np.radians(lat)
            assert region[0] <= lon.min() < lon.max() <= region[2]
            assert region[1] <= lat.min() < lat.max() <= region[3]
            assert region[4] <= height.min() < height.max() <= region[5]


def test_khronos_validator_finds_no_fault_in_any_tile(
    roofs_client: TestClient, client: TestClient, tmp_path: Path
) -> None:
    files = []
    for asked in (roofs_client, client):
        for url, _, _ in tiles_of(asked):
            files.append(tmp_path / f"{len(files)}.glb")
            files[-1].write_bytes(asked.get(url).content)
    empty = tmp_path / "empty.glb"
    empty.write_bytes(client.get("/3dtiles/4/1/1.glb").content)
    for said in judged([*files, empty]):
        assert (said["numErrors"], said["numWarnings"]) == (0, 0), said["messages"]


def judged(files: list[Path]) -> list[dict[str, Any]]:
    """What the Khronos validator says of each."""
    node = shutil.which("node")
    assert node is not None, "the glTF validator needs Node: run scripts/setup.sh test"
    told = subprocess.run(
        [node, "tests/gltf_validator.mjs", *map(str, files)],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in told.stdout.splitlines()]
