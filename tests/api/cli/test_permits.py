"""`diaba permits`: from the counter to the permit, as an office types it; its JSON, exit codes and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from shapely import box
from shapely.geometry import mapping
from sqlalchemy import text

from gis.access.roles import Role
from gis.calendar import today
from gis.store import permits
from tests.api.conftest import CityStore, Run
from tests.gis.store_samples import EAST, NORTH

FILE = ("permits", "file", "--office", "760", "--procedure", "single_house", "--filed", "2025-03-03")


@pytest.fixture(scope="module")
def city(make_store: Callable[..., CityStore]) -> CityStore:
    return make_store("counter")


@pytest.fixture
def diaba(city: CityStore, command_line: Callable[..., Run]) -> Run:
    return command_line(city.settings.home, "--city", city.city.name)


def told(done: tuple[int, str, str]) -> dict[str, Any]:
    assert done[0] == 0, done[2]
    document: dict[str, Any] = json.loads(done[1])
    return document


def house(path: Path, **more: Any) -> Path:
    """A proposal of a lot, a road and a footprint."""
    footprint = box(EAST, NORTH, EAST + 5, NORTH + 16)
    properties = {"role": "footprint", "floors": 3, "height_m": 11.6, "gross_floor_area_m2": 240, **more}
    features = [
        {
            "type": "Feature",
            "properties": {"role": "lot"},
            "geometry": mapping(footprint.buffer(1, join_style="mitre")),
        },
        {"type": "Feature", "properties": properties, "geometry": mapping(footprint)},
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def test_a_dossier_from_the_counter_to_the_permit(diaba: Run, city: CityStore, tmp_path: Path) -> None:
    filed = told(diaba(*FILE, "--by", "lan", "--paper", "application", "--json"))
    receipt = filed["receipt"]
    assert (filed["due"], filed["law"]) == ("2025-03-18", "Construction Law 2014 as amended 2020")
    assert filed["missing"] == ["land_right", "drawings"]

    def event(action: str, on: str, *more: str) -> dict[str, Any]:
        return told(diaba("permits", "event", receipt, action, "--on", on, "--by", "lan", *more, "--json"))

    assert event("examined", "2025-03-05")["next_step"]["step"] == "decide"
    stopped = event("supplement_requested", "2025-03-05", "--note", "bản vẽ")
    assert (stopped["clock"], stopped["next_step"]["role"]) == ("stopped", "applicant")
    # 18 + (5 to 7 March, three days).
    assert event("supplemented", "2025-03-07")["due"] == "2025-03-21"
    # 7 + 12 = 19 March.
    asked = event("consultation_sent", "2025-03-07", "--agency", "PCCC")
    assert asked["next_step"] | {} == {
        "step": "consultation",
        "title_vi": "Lấy ý kiến cơ quan liên quan",
        "title_en": "Consultation",
        "role": "agency",
        "due": "2025-03-19",
    }
    code, _, err = diaba("permits", "event", receipt, "consulted", "--on", "2025-03-10")
    assert (code, "PCCC may answer until the end of 2025-03-19" in err) == (1, True)
    event("consultation_answered", "2025-03-10", "--agency", "PCCC", "--agrees")
    event("consulted", "2025-03-10")
    limits = house(tmp_path / "house.geojson")
    decide = ("permits", "decide", receipt, "--grant", "--limits", str(limits), "--on", "2025-03-17", "--json")
    decided = told(diaba(*decide))
    assert (decided["status"], decided["permit"]) == ("granted", f"GPXD-{receipt}")
    with city.database.open(Role.READER) as connection:
        register = permits.current(connection).set_index("permit_no").loc[decided["permit"]]
    assert (register.floors, register.height_m, register.geom.area) == (3, 11.6, 80.0)
    assert event("issued", "2025-03-18")["status"] == "issued"

    public = told(diaba("permits", "status", receipt, "--secret", filed["secret"], "--json"))
    office = told(diaba("permits", "status", receipt, "--json"))
    assert (public["status"], public["next_step"]) == ("issued", None)
    assert "events" not in public
    assert [e["action"] for e in office["events"]] == [
        *("filed", "examined", "supplement_requested", "supplemented", "consultation_sent", "consultation_answered"),
        *("consulted", "granted", "issued"),
    ]
    assert office["events"][2]["facts"] == {"note": "bản vẽ"}
    code, out, _ = diaba("permits", "status", receipt)
    assert code == 0
    assert "issued · Đã trả kết quả" in out
    assert told(diaba("permits", "verify", "--json")) == {"checked": 1, "broken": []}


def test_a_refusal_and_a_revocation_say_why(diaba: Run) -> None:
    receipt = told(diaba(*FILE, "--json"))["receipt"]
    diaba("permits", "event", receipt, "examined", "--on", "2025-03-05")
    code, _, err = diaba("permits", "event", receipt, "revoked", "--on", "2025-03-05")
    assert (code, "needs --note" in err) == (3, True)
    refused = told(diaba("permits", "decide", receipt, "--refuse", "ngoài quy hoạch", "--on", "2025-03-06", "--json"))
    assert (refused["status"], refused["clock"], refused["permit"]) == ("refused", "ended", None)
    assert refused["events"][-1]["facts"] == {"reason": "ngoài quy hoạch"}


def test_a_broken_chain_ends_with_code_1_and_is_named(diaba: Run, city: CityStore) -> None:
    receipt = told(diaba(*FILE, "--json"))["receipt"]
    spoil = text("UPDATE diaba.dossier_event SET actor = :actor WHERE receipt_no = :receipt")
    switch = "ALTER TABLE diaba.dossier_event {} TRIGGER USER"

    def set_actor(actor: str) -> None:
        with city.database.open(Role.OWNER) as connection:
            connection.execute(text(switch.format("DISABLE")))
            connection.execute(spoil, {"actor": actor, "receipt": receipt})
            connection.execute(text(switch.format("ENABLE")))

    with city.database.open(Role.OWNER) as connection:
        first = connection.scalar(
            text("SELECT actor FROM diaba.dossier_event WHERE receipt_no = :receipt"), {"receipt": receipt}
        )
    set_actor("somebody else")
    code, out, err = diaba("permits", "verify", "--json")
    assert (code, err) == (1, "")
    why = "its content is not what was sealed"
    assert json.loads(out)["broken"] == [{"receipt": receipt, "seq": 1, "why": why}]
    assert f"{receipt}: event 1: {why}" in diaba("permits", "verify", receipt)[1]
    set_actor(str(first))
    assert diaba("permits", "verify")[0] == 0


LATER = str(today() + timedelta(2))


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("file", "--office", "7/60", "--procedure", "works"), 3, "1 to 16 letters and digits"),
        (("file", "--office", "760", "--procedure", "works", "--filed", LATER), 3, "still to come"),
        (("file", "--office", "760", "--procedure", "works", "--filed", "01/07/2026"), 3, "give a day such as"),
        (("file", "--office", "760", "--procedure", "works", "--filed", "2020-12-31"), 3, "begins on 2021-01-01"),
        (("file", "--office", "760", "--procedure", "works", "--parcel", "none"), 3, "no parcel none"),
        (("file", "--office", "760", "--procedure", "works", "--proposal", "no.json"), 3, "no.json: No such file"),
        (("file", "--office", "760", "--procedure", "extension"), 3, "name the permit it is about"),
        (("file", "--office", "760", "--procedure", "barn"), 2, "is not one of"),
        (("file", "--procedure", "works"), 2, "--office"),
        (("event", "760-2025-999999", "examined"), 3, "no dossier 760-2025-999999"),
        (("event", "x", "examined"), 3, "give a receipt number such as"),
        (("event", "\udcff", "examined"), 3, "give a receipt number such as"),
        (("event", "760-2025-999999", "consultation_sent"), 3, "needs --agency"),
        (("event", "760-2025-999999", "consultation_answered", "--agency", "x"), 3, "--agrees or --objects"),
        (("event", "760-2025-999999", "clock_extended"), 3, "by how many days"),
        (("event", "760-2025-999999", "granted"), 2, "is not one of"),
        (("decide", "760-2025-999999"), 2, "either --grant or --refuse"),
        (("decide", "760-2025-999999", "--grant", "--refuse", "x"), 2, "either --grant or --refuse"),
        (("decide", "760-2025-999999", "--grant"), 3, "no dossier 760-2025-999999"),
        (("decide", "760-2025-999999", "--grant", "--expires", "soon"), 3, "give a day such as"),
        (("status", "760-2025-999999"), 3, "no dossier 760-2025-999999"),
        (("status", "760-2025-999999", "--secret", "x"), 3, "no dossier of that receipt number and secret"),
        (("status", "760-2025-000001", "--secret", "\udcff"), 3, "no dossier of that receipt number and secret"),
        (("verify", "760-2025-999999"), 3, "no dossier 760-2025-999999"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(diaba: Run, arguments: tuple[str, ...], code: int, why: str) -> None:
    ended, out, err = diaba("permits", *arguments, "--json")
    assert (ended, out) == (code, ""), err
    assert why in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "not a JSON document"),
        ("[" * 100_000, "not a JSON document"),
        ("[]", "not a GeoJSON document"),
        ('{"type": "FeatureCollection"}', "not a GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection", "features": []}', "it has 0 features"),
        ('{"type": "Feature", "geometry": null, "properties": {}}', "the footprint is no Polygon"),
        ('{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[0]]]}}', "cannot be read"),
        ('{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": []}}', "the footprint is empty"),
        (
            '{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": '
            "[[[106.7, 10.8], [106.8, 10.8], [106.8, 10.9], [106.7, 10.8]]]}}",
            "its coordinates are degrees",
        ),
        ('{"type": "Feature", "crs": {"properties": {"name": "EPSG:28992"}}}', "the register is in"),
        ('{"type": "Feature", "crs": "x"}', "names no CRS"),
        ('{"type": "Feature", "properties": {"floors": "three"}}', "is no number"),
        ('{"type": "Feature", "properties": {"floors": 2.5}}', "no whole number"),
        ('{"type": "Feature", "properties": {"height_m": 1e999}}', "is no number"),
        (" " * 1_000_001, "larger than 1000000 bytes"),
    ],
)
def test_limits_that_cannot_be_used_are_refused(diaba: Run, tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "limits.geojson"
    path.write_text(content, encoding="utf-8")
    code, out, err = diaba("permits", "decide", "760-2025-000001", "--grant", "--limits", str(path))
    assert (code, out) == (3, ""), err
    assert why in err


def test_due_answers_with_the_contract_s_fields(diaba: Run) -> None:
    arguments = ("permits", "due", "--procedure", "works", "--filed", "2026-03-02", "--json")
    # 2 + 20 = 22 March; + 5 paused, + 10.
    assert told(diaba(*arguments))["due"] == "2026-03-22"
    found = told(diaba(*arguments, "--pause", "2026-03-09:2026-03-13", "--extended-days", "10"))
    assert (found["due"], found["law"]) == ("2026-04-06", "Construction Law 2014 as amended 2020")
    assert {"due": "2026-04-06", "step": "decide"}.items() <= found["steps"][-1].items()
    for step in found["steps"]:
        assert {"step", "due", "citation"} <= set(step)
        assert step["citation"]
    code, out, _ = diaba("permits", "due", "--procedure", "single_house", "--filed", "2026-07-01")
    assert (code, out.splitlines()[0]) == (
        0,
        "due Fri 2026-07-10 under Decree 217/2026 (Decree 217/2026, art. 54, with its transition clause)",
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--filed", "2026-02-30"), "give a day such as"),
        (("--filed", "20260701"), "give a day such as"),
        (("--filed", "2026-W27-3"), "give a day such as"),
        (("--filed", ""), "give a day such as"),
        (("--filed", "2099-12-30"), "2099-12-31"),
        (("--filed", "1999-01-01"), "begins on 2021-01-01"),
        (("--filed", "2026-06-01", "--extended-days", "11"), "at most 10 days"),
        (("--filed", "2026-06-01", "--extended-days", "-1"), "never made shorter"),
        (("--filed", "2026-07-01", "--extended-days", "1"), "knows no extension"),
        (("--filed", "2026-07-01", "--pause", "2026-06-30:2026-07-02"), "begins before the filing"),
        (("--filed", "2026-07-01", "--pause", "2026-07-03:2026-07-02"), "ends before it begins"),
        (("--filed", "2026-07-01", "--pause", "2026-07-03"), "give two days"),
        (("--filed", "2026-07-01", "--pause", "2026-07-03:"), "give a day such as"),
        (("--filed", "2026-07-01", "--pause", "2026-07-03:9999-12-31"), "2099-12-31"),
    ],
)
def test_due_refuses_what_cannot_be_with_code_3(diaba: Run, arguments: tuple[str, ...], why: str) -> None:
    code, out, err = diaba("permits", "due", "--procedure", "works", *arguments, "--json")
    assert (code, out) == (3, ""), err
    assert why in err
