"""An edit of another process: in the tile at once, told to who listens, drawn by a map that is open."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import httpx
import mapbox_vector_tile
import psycopg
import pytest
import shapely
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import ServiceSettings
from gis.access.roles import Role
from gis.crs import transformer
from gis.store import land_changes
from gis.store.land_changes import Order
from gis.store.server import dsn
from tests.api.conftest import CityStore, served
from tests.api.test_tiles import tile_of
from tests.api.test_viewer import BROWSERS, CHECKOUT
from tests.gis.land_samples import lots, register
from tests.gis.store_samples import EAST, NORTH

SCRIPT = Path(__file__).parent / "browser" / "refresh.mjs"
AT_ONCE = 10.0
"""Seconds an edit is waited for on a busy machine; alone it takes milliseconds. What is kept would stay for ever."""


@pytest.fixture(scope="module")
def living(make_store: Callable[..., CityStore]) -> CityStore:
    """A city that these tests edit."""
    store = make_store("living")
    with store.database.open(Role.WRITER) as connection:
        register(connection, lots(6, 3))
    return store


@pytest.fixture(scope="module")
def url(living: CityStore) -> Iterator[str]:
    """Its service, a process of its own."""
    with served(living) as address:
        yield address


def edit(store: CityStore, uid: str, land_use: str) -> None:
    with store.database.open(Role.WRITER) as connection:
        land_changes.change_use(connection, [uid], land_use, Order(date(2021, 1, 1)))


def uses(url: str, zoom: int = 16, layer: str = "parcels") -> dict[str, str]:
    """Parcel (or block, by its ward) → land use, as a tile has it."""
    z, x, y = tile_of(zoom)
    answer = httpx.get(f"{url}/tiles/{z}/{x}/{y}.mvt")
    assert answer.status_code == 200
    found = mapbox_vector_tile.decode(answer.content).get(layer, {}).get("features", [])
    return {one["properties"].get("uid", "block"): one["properties"].get("land_use") for one in found}


def wait_for(seen: Callable[[], bool], seconds: float = AT_ONCE) -> bool:
    end = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


class Ear:
    """Listens to /changes as a browser does; `events` are (name, id, data)."""

    def __init__(self, url: str, **headers: str) -> None:
        self.events: Queue[tuple[str, str, Any]] = Queue()
        self.is_whole = False
        self.client = httpx.Client(timeout=httpx.Timeout(5, read=60))
        self.context = self.client.stream("GET", f"{url}/changes", headers={"Accept": "text/event-stream", **headers})
        self.answer = self.context.__enter__()
        self.thread = Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        event = {"event": "message", "id": "", "data": ""}
        try:
            for line in self.answer.iter_lines():
                name, _, value = line.partition(":")
                if line == "" and event["data"]:
                    self.events.put((event["event"], event["id"], json.loads(event["data"])))
                    event = {"event": "message", "id": "", "data": ""}
                elif name in event:
                    event[name] = value.strip()
        except (httpx.HTTPError, httpx.StreamError, RuntimeError):
            return
        self.is_whole = True

    def next(self) -> tuple[str, str, Any]:
        return self.events.get(timeout=10)

    def close(self) -> None:
        self.answer.close()
        self.client.close()


def test_an_edit_of_another_process_is_in_the_tile_at_once(living: CityStore, url: str) -> None:
    for use in ("CLN", "LUC", "SKC"):
        uses(url)
        z, x, y = tile_of(16)
        path = f"{url}/tiles/{z}/{x}/{y}.mvt"
        # The service answers before it hears the store.
        assert wait_for(lambda path=path: httpx.get(path).headers["x-tile-cache"] == "hit")
        kept = httpx.get(path)
        edit(living, "p-00", use)
        assert wait_for(lambda wanted=use: uses(url)["p-00"] == wanted)
        anew = httpx.get(path, headers={"If-None-Match": kept.headers["etag"]})
        assert anew.status_code == 200


def test_the_edit_is_in_far_tiles_and_in_the_city_s_own_grid_too(living: CityStore, url: str) -> None:
    own = httpx.get(f"{url}/tileMatrixSets").json()["tileMatrixSets"][1]["id"]
    grid = httpx.get(f"{url}/tileMatrixSets/{own}").json()
    level = grid["tileMatrices"][12]
    side = level["cellSize"] * 256
    west, north = level["pointOfOrigin"]
    path = f"/collections/parcels/tiles/{own}/12/{int((north - NORTH - 15) // side)}/{int((EAST + 30 - west) // side)}"

    def seen() -> dict[str, str]:
        answer = httpx.get(url + path)
        assert answer.status_code == 200, answer.text
        layers = mapbox_vector_tile.decode(answer.content)
        return {one["properties"]["uid"]: one["properties"]["land_use"] for one in layers["parcels"]["features"]}

    before = seen()
    assert before["p-01"] != "NTS"
    for row in range(3):
        for column in range(6):
            edit(living, f"p-{row}{column}", "NTS")
    assert wait_for(lambda: set(seen().values()) == {"NTS"})
    assert wait_for(lambda: uses(url, 14, "blocks") == {"block": "NTS"})


def test_who_listens_is_told_where_and_nothing_else_and_may_go_on_later(living: CityStore, url: str) -> None:
    ear = Ear(url)
    assert ear.answer.headers["content-type"].startswith("text/event-stream")
    edit(living, "p-25", "LUK")
    name, number, data = ear.next()
    assert (name, set(data), data["collection"]) == ("change", {"number", "collection", "bbox"}, "parcels")
    west, south, east, north = data["bbox"]
    corners = transformer(4326, 9210).transform([west, east], [south, north])
    lot = lots(6, 3)["p-25"]
    box = shapely.box(corners[0][0], corners[1][0], corners[0][1], corners[1][1])
    assert box.buffer(0.2).contains(lot)
    assert box.area < 1.4 * lot.area
    while ear.next()[2]["collection"] != "wards":
        pass
    ear.close()
    edit(living, "p-25", "RSX")
    edit(living, "p-00", "RSX")
    later = Ear(url, **{"Last-Event-ID": number})
    missed = [later.next() for _ in range(4)]
    later.close()
    assert all(int(one[1]) > int(number) for one in missed)
    asked = httpx.get(f"{url}/changes", params={"after": number}).json()
    assert asked["complete"]
    assert [one["number"] for one in asked["changes"]][:4] == [int(one[1]) for one in missed]
    assert httpx.get(f"{url}/changes", params={"after": "99999999"}).json() == {"complete": False, "changes": []}
    assert httpx.get(f"{url}/changes", params={"after": "-1"}).status_code == 400
    lost = Ear(url, **{"Last-Event-ID": "99999999"})
    assert lost.next()[0] == "reset"
    lost.close()


def test_a_service_that_lost_the_store_forgets_what_it_kept(living: CityStore, url: str) -> None:
    z, x, y = tile_of(16)
    path = f"{url}/tiles/{z}/{x}/{y}.mvt"
    assert wait_for(lambda: httpx.get(path).headers["x-tile-cache"] == "hit")
    ear = Ear(url)
    with psycopg.connect(dsn(living.database.url(Role.READER)), autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'diaba changes' AND datname = current_database()"
        )
    assert ear.next()[0] == "reset"
    ear.close()
    httpx.get(path)
    assert wait_for(lambda: httpx.get(path).headers["x-tile-cache"] == "hit", 10)
    edit(living, "p-01", "TMD")
    assert wait_for(lambda: uses(url)["p-01"] == "TMD")


def test_a_service_takes_so_many_listeners_and_ends_their_streams_with_itself(living: CityStore) -> None:
    limits = ServiceSettings(listeners_most=0)
    with TestClient(create_app(living.settings, living.city, limits)) as client:
        refused = client.get("/changes", headers={"Accept": "text/event-stream"})
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert "0 maps" in refused.json()["detail"]
        assert client.get("/changes").status_code == 200
        assert client.head("/changes", headers={"Accept": "text/event-stream"}).status_code == 200
    with served(living) as url:
        assert httpx.head(f"{url}/changes", headers={"Accept": "text/event-stream"}).status_code == 200
        ear = Ear(url)
    ear.thread.join(10)
    # Otherwise the server waits for the stream for five seconds, and then cuts it off in its middle.
    assert ear.is_whole
    with pytest.raises(Empty):
        ear.events.get_nowait()


def test_a_map_in_a_browser_draws_an_edit_without_being_asked(living: CityStore, url: str, tmp_path: Path) -> None:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    node = shutil.which("node")
    assert browser is not None
    assert node is not None
    edit(living, "p-11", "BHK")
    with subprocess.Popen(
        [node, str(SCRIPT), url, browser, str(tmp_path)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["uses"]["p-11"] == "BHK"
        edit(living, "p-11", "DGT")
        process.stdin.write("edited\n")
        process.stdin.flush()
        second = json.loads(process.stdout.readline())
        process.wait(60)
    assert second["uses"]["p-11"] == "DGT"
    assert second["console"] == []
    assert second["failed"] == []
    assert second["refreshed"] >= 1
