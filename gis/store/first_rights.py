"""A unit of parcels that had no rights gets its holders, in one transaction. For the writer's login.

Parcels come into the register by surveys, which know no holders; every other change of rights begins from these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg.types.range import Range
from sqlalchemy import ARRAY, ColumnElement, Connection, Text, any_, func, literal, select

from gis.errors import BadInput, Conflict, NotFound
from gis.land.certificates import Certificate
from gis.land.first_rights import FirstRights
from gis.land.rights import RRR, BAUnit
from gis.store import certificates, introductions, rights, sources, units, versions
from gis.store.rights_tables import ba_unit_parcel
from gis.store.schema import parcel, parcel_version, rrr
from gis.store.versions import since


@dataclass(frozen=True, slots=True)
class Granted:
    """What was recorded."""

    unit: BAUnit
    rights: tuple[RRR, ...]
    certificate: Certificate | None


def grant(connection: Connection, told: FirstRights) -> Granted:
    """Record a document of first rights: its parties, its paper, the unit, the rights and the certificate.

    Raises:
        BadInput: no state of the register could allow it, a party is known otherwise, or the unit has the name of a
            parcel that is not its own.
        NotFound: a parcel or a party is not known.
        Conflict: a parcel does not exist, or is of a unit already, on some day of the time; or the unit or the
            certificate is known.
    """
    told.check()
    # In the order of the import of registers and of land changes: parties, papers, parcels, units, rights.
    introductions.introduce(connection, told.parties, told.day)
    sources.save(connection, [told.source])
    for table in (parcel_version, ba_unit_parcel, rrr):
        versions.lock(connection, table)
    introductions.require(connection, (right.party for right in told.rights))
    time = since(told.day, told.until)
    _check_parcels(connection, told.unit, time)
    _check_free(connection, told.unit, time)
    units.compose(connection, [told.unit], told.day, told.until)
    rights.write(connection, told.rights)
    if told.certificate is not None:
        if certificates.newest(connection, told.certificate.serial) is not None:
            raise Conflict(f"certificate {told.certificate.serial}: the register has it already")
        certificates.save(connection, [told.certificate])
    return Granted(told.unit, tuple(rights.of_units(connection, [told.unit.uid], told.day)), told.certificate)


def _check_parcels(connection: Connection, unit: BAUnit, time: Range[date]) -> None:
    """Refuse parcels that are not there on each day of the time, and a name that is another parcel's."""
    named = connection.scalar(select(parcel.c.uid).where(parcel.c.uid == unit.uid))
    if named is not None and unit.uid not in unit.parcels:
        raise BadInput(f"unit {unit.uid}: that is the name of a parcel which is not of the unit; give another")
    c = parcel_version.c
    rows = connection.execute(
        select(c.uid, c.valid)
        .where(_among(c.uid, unit.parcels), func.upper_inf(c.recorded))
        .order_by(func.lower(c.valid))
    ).all()
    for uid in unit.parcels:
        found: list[Range[date]] = [row.valid for row in rows if row.uid == uid]
        if not found:
            raise NotFound("parcel", uid)
        missing = _first_day_without(found, time)
        if missing is not None:
            raise Conflict(f"parcel {uid}: it is not valid on {missing}, and rights in it are told {_told(time)}")


def _first_day_without(held: Sequence[Range[date]], time: Range[date]) -> date | None:
    """The first day of a time that none of the times held, by their first days, has."""
    day = time.lower
    for one in held:
        starts = one.lower is None or (day is not None and one.lower <= day)
        if starts and (one.upper is None or (day is not None and day < one.upper)):
            day = one.upper
            if day is None or (time.upper is not None and time.upper <= day):
                return None
    return day


def _check_free(connection: Connection, unit: BAUnit, time: Range[date]) -> None:
    """Refuse parcels that are of a unit at some day of the time, and a unit that has parcels or rights then."""
    t = ba_unit_parcel.c
    common = t.valid.op("&&")(literal(time, t.valid.type))
    taken = connection.execute(
        select(t.parcel_uid, t.ba_unit_uid, t.valid)
        .where(_among(t.parcel_uid, unit.parcels), common, func.upper_inf(t.recorded))
        .order_by(t.parcel_uid, func.lower(t.valid))
        .limit(1)
    ).one_or_none()
    if taken is not None:
        raise Conflict(
            f"parcel {taken.parcel_uid}: it is of unit {taken.ba_unit_uid} {_told(taken.valid)}; its rights go on by a "
            "transfer"
        )
    composed = select(t.parcel_uid).where(t.ba_unit_uid == unit.uid, common, func.upper_inf(t.recorded)).limit(1)
    c = rrr.c
    held = (
        select(c.id)
        .where(c.ba_unit_uid == unit.uid, c.valid.op("&&")(literal(time, c.valid.type)), func.upper_inf(c.recorded))
        .limit(1)
    )
    if connection.scalar(composed) is not None or connection.scalar(held) is not None:
        raise Conflict(f"unit {unit.uid}: the register has one of this name {_told(time)}")


def _among(column: ColumnElement[Any], uids: Sequence[str]) -> ColumnElement[bool]:
    return column == any_(literal(list(uids), ARRAY(Text)))


def _told(time: Range[date]) -> str:
    start = "from the beginning" if time.lower is None else f"from {time.lower}"
    return f"{start} on" if time.upper is None else f"{start} to {time.upper}"
