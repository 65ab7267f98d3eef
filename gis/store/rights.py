"""Rights, restrictions and responsibilities: who holds what share of which unit of parcels, since when, by which paper.

The database checks shares itself, when a transaction ends: those of an exclusive type add up to one in each unit, on
every day, as known at every moment.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Connection, Text, and_, any_, func, literal, select, text

from gis.land.rights import RRR, Mortgage, check_shares
from gis.store import frames, units, versions
from gis.store.rights_tables import ba_unit_parcel
from gis.store.schema import rrr
from gis.store.versions import Key, Saved, at, plain

if TYPE_CHECKING:
    from pandas import DataFrame
    from psycopg.types.range import Range

_OPTIONAL = ("source_uid", "encumbers", "rank", "amount_vnd")
# A unit's name stands in the content as `parcel_uid`, as it did before there were units: what a file told then and
# tells again is the same row.
_UNDIGESTED = frozenset({"ba_unit_uid"})


def identity(unit: str, party_uid: str, kind: str, *more: str) -> str:
    """The stable identity of a party's right of a kind in a unit; of a mortgage also by right and paper."""
    return hashlib.sha256("\x1f".join((unit, party_uid, kind, *more)).encode()).hexdigest()[:32]


def save(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Saved:
    """Record rights by party_uid, type, share_num, share_den, valid, and ba_unit_uid or parcel_uid.

    A right told by its parcel is one of the unit that consists of that parcel alone. Optional are source_uid, and of a
    mortgage encumbers, rank and amount_vnd. The id follows from the others.

    Raises:
        BadInput: a right cannot be: its type, share, time or mortgage.
        SharesDoNotAddUp: those of a unit do not, on some days.
        Conflict: a mortgage outlasts its right, or has the rank of another.
    """
    listed = [_complete(row) for row in rows]
    for row in listed:
        _right(row).check()
    units.of_single_parcels(connection, (row["parcel_uid"] for row in listed if "ba_unit_uid" not in row))
    saved = versions.record(
        connection, rrr, [{"ba_unit_uid": row["parcel_uid"], **row} for row in listed], undigested=_UNDIGESTED
    )
    _check_sums(connection, {row["parcel_uid"] for row in listed})
    check_now(connection)
    return saved


def write(connection: Connection, rights: Iterable[RRR], gone: Iterable[tuple[Key, Range[date]]] = ()) -> Saved:
    """Record rights, and that others (by id) do not exist over a time, all from one moment, and check at once.

    Raises:
        BadInput: a right cannot be.
        Conflict: shares do not add up, or a mortgage outlasts its right.
    """
    rows: list[Mapping[str, Any]] = []
    for right in rights:
        right.check()
        loan = right.mortgage
        told = {
            "parcel_uid": right.unit,
            "party_uid": right.party,
            "type": right.type,
            "share_num": right.share.numerator,
            "share_den": right.share.denominator,
            "valid": versions.since(right.start, right.end),
            "source_uid": right.source,
            "encumbers": loan.encumbers if loan else None,
            "rank": loan.rank if loan else None,
            "amount_vnd": loan.amount_vnd if loan else None,
        }
        rows.append({**_complete(told), "ba_unit_uid": right.unit, **({"id": right.id} if right.id else {})})
    saved = versions.record(connection, rrr, rows, gone=gone, undigested=_UNDIGESTED)
    check_now(connection)
    return saved


def check_now(connection: Connection) -> None:
    """Have the database check now what it would check when the transaction ends."""
    connection.execute(text("SET CONSTRAINTS diaba.rrr_adds_up IMMEDIATE"))
    connection.execute(text("SET CONSTRAINTS diaba.rrr_adds_up DEFERRED"))


def current(connection: Connection, as_of: date | None = None, *, known_at: datetime | None = None) -> DataFrame:
    """The rights of a day (today) as the register knew them at a moment (now), by parcel, without amounts and papers.

    A right of a unit of several parcels has a row for each.
    """
    t = ba_unit_parcel
    order = [t.c.parcel_uid, rrr.c.party_uid, rrr.c.type]
    shown = [column for column in rrr.columns if column.name not in {"source_uid", "amount_vnd"}]
    source = rrr.outerjoin(t, and_(t.c.ba_unit_uid == rrr.c.ba_unit_uid, at(t, as_of, known_at)))
    return frames.table(connection, [t.c.parcel_uid, *shown], at(rrr, as_of, known_at), order, source=source)


def of_units(
    connection: Connection,
    uids: Sequence[str],
    as_of: date | None = None,
    *,
    known_at: datetime | None = None,
) -> list[RRR]:
    """All rights in units on a day (today) as the register knew them at a moment (now). For the writer's login."""
    return _read(connection, and_(_in(uids), at(rrr, as_of, known_at)))


def of_all_days(connection: Connection, uid: str, known_at: datetime | None = None) -> list[RRR]:
    """All rights in a unit, of whatever day, as the register knew them at a moment (now). For the writer's login."""
    knew = func.upper_inf(rrr.c.recorded) if known_at is None else rrr.c.recorded.op("@>")(literal(known_at))
    return _read(connection, and_(_in([uid]), knew))


def _in(uids: Sequence[str]) -> Any:
    return rrr.c.ba_unit_uid == any_(literal(list(uids), ARRAY(Text)))


def _check_sums(connection: Connection, uids: set[str]) -> None:
    """What the database checks too, here with an error that keeps its facts."""
    c = rrr.c
    rows = connection.execute(
        select(c.ba_unit_uid, c.type, c.share_num, c.share_den, func.lower(c.valid), func.upper(c.valid))
        .where(_in(sorted(uids)), func.upper_inf(c.recorded))
        .order_by(c.ba_unit_uid, c.type)
    )
    for (unit, kind), held in itertools.groupby(rows, key=lambda row: (row[0], row[1])):
        check_shares(unit, kind, [(Fraction(row[2], row[3]), row[4], row[5]) for row in held])


def _complete(given: Mapping[str, Any]) -> dict[str, Any]:
    """A row without what is not told, with its id and the unit's name in `parcel_uid`."""
    row = {name: plain(value) for name, value in given.items()}
    row = {name: value for name, value in row.items() if value is not None or name not in _OPTIONAL}
    unit = row["parcel_uid"] = row.get("ba_unit_uid") or row["parcel_uid"]
    loan = (row["encumbers"], str(row.get("source_uid") or row.get("rank"))) if row.get("encumbers") else ()
    row["id"] = identity(str(unit), str(row["party_uid"]), str(row["type"]), *loan)
    return row


def _right(row: Mapping[str, Any]) -> RRR:
    num, den = int(row["share_num"]), int(row["share_den"])
    loan = Mortgage(row["encumbers"], row.get("rank") or 0, row.get("amount_vnd")) if row.get("encumbers") else None
    valid = row["valid"]
    return RRR(
        unit=row["parcel_uid"],
        party=row["party_uid"],
        type=row["type"],
        share=Fraction(num, den) if den > 0 else Fraction(0),
        start=valid.lower,
        end=valid.upper,
        source=row.get("source_uid"),
        mortgage=loan,
        id=row["id"],
    )


def _read(connection: Connection, condition: Any) -> list[RRR]:
    c = rrr.c
    order = (c.ba_unit_uid, c.type, c.party_uid, func.lower(c.valid), c.id)
    rows = connection.execute(select(rrr).where(condition).order_by(*order)).mappings()
    return [_right({**row, "parcel_uid": row["ba_unit_uid"]}) for row in rows]
