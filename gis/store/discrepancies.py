"""Where the measured city and the registered one differ by more than the measurement allows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, ColumnElement, Connection, Text, and_, any_, func, insert, literal, select, tuple_

from gis.bounds import BoundingBox
from gis.construction.inspections import CaseAction, CaseStatus, Figures, following
from gis.store import frames, versions
from gis.store.case_tables import compliance_run
from gis.store.geometry import touches
from gis.store.schema import building_version, discrepancy
from gis.store.versions import Saved, at

if TYPE_CHECKING:
    from pandas import DataFrame


def identity(epoch: str, kind: str, building_uid: str | None, parcel_uid: str | None, permit_no: str | None) -> str:
    """The stable identity of a discrepancy: the same finding has it again in the next run."""
    parts = (epoch, kind, building_uid or "", parcel_uid or "", permit_no or "")
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def save(
    connection: Connection,
    rows: Iterable[Mapping[str, Any]],
    *,
    epoch: str | None = None,
    false_alarm_rate: float | None = None,
    area: BoundingBox | None = None,
) -> Saved:
    """Record the findings of a run.

    A finding keeps its status, whatever a person made of it, also where a run in between did not find it. One that was
    dismissed and is found with other figures is flagged anew.

    Args:
        connection: The caller's transaction.
        rows: By the columns of `discrepancy`: kind, building_uid, parcel_uid, permit_no, epoch, actual, limit_value,
            unit, delta, sigma, confidence, evidence; `id` and `status` are made when absent.
        epoch: The rows are all there is of this epoch; findings known and not found again are closed.
        false_alarm_rate: The rate the office chose for this run of the epoch, kept for its statistics.
        area: The rows are all there is of this epoch there alone: only findings on buildings whose outline's rectangle,
            as measured last, meets it are closed.
    """
    columns = {column.name for column in discrepancy.columns} - {"version", "recorded", "digest"}
    named = [_named(row, columns) for row in rows]
    # From here on nobody else changes a case until the transaction ends.
    moment = versions.lock(connection, discrepancy)
    before = _last_known(connection, [row["id"] for row in named])
    for row in named:
        row["status"] = row["status"] or _status(row, before.get(row["id"]))
    if epoch is not None and false_alarm_rate is not None:
        connection.execute(insert(compliance_run).values(epoch=epoch, false_alarm_rate=false_alarm_rate))
    instead_of = None if epoch is None else _of(connection, epoch, area)
    return versions.record(
        connection, discrepancy, named, instead_of=instead_of, undigested=frozenset({"status"}), moment=moment
    )


def current(connection: Connection, epoch: str | None = None, *, known_at: datetime | None = None) -> DataFrame:
    """The discrepancies as the register knew them at a moment (now), of one epoch or all, by kind, building and id."""
    condition = at(discrepancy, known_at=known_at)
    if epoch is not None:
        condition = and_(condition, discrepancy.c.epoch == epoch)
    order = [discrepancy.c.kind, discrepancy.c.building_uid, discrepancy.c.id]
    return frames.table(connection, list(discrepancy.columns), condition, order)


def _of(connection: Connection, epoch: str, area: BoundingBox | None) -> ColumnElement[bool]:
    """The findings of an epoch, or of those in an area."""
    of_epoch = discrepancy.c.epoch == epoch
    if area is None:
        return of_epoch
    measured = building_version.c
    # Also of one that is held for no building any more; where it was held to be before says nothing.
    last = select(measured.uid, func.max(measured.version)).where(measured.epoch == epoch).group_by(measured.uid)
    there = select(measured.uid).where(
        measured.epoch == epoch,
        tuple_(measured.uid, measured.version).in_(last),
        touches(measured.footprint, area, connection),
    )
    return and_(of_epoch, discrepancy.c.building_uid.in_(there))


def _named(row: Mapping[str, Any], columns: set[str]) -> dict[str, Any]:
    found = {name: versions.plain(row.get(name)) for name in columns}
    parts = (found[name] for name in ("epoch", "kind", "building_uid", "parcel_uid", "permit_no"))
    found["id"] = found["id"] or identity(*parts)
    found["evidence"] = found["evidence"] or {}
    return found


def _last_known(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[CaseStatus, Figures]]:
    """Status and figures of the newest version of each finding, whether it is held for so now or not."""
    c = discrepancy.c
    rows = connection.execute(
        select(c.id, c.status, c.actual, c.limit_value, c.delta, c.unit)
        .where(c.id == any_(literal(list(ids), ARRAY(Text))))
        .order_by(c.id, c.version)
    )
    # Of each finding the last one stays.
    return {row.id: (CaseStatus(row.status), Figures(*row[2:])) for row in rows}


def _status(row: Mapping[str, Any], before: tuple[CaseStatus, Figures] | None) -> str:
    if before is None:
        return CaseStatus.FLAGGED.value
    status, figures = before
    now = Figures(row["actual"], row["limit_value"], row["delta"], row["unit"])
    return (status if figures.is_same(now) else following(row["id"], status, CaseAction.FOUND_OTHERWISE)).value
