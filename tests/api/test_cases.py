"""Cases through the service: who may see and decide, on which version, and what maps and lists show at once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import geopandas
import mapbox_vector_tile
import pandas as pd
import pytest
import shapely
from fastapi.testclient import TestClient
from pandas.testing import assert_frame_equal
from shapely.geometry import shape
from sqlalchemy import text

import gis
from api import cases as documents
from api.crs_names import LONGITUDE_LATITUDE
from gis.access.openness import Parcels
from gis.access.roles import Role
from gis.calendar import today
from gis.crs import transformer
from gis.store import audit_log, discrepancies, openness
from gis.store.cases import CASES
from tests.api.conftest import NEW, CityStore, Run, furnish
from tests.api.officials import Officials
from tests.api.security_doors import DOORS, FIRST_THERE, HERE, THERE
from tests.gis.store_samples import lot

COUNT = 40
DAY = "2026-03-02"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"


def finding(number: int, kind: str = "storeys", **more: Any) -> dict[str, Any]:
    delta = 2.0 + number / 10
    return {
        "kind": kind,
        "building_uid": f"b-{number:04d}",
        "parcel_uid": f"p-{number:04d}",
        "permit_no": f"GPXD-{number:04d}",
        "epoch": NEW,
        "actual": 11.6 + delta,
        "limit_value": 11.6,
        "unit": "m",
        "delta": delta,
        "sigma": 0.1,
        "confidence": round(0.99 + number * 0.0002, 6),
        "evidence": {"points": 700 + number},
        **more,
    }


def id_of(number: int, kind: str = "storeys") -> str:
    return discrepancies.identity(NEW, kind, f"b-{number:04d}", f"p-{number:04d}", f"GPXD-{number:04d}")


@pytest.fixture(scope="module")
def officials(tmp_path_factory: pytest.TempPathFactory) -> Officials:
    return Officials(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def office(make_store: Callable[..., CityStore], tmp_path_factory: pytest.TempPathFactory) -> CityStore:
    """A real city of two wards with a storey too many on each lot, and some setbacks."""
    made = make_store("cases")
    furnish(made, tmp_path_factory.mktemp("cases"))
    with made.database.open(Role.OWNER) as connection:
        there = {"ward": THERE, "first": f"p-{FIRST_THERE:04d}"}
        connection.execute(text("UPDATE diaba.parcel_version SET ward_code = :ward WHERE uid >= :first"), there)
        openness.show(connection, Parcels.BY_WARD)
    run(made)
    return made


def run(store: CityStore, changed: dict[int, dict[str, Any]] | None = None) -> None:
    found = [finding(number, **(changed or {}).get(number, {})) for number in range(COUNT)]
    found += [finding(number, "setback") for number in range(10, 14)]
    with store.database.open(Role.WRITER) as connection:
        discrepancies.save(connection, found, epoch=NEW, false_alarm_rate=0.01)


@pytest.fixture(scope="module")
def service(office: CityStore, officials: Officials) -> Iterator[TestClient]:
    with officials.serve(office) as made:
        yield made


@pytest.fixture(scope="module")
def inspector(officials: Officials) -> dict[str, str]:
    return officials(f"inspection:{HERE}:change", subject="lan")


@pytest.fixture(scope="module")
def planner(officials: Officials) -> dict[str, str]:
    return officials("planning:*")


def seen(service: TestClient, number: int, headers: dict[str, str], **asked: str) -> tuple[dict[str, Any], str]:
    answer = service.get(f"/compliance/cases/{id_of(number)}", headers=headers, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json(), answer.headers["etag"]


def look(service: TestClient, number: int, headers: dict[str, str], outcome: str, **more: Any) -> dict[str, Any]:
    _, etag = seen(service, number, headers)
    answer = service.post(
        f"/compliance/cases/{id_of(number)}/inspections",
        json={"inspected_on": DAY, "outcome": outcome, **more},
        headers=headers | {"If-Match": etag},
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


def verdicts(service: TestClient, headers: dict[str, str], number: int) -> dict[str, Any]:
    """What the tile at a lot says of the buildings on it."""
    import morecantile

    centre = lot(number).centroid
    place = transformer(9210, 4326).transform(centre.x, centre.y)
    tile = morecantile.tms.get("WebMercatorQuad").tile(*place, 17)
    body = service.get(f"/tiles/{tile.z}/{tile.x}/{tile.y}.mvt?layers=buildings", headers=headers).content
    features = mapbox_vector_tile.decode(body)["buildings"]["features"]
    return {one["properties"]["uid"]: one["properties"].get("verdict") for one in features}


def test_an_inspection_changes_the_case_and_what_the_tiles_show_at_once(
    service: TestClient, office: CityStore, inspector: dict[str, str], planner: dict[str, str]
) -> None:
    before, etag = seen(service, 1, inspector)
    assert (before["status"], before["version"], before["ward_code"]) == ("flagged", 1, HERE)
    assert set(before["next"]) == {"assigned", "confirmed", "within_limits", "register_wrong", "not_accessible"}
    assert (before["building"]["uid"], before["parcel"]["uid"]) == ("b-0001", "p-0001")
    assert before["permit"]["permit_no"] == "GPXD-0001"
    assert verdicts(service, planner, 1)["b-0001"] == "flagged"
    changes = service.get("/changes", headers=planner).json()["changes"][-1]["number"]
    answer = service.post(
        f"/compliance/cases/{id_of(1)}/inspections",
        json={"inspected_on": DAY, "outcome": "within_limits", "measured_value": 11.62, "note": "mái tôn"},
        headers=inspector | {"If-Match": etag},
    )
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert answer.headers["location"].endswith(f"/compliance/cases/{id_of(1)}")
    assert (told["status"], told["version"], told["outcome"]) == ("dismissed", 2, "within_limits")
    assert told["inspections"][0] | {"recorded_at": ""} == {
        "number": 1,
        "version": 2,
        "inspected_on": DAY,
        "outcome": "within_limits",
        "measured_value": 11.62,
        "note": "mái tôn",
        "actor": "lan",
        "recorded_at": "",
    }
    assert verdicts(service, planner, 1)["b-0001"] == "none"
    heard = service.get(f"/changes?after={changes}", headers=planner).json()["changes"]
    assert {one["collection"] for one in heard} == {"discrepancies"}
    # What was known before the change is what it was.
    assert seen(service, 1, inspector, known_at=told["flagged_at"])[0]["status"] == "flagged"
    for outcome, verdict in (("confirmed", "confirmed"), ("within_limits", "resolved"), ("confirmed", "confirmed")):
        look(service, 1, inspector, outcome)
        assert verdicts(service, planner, 1)["b-0001"] == verdict
        assert _verdict_in_3d(service, planner, 1) == verdict
    with office.database.open(Role.WRITER) as connection:
        entries = audit_log.entries(connection, table="inspection", actor="lan")
    assert {one.through for one in entries} == {"POST /compliance/cases/{caseId}/inspections"}
    assert f"{id_of(1)} 1" in {one.keys[0] for one in entries}


def _verdict_in_3d(service: TestClient, headers: dict[str, str], number: int) -> str:
    centre = lot(number).centroid
    # Squares of 256 m of the lowest level.
    path = f"/3dtiles/4/{int(centre.x // 256)}/{int(centre.y // 256)}.glb"
    assert path.rsplit("/", 3)[1] in DOORS["/3dtiles/{z}/{x}/{y}.glb"].tries[-1]
    body = service.get(path, headers=headers).content
    length = int.from_bytes(body[12:16], "little")
    document = json.loads(body[20 : 20 + length])
    table = document["extensions"]["EXT_structural_metadata"]
    words = [one["name"] for one in table["schema"]["enums"]["verdict"]["values"]]

    def column(name: str, member: str) -> bytes:
        view = document["bufferViews"][table["propertyTables"][0]["properties"][name][member]]
        start = 20 + length + 8 + view.get("byteOffset", 0)
        return body[start : start + view["byteLength"]]

    uids = column("uid", "values")
    # All uids have six letters.
    place = uids.index(f"b-{number:04d}".encode()) // 6
    return str(words[column("verdict", "values")[place]])


def test_a_run_keeps_what_was_decided_and_flags_other_figures_anew(
    service: TestClient, office: CityStore, inspector: dict[str, str], planner: dict[str, str]
) -> None:
    for number in (2, 3):
        look(service, number, inspector, "register_wrong")
    run(office, {3: {"delta": 5.0, "actual": 16.6}})
    assert seen(service, 2, inspector)[0]["status"] == "dismissed"
    again = seen(service, 3, inspector)[0]
    assert (again["status"], again["delta"], len(again["inspections"])) == ("flagged", 5.0, 1)
    assert {number: verdicts(service, planner, number)[f"b-{number:04d}"] for number in (2, 3)} == {
        2: "none",
        3: "flagged",
    }


def test_of_inspections_at_once_one_wins_and_the_others_are_told(
    service: TestClient, inspector: dict[str, str]
) -> None:
    _, etag = seen(service, 4, inspector)

    def post(number: int) -> int:
        body = {"inspected_on": DAY, "outcome": ("confirmed", "within_limits")[number % 2]}
        path = f"/compliance/cases/{id_of(4)}/inspections"
        return service.post(path, json=body, headers=inspector | {"If-Match": etag}).status_code

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(post, range(6)))
    assert answers == [201, *[412] * 5]
    assert len(seen(service, 4, inspector)[0]["inspections"]) == 1


def test_a_case_is_assigned_and_found_by_whom(service: TestClient, inspector: dict[str, str]) -> None:
    until = (today() + timedelta(days=10)).isoformat()
    path = f"/compliance/cases/{id_of(5)}/assignment"
    _, etag = seen(service, 5, inspector)
    for wrong in (
        {"assignee": "minh"},
        {"assignee": "", "until": until},
        {"assignee": "minh", "until": "2020-01-01"},
        {"assignee": "minh", "until": until, "for": "x"},
    ):
        refused(service.post(path, json=wrong, headers=inspector | {"If-Match": etag}), 400)
    answer = service.post(path, json={"assignee": "minh", "until": until}, headers=inspector | {"If-Match": etag})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["status"], answer.json()["assigned_until"]) == ("assigned", until)
    found = service.get("/compliance/cases?assigned_to=minh", headers=inspector).json()
    assert [one["id"] for one in found["cases"]] == [id_of(5)]
    assert look(service, 5, inspector, "not_accessible")["status"] == "assigned"


def test_what_cannot_be_is_refused_and_says_why(
    service: TestClient, officials: Officials, inspector: dict[str, str]
) -> None:
    path = f"/compliance/cases/{id_of(6)}/inspections"
    good = {"inspected_on": DAY, "outcome": "confirmed"}
    _, etag = seen(service, 6, inspector)
    headers = inspector | {"If-Match": etag}
    refused(service.post(path, json=good), 401)
    assert "If-Match" in refused(service.post(path, json=good, headers=inspector), 428)
    refused(service.post(path, json=good, headers=inspector | {"If-Match": '"x"'}), 412)
    refused(service.post(path, content=b"{}", headers=headers | {"Content-Type": "text/plain"}), 415)
    refused(service.post(path, content=b" " * 1_000_001, headers=headers), 413)
    for wrong, why in (
        ({**good, "outcome": "guilty"}, "confirmed, within_limits"),
        ({**good, "outcome": None}, "outcome"),
        ({**good, "inspected_on": (date.today() + timedelta(days=3)).isoformat()}, "still to come"),
        ({**good, "inspected_on": "20260302"}, "2026-01-31"),
        ({**good, "inspected_on": 7}, "2026-01-31"),
        ({**good, "measured_value": "12"}, "number"),
        ({**good, "measured_value": True}, "number"),
        ({**good, "measured_value": 1e9}, "1,000,000"),
        ({**good, "note": "x" * 2_001}, "2000"),
        ({**good, "note": "x\u0000y"}, "control"),
        ({**good, "by": "me"}, "no such member"),
    ):
        assert why in refused(service.post(path, json=wrong, headers=headers), 400), wrong
    for grants in ((f"inspection:{HERE}",), (f"construction:{HERE}:change",), (f"planning:{HERE}:change",)):
        others = officials(*grants) | {"If-Match": etag}
        refused(service.post(path, json=good, headers=others), 403)
    assert seen(service, 6, inspector)[0]["version"] == 1
    for outcome in ("confirmed", "within_limits"):
        look(service, 6, inspector, outcome)
    _, etag = seen(service, 6, inspector)
    answer = service.post(path, json={**good, "outcome": "not_accessible"}, headers=inspector | {"If-Match": etag})
    assert "what may is confirmed, within_limits" in refused(answer, 409)


def test_another_ward_s_case_is_one_that_never_was(
    service: TestClient, officials: Officials, inspector: dict[str, str]
) -> None:
    never = "0" * 32
    own = service.get("/compliance/cases?limit=1000", headers=inspector).json()
    assert {one["ward_code"] for one in own["cases"]} == {HERE}
    assert own["numberMatched"] == len(own["cases"]) == FIRST_THERE + 4
    assert service.get("/compliance/cases").json() == {
        "cases": [],
        "numberMatched": 0,
        "numberReturned": 0,
        "links": [{"rel": "self", "href": "http://testserver/compliance/cases", "type": "application/json"}],
    }
    body = {"inspected_on": DAY, "outcome": "confirmed"}
    assignment = {"assignee": "minh", "until": "2999-01-01"}
    for headers in ({}, inspector, officials("land:*:change")):
        for method, path, sent in (
            ("GET", "", None),
            ("GET", "?known_at=2999-01-01T00:00:00Z", None),
            ("POST", "/inspections", body),
            ("POST", "/assignment", assignment),
        ):
            answers = [
                service.request(
                    method,
                    f"/compliance/cases/{one}{path}",
                    json=sent,
                    headers=headers | {"If-Match": "*", "X-Request-Id": "same"},
                )
                for one in (id_of(25), never)
            ]
            assert answers[0].status_code == answers[1].status_code in (401, 404)
            assert answers[0].text.replace(id_of(25), never) == answers[1].text
    for asked in (f"ward={THERE}", "building=b-0025", "parcel=p-0025"):
        assert service.get(f"/compliance/cases?{asked}", headers=inspector).json()["cases"] == []
        assert len(service.get(f"/compliance/cases?f=csv&{asked}", headers=inspector).text.splitlines()) == 1
    figures = service.get("/compliance/statistics", headers=inspector).json()["kinds"]
    assert {one["kind"]: one["flagged"] for one in figures} == {"storeys": FIRST_THERE, "setback": 4}
    assert service.get("/compliance/statistics").json()["kinds"] == []


def test_pages_filters_orders_and_boxes_are_those_of_a_loop(service: TestClient, planner: dict[str, str]) -> None:
    def ask(**asked: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        url: str | None = "/compliance/cases"
        while url is not None:
            answer = service.get(url, params=asked or None, headers=planner)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["cases"]
            url, asked = next((one["href"] for one in page["links"] if one["rel"] == "next"), None), {}
        assert page["numberMatched"] == len(found)
        return found

    everything = ask(limit=1000)
    assert len(everything) == COUNT + 4
    by_confidence = sorted(everything, key=lambda one: (-one["confidence"], one["id"]))
    assert ask(limit=7) == by_confidence
    assert ask(sort="-delta,kind", limit=9) == sorted(
        everything, key=lambda one: (-one["delta"], one["kind"], one["id"])
    )
    assert ask(sort="id", limit=11) == sorted(everything, key=lambda one: one["id"])
    chosen = [one for one in by_confidence if one["kind"] == "setback" and one["confidence"] >= 0.9922]
    assert ask(kind="setback,reserve", min_confidence=0.9922, limit=1) == chosen != []
    assert ask(status="flagged,dismissed") == [
        one for one in by_confidence if one["status"] in ("flagged", "dismissed")
    ]
    # Places as in a box of the register's CRS.
    flat = ask(crs=f"{EPSG}9210", limit=1000)
    west, south, east, north = shapely.box(*lot(5).bounds).union(lot(8)).bounds
    inside = {one["id"] for one in flat if shape(one["geometry"]).intersects(shapely.box(west, south, east, north))}
    assert {one["id"] for one in ask(bbox=f"{west},{south},{east},{north}", crs=f"{EPSG}9210")} == inside
    assert 4 <= len(inside) < COUNT
    for wrong in (
        "status=guilty",
        "sort=evidence",
        "sort=-nothing",
        "after=x",
        "limit=1001",
        "min_confidence=2",
        "bbox=1,2,3",
        "f=xml",
        "kind=",
        "known_at=yesterday",
    ):
        problem = service.get(f"/compliance/cases?{wrong}", headers=planner)
        refused(problem, 400)
        assert problem.json()["parameter"] == wrong.split("=")[0]


def test_the_table_has_the_cases_of_the_list(service: TestClient, planner: dict[str, str]) -> None:
    answer = service.get("/compliance/cases?f=csv&limit=30&crs=EPSG:9210", headers=planner)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'rel="next"' in answer.headers["link"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    listed = service.get("/compliance/cases?limit=30&crs=EPSG:9210", headers=planner).json()["cases"]
    assert [row["id"] for row in rows] == [one["id"] for one in listed]
    for row, one in zip(rows, listed, strict=True):
        assert float(row["delta"]) == one["delta"]
        assert json.loads(row["evidence"]) == one["evidence"]
        assert shape(one["geometry"]).contains(shapely.Point(float(row["x"]), float(row["y"])))


def test_no_text_of_the_table_is_a_formula_of_a_spreadsheet() -> None:
    properties = dict.fromkeys(CASES.properties) | {"permit_no": '=HYPERLINK("http://x")', "delta": -1.5, "kind": "-x"}
    text = documents.table([{**properties, "geometry": None}], LONGITUDE_LATITUDE).decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["permit_no"], row["delta"], row["kind"]) == ('\'=HYPERLINK("http://x")', "-1.5", "'-x")
    assert (row["x"], row["epoch"]) == ("", "")


def test_statistics_count_what_was_seen(service: TestClient, planner: dict[str, str]) -> None:
    cases = service.get("/compliance/cases?limit=1000", headers=planner).json()["cases"]
    document = service.get(f"/compliance/statistics?epoch={NEW}&target=0.2", headers=planner).json()
    assert (document["false_alarm_rate"], document["target"]) == (0.01, 0.2)
    storeys = next(one for one in document["kinds"] if one["kind"] == "storeys")
    of_kind = [one["status"] for one in cases if one["kind"] == "storeys"]
    real = sum(status in ("confirmed", "resolved") for status in of_kind)
    assert storeys["confirmed"] == real > 0
    assert storeys["inspected"] == real + of_kind.count("dismissed")
    assert storeys["flagged"] == len(of_kind)
    assert storeys["precision_low"] < storeys["precision"] < storeys["precision_high"]
    assert storeys["sentence"].startswith("at 1 % you confirmed")
    assert [one["false_alarm_rate"] for one in storeys["by_rate"]][:3] == [0.01, 0.005, 0.002]
    assert service.get("/compliance/statistics?epoch=none", headers=planner).json()["kinds"] == []


def test_python_has_the_same_cases_from_the_store_and_through_http(
    office: CityStore, officials: Officials, monkeypatch: pytest.MonkeyPatch, service: TestClient
) -> None:
    from gis.client import local, remote

    monkeypatch.setenv("DIABA_HOME", str(office.settings.home))
    monkeypatch.delenv("DIABA_DATABASE_URL", raising=False)
    monkeypatch.setattr(remote, "PAGE", 7)
    monkeypatch.setattr(local, "AT_ONCE", 9)
    in_store = gis.open_city(office.city.name)
    client = TestClient(service.app, headers=officials("inspection:*"))
    told = client.get("/collections/parcels").json()["storageCrs"]
    through_http = remote.RemoteCity(client, "http://testserver", "diaba · cases", told, in_store.crs)
    west, south, east, north = lot(12).bounds
    for asked in (
        {},
        {"kind": "setback"},
        {"status": "flagged,dismissed", "min_confidence": 0.992},
        {"bbox": (west, south, east, north)},
        {"kind": "none"},
        {"crs": 4326},
    ):
        first, second = (city.cases(**asked) for city in (in_store, through_http))
        assert isinstance(first, geopandas.GeoDataFrame)
        assert first.crs == second.crs
        assert_frame_equal(pd.DataFrame(first.drop(columns="geometry")), pd.DataFrame(second.drop(columns="geometry")))
        assert shapely.equals_exact(first.geometry, second.geometry, tolerance=0.00051).all()
    assert len(in_store.cases()) == COUNT + 4
    for epoch in (None, NEW):
        assert_frame_equal(in_store.statistics(epoch), through_http.statistics(epoch))
    assert list(in_store.statistics()["kind"]) == ["setback", "storeys"]


def test_the_command_line_lists_shows_and_decides(
    office: CityStore, command_line: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIABA_ACTOR", "minh")
    diaba = command_line(office.settings.home, "--city", office.city.name)
    code, out, _ = diaba("compliance", "list", "--kind", "storeys", "--limit", "3", "--sort", "-delta", "--json")
    listed = json.loads(out)
    assert (code, listed["matched"]) == (0, COUNT)
    assert [one["building_uid"] for one in listed["cases"]] == ["b-0039", "b-0038", "b-0037"]
    code, out, _ = diaba("compliance", "list", "--ward", THERE)
    assert (code, out.count("b-00")) == (0, COUNT - FIRST_THERE)
    until = (today() + timedelta(days=5)).isoformat()
    assert diaba("compliance", "assign", id_of(30), "--to", "hoa", "--until", until)[0] == 0
    code, out, _ = diaba(
        *("compliance", "inspect", id_of(30), "--outcome", "confirmed", "--on", DAY, "--value", "14.6"),
        *("--note", "thêm một tầng", "--if-version", "2", "--json"),
    )
    made = json.loads(out)
    assert (code, made["status"], made["inspections"][0]["actor"]) == (0, "confirmed", "minh")
    assert diaba("compliance", "inspect", id_of(30), "--outcome", "confirmed", "--if-version", "2")[0] == 1
    code, out, _ = diaba("compliance", "show", id_of(30))
    assert code == 0
    assert all(word in out for word in ("confirmed", "hoa", "thêm một tầng", "14.6", "GPXD-0030"))
    assert (
        json.loads(diaba("compliance", "show", id_of(30), "--known-at", made["flagged_at"], "--json")[1])["status"]
        == "flagged"
    )
    code, out, _ = diaba("compliance", "statistics", "--epoch", NEW)
    assert code == 0
    assert "storeys" in out
    assert "%" in out
    for wrong in (
        ("show", "nothing"),
        ("inspect", id_of(31), "--outcome", "confirmed", "--on", "2999-01-01"),
        ("assign", id_of(31), "--to", "hoa", "--until", "2001-01-01"),
        ("list", "--sort", "nothing"),
    ):
        assert diaba("compliance", *wrong)[0] == 3, wrong
    assert diaba("compliance", "inspect", id_of(31), "--outcome", "guilty")[0] == 2


def test_a_sample_by_lot_gives_honest_rates(office: CityStore, command_line: Callable[..., Run]) -> None:
    import hashlib

    with office.database.open(Role.WRITER) as connection:
        # Of a survey of its own: fifteen of thirty-eight houses are flagged.
        found = [finding(number, epoch="2012") for number in range(15)]
        discrepancies.save(connection, found, epoch="2012", false_alarm_rate=0.05)
    diaba = command_line(office.settings.home, "--city", office.city.name)
    drawn = json.loads(diaba("compliance", "list", "--epoch", "2012", "--sample", "12", "--seed", "1", "--json")[1])
    assert (drawn["flagged"], drawn["unflagged"]) == (15, 23)

    def lots(uids: list[str]) -> list[str]:
        return sorted(sorted(uids, key=lambda uid: hashlib.sha256(f"1|{uid}".encode()).hexdigest())[:6])

    chosen = {
        flag: [one["building"] for one in drawn["buildings"] if one["is_flagged"] is flag] for flag in (True, False)
    }
    assert chosen[True] == lots([f"b-{number:04d}" for number in range(15)])
    assert chosen[False] == lots([f"b-{number:04d}" for number in range(15, 38)])
    # Drawn again it is the same, also after the register has changed.
    with office.database.open(Role.WRITER) as connection:
        discrepancies.save(connection, found[:14], epoch="2012", false_alarm_rate=0.05)
    again = json.loads(diaba("compliance", "list", "--epoch", "2012", "--sample", "12", "--seed", "1", "--json")[1])
    assert [one["building"] for one in again["buildings"]] == [one["building"] for one in drawn["buildings"]]
    for number, uid in enumerate(chosen[False]):
        outcome = "confirmed" if number == 0 else "within_limits"
        arguments = ("compliance", "inspect", "--building", uid, "--epoch", "2012", "--outcome", outcome, "--on", DAY)
        assert diaba(*arguments)[0] == 0
    for number, uid in enumerate(chosen[True]):
        case = discrepancies.identity("2012", "storeys", uid, uid.replace("b", "p"), uid.replace("b-", "GPXD-"))
        if number < 5 and uid != "b-0014":
            outcome = "within_limits" if number == 0 else "confirmed"
            assert diaba("compliance", "inspect", case, "--outcome", outcome, "--on", DAY)[0] == 0
    out = diaba("compliance", "statistics", "--epoch", "2012", "--sample", "12", "--seed", "1", "--json")[1]
    told = json.loads(out)["sample"]
    assert (told["unflagged"]["inspected"], told["unflagged"]["real"]) == (6, 1)
    inspected, real = told["flagged"]["inspected"], told["flagged"]["real"]
    share = real / inspected
    # Misses: the unflagged ones that are real, of all that are.
    missed = 23 / 6
    assert told["misses"]["value"] == pytest.approx(missed / (missed + 15 * share))
    legal = 15 * (1 - share)
    assert told["false_alarms"]["value"] == pytest.approx(legal / (legal + 23 * 5 / 6))
    for rate in (told["misses"], told["false_alarms"]):
        assert 0 <= rate["low"] < rate["value"] < rate["high"] <= 1
