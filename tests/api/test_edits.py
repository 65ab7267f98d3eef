"""Features are changed through the service: by whom it may be, on the version that was seen, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from shapely.geometry import mapping, shape
from sqlalchemy import text

from gis.access.roles import Role
from gis.crs import transformer
from gis.store import parcels, registers
from tests.api.conftest import CityStore
from tests.api.officials import Officials
from tests.gis.store_samples import EAST, NORTH, lot, register_layers, write_registers

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
TODAY = datetime.now(UTC).date()
WARD, OTHER = "26734", "99999"
GRANTS = (f"land:{WARD}:change", "planning:*:change")


@pytest.fixture(scope="module")
def officials(tmp_path_factory: pytest.TempPathFactory) -> Officials:
    return Officials(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def office(make_store: Callable[..., CityStore], tmp_path_factory: pytest.TempPathFactory) -> CityStore:
    made = make_store("office")
    folder: Path = tmp_path_factory.mktemp("office")
    layers = register_layers(12)
    layers["parcels"].geometry = [lot(n) if n < 6 else lot(n).buffer(0.5, join_style="mitre") for n in range(12)]
    layers["parcels"].loc[5, "ward_code"] = OTHER
    with made.database.open(Role.WRITER) as connection:
        registers.import_registers(connection, write_registers(folder / "registers.gpkg", layers))
    return made


@pytest.fixture(scope="module")
def nobody(office: CityStore, officials: Officials) -> Iterator[TestClient]:
    """The service as the public asks it."""
    with officials.serve(office) as made:
        yield made


@pytest.fixture(scope="module")
def client(nobody: TestClient, officials: Officials) -> TestClient:
    """The same service, asked by somebody who may change a ward's land, and all plans."""
    return TestClient(nobody.app, raise_server_exceptions=False, headers=officials(*GRANTS))


def line(north: float, *, code: int = 4326) -> dict[str, Any]:
    corners = np.array([(EAST, NORTH + north), (EAST + 80, NORTH + north + 1)])
    moved = np.column_stack(transformer(9210, code).transform(*corners.T))
    return mapping(shapely.LineString(moved))


def road(north: float = 40.0, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": line(north), "properties": {"name": "Đường Mới", **properties}}


def seen(client: TestClient, path: str, **parameters: str) -> tuple[dict[str, Any], str]:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json(), answer.headers["etag"]


def made(client: TestClient, **properties: Any) -> str:
    answer = client.post("/collections/roads/items", json=road(**properties))
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"]).removeprefix("http://testserver")


def refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


def test_a_feature_is_created_where_it_says_and_can_be_had(client: TestClient) -> None:
    answer = client.post("/collections/roads/items", json=road(41, uid="r-new", reserve_width_m=16))
    assert answer.status_code == 201
    assert answer.headers["location"].endswith("/collections/roads/items/r-new")
    found, etag = seen(client, "/collections/roads/items/r-new")
    assert found["properties"] | {"valid_from": ""} == {
        "uid": "r-new",
        "name": "Đường Mới",
        "reserve_width_m": 16.0,
        "valid_from": "",
        "valid_to": None,
    }
    assert found["properties"]["valid_from"] == TODAY.isoformat()
    assert etag.startswith('"v1.')
    sent = shapely.transform(
        shape(line(41)), lambda xy: np.column_stack(transformer(4326, 9210).transform(xy[:, 0], xy[:, 1]))
    )
    stored, _ = seen(client, "/collections/roads/items/r-new", crs=f"{EPSG}9210")
    assert shape(stored["geometry"]).hausdorff_distance(sent) < 0.0015
    assert "given once" in refused(client.post("/collections/roads/items", json=road(uid="r-new")), 409)


@pytest.mark.parametrize(("code", "swapped"), [(9210, False), (3857, False), (4326, True)])
def test_coordinates_are_read_in_the_crs_they_are_said_to_be_in(client: TestClient, code: int, swapped: bool) -> None:
    geometry = shape(line(44, code=code))
    if swapped:
        geometry = shapely.transform(geometry, lambda xy: xy[:, ::-1])
    feature = {**road(), "geometry": mapping(geometry)}
    headers = {"Content-Crs": f"<{EPSG}{code}>"}
    place = client.post("/collections/roads/items", json=feature, headers=headers).headers["location"]
    stored, _ = seen(client, place, crs=f"{EPSG}9210")
    expected = shapely.LineString([(EAST, NORTH + 44), (EAST + 80, NORTH + 45)])
    assert shape(stored["geometry"]).hausdorff_distance(expected) < 0.002


def test_an_update_begins_on_its_day_and_the_time_before_stays(client: TestClient, office: CityStore) -> None:
    path = made(client, name="Cũ", valid_from="2020-01-01")
    _, etag = seen(client, path)
    answer = client.patch(
        path,
        json={"properties": {"name": "Mới", "reserve_width_m": 20}},
        headers={"If-Match": etag, "Content-Type": "application/merge-patch+json"},
        params={"valid_from": "2024-05-01"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["properties"]["name"] == "Mới"
    assert seen(client, path)[0]["properties"]["reserve_width_m"] == 20
    assert seen(client, path, datetime="2022-01-01")[0]["properties"]["name"] == "Cũ"
    assert client.get(path, params={"datetime": "2019-12-31"}).status_code == 404
    # What the register knew before is known still.
    with office.database.open(Role.READER) as connection:
        versions = connection.execute(
            text("SELECT name, upper_inf(recorded) FROM diaba.road WHERE uid = :uid ORDER BY version"),
            {"uid": path.rsplit("/", 1)[1]},
        ).all()
    assert [tuple(row) for row in versions] == [("Cũ", False), ("Cũ", True), ("Mới", True)]
    emptied = client.patch(path, json={"properties": {"name": None}}, headers={"If-Match": seen(client, path)[1]})
    assert emptied.json()["properties"]["name"] is None
    assert emptied.json()["properties"]["reserve_width_m"] == 20


def test_a_replacement_leaves_nothing_that_is_not_told(client: TestClient) -> None:
    path = made(client, reserve_width_m=9)
    before, etag = seen(client, path)
    told = {**before, "properties": {"name": "Một"}}
    answer = client.put(path, json=told, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text
    assert answer.json()["properties"]["reserve_width_m"] is None
    assert answer.json()["geometry"] == before["geometry"]


def test_what_is_sent_back_as_it_came_changes_nothing(client: TestClient) -> None:
    path = made(client, name="Y nguyên")
    before, etag = seen(client, path)
    assert client.put(path, json=before, headers={"If-Match": etag}).status_code == 200
    assert seen(client, path)[1] == etag
    parcel, seen_as = seen(client, "/collections/parcels/items/p-0004")
    assert (
        client.put("/collections/parcels/items/p-0004", json=parcel, headers={"If-Match": seen_as}).status_code == 200
    )
    assert seen(client, "/collections/parcels/items/p-0004")[1] == seen_as


def test_an_ended_feature_is_there_until_its_day(client: TestClient) -> None:
    path = made(client, valid_from="2021-01-01")
    _, etag = seen(client, path)
    answer = client.delete(path, headers={"If-Match": etag}, params={"valid_from": "2025-01-01"})
    assert answer.status_code == 204
    assert answer.content == b""
    assert client.get(path).status_code == 404
    assert seen(client, path, datetime="2024-12-31")[0]["properties"]["valid_to"] == "2025-01-01"
    refused(client.delete(path, headers={"If-Match": etag}), 404)


def test_a_change_needs_the_version_it_was_decided_upon(client: TestClient) -> None:
    path = made(client)
    _, etag = seen(client, path)
    patch = {"properties": {"name": "x"}}
    assert "If-Match" in refused(client.patch(path, json=patch), 428)
    refused(client.delete(path), 428)
    for wrong in ('"x"', "W/" + etag, etag.replace("v1", "v2"), "", "v1"):
        refused(client.patch(path, json=patch, headers={"If-Match": wrong}), 412)
    several = f'"x", {etag}'
    assert client.patch(path, json=patch, headers={"If-Match": several}).status_code == 200
    refused(client.patch(path, json={"properties": {"name": "y"}}, headers={"If-Match": etag}), 412)
    # The same version in another CRS, compressed: another representation, the same state.
    other = client.get(path, params={"crs": f"{EPSG}9210"}, headers={"Accept-Encoding": "gzip"}).headers["etag"]
    assert other != seen(client, path)[1]
    assert client.patch(path, json={"properties": {"name": "z"}}, headers={"If-Match": other}).status_code == 200
    assert client.patch(path, json=patch, headers={"If-Match": "*"}).status_code == 200


def test_nobody_changes_anything_without_being_allowed(
    client: TestClient, nobody: TestClient, office: CityStore, officials: Officials
) -> None:
    def state() -> list[Any]:
        with office.database.open(Role.READER) as connection:
            return [
                connection.execute(text(f"SELECT count(*) FROM diaba.{table}")).scalar_one()  # noqa: S608
                for table in ("road", "planning_zone", "parcel_version", "land_change")
            ]

    before = state()
    _, etag = seen(client, "/collections/parcels/items/p-0005")
    patch = {"properties": {"land_use": "CLN"}}
    tries = (
        ("POST", "/collections/roads/items", road()),
        ("PUT", "/collections/roads/items/r-1", road()),
        ("PATCH", "/collections/roads/items/r-1", patch),
        ("DELETE", "/collections/roads/items/r-1", None),
        ("PATCH", "/collections/parcels/items/p-0000", patch),
        ("PATCH", "/collections/planning_zones/items/z-1", patch),
        ("POST", "/batch", {"requests": [{"method": "POST", "collection": "roads", "body": road()}]}),
    )
    for method, path, body in tries:
        answer = nobody.request(method, path, json=body, headers={"If-Match": "*"})
        refused(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for path, grants in (
        ("/collections/parcels/items/p-0000", ["planning:*:change", f"land:{WARD}", f"construction:{WARD}:change"]),
        ("/collections/planning_zones/items/z-1", ["land:*:change", "planning:*", f"planning:{WARD}:change"]),
        ("/collections/roads/items/r-1", ["land:*:change", "planning:*"]),
    ):
        refused(client.patch(path, json={}, headers={"If-Match": "*", **officials(*grants)}), 403)
    # Another ward.
    refused(client.patch("/collections/parcels/items/p-0005", json=patch, headers={"If-Match": etag}), 403)
    both = [
        {"method": "POST", "collection": "roads", "body": road()},
        {"method": "PATCH", "collection": "parcels", "id": "p-0005", "if_match": "*", "body": patch},
    ]
    assert "request 2" in refused(client.post("/batch", json={"requests": both}), 403)
    assert state() == before


def test_a_parcel_changes_by_the_rules_of_land(client: TestClient, office: CityStore) -> None:
    path = "/collections/parcels/items/p-0000"
    _, etag = seen(client, path)
    told = {"properties": {"land_use": "TMD", "parcel_no": "101", "address": "9 Đường Khác", "area_legal": 98.5}}
    answer = client.patch(
        path, json=told, headers={"If-Match": etag}, params={"legal_ref": "QĐ 1/2026", "dossier": "760-1"}
    )
    assert answer.status_code == 200, answer.text
    found = seen(client, path)[0]["properties"]
    assert {name: found[name] for name in told["properties"]} == told["properties"]
    yesterday = (TODAY - timedelta(days=1)).isoformat()
    assert seen(client, path, datetime=yesterday)[0]["properties"]["land_use"] == "ODT"
    with office.database.open(Role.READER) as connection:
        changes = connection.execute(
            text("SELECT kind, legal_ref, dossier FROM diaba.land_change ORDER BY id DESC LIMIT 2")
        ).all()
        old = parcels.current(connection).set_index("uid").loc["p-0000"]
    assert [tuple(row) for row in changes] == [
        ("renumbering", "QĐ 1/2026", "760-1"),
        ("change_of_use", "QĐ 1/2026", "760-1"),
    ]
    assert (old["old_sheet_no"], old["old_parcel_no"]) == ("12", "1")


def test_what_the_rules_of_land_forbid_is_refused(client: TestClient) -> None:
    path = "/collections/parcels/items/p-0001"
    _, etag = seen(client, path)

    def patch(document: Any, status: int, **parameters: str) -> str:
        return refused(client.patch(path, json=document, headers={"If-Match": etag}, params=parameters), status)

    assert "is the number of" in patch({"properties": {"parcel_no": "3"}}, 409)
    assert "three capital letters" in patch({"properties": {"land_use": "house"}}, 400)
    assert "is not changed so" in patch({"properties": {"ward_code": "26740"}}, 400)
    assert "is not changed so" in patch({"properties": {"area_measured": 1}}, 400)
    assert "below zero" in patch({"properties": {"area_legal": -1}}, 400)
    assert "begins on" in patch({"properties": {"land_use": "CLN"}}, 409, valid_from="2001-01-01")
    back = transformer(9210, 4326)
    over = shapely.transform(lot(1, 12.0), lambda xy: np.column_stack(back.transform(xy[:, 0], xy[:, 1])))
    assert "would overlap" in patch({"geometry": mapping(over)}, 400)
    fresh = {"type": "Feature", "properties": {}, "geometry": mapping(over)}
    assert "splits, mergers" in refused(client.post("/collections/parcels/items", json=fresh), 409)
    refused(client.delete(path, headers={"If-Match": etag}), 409)
    assert seen(client, path)[1] == etag
    # A new survey that takes nobody's land.
    inside = shapely.transform(lot(1, 4.5), lambda xy: np.column_stack(back.transform(xy[:, 0], xy[:, 1])))
    answer = client.patch(path, json={"geometry": mapping(inside)}, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text
    assert answer.json()["properties"]["area_measured"] == pytest.approx(90.0, abs=0.05)


@pytest.mark.parametrize(
    "feature",
    [
        {"type": "FeatureCollection", "features": []},
        {"type": "Feature", "properties": {}},
        {"type": "Feature", "properties": {}, "geometry": None},
        {"type": "Feature", "properties": [], "geometry": line(1)},
        road(owner="x"),
        road(name=5),
        road(name="x" * 501),
        road(name="a\x00b"),
        road(reserve_width_m="wide"),
        road(reserve_width_m=-3),
        road(reserve_width_m=True),
        road(valid_from="yesterday"),
        road(valid_to="2030-01-01"),
        road(uid="a\nb"),
        {**road(), "id": "x" * 300},
        {**road(), "geometry": {"type": "Point", "coordinates": [106.7, 10.77]}},
        {**road(), "geometry": {"type": "LineString", "coordinates": [[106.7, 10.77], [106.7, 10.77]]}},
        {**road(), "geometry": {"type": "LineString", "coordinates": [[10.77, 106.7], [10.78, 106.7]]}},
        {**road(), "geometry": {"type": "LineString", "coordinates": "x"}},
        {**road(), "geometry": {"bbox": [106, 10, 107, 11]}},
    ],
)
def test_what_is_no_feature_of_the_collection_is_refused(client: TestClient, feature: dict[str, Any]) -> None:
    refused(client.post("/collections/roads/items", json=feature), 400)


def test_bodies_that_are_none_are_refused(client: TestClient) -> None:
    path = "/collections/roads/items"
    json_ = {"Content-Type": "application/geo+json"}
    for body in (b"", b"{", b"[]", b"5", b"\xff\xfe", b'{"a":' * 2000):
        refused(client.post(path, content=body, headers=json_), 400)
    refused(client.post(path, content=b"<x/>", headers={"Content-Type": "application/gml+xml"}), 415)
    refused(client.post(path, content=b"{}" + b" " * 1_000_001, headers=json_), 413)
    refused(client.post("/collections/buildings/items", json=road()), 405)
    for method in ("PUT", "PATCH", "DELETE"):
        only_read = client.request(method, "/collections/permits/items/GP-1", json=road())
        refused(only_read, 405)
        assert only_read.headers["allow"] == "GET, HEAD"
    refused(client.post("/collections/nothing/items", json=road()), 404)
    refused(client.patch(f"{path}/r-none", json={}, headers={"If-Match": "*"}), 404)
    refused(client.post(path, json=road(), headers={"Content-Crs": "<x>"}), 400)


def test_a_batch_is_done_whole_or_not_at_all(client: TestClient) -> None:
    path = made(client, name="Trong lô")
    key = path.rsplit("/", 1)[1]
    _, etag = seen(client, path)
    use = {"properties": {"land_use": "CLN"}}
    listed = [
        {"method": "POST", "collection": "roads", "body": road(60, uid="r-batch")},
        {"method": "PATCH", "collection": "roads", "id": key, "if_match": etag, "body": {"properties": {"name": "B"}}},
        {
            "method": "PATCH",
            "collection": "parcels",
            "id": "p-0002",
            "if_match": "*",
            "body": use,
        },
    ]
    stale = [*listed, {"method": "DELETE", "collection": "roads", "id": "r-1", "if_match": '"v7.' + "0" * 24 + '"'}]
    assert "request 4" in refused(client.post("/batch", json={"requests": stale}), 412)
    assert client.get("/collections/roads/items/r-batch").status_code == 404
    assert seen(client, path)[1] == etag
    assert seen(client, "/collections/parcels/items/p-0002")[0]["properties"]["land_use"] == "ODT"
    answer = client.post("/batch", json={"requests": listed})
    assert answer.status_code == 200, answer.text
    assert [one["id"] for one in answer.json()["results"]] == ["r-batch", key, "p-0002"]
    assert seen(client, path)[0]["properties"]["name"] == "B"
    assert seen(client, "/collections/parcels/items/p-0002")[0]["properties"]["land_use"] == "CLN"
    for wrong in ({}, {"requests": []}, {"requests": [{}] * 201}, {"requests": [{"method": "GET"}]}, {"requests": [5]}):
        refused(client.post("/batch", json=wrong), 400)


def test_of_twenty_writers_who_saw_the_same_one_is_first(client: TestClient, office: CityStore) -> None:
    path = made(client)
    _, etag = seen(client, path)

    def write(number: int) -> int:
        return client.patch(path, json={"properties": {"name": f"n{number}"}}, headers={"If-Match": etag}).status_code

    with ThreadPoolExecutor(20) as pool:
        answers = sorted(pool.map(write, range(20)))
    assert answers == [200] + [412] * 19


def test_no_change_of_twenty_writers_at_once_is_lost(client: TestClient) -> None:
    """Each adds one to a number, looks again when another was first, and tries until it is done."""
    path = made(client, reserve_width_m=0)

    def add_one(number: int) -> None:
        for _attempt in range(200):
            found, etag = seen(client, path)
            wider = {"properties": {"reserve_width_m": found["properties"]["reserve_width_m"] + 1}}
            answer = client.patch(path, json=wider, headers={"If-Match": etag})
            if answer.status_code == 200:
                return
            assert answer.status_code == 412, answer.text
            # All at the first try, and then not all in step.
            sleep((1 + number) / 20)
        raise AssertionError("never first")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(add_one, range(20)))
    assert seen(client, path)[0]["properties"]["reserve_width_m"] == 20


def test_a_change_from_a_later_day_is_not_yet_so(client: TestClient) -> None:
    path = made(client, name="Nay", valid_from="2020-01-01")
    _, etag = seen(client, path)
    later = date(TODAY.year + 1, 1, 1).isoformat()
    answer = client.patch(
        path, json={"properties": {"name": "Mai"}}, headers={"If-Match": etag}, params={"valid_from": later}
    )
    assert answer.json()["properties"]["name"] == "Mai"
    assert seen(client, path)[0]["properties"]["name"] == "Nay"
    _, now = seen(client, path)
    assert "contradicts" in refused(
        client.patch(path, json={"properties": {"name": "x"}}, headers={"If-Match": now}), 409
    )
