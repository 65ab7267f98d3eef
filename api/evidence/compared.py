"""What was measured beside what is permitted, for the quantities a survey from the air can compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any, Literal

import shapely
from shapely.geometry.base import BaseGeometry

from api.evidence.sheet import Comparison, Measured
from gis.construction.compliance import ComplianceParameters, Observation
from gis.store.evidence import Facts


def comparisons(facts: Facts, measured: Measured, front: BaseGeometry | None) -> tuple[Comparison, ...]:
    """Height and outline against the permit and the parcel, as far as both are known.

    Args:
        facts: As the registers have them.
        measured: The building.
        front: The parcel's edge that the permitted setback is measured from, where it is known.
    """
    rate = facts.false_alarm_rate
    chosen = ComplianceParameters() if rate is None else ComplianceParameters(false_alarm_rate=rate)
    return tuple(_compared(facts, measured, front, _Rules(chosen, measured.outline == "known")))


@dataclass(frozen=True, slots=True)
class _Rules:
    """The office's tolerances, and the false-alarm rate of the survey's run, from which k follows."""

    chosen: ComplianceParameters
    is_known: bool
    """Whether the outline is a base map's; a roof from points hangs over its walls by as much as a balcony may."""

    @property
    def outline(self) -> float:
        """Tolerance of walls, m."""
        return self.chosen.outline_tolerance + (0.0 if self.is_known else self.chosen.overhang)


def _compared(facts: Facts, measured: Measured, front: BaseGeometry | None, rules: _Rules) -> Iterator[Comparison]:
    footprint, outline = facts.building.geometry, measured.sigma_outline
    permit = None if facts.permit is None else facts.permit.facts
    height, sigma = measured.height, _sigma_upward(facts, measured)
    if permit is not None and permit["height_m"] is not None and height is not None and sigma is not None:
        yield _comparison("height", height, sigma, permit["height_m"], rules.chosen.height_tolerance, rules)
    if outline is None:
        return
    on_parcel = footprint if facts.parcel is None else footprint.intersection(facts.parcel.geometry)
    if facts.permit is not None and not facts.permit.geometry.is_empty:
        reach = _reach(on_parcel, facts.permit.geometry)
        yield _comparison("outside_permitted", reach, outline, 0.0, rules.outline, rules)
    if facts.parcel is not None and rules.is_known:
        reach = _reach(footprint, facts.parcel.geometry)
        yield _comparison("over_parcel_line", reach, outline, 0.0, rules.chosen.line_tolerance, rules)
    if permit is not None and permit["setback_front_m"] and front is not None:
        actual = float(front.distance(on_parcel))
        yield _comparison(
            "setback_front", actual, outline, permit["setback_front_m"], rules.outline, rules, at_most=False
        )


def _sigma_upward(facts: Facts, measured: Measured) -> float | None:
    """Of the height, m, for the question whether the building is lower than it seems; the one that flags."""
    if measured.height is None or measured.sigma_height is None:
        return None
    extra = facts.building.facts["attributes"]
    below, ground = (nan if extra.get(name) is None else float(extra[name]) for name in _LOWER)
    return Observation(
        uid=measured.building,
        footprint=facts.footprint,
        height=measured.height,
        sigma_height=measured.sigma_height,
        sigma_outline=measured.sigma_outline or 0.0,
        known=measured.outline == "known",
        sigma_below=below,
        sigma_ground=ground,
    ).sigma_upward


_LOWER = ("sigma_below_m", "sigma_ground_m")


def _comparison(
    quantity: Any,
    actual: float,
    sigma: float,
    limit: float,
    tolerance: float,
    rules: _Rules,
    *,
    at_most: bool = True,
) -> Comparison:
    delta = actual - limit if at_most else limit - actual
    return Comparison(
        quantity=quantity,
        actual=round(actual, 3),
        sigma=round(sigma, 3),
        limit=round(limit, 3),
        unit="m",
        tolerance=tolerance,
        k=round(rules.chosen.k, 2),
        verdict=_verdict(delta, sigma, tolerance, rules.chosen.k),
    )


def _verdict(delta: float, sigma: float, tolerance: float, k: float) -> Literal["within", "beyond", "open"]:
    if not isfinite(sigma) or delta > tolerance + k * sigma:
        return "beyond" if isfinite(sigma) else "open"
    return "within" if delta <= tolerance else "open"


def _reach(part: BaseGeometry, inside: BaseGeometry) -> float:
    """How far, in metres, an area reaches out of another."""
    outside = shapely.difference(part, inside)
    if outside.is_empty:
        return 0.0
    return float(shapely.distance(shapely.points(shapely.get_coordinates(outside)), inside).max())
