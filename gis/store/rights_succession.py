"""Rights follow the land: after a split or a merge the units hold the new parcels in the place of those that ended."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from gis.errors import Conflict
from gis.land.land_change import Draft
from gis.land.right_types import MORTGAGE
from gis.land.rights import RRR, BAUnit
from gis.store import rights, units, versions
from gis.store.rights_tables import ba_unit_parcel
from gis.store.versions import since


def follow(connection: Connection, drawn: Draft) -> None:
    """Put the new parcels of a recorded change into the units of those that ended, from the day of the change on.

    A new parcel goes to the units of the parcel it got most of its land from; so after a split the same rights hold
    over all pieces. Of a merge of several units that of the largest part goes on, and the rights in the others end:
    they must be the same rights, by holder, type and share, without a mortgage.

    Raises:
        Conflict: parcels with different rights were merged.
    """
    day = drawn.valid_from
    ended = {parcel.uid for parcel in drawn.parents} - {child.uid for child in drawn.children}
    begun = [child for child in drawn.children if child.uid not in {parcel.uid for parcel in drawn.parents}]
    heir: dict[str, tuple[str, float]] = {}
    for parent, child, area, renoded in drawn.inheritance():
        if not renoded and area > heir.get(child.uid, ("", 0.0))[1]:
            heir[child.uid] = (parent.uid, area)
    before = {unit.uid: unit for uid in sorted(ended) for unit in units.of_parcel(connection, uid, day)}
    after = {
        unit.uid: tuple(sorted((set(unit.parcels) - ended) | {c.uid for c in begun if heir[c.uid][0] in unit.parcels}))
        for unit in before.values()
    }
    left = [before[uid] for uid, parcels in after.items() if not parcels]
    kept = [BAUnit(uid, parcels) for uid, parcels in after.items() if parcels]
    if left:
        _check_same(connection, drawn, left, kept)
    units.compose(connection, kept, day)
    time = since(day)
    versions.record(
        connection, ba_unit_parcel, [], gone=[((unit.uid, one), time) for unit in left for one in unit.parcels]
    )
    ending = [right for unit in left for right in rights.of_all_days(connection, unit.uid)]
    rights.write(connection, [], gone=[((right.id,), time) for right in ending if right.end is None or right.end > day])


def _check_same(connection: Connection, drawn: Draft, left: Sequence[BAUnit], kept: Sequence[BAUnit]) -> None:
    """Refuse to end rights that do not go on in the unit that takes the land."""
    for unit in left:
        held = _content(rights.of_units(connection, [unit.uid], drawn.valid_from))
        for other in kept:
            theirs = _content(rights.of_units(connection, [other.uid], drawn.valid_from))
            if held != theirs or any(kind == MORTGAGE for _, kind, _ in held):
                raise Conflict(
                    f"{drawn.kind.value}: the rights in {unit.uid} and in {other.uid} are not the same, or mortgaged; "
                    "transfer or discharge them first"
                )


def _content(held: Sequence[RRR]) -> set[tuple[str, str, str]]:
    return {(right.party, right.type, str(right.share)) for right in held}
