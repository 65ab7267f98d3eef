"""The registers and the survey out of the store, held against each other, and the differences back into it."""

from __future__ import annotations

from collections.abc import Iterator

import geopandas as gpd
import numpy as np
from sqlalchemy import Connection

from gis.construction.compliance import (
    ComplianceParameters,
    Difference,
    Observation,
    Parcel,
    Permit,
    differences,
)
from gis.store import buildings, discrepancies, parcels, permits, roads

PERMITS_IN_FORCE = ("valid",)
MOSTLY_GROUND = 0.5
"""Share of an outline's cells in which the ground was measured, above which no building stands there."""


def run_compliance(
    connection: Connection, epoch: str, parameters: ComplianceParameters | None = None
) -> list[Difference]:
    """Compare all buildings measured at an epoch with the permits in force, and save what differs.

    A city without any permit in its register has nothing to be held against: nothing is flagged.
    """
    in_force = permits.current(connection)
    in_force = in_force[in_force["status"].isin(PERMITS_IN_FORCE)]
    found: list[Difference] = []
    if len(in_force):
        lots = parcels.current(connection)
        found = differences(
            list(_observations(buildings.current(connection, epoch))),
            list(_permits(in_force)),
            [Parcel(uid, boundary) for uid, boundary in zip(lots["uid"], lots.geometry, strict=True)],
            list(roads.current(connection).geometry),
            parameters or ComplianceParameters(),
        )
    rate = (parameters or ComplianceParameters()).false_alarm_rate
    rows = [_row(difference, epoch) for difference in found]
    discrepancies.save(connection, rows, epoch=epoch, false_alarm_rate=rate)
    return found


def _observations(measured: gpd.GeoDataFrame) -> Iterator[Observation]:
    for row in measured.rename_geometry("geometry").itertuples():
        # The outline's σ is what its area's σ says: an area's error is the perimeter's share of the edges' errors.
        sigma_outline = row.sigma_area * 2**0.5 / row.geometry.length
        # Where most inside an outline is ground, the house on the map is gone: its "roof" is a neighbour's.
        gone = row.attributes.get("ground_fraction", 0.0) > MOSTLY_GROUND
        yield Observation(
            uid=row.uid,
            footprint=row.geometry,
            height=float("nan") if gone else _number(row.height),
            sigma_height=_number(row.sigma_height),
            sigma_outline=float(sigma_outline),
            known=row.attributes.get("footprint_source") != "derived",
        )


def _permits(in_force: gpd.GeoDataFrame) -> Iterator[Permit]:
    for row in in_force.rename_geometry("geometry").itertuples():
        yield Permit(
            permit_no=row.permit_no,
            parcel_uid=row.parcel_uid,
            footprint=row.geometry,
            height=_number(row.height_m),
            floors=int(row.floors) if np.isfinite(_number(row.floors)) else 0,
            setback_front=_number(row.setback_front_m),
        )


def _row(difference: Difference, epoch: str) -> dict[str, object]:
    """As the register of discrepancies takes it."""
    return {
        "kind": difference.kind.value,
        "building_uid": difference.building_uid,
        "parcel_uid": difference.parcel_uid,
        "permit_no": difference.permit_no,
        "epoch": epoch,
        "actual": difference.actual,
        "limit_value": difference.limit,
        "unit": difference.unit,
        "delta": difference.delta,
        "sigma": difference.sigma,
        "confidence": difference.confidence,
        "evidence": dict(difference.evidence),
    }


def _number(value: float | None) -> float:
    """A column's value; NaN where the register has none."""
    return float("nan") if value is None else float(value)
