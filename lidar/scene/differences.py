"""The truth about differences: each building held against its permit, and what only looks like a difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lidar.scene.comparison import Difference, compare
from lidar.scene.permits import is_legacy, permit_no
from lidar.scene.plots import Plan
from lidar.scene.stock import Standing, parcel_uid

Row = dict[str, Any]

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
        return [_row(standing, Difference("no_permit", standing.footprint.area, "m2"), None)]
    permitted = standing.permitted
    if is_legacy(standing):
        permitted = replace(permitted, setback_front_m=None, setback_rear_m=None)
    found = compare(plan.plots[standing.plot], permitted, standing.built)
    return [_row(standing, difference, permit_no(standing.plot)) for difference in found]


def _row(standing: Standing, difference: Difference, number: str | None) -> Row:
    row: Row = {
        "id": f"{difference.kind}:{standing.uid}",
        "kind": difference.kind,
        "building_uid": standing.uid,
        "parcel_uid": parcel_uid(standing.plot),
        "permit_no": number,
        "delta": round(float(difference.delta), 2),
        "unit": difference.unit,
        "planted": difference.kind == standing.difference,
    }
    if difference.kind == "storeys":
        row["delta_m"] = round(difference.delta * standing.built.storey_m, 2)
    if difference.side is not None:
        row["side"] = difference.side
    return row
