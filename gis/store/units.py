"""Basic administrative units (LADM): which parcels the same rights are held over, since when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import ARRAY, Connection, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from gis.errors import BadInput
from gis.land.rights import BAUnit
from gis.store import versions
from gis.store.rights_tables import ba_unit_parcel
from gis.store.schema import ba_unit, parcel
from gis.store.versions import Saved, at, since


def name(connection: Connection, uids: Iterable[str]) -> None:
    """Make units known by their names, so that rights may refer to them; the known stay as they are."""
    rows = [{"uid": uid} for uid in sorted(set(uids))]
    if rows:
        connection.execute(insert(ba_unit).on_conflict_do_nothing(), rows)


def compose(connection: Connection, units: Iterable[BAUnit], start: date | None, end: date | None = None) -> Saved:
    """Say which parcels units consist of over a time; a parcel that is not named is not part of its unit then.

    Raises:
        BadInput: a unit has no parcel, one twice, or one that the register does not know.
    """
    listed = list(units)
    wanted = [one for unit in listed for one in unit.parcels]
    found = connection.scalars(select(parcel.c.uid).where(parcel.c.uid == any_(literal(wanted, ARRAY(Text)))))
    missing = set(wanted) - set(found)
    for unit in listed:
        if not unit.parcels or len(set(unit.parcels)) < len(unit.parcels) or missing & set(unit.parcels):
            unknown = ", ".join(sorted(missing & set(unit.parcels)))
            raise BadInput(
                f"unit {unit.uid}: name each of its parcels once{f'; {unknown} is not known' * bool(unknown)}"
            )
    name(connection, (unit.uid for unit in listed))
    valid = since(start, end)
    rows = [{"ba_unit_uid": unit.uid, "parcel_uid": one, "valid": valid} for unit in listed for one in unit.parcels]
    versions.lock(connection, ba_unit_parcel)
    t = ba_unit_parcel.c
    of_units = t.ba_unit_uid == any_(literal([unit.uid for unit in listed], ARRAY(Text)))
    known = connection.execute(
        select(t.ba_unit_uid, t.parcel_uid).where(of_units, func.upper_inf(t.recorded)).distinct()
    )
    kept = {(unit.uid, one) for unit in listed for one in unit.parcels}
    gone = [((unit, one), valid) for unit, one in known if (unit, one) not in kept]
    return versions.record(connection, ba_unit_parcel, rows, gone=gone)


def of_single_parcels(connection: Connection, parcels: Iterable[str]) -> None:
    """Make a unit of each parcel alone, of the parcel's name, for all time; those composed stay as they are."""
    wanted = sorted(set(parcels))
    t = ba_unit_parcel.c
    listed = t.ba_unit_uid == any_(literal(wanted, ARRAY(Text)))
    known = set(connection.scalars(select(t.ba_unit_uid).where(listed, func.upper_inf(t.recorded)).distinct()))
    new = [uid for uid in wanted if uid not in known]
    name(connection, new)
    rows = ({"ba_unit_uid": uid, "parcel_uid": uid, "valid": since(None)} for uid in new)
    versions.record(connection, ba_unit_parcel, rows)


def of_parcel(
    connection: Connection, uid: str, as_of: date | None = None, *, known_at: datetime | None = None
) -> list[BAUnit]:
    """The units a parcel is part of on a day (today) as the register knew them at a moment (now), by uid."""
    t = ba_unit_parcel
    mine = select(t.c.ba_unit_uid).where(t.c.parcel_uid == uid, at(t, as_of, known_at))
    return _units(connection, list(connection.scalars(mine)), as_of, known_at)


def current(
    connection: Connection, uid: str, as_of: date | None = None, *, known_at: datetime | None = None
) -> BAUnit | None:
    """A unit on a day (today) as the register knew it at a moment (now); None when it had no parcel."""
    found = _units(connection, [uid], as_of, known_at)
    return found[0] if found else None


def _units(connection: Connection, uids: Sequence[str], as_of: date | None, known_at: datetime | None) -> list[BAUnit]:
    t = ba_unit_parcel
    rows = connection.execute(
        select(t.c.ba_unit_uid, t.c.parcel_uid)
        .where(t.c.ba_unit_uid == any_(literal(list(uids), ARRAY(Text))), at(t, as_of, known_at))
        .order_by(t.c.ba_unit_uid, t.c.parcel_uid)
    ).all()
    return [
        BAUnit(unit, tuple(one for other, one in rows if other == unit))
        for unit in dict.fromkeys(row[0] for row in rows)
    ]
