"""The one way a register changes: new versions are added, old ones get an end of their recorded time, nothing is lost.

A table of versions has two times. `recorded` says when the register knew a row, `valid` when it was so in the world.
Saying that something is so from a date on ends, at that date, what was so before.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from psycopg.types.range import DateRange, Range, TimestamptzRange
from sqlalchemy import ARRAY, ColumnElement, Connection, Table, Text, and_, any_, func, literal, or_, select, text

from gis.errors import BadInput
from gis.store.columns import is_written
from gis.store.schema import SCHEMA

Row = Mapping[str, Any]
Key = tuple[str, ...]
_OWN = frozenset({"version", "recorded", "digest"})
INSERTED_AT_ONCE = 500
"""Rows of a statement, where COPY is not to be had; a statement has at most 65,535 values."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save changed."""

    added: int
    """Versions added."""
    closed: int
    """Versions the register does not hold for so any more."""
    unchanged: int
    """Rows that were known already, as they are."""
    versions: Mapping[Key, int] = field(repr=False)
    """The version each added row got."""

    @property
    def counts(self) -> dict[str, int]:
        """As numbers alone."""
        return {"added": self.added, "closed": self.closed, "unchanged": self.unchanged}


@dataclass(frozen=True, slots=True)
class _Said:
    """What is told of a key: a row, or that nothing is so (None)."""

    row: Row | None
    digest: bytes
    valid: Range[date] | None


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A version the register holds for so now."""

    key: Key
    version: int
    digest: bytes
    valid: Range[date] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be written for rows to be what the register knows."""

    closing: tuple[KnownRow, ...]
    """Versions whose recorded time ends."""
    kept: tuple[tuple[KnownRow, Range[date], int], ...]
    """Of those that end: what stays so in a part of their valid time, as which version."""
    adding: tuple[tuple[Row, bytes, int], ...]
    """Rows, their digests, their versions."""
    unchanged: int


def record(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
    *,
    gone: Iterable[tuple[Key, Range[date]]] = (),
    instead_of: ColumnElement[bool] | None = None,
    undigested: frozenset[str] = frozenset(),
    moment: datetime | None = None,
) -> Saved:
    """Make the rows what the register knows from now on, all from the same moment.

    A row known with the same content and the same valid time changes nothing. Otherwise what was known of its key for
    the row's valid time is closed, and what was known for other times stays so.

    Args:
        connection: The caller's transaction.
        table: A table of versions.
        rows: By column; those of one key are of different valid times. Names that are no columns count only for
            whether the content is the same.
        gone: Keys of which nothing is so in a valid time.
        instead_of: Rows known that fulfil this and whose key is not among `rows` are closed.
        undigested: Columns that do not count for whether the content is the same.
        moment: When the register knew it, from `lock`, so that several records are of one moment; now when not given.

    Raises:
        BadInput: two rows have the same key and a day in common.
    """
    new = _by_key(table, rows, gone, undigested)
    moment = moment or lock(connection, table)
    planned = _plan(connection, table, new, instead_of)
    session = driver(connection)
    _close(session, table, planned.closing, moment)
    _keep(session, table, planned.kept, moment)
    _add(session, table, planned.adding, moment)
    versions = {_key(table, row): version for row, _, version in planned.adding}
    added = len(planned.adding) + len(planned.kept)
    return Saved(added, len(planned.closing), planned.unchanged, versions)


def plan(connection: Connection, table: Table, rows: Iterable[Row]) -> Plan:
    """What `record` would write of rows as the register stands; nothing is written.

    Raises:
        BadInput: two rows have the same key and a day in common.
    """
    return _plan(connection, table, _by_key(table, rows, (), frozenset()), None)


def _plan(
    connection: Connection, table: Table, new: Mapping[Key, Sequence[_Said]], instead_of: ColumnElement[bool] | None
) -> Plan:
    known, newest = _known(connection, table, list(new), instead_of)
    closing: list[KnownRow] = []
    kept: list[tuple[KnownRow, Range[date], int]] = []
    adding: list[tuple[Row, bytes, int]] = []
    unchanged = 0
    for key, told in new.items():
        mine = known.pop(key, [])
        saying = [one for one in told if not any(_same(one, old) for old in mine)]
        unchanged += len(told) - len(saying)
        for old in mine:
            cuts = [one.valid for one in saying if _meet(one.valid, old.valid)]
            if not cuts:
                continue
            closing.append(old)
            for rest in _left(old.valid, cuts):
                newest[key] += 1
                kept.append((old, rest, newest[key]))
        for one in saying:
            if one.row is not None:
                newest[key] = newest.get(key, 0) + 1
                adding.append((one.row, one.digest, newest[key]))
    closing.extend(old for olds in known.values() for old in olds)
    return Plan(tuple(closing), tuple(kept), tuple(adding), unchanged)


def lock(connection: Connection, table: Table) -> datetime:
    """Keep other writers of a table waiting until the transaction ends; the moment to record under.

    Moments are in the order of the transactions, because each is taken with the lock held.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"{table}"})
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def at(table: Table, as_of: date | None = None, known_at: datetime | None = None) -> ColumnElement[bool]:
    """The condition for what was so on a day (today), as the register knew it at a moment (now)."""
    recorded, valid = table.c.recorded, table.c.get("valid")
    knew = func.upper_inf(recorded) if known_at is None else recorded.op("@>")(literal(known_at))
    if valid is None:
        condition: ColumnElement[bool] = knew
        return condition
    day = func.current_date() if as_of is None else literal(as_of)
    return and_(knew, valid.op("@>")(day))


def since(start: date | None, end: date | None = None) -> Range[date]:
    """A valid time from a day on, up to (not with) another."""
    return DateRange(start, end, "[)")


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """The psycopg session under a connection, in the same transaction."""
    session = connection.connection.driver_connection
    if not isinstance(session, psycopg.Connection):
        raise TypeError("the store speaks psycopg 3 alone")
    return session


def copy_in(connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add many rows at once with COPY."""
    _copy(driver(connection), table, columns, rows)


def plain(value: Any) -> Any:
    """A value as PostgreSQL stores it: NumPy's numbers become Python's, NaN and NaT become NULL."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if value.__class__.__name__ in {"NaTType", "NAType"}:
        return None
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def digest(row: Row, undigested: frozenset[str] = frozenset()) -> bytes:
    """The SHA-256 of a row's content, without its valid time and what does not count."""
    content = {name: value for name, value in row.items() if name not in undigested and name != "valid"}
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_canonical)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest()


def _by_key(
    table: Table, rows: Iterable[Row], gone: Iterable[tuple[Key, Range[date]]], undigested: frozenset[str]
) -> dict[Key, list[_Said]]:
    found: dict[Key, list[_Said]] = {}
    for row in rows:
        clean = {name: plain(value) for name, value in row.items()}
        found.setdefault(_key(table, row), []).append(_Said(clean, digest(clean, undigested), clean.get("valid")))
    for key, valid in gone:
        found.setdefault(key, []).append(_Said(None, b"", valid))
    for key, told in found.items():
        if any(_meet(one.valid, other.valid) for one, other in itertools.combinations(told, 2)):
            raise BadInput(f"{table.name} {' '.join(key)}: it occurs twice")
    return dict(sorted(found.items()))


def _key(table: Table, row: Row) -> Key:
    parts: tuple[str, ...] = table.info["key"]
    return tuple(str(row[part]) for part in parts)


def _canonical(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date):
        return value.isoformat()
    raise BadInput(f"a value of type {type(value).__name__} cannot be stored")


def _known(
    connection: Connection, table: Table, keys: list[Key], instead_of: ColumnElement[bool] | None
) -> tuple[dict[Key, list[KnownRow]], dict[Key, int]]:
    """What is known now of the keys and of what is to be replaced; and the newest version of each key."""
    parts = [table.c[part] for part in table.info["key"]]
    valid = table.c.get("valid")
    current = func.upper_inf(table.c.recorded)
    replaced = literal(False) if instead_of is None else and_(instead_of, current)
    # The first part of a key finds the rows; the whole key is compared below.
    firsts = sorted({key[0] for key in keys})
    asked = parts[0] == any_(literal(firsts, ARRAY(Text)))
    when = literal(None) if valid is None else valid
    statement = select(*parts, table.c.version, table.c.digest, when, current, replaced)
    wanted = set(keys)
    known: dict[Key, list[KnownRow]] = {}
    newest: dict[Key, int] = {}
    for row in connection.execute(statement.where(or_(asked, replaced)).order_by(*parts, table.c.version)):
        key, (version, digest, when, is_current, is_replaced) = tuple(row[: len(parts)]), row[len(parts) :]
        newest[key] = max(newest.get(key, 0), version)
        if is_current and (key in wanted or is_replaced):
            # SQLAlchemy has a range type of its own, which is never equal to psycopg's.
            period = None if when is None else since(when.lower, when.upper)
            known.setdefault(key, []).append(KnownRow(key, version, bytes(digest), period))
    return known, newest


def _same(said: _Said, old: KnownRow) -> bool:
    return said.row is not None and old.digest == said.digest and (said.valid is None or old.valid == said.valid)


def _meet(first: Range[date] | None, second: Range[date] | None) -> bool:
    """Whether two valid times have a day in common; what has none is of all time."""
    return first is None or second is None or _overlap(first, second)


def _overlap(first: Range[date], second: Range[date]) -> bool:
    return _before(first.lower, second.upper) and _before(second.lower, first.upper)


def _before(lower: date | None, upper: date | None) -> bool:
    return lower is None or upper is None or lower < upper


def _left(whole: Range[date] | None, cuts: Sequence[Range[date] | None]) -> list[Range[date]]:
    """What of a time is in none of the cuts."""
    rests = [] if whole is None or None in cuts else [whole]
    for cut in cuts:
        rests = [left for rest in rests for left in (_minus(rest, cut) if cut and _overlap(rest, cut) else [rest])]
    return rests


def _minus(whole: Range[date], part: Range[date]) -> list[Range[date]]:
    """What of a time (half-open, as PostgreSQL stores days) lies before and after another that overlaps it."""
    rest: list[Range[date]] = []
    if part.lower is not None and (whole.lower is None or whole.lower < part.lower):
        rest.append(since(whole.lower, part.lower))
    if part.upper is not None and (whole.upper is None or part.upper < whole.upper):
        rest.append(since(part.upper, whole.upper))
    return rest


def _written(table: Table) -> list[str]:
    """The columns that are written; others PostgreSQL makes of them."""
    return [column.name for column in table.columns if is_written(column)]


def _match(table: Table) -> sql.Composed:
    """The conditions that join a table `t` to a list `k` of its keys and versions."""
    parts = [*table.info["key"], "version"]
    return sql.SQL(" AND ").join(sql.SQL("t.{0} = k.{0}").format(sql.Identifier(part)) for part in parts)


def _listed(table: Table, more: Sequence[tuple[str, str]] = ()) -> sql.Composed:
    """`unnest(...) AS k(...)`: the keys, the version and more, one array for each."""
    kinds = [*((part, "text") for part in table.info["key"]), ("version", "int4"), *more]
    arrays = sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.Identifier(kind)) for _, kind in kinds)
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in kinds)
    return sql.SQL("unnest({}) AS k({})").format(arrays, names)


def _arrays(table: Table, known: Sequence[KnownRow]) -> list[list[Any]]:
    count = len(table.info["key"])
    return [*([old.key[i] for old in known] for i in range(count)), [old.version for old in known]]


def _close(session: psycopg.Connection[Any], table: Table, closing: Sequence[KnownRow], moment: datetime) -> None:
    if closing:
        session.execute(
            sql.SQL(
                "UPDATE {} AS t SET recorded = tstzrange(lower(t.recorded), greatest(lower(t.recorded), %s)) "
                "FROM {} WHERE {}"
            ).format(sql.Identifier(SCHEMA, table.name), _listed(table), _match(table)),
            [moment, *_arrays(table, closing)],
        )


def _keep(
    session: psycopg.Connection[Any],
    table: Table,
    kept: Sequence[tuple[KnownRow, Range[date], int]],
    moment: datetime,
) -> None:
    """Record again, for what remains of its valid time, what was closed for a part of it."""
    if not kept:
        return
    changed = {"version", "recorded", "valid"}
    copied = [sql.Identifier(name) for name in _written(table) if name not in changed]
    statement = sql.SQL(
        "INSERT INTO {table} ({names}, version, valid, recorded) "
        "SELECT {values}, k.next, daterange(k.lower, k.upper), tstzrange(%s, NULL) "
        "FROM {listed} JOIN {table} t ON {match}"
    ).format(
        table=sql.Identifier(SCHEMA, table.name),
        names=sql.SQL(", ").join(copied),
        values=sql.SQL(", ").join(sql.SQL("t.{}").format(name) for name in copied),
        listed=_listed(table, (("next", "int4"), ("lower", "date"), ("upper", "date"))),
        match=_match(table),
    )
    arrays = _arrays(table, [old for old, _, _ in kept])
    rests = [rest for _, rest, _ in kept]
    more = [[version for _, _, version in kept], [rest.lower for rest in rests], [rest.upper for rest in rests]]
    session.execute(statement, [moment, *arrays, *more])


def _add(
    session: psycopg.Connection[Any], table: Table, adding: Sequence[tuple[Row, bytes, int]], moment: datetime
) -> None:
    columns = [name for name in _written(table) if name not in _OWN]
    recorded = TimestamptzRange(moment, None, "[)")
    rows = ([*(row.get(name) for name in columns), version, recorded, digest] for row, digest, version in adding)
    _copy(session, table, [*columns, "version", "recorded", "digest"], rows)


def _copy(
    session: psycopg.Connection[Any], table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    name, listed = sql.Identifier(SCHEMA, table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    told = ([Jsonb(value) if isinstance(value, dict | list) else value for value in row] for row in rows)
    with session.cursor() as cursor:
        # PostgreSQL copies into no table whose rows have a policy for this login; in the private cluster none has.
        if cursor.execute("SELECT row_security_active(%s)", (f"{SCHEMA}.{table.name}",)).fetchone() == (True,):
            _insert(cursor, sql.SQL("INSERT INTO {} ({}) VALUES ").format(name, listed), len(columns), told)
            return
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name, listed)) as copy:
            for row in told:
                copy.write_row(row)


def _insert(cursor: psycopg.Cursor[Any], start: sql.Composed, width: int, rows: Iterable[list[Any]]) -> None:
    one = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * width))
    left = iter(rows)
    while some := list(itertools.islice(left, INSERTED_AT_ONCE)):
        cursor.execute(start + sql.SQL(", ").join([one] * len(some)), [value for row in some for value in row])
