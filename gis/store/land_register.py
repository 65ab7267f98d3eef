"""What land changes read and write of the register: parcels held now, neighbours, free names, and the recording."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any

import shapely
from psycopg.types.range import Range
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    any_,
    func,
    insert,
    literal,
    select,
)

from gis import crs as reference
from gis.errors import BadInput, Conflict, NotFound
from gis.land import land_use
from gis.land.draft import Names
from gis.land.land_change import Basis, Draft, LandChange
from gis.land.parcel import ATTRIBUTES, Parcel
from gis.land.topology import NEAR
from gis.store import lineage, parcels, versions
from gis.store.geometry import city_crs, encode
from gis.store.schema import land_change, parcel, parcel_lineage, parcel_version
from gis.store.versions import since

OWN_NAME = re.compile(r"^(?P<root>.*)~(?P<number>\d{1,9})$", re.DOTALL)
"""A uid made by a change: that of the first ancestor, and a number."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A change in the register."""

    change: LandChange
    draft: Draft
    """Its children and neighbours have their versions."""


def held(
    connection: Connection, uids: Sequence[str], day: date, if_version: Mapping[str, int] | None = None
) -> list[Parcel]:
    """The parcels as the register holds them on a day, if nothing after that day is known of them.

    Args:
        connection: The caller's transaction.
        uids: which, in the order of the answer.
        day: the change's.
        if_version: the versions the caller saw; of what it does not name any will do.

    Raises:
        NotFound: a parcel is unknown.
        Conflict: it ended, begins later, has later changes, or is at another version; the message says by what.
    """
    for uid, times in Counter(uids).items():
        if times > 1:
            raise BadInput(f"parcel {uid}: it is named twice")
    condition = and_(among(parcel_version.c.uid, uids), func.upper_inf(parcel_version.c.recorded))
    known: dict[str, list[lineage.RecordedVersion]] = {uid: [] for uid in uids}
    for version in lineage.versions_where(connection, condition):
        known[version.parcel.uid].append(version)
    return [_held(connection, uid, known[uid], day, (if_version or {}).get(uid)) for uid in uids]


def neighbours(connection: Connection, of: Sequence[Parcel], day: date) -> list[Parcel]:
    """All parcels that adjoin some of these on a day or later, as the register holds them."""
    together = shapely.union_all([one.polygon for one in of])
    west, south, east, north = together.bounds
    around = func.ST_MakeEnvelope(west - NEAR, south - NEAR, east + NEAR, north + NEAR, srid(connection))
    table = parcel_version
    condition = and_(
        func.upper_inf(table.c.recorded),
        table.c.valid.op("&&")(func.daterange(day, None)),
        table.c.geom.op("&&")(around),
        ~among(table.c.uid, [one.uid for one in of]),
    )
    found = lineage.parcels_where(connection, condition)
    return [one for one in found if shapely.dwithin(one.polygon, together, NEAR)]


def free_names(connection: Connection, like: Parcel) -> Names:
    """Names nobody has had: uids after a parcel's first ancestor, numbers after the last of its map sheet."""
    own = OWN_NAME.match(like.uid)
    return Names(_free_uids(connection, own["root"] if own else like.uid), _free_numbers(connection, like))


def record(connection: Connection, draft: Draft, basis: Basis, moment: datetime, undoes: int | None = None) -> Recorded:
    """Write a change, whole, in the caller's transaction, all of one moment.

    Args:
        connection: The caller's transaction, which holds the lock of the parcels.
        draft: of parcels read under that lock.
        basis: the papers.
        moment: from the lock.
        undoes: the change this is the contrary of.

    Raises:
        BadInput: the draft has problems.
        Conflict: a uid or a parcel number is another parcel's.
    """
    if draft.problems:
        raise BadInput(f"{draft.kind.value}: {'; '.join(draft.problems)}")
    changing = {one.uid for one in draft.parents}
    _check_uids(connection, draft, undoes)
    _check_numbers(connection, draft)
    parcels.name(connection, (child.uid for child in draft.children))
    gone: list[tuple[versions.Key, Range[date]]] = [
        ((uid,), since(draft.valid_from)) for uid in sorted(changing - {child.uid for child in draft.children})
    ]
    got: dict[tuple[str, date | None], int] = {}
    number = srid(connection)
    for round_ in _rounds([*draft.children, *(after for _, after in draft.neighbours)]):
        saved = versions.record(
            connection, parcel_version, [_row(one, number) for one in round_], gone=gone, moment=moment
        )
        gone = []
        got |= {(one.uid, one.valid_from): saved.versions[(one.uid,)] for one in round_ if (one.uid,) in saved.versions}
    known = replace(
        draft,
        children=tuple(_numbered(child, got) for child in draft.children),
        neighbours=tuple((before, _numbered(after, got)) for before, after in draft.neighbours),
    )
    change = _write_change(connection, known, basis, moment, undoes)
    return Recorded(change, known)


def taken(connection: Connection, draft: Draft, undoes: int | None = None) -> list[str]:
    """Uids and parcel numbers of a draft that are another parcel's, as sentences."""
    checks = (partial(_check_uids, connection, draft, undoes), partial(_check_numbers, connection, draft))
    found = []
    for check in checks:
        try:
            check()
        except (BadInput, Conflict) as error:
            found.append(str(error))
    return found


def among(column: Column[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """The condition that a text is one of many: one parameter, however many they are."""
    return column == any_(literal(list(values), ARRAY(Text)))


def srid(connection: Connection) -> int:
    """The number of the city's horizontal CRS."""
    return reference.srid(reference.horizontal(city_crs(connection)))


def _held(
    connection: Connection, uid: str, known: list[lineage.RecordedVersion], day: date, expected: int | None
) -> Parcel:
    if not known:
        by = _ended_by(connection, uid)
        if by is None:
            raise NotFound("parcel", uid)
        raise Conflict(f"parcel {uid} is no more{_by(by)}, of the day it began")
    now = next((one for one in known if one.parcel.holds_on(day)), None)
    later = [one for one in known if one.parcel.valid_from is not None and one.parcel.valid_from > day]
    if now is None and later:
        first = min(later, key=lambda one: one.parcel.valid_from or date.min)
        raise Conflict(f"parcel {uid} begins on {first.parcel.valid_from}{_by(first.change)}, after {day}")
    if now is None:
        last = max(one.parcel.valid_to or date.min for one in known)
        raise Conflict(f"parcel {uid} ended on {last}{_by(_ended_by(connection, uid))}")
    if later or now.parcel.valid_to is not None:
        when = now.parcel.valid_to or min(one.parcel.valid_from or date.min for one in later)
        by = later[0].change if later else _ended_by(connection, uid)
        raise Conflict(f"parcel {uid} changes on {when}{_by(by)}; a change from {day} would contradict that")
    if expected is not None and now.parcel.version != expected:
        raise Conflict(
            f"parcel {uid} is at version {now.parcel.version}{_by(now.change)}, not {expected} any more; look again"
        )
    return now.parcel


def _ended_by(connection: Connection, uid: str) -> int | None:
    """The change that ended a parcel: the last in which a version of it was a parent."""
    table = parcel_lineage
    newest = select(func.max(table.c.change)).where(table.c.parent_uid == uid, ~table.c.renoded)
    number: int | None = connection.scalar(newest)
    return number


def _by(change: int | None) -> str:
    return "" if change is None else f" by change {change}"


def _free_uids(connection: Connection, root: str) -> Iterator[str]:
    """Asked for a hundred at once: their own index answers, where a search for a beginning would read all uids."""
    for first in itertools.count(1, 100):
        asked = [f"{root}~{number}" for number in range(first, first + 100)]
        had = set(connection.scalars(select(parcel.c.uid).where(among(parcel.c.uid, asked))))
        yield from (uid for uid in asked if uid not in had)


def _free_numbers(connection: Connection, like: Parcel) -> Iterator[str | None]:
    if like.parcel_no is None:
        return itertools.repeat(None)
    table = parcel_version
    same = and_(table.c.ward_code == like.ward_code, table.c.sheet_no == like.sheet_no)
    whole = table.c.parcel_no.op("~")("^[0-9]{1,9}$")
    last = connection.scalar(select(func.max(table.c.parcel_no.cast(Integer))).where(same, whole))
    return (str(number) for number in itertools.count(1 + (last or 0)))


def _check_uids(connection: Connection, draft: Draft, undoes: int | None) -> None:
    """A new parcel's uid must be new; one that comes back by an undoing must not be held."""
    kept = {one.uid for one in draft.parents}
    fresh = [child.uid for child in draft.children if child.uid not in kept]
    for uid in fresh:
        if fresh.count(uid) > 1:
            raise BadInput(f"parcel {uid}: two new parcels have this uid")
    if undoes is None:
        taken = connection.scalars(select(parcel.c.uid).where(among(parcel.c.uid, fresh)).order_by(parcel.c.uid)).all()
        why = "there is or was one already; a new parcel needs a new uid"
    else:
        table = parcel_version
        held = and_(
            among(table.c.uid, fresh),
            func.upper_inf(table.c.recorded),
            table.c.valid.op("&&")(func.daterange(draft.valid_from, None)),
        )
        taken = connection.scalars(select(table.c.uid).where(held).order_by(table.c.uid)).all()
        why = f"it is registered for days after {draft.valid_from} already"
    if taken:
        raise Conflict(f"parcel {taken[0]}: {why}")


def _check_numbers(connection: Connection, draft: Draft) -> None:
    """No two parcels of one time have one number; parents that end or get another number have it no more."""
    named = [child for child in draft.children if None not in child.number]
    by_number: dict[tuple[str | None, ...], str] = {}
    for child in named:
        if by_number.setdefault(child.number, child.uid) != child.uid:
            raise Conflict(f"{_named(child)}: two new parcels would have this number")
    changed = {one.uid: one.number for one in draft.parents}
    fresh = [child for child in named if changed.get(child.uid) != child.number]
    if not fresh:
        return
    table = parcel_version
    wanted = {child.number: child.uid for child in fresh}
    columns = (table.c.ward_code, table.c.sheet_no, table.c.parcel_no)
    condition = and_(
        # Each part by itself, so that a whole ward may be asked for at once; the whole number is compared below.
        *(among(column, sorted({str(number[n]) for number in wanted})) for n, column in enumerate(columns)),
        func.upper_inf(table.c.recorded),
        table.c.valid.op("&&")(func.daterange(draft.valid_from, None)),
        ~among(table.c.uid, list(changed)),
    )
    for uid, *number in connection.execute(select(table.c.uid, *columns).where(condition).order_by(table.c.uid)):
        if tuple(number) in wanted:
            ward, sheet, parcel_no = number
            raise Conflict(f"ward {ward} sheet {sheet} parcel {parcel_no} is the number of {uid}")


def _named(one: Parcel) -> str:
    return f"ward {one.ward_code} sheet {one.sheet_no} parcel {one.parcel_no}"


def _rounds(rows: Sequence[Parcel]) -> Iterator[list[Parcel]]:
    """The rows in lists of which each has a uid once: a neighbour may have several versions, one after another."""
    left = list(rows)
    while left:
        taken: dict[str, Parcel] = {}
        for one in left:
            taken.setdefault(one.uid, one)
        yield list(taken.values())
        left = [one for one in left if taken[one.uid] is not one]


def _row(one: Parcel, number: int) -> dict[str, Any]:
    facts = {name: getattr(one, name) for name in ATTRIBUTES}
    # What has no portions is told, and digested, as it was before there were any.
    uses = {"land_uses": land_use.documents(one.land_uses)} if one.land_uses else {}
    return {
        "uid": one.uid,
        **facts,
        **uses,
        "geom": encode([one.polygon], number)[0],
        "valid": since(one.valid_from, one.valid_to),
    }


def _numbered(one: Parcel, got: Mapping[tuple[str, date | None], int]) -> Parcel:
    return replace(one, version=got.get((one.uid, one.valid_from), 0))


def _write_change(
    connection: Connection, draft: Draft, basis: Basis, moment: datetime, undoes: int | None
) -> LandChange:
    values = {
        "kind": draft.kind.value,
        "valid_from": draft.valid_from,
        "approved_at": basis.approved_at,
        "legal_ref": basis.legal_ref,
        "dossier": basis.dossier,
        "area_before": draft.area_before,
        "area_after": draft.area_after,
        "undoes": undoes,
        "recorded_at": moment,
    }
    number = connection.execute(insert(land_change).values(**values).returning(land_change.c.id)).scalar_one()
    columns = [column.name for column in parcel_lineage.columns]
    rows = [
        [number, parent.uid, parent.version, child.uid, child.version, area, renoded]
        for parent, child, area, renoded in draft.inheritance()
        if child.version
    ]
    versions.copy_in(connection, parcel_lineage, columns, rows)
    return LandChange(
        id=number,
        kind=draft.kind,
        valid_from=draft.valid_from,
        basis=basis,
        area_before=draft.area_before,
        area_after=draft.area_after,
        recorded_at=moment,
        undoes=undoes,
    )
