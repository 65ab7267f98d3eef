"""Dossiers in the store: receipts without gaps, a chain that shows tampering, secrets, and what the reader sees."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import orjson
import psycopg
import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import IntegrityError

from gis.access.roles import Role
from gis.construction.dossier import Action, DossierType, Status
from gis.construction.procedure import Procedure
from gis.errors import BadParameter, Conflict, NotFound
from gis.store import backup, consultations, dossiers
from gis.store.database import Database
from gis.store.dossiers import Filing
from gis.store.schema import dossier, dossier_event, receipt_counter
from gis.store.server import dsn
from tests.gis.dossier_samples import APPLICANT, CLERK, FILED, applicant, file, parcel, record

DENIED = "42501"
FILING = Filing("760", Procedure.SINGLE_HOUSE, DossierType.NEW, FILED)


def test_a_receipt_names_office_year_and_number(writer: Connection) -> None:
    first, second = file(writer, office="26734"), file(writer, office="26734")
    other, later = file(writer, office="tb 1".replace(" ", "")), file(writer, office="26734", on=date(2026, 7, 1))
    assert [r.receipt_no for r in (first, second, other, later)] == [
        "26734-2025-000001",
        "26734-2025-000002",
        "TB1-2025-000001",
        "26734-2026-000001",
    ]
    # 3 + 15 = 18 March; and 2=1, 3=2, Mon 6..Fri 10=3..7.
    assert (first.clock.due, later.clock.due) == (date(2025, 3, 18), date(2026, 7, 10))


def test_twenty_filings_at_once_get_twenty_consecutive_numbers_though_some_fail(database: Database) -> None:
    got: list[str] = []
    failed: list[BaseException] = []
    start = threading.Barrier(27)

    class Regret(Exception):
        pass

    def work(number: int) -> None:
        start.wait()
        try:
            with database.open(Role.WRITER) as connection:
                receipt = file(connection)
                if number >= 20:
                    raise Regret
                got.append(receipt.receipt_no)
        except Regret:
            pass
        except BaseException as error:  # noqa: BLE001  told to the test
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(27)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(got) == [f"760-2025-{number:06d}" for number in range(1, 21)]
    with database.open(Role.READER) as connection:
        assert dossiers.receipts(connection) == sorted(got)


def test_two_that_continue_a_dossier_at_once_come_one_after_the_other(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        receipt = file(connection)
    results: list[str] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        try:
            with database.open(Role.WRITER) as connection:
                record(connection, receipt, Action.EXAMINED)
            results.append("done")
        except Conflict as error:
            assert "is examined: it cannot be examined" in str(error)  # noqa: PT017  in a thread
            results.append("conflict")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["conflict"] * 7 + ["done"]
    with database.open(Role.WRITER) as connection:
        found = dossiers.find(connection, receipt.receipt_no)
        assert [event.action for event in found.events] == [Action.FILED, Action.EXAMINED]
        assert dossiers.verified(connection, receipt.receipt_no) is None


def test_a_process_killed_in_the_middle_leaves_nothing(database: Database, checkout: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from datetime import date\n"
        "from gis.access.roles import Role\n"
        "from gis.settings import City, Settings\n"
        "from gis.crs import normalise\n"
        "from gis.store.database import Database\n"
        "from tests.gis.dossier_samples import file\n"
        "from pathlib import Path\n"
        "home = Path(sys.argv[1])\n"
        "settings = Settings(home, None, None)\n"
        "city = City(sys.argv[2], normalise('EPSG:9210+5727'), home / 'cities' / sys.argv[2])\n"
        "with Database.of(city, settings).open(Role.WRITER) as connection:\n"
        "    print(file(connection).receipt_no, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    home = database.city.folder.parent.parent
    killed = subprocess.run(
        [sys.executable, "-c", script, str(home), database.city.name],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (killed.stdout.strip(), killed.returncode) == ("760-2025-000001", -9), killed.stderr
    with database.open(Role.OWNER) as connection:
        for table in (receipt_counter, dossier, dossier_event):
            assert connection.scalar(select(func.count()).select_from(table)) == 0, table.name
    with database.open(Role.WRITER) as connection:
        assert file(connection).receipt_no == "760-2025-000001"


def test_each_event_seals_the_one_before_it_and_itself(writer: Connection) -> None:
    receipt = file(writer, note="Nhà phố")
    record(writer, receipt, Action.EXAMINED)
    before = sha256(f"diaba dossier {receipt.receipt_no}".encode()).digest()
    rows = writer.execute(
        text("SELECT * FROM diaba.dossier_event WHERE receipt_no = :r ORDER BY seq"), {"r": receipt.receipt_no}
    ).mappings()
    # Written again, with another library, from what the columns hold.
    for row in rows:
        content = {name: row[name] for name in ("receipt_no", "seq", "action", "status", "actor", "detail")}
        content |= {name: row[name] for name in ("clock_effect", "clock_days", "permit_no")}
        content["happened_on"] = str(row["happened_on"])
        content["recorded_at"] = row["recorded_at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
        sealed = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        assert bytes(row["prev_hash"]) == before
        assert bytes(row["hash"]) == sha256(before + sealed).digest()
        before = bytes(row["hash"])
    assert dossiers.verified(writer, receipt.receipt_no) is None


@pytest.mark.parametrize(
    ("statement", "seq", "why"),
    [
        ("UPDATE diaba.dossier_event SET actor = 'x' WHERE receipt_no = :r AND seq = 2", 2, "not what was sealed"),
        ("UPDATE diaba.dossier_event SET happened_on = happened_on - 1 WHERE receipt_no = :r AND seq = 3", 3, "sealed"),
        ("UPDATE diaba.dossier_event SET detail = '{}' WHERE receipt_no = :r AND seq = 1", 1, "not what was sealed"),
        (
            "UPDATE diaba.dossier_event SET recorded_at = recorded_at + interval '1 us' WHERE receipt_no = :r "
            "AND seq = 4",
            4,
            "not what was sealed",
        ),
        ("DELETE FROM diaba.dossier_event WHERE receipt_no = :r AND seq = 2", 2, "missing"),
        ("DELETE FROM diaba.dossier_event WHERE receipt_no = :r AND seq = 1", 1, "missing"),
        ("DELETE FROM diaba.dossier_event WHERE receipt_no = :r AND seq = 4", 4, "says it has 4 events"),
        ("UPDATE diaba.dossier_event SET seq = seq + 10 WHERE receipt_no = :r AND seq = 4", 4, "missing"),
        (
            "UPDATE diaba.dossier_event SET prev_hash = sha256('x') WHERE receipt_no = :r AND seq = 3",
            3,
            "does not follow the event before",
        ),
        ("UPDATE diaba.dossier SET filed_on = filed_on + 1 WHERE receipt_no = :r", 1, "not as filed: filed_on"),
        ("UPDATE diaba.dossier SET procedure = 'works' WHERE receipt_no = :r", 1, "not as filed: procedure"),
        ("UPDATE diaba.dossier SET status = 'granted' WHERE receipt_no = :r", 4, "says it is granted"),
        ("UPDATE diaba.dossier SET events = 3 WHERE receipt_no = :r", 5, "says it has 3 events"),
    ],
)
def test_tampering_is_found_at_the_first_place(shared_database: Database, statement: str, seq: int, why: str) -> None:
    with shared_database.open(Role.OWNER) as connection:
        # The owner alone can do it, and only without the triggers.
        receipt, other = file(connection), file(connection)
        record(connection, receipt, Action.EXAMINED, Action.SUPPLEMENT_REQUESTED, Action.SUPPLEMENTED)
        assert dossiers.verified(connection, receipt.receipt_no) is None
        for table in ("dossier", "dossier_event"):
            connection.execute(text(f"ALTER TABLE diaba.{table} DISABLE TRIGGER USER"))
        connection.execute(text(statement), {"r": receipt.receipt_no})
        broken = dossiers.verified(connection, receipt.receipt_no)
        assert broken is not None
        assert broken.seq == seq
        assert why in broken.why
        assert dossiers.verified(connection, other.receipt_no) is None
        connection.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE diaba.dossier_event SET actor = 'x'",
        "DELETE FROM diaba.dossier_event",
        "TRUNCATE diaba.dossier_event",
        "DELETE FROM diaba.dossier",
        "UPDATE diaba.dossier SET status = 'granted'",
        "UPDATE diaba.dossier SET filed_on = '2020-01-01', events = events + 1",
        "UPDATE diaba.dossier SET secret_hash = sha256('x'), events = events + 1",
        "DELETE FROM diaba.consultation",
        "UPDATE diaba.consultation SET due = due + 1",
        "UPDATE diaba.consultation SET agency = agency, is_deemed = true, number = number + 1",
        "INSERT INTO diaba.dossier_event SELECT receipt_no, seq + 2, action, status, happened_on, recorded_at, actor, "
        "clock_effect, clock_days, permit_no, detail, prev_hash, hash FROM diaba.dossier_event WHERE seq = 3",
        "INSERT INTO diaba.dossier_event SELECT receipt_no, seq + 1, action, status, happened_on, recorded_at, actor, "
        "clock_effect, clock_days, permit_no, detail, prev_hash, hash FROM diaba.dossier_event WHERE seq = 3",
    ],
)
def test_not_even_the_owner_rewrites_what_was_recorded(shared_database: Database, statement: str) -> None:
    with shared_database.open(Role.OWNER) as connection:
        receipt = file(connection)
        record(connection, receipt, Action.EXAMINED)
        consultations.consult(connection, receipt.receipt_no, "Sở Xây dựng", on=FILED, actor=CLERK)
        with pytest.raises(IntegrityError, match=r"stays|only be continued|only be answered once|does not follow"):
            connection.execute(text(statement))
        connection.rollback()


def _denied(database: Database, statement: str) -> str:
    with psycopg.connect(dsn(database.url(Role.READER))) as session:
        session.execute("SET default_transaction_read_only = off")
        session.commit()
        try:
            session.execute(statement)
        except psycopg.Error as error:
            return str(error.sqlstate)
        finally:
            session.rollback()
        return "done"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM diaba.dossier",
        "SELECT applicant_uid FROM diaba.dossier",
        "SELECT secret_hash FROM diaba.dossier",
        "SELECT secret_salt FROM diaba.dossier",
        "SELECT count(*) FROM diaba.dossier WHERE applicant_uid = 'o-1'",
        "SELECT * FROM diaba.dossier_event",
        "SELECT actor FROM diaba.dossier_event",
        "SELECT detail FROM diaba.dossier_event",
        "COPY diaba.dossier_event TO STDOUT",
        "UPDATE diaba.dossier SET events = events + 1",
        "INSERT INTO diaba.receipt_counter VALUES ('760', 2025, 1)",
        "UPDATE diaba.consultation SET agrees = true",
    ],
)
def test_the_reader_sees_no_person_and_no_secret_and_changes_nothing(shared_database: Database, statement: str) -> None:
    assert _denied(shared_database, statement) == DENIED


def test_nobody_else_may_call_the_store_s_functions(shared_database: Database) -> None:
    with shared_database.open(Role.OWNER) as connection:
        open_to_all = text(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'diaba'::regnamespace "
            "AND has_function_privilege('pg_monitor', oid, 'EXECUTE')"
        )
        assert connection.scalars(open_to_all).all() == []


def test_the_public_look_up_needs_number_and_secret_and_names_nobody(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        receipt = file(
            connection, parcel_uid=parcel(connection), applicant_uid=applicant(connection), note=f"Của {APPLICANT}"
        )
        other = file(connection)
        record(connection, receipt, Action.EXAMINED)
    with database.open(Role.READER) as connection:
        found = dossiers.public(connection, receipt.receipt_no, receipt.secret)
        assert (found.status, dossiers.clock_of(found, FILED).due) == (Status.EXAMINED, date(2025, 3, 18))
        shown = repr(found)
        for hidden in (APPLICANT, "o-1", CLERK, "079000000001", receipt.secret):
            assert hidden not in shown
        # As people type it.
        typed = receipt.secret.lower().replace("-", " ").replace("0", "o").replace("1", "l")
        assert dossiers.public(connection, receipt.receipt_no, typed) == found
        said = set()
        for number, secret in (
            (receipt.receipt_no, other.secret),
            (other.receipt_no, receipt.secret),
            (receipt.receipt_no, ""),
            ("760-2025-999999", receipt.secret),
            ("", ""),
            ("' OR true --", "' OR true --"),
        ):
            with pytest.raises(NotFound) as error:
                dossiers.public(connection, number, secret)
            said.add(str(error.value))
        assert said == {"no dossier of that receipt number and secret"}
        fits = text("SELECT diaba.dossier_secret_fits(:receipt_no, CAST(:digest AS bytea))")
        for digest in (None, b"", bytes(32)):
            for number in (receipt.receipt_no, "760-2025-999999", None):
                assert not connection.scalar(fits, {"receipt_no": number, "digest": digest})


def test_the_store_holds_no_secret_in_the_clear(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        receipts = [file(connection) for _ in range(20)]
    with database.open(Role.OWNER) as connection:
        rows = connection.execute(text("SELECT * FROM diaba.dossier JOIN diaba.dossier_event USING (receipt_no)")).all()
    kept = repr(rows)
    assert len({receipt.secret for receipt in receipts}) == 20
    for receipt in receipts:
        plain = receipt.secret.replace("-", "")
        assert len(plain) == 16
        for form in (receipt.secret, plain, plain.lower()):
            assert form not in kept
            assert form.encode().hex() not in kept
        assert sha256(plain.encode()).digest() not in {bytes(row.secret_hash) for row in rows}


def test_filings_that_cannot_be_are_refused_and_use_no_number(writer: Connection) -> None:
    def attempt(error: type[Exception], why: str, **given: object) -> None:
        values = {"office": "999", "procedure": Procedure.WORKS, "type": DossierType.NEW, "filed_on": FILED, **given}
        with pytest.raises(error, match=why):
            dossiers.file(writer, Filing(**values), actor=CLERK)  # type: ignore[arg-type]

    attempt(BadParameter, "1 to 16 letters and digits", office="7 60")
    attempt(BadParameter, "1 to 16 letters and digits", office="७६०")
    attempt(BadParameter, "1 to 16 letters and digits", office="")
    attempt(BadParameter, "begins on 2021-01-01", filed_on=date(2020, 12, 31))
    attempt(NotFound, "no parcel p-none", parcel_uid="p-none")
    attempt(NotFound, "no party o-none", applicant_uid="o-none")
    attempt(NotFound, "no permit x", procedure=Procedure.EXTENSION, of_permit="x")
    attempt(BadParameter, "name the permit", procedure=Procedure.EXTENSION)
    attempt(BadParameter, "about no permit there is", of_permit="x")
    attempt(BadParameter, "the checklist has application", papers=("passport",))
    attempt(BadParameter, "control characters", note="a\x00b")
    attempt(BadParameter, "1 to 2000 characters", note="x" * 2001)
    with pytest.raises(BadParameter, match="actor"):
        dossiers.file(writer, Filing("999", Procedure.WORKS, DossierType.NEW, FILED), actor="")
    assert file(writer, office="999").receipt_no == "999-2025-000001"


def test_papers_that_are_missing_are_named(writer: Connection) -> None:
    assert file(writer, papers=("application", "drawings")).missing == ("land_right",)
    assert file(writer, papers=("application", "drawings", "land_right")).missing == ()


def test_the_moment_is_sealed_in_any_time_zone(writer: Connection) -> None:
    receipt = file(writer)
    writer.execute(text("SET LOCAL TimeZone = 'Asia/Ho_Chi_Minh'"))
    event = dossiers.find(writer, receipt.receipt_no).events[0]
    assert event.recorded_at.utcoffset() == timedelta(hours=7)
    assert abs(event.recorded_at - datetime.now(timezone.utc)) < timedelta(minutes=5)  # noqa: UP017
    assert dossiers.verified(writer, receipt.receipt_no) is None


def test_the_law_of_the_filing_date_is_kept_with_the_dossier(writer: Connection) -> None:
    old = dossiers.find(writer, file(writer, on=date(2026, 6, 30)).receipt_no)
    new = dossiers.find(writer, file(writer, on=date(2026, 7, 1)).receipt_no)
    assert (old.law, new.law) == ("construction_law_2014", "decree_217_2026")
    # The old law still governs the old dossier later on.
    assert dossiers.clock_of(old, date(2026, 9, 1)).due == date(2026, 7, 15)


def test_a_backup_brings_back_chains_secrets_and_the_guards(database: Database, tmp_path: Path) -> None:
    with database.open(Role.WRITER) as connection:
        receipt = file(connection)
        record(connection, receipt, Action.EXAMINED)
    backup.backup(database, tmp_path / "city.diaba")
    with database.open(Role.WRITER) as connection:
        record(connection, receipt, Action.WITHDRAWN)
    backup.restore(database, tmp_path / "city.diaba")
    with database.open(Role.READER) as connection:
        assert dossiers.public(connection, receipt.receipt_no, receipt.secret).status is Status.EXAMINED
    with database.open(Role.WRITER) as connection:
        assert dossiers.verified(connection, receipt.receipt_no) is None
        assert file(connection).receipt_no == "760-2025-000002"
    with pytest.raises(Conflict, match="stays"), database.open(Role.OWNER) as connection:
        connection.execute(text("DELETE FROM diaba.dossier_event"))


def test_a_secret_that_is_given_is_taken_by_an_invented_city_alone(database: Database) -> None:
    given = "DEM0000000000009"
    with database.open(Role.WRITER) as connection, pytest.raises(BadParameter, match="invented"):
        dossiers.file(connection, FILING, actor=CLERK, secret=given)
    with database.open(Role.OWNER) as connection:
        connection.execute(text("UPDATE diaba.city SET is_demo = true"))
    with database.open(Role.WRITER) as connection:
        with pytest.raises(BadParameter, match="16 of"):
            dossiers.file(connection, FILING, actor=CLERK, secret="guess")
        receipt = dossiers.file(connection, FILING, actor=CLERK, secret=given)
    assert receipt.secret == "DEM0-0000-0000-0009"
    with database.open(Role.READER) as connection:
        assert dossiers.public(connection, receipt.receipt_no, receipt.secret).receipt_no == receipt.receipt_no
