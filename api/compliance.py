"""The registers and the survey out of the store, held against each other, and the differences back into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection

from gis.bounds import BoundingBox
from gis.construction.compliance import (
    ComplianceParameters,
    Difference,
    Observation,
    Parcel,
    Permit,
    Zone,
    differences,
)
from gis.construction.proposal import Road
from gis.crs import horizontal
from gis.errors import BadParameter
from gis.store import buildings, discrepancies, parcels, permits, roads, zones
from gis.store.geometry import city_crs

PERMITS_IN_FORCE = ("valid",)


def run_compliance(
    connection: Connection,
    epoch: str,
    parameters: ComplianceParameters | None = None,
    *,
    area: BoundingBox | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Difference]:
    """Compare the buildings measured at an epoch with the registers, and save what differs.

    A city without any permit in its register has nothing to be held against: nothing is flagged.

    Args:
        connection: The caller's transaction.
        epoch: The survey.
        parameters: What the office chooses.
        area: Only of buildings whose outline's rectangle meets this one is told what differs, the same as a run of all
            tells, and their findings replaced.
        progress: Told how many of how many buildings are done.
    """
    in_force = permits.current(connection)
    in_force = in_force[in_force["status"].isin(PERMITS_IN_FORCE)]
    found: list[Difference] = []
    if len(in_force):
        lots = parcels.current(connection)
        there = None if area is None else frozenset(buildings.current(connection, epoch, bounds=area)["uid"])
        found = differences(
            observations_of(buildings.current(connection, epoch)),
            permits_of(in_force),
            [Parcel(uid, boundary) for uid, boundary in zip(lots["uid"], lots.geometry, strict=True)],
            roads_of(roads.current(connection)),
            parameters or ComplianceParameters(),
            zones=zones_of(zones.current(connection)),
            only=there,
            progress=progress,
        )
    rate = (parameters or ComplianceParameters()).false_alarm_rate
    rows = [_row(difference, epoch) for difference in found]
    # Only a run of all of it is the epoch's.
    chosen = rate if area is None else None
    discrepancies.save(connection, rows, epoch=epoch, area=area, false_alarm_rate=chosen)
    return found


def ward_bounds(connection: Connection, ward: str) -> BoundingBox:
    """The rectangle around the parcels of a ward.

    Raises:
        BadParameter: no parcel is in a ward of this code.
    """
    lots = parcels.current(connection)
    own = lots[lots["ward_code"] == ward]
    if own.empty:
        raise BadParameter("area", ward, "give x0,y0,x1,y1 or the code of a ward that has parcels")
    west, south, east, north = (float(value) for value in own.total_bounds)
    return BoundingBox(west, south, east, north, horizontal(city_crs(connection)))


def observations_of(measured: gpd.GeoDataFrame) -> list[Observation]:
    """The measured buildings of an epoch."""
    return list(_observations(_shaped(measured)))


def _observations(measured: gpd.GeoDataFrame) -> Iterator[Observation]:
    usual = float(measured["point_density"].median()) if len(measured) else 0.0
    for row in measured.itertuples():
        attributes: Mapping[str, Any] = row.attributes
        # The area's σ is that of the walls times √(Σ l²) (`lidar.reconstruct`).
        ring = np.diff(shapely.get_coordinates(row.geometry.exterior), axis=0)
        sigma_outline = row.sigma_area / float(np.sqrt((ring**2).sum()))
        seen = max(1.0 - _number(row.no_data_fraction), 1e-3) * usual
        yield Observation(
            uid=row.uid,
            footprint=row.geometry,
            height=_number(row.height),
            sigma_height=_number(row.sigma_height),
            sigma_outline=sigma_outline,
            known=attributes.get("footprint_source") != "derived",
            sigma_below=_number(attributes.get("sigma_below_m")),
            top=_number(row.roof_height_max) - _number(row.ground_height),
            ground=_number(row.ground_height),
            sigma_ground=_number(attributes.get("sigma_ground_m")),
            ground_share=float(attributes.get("ground_fraction", 0.0)),
            roof_share=_number(row.point_density) / seen if seen > 0 else 1.0,
            support=float(attributes.get("footprint_confidence", 1.0)),
            wall_offsets=_walls(attributes),
            surveyed=_day(attributes.get("survey_last_day")),
        )


def _walls(attributes: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """Offsets and σ of the outline's sides, as `lidar.reconstruct` tells them."""
    columns = [attributes.get(name) for name in ("wall_offsets_m", "wall_sigmas_m")]
    if None in columns:
        return None
    listed = [[float(one) if one else np.nan for one in str(column).split(";")] for column in columns]
    return np.array(listed, dtype=np.float64).T


def permits_of(in_force: gpd.GeoDataFrame) -> list[Permit]:
    """The permits of a register."""
    return [
        Permit(
            permit_no=row.permit_no,
            parcel_uid=row.parcel_uid,
            footprint=row.geometry,
            height=_number(row.height_m),
            floors=int(row.floors) if np.isfinite(_number(row.floors)) else 0,
            setback_front=_number(row.setback_front_m),
            setback_rear=_number(row.setback_rear_m),
            ground_area=_number(row.ground_area_m2),
            floor_area=_number(row.gross_floor_area_m2),
            ground_level=_number(row.ground_level_m),
            type=row.type,
            issued=_day(row.issued),
            expires=_day(row.expires),
        )
        for row in _shaped(in_force).itertuples()
    ]


def roads_of(listed: gpd.GeoDataFrame) -> list[Road]:
    """The roads of a register; what has no reserve keeps no land."""
    return [
        Road(row.name or row.uid, row.geometry, width)
        for row in _shaped(listed).itertuples(index=False)
        if np.isfinite(width := _number(row.reserve_width_m))
    ]


def zones_of(listed: gpd.GeoDataFrame) -> list[Zone]:
    """The planning zones of a register."""
    return [
        Zone(
            uid=row.uid,
            area=row.geometry,
            floors=_number(row.floors_max),
            height=_number(row.height_max_m),
            density=_number(row.density_pct),
            far=_number(row.far),
            decision=row.decision or "",
        )
        for row in _shaped(listed).itertuples()
    ]


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


def _shaped(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The same with its geometry under one name, whatever the register calls it."""
    return frame if frame.geometry.name == "geometry" else frame.rename_geometry("geometry")


def _number(value: float | None) -> float:
    """A column's value; NaN where the register has none."""
    return float("nan") if value is None or pd.isna(value) else float(value)


def _day(value: object) -> date | None:
    """A column's day, None where the register has none."""
    text = str(value)[:10]
    return date.fromisoformat(text) if text[:1].isdigit() else None
