"""An import of parcels that was killed continues where it stood; readers see all of it or nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely import box
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.crs import normalise
from gis.errors import UnreadableFile
from gis.land.exchange import files
from gis.land.exchange.problems import Kind
from gis.land.exchange.record import ParcelRecord, Reading
from gis.store import parcel_import, parcel_staging
from gis.store.database import Database
from gis.store.parcel_staging import Imported, Part

EAST, NORTH = 604_000.0, 1_192_000.0
DAY = date(2026, 1, 1)
PER_BLOCK, BLOCKS = 100, 6
WHOLE = text(
    "SELECT uid, version, sheet_no, parcel_no, land_use, address, area_measured, geom::text, valid, digest, "
    "upper_inf(recorded) FROM diaba.parcel_version ORDER BY uid, version"
)

PROGRAM = """
import sys, time
from datetime import date
from pathlib import Path
from gis.crs import normalise
from gis.land.exchange import files
from gis.land.exchange.record import Reading
from gis.settings import City, Settings
from gis.store import parcel_staging
from gis.store.database import Database

settings = Settings(Path(sys.argv[1]), None, None)
city = City(sys.argv[2], normalise('EPSG:9210+5727'), settings.home / 'cities' / sys.argv[2])
path, stop = Path(sys.argv[3]), int(sys.argv[4])
parcel_staging.BLOCK = 100
stage = parcel_staging._stage

def stopping(connection, number, block, part):
    if block == stop:
        print('stopped', flush=True)
        time.sleep(60)
    stage(connection, number, block, part)

finish = parcel_staging._finish

def asking(database, number):
    print('finishing', flush=True)
    sys.stdin.readline()
    return finish(database, number)

parcel_staging._stage, parcel_staging._finish = stopping, asking
parcel_staging.run(
    Database.of(city, settings), [path], Reading(), lambda: [files.read(path, Reading())], valid_from=date(2026, 1, 1)
)
"""
"""An import that stands still at a block, and asks before it writes."""


def lot(number: int, **values: Any) -> ParcelRecord:
    """The number-th of rows of fifty lots, each with a neighbour."""
    row, place = divmod(number, 50)
    west, south = EAST + 5.0 * place, NORTH + 20.0 * row
    told = {"uid": f"s-{number:05d}", "ward_code": "26734", "sheet_no": "40", "parcel_no": str(number + 1)} | values
    return ParcelRecord("lot", box(west, south, west + 5, south + 20), **told)


def write(path: Path, records: Sequence[ParcelRecord]) -> Path:
    files.write(path, records, normalise(9210))
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six blocks of lots."""
    monkeypatch.setattr(parcel_staging, "BLOCK", PER_BLOCK)
    return write(tmp_path / "lots.gpkg", [lot(n) for n in range(PER_BLOCK * BLOCKS)])


def bring(database: Database, path: Path, **options: Any) -> Imported:
    """Import a file, or continue."""
    told = {"valid_from": DAY} | options
    return parcel_staging.run(database, [path], Reading(), lambda: [files.read(path, Reading())], **told)


def bring_at_once(connection: Connection, path: Path) -> None:
    """Import a file the plain way: in the caller's transaction, without anything staged."""
    checked = parcel_import.check(connection, [files.read(path, Reading())], valid_from=DAY)
    assert parcel_import.save(connection, checked).added


def rows(connection: Connection) -> list[Any]:
    """All the register knows of parcels, but for when it learnt it."""
    return list(connection.execute(WHOLE).all())


def whole(database: Database) -> list[Any]:
    """The same, as a reader sees it."""
    with database.open(Role.READER) as connection:
        return rows(connection)


def count(database: Database, table: str) -> int:
    with database.open(Role.WRITER) as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM diaba.{table}")))  # noqa: S608  names of ours


@contextmanager
def started(database: Database, path: Path, stop: int) -> Any:
    """The import in a process of its own."""
    home = database.city.folder.parent.parent
    arguments = [sys.executable, "-c", PROGRAM, str(home), database.city.name, str(path), str(stop)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def killed(database: Database, path: Path, stop: int) -> None:
    """Import until a block, then SIGKILL."""
    with started(database, path, stop) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "stopped"


def stopped(database: Database, path: Path, stop: int, patch: pytest.MonkeyPatch, **options: Any) -> None:
    """Import until a block, then leave it."""

    def stopping(connection: Connection, number: int, block: int, part: Part) -> None:
        if block == stop:
            raise KeyboardInterrupt
        stage(connection, number, block, part)

    stage = parcel_staging._stage
    with patch.context() as here:
        here.setattr(parcel_staging, "_stage", stopping)
        with pytest.raises(KeyboardInterrupt):
            bring(database, path, **options)


def wait_for(what: Callable[[], bool]) -> None:
    for _ in range(300):
        if what():
            return
        time.sleep(0.1)
    pytest.fail("it did not come to that in 30 s")


def test_a_killed_import_shows_nothing_continues_where_it_stood_and_ends_as_one_that_was_not_killed(
    database: Database, writer: Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(database, path, 4)
    assert whole(database) == []
    assert (count(database, "parcel"), count(database, "parcel_import_row")) == (0, 4 * PER_BLOCK)
    done = bring(database, path)
    assert (done.continued, done.blocks, done.written) == (4, BLOCKS, True)
    assert (done.report.new, done.report.problems) == (PER_BLOCK * BLOCKS, ())
    bring_at_once(writer, path)
    expected = rows(writer)
    assert whole(database) == expected
    with database.open(Role.READER) as connection:
        assert connection.scalar(text("SELECT count(DISTINCT lower(recorded)) FROM diaba.parcel_version")) == 1
    assert {count(database, table.name) for table in parcel_staging.STAGED} == {0}
    again = bring(database, path)
    assert (again.continued, again.report.unchanged) == (0, PER_BLOCK * BLOCKS)
    # Versions that end, go on for the rest of their time, and begin.
    days = {"valid_from": date(2026, 6, 1), "valid_to": date(2027, 1, 1)}
    changed = write(path.with_name("changed.gpkg"), [lot(n, address=f"{n} Lê Lợi", **days) for n in range(550)])
    stopped(database, changed, 5, monkeypatch)
    assert whole(database) == expected
    assert bring(database, changed).continued == 5
    bring_at_once(writer, changed)
    assert whole(database) == rows(writer)
    assert len(rows(writer)) == 600 + 3 * 550


def test_the_server_writes_to_the_end_though_the_import_was_killed_and_a_stopped_server_leaves_all_but_the_writing(
    database: Database, path: Path
) -> None:
    for ending in ("server", "client"):
        with started(database, path, -1) as process, database.open(Role.WRITER) as other:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "finishing"
            # Another change is being recorded: the writing waits for it.
            other.execute(LOCK)
            process.stdin.write("\n")
            process.stdin.flush()
            wait_for(lambda: len(_waiting(database)) == 1)
            if ending == "server":
                # As a server that stops does to all its sessions.
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": _waiting(database)[0]})
            else:
                process.kill()
            assert process.wait(30) != 0
            assert whole(database) == []
            assert count(database, "parcel_import_block") == BLOCKS
            other.rollback()
    wait_for(lambda: len(whole(database)) == PER_BLOCK * BLOCKS)
    assert bring(database, path).report.unchanged == PER_BLOCK * BLOCKS


LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('diaba.parcel_version', 0))")
WAITING = text(
    "SELECT pid FROM pg_stat_activity "
    "WHERE wait_event = 'advisory' AND query LIKE '%DO $$%' AND datname = current_database()"
)


def _waiting(database: Database) -> list[int]:
    with database.open(Role.WRITER) as connection:
        return list(connection.scalars(WAITING))


def test_what_changed_around_a_stopped_import_is_checked_anew_and_what_changed_elsewhere_is_not(
    database: Database, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(database, path, 3, monkeypatch)
    far = replace(lot(0), uid="far", sheet_no="90", shape=box(EAST, NORTH + 9000, EAST + 5, NORTH + 9020))
    near = replace(lot(0), uid="near", sheet_no="91", shape=box(EAST + 1, NORTH + 1, EAST + 2, NORTH + 2))
    with database.open(Role.WRITER) as connection:
        bring_at_once(connection, write(tmp_path / "far.gpkg", [far]))
    stopped(database, path, 4, monkeypatch)
    assert count(database, "parcel_import_block") == 4
    with database.open(Role.WRITER) as connection:
        bring_at_once(connection, write(tmp_path / "near.gpkg", [near]))
    before = whole(database)
    refused = bring(database, path)
    assert (refused.continued, refused.written) == (0, False)
    assert [problem.kind for problem in refused.report.errors] == [Kind.OVERLAP_REGISTER]
    assert whole(database) == before
    assert count(database, "parcel_import") == 0

    # A change between the checks and the writing is seen too.
    finish = parcel_staging._finish
    row = [
        replace(lot(n), uid=f"t-{n}", shape=box(EAST + 9 * n, NORTH + 500, EAST + 9 * n + 9, NORTH + 520))
        for n in range(9)
    ]
    path = write(tmp_path / "row.gpkg", row)
    other = write(tmp_path / "other.gpkg", [replace(row[5], uid="other", parcel_no="999")])

    def later(of: Database, number: int) -> bool:
        monkeypatch.setattr(parcel_staging, "_finish", finish)
        with of.open(Role.WRITER) as connection:
            bring_at_once(connection, other)
        return finish(of, number)

    monkeypatch.setattr(parcel_staging, "_finish", later)
    done = bring(database, path)
    assert not done.written
    assert [problem.kind for problem in done.report.errors] == [Kind.OVERLAP_REGISTER]
    assert [row.uid for row in whole(database)] == ["far", "near", "other"]

    # The day of what does not say one is that on which the import was begun.
    row = [
        replace(one, parcel_no=f"{9000 + n}", shape=box(*(edge + 900 for edge in one.shape.bounds)))
        for n, one in enumerate(row)
    ]
    path = write(tmp_path / "undated.gpkg", row)
    monkeypatch.setattr(parcel_staging, "BLOCK", 3)
    stopped(database, path, 2, monkeypatch, valid_from=None)
    with database.open(Role.OWNER) as connection:
        connection.execute(text("UPDATE diaba.parcel_import SET valid_from = '2025-12-24'"))
    done = bring(database, path, valid_from=None)
    assert (done.valid_from, done.continued, done.written) == (date(2025, 12, 24), 2, True)


def test_an_import_is_known_by_its_files_and_how_they_are_read(path: Path) -> None:
    key = parcel_staging.key_of([path], 1)
    assert key == parcel_staging.key_of([path], 1) != parcel_staging.key_of([path], 2)
    path.write_bytes(path.read_bytes() + b"\0")
    assert key != parcel_staging.key_of([path], 1)
    with pytest.raises(UnreadableFile, match="No such file"):
        parcel_staging.key_of([path.with_name("none.gpkg")])
