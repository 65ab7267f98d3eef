"""An import of parcels that continues where it was stopped: checked in blocks that are kept, then written at once.

Reading a file is a twentieth of an import's time, its checks two fifths, the writing the rest. So the checks are kept,
block by block, with the rows they lead to, under the SHA-256 of the files and of how they are read. The writing is one
statement: the server ends it even when whoever sent it is killed meanwhile, and nobody sees a part of it.

Blocks are checked without keeping other writers waiting. The statement that writes looks, under the lock of the
parcels, whether any parcel around the import changed since; then the import is checked anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.metadata import version as version_of
from pathlib import Path

from psycopg import sql
from sqlalchemy import Connection, and_, delete, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from gis.access.roles import Role
from gis.errors import Conflict, UnreadableFile
from gis.files import sha256
from gis.land.exchange.checks import MAP_SCALE
from gis.land.exchange.problems import Problem
from gis.land.exchange.record import Incoming, Reading
from gis.land.exchange.report import ImportReport
from gis.store import parcel_import, versions
from gis.store.columns import is_written
from gis.store.database import Database
from gis.store.import_tables import (
    STAGED,
    parcel_import_block,
    parcel_import_end,
    parcel_import_rest,
    parcel_import_row,
)
from gis.store.import_tables import parcel_import as import_table
from gis.store.parcel_import import Part, Prepared
from gis.store.schema import SCHEMA, parcel_version

BLOCK = 2_000
"""Records of a block: about a second."""
KEPT = timedelta(days=30)
"""For how long an import that was stopped is kept."""
ATTEMPTS = 2
"""How often an import is checked without the lock of the parcels, where others change parcels around it meanwhile."""
TIMEOUT = "2h"
"""Of the statement that writes: a hundred thousand parcels take about a minute."""
Advance = Callable[[int], None]
"""Is told that one more step is done, and of how many."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome of an import."""

    report: ImportReport
    written: bool
    continued: int
    """Blocks an earlier run had checked already."""
    blocks: int
    valid_from: date
    """Since when it is so, where a file does not say: the day the import was begun, where none was told."""


@dataclass(frozen=True, slots=True)
class _Begun:
    id: int
    valid_from: date
    blocks: frozenset[int]
    """Those that are checked."""


# A version recorded or ended since, near the import's outlines or with a name or number of its parcels.
_STALE = """EXISTS (
    SELECT 1 FROM diaba.parcel_version p
    WHERE (lower(p.recorded) > one.based_on OR upper(p.recorded) > one.based_on)
        AND (
            p.geom && ST_Expand(ST_MakeEnvelope(
                one.bounds[1], one.bounds[2], one.bounds[3], one.bounds[4], ST_SRID(p.geom)
            ), 1)
            OR p.uid = ANY (one.uids) OR p.sheet_no || '/' || p.parcel_no = ANY (one.numbers)
        )
)"""
_IS_STALE = text(f"SELECT {_STALE} FROM diaba.parcel_import one WHERE id = :id")  # noqa: S608  text of this file


def key_of(paths: Sequence[Path], *options: object) -> bytes:
    """The SHA-256 of files, of what belongs to them, of how they are read, and of the version of this program.

    Raises:
        UnreadableFile: a file is not there.
    """
    listed = [version_of("diaba"), *map(str, options)]
    for path in paths:
        # A Shapefile is several files.
        parts = sorted(path.parent.glob(f"{path.stem}.*")) if path.suffix.lower() == ".shp" else [path]
        try:
            listed += [f"{part.name} {sha256(part)}" for part in parts]
        except OSError as error:
            raise UnreadableFile(path, error.strerror or str(error)) from error
    return hashlib.sha256("\n".join(listed).encode()).digest()


def run(
    database: Database,
    paths: Sequence[Path],
    reading: Reading,
    read: Callable[[], Sequence[Incoming]],
    *,
    valid_from: date | None = None,
    scale: int = MAP_SCALE,
    advance: Advance = lambda _: None,
) -> Imported:
    """Import files, all of them or nothing, continuing an import of the same files that was stopped.

    Args:
        database: The city's.
        paths: The files.
        reading: How they are read.
        read: Reads them.
        valid_from: Since when it is so, of records that do not say; the day the import was begun when not given.
        scale: Denominator of the cadastral map's scale, by which areas may differ.
        advance: Is told of progress.

    Raises:
        MissingCrs: a file does not say its CRS.
        Conflict: parcels are being changed by others for too long.
    """
    key = key_of(paths, _told(reading), valid_from, scale, database.city.crs.to_wkt())
    incoming = read()
    for _ in range(ATTEMPTS):
        done = _attempt(database, key, incoming, valid_from, scale, advance)
        if done is not None:
            return done
    with database.open(Role.WRITER) as connection:
        day = valid_from or date.today()
        checked = parcel_import.check(connection, incoming, valid_from=day, scale=scale)
        if not checked.report.errors:
            parcel_import.save(connection, checked)
    return Imported(checked.report, not checked.report.errors, 0, 1, day)


def _attempt(
    database: Database,
    key: bytes,
    incoming: Sequence[Incoming],
    valid_from: date | None,
    scale: int,
    advance: Advance,
) -> Imported | None:
    """Check what is not checked yet and write; None where others changed parcels around it meanwhile."""
    moment = _moment(database)
    with database.open(Role.WRITER) as connection:
        known = _begun(connection, key)
        day = valid_from or (known.valid_from if known else date.today())
        prepared = parcel_import.prepare(connection, incoming, valid_from=day, scale=scale)
        ranges = [slice(start, min(len(prepared), start + BLOCK)) for start in range(0, len(prepared) or 1, BLOCK)]
        refused = any(problem.is_error for problem in prepared.problems)
        begun = None if refused else known or _begin(connection, key, prepared, day, len(ranges), moment)
    total = len(ranges) + 1
    parts: list[Part] = []
    for done, records in enumerate(ranges):
        if begun is None:
            # Nothing will be written; the rest of what is wrong is to be told all the same.
            parts.append(prepared.part(records))
        elif done not in begun.blocks:
            with database.open(Role.WRITER) as connection:
                _stage(connection, begun.id, done, prepared.part(records))
        advance(total)
    if begun is not None:
        with database.open(Role.WRITER) as connection:
            parts = _parts(connection, begun.id)
        if len(parts) < len(ranges):
            # Another process has finished the same import meanwhile: its parcels are known now.
            return None
    report = prepared.report(parts)
    continued = 0 if begun is None else len(begun.blocks)
    if report.errors:
        if begun is not None:
            with database.open(Role.WRITER) as connection:
                _forget(connection, begun.id)
        return Imported(report, False, continued, len(ranges), day)
    if begun is None or not _finish(database, begun.id):
        return None
    advance(total)
    return Imported(report, True, continued, len(ranges), day)


def _told(reading: Reading) -> str:
    crs = "" if reading.crs is None else reading.crs.to_wkt()
    parts = [crs, reading.layer, sorted(reading.names.items()), sorted(reading.constants.items()), reading.encoding]
    return repr(parts)


def _moment(database: Database) -> datetime:
    """A moment after which nothing is recorded that is not seen from now on: taken with no other writer under way."""
    with database.open(Role.WRITER) as connection:
        return versions.lock(connection, parcel_version)


def _begun(connection: Connection, key: bytes) -> _Begun | None:
    """An import of this key that is not finished and still holds; one that does not hold any more is left out."""
    t = import_table.c
    found = connection.execute(select(t.id, t.valid_from).where(t.key == key, t.finished.is_(None))).one_or_none()
    if found is None:
        return None
    if connection.scalar(_IS_STALE, {"id": found.id}):
        _forget(connection, found.id)
        return None
    b = parcel_import_block.c
    return _Begun(
        found.id, found.valid_from, frozenset(connection.scalars(select(b.block).where(b["import"] == found.id)))
    )


def _begin(connection: Connection, key: bytes, prepared: Prepared, day: date, blocks: int, moment: datetime) -> _Begun:
    t = import_table.c
    left = and_(t.finished.is_(None), t.begun < func.now() - literal(KEPT))
    for old in connection.scalars(select(t.id).where(left)).all():
        _forget(connection, old)
    bounds = prepared.bounds
    row = {
        "key": key,
        "files": list(prepared.files),
        "valid_from": day,
        "blocks": blocks,
        "based_on": moment,
        "bounds": None if bounds is None else list(bounds),
        "uids": prepared.uids,
        "numbers": prepared.numbers,
        "begun": func.clock_timestamp(),
    }
    number = connection.scalar(upsert(import_table).values(row).on_conflict_do_nothing().returning(t.id))
    if number is None:
        raise Conflict("the same files are being imported by another process at this moment; try again later")
    return _Begun(number, day, frozenset())


def _stage(connection: Connection, number: int, block: int, part: Part) -> None:
    """Keep what was found of a block, and what is to be written of it."""
    b = parcel_import_block
    row = {
        "import": number,
        "block": block,
        "problems": [problem.document() for problem in part.problems],
        "new": part.new,
        "changed": part.changed,
        "unchanged": part.unchanged,
    }
    mine = connection.scalar(upsert(b).values(row).on_conflict_do_nothing().returning(b.c.block))
    if mine is None:
        # Another process imports the same file at this moment.
        return
    planned = versions.plan(connection, parcel_version, part.rows)
    names = [column.name for column in parcel_import_row.columns]
    told = (
        {**row, "import": number, "version": version, "digest": digest, "geom": bytes.fromhex(row["geom"])}
        for row, digest, version in planned.adding
    )
    versions.copy_in(connection, parcel_import_row, names, ([one.get(name) for name in names] for one in told))
    versions.copy_in(
        connection,
        parcel_import_rest,
        ["import", "uid", "version", "of_version", "valid"],
        ([number, old.key[0], version, old.version, rest] for old, rest, version in planned.kept),
    )
    versions.copy_in(
        connection,
        parcel_import_end,
        ["import", "uid", "version"],
        ([number, old.key[0], old.version] for old in planned.closing),
    )


def _parts(connection: Connection, number: int) -> list[Part]:
    """What was found of each block, in their order."""
    b = parcel_import_block.c
    asked = select(parcel_import_block).where(b["import"] == number).order_by(b.block)
    return [
        Part(
            tuple(Problem.of_document(problem) for problem in row["problems"]),
            row["new"],
            row["changed"],
            row["unchanged"],
        )
        for row in connection.execute(asked).mappings()
    ]


def _forget(connection: Connection, number: int) -> None:
    """Leave out an import that will not be finished."""
    for table in STAGED:
        connection.execute(delete(table).where(table.c["import"] == number))
    connection.execute(delete(import_table).where(import_table.c.id == number, import_table.c.finished.is_(None)))


def _finish(database: Database, number: int) -> bool:
    """Write all rows of an import in one statement; False where parcels around it changed since it was checked."""
    with database.statements(Role.WRITER) as connection:
        connection.exec_driver_sql(f"SET statement_timeout = '{TIMEOUT}'")
        connection.exec_driver_sql(_finishing(number))
        t = import_table.c
        return bool(connection.scalar(select(t.finished.is_not(None)).where(t.id == number)))


def _finishing(number: int) -> str:
    names = [
        sql.Identifier(column.name)
        for column in parcel_version.columns
        if is_written(column) and column.name not in {"uid", "version", "valid", "recorded"}
    ]
    return (
        sql.SQL(_FINISH)
        .format(
            number=sql.Literal(number),
            stale=sql.SQL(_STALE),
            content=sql.SQL(", ").join(names),
            of_old=sql.SQL(", ").join(sql.SQL("t.{}").format(name) for name in names),
            forgotten=sql.SQL("; ").join(
                sql.SQL("DELETE FROM {} WHERE import = one.id").format(sql.Identifier(SCHEMA, table.name))
                for table in STAGED
            ),
        )
        .as_string()
    )


# The same steps as `versions.record`, in its order: ended, kept for the rest of their time, added.
_FINISH = """
DO $$
DECLARE
    one diaba.parcel_import;
    moment timestamptz;
    ended integer;
    rests integer;
    fresh integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('diaba.parcel_version', 0));
    SELECT * INTO one FROM diaba.parcel_import WHERE id = {number} AND finished IS NULL FOR UPDATE;
    IF NOT FOUND
        OR (SELECT count(*) FROM diaba.parcel_import_block WHERE import = one.id) < one.blocks OR {stale}
    THEN
        RETURN;
    END IF;
    moment := clock_timestamp();
    INSERT INTO diaba.parcel (uid) SELECT DISTINCT uid FROM diaba.parcel_import_row WHERE import = one.id
        ON CONFLICT DO NOTHING;
    UPDATE diaba.parcel_version t SET recorded = tstzrange(lower(t.recorded), greatest(lower(t.recorded), moment))
        FROM diaba.parcel_import_end k WHERE k.import = one.id AND t.uid = k.uid AND t.version = k.version;
    GET DIAGNOSTICS ended = ROW_COUNT;
    INSERT INTO diaba.parcel_version (uid, version, valid, recorded, {content})
        SELECT k.uid, k.version, k.valid, tstzrange(moment, NULL), {of_old}
        FROM diaba.parcel_import_rest k JOIN diaba.parcel_version t ON t.uid = k.uid AND t.version = k.of_version
        WHERE k.import = one.id;
    GET DIAGNOSTICS rests = ROW_COUNT;
    INSERT INTO diaba.parcel_version (uid, version, valid, recorded, {content})
        SELECT uid, version, valid, tstzrange(moment, NULL), {content}
        FROM diaba.parcel_import_row WHERE import = one.id ORDER BY uid, version;
    GET DIAGNOSTICS fresh = ROW_COUNT;
    UPDATE diaba.parcel_import SET finished = moment, added = rests + fresh, closed = ended WHERE id = one.id;
    {forgotten};
END $$
"""
