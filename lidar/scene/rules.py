"""What may be built on a lot of an attached house: Decision 56/2021 of the city, annex 18, as `data/rules` has it."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np

from gis.construction.rule_tables import RuleTable, city_rules

IN_FORCE = date(2021, 12, 28)
"""The scene is built by the annex's first version, whatever comes after it."""


def most_floors(reserve_m: float) -> int:
    """Floors by the reserve width of the road in front (base, without bonus)."""
    return int(_figure("attached_floors_base", road_reserve_m=reserve_m))


def density_pct(area_m2: float) -> float:
    """Greatest building density of the lot, linear between the table's rows; above the last figure, that."""
    areas, figures = _densities()
    return float(np.interp(area_m2, areas, figures))


def rear_setback(area_m2: float, depth_m: float) -> float:
    """Metres kept free at the back of the lot."""
    return _figure("attached_setback_rear", lot_area_m2=area_m2, lot_depth_m=depth_m)


def balcony(reserve_m: float) -> float:
    """How far a balcony may stand out over the street, metres."""
    return _figure("attached_balcony", road_reserve_m=reserve_m)


@cache
def _table(name: str) -> RuleTable:
    table = city_rules().table(name, IN_FORCE)
    if table is None:
        raise LookupError(f"{name} is not in force on {IN_FORCE}")
    return table


def _figure(name: str, **asked: float) -> float:
    found = _table(name).find(**asked)
    if found is None or found.value is None:
        raise LookupError(f"{name} has no figure for {asked}")
    return found.value


@cache
def _densities() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lot areas (m²) and densities (%); the text leaves lots above the last open."""
    rows = [row for row in _table("attached_density").rows if row.value]
    return tuple(float(row.range_1.strip("(),")) for row in rows), tuple(float(row.value) for row in rows)
