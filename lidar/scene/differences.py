"""The truth about differences: each building held against its permit, and what only looks like a difference."""

from __future__ import annotations

from typing import Any

from shapely import Point

from lidar.scene.designs import yards
from lidar.scene.permits import is_legacy, permit_no
from lidar.scene.plots import Plan
from lidar.scene.registers import permit_area
from lidar.scene.stock import Standing, parcel_uid

Row = dict[str, Any]

AREA_M2, LENGTH_M = 3.0, 0.15
"""A footprint larger, or a line passed, by less than this is no difference."""

WHY = {
    "legacy_certificate": "built before permits were asked for; recorded on the certificate",
    "renovation": "a renovation permit with one storey more supersedes the first",
    "temporary": "a temporary permit that is still valid",
    "roof_fixtures": "parapet, stair head and tank rise above the permitted height, which does not count them",
    "tree_over_roof": "a crown hangs over the roof and hides part of it",
    "tall_storeys": "high storeys: the permitted number, in the permitted height",
    "older_parcel_uid": "the permit names the parcel by an earlier uid",
    "missing_footprint": "newer than the base map, with a permit",
}


def true_differences(plan: Plan, stock: list[Standing]) -> dict[str, list[Row]]:
    """The document of `truth/differences.json`."""
    found: list[Row] = []
    for standing in stock:
        found += _of(standing, plan)
    alike = [
        {
            "id": f"look_alike:{s.look_alike}:{s.uid}",
            "kind": s.look_alike,
            "building_uid": s.uid,
            "parcel_uid": parcel_uid(s.plot),
            "why": WHY[s.look_alike],
        }
        for s in stock
        if s.look_alike
    ]
    return {"differences": found, "look_alikes": alike}


def _of(standing: Standing, plan: Plan) -> list[Row]:
    """All differences of one building: the planted one, and those that follow from it."""
    if standing.difference == "no_permit":
        return [_row(standing, "no_permit", standing.footprint.area, "m2", None)]
    built, permitted, plot = standing.built, standing.permitted, plan.plots[standing.plot]
    number = permit_no(standing.plot)
    rows = []
    more = built.floors - permitted.floors
    if more >= 1:
        rows.append(_row(standing, "storeys", more, "storey", number, delta_m=round(more * built.storey_m, 2)))
    larger = standing.footprint.area - permit_area(permitted).area
    if larger > AREA_M2:
        rows.append(_row(standing, "footprint", larger, "m2", number))
    outside = standing.footprint.difference(plot.polygon)
    if outside.area > 0.3:
        beyond = max(plot.polygon.distance(Point(xy)) for xy in standing.footprint.exterior.coords)
        if beyond > LENGTH_M:
            rows.append(_row(standing, "parcel_line", beyond, "m", number))
    for limit, distance, side in zip(
        (permitted.setback_front_m, permitted.setback_rear_m), yards(plot, built.ring), ("front", "rear"), strict=True
    ):
        if limit is not None and not is_legacy(standing) and limit - distance > LENGTH_M:
            rows.append(_row(standing, "setback", limit - distance, "m", number, side=side))
    return rows


def _row(standing: Standing, kind: str, delta: float, unit: str, number: str | None, **more: float | str) -> Row:
    return {
        "id": f"{kind}:{standing.uid}",
        "kind": kind,
        "building_uid": standing.uid,
        "parcel_uid": parcel_uid(standing.plot),
        "permit_no": number,
        "delta": round(float(delta), 2),
        "unit": unit,
        "planted": kind == standing.difference,
        **more,
    }
