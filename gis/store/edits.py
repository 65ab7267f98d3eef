"""Single features added, changed and ended by hand: each by a new version, so that nothing is overwritten.

A change begins on a day and holds from then on; what was so before stays so until that day. Two who decide upon the
same version do not both get their way: the second is told that the version is another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import uuid4

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, Table, exists, func, select

from gis.errors import BadGeometry, BadInput, Conflict, NotFound, StaleVersion
from gis.land.draft import Part
from gis.land.land_change import Basis
from gis.land.parcel import ATTRIBUTES, Parcel
from gis.store import land_changes, parcels, versions
from gis.store.collections import Moment
from gis.store.geometry import binary, checked_polygon, encode
from gis.store.land_changes import Order
from gis.store.land_register import held, srid
from gis.store.schema import parcel_version, planning_zone, road

REGISTERS: Mapping[str, tuple[Table, str, str]] = {
    "roads": (road, "LineString", "r"),
    "planning_zones": (planning_zone, "Polygon", "z"),
}
"""Collections whose features are told one by one: table, kind of geometry, beginning of a new feature's name."""
CHANGED_ONLY = "parcels"
"""Land neither comes from nowhere nor goes away: parcels begin and end by splits, mergers and imports."""
WRITABLE = (*REGISTERS, CHANGED_ONLY)
ROUNDING = 0.002
"""m; a geometry that came back from a client and differs by less is the one that was sent."""
_SHOWN_ONLY = ("valid_from", "valid_to")
_OF_THE_PARCEL = ("uid", "ward_code", "area_measured")

Allow = Callable[[str | None], None]
"""Raises where the caller may not change features of that ward."""


class Action(StrEnum):
    """What is done with a feature."""

    CREATE = "create"
    REPLACE = "replace"
    """All properties are as told; what is not told has no value."""
    UPDATE = "update"
    """What is not told stays as it is."""
    END = "end"
    """It is no more so from a day on."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one feature."""

    collection: str
    action: Action
    day: date
    """The first day of the change."""
    key: str | None = None
    """Of a new feature None gives it a name."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """Properties, each of its kind."""
    geometry: BaseGeometry | None = None
    """In the city's CRS; None: it stays as it is."""
    if_version: int | None = None
    """The version the caller decided upon; None: any."""
    basis: Basis = field(default_factory=Basis)
    """The papers of a change of land."""


def apply(connection: Connection, edit: Edit, allow: Allow) -> str:
    """Do a change in the caller's transaction.

    Returns:
        The feature's key.

    Raises:
        NotFound: there is no such feature on that day.
        StaleVersion: it is at another version than the caller's.
        Conflict: the name is taken, or the register's later changes contradict it.
        BadInput: a value, or what is told of it, cannot be so.
    """
    if edit.collection == CHANGED_ONLY:
        return _change_parcel(connection, edit, allow)
    table, kind, prefix = REGISTERS[edit.collection]
    allow(None)
    moment = versions.lock(connection, table)
    if edit.action is Action.CREATE:
        key = edit.key or f"{prefix}-{uuid4().hex[:12]}"
        if connection.scalar(select(exists().where(table.c.uid == key))):
            raise Conflict(f"{edit.collection} {key}: there is one of that name, or was; names are given once")
        _check_time(edit, None)
        content = dict.fromkeys(_content(table)) | dict(edit.told)
    else:
        key = str(edit.key)
        version, content = _shown(connection, table, key, edit)
        _check_version(key, version, edit.if_version)
        if edit.action is Action.END:
            versions.record(connection, table, [], gone=[((key,), versions.since(edit.day))], moment=moment)
            return key
        if edit.action is Action.REPLACE:
            content |= dict.fromkeys(name for name in _content(table) if name != "geom")
        content |= edit.told
    for name in _SHOWN_ONLY:
        content.pop(name, None)
    if edit.geometry is not None and not _is_the_same(edit.geometry, content.get("geom")):
        content["geom"] = _checked(key, kind, edit.geometry)
    if content.get("geom") is None:
        raise BadGeometry(key, "it has no geometry")
    _check_values(key, content)
    encoded = encode([content["geom"]], srid(connection))[0]
    row = {**content, "uid": key, "geom": encoded, "valid": versions.since(edit.day)}
    versions.record(connection, table, [row], moment=moment)
    return key


def as_changed(connection: Connection, edit: Edit) -> Moment:
    """When the change is seen that was made in this very transaction, whose `now()` is before it."""
    return Moment(edit.day, known_at=connection.scalar(select(func.clock_timestamp())))


def _content(table: Table) -> list[str]:
    own = {"uid", "version", "valid", "recorded", "digest"}
    return [column.name for column in table.columns if column.name not in own and "kept" not in column.info]


def _shown(connection: Connection, table: Table, key: str, edit: Edit) -> tuple[int, dict[str, Any]]:
    """Version and content of what the register holds for so on the change's day."""
    shown = [table.c[name] for name in ("version", "valid", *_content(table))]
    columns = [binary(column) if column.name == "geom" else column for column in shown]
    row = (
        connection.execute(select(*columns).where(table.c.uid == key, versions.at(table, edit.day))).mappings().first()
    )
    if row is None:
        raise NotFound("feature", f"{key} on {edit.day}")
    later = exists().where(table.c.uid == key, func.upper_inf(table.c.recorded), func.lower(table.c.valid) > edit.day)
    if row["valid"].upper is not None or connection.scalar(select(later)):
        raise Conflict(f"{edit.collection} {key} changes or ends after {edit.day}; a change from then contradicts that")
    _check_time(edit, row["valid"].lower)
    content = {name: row[name] for name in _content(table)}
    return int(row["version"]), content | {"geom": shapely.from_wkb(bytes(row["geom"]))}


def _change_parcel(connection: Connection, edit: Edit, allow: Allow) -> str:
    if edit.action in (Action.CREATE, Action.END):
        raise Conflict("parcels begin and end by splits, mergers and imports")
    uid = str(edit.key)
    versions.lock(connection, parcel_version)
    version = parcel_version.c
    known = select(version.ward_code).where(version.uid == uid, func.upper_inf(version.recorded))
    newest = connection.execute(known.order_by(func.lower(version.valid).desc().nulls_last()).limit(1)).first()
    if newest is not None:
        # Before anything is told of it, such as that it has ended.
        allow(newest.ward_code)
    parcel = held(connection, [uid], edit.day)[0]
    _check_version(uid, parcel.version, edit.if_version)
    _check_time(edit, parcel.valid_from)
    told = {name: value for name, value in edit.told.items() if name not in _SHOWN_ONLY}
    for name in _OF_THE_PARCEL:
        if name in told and told[name] != getattr(parcel, name):
            raise BadInput(f"parcel {uid}: {name} is not changed so")
    names = ("sheet_no", "parcel_no", "land_use", "address", "area_legal")
    missing = {} if edit.action is Action.REPLACE else {name: getattr(parcel, name) for name in names}
    wanted = {name: told.get(name, missing.get(name)) for name in names}
    _check_values(uid, wanted)
    order = Order(edit.day, edit.basis)
    if edit.geometry is not None and not _is_the_same(edit.geometry, parcel.polygon):
        outline = checked_polygon(uid, edit.geometry)
        land_changes.resurvey(connection, {uid: Part(outline, area_legal=wanted["area_legal"])}, order)
    if wanted["land_use"] != parcel.land_use:
        land_changes.change_use(connection, [uid], _land_use(uid, wanted["land_use"]), order)
    numbers = (wanted["sheet_no"], wanted["parcel_no"])
    if numbers != (parcel.sheet_no, parcel.parcel_no):
        if not all(numbers):
            raise BadInput(f"parcel {uid}: a parcel keeps a sheet and a parcel number")
        land_changes.renumber(connection, {uid: (str(numbers[0]), str(numbers[1]))}, order)
    parcel = held(connection, [uid], edit.day)[0]
    said = replace(parcel, address=wanted["address"], area_legal=wanted["area_legal"])
    if said != parcel:
        parcels.save(connection, [_row(said, edit.day, srid(connection))])
    return uid


def _row(parcel: Parcel, day: date, number: int) -> dict[str, Any]:
    facts = {name: getattr(parcel, name) for name in ATTRIBUTES}
    return {
        "uid": parcel.uid,
        **facts,
        "geom": encode([parcel.polygon], number)[0],
        "valid": versions.since(day),
    }


def _check_time(edit: Edit, since: date | None) -> None:
    """Refuse a time that is told and would not come to be: a change begins on its day, and has no end yet."""
    start, end = (edit.told.get(name) for name in _SHOWN_ONLY)
    if start not in (None, since, edit.day) or end is not None:
        raise BadInput(f"{edit.key or 'the feature'}: a change begins on its day ({edit.day}) and is not told its end")


def _check_version(key: str, version: int, expected: int | None) -> None:
    if expected is not None and expected != version:
        raise StaleVersion(key, version, expected)


def _check_values(key: str, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        if isinstance(value, int | float) and value < 0:
            raise BadInput(f"{key}: {name} is not below zero")


def _land_use(uid: str, code: Any) -> str:
    if not (isinstance(code, str) and len(code) == 3 and code.isalpha() and code.isupper()):
        raise BadInput(f"parcel {uid}: a land use is a code of three capital letters, such as ODT")
    return code


def _checked(key: str, kind: str, shape: BaseGeometry) -> BaseGeometry:
    if kind == "Polygon":
        return checked_polygon(key, shape)
    if shape.geom_type != kind or not shape.is_valid or shape.length <= 0:
        raise BadGeometry(key, f"a {kind} is needed, not a {shape.geom_type}")
    return shape


def _is_the_same(told: BaseGeometry, known: BaseGeometry | None) -> bool:
    if known is None or told.geom_type != known.geom_type:
        return False
    same_corners = shapely.get_num_coordinates(told) == shapely.get_num_coordinates(known)
    return bool(same_corners) and float(shapely.hausdorff_distance(told, known)) < ROUNDING
