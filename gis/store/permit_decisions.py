"""Decisions on dossiers: a granted dossier writes its permit in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from shapely import Polygon
from sqlalchemy import Connection, and_, func, select, text

from gis import crs as reference
from gis.construction.dossier import Action, Dossier, DossierType, plain_text
from gis.construction.procedure import Procedure
from gis.errors import BadParameter, Conflict, NotFound
from gis.store import dossiers, permits
from gis.store.geometry import checked_polygon, city_crs, encode
from gis.store.schema import permit, permit_limit

VALID, SUPERSEDED, REVOKED = "valid", "superseded", "revoked"
"""Statuses of a permit."""
YEARS_OF_A_TEMPORARY_PERMIT = 5
"""Decision 29/2025 of Ho Chi Minh City."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a permit allows. Lengths are in metres, heights above the ground level, which is in the city's datum."""

    footprint: Polygon | None
    """In the city's CRS."""
    ground_area_m2: float | None = None
    gross_floor_area_m2: float | None = None
    floors: int | None = None
    basements: int | None = None
    height_m: float | None = None
    setback_front_m: float | None = None
    setback_rear_m: float | None = None
    ground_level_m: float | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What an office grants."""

    limits: Limits | None = None
    """Of a new or an adjusted permit; an extension and a reissue keep what there is."""
    permit_no: str | None = None
    """Its number; made from the receipt number when not given."""
    expires: date | None = None
    use: str | None = None
    note: str | None = None


def grant(connection: Connection, receipt_no: str, granted: Grant, *, on: date, actor: str) -> Dossier:
    """Grant what a dossier asks for, and write the permit.

    A new permit is added; an adjustment or extension is a new version of the permit there is; a reissue supersedes it
    by one of another number with the same limits. The dossier that permit came from is told too.

    Returns:
        The dossier, granted.

    Raises:
        NotFound: there is no such dossier or permit.
        Conflict: it may not be granted now, the number is taken, or the permit is not valid.
        BadParameter: limits or a date are missing or cannot be used.
    """
    before = dossiers.lock(connection, receipt_no)
    # One after the other, so that a number found free stays so.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"{permit}"})
    rows, told = _rows(connection, before, granted, on)
    number = str(rows[-1]["permit_no"])
    facts = {"expires": _iso(rows[-1]["expires"]), "note": granted.note}
    after = dossiers.record(connection, receipt_no, Action.GRANTED, on=on, actor=actor, facts=facts, permit_no=number)
    permits.save(connection, rows)
    if told is not None and before.of_permit is not None:
        _tell(connection, before.of_permit, told, number, receipt_no, on, actor)
    return after


def refuse(connection: Connection, receipt_no: str, reason: str, *, on: date, actor: str) -> Dossier:
    """Refuse what a dossier asks for, saying why.

    Raises:
        Conflict: it may not be refused now.
    """
    facts = {"reason": plain_text("reason", reason)}
    return dossiers.record(connection, receipt_no, Action.REFUSED, on=on, actor=actor, facts=facts)


def revoke(connection: Connection, receipt_no: str, reason: str, *, on: date, actor: str) -> Dossier:
    """Revoke the permit a dossier led to, saying why.

    Raises:
        Conflict: it has none, or it is not valid any more.
    """
    before = dossiers.lock(connection, receipt_no)
    facts, number = {"reason": plain_text("reason", reason)}, before.permit_no
    if before.of_permit is not None:
        raise Conflict(f"dossier {receipt_no} led to no permit of its own; revoke that of the first dossier")
    after = dossiers.record(connection, receipt_no, Action.REVOKED, on=on, actor=actor, facts=facts, permit_no=number)
    if number is not None:
        permits.save(connection, [{**_current(connection, number), "status": REVOKED}])
    return after


def _rows(
    connection: Connection, before: Dossier, granted: Grant, on: date
) -> tuple[list[dict[str, Any]], Action | None]:
    """The rows of the register of permits, the one granted last; and what the permit's first dossier is told."""
    number = plain_text("permit_no", granted.permit_no or f"GPXD-{before.receipt_no}", 60)
    if granted.expires is not None and granted.expires <= on:
        raise BadParameter("expires", granted.expires.isoformat(), "a permit ends after the day it is granted")
    if before.of_permit is None:
        if before.type is DossierType.TEMPORARY:
            _check_temporary(granted.expires, on)
        _check_free(connection, number)
        return [_new(connection, before, granted, number, on)], None
    present = _current(connection, before.of_permit)
    if present["status"] != VALID:
        raise Conflict(f"permit {before.of_permit} is {present['status']}")
    if before.procedure is Procedure.ADJUSTMENT:
        return [{**present, **_limits(connection, before, granted)}], Action.ADJUSTED
    if before.procedure is Procedure.EXTENSION:
        if granted.expires is None or (present["expires"] is not None and granted.expires <= present["expires"]):
            raise BadParameter("expires", _iso(granted.expires), f"say until when; it ends {_iso(present['expires'])}")
        if present["type"] == DossierType.TEMPORARY and present["issued"] is not None:
            _check_temporary(granted.expires, present["issued"])
        return [{**present, "expires": granted.expires}], Action.EXTENDED
    _check_free(connection, number)
    old = {**present, "status": SUPERSEDED, "superseded_by": number}
    return [old, {**present, "permit_no": number, "issued": on}], Action.REISSUED


def _new(connection: Connection, before: Dossier, granted: Grant, number: str, on: date) -> dict[str, Any]:
    return {
        "permit_no": number,
        "type": str(before.type),
        "status": VALID,
        "issued": on,
        "expires": granted.expires,
        "superseded_by": None,
        "parcel_uid": before.parcel_uid,
        "use": None if granted.use is None else plain_text("use", granted.use, 200),
        **_limits(connection, before, granted),
    }


def _check_temporary(expires: date | None, issued: date) -> None:
    latest = _years_later(issued, YEARS_OF_A_TEMPORARY_PERMIT)
    if expires is None or expires > latest:
        raise BadParameter("expires", _iso(expires), f"a temporary permit ends by {latest} (Decision 29/2025)")


def _check_free(connection: Connection, number: str) -> None:
    if connection.scalar(select(permit.c.permit_no).where(permit.c.permit_no == number).limit(1)) is not None:
        raise Conflict(f"permit {number} is known already")


def _limits(connection: Connection, before: Dossier, granted: Grant) -> Mapping[str, Any]:
    limits = granted.limits
    if before.type is DossierType.DEMOLITION_NOTICE and limits is None:
        return MappingProxyType({})
    if limits is None or limits.footprint is None or limits.floors is None or limits.height_m is None:
        raise BadParameter("limits", None, "a permit says its footprint, floors and height")
    footprint = checked_polygon(f"dossier {before.receipt_no}", limits.footprint)
    (geom,) = encode([footprint], reference.srid(reference.horizontal(city_crs(connection))))
    given = {name: getattr(limits, name) for name in permits.LIMITS if name != "geom"}
    for name, value in given.items():
        if value is not None and not (-500 if name == "ground_level_m" else 0) <= value < 1e7:
            raise BadParameter(name, value, "no such building")
    if given["ground_area_m2"] is None:
        given["ground_area_m2"] = footprint.area
    return {**given, "geom": geom}


def _current(connection: Connection, number: str) -> dict[str, Any]:
    """A permit and its limits as the register of permits takes them."""
    same = and_(permit.c.permit_no == permit_limit.c.permit_no, permit.c.version == permit_limit.c.version)
    own = [column for column in permit.columns if column.name not in {"version", "recorded", "digest"}]
    limits = [permit_limit.c[name] for name in permits.LIMITS if name != "geom"]
    geom = func.ST_AsHEXEWKB(permit_limit.c.geom, "NDR", type_=None).label("geom")
    row = (
        connection.execute(
            select(*own, *limits, geom)
            .select_from(permit.outerjoin(permit_limit, same))
            .where(permit.c.permit_no == number, func.upper_inf(permit.c.recorded))
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFound("permit", number)
    return dict(row)


def _tell(connection: Connection, of_permit: str, action: Action, number: str, by: str, on: date, actor: str) -> None:
    """Note in the dossier a permit came from what happened to the permit."""
    receipt_no = dossiers.receipt_of_permit(connection, of_permit)
    if receipt_no is not None:
        dossiers.record(connection, receipt_no, action, on=on, actor=actor, facts={"dossier": by}, permit_no=number)


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
