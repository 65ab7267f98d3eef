"""A case moves on: somebody is to look, somebody looked. Each step is a new version of the case and a row that stays.

Steps of all cases, and the runs that find them, come one after the other: the lock of the register of differences is
held from the first look to the end of the transaction, which is some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

from gis.access.audit import now_acting
from gis.calendar import today
from gis.construction.inspections import (
    NUMBER_MOST,
    Assignment,
    CaseAction,
    CaseStatus,
    Inspection,
    following,
)
from gis.errors import Conflict, NotFound, StaleVersion
from gis.store import versions
from gis.store.case_tables import case_assignment, inspection
from gis.store.schema import discrepancy

Allow = Callable[[str | None], None]
"""Raises where the caller may not change cases of that ward; None is a case on no parcel."""


def anywhere(ward: str | None) -> None:
    """Of who works on the city's own machine."""


def inspect(
    connection: Connection,
    case_id: str,
    seen: Inspection,
    *,
    if_version: int | None = None,
    allow: Allow = anywhere,
) -> int:
    """Record what somebody saw, in the name the audit log has.

    Args:
        connection: A writer's transaction.
        case_id: Which case.
        seen: What was seen.
        if_version: The version of the case it was decided upon; None: any.
        allow: Refuses who may not.

    Returns:
        The version of the case that it made.

    Raises:
        NotFound: there is no such case.
        StaleVersion: somebody was faster.
        Conflict: that may not happen to it now.
        BadParameter: a value cannot be.
    """
    facts = seen.check(today())
    told = {
        "inspected_on": facts.inspected_on,
        "outcome": facts.outcome.value,
        "measured_value": facts.measured_value,
        "note": facts.note,
    }
    return _move(connection, case_id, CaseAction(facts.outcome.value), inspection, told, if_version, allow)


def assign(
    connection: Connection,
    case_id: str,
    assignment: Assignment,
    *,
    if_version: int | None = None,
    allow: Allow = anywhere,
) -> int:
    """Say who is to look and until when; arguments, result and errors as of `inspect`."""
    facts = assignment.check(today())
    told = {"assignee": facts.assignee, "until": facts.until, "note": facts.note}
    return _move(connection, case_id, CaseAction.ASSIGNED, case_assignment, told, if_version, allow)


def _move(
    connection: Connection,
    case_id: str,
    action: CaseAction,
    table: Table,
    told: Mapping[str, Any],
    if_version: int | None,
    allow: Allow,
) -> int:
    moment = versions.lock(connection, discrepancy)
    before = connection.execute(text(_NEWEST), {"id": case_id}).one_or_none()
    if before is None:
        raise NotFound("case", case_id)
    # Before anything is told of it.
    allow(before.ward_code)
    if if_version is not None and if_version != before.version:
        raise StaleVersion(f"case {case_id}", before.version, if_version)
    if not before.is_known:
        raise Conflict(f"case {case_id} is closed: the newest run did not find it again")
    status = following(case_id, CaseStatus(before.status), action)
    number = 1 + (connection.scalar(select(func.max(table.c.number)).where(table.c.case_id == case_id)) or 0)
    if number > NUMBER_MOST:
        raise Conflict(f"case {case_id}: at most {NUMBER_MOST} inspections and as many assignments are kept")
    version = _continue(connection, case_id, before.version, status, moment)
    row = {"case_id": case_id, "number": number, "version": version, "actor": now_acting().actor}
    connection.execute(insert(table).values(**row, **told, recorded_at=moment))
    return version


def _continue(connection: Connection, case_id: str, version: int, status: CaseStatus, moment: datetime) -> int:
    """The next version of the case, of the same figures."""
    values = {"id": case_id, "version": version, "status": status.value, "moment": moment}
    connection.execute(text(_END), values)
    connection.execute(text(_BEGIN), values)
    return version + 1


_NEWEST = (
    "SELECT d.version, d.status, upper_inf(d.recorded) AS is_known, "
    "(SELECT v.ward_code FROM diaba.parcel_version v WHERE v.uid = d.parcel_uid AND upper_inf(v.recorded) "
    "ORDER BY lower(v.valid) DESC NULLS LAST, v.version DESC LIMIT 1) AS ward_code "
    "FROM diaba.discrepancy d WHERE d.id = :id ORDER BY d.version DESC LIMIT 1"
)
_END = (
    "UPDATE diaba.discrepancy SET recorded = tstzrange(lower(recorded), CAST(:moment AS timestamptz)) "
    "WHERE id = :id AND version = :version"
)
_KEPT = ", ".join(
    column.name for column in discrepancy.columns if column.name not in ("id", "version", "status", "recorded")
)
_BEGIN = (
    f"INSERT INTO diaba.discrepancy (id, version, status, recorded, {_KEPT}) "  # noqa: S608  names of the schema
    f"SELECT id, version + 1, :status, tstzrange(CAST(:moment AS timestamptz), NULL), {_KEPT} "
    "FROM diaba.discrepancy WHERE id = :id AND version = :version"
)
