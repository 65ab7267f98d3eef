"""Cases in the store: what was seen stays, two who decide at once do not both, runs keep what people made of a case."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from gis.access.audit import Acting, acting
from gis.access.roles import Role
from gis.access.scope import NOTHING_MORE, Scope, scope_of
from gis.calendar import today
from gis.construction.inspections import Assignment, CaseStatus, Inspection, Outcome
from gis.errors import BadParameter, Conflict, NotFound, StaleVersion
from gis.store import audit_log, case_changes, cases, catalog, discrepancies, registers
from gis.store.cases import CaseFilter
from gis.store.collections import Moment
from gis.store.database import Database
from gis.store.items import Form, ItemQuery
from gis.store.server import dsn
from tests.gis.store_samples import register_layers, write_registers

HERE, THERE = "26734", "26737"
COUNT = 8
DAY = date(2026, 3, 2)
LAN = Acting("lan", "diaba compliance inspect")
FORM = Form(4326, 8, with_geometry=False)


def finding(epoch: str, number: int, delta: float = 3.3, **more: Any) -> dict[str, Any]:
    return {
        "kind": "storeys",
        "building_uid": f"b-{number:04d}",
        "parcel_uid": f"p-{number:04d}",
        "permit_no": f"GPXD-{number:04d}",
        "epoch": epoch,
        "actual": 15.0,
        "limit_value": 15.0 - delta,
        "unit": "m",
        "delta": delta,
        "sigma": 0.1,
        "confidence": 0.99 + number / 1000,
        "evidence": {"points": 800},
        **more,
    }


@dataclass(frozen=True)
class Survey:
    """A survey of its own for a test, in a city that all share: a storey is flagged at each of eight houses."""

    city: Database
    epoch: str

    def id(self, number: int) -> str:
        return discrepancies.identity(self.epoch, "storeys", f"b-{number:04d}", f"p-{number:04d}", f"GPXD-{number:04d}")

    def run(self, found: list[dict[str, Any]] | None = None, rate: float = 0.01) -> None:
        rows = [finding(self.epoch, number) for number in range(COUNT)] if found is None else found
        with self.city.open(Role.WRITER) as connection:
            discrepancies.save(connection, rows, epoch=self.epoch, false_alarm_rate=rate)

    def look(self, number: int, outcome: Outcome, **more: Any) -> int:
        with acting(LAN), self.city.open(Role.WRITER) as connection:
            return case_changes.inspect(connection, self.id(number), Inspection(DAY, outcome), **more)

    def seen(self, number: int, moment: Moment | None = None) -> cases.Case:
        with self.city.open(Role.READER) as connection:
            return cases.case(connection, self.id(number), moment or Moment())

    def status(self, number: int) -> str:
        return str(self.seen(number).item.properties["status"])


@pytest.fixture(scope="module")
def city(make_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A city of two wards."""
    made = make_database()
    layers = register_layers(COUNT)
    layers["parcels"]["ward_code"] = [HERE if number < COUNT // 2 else THERE for number in range(COUNT)]
    path = write_registers(tmp_path_factory.mktemp("cases") / "registers.gpkg", layers)
    with made.open(Role.WRITER) as connection:
        registers.import_registers(connection, path)
        connection.execute(text("INSERT INTO diaba.building SELECT 'b-000' || n FROM generate_series(0, 7) n"))
    return made


@pytest.fixture
def survey(city: Database, request: pytest.FixtureRequest) -> Survey:
    made = Survey(city, request.node.name)
    with city.open(Role.WRITER) as connection:
        catalog.save_campaign(connection, made.epoch)
    made.run()
    return made


def test_a_case_goes_from_flagged_to_resolved_and_each_step_is_kept(survey: Survey) -> None:
    flagged = survey.seen(1)
    assert (flagged.version, flagged.item.properties["status"], flagged.inspections) == (1, "flagged", ())
    assert flagged.item.properties["ward_code"] == HERE
    until = today() + timedelta(days=7)
    with acting(LAN), survey.city.open(Role.WRITER) as connection:
        assert case_changes.assign(connection, survey.id(1), Assignment(" minh ", until), if_version=1) == 2
    assert survey.look(1, Outcome.NOT_ACCESSIBLE) == 3
    assert survey.status(1) == "assigned"
    with acting(Acting("minh", "x")), survey.city.open(Role.WRITER) as connection:
        tall = Inspection(DAY, Outcome.CONFIRMED, 15.12, "tầng 5\n  mái tôn ")
        assert case_changes.inspect(connection, survey.id(1), tall) == 4
    assert survey.look(1, Outcome.WITHIN_LIMITS) == 5
    told = survey.seen(1)
    assert told.item.properties["status"] == "resolved"
    assert (told.item.properties["assigned_to"], told.item.properties["assigned_until"]) == ("minh", until)
    assert [(one["number"], one["outcome"], one["actor"]) for one in told.inspections] == [
        (1, "not_accessible", "lan"),
        (2, "confirmed", "minh"),
        (3, "within_limits", "lan"),
    ]
    assert (told.inspections[1]["measured_value"], told.inspections[1]["note"]) == (15.12, "tầng 5 mái tôn")
    # As it was known between two steps.
    with survey.city.open(Role.READER) as connection:
        query = text("SELECT lower(recorded) FROM discrepancy WHERE id = :id AND version = 4")
        at = connection.scalar(query, {"id": survey.id(1)})
    then = survey.seen(1, Moment(known_at=at))
    assert (then.item.properties["status"], then.version, len(then.inspections)) == ("confirmed", 4, 2)
    # The figures are those that were flagged, in every version.
    with survey.city.open(Role.READER) as connection:
        rows = connection.execute(
            text("SELECT version, status, actual, evidence, digest FROM discrepancy WHERE id = :id ORDER BY 1"),
            {"id": survey.id(1)},
        ).all()
    assert [row.version for row in rows] == [1, 2, 3, 4, 5]
    assert len({(row.actual, str(row.evidence), bytes(row.digest)) for row in rows}) == 1


def test_the_audit_log_says_who_looked(survey: Survey) -> None:
    survey.look(2, Outcome.CONFIRMED)
    with survey.city.open(Role.WRITER) as connection:
        (entry,) = audit_log.entries(connection, table="inspection", key=f"{survey.id(2)} 1")
        assert (entry.actor, entry.through, entry.operation) == (LAN.actor, LAN.through, "INSERT")
        assert audit_log.verified(connection).broken is None


def test_runs_keep_what_people_made_of_a_case(survey: Survey) -> None:
    survey.look(0, Outcome.CONFIRMED)
    for number in (1, 2, 3):
        survey.look(number, Outcome.WITHIN_LIMITS)
    survey.look(4, Outcome.REGISTER_WRONG)
    # The same figures, though better known, in 1; others in 2; not found are 3 and 4.
    again = [
        finding(survey.epoch, 0, 4.0),
        finding(survey.epoch, 1, sigma=0.05, evidence={"points": 900}),
        finding(survey.epoch, 2, 4.0),
        finding(survey.epoch, 5),
    ]
    survey.run(again, 0.001)
    assert [survey.status(number) for number in (0, 1, 2, 3, 4, 5)] == [
        "confirmed",
        "dismissed",
        "flagged",
        "dismissed",
        "dismissed",
        "flagged",
    ]
    closed = survey.seen(3)
    assert closed.item.properties["closed_at"] is not None
    assert [one["outcome"] for one in closed.inspections] == ["within_limits"]
    with pytest.raises(Conflict, match="did not find it again"):
        survey.look(3, Outcome.CONFIRMED)
    # Found again after it was not: what was said of the same figures holds still, of others it does not.
    survey.run([finding(survey.epoch, 3), finding(survey.epoch, 4, 5.0)])
    assert (survey.status(3), survey.status(4)) == ("dismissed", "flagged")
    assert survey.seen(3).item.properties["closed_at"] is None
    with survey.city.open(Role.READER) as connection:
        kinds, rate = cases.kind_statistics(connection, survey.epoch)
    assert (rate, kinds[0].flagged, kinds[0].closed, kinds[0].share.confirmed) == (0.01, COUNT, COUNT - 2, 1)


def test_of_two_who_look_at_the_same_version_one_is_told_to_look_again(survey: Survey) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(6)

    def one(number: int) -> None:
        together.wait()
        try:
            survey.look(6, Outcome.CONFIRMED if number % 2 else Outcome.WITHIN_LIMITS, if_version=1)
            outcomes.append("done")
        except StaleVersion:
            outcomes.append("stale")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", *["stale"] * 5]
    told = survey.seen(6)
    assert (told.version, len(told.inspections)) == (2, 1)


def test_a_run_and_an_inspection_at_once_lose_neither(survey: Survey) -> None:
    for turn in range(4):
        before = survey.seen(7).version
        figures = [finding(survey.epoch, number, 3.3 + turn) for number in range(COUNT)]
        thread = threading.Thread(target=survey.run, args=(figures,))
        thread.start()
        survey.look(7, Outcome.CONFIRMED)
        thread.join()
        told = survey.seen(7)
        assert told.version > before
        assert (told.item.properties["status"], told.item.properties["delta"]) == ("confirmed", 3.3 + turn)
        assert len(told.inspections) == turn + 1


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from sqlalchemy import event
from gis.access.roles import Role
from gis.construction.inspections import Inspection, Outcome
from gis.crs import normalise
from gis.settings import City, Settings
from gis.store import case_changes
from gis.store.database import Database

home, name, case = sys.argv[1:]
settings = Settings(Path(home), None, None)
database = Database.of(City(name, normalise("EPSG:9210+5727"), settings.home / "cities" / name), settings)
for killed_after in range(1, 100):
    child = os.fork()
    if child == 0:
        done = 0

        @event.listens_for(database.engine(Role.WRITER), "after_cursor_execute")
        def count(*_):
            global done
            done += 1
            if done == killed_after:
                os.kill(os.getpid(), signal.SIGKILL)

        with database.open(Role.WRITER) as connection:
            case_changes.inspect(connection, case, Inspection(date(2026, 3, 2), Outcome.CONFIRMED))
            if killed_after > done:
                print(done, flush=True)
                # Not committed either.
                os.kill(os.getpid(), signal.SIGKILL)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
        sys.exit("it was not killed")
    if killed_after > 12:
        break
"""


def test_who_is_killed_after_any_statement_leaves_the_case_as_it_was(survey: Survey) -> None:
    home = survey.city.city.folder.parent.parent
    arguments = [sys.executable, "-c", KILLED, str(home), survey.city.city.name, survey.id(0)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # As many as an inspection needs, each of them once the last one.
    assert 4 <= int(done.stdout.split()[0]) <= 12
    told = survey.seen(0)
    assert (told.version, told.item.properties["status"], told.inspections) == (1, "flagged", ())
    assert survey.look(0, Outcome.CONFIRMED) == 2


@pytest.fixture
def session(survey: Survey) -> Iterator[psycopg.Connection[Any]]:
    """The writer's login, after a case was looked at."""
    survey.look(0, Outcome.CONFIRMED)
    with psycopg.connect(dsn(survey.city.url(Role.WRITER)), autocommit=True) as made:
        yield made


def test_what_was_seen_is_neither_changed_nor_deleted(survey: Survey, session: psycopg.Connection[Any]) -> None:
    for statement in (
        "UPDATE diaba.inspection SET outcome = 'within_limits'",
        "DELETE FROM diaba.inspection",
        "TRUNCATE diaba.inspection",
        "UPDATE diaba.case_assignment SET assignee = 'x'",
        "DELETE FROM diaba.audit_inspection",
        "UPDATE diaba.discrepancy SET status = 'dismissed'",
        "DELETE FROM diaba.discrepancy",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)
    # Nor by the owner, who has every right to the table.
    with psycopg.connect(dsn(survey.city.url(Role.OWNER)), autocommit=True) as owner:
        for statement in (
            "UPDATE diaba.inspection SET outcome = 'within_limits'",
            "DELETE FROM diaba.inspection",
            "TRUNCATE diaba.inspection",
        ):
            with pytest.raises(psycopg.errors.IntegrityError, match="what was recorded stays"):
                owner.execute(statement)
    for wrong in ("outcome = 'guilty'", "measured_value = 'NaN'", "note = ''", "number = 0"):
        name, value = wrong.split(" = ")
        columns = {"number": "9", "outcome": "'confirmed'", "measured_value": "1", "note": "'x'"} | {name: value}
        with pytest.raises(psycopg.errors.CheckViolation):
            session.execute(
                f"INSERT INTO diaba.inspection (case_id, version, inspected_on, actor, {', '.join(columns)}) "  # noqa: S608
                f"SELECT case_id, version, inspected_on, actor, {', '.join(columns.values())} FROM diaba.inspection"
            )


@pytest.mark.parametrize(
    ("grants", "visible"),
    [
        ((), set()),
        ((f"land:{HERE}",), set()),
        ((f"inspection:{HERE}",), {1}),
        ((f"inspection:{THERE}",), {6}),
        (("planning:*",), {1, 6}),
    ],
)
def test_inspections_are_seen_with_their_case(survey: Survey, grants: tuple[str, ...], visible: set[int]) -> None:
    for number in (1, 6):
        survey.look(number, Outcome.CONFIRMED)
        with survey.city.open(Role.WRITER) as connection:
            case_changes.assign(connection, survey.id(number), Assignment("lan", today()))
    scope: Scope = scope_of(grants) if grants else NOTHING_MORE
    with replace(survey.city, scope=scope).open(Role.READER) as connection:
        for table in ("inspection", "case_assignment"):
            found = set(connection.scalars(text(f"SELECT case_id FROM diaba.{table}")))  # noqa: S608
            assert found & {survey.id(number) for number in range(COUNT)} == {survey.id(number) for number in visible}
        for number in (1, 6):
            if number in visible:
                assert cases.case(connection, survey.id(number)).item.properties["status"] == "confirmed"
            else:
                with pytest.raises(NotFound):
                    cases.case(connection, survey.id(number))
        kinds, _ = cases.kind_statistics(connection, survey.epoch)
        assert sum(one.share.confirmed for one in kinds) == len(visible)


def test_filters_find_what_a_loop_over_all_finds(survey: Survey) -> None:
    for number, outcome in ((1, Outcome.CONFIRMED), (2, Outcome.WITHIN_LIMITS), (6, Outcome.CONFIRMED)):
        survey.look(number, outcome)
    with survey.city.open(Role.READER) as connection:

        def ids(chosen: CaseFilter, **more: Any) -> list[str]:
            where = replace(chosen, epoch=chosen.epoch or survey.epoch).condition
            page = cases.find(connection, ItemQuery(100, where=where, **more), FORM)
            assert page.matched == len(page.page.features)
            return [one.split('"id":"')[1][:32] for one in page.page.features]

        everything = [cases.case(connection, survey.id(number)).item.properties for number in range(COUNT)]

        def expected(fits: Callable[[dict[str, Any]], bool]) -> list[str]:
            return sorted(one["id"] for one in everything if fits(one))

        assert ids(CaseFilter()) == expected(lambda one: True)
        assert ids(CaseFilter(statuses=["confirmed", "dismissed"])) == expected(lambda one: one["status"] != "flagged")
        assert ids(CaseFilter(ward=THERE, statuses=["confirmed"])) == [survey.id(6)]
        assert ids(CaseFilter(min_confidence=0.994)) == expected(lambda one: one["confidence"] >= 0.994)
        assert ids(CaseFilter(kinds=["setback"])) == ids(CaseFilter(epoch="1999")) == []
        assert ids(CaseFilter(building="b-0003")) == ids(CaseFilter(parcel="p-0003")) == [survey.id(3)]
        surest = ids(CaseFilter(), sort=cases.SUREST_FIRST)
        assert surest == [survey.id(number) for number in reversed(range(COUNT))]


def test_what_cannot_be_is_refused(survey: Survey) -> None:
    tomorrow = today() + timedelta(days=1)
    with survey.city.open(Role.WRITER) as connection:
        for wrong in (
            Inspection(tomorrow, Outcome.CONFIRMED),
            Inspection(DAY, Outcome.CONFIRMED, float("nan")),
            Inspection(DAY, Outcome.CONFIRMED, 1e7),
            Inspection(DAY, Outcome.CONFIRMED, None, "x" * 2001),
            Inspection(DAY, Outcome.CONFIRMED, None, "a\x07b"),
        ):
            with pytest.raises(BadParameter):
                case_changes.inspect(connection, survey.id(0), wrong)
        for given in (Assignment("", tomorrow), Assignment("x" * 201, tomorrow), Assignment("lan", date(2020, 1, 1))):
            with pytest.raises(BadParameter):
                case_changes.assign(connection, survey.id(0), given)
        with pytest.raises(NotFound):
            case_changes.inspect(connection, "nothing", Inspection(DAY, Outcome.CONFIRMED))
    assert survey.seen(0).version == 1


def test_the_statuses_of_the_table_are_those_the_database_takes(survey: Survey) -> None:
    with survey.city.open(Role.READER) as connection:
        condition = connection.scalar(
            text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'discrepancy_status'")
        )
    assert all(f"'{one}'" in str(condition) for one in CaseStatus)
