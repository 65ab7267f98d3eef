"""Parties that a document of rights brings with it become known. For the writer's login."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import ARRAY, Connection, Text, any_, func, literal, select

from gis.errors import BadInput, NotFound
from gis.land.document_fields import NewParty
from gis.land.rights import Group
from gis.store import groups, parties
from gis.store.rights_tables import group_member
from gis.store.schema import party
from gis.store.versions import at


def introduce(connection: Connection, told: Sequence[NewParty], day: date) -> None:
    """Record parties told in full, and the members of groups from a day on.

    One that is known must be told as it is known, or gets the number or the members it had not.

    Raises:
        BadInput: it is known otherwise, or a member is not known.
    """
    for one in told:
        known = connection.execute(
            select(party.c.kind, party.c.name).where(party.c.uid == one.uid, at(party))
        ).one_or_none()
        if known is not None and tuple(known) != (one.kind.value, one.name):
            raise BadInput(f"party {one.uid}: the register knows this uid under another name or kind")
        number = parties.identity_number(connection, one.uid) if known is not None else None
        if number is not None and one.id_no not in (None, number):
            raise BadInput(f"party {one.uid}: the register knows another identity number of it")
        row = {"uid": one.uid, "kind": one.kind.value, "name": one.name, "id_no": one.id_no or number}
        parties.save(connection, [row])
    for one in told:
        if one.group is not None:
            _form(connection, one.group, day)


def require(connection: Connection, uids: Iterable[str]) -> None:
    """Refuse parties that the register does not know.

    Raises:
        NotFound: one is not known; the first is named.
    """
    named = list(uids)
    listed = party.c.uid == any_(literal(named, ARRAY(Text)))
    known = set(connection.scalars(select(party.c.uid).where(listed, func.upper_inf(party.c.recorded))))
    missing = [name for name in named if name not in known]
    if missing:
        raise NotFound("party", missing[0])


def _form(connection: Connection, group: Group, day: date) -> None:
    """Give a group its members, unless it has these on the day already."""
    if groups.of_parties(connection, [group.uid], day).get(group.uid) == group:
        return
    c = group_member.c
    some = select(c.member_uid).where(c.group_uid == group.uid, func.upper_inf(c.recorded)).limit(1)
    if connection.scalar(some) is not None:
        raise BadInput(f"group {group.uid}: the register knows other members of it on {day}")
    groups.save(connection, group, day)
