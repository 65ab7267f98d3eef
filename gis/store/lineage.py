"""What the register ever held of a parcel, which change made it so, and what came from what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, cast

import shapely
from shapely import Polygon
from sqlalchemy import Boolean, ColumnElement, Connection, Date, DateTime, Row, and_, func, select, text, true
from sqlalchemy.orm import aliased

from gis.errors import NotFound
from gis.land import land_use
from gis.land.land_change import Basis, LandChange, LandChangeKind, Lineage
from gis.land.parcel import ATTRIBUTES, Parcel
from gis.store.schema import land_change, parcel_lineage, parcel_version
from gis.store.versions import at


@dataclass(frozen=True, slots=True)
class RecordedVersion:
    """A version of a parcel, and for how long the register held it for so."""

    parcel: Parcel
    recorded_from: datetime
    recorded_to: datetime | None
    """None: the register still holds it for so."""
    change: int | None
    """The land change that made it; None of what came otherwise, as by an import."""


@dataclass(frozen=True, slots=True)
class Family:
    """All parcels a parcel descends from and all that descend from it, and the changes between them."""

    edges: tuple[tuple[int, Lineage], ...]
    """Change, and what it handed on; in the order of recording."""
    changes: tuple[LandChange, ...]


def versions_where(connection: Connection, condition: ColumnElement[bool]) -> list[RecordedVersion]:
    """The versions of parcels that fulfil a condition, by uid and version."""
    table = parcel_version
    made_by = (
        select(func.min(parcel_lineage.c.change))
        .where(parcel_lineage.c.child_uid == table.c.uid, parcel_lineage.c.child_version == table.c.version)
        .scalar_subquery()
    )
    columns = [
        table.c.uid,
        table.c.version,
        *(table.c[name] for name in ATTRIBUTES),
        table.c.land_uses,
        func.ST_AsBinary(table.c.geom, type_=None).label("wkb"),
        func.lower(table.c.valid, type_=Date).label("valid_from"),
        func.upper(table.c.valid, type_=Date).label("valid_to"),
        func.lower(table.c.recorded, type_=DateTime(timezone=True)).label("recorded_from"),
        func.upper(table.c.recorded, type_=DateTime(timezone=True)).label("recorded_to"),
        func.isempty(table.c.recorded, type_=Boolean).label("never"),
        made_by.label("change"),
    ]
    rows = connection.execute(select(*columns).where(condition).order_by(table.c.uid, table.c.version)).all()
    return [_recorded(row) for row in rows if not row.never]


def parcels_where(connection: Connection, condition: ColumnElement[bool]) -> list[Parcel]:
    """As `versions_where`, without when they were recorded."""
    return [version.parcel for version in versions_where(connection, condition)]


def parcel_at(
    connection: Connection, uid: str, as_of: date | None = None, *, known_at: datetime | None = None
) -> RecordedVersion:
    """A parcel on a day (today) as the register knew it at a moment (now).

    Raises:
        NotFound: the register knew no such parcel, or none on that day; the message says when it was.
    """
    found = versions_where(connection, and_(parcel_version.c.uid == uid, at(parcel_version, as_of, known_at)))
    if found:
        return found[0]
    ever = (
        func.upper_inf(parcel_version.c.recorded) if known_at is None else parcel_version.c.recorded.op("@>")(known_at)
    )
    known = parcels_where(connection, and_(parcel_version.c.uid == uid, ever))
    if not known:
        raise NotFound("parcel", uid)
    times = ", ".join(f"{parcel.valid_from or '…'} to {parcel.valid_to or 'now'}" for parcel in known)
    raise NotFound("parcel", f"{uid} on {as_of or 'this day'}; it is registered for {times}")


def history(connection: Connection, uid: str, *, known_at: datetime | None = None) -> list[RecordedVersion]:
    """All versions of a parcel in the order the register learnt them, up to a moment (now).

    Raises:
        NotFound: it never knew such a parcel.
    """
    condition = parcel_version.c.uid == uid
    if known_at is not None:
        condition = and_(condition, func.lower(parcel_version.c.recorded) <= known_at)
    found = versions_where(connection, condition)
    if known_at is not None:
        found = [
            replace(one, recorded_to=None) if one.recorded_to is not None and one.recorded_to > known_at else one
            for one in found
        ]
    if not found:
        raise NotFound("parcel", uid)
    return found


def find_change(connection: Connection, number: int) -> LandChange:
    """A land change by its number.

    Raises:
        NotFound: there is none.
    """
    found = changes(connection, [number])
    if not found:
        raise NotFound("land change", str(number))
    return found[0]


def changes(connection: Connection, numbers: Sequence[int] | None = None) -> list[LandChange]:
    """Land changes by their numbers, or all, in the order of recording."""
    later = aliased(land_change)
    condition = true() if numbers is None else land_change.c.id.in_(numbers)
    statement = (
        select(land_change, later.c.id.label("undone_by"))
        .select_from(land_change.outerjoin(later, later.c.undoes == land_change.c.id))
        .where(condition)
        .order_by(land_change.c.id)
    )
    return [
        LandChange(
            id=row.id,
            kind=LandChangeKind(row.kind),
            valid_from=row.valid_from,
            basis=Basis(row.approved_at, row.legal_ref, row.dossier),
            area_before=row.area_before,
            area_after=row.area_after,
            recorded_at=row.recorded_at,
            undoes=row.undoes,
            undone_by=row.undone_by,
        )
        for row in connection.execute(statement)
    ]


def handed_on(connection: Connection, change: int) -> list[Lineage]:
    """What a change handed from which version to which."""
    return [lineage for _, lineage in _edges(connection, parcel_lineage.c.change == change)]


def family(connection: Connection, uid: str, *, known_at: datetime | None = None) -> Family:
    """All ancestors and descendants of a parcel, as the register knew them at a moment (now).

    A neighbour that only got a point on its boundary is no relative.
    """
    related = connection.scalars(_RELATED, {"uid": uid, "known_at": known_at}).all()
    table = parcel_lineage
    within = and_(table.c.parent_uid.in_(related), table.c.child_uid.in_(related), ~table.c.renoded)
    edges = _edges(connection, within)
    told = changes(connection, sorted({number for number, _ in edges}))
    if known_at is not None:
        told = [change for change in told if change.recorded_at <= known_at]
        known = set(connection.scalars(select(land_change.c.id).where(land_change.c.recorded_at <= known_at)))
        told = [replace(change, undone_by=None) if change.undone_by not in known else change for change in told]
    numbers = {change.id for change in told}
    return Family(tuple(edge for edge in edges if edge[0] in numbers), tuple(told))


def made_by(connection: Connection, parcel: Parcel) -> list[int]:
    """The changes after which a version is what it is, the last first.

    Those that only put points on its boundary do not count. A parcel that came back by an undoing is also what the
    change before the undone one made of it.
    """
    uid, version = parcel.uid, parcel.version
    table = parcel_lineage
    made: list[int] = []
    while rows := _edges(connection, and_(table.c.child_uid == uid, table.c.child_version == version)):
        change, lineage = rows[0]
        if lineage.renoded:
            version = lineage.parent_version
            continue
        made.append(change)
        undone = find_change(connection, change).undoes
        if undone is None:
            break
        was = _edges(connection, and_(table.c.change == undone, table.c.parent_uid == uid, ~table.c.renoded))
        version = was[0][1].parent_version
    return made


_RELATED = text(
    """
    WITH RECURSIVE
    known AS (
        SELECT parent_uid, child_uid FROM diaba.parcel_lineage l JOIN diaba.land_change c ON c.id = l.change
        WHERE NOT l.renoded AND (CAST(:known_at AS timestamptz) IS NULL OR c.recorded_at <= :known_at)
    ),
    up AS (SELECT CAST(:uid AS text) AS uid UNION SELECT parent_uid FROM known JOIN up ON child_uid = up.uid),
    down AS (SELECT CAST(:uid AS text) AS uid UNION SELECT child_uid FROM known JOIN down ON parent_uid = down.uid)
    SELECT uid FROM up UNION SELECT uid FROM down
    """
)


def _edges(connection: Connection, condition: ColumnElement[bool]) -> list[tuple[int, Lineage]]:
    table = parcel_lineage
    order = [table.c.change, table.c.parent_uid, table.c.parent_version, table.c.child_uid, table.c.child_version]
    rows = connection.execute(select(table).where(condition).order_by(*order))
    return [
        (
            row.change,
            Lineage(row.parent_uid, row.parent_version, row.child_uid, row.child_version, row.area, row.renoded),
        )
        for row in rows
    ]


def _recorded(row: Row[Any]) -> RecordedVersion:
    facts = row._mapping
    parcel = Parcel(
        uid=row.uid,
        version=row.version,
        polygon=cast(Polygon, shapely.from_wkb(bytes(row.wkb))),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        **{name: facts[name] for name in ATTRIBUTES},
        land_uses=land_use.of_documents(row.land_uses),
    )
    return RecordedVersion(parcel, row.recorded_from, row.recorded_to, row.change)
