"""Building permits: what was permitted for each building that stands, under which paper."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from math import ceil

from numpy.random import Generator

from lidar.scene.designs import Design
from lidar.scene.randomness import stream
from lidar.scene.rows import FLIGHT_DAY, Row, day
from lidar.scene.shapes import snapped
from lidar.scene.stock import Standing, parcel_uid
from lidar.scene.structures import design_top

UNBUILT_PERMIT_SHARE = 0.6
"""Of the empty plots: a permit was issued and nothing was built, or it expired, or was revoked."""


def make_permits(stock: list[Standing], empty: dict[int, Design], seed: int) -> list[Row]:
    """One permit or more for each building but those without, and some for plots where nothing stands."""
    rows: list[Row] = []
    for standing in stock:
        if standing.difference != "no_permit":
            rows += _permits_of(standing, seed)
    for plot, design in empty.items():
        rng = stream(seed, "unbuilt permit", plot)
        if rng.random() < UNBUILT_PERMIT_SHARE:
            rows.append(_unbuilt(plot, design, rng))
    return rows


def permit_no(plot: int) -> str:
    """The number of the permit in force for the building on a plot."""
    return f"GP-{plot + 1:06d}"


def _unbuilt(plot: int, design: Design, rng: Generator) -> Row:
    status = str(rng.choice(["valid", "expired", "revoked"]))
    years = (date(2024, 4, 1), date(2025, 2, 1)) if status == "valid" else (date(2015, 1, 1), date(2022, 1, 1))
    row = _row(plot, "new", design, day(float(rng.random()), *years), float("nan"))
    return {**row, "status": status, "ground_level_m": None}


def is_legacy(standing: Standing) -> bool:
    """Whether the house is older than permits and stands on a certificate: such a house has no setbacks to keep."""
    old = bool(standing.permitted.options.get("old"))
    return standing.look_alike == "legacy_certificate" or (
        old and standing.look_alike is None and standing.difference is None
    )


def _permits_of(standing: Standing, seed: int) -> list[Row]:
    rng = stream(seed, "permit", standing.plot)
    design, look = standing.permitted, standing.look_alike
    issued = day(float(rng.random()), date(2014, 1, 1), date(2023, 12, 1))
    if standing.built.status == "under_construction":
        issued = day(float(rng.random()), date(2024, 6, 1), date(2025, 1, 15))
    elif look == "missing_footprint":
        issued = day(float(rng.random()), date(2023, 9, 1), date(2024, 3, 1))
    kind = "by_stage" if design.kind in ("tower", "apartments") else "new"
    if is_legacy(standing):
        kind, issued = "legacy", day(float(rng.random()), date(1999, 1, 1), date(2006, 6, 1))
    if look == "temporary":
        kind, issued = "temporary", day(float(rng.random()), date(2022, 1, 1), date(2024, 6, 1))
    row = _row(standing.plot, kind, design, issued, standing.structure.ground)
    row["height_m"] = max(row["height_m"], _same_storeys_top(standing))
    if look == "older_parcel_uid":
        row["parcel_uid"] = f"{parcel_uid(standing.plot)}-2003"
    if look == "renovation":
        return _renovated(row, design, issued)
    return [row]


def _same_storeys_top(standing: Standing) -> float:
    """What stands, with the permitted storeys: a longer shed roof rises a little, which no permit forbids."""
    if standing.built.status != "finished":
        return 0.0
    return ceil(design_top(replace(standing.built, floors=standing.permitted.floors)) * 10) / 10


def _row(plot: int, kind: str, design: Design, issued: date, ground: float) -> Row:
    area = snapped(design.polygon)
    expires = issued + timedelta(days=365)
    if kind == "temporary":
        expires = issued + timedelta(days=5 * 365)
    return {
        "permit_no": permit_no(plot),
        "type": kind,
        "status": "valid",
        "issued": issued.isoformat(),
        "expires": None if kind == "legacy" else expires.isoformat(),
        "superseded_by": None,
        "parcel_uid": parcel_uid(plot),
        "use": design.kind,
        "floors": design.floors,
        "basements": 2 if design.kind == "tower" else 0,
        "height_m": ceil(design_top(design) * 10) / 10,
        "ground_area_m2": round(area.area, 1),
        "gross_floor_area_m2": round(area.area * design.floors, 1),
        "setback_front_m": design.setback_front_m if kind != "legacy" else None,
        "setback_rear_m": design.setback_rear_m if kind != "legacy" else None,
        "ground_level_m": round(ground, 2),
        "geom": area,
    }


def _renovated(row: Row, design: Design, issued: date) -> list[Row]:
    """An earlier permit with a storey less, superseded by one to renovate and add it."""
    later = issued + timedelta(days=400)
    later = min(later, FLIGHT_DAY - timedelta(days=300))
    first = dict(row)
    first["permit_no"] = f"{row['permit_no']}-A"
    first["status"], first["superseded_by"] = "superseded", row["permit_no"]
    first["issued"] = (later - timedelta(days=2000)).isoformat()
    first["expires"] = (later - timedelta(days=1635)).isoformat()
    first["floors"] = max(design.floors - 1, 1)
    first["height_m"] = round(row["height_m"] - design.storey_m, 1)
    first["gross_floor_area_m2"] = round(row["ground_area_m2"] * first["floors"], 1)
    second = dict(row)
    second["type"], second["issued"] = "renovation", later.isoformat()
    second["expires"] = (later + timedelta(days=365)).isoformat()
    return [first, second]
