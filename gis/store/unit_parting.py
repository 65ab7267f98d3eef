"""A unit that parts: some of its parcels become a unit of their own, under the same rights.

After a split the unit of the parcel holds all pieces (`rights_succession`). Before one of them can be sold alone, it is
parted from the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Connection, func, select

from gis.errors import BadInput, Conflict, NotFound
from gis.land.right_types import MORTGAGE
from gis.land.rights import RRR, BAUnit
from gis.store import certificates, rights, units, versions
from gis.store.rights_tables import ba_unit_parcel
from gis.store.schema import rrr


@dataclass(frozen=True, slots=True)
class Parted:
    """What became of a unit."""

    kept: BAUnit
    new: BAUnit
    rights: tuple[RRR, ...]
    """Those in the new unit: the same as in the old one."""
    certificates: tuple[str, ...]
    """Serials of certificates in force that still name the whole; they are to be replaced."""


def part(connection: Connection, uid: str, parcels: Sequence[str], day: date, into: str | None = None) -> Parted:
    """Part parcels from a unit, from a day on.

    Args:
        connection: The caller's transaction.
        uid: the unit.
        parcels: some of its parcels, not all.
        day: the first day of the new unit.
        into: its name; that of the parcel where there is one.

    Raises:
        NotFound: there is no such unit on that day.
        BadInput: a parcel is not of the unit, or none would stay in it.
        Conflict: the name is taken, the unit is mortgaged, or its parcels change later.
    """
    # In the order of `rights_succession`: first the units, then the rights.
    versions.lock(connection, ba_unit_parcel)
    versions.lock(connection, rrr)
    unit = units.current(connection, uid, day)
    if unit is None:
        raise NotFound("unit", f"{uid} on {day}")
    chosen = tuple(sorted(set(parcels)))
    for parcel in chosen:
        if parcel not in unit.parcels:
            raise BadInput(f"parcel {parcel} is not of unit {uid} on {day}, which is of {', '.join(unit.parcels)}")
    kept = tuple(one for one in unit.parcels if one not in chosen)
    if not chosen or not kept:
        raise BadInput(f"unit {uid} is of {', '.join(unit.parcels)}: name some of them, not all")
    name = into or (chosen[0] if len(chosen) == 1 else None)
    if name is None:
        raise BadInput("several parcels need a name for their unit: give --into")
    _check_later(connection, uid, day)
    held = [right for right in rights.of_all_days(connection, uid) if right.end is None or right.end > day]
    mortgages = [right.id for right in held if right.type == MORTGAGE]
    if mortgages:
        raise Conflict(
            f"unit {uid} is mortgaged ({', '.join(mortgages)}): discharge first, then mortgage the parts anew"
        )
    if units.current(connection, name, day) is not None or rights.of_all_days(connection, name):
        raise Conflict(f"unit {name}: there is or was one already; give another name with --into")
    both = BAUnit(uid, kept), BAUnit(name, chosen)
    units.compose(connection, both, day)
    copied = [
        replace(right, unit=name, id="", start=day if right.start is None else max(day, right.start)) for right in held
    ]
    rights.write(connection, copied)
    papers = [one.serial for one in certificates.of_units(connection, [uid], day) if one.status == "issued"]
    return Parted(*both, tuple(rights.of_units(connection, [name], day)), tuple(papers))


def _check_later(connection: Connection, uid: str, day: date) -> None:
    t = ba_unit_parcel.c
    later = select(func.min(func.lower(t.valid))).where(
        t.ba_unit_uid == uid, func.upper_inf(t.recorded), func.lower(t.valid) > day
    )
    when = connection.scalar(later)
    if when is not None:
        raise Conflict(f"the parcels of unit {uid} change on {when}; part it from that day on, or later")
