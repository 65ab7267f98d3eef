"""The register of high-rise and crowded public buildings, its targets, and the lives of buildings.

A building's life stands beside its measured shapes (`buildings`), whose status stays "measured": what an office says
of a building and what a survey saw of it are two things.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from gis.calendar import today
from gis.construction.register import (
    BuildingStatus,
    Category,
    Completeness,
    RegisteredBuilding,
    Target,
    building_life,
    completeness,
)
from gis.errors import BadInput, NotFound
from gis.lifecycle import Stage
from gis.store import versions
from gis.store.rights_tables import building_lifecycle, building_register, building_register_target
from gis.store.schema import building
from gis.store.versions import Saved, at, since


def save(connection: Connection, buildings: Iterable[RegisteredBuilding]) -> Saved:
    """Record entries of the register, each from its first day on.

    Raises:
        BadInput: one cannot be, or occurs twice.
    """
    listed = list(buildings)
    for one in listed:
        one.check()
    _name(connection, {one.building for one in listed})
    rows = [
        {
            "building_uid": one.building,
            "category": one.category.value,
            "ward_code": one.ward,
            "name": one.name,
            "address": one.address,
            "capacity": one.capacity,
            "digitised": one.digitised,
            "checked": one.checked,
            "valid": since(one.start),
        }
        for one in listed
    ]
    return versions.record(connection, building_register, rows)


def save_targets(connection: Connection, targets: Iterable[Target]) -> Saved:
    """Record targets, each from its first day on.

    Raises:
        BadInput: one cannot be, or occurs twice.
    """
    listed = list(targets)
    for one in listed:
        one.check()
    rows = [
        {
            "ward_code": one.ward,
            "category": one.category,
            "target": one.target,
            "source": one.source,
            "doubt": one.doubt,
            "valid": since(one.start),
        }
        for one in listed
    ]
    return versions.record(connection, building_register_target, rows)


def current(
    connection: Connection, as_of: date | None = None, *, known_at: datetime | None = None
) -> list[RegisteredBuilding]:
    """The register of a day (today) as it was known at a moment (now), by building and category."""
    c = building_register.c
    rows = connection.execute(
        select(building_register).where(at(building_register, as_of, known_at)).order_by(c.building_uid, c.category)
    ).mappings()
    return [
        RegisteredBuilding(
            building=row["building_uid"],
            category=Category(row["category"]),
            ward=row["ward_code"],
            start=row["valid"].lower,
            name=row["name"],
            address=row["address"],
            capacity=row["capacity"],
            digitised=row["digitised"],
            checked=row["checked"],
        )
        for row in rows
    ]


def targets(connection: Connection, as_of: date | None = None, *, known_at: datetime | None = None) -> list[Target]:
    """The targets of a day (today) as they were known at a moment (now), the city's first, then by ward."""
    c = building_register_target.c
    columns = (c.ward_code, c.category, c.target, c.source, func.lower(c.valid), c.doubt)
    rows = connection.execute(
        select(*columns)
        .where(at(building_register_target, as_of, known_at))
        .order_by(c.ward_code != "*", c.ward_code, c.category)
    )
    return [Target(*row) for row in rows]


def how_complete(
    connection: Connection, as_of: date | None = None, *, known_at: datetime | None = None
) -> list[Completeness]:
    """The register of a day (today) as known at a moment (now), held against the targets of that day."""
    day = as_of or today()
    return completeness(targets(connection, day, known_at=known_at), current(connection, day, known_at=known_at), day)


def set_status(
    connection: Connection,
    uid: str,
    status: BuildingStatus,
    start: date,
    end: date | None = None,
    *,
    permit_no: str | None = None,
    source: str | None = None,
) -> list[Stage]:
    """Say which status a building has from a day on, or, to correct, over a time; the whole life must stay legal.

    Returns:
        The building's life as known now.

    Raises:
        BadInput: the time ends before it begins.
        Conflict: a step of the life is not in the table of transitions.
    """
    if end is not None and end <= start:
        raise BadInput(f"building {uid}: {status} would end on {end}, before it begins on {start}")
    _name(connection, {uid})
    row = {"building_uid": uid, "status": status.value, "permit_no": permit_no, "source_uid": source}
    versions.record(connection, building_lifecycle, [{**row, "valid": since(start, end)}])
    stages = life(connection, uid)
    building_life().check(f"building {uid}", stages)
    return stages


def life(connection: Connection, uid: str, *, known_at: datetime | None = None) -> list[Stage]:
    """A building's statuses over time as the register knew them at a moment (now), the first first.

    Raises:
        NotFound: the register says nothing of it.
    """
    c = building_lifecycle.c
    knew = func.upper_inf(c.recorded) if known_at is None else c.recorded.op("@>")(literal(known_at))
    rows = connection.execute(
        select(c.status, func.lower(c.valid), func.upper(c.valid))
        .where(c.building_uid == uid, knew)
        .order_by(func.lower(c.valid))
    ).all()
    if not rows:
        raise NotFound("life of the building", uid)
    stages: list[Stage] = []
    for status, start, end in rows:
        if stages and stages[-1].status == status and stages[-1].end == start:
            stages[-1] = Stage(status, stages[-1].start, end)
        else:
            stages.append(Stage(status, start, end))
    return stages


def count_by_status(
    connection: Connection, as_of: date | None = None, *, known_at: datetime | None = None
) -> dict[str, int]:
    """How many buildings have each status on a day (today) as known at a moment (now)."""
    c = building_lifecycle.c
    condition: ColumnElement[bool] = at(building_lifecycle, as_of, known_at)
    rows: Any = connection.execute(select(c.status, func.count()).where(condition).group_by(c.status))
    counts = {str(status): int(count) for status, count in rows}
    return {status: counts[status] for status in building_life().statuses if status in counts}


def _name(connection: Connection, uids: set[str]) -> None:
    """Make buildings known by their names; one of the register need not have been measured."""
    rows = [{"uid": uid} for uid in sorted(uids)]
    if rows:
        connection.execute(insert(building).on_conflict_do_nothing(), rows)
