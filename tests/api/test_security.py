"""What is shown to whom: every try is through the whole service, against PostGIS."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from gis.access.openness import Parcels
from gis.access.roles import Role
from gis.store import api_keys, discrepancies, openness
from tests.api.closed_city import bearer
from tests.api.closed_city import closed as closed
from tests.api.closed_city import jwks as jwks
from tests.api.closed_city import keys as keys
from tests.api.closed_city import service as service
from tests.api.conftest import NEW, CityStore, served
from tests.api.security_doors import DOORS, FIRST_THERE, HERE, KIND, PARCELS, THERE, routes, shown_there
from tests.api.security_tries import Keys, page


def test_every_route_says_what_it_shows(service: TestClient) -> None:
    found = set(routes(service.app))  # type: ignore[arg-type]
    assert len(found) > 20
    assert found == set(DOORS), "say in tests/api/security_doors.py what a route shows of a ward's rows"


@pytest.mark.parametrize("path", DOORS)
def test_no_door_shows_another_ward_s_rows(service: TestClient, keys: Keys, path: str) -> None:
    everybody = ("planning:*", "inspection:*")
    seen = False
    for asked in DOORS[path].tries:
        for headers in ({}, bearer(keys), bearer(keys, f"inspection:{HERE}", f"land:{HERE}", f"construction:{HERE}")):
            answer = service.get(asked, headers=headers, follow_redirects=False)
            assert answer.status_code < 500
            assert shown_there(answer.content, asked) == set(), asked
        seen |= bool(shown_there(service.get(asked, headers=bearer(keys, *everybody)).content, asked))
    assert seen is DOORS[path].shows


@pytest.mark.parametrize(
    ("hidden", "nothing"),
    [
        ("/collections/parcels/items/p-0025", "/collections/parcels/items/p-9925"),
        ("/collections/permits/items/GPXD-0025", "/collections/permits/items/GPXD-9925"),
        ("/collections/parcels/items?parcel_no=26", "/collections/parcels/items?parcel_no=96"),
        ("/parcels/search?text=p-0025", "/parcels/search?text=p-9925"),
        ("/parcels/search?sheet=12&parcel=26", "/parcels/search?sheet=12&parcel=96"),
    ],
)
def test_what_is_hidden_is_answered_like_what_never_was(
    service: TestClient, keys: Keys, hidden: str, nothing: str
) -> None:
    for headers in ({}, bearer(keys, f"inspection:{HERE}")):
        one, other = (service.get(path, headers=headers | {"X-Request-Id": "same"}) for path in (hidden, nothing))
        assert one.status_code == other.status_code
        assert one.text.replace("0025", "9925").replace("=26", "=96") == other.text


def test_counts_pages_and_sorting_know_of_no_row_that_is_hidden(service: TestClient, keys: Keys) -> None:
    own = bearer(keys, f"planning:{HERE}")
    first = service.get("/collections/parcels/items?limit=15", headers=own).json()
    assert first["numberMatched"] == FIRST_THERE
    onward = next(link["href"] for link in first["links"] if link["rel"] == "next")
    second = service.get(onward, headers=own).json()
    found = [one["id"] for one in (*first["features"], *second["features"])]
    assert found == [f"p-{number:04d}" for number in range(FIRST_THERE)]
    assert not any(link["rel"] == "next" for link in second["links"])
    for path in ("parcels", "permits", "discrepancies"):
        assert service.get(f"/collections/{path}/items").json()["numberMatched"] == 0
    assert service.get("/collections/discrepancies/items", headers=own).json()["numberMatched"] == 1


def test_extents_reach_as_far_as_the_rows_that_are_seen(service: TestClient, keys: Keys) -> None:
    def west_east(headers: dict[str, str]) -> list[float]:
        found = service.get("/collections/parcels", headers=headers).json()["extent"]["spatial"]["bbox"][0]
        return [found[0], found[2]]

    here, there = west_east(bearer(keys, f"land:{HERE}")), west_east(bearer(keys, f"land:{THERE}"))
    assert here[1] < there[0]
    assert "extent" not in service.get("/collections/parcels").json()
    assert west_east(bearer(keys, "land:*")) == [here[0], there[1]]


def test_an_etag_of_another_s_answer_is_no_way_to_ask_whether_it_is_so(service: TestClient, keys: Keys) -> None:
    for path in ("/collections/parcels/items", DOORS["/tiles/{z}/{x}/{y}.mvt"].tries[0]):
        all_of_it = service.get(path, headers=bearer(keys, "planning:*"))
        for headers in ({}, bearer(keys, f"planning:{HERE}")):
            again = service.get(path, headers=headers | {"If-None-Match": all_of_it.headers["etag"]})
            assert again.status_code == 200
            assert again.headers["etag"] != all_of_it.headers["etag"]
        same = service.get(path, headers=bearer(keys, "planning:*") | {"If-None-Match": all_of_it.headers["etag"]})
        assert same.status_code == 304


def test_what_somebody_is_shown_is_in_no_cache_of_others(service: TestClient, keys: Keys) -> None:
    for path in ("/collections/parcels/items", DOORS["/tiles/{z}/{x}/{y}.mvt"].tries[0]):
        answer = service.get(path, headers=bearer(keys, f"planning:{HERE}"))
        assert "private" in answer.headers["cache-control"]
        assert "public" not in answer.headers["cache-control"]
        for each in (answer, service.get(path)):
            assert {"Authorization", "X-API-Key"} <= set(each.headers["vary"].split(", "))


def test_nobody_is_told_that_nothing_is_flagged_who_may_not_know(service: TestClient, keys: Keys) -> None:
    import mapbox_vector_tile

    def verdicts(headers: dict[str, str]) -> dict[str, Any]:
        body = service.get(DOORS["/tiles/{z}/{x}/{y}.mvt"].tries[3], headers=headers).content
        features = mapbox_vector_tile.decode(body)["buildings"]["features"]
        return {one["properties"]["uid"]: one["properties"].get("verdict") for one in features}

    assert set(verdicts({}).values()) == {None}
    assert verdicts(bearer(keys, f"inspection:{THERE}"))["b-0025"] == "flagged"
    assert set(verdicts(bearer(keys, "planning:*")).values()) == {"flagged", "none"}
    assert "differences" not in service.get("/buildings/b-0025").json()["properties"]
    for uid, count in (("b-0025", 1), ("b-0026", 0)):
        facts = service.get(f"/buildings/{uid}", headers=bearer(keys, "planning:*")).json()["properties"]
        assert len(facts["differences"]) == count


def test_buildings_in_3d_say_of_differences_what_the_caller_may_know(service: TestClient, keys: Keys) -> None:
    def told(headers: dict[str, str]) -> tuple[dict[str, Any], bytes]:
        body = service.get(DOORS["/3dtiles/{z}/{x}/{y}.glb"].tries[-2], headers=headers).content
        length = int.from_bytes(body[12:16], "little")
        document = json.loads(body[20 : 20 + length])
        table = document["extensions"]["EXT_structural_metadata"]
        named = table["schema"]["classes"]["building"]["properties"]
        if "verdict" not in named:
            return named, b""
        view = document["bufferViews"][table["propertyTables"][0]["properties"]["verdict"]["values"]]
        start = 20 + length + 8 + view.get("byteOffset", 0)
        return named, body[start : start + view["byteLength"]]

    none, flagged, unsaid = range(3)
    for headers in ({}, bearer(keys, f"land:{HERE}")):
        named, verdicts = told(headers)
        assert "verdict" not in named
    named, verdicts = told(bearer(keys, "planning:*"))
    assert named["verdict"]["noData"] == "unsaid"
    assert sorted(verdicts) == [*[none] * (len(verdicts) - 1), flagged]
    # Of one ward: what is flagged there, and of no other building that nothing is.
    assert sorted(told(bearer(keys, f"inspection:{THERE}"))[1]) == [flagged, *[unsaid] * (len(verdicts) - 1)]
    assert list(told(bearer(keys, f"inspection:{HERE}"))[1]) == [unsaid] * len(verdicts)


def _flag_again(store: CityStore, confidence: float) -> None:
    """Record a difference there anew: a change of the differences and of nothing else."""
    with store.database.open(Role.WRITER) as connection:
        found = {"kind": KIND, "building_uid": "b-0025", "parcel_uid": "p-0025", "permit_no": "GPXD-0025", "epoch": NEW}
        discrepancies.save(connection, [found | {"evidence": {"parcel": "p-0025"}, "confidence": confidence}])


def test_nobody_hears_of_a_change_of_what_he_is_not_shown(closed: CityStore, service: TestClient, keys: Keys) -> None:
    def asked(headers: dict[str, str], after: int | None = None) -> tuple[bool, list[dict[str, Any]]]:
        address = "/changes" if after is None else f"/changes?after={after}"
        found = service.get(address, headers=headers).json()
        return found["complete"], found["changes"]

    planner, inspector = bearer(keys, "planning:*"), bearer(keys, f"inspection:{HERE}")
    before = asked(planner)[1][-1]["number"]
    public = asked({})[1]
    assert {one["collection"] for one in public}.isdisjoint({"discrepancies", "parcels", "permits", "blocks", "wards"})
    since = asked({}, public[-1]["number"])
    _flag_again(closed, 0.75)
    complete, changes = asked(planner, before)
    assert complete
    assert {one["collection"] for one in changes} == {"discrepancies"}
    number = changes[-1]["number"]
    # The public's list is what it was, and a number it was never told is one that never was.
    assert asked({})[1] == public
    assert asked({}, public[-1]["number"]) == since
    assert asked({}, number) == asked({}, number + 1_000_000) == (False, [])
    # Of one ward: that something may have changed, anywhere.
    assert asked(inspector, before) == (False, [])
    assert "discrepancies" not in {one["collection"] for one in asked(inspector)[1]}


def test_no_tile_of_the_public_s_gets_old_by_what_is_not_in_it(
    closed: CityStore, service: TestClient, keys: Keys
) -> None:
    """Else one could ask for a small tile again and again, and hear when something is flagged in it."""
    address = DOORS["/tiles/{z}/{x}/{y}.mvt"].tries[3]
    service.get(address)
    assert service.get(address).headers["x-tile-cache"] == "hit"
    planner = bearer(keys, "planning:*")
    shown = service.get(address, headers=planner)
    assert "x-tile-cache" not in shown.headers
    _flag_again(closed, 0.8)
    for _ in range(10):
        time.sleep(0.1)
        assert service.get(address).headers["x-tile-cache"] == "hit"


def test_when_the_city_closes_its_parcels_what_was_kept_of_them_is_given_up(
    closed: CityStore, service: TestClient
) -> None:
    address = DOORS["/tiles/{z}/{x}/{y}.mvt"].tries[1]
    with closed.database.open(Role.OWNER) as connection:
        openness.show(connection, Parcels.TO_ALL)
    try:
        _until(lambda: b"p-0025" in service.get(address).content)
    finally:
        with closed.database.open(Role.OWNER) as connection:
            openness.show(connection, Parcels.BY_WARD)
    _until(lambda: b"p-0025" not in service.get(address).content)


def _until(so: Callable[[], bool], seconds: float = 5.0) -> None:
    ends = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_whoever_changes_parcels_is_not_told_of_those_he_is_not_shown(service: TestClient, keys: Keys) -> None:
    headers = bearer(keys, f"land:{HERE}:change") | {"If-Match": "*", "X-Request-Id": "same"}
    patch = {"properties": {"address": "x"}}

    def answers(uid: str) -> list[tuple[int, str]]:
        one = {"method": "PATCH", "collection": "parcels", "id": uid, "if_match": "*", "body": patch}
        tried = (
            service.patch(f"/collections/parcels/items/{uid}", json=patch, headers=headers),
            service.post("/batch", json={"requests": [one]}, headers=headers),
        )
        return [(answer.status_code, answer.text.replace(uid, "")) for answer in tried]

    assert answers("p-0025") == answers("p-9925")
    assert {status for status, _ in answers("p-0025")} == {404}
    # One that is shown and may not be changed is another thing.
    other = bearer(keys, f"land:{HERE}:change", f"planning:{THERE}") | {"If-Match": "*"}
    assert service.patch("/collections/parcels/items/p-0025", json=patch, headers=other).status_code == 403


def test_callers_beside_each_other_are_not_mixed_up(service: TestClient, keys: Keys) -> None:
    """Many at once on the same pool of sessions; each is shown its own."""
    expected = {
        (): 0,
        (f"land:{HERE}",): FIRST_THERE,
        ("land:*",): PARCELS,
        (f"planning:{THERE}",): PARCELS - FIRST_THERE,
    }
    wrong: list[object] = []

    def ask(grants: tuple[str, ...]) -> None:
        headers = bearer(keys, *grants) if grants else {}
        for _ in range(8):
            found = service.get("/collections/parcels/items?limit=1", headers=headers).json()["numberMatched"]
            if found != expected[grants]:
                wrong.append((grants, found))

    threads = [threading.Thread(target=ask, args=(grants,)) for grants in expected for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("method", "path", "content", "headers"),
    [
        ("GET", "/collections/parcels/items?ward_code=" + "x" * 60_000, b"", {}),
        ("GET", "/" + "a/" * 20_000, b"", {}),
        ("GET", "/collections/parcels/items", b"x" * 2_000_000, {}),
        ("GET", "/collections", b"", {"Authorization": "Bearer " + "x" * 100_000}),
        ("GET", "/collections", b"", {"X-API-Key": "x" * 100_000}),
        ("GET", "/collections", b"", {"If-None-Match": "x" * 100_000}),
        ("GET", "/collections", b"", {"X-Request-Id": "x" * 100_000}),
        ("POST", "/collections/parcels/items", b"x" * 2_000_000, {"Content-Type": "application/json"}),
        ("PUT", "/collections/parcels/items/p-0025", b"{}", {}),
        ("DELETE", "/collections/parcels/items/p-0025", b"", {}),
    ],
)
def test_what_is_too_large_or_not_offered_is_a_problem_of_the_client(
    service: TestClient, method: str, path: str, content: bytes, headers: dict[str, str]
) -> None:
    answer = service.request(method, path, content=content, headers=headers)
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < 2_000


def test_the_service_as_a_program_believes_its_key(closed: CityStore) -> None:
    """Through the network, with the limits of the server's own parser."""
    import httpx

    with closed.database.open(Role.OWNER) as connection:
        told, _ = api_keys.add(connection, "stranger's client", [f"land:{THERE}"], 1)
    with served(closed) as address, httpx.Client(base_url=address) as client:
        found = client.get("/collections/parcels/items", headers={"X-API-Key": told}).json()
        assert found["numberMatched"] == PARCELS - FIRST_THERE
        assert client.get("/collections/parcels/items").json()["numberMatched"] == 0
        for path, headers in (
            ("/collections", {"X-Large": "x" * 200_000}),
            ("/collections/parcels/items?ward_code=" + "x" * 64_000, {}),
        ):
            try:
                assert client.get(path, headers=headers).status_code in (400, 414, 431)
            except httpx.TransportError:
                # The server has said no and closed before all was sent.
                continue
        assert client.get("/health/ready").status_code == 200


def test_the_table_of_tries_is_the_one_in_the_documentation(checkout: Path) -> None:
    written = (checkout / "docs" / "reference" / "security.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m tests.api.security_tries > docs/reference/security.md"
