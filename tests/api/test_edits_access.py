"""Edits over HTTP in a city of two wards: whose parcels may be changed, who is named for it, and what tiles show."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from sqlalchemy import text

from gis.access.openness import Parcels
from gis.access.roles import Role
from gis.crs import transformer
from gis.store import openness, registers
from tests.api.conftest import CityStore, Run
from tests.api.officials import Officials
from tests.gis.store_samples import lot, register_layers, write_registers

HERE, THERE = "26734", "26737"
PARCELS, FIRST_THERE = 12, 6
ITEMS = "/collections/parcels/items"
LATER = f"{datetime.now(UTC).year + 1}-01-01"
ANY = {"If-Match": "*"}
USE = {"properties": {"land_use": "CLN"}}


@pytest.fixture(scope="module")
def wards(make_store: Callable[..., CityStore], tmp_path_factory: pytest.TempPathFactory) -> CityStore:
    """A city that shows the parcels of each ward to its own officials alone."""
    made = make_store("wards")
    layers = register_layers(PARCELS)
    layers["parcels"].loc[FIRST_THERE:, "ward_code"] = THERE
    with made.database.open(Role.WRITER) as connection:
        path = write_registers(tmp_path_factory.mktemp("wards") / "r.gpkg", layers)
        registers.import_registers(connection, path)
    with made.database.open(Role.OWNER) as connection:
        openness.show(connection, Parcels.BY_WARD)
    return made


@pytest.fixture(scope="module")
def officials(tmp_path_factory: pytest.TempPathFactory) -> Officials:
    return Officials(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def service(wards: CityStore, officials: Officials) -> Iterator[TestClient]:
    with officials.serve(wards) as made:
        yield made


def state(store: CityStore) -> list[Any]:
    """All of the register of land, and its changes."""
    with store.database.open(Role.OWNER) as connection:
        tables = ("parcel_version", "land_change", "road", "planning_zone")
        return [connection.execute(text(f"SELECT * FROM diaba.{one} ORDER BY 1, 2")).all() for one in tables]  # noqa: S608


def attempts(key: str) -> list[tuple[str, str, Any]]:
    """All ways to change a parcel, each good but for whose it is."""
    feature = {"type": "Feature", "geometry": in_degrees(lot(7)), **USE}
    return [
        ("PATCH", f"{ITEMS}/{key}", USE),
        ("PATCH", f"{ITEMS}/{key}", {"properties": {"parcel_no": "77"}}),
        ("PATCH", f"{ITEMS}/{key}", {"geometry": in_degrees(lot(7, 4.5))}),
        ("PUT", f"{ITEMS}/{key}", feature),
        ("PATCH", f"{ITEMS}/{key}?valid_from=2001-01-01", USE),
        ("POST", "/batch", {"requests": [of_batch("p-0001"), of_batch(key)]}),
    ]


def of_batch(key: str) -> dict[str, Any]:
    return {"method": "PATCH", "collection": "parcels", "id": key, "if_match": "*", "body": USE}


def in_degrees(shape: shapely.Geometry) -> Any:
    back = transformer(9210, 4326)
    moved = shapely.transform(shape, lambda xy: np.column_stack(back.transform(xy[:, 0], xy[:, 1])))
    return json.loads(shapely.to_geojson(moved))


def test_a_parcel_of_another_ward_is_as_one_that_never_was(
    service: TestClient, wards: CityStore, officials: Officials
) -> None:
    there = officials(f"land:{THERE}:change")
    # Known to change later: even that is not told.
    planned = service.patch(f"{ITEMS}/p-0008", json=USE, params={"valid_from": LATER}, headers=ANY | there)
    assert planned.status_code == 200, planned.text
    before = state(wards)
    mine = ANY | officials(f"land:{HERE}:change", "planning:*:change")
    # Inspectors of the ward and planners see it, and may not change it.
    for known, status in ((officials(f"land:{HERE}:change"), 404), (mine, 403)):
        for key in ("p-0007", "p-0008"):
            for (method, path, body), (_, missing, never) in zip(attempts(key), attempts("p-none"), strict=True):
                answer = service.request(method, path, json=body, headers=ANY | known)
                assert answer.status_code == status, (method, path, answer.text)
                if status == 404:
                    other = service.request(method, missing, json=never, headers=ANY | known)
                    assert answer.json()["detail"].replace(key, "p-none") == other.json()["detail"]
    assert state(wards) == before
    # Nothing but the ward was in the way.
    for method, path, body in attempts("p-0007")[:3]:
        answer = service.request(method, path, json=body, headers=ANY | there)
        assert answer.status_code == 200, answer.text


def test_a_parcel_does_not_go_over_to_another_ward(service: TestClient, wards: CityStore, officials: Officials) -> None:
    both = officials(f"land:{HERE}:change", f"land:{THERE}:change")
    before = state(wards)
    for who in (both, officials(f"land:{HERE}:change")):
        for told in (
            {"properties": {"ward_code": THERE}},
            {"properties": {"uid": "p-0009"}},
            {"id": "p-0009"},
            {"geometry": in_degrees(lot(9))},
            {"geometry": in_degrees(lot(9).buffer(-1.0))},
        ):
            answer = service.patch(f"{ITEMS}/p-0002", json=told, headers=ANY | who)
            assert answer.status_code == 400, answer.text
            batch = {"requests": [of_batch("p-0001"), {**of_batch("p-0002"), "body": told}]}
            assert service.post("/batch", json=batch, headers=who).status_code == 400
    assert state(wards) == before
    # A number is a ward's own: the parcel of that number there stays what it is.
    answer = service.patch(f"{ITEMS}/p-0002", json={"properties": {"parcel_no": "10"}}, headers=ANY | both)
    assert answer.status_code == 200, answer.text
    other = service.get(f"{ITEMS}/p-0009", headers=both).json()["properties"]
    assert (other["parcel_no"], other["ward_code"]) == ("10", THERE)


def test_who_edits_is_in_the_audit_log_with_the_route(
    service: TestClient, wards: CityStore, officials: Officials, command_line: Callable[..., Run]
) -> None:
    audit = command_line(wards.settings.home, "--city", wards.city.name)

    def entries(actor: str) -> list[tuple[str, str, list[str]]]:
        code, out, err = audit("db", "audit", "--actor", actor, "--json")
        assert code == 0, err
        return [(one["through"], one["table"], one["keys"]) for one in json.loads(out)["entries"]]

    clerk, planner = (
        officials(*grants, subject=name)
        for name, *grants in (
            ("clerk.an", f"land:{HERE}:change"),
            ("planner.binh", "planning:*:change"),
        )
    )
    one = "/collections/{collectionId}/items/{featureId}"
    assert service.patch(f"{ITEMS}/p-0003", json=USE, headers=ANY | clerk).status_code == 200
    assert ("PATCH " + one, "parcel_version", ["p-0003"]) in entries("clerk.an")
    line = {"type": "LineString", "coordinates": [[106.7, 10.77], [106.701, 10.771]]}
    road = {"type": "Feature", "id": "r-new", "geometry": line, "properties": {}}
    assert service.post("/collections/roads/items", json=road, headers=planner).status_code == 201
    named = road | {"properties": {"name": "B"}}
    assert service.put("/collections/roads/items/r-new", json=named, headers=ANY | planner).status_code == 200
    assert service.delete("/collections/roads/items/r-new", headers=ANY | planner).status_code == 204
    batch = {"requests": [{"method": "POST", "collection": "roads", "body": road | {"id": "r-batch"}}]}
    assert service.post("/batch", json=batch, headers=planner).status_code == 200
    found = entries("planner.binh")
    assert {through for through, *_ in found} == {
        "POST /collections/{collectionId}/items",
        "PUT " + one,
        "DELETE " + one,
        "POST /batch",
    }
    assert {table for _, table, _ in found} == {"road"}
    # What was refused is nobody's change.
    assert service.patch(f"{ITEMS}/p-0003", json=USE, headers=ANY | planner).status_code == 403
    assert entries("planner.binh") == found
    code, out, err = audit("db", "audit", "--verify", "--json")
    assert (code, json.loads(out)["broken"]) == (0, None), err


def test_pages_of_other_sites_neither_change_nor_use_what_a_browser_keeps(service: TestClient) -> None:
    asked = {"Origin": "https://maps.example", "Access-Control-Request-Method": "POST"}
    assert service.options("/batch", headers=asked).status_code == 200
    for method in ("PUT", "PATCH", "DELETE"):
        answer = service.options(f"{ITEMS}/p-0001", headers=asked | {"Access-Control-Request-Method": method})
        assert answer.status_code == 400
        assert method not in answer.headers["access-control-allow-methods"]
    for answer in (service.options("/batch", headers=asked), service.get("/", headers={"Origin": "https://x.example"})):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
    matched = asked | {"Access-Control-Request-Headers": "If-Match"}
    assert service.options(f"{ITEMS}/p-0001", headers=matched).status_code == 400


def tile_of(zoom: int) -> str:
    x, y = transformer(9210, 4326).transform(lot(4).centroid.x, lot(4).centroid.y)
    found = morecantile.tms.get("WebMercatorQuad").tile(x, y, zoom)
    return f"/tiles/{found.z}/{found.x}/{found.y}.mvt"


@contextmanager
def unheard(store: CityStore) -> Iterator[None]:
    """The session that hears changes gets no word from the server while the context lasts."""
    with store.database.open(Role.READER) as connection:
        asked = text("SELECT pid FROM pg_stat_activity WHERE application_name = 'diaba changes' AND datname = :name")
        sessions = connection.execute(asked, {"name": store.database.name}).scalars().all()
    assert sessions
    for pid in sessions:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in sessions:
            os.kill(pid, signal.SIGCONT)


def test_a_kept_tile_shows_an_edit_as_soon_as_it_is_answered(
    service: TestClient, wards: CityStore, officials: Officials
) -> None:
    """Though the store's word of it is late; the tiles of generalised land too."""
    who = officials(f"land:{HERE}:change")
    paths = [tile_of(zoom) for zoom in (17, 16, 13)]

    def is_kept(path: str) -> bool:
        # Only the public is told by a header.
        cache = service.app.state.tiles.cache  # type: ignore[attr-defined]
        hits = cache.hits
        service.get(path, headers=who)
        return bool(cache.hits > hits)

    def shown(client: TestClient, path: str) -> Any:
        return mapbox_vector_tile.decode(client.get(path, headers=who).content)

    end = time.monotonic() + 10.0
    while not all(is_kept(path) for path in paths):
        assert time.monotonic() < end, "tiles are not kept"
    with unheard(wards), officials.serve(wards) as other:
        for use in ("CLN", "TMD", "CLN"):
            before = [shown(service, path) for path in paths]
            assert all(is_kept(path) for path in paths)
            changed = service.patch(f"{ITEMS}/p-0004", json={"properties": {"land_use": use}}, headers=ANY | who)
            assert changed.status_code == 200, changed.text
            after = [shown(service, path) for path in paths]
            uses = {one["properties"]["uid"]: one["properties"]["land_use"] for one in after[0]["parcels"]["features"]}
            assert uses["p-0004"] == use
            assert all(old != new for old, new in zip(before, after, strict=True))
            # A service that had kept nothing.
            assert after == [shown(other, path) for path in paths]
