"""Extracts of parcels out of the store. For the writer's login alone: they name people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import ARRAY, Connection, Text, any_, func, literal, select

from gis import crs as reference
from gis.calendar import ZONE, today
from gis.errors import NotFound
from gis.land.extract import Extract, Ground
from gis.land.land_use import of_documents
from gis.land.rights import Party
from gis.store import certificates, groups, restrictions, rights, sources, units
from gis.store.geometry import city_crs
from gis.store.identity_keys import decrypt, key_of
from gis.store.schema import parcel_version, party
from gis.store.versions import at

SHOWN_DIGITS = 3


def extract(
    connection: Connection, uid: str, as_of: date | None = None, *, known_at: datetime | None = None
) -> Extract:
    """All about a parcel on a day (today) as the register knew it at a moment (now).

    Raises:
        NotFound: the register knows no such parcel on that day.
        IdentityClosed: the login may not see people.
    """
    day = as_of or today()
    ground = _ground(connection, uid, day, known_at)
    key = key_of(connection)
    of_day = units.of_parcel(connection, uid, day, known_at=known_at)
    named = [unit.uid for unit in of_day]
    held = rights.of_units(connection, named, day, known_at=known_at)
    day_ended = datetime.combine(day + timedelta(days=1), time(), ZONE)
    then = day_ended if known_at is None else min(day_ended, known_at)
    believed_units = [unit.uid for unit in units.of_parcel(connection, uid, day, known_at=then)]
    believed = rights.of_units(connection, believed_units, day, known_at=then)
    holders = {right.party for right in (*held, *believed)}
    found_groups = groups.of_parties(connection, sorted(holders), day, known_at=known_at)
    people = holders | {member.party for group in found_groups.values() for member in group.members}
    papers = certificates.of_units(connection, named, day, known_at=known_at)
    burdens = restrictions.of_parcel(connection, uid, day, known_at=known_at)
    cited = [
        *(right.source for right in (*held, *believed)),
        *(one.source for one in papers),
        *(one.source for one in burdens),
    ]
    parties, identities = _people(connection, sorted(people), known_at, key)
    return Extract(
        ground=ground,
        crs=reference.name_of(reference.horizontal(city_crs(connection))),
        as_of=day,
        known_at=known_at,
        units=tuple(of_day),
        rights=tuple(held),
        parties=parties,
        groups=found_groups,
        identities=identities,
        papers={one.uid: one for one in sources.of_uids(connection, _told(cited), known_at=known_at)},
        certificates=tuple(papers),
        restrictions=tuple(burdens),
        believed=tuple(believed),
    )


def _ground(connection: Connection, uid: str, day: date, known_at: datetime | None) -> Ground:
    c = parcel_version.c
    inside = func.ST_PointOnSurface(c.geom, type_=None)
    numbers = (c.sheet_no, c.parcel_no, c.old_sheet_no, c.old_parcel_no, c.address, c.land_use)
    row = connection.execute(
        select(
            c.uid,
            c.ward_code,
            *numbers,
            c.area_legal,
            c.area_measured,
            func.ST_X(inside),
            func.ST_Y(inside),
            func.lower(c.valid),
            c.land_uses,
        ).where(c.uid == uid, at(parcel_version, day, known_at))
    ).one_or_none()
    if row is None:
        raise NotFound("parcel", f"{uid} on {day}, as the register knew it {known_at or 'now'}")
    told = tuple(row)
    return replace(Ground(*told[:-1]), land_uses=of_documents(told[-1]))


def _people(
    connection: Connection, uids: Sequence[str], known_at: datetime | None, key: bytes
) -> tuple[dict[str, Party], dict[str, str]]:
    c = party.c
    listed = c.uid == any_(literal(list(uids), ARRAY(Text)))
    rows = connection.execute(
        select(c.uid, c.kind, c.name, c.id_no_encrypted).where(listed, at(party, known_at=known_at)).order_by(c.uid)
    ).all()
    parties = {row[0]: Party(row[0], row[1], row[2]) for row in rows}
    hidden: dict[str, str] = {}
    for uid, _, _, secret in rows:
        if secret is not None:
            number = decrypt(connection, bytes(secret), key)
            shown = number[-SHOWN_DIGITS:] if len(number) > 2 * SHOWN_DIGITS else ""
            hidden[uid] = "*" * (len(number) - len(shown)) + shown
    return parties, hidden


def _told(uids: Iterable[str | None]) -> list[str]:
    return sorted({uid for uid in uids if uid is not None})
