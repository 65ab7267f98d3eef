"""Where the measured city and the registered one differ by more than the measurement allows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, and_, select

from gis.bounds import BoundingBox
from gis.store import frames, versions
from gis.store.geometry import touches
from gis.store.schema import building_version, discrepancy
from gis.store.versions import Saved, at

if TYPE_CHECKING:
    from pandas import DataFrame

FLAGGED = "flagged"
"""Status of a discrepancy nobody has looked at."""


def identity(epoch: str, kind: str, building_uid: str | None, parcel_uid: str | None, permit_no: str | None) -> str:
    """The stable identity of a discrepancy: the same finding has it again in the next run."""
    parts = (epoch, kind, building_uid or "", parcel_uid or "", permit_no or "")
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def save(
    connection: Connection,
    rows: Iterable[Mapping[str, Any]],
    *,
    epoch: str | None = None,
    area: BoundingBox | None = None,
) -> Saved:
    """Record the findings of a run.

    A finding known with the same figures keeps its status, whatever a person made of it.

    Args:
        connection: The caller's transaction.
        rows: By the columns of `discrepancy`: kind, building_uid, parcel_uid, permit_no, epoch, actual, limit_value,
            unit, delta, sigma, confidence, evidence; `id` and `status` are made when absent.
        epoch: The rows are all there is of this epoch; findings known and not found again are closed.
        area: The rows are all there is of this epoch there alone: only findings on buildings whose outline's rectangle
            meets it are closed.
    """
    columns = {column.name for column in discrepancy.columns} - {"version", "recorded", "digest"}
    named = [_named(row, columns) for row in rows]
    instead_of = None if epoch is None else _of(connection, epoch, area)
    return versions.record(connection, discrepancy, named, instead_of=instead_of, undigested=frozenset({"status"}))


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
    known = building_version.c
    there = select(known.uid).where(known.epoch == epoch, touches(known.footprint, area, connection))
    return and_(of_epoch, discrepancy.c.building_uid.in_(there))


def _named(row: Mapping[str, Any], columns: set[str]) -> dict[str, Any]:
    found = {name: versions.plain(row.get(name)) for name in columns}
    parts = (found[name] for name in ("epoch", "kind", "building_uid", "parcel_uid", "permit_no"))
    found["id"] = found["id"] or identity(*parts)
    found["status"] = found["status"] or FLAGGED
    found["evidence"] = found["evidence"] or {}
    return found
