"""Groups that hold rights as one (LADM's group party), and their members over time. For the writer's login."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction

from sqlalchemy import ARRAY, Connection, Text, any_, func, literal, select

from gis.errors import BadInput
from gis.land.rights import Group, Member, PartyKind
from gis.store import versions
from gis.store.rights_tables import group_member
from gis.store.schema import party
from gis.store.versions import Saved, at, since


def save(connection: Connection, group: Group, start: date | None, end: date | None = None) -> Saved:
    """Say who the members of a group are over a time; who is not named is no member then.

    Raises:
        BadInput: it is no group (see `Group.check`), or the group or a member is not known, or the group is a person.
    """
    group.check()
    names = [member.party for member in group.members]
    listed = party.c.uid == any_(literal([group.uid, *names], ARRAY(Text)))
    rows_known = connection.execute(select(party.c.uid, party.c.kind).where(listed, at(party)))
    kinds = {row.uid: row.kind for row in rows_known}
    missing = sorted({group.uid, *names} - set(kinds))
    if missing:
        raise BadInput(f"group {group.uid}: the party {missing[0]} is not known")
    if kinds[group.uid] != PartyKind.GROUP:
        raise BadInput(f"group {group.uid}: this party is of the kind {kinds[group.uid]}, not a group")
    valid = since(start, end)
    rows = [
        {
            "group_uid": group.uid,
            "member_uid": member.party,
            "share_num": member.share.numerator if member.share is not None else None,
            "share_den": member.share.denominator if member.share is not None else None,
            "valid": valid,
        }
        for member in group.members
    ]
    versions.lock(connection, group_member)
    known = connection.scalars(
        select(group_member.c.member_uid)
        .where(group_member.c.group_uid == group.uid, func.upper_inf(group_member.c.recorded))
        .distinct()
    )
    gone = [((group.uid, one), valid) for one in known if one not in names]
    return versions.record(connection, group_member, rows, gone=gone)


def of_parties(
    connection: Connection, uids: Sequence[str], as_of: date | None = None, *, known_at: datetime | None = None
) -> dict[str, Group]:
    """Those of the parties that are groups with members on a day (today) as known at a moment (now)."""
    c = group_member.c
    listed = c.group_uid == any_(literal(list(uids), ARRAY(Text)))
    rows = connection.execute(
        select(c.group_uid, c.member_uid, c.share_num, c.share_den)
        .where(listed, at(group_member, as_of, known_at))
        .order_by(c.group_uid, c.member_uid)
    )
    members: dict[str, list[Member]] = {}
    for group, member, num, den in rows:
        members.setdefault(group, []).append(Member(member, None if num is None else Fraction(num, den)))
    return {group: Group(group, tuple(found)) for group, found in members.items()}
