"""Land changes in the register: each is drawn under the lock of the parcels and written whole, in one transaction.

The lock is one for all parcels of the city and held for about a tenth of a second (decision 13). Who comes second
sees what the first made: with `if_version`, or where the parcel has ended, it gets a `Conflict`. With `dry_run` nothing
is locked and nothing written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, cast

import shapely
from shapely import LineString
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, and_, exists, func, select, text

from gis.errors import BadInput, Conflict
from gis.land import draft
from gis.land.draft import Part
from gis.land.land_change import OUTLINES, Basis, Draft, LandChangeKind
from gis.land.land_use import LandUsePortion, changed, main_use, written
from gis.land.parcel import Parcel
from gis.land.subdivision import Road, Zone
from gis.settings import DEFAULT_JURISDICTION
from gis.store import land_register, lineage, rights_succession, versions
from gis.store.geometry import binary
from gis.store.land_register import Recorded, free_names, held, neighbours
from gis.store.schema import parcel_lineage, parcel_version, road

ROADS_WITHIN = 60.0
"""m; half the widest road reserve there is, and more."""


@dataclass(frozen=True, slots=True)
class Order:
    """What all changes are told: from which day, by which papers, on which versions, and whether only to try."""

    valid_from: date
    basis: Basis = field(default_factory=Basis)
    if_version: Mapping[str, int] | None = None
    """The versions the caller decided upon; another one is a `Conflict`."""
    zone: Zone | None = None
    """For the minima of a split; from the ward's code when not told."""
    jurisdiction: str = DEFAULT_JURISDICTION
    """Whose minima."""
    dry_run: bool = False


Done = Recorded | Draft
"""The change in the register; of a dry run its draft."""


def split(
    connection: Connection,
    uid: str,
    cut: BaseGeometry | Sequence[Part],
    order: Order,
    *,
    small_into: str | None = None,
) -> Done:
    """Cut a parcel by lines or into parts; what is below the minima may go to a neighbour in the same change.

    Raises:
        BadGeometry: it cannot be cut so.
        BadInput: a piece is below the minima.
        NotFound: the parcel is unknown.
        Conflict: the parcel ended or changed, or a name is taken.
    """
    moment = _begin(connection, order)
    parents = held(connection, [uid, *([small_into] if small_into else [])], order.valid_from, order.if_version)
    drawn = draft.split(
        parents[0],
        cut,
        order.valid_from,
        free_names(connection, parents[0]),
        [*neighbours(connection, parents, order.valid_from), *parents[1:]],
        zone=order.zone,
        jurisdiction=order.jurisdiction,
        roads=_roads(connection, parents[0], order.valid_from),
        small_into=parents[1] if small_into else None,
    )
    return _end(connection, drawn, order, moment)


def merge(connection: Connection, uids: Sequence[str], order: Order, *, told: Mapping[str, Any] | None = None) -> Done:
    """Make neighbours one parcel; `told` are attributes of the new one, `uid` among them.

    Raises:
        BadGeometry: they do not adjoin.
        NotFound: a parcel is unknown.
        Conflict: a parcel ended or changed, or a name is taken.
    """
    moment = _begin(connection, order)
    parents = held(connection, uids, order.valid_from, order.if_version)
    around = neighbours(connection, parents, order.valid_from)
    names = free_names(connection, parents[0])
    drawn = draft.merge(parents, order.valid_from, names, around, told=told)
    return _end(connection, drawn, order, moment)


def adjust(connection: Connection, uids: Sequence[str], cut: BaseGeometry | Sequence[Part], order: Order) -> Done:
    """Move the common boundary of neighbours; `cut` is the new one as lines, or a part for each in the order of `uids`.

    Raises:
        BadGeometry: they do not adjoin, or there is not one piece for each.
        BadInput: a parcel that loses land is below the minima.
        NotFound: a parcel is unknown.
        Conflict: a parcel ended or changed.
    """
    moment = _begin(connection, order)
    parents = held(connection, uids, order.valid_from, order.if_version)
    drawn = draft.adjust(
        parents,
        cut,
        order.valid_from,
        neighbours(connection, parents, order.valid_from),
        zone=order.zone,
        jurisdiction=order.jurisdiction,
        roads=_roads(connection, parents[0], order.valid_from),
    )
    return _end(connection, drawn, order, moment)


def resurvey(connection: Connection, outlines: Mapping[str, Part], order: Order) -> Done:
    """Give parcels the outlines of a new survey, all of them in one change.

    Raises:
        BadInput: they would overlap others or leave land along a neighbour to nobody.
        NotFound: a parcel is unknown.
        Conflict: a parcel ended or changed.
    """
    moment = _begin(connection, order)
    parents = held(connection, list(outlines), order.valid_from, order.if_version)
    fresh = [replace(parcel, polygon=outlines[parcel.uid].polygon) for parcel in parents]
    around = neighbours(connection, [*parents, *fresh], order.valid_from)
    drawn = draft.resurvey(parents, list(outlines.values()), order.valid_from, around)
    return _end(connection, drawn, order, moment)


def renumber(connection: Connection, numbers: Mapping[str, tuple[str, str]], order: Order) -> Done:
    """Give parcels new sheet and parcel numbers; the old ones stay beside them.

    Raises:
        BadInput: nothing would change.
        NotFound: a parcel is unknown.
        Conflict: a number is another parcel's, or a parcel ended or changed.
    """
    parents, moment = _read(connection, list(numbers), order)
    told = [
        {
            "sheet_no": numbers[parcel.uid][0],
            "parcel_no": numbers[parcel.uid][1],
            "old_sheet_no": parcel.sheet_no,
            "old_parcel_no": parcel.parcel_no,
        }
        if numbers[parcel.uid] != (parcel.sheet_no, parcel.parcel_no)
        else {}
        for parcel in parents
    ]
    return _attributes(connection, LandChangeKind.RENUMBERING, parents, told, order, moment)


def change_use(connection: Connection, uids: Sequence[str], land_use: str, order: Order) -> Done:
    """Change the land use of parcels.

    Raises:
        BadInput: nothing would change.
        NotFound: a parcel is unknown.
        Conflict: a parcel ended or changed.
    """
    parents, moment = _read(connection, uids, order)
    told: list[Mapping[str, Any]] = [{"land_use": land_use, "land_uses": ()}] * len(parents)
    return _attributes(connection, LandChangeKind.CHANGE_OF_USE, parents, told, order, moment)


def change_use_of_part(
    connection: Connection, uid: str, before: str | None, after: LandUsePortion, order: Order
) -> Done:
    """Put a part of a parcel's area under another use; its land uses are kept with their areas from then on.

    Args:
        connection: The caller's transaction.
        uid: the parcel.
        before: the use the part had; may be left out of a parcel with one use.
        after: the part's use, area, term and origin.
        order: day, papers and version.

    Raises:
        BadInput: it has not as much under that use, or several and none was named.
        NotFound: the parcel is unknown.
        Conflict: the parcel ended or changed.
    """
    (parent,), moment = _read(connection, [uid], order)
    codes = sorted({one.code for one in parent.uses})
    if before is None and len(codes) != 1:
        has = written(parent.uses) or "no known use"
        raise BadInput(f"parcel {uid} has {has}: name the use the part had (--from)")
    uses = changed(parent.uses, before or codes[0], after)
    plain = len(uses) == 1 and uses[0].kind == (uses[0].code, None, None)
    told: list[Mapping[str, Any]] = [{"land_use": main_use(uses), "land_uses": () if plain else uses}]
    return _attributes(connection, LandChangeKind.CHANGE_OF_USE, [parent], told, order, moment)


def succeed_unit(connection: Connection, old_ward: str, new_ward: str, order: Order) -> Done:
    """Give all parcels of a ward the code of its successor.

    Raises:
        BadInput: the ward has no parcel on that day.
        Conflict: a parcel has later changes, or a number is taken in the successor: renumber first.
    """
    moment = _begin(connection, order)
    mine = and_(
        parcel_version.c.ward_code == old_ward,
        func.upper_inf(parcel_version.c.recorded),
        parcel_version.c.valid.op("@>")(order.valid_from),
    )
    uids = connection.scalars(select(parcel_version.c.uid).where(mine).order_by(parcel_version.c.uid)).all()
    if not uids:
        raise BadInput(f"ward {old_ward}: it has no parcel on {order.valid_from}")
    parents = held(connection, uids, order.valid_from, order.if_version)
    told: list[Mapping[str, Any]] = [{"ward_code": new_ward}] * len(parents)
    return _attributes(connection, LandChangeKind.UNIT_SUCCESSION, parents, told, order, moment)


def undo(connection: Connection, number: int, order: Order) -> Done:
    """Undo a change by its contrary: from the order's day the parcels are what they were before it.

    The history stays. What came of the change must be as it left it, but for points of neighbours on its boundary and
    for changes undone since.

    Raises:
        NotFound: there is no such change.
        Conflict: it was undone already, or what came of it was changed later; the message says by what.
    """
    moment = _begin(connection, order)
    change = lineage.find_change(connection, number)
    if change.undone_by is not None:
        raise Conflict(f"change {number} was undone already by change {change.undone_by}")
    if order.valid_from < change.valid_from:
        raise Conflict(
            f"change {number} is of {change.valid_from}; it cannot be undone from {order.valid_from}, before it"
        )
    before, after = _sides(connection, number)
    children = held(connection, sorted({uid for uid, _ in after}), order.valid_from, order.if_version)
    for child in children:
        if (child.uid, child.version) in after:
            continue
        made = lineage.made_by(connection, child)
        if number not in made:
            by = f"change {made[0]}" if made else "what was imported"
            raise Conflict(f"parcel {child.uid} was changed after change {number} by {by}; undo that first")
    kind = change.kind.contrary
    if kind in OUTLINES:
        around = neighbours(connection, [*children, *before], order.valid_from)
        changing = {child.uid for child in children}
        others = [one for one in around if one.uid not in changing]
        drawn = draft.restored(kind, children, before, order.valid_from, others)
    else:
        was = {parcel.uid: parcel for parcel in before}
        told = [{name: getattr(was[child.uid], name) for name in _SAID} for child in children]
        drawn = draft.attributes(kind, children, told, order.valid_from)
    return _end(connection, drawn, order, moment, undoes=number)


_SAID = ("ward_code", "sheet_no", "parcel_no", "old_sheet_no", "old_parcel_no", "land_use", "land_uses")


def _begin(connection: Connection, order: Order) -> datetime:
    """The lock of the parcels, and the moment of the change."""
    if order.dry_run:
        now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return now
    return versions.lock(connection, parcel_version)


def _read(connection: Connection, uids: Sequence[str], order: Order) -> tuple[list[Parcel], datetime]:
    moment = _begin(connection, order)
    if not uids:
        raise BadInput("no parcel is named")
    return held(connection, uids, order.valid_from, order.if_version), moment


def _end(connection: Connection, drawn: Draft, order: Order, moment: datetime, undoes: int | None = None) -> Done:
    if order.dry_run:
        taken = land_register.taken(connection, drawn, undoes)
        return replace(drawn, problems=(*drawn.problems, *taken))
    recorded = land_register.record(connection, drawn, order.basis, moment, undoes)
    rights_succession.follow(connection, recorded.draft)
    return recorded


def _attributes(
    connection: Connection,
    kind: LandChangeKind,
    parents: Sequence[Parcel],
    told: Sequence[Mapping[str, Any]],
    order: Order,
    moment: datetime,
) -> Done:
    changed = [
        (parcel, new)
        for parcel, new in zip(parents, told, strict=True)
        if any(getattr(parcel, name) != value for name, value in new.items())
    ]
    if not changed:
        raise BadInput(f"parcel {parents[0].uid}: it is so already, nothing would change")
    drawn = draft.attributes(kind, [one for one, _ in changed], [new for _, new in changed], order.valid_from)
    return _end(connection, drawn, order, moment)


def _sides(connection: Connection, number: int) -> tuple[list[Parcel], set[tuple[str, int]]]:
    """The parcels before a change, and uid and version of those it made."""
    handed = [one for one in lineage.handed_on(connection, number) if not one.renoded]
    was_parent = exists().where(
        parcel_lineage.c.change == number,
        ~parcel_lineage.c.renoded,
        parcel_lineage.c.parent_uid == parcel_version.c.uid,
        parcel_lineage.c.parent_version == parcel_version.c.version,
    )
    return lineage.parcels_where(connection, was_parent), {(one.child_uid, one.child_version) for one in handed}


def _roads(connection: Connection, parcel: Parcel, day: date) -> list[Road]:
    """The roads near a parcel on a day that have a width."""
    west, south, east, north = parcel.polygon.buffer(ROADS_WITHIN).bounds
    near = road.c.geom.op("&&")(func.ST_MakeEnvelope(west, south, east, north, land_register.srid(connection)))
    condition = and_(versions.at(road, day), near, road.c.reserve_width_m.is_not(None))
    rows = connection.execute(select(binary(road.c.geom), road.c.reserve_width_m).where(condition))
    return [Road(cast(LineString, shapely.from_wkb(bytes(row[0]))), row[1]) for row in rows]
