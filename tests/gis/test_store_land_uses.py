"""Land uses in the register: two times with their parcel, sums that the database holds, and changes that carry them."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
import pytest
from shapely import LineString, box
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from gis.errors import BadInput
from gis.land.draft import Part
from gis.land.land_use import LandUsePortion, documents, parsed, written
from gis.store import extracts, land_changes, lineage, parcels
from gis.store.land_changes import Order
from gis.store.land_register import Recorded
from tests.gis.land_samples import BEGIN, lot_row, lots, place, register

DAY, LATER = date(2020, 5, 1), date(2022, 1, 1)
GARDEN = "ODT 200; CLN 400 until 2065-12-31 (Nhà nước công nhận)"
BY_USE = text(
    "SELECT land_use, sum(area_m2) AS area FROM diaba.land_use_portion "
    "WHERE upper_inf(recorded) AND valid @> CAST(:day AS date) GROUP BY 1 ORDER BY 1"
)


@pytest.fixture
def city(writer: Connection) -> Connection:
    """Nine lots of 600 m², ODT; p-01 is a house with a garden."""
    register(writer, lots())
    uses = {"land_uses": documents(parsed(GARDEN)), "land_use": "CLN"}
    parcels.save(writer, [lot_row("p-01", lots()["p-01"], 2, **uses)])
    return writer


def uses_on(connection: Connection, uid: str, day: date = LATER) -> str | None:
    return written(lineage.parcel_at(connection, uid, day).parcel.land_uses)


def by_use(connection: Connection, day: date) -> dict[str, float]:
    return {row.land_use: round(row.area, 2) for row in connection.execute(BY_USE, {"day": day})}


def test_uses_have_the_two_times_of_their_parcel(city: Connection) -> None:
    before = city.execute(text("SELECT clock_timestamp()")).scalar_one()
    done = land_changes.change_use_of_part(city, "p-01", "CLN", LandUsePortion("ODT", 100.0), Order(DAY))
    assert isinstance(done, Recorded)
    assert uses_on(city, "p-01") == "ODT 300; CLN 300 until 2065-12-31 (Nhà nước công nhận)"
    assert uses_on(city, "p-01", date(2020, 4, 30)) == GARDEN
    known_then = lineage.parcel_at(city, "p-01", LATER, known_at=before).parcel
    assert written(known_then.land_uses) == GARDEN
    assert by_use(city, BEGIN) == {"CLN": 400.0, "ODT": 8 * 600.0 + 200.0}
    assert by_use(city, DAY) == {"CLN": 300.0, "ODT": 8 * 600.0 + 300.0}
    land_changes.undo(city, done.change.id, Order(LATER))
    assert uses_on(city, "p-01") == GARDEN
    assert uses_on(city, "p-01", date(2021, 1, 1)) != GARDEN


def test_a_part_of_a_parcel_with_one_use_and_back(city: Connection) -> None:
    land_changes.change_use_of_part(city, "p-00", None, LandUsePortion("TMD", 150.5, LATER, "thuê"), Order(DAY))
    assert uses_on(city, "p-00") == "ODT 449.5; TMD 150.5 until 2022-01-01 (thuê)"
    assert lineage.parcel_at(city, "p-00", LATER).parcel.land_use == "ODT"
    with pytest.raises(BadInput, match="name the use the part had"):
        land_changes.change_use_of_part(city, "p-00", None, LandUsePortion("ODT", 10.0), Order(LATER))
    land_changes.change_use(city, ["p-00"], "ODT", Order(LATER))
    assert uses_on(city, "p-00") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"land_uses": [{"code": "ODT", "area": 200}, {"code": "CLN", "area": 399.7}]},
        {"land_uses": [{"code": "ODT", "area": 600}], "land_use": "CLN"},
        {"land_uses": [{"code": "odt", "area": 600}], "land_use": "odt"},
        {"land_uses": [{"code": "ODT", "area": 700}, {"code": "CLN", "area": -100}]},
        {"land_uses": []},
        {"land_uses": {"ODT": 600}},
    ],
)
def test_the_database_refuses_uses_that_are_not_the_parcel(city: Connection, wrong: dict[str, Any]) -> None:
    with pytest.raises((IntegrityError, psycopg.errors.CheckViolation), match="parcel_version_land_uses_add_up"):
        parcels.save(city, [lot_row("p-02", lots()["p-02"], 3, DAY, **wrong)])


def test_a_merge_adds_the_uses_up(city: Connection) -> None:
    done = land_changes.merge(city, ["p-00", "p-01"], Order(DAY))
    child = done.draft.children[0] if isinstance(done, Recorded) else None
    assert child is not None
    assert written(child.land_uses) == "ODT 800; CLN 400 until 2065-12-31 (Nhà nước công nhận)"
    assert child.land_use == "ODT"
    assert by_use(city, DAY) == by_use(city, BEGIN)


def test_a_split_asks_which_part_has_which_use_and_keeps_their_areas(city: Connection) -> None:
    line = LineString([place(27, -1), place(27, 31)])
    with pytest.raises(BadInput, match=r"CLN has 400\.00 m² before and 600\.00 m² after; say the uses of each part"):
        land_changes.split(city, "p-01", line, Order(DAY))
    west, south, east, north = lots()["p-01"].bounds
    halves = box(west, south, west + 10, north), box(west + 10, south, east, north)
    garden = parsed("CLN 300 until 2065-12-31 (Nhà nước công nhận)")

    def parts(house: str) -> list[Part]:
        return [Part(halves[0], land_uses=parsed(house)), Part(halves[1], land_uses=garden)]

    for wrong, why in (("ODT 300", "CLN has 400"), ("ODT 200; CLN 90", r"its land uses are 290\.00 m² together")):
        with pytest.raises(BadInput, match=why):
            land_changes.split(city, "p-01", parts(wrong), Order(DAY))
    done = land_changes.split(city, "p-01", parts("ODT 200; CLN 100"), Order(DAY))
    assert isinstance(done, Recorded)
    assert [written(child.land_uses) for child in done.draft.children] == [
        "ODT 200; CLN 100",
        "CLN 300 until 2065-12-31 (Nhà nước công nhận)",
    ]
    assert by_use(city, DAY) == by_use(city, BEGIN)
    land_changes.undo(city, done.change.id, Order(LATER))
    assert uses_on(city, "p-01") == GARDEN


def test_a_new_survey_keeps_the_proportions_and_a_moved_boundary_asks(city: Connection) -> None:
    line = LineString([place(22, -1), place(22, 31)])
    with pytest.raises(BadInput, match="say the uses of each part"):
        land_changes.adjust(city, ["p-00", "p-01"], line, Order(DAY))
    west, south, east, north = lots()["p-01"].bounds
    # 606 m²: what was taken for the road belongs to it.
    done = land_changes.resurvey(city, {"p-01": Part(box(west, south - 0.3, east, north))}, Order(DAY))
    assert uses_on(city, "p-01") == "ODT 202; CLN 404 until 2065-12-31 (Nhà nước công nhận)"
    assert isinstance(done, Recorded)
    assert done.draft.notes == ("land uses of p-01: ODT 202; CLN 404 until 2065-12-31 (Nhà nước công nhận)",)


def test_the_extract_names_each_use_with_its_term(city: Connection) -> None:
    lines = list(extracts.extract(city, "p-01", LATER).lines())
    place_of = next(n for n, line in enumerate(lines) if "Land use: CLN" in line)
    assert lines[place_of + 1 : place_of + 3] == [
        "  ODT 200 m², lâu dài / for long",
        "  CLN 400 m², đến / until 2065-12-31, Nhà nước công nhận",
    ]
