"""Registers of buildings: completeness against targets, and lives that take legal steps alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from gis.bounds import BoundingBox
from gis.construction.register import BuildingStatus, Category, RegisteredBuilding, Target, building_life, completeness
from gis.construction.register_files import read_buildings, read_targets
from gis.crs import normalise
from gis.errors import BadInput, Conflict, NotFound, UnreadableFile
from gis.lifecycle import Stage, read_lifecycle
from gis.resources import resource
from gis.store import building_registers, buildings, catalog, runs
from tests.gis.store_samples import EAST, NORTH, building

DAY = date(2014, 1, 1)
DIGITISED = date(2013, 6, 30)


def _now(connection: Connection) -> datetime:
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def _entry(
    uid: str, ward: str = "26734", category: str = "high_rise", digitised: date | None = None
) -> RegisteredBuilding:
    return RegisteredBuilding(uid, Category(category), ward, date(2010, 1, 1), digitised=digitised)


def test_the_report_of_2014_is_596_of_1200(writer: Connection) -> None:
    building_registers.save_targets(writer, read_targets(resource("registers", "targets.csv")))
    entries = [_entry(f"b-{n:04d}", digitised=DIGITISED if n < 596 else None) for n in range(700)]
    building_registers.save(writer, entries)
    (city,) = building_registers.how_complete(writer, DAY)
    assert (city.target.target, city.registered, city.digitised, city.missing) == (1200, 700, 596, 604)
    assert city.fraction == pytest.approx(0.4967, abs=5e-5)
    assert city.target.doubt == "?"
    # Before the report there was no target, and before they were made digital none was.
    assert building_registers.how_complete(writer, date(2013, 12, 31)) == []
    assert building_registers.save(writer, entries).counts == {"added": 0, "closed": 0, "unchanged": 700}


def test_completeness_is_by_ward_and_category_and_counts_a_building_once() -> None:
    """By hand: tower T is high and crowded; S is crowded, in the other ward, not digital; U is of tomorrow."""
    entries = [
        _entry("T", digitised=DAY),
        _entry("T", category="crowded_public", digitised=DAY),
        _entry("S", "26737", "crowded_public"),
        _entry("U", "26737", digitised=DAY + timedelta(days=1)),
    ]
    asked = [("*", "*"), ("26734", "*"), ("26737", "*"), ("*", "high_rise"), ("*", "crowded_public"), ("1", "*")]
    found = completeness([Target(ward, category, 2, "x") for ward, category in asked], entries, DAY)
    assert [(one.registered, one.digitised) for one in found] == [(3, 1), (1, 1), (2, 0), (2, 1), (2, 1), (0, 0)]
    assert completeness([Target("*", "*", 0, "x")], entries, DAY)[0].fraction is None


def test_a_changed_entry_and_target_leave_what_was_known(writer: Connection) -> None:
    building_registers.save_targets(writer, [Target("26734", "*", 10, "first count", date(2014, 1, 1))])
    building_registers.save(writer, [_entry("b-1")])
    then = _now(writer)
    building_registers.save_targets(writer, [Target("26734", "*", 12, "recount", date(2016, 1, 1))])
    building_registers.save(writer, [_entry("b-1", digitised=DIGITISED)])
    found = {
        (day.year, known_at is None): [(one.target.target, one.digitised) for one in how]
        for day in (date(2015, 1, 1), date(2017, 1, 1))
        for known_at in (None, then)
        for how in [building_registers.how_complete(writer, day, known_at=known_at)]
    }
    assert found == {
        (2015, True): [(10, 1)],
        (2015, False): [(10, 0)],
        (2017, True): [(12, 1)],
        (2017, False): [(10, 0)],
    }


def test_a_building_lives_as_in_the_bag(writer: Connection) -> None:
    steps = [
        "permit_issued",
        "under_construction",
        "in_use_not_measured",
        "in_use",
        "demolition_permit_issued",
        "demolished",
    ]
    for year, status in enumerate(steps):
        building_registers.set_status(writer, "b-1", BuildingStatus(status), date(2010 + year, 1, 1))
    life = building_registers.life(writer, "b-1")
    assert [one.status for one in life] == steps
    assert [one.start.year for one in life if one.start] == list(range(2010, 2016))
    assert building_registers.count_by_status(writer, date(2012, 6, 1)) == {"in_use_not_measured": 1}
    assert building_registers.count_by_status(writer, date(2009, 6, 1)) == {}
    with pytest.raises(Conflict, match="in_use from 2016-01-01 is no legal step; after demolished comes nothing"):
        building_registers.set_status(writer, "b-1", BuildingStatus.IN_USE, date(2016, 1, 1))


def test_a_correction_must_leave_a_legal_life_and_the_old_belief_stays(writer: Connection) -> None:
    building_registers.set_status(writer, "b-1", BuildingStatus.PERMIT_ISSUED, date(2010, 1, 1))
    building_registers.set_status(writer, "b-1", BuildingStatus.UNDER_CONSTRUCTION, date(2012, 1, 1))
    then = _now(writer)
    building_registers.set_status(writer, "b-1", BuildingStatus.UNDER_CONSTRUCTION, date(2011, 1, 1), date(2012, 1, 1))
    expected = [
        Stage("permit_issued", date(2010, 1, 1), date(2011, 1, 1)),
        Stage("under_construction", date(2011, 1, 1), None),
    ]
    assert building_registers.life(writer, "b-1") == expected
    assert building_registers.life(writer, "b-1", known_at=then)[0].end == date(2012, 1, 1)
    with pytest.raises(Conflict, match="permit_issued from 2013-01-01 is no legal step"):
        building_registers.set_status(writer, "b-1", BuildingStatus.PERMIT_ISSUED, date(2013, 1, 1), date(2014, 1, 1))
    with pytest.raises(BadInput, match="before it begins"):
        building_registers.set_status(writer, "b-1", BuildingStatus.IN_USE, DAY, DAY)
    with pytest.raises(NotFound, match="no life of the building none"):
        building_registers.life(writer, "none")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([status.value for status in BuildingStatus]), min_size=1, max_size=5))
def test_random_lives_are_refused_at_the_first_step_the_csv_does_not_have(writer: Connection, steps: list[str]) -> None:
    """Against the table read plainly."""
    with resource("registers", "building_transitions.csv").open(encoding="utf-8") as file:
        legal = {(row["from"], row["to"]) for row in csv.DictReader(file)}
    savepoint = writer.begin_nested()
    before = ""
    for year, status in enumerate(steps):
        inner = writer.begin_nested()
        allowed = status == before or (before, status) in legal
        try:
            building_registers.set_status(writer, "b", BuildingStatus(status), date(2000 + year, 1, 1))
        except Conflict:
            assert not allowed
            inner.rollback()
            break
        assert allowed
        inner.commit()
        before = status
    savepoint.rollback()


def test_every_status_can_be_reached_and_ends_are_ends() -> None:
    life = building_life()
    assert set(life.statuses) == set(BuildingStatus)
    assert [status for status in BuildingStatus if not life.following(status)] == [
        "demolished",
        "not_realised",
        "in_error",
    ]
    steps = [Stage("permit_issued", None, DAY), Stage("under_construction", DAY, None)]
    assert life.doubts(steps) == ()
    assert [step.after for step in life.doubts([Stage("in_use", None, None)])] == ["in_use"]
    with pytest.raises(Conflict, match="is not known from 2014-01-01 to 2014-02-01"):
        life.check("b", [Stage("permit_issued", None, DAY), Stage("under_construction", date(2014, 2, 1), None)])


def test_a_damaged_table_of_transitions_is_said(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("from,to,source,article,doubt,verified_by\n,a,x,,,\n,a,x,,,\n", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="line 3: the step from the beginning to a stands twice"):
        read_lifecycle(file)
    file.write_text("from,to\n,a\n", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="line 2: the columns"):
        read_lifecycle(file)


def test_a_survey_s_buildings_stay_measured_beside_their_lives(writer: Connection) -> None:
    house = building(1)
    building_registers.set_status(writer, house.uid, BuildingStatus.IN_USE, DAY)
    catalog.save_campaign(writer, "2014", DAY, DAY)
    bounds = BoundingBox(EAST, NORTH, EAST + 100, NORTH + 100, normalise(9210))
    runs.plan(writer, "2014", [runs.PlannedTile("t", bounds, "h")])
    first = buildings.save(writer, "t", "2014", [house])
    building_registers.set_status(writer, house.uid, BuildingStatus.DEMOLITION_PERMIT_ISSUED, date(2015, 1, 1))
    again = buildings.save(writer, "t", "2014", [house])
    assert (first.added, again.unchanged) == (1, 1)
    assert buildings.current(writer, "2014").status.tolist() == ["measured"]
    assert building_registers.life(writer, house.uid)[-1].status == "demolition_permit_issued"


HEAD = "building,category,ward_code,valid_from,name,address,capacity,digitised,checked\n"
BAD: dict[str, tuple[str, str]] = {
    "no column": ("building,category\nb,high_rise\n", "no column ward_code"),
    "category": (HEAD + "b,tower,1,,,,,,\n", "line 2: 'tower' is not a valid Category"),
    "capacity": (HEAD + "b,high_rise,1,,,,-4,,\n", "a capacity of -4 persons cannot be"),
    "number": (HEAD + "b,high_rise,1,,,,many,,\n", "line 2: invalid literal"),
    "day": (HEAD + "b,high_rise,1,yesterday,,,,,\n", "line 2: Invalid isoformat"),
    "order": (HEAD + "b,high_rise,1,,,,,2014-01-02,2014-01-01\n", "cannot be checked"),
    "no ward": (HEAD + "b,high_rise,,,,,,,\n", "a building and its ward are needed"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_of_the_register_is_named(tmp_path: Path, case: str) -> None:
    content, message = BAD[case]
    file = tmp_path / "b.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UnreadableFile, match=message):
        read_buildings(file)


def test_files_that_are_no_tables_are_said(tmp_path: Path) -> None:
    readers: list[Callable[[Path], object]] = [read_buildings, read_targets]
    for read in readers:
        with pytest.raises(UnreadableFile):
            read(tmp_path / "none.csv")
        (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00" * 50)
        with pytest.raises(UnreadableFile):
            read(tmp_path / "binary.csv")


def test_a_file_of_buildings_is_read(tmp_path: Path) -> None:
    file = tmp_path / "b.csv"
    file.write_text(
        HEAD + "b-1,crowded_public,26734,2010-01-01,Chợ,1 Đường,500,2013-06-30,2013-07-01\n", encoding="utf-8"
    )
    assert read_buildings(file) == [
        RegisteredBuilding(
            "b-1",
            Category.CROWDED_PUBLIC,
            "26734",
            date(2010, 1, 1),
            "Chợ",
            "1 Đường",
            500,
            DIGITISED,
            date(2013, 7, 1),
        )
    ]
