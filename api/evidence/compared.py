"""What was measured beside what is permitted, for the quantities a survey from the air can compare."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any, Literal

import shapely
from shapely.geometry.base import BaseGeometry

from api.evidence.sheet import Comparison, Measured
from gis.construction.compliance import ComplianceParameters
from gis.store.evidence import Facts

CHOSEN = ComplianceParameters()
"""The office's tolerances and the false-alarm rate, from which k follows."""


def comparisons(facts: Facts, measured: Measured, front: BaseGeometry | None) -> tuple[Comparison, ...]:
    """Height and outline against the permit and the parcel, as far as both are known.

    Args:
        facts: As the registers have them.
        measured: The building.
        front: The parcel's edge that the permitted setback is measured from, where it is known.
    """
    return tuple(_compared(facts, measured, front))


def _compared(facts: Facts, measured: Measured, front: BaseGeometry | None) -> Iterator[Comparison]:
    footprint, outline = facts.building.geometry, measured.sigma_outline
    permit = None if facts.permit is None else facts.permit.facts
    height, sigma = measured.height, measured.sigma_height
    if permit is not None and permit["height_m"] is not None and height is not None and sigma is not None:
        yield _comparison("height", height, sigma, permit["height_m"], CHOSEN.height_tolerance)
    if outline is None:
        return
    on_parcel = footprint if facts.parcel is None else footprint.intersection(facts.parcel.geometry)
    if facts.permit is not None and not facts.permit.geometry.is_empty:
        reach = _reach(on_parcel, facts.permit.geometry)
        yield _comparison("outside_permitted", reach, outline, 0.0, CHOSEN.outline_tolerance)
    if facts.parcel is not None and measured.outline == "known":
        reach = _reach(footprint, facts.parcel.geometry)
        yield _comparison("over_parcel_line", reach, outline, 0.0, CHOSEN.outline_tolerance)
    if permit is not None and permit["setback_front_m"] and front is not None:
        actual = float(front.distance(on_parcel))
        yield _comparison(
            "setback_front", actual, outline, permit["setback_front_m"], CHOSEN.outline_tolerance, at_most=False
        )


def _comparison(
    quantity: Any, actual: float, sigma: float, limit: float, tolerance: float, *, at_most: bool = True
) -> Comparison:
    delta = actual - limit if at_most else limit - actual
    return Comparison(
        quantity=quantity,
        actual=round(actual, 3),
        sigma=round(sigma, 3),
        limit=round(limit, 3),
        unit="m",
        tolerance=tolerance,
        k=round(CHOSEN.k, 2),
        verdict=_verdict(delta, sigma, tolerance),
    )


def _verdict(delta: float, sigma: float, tolerance: float) -> Literal["within", "beyond", "open"]:
    if not isfinite(sigma) or delta > tolerance + CHOSEN.k * sigma:
        return "beyond" if isfinite(sigma) else "open"
    return "within" if delta <= tolerance else "open"


def _reach(part: BaseGeometry, inside: BaseGeometry) -> float:
    """How far, in metres, an area reaches out of another."""
    outside = shapely.difference(part, inside)
    if outside.is_empty:
        return 0.0
    return float(shapely.distance(shapely.points(shapely.get_coordinates(outside)), inside).max())
