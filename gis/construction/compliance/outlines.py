"""Walls held against lines: the permitted footprint, the parcel, the setbacks, the road's reserve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.construction.compliance.place import Placed, Registers
from gis.construction.compliance.resolvable import detectable
from gis.construction.compliance.values import ComplianceParameters, Difference, Kind, Observation
from gis.construction.compliance.walls import (
    SHORTEST,
    Beyond,
    Depth,
    Walls,
    area_sigma,
    farthest_beyond,
    outside_of,
    walls_of,
    within_distance,
)

AGREES = 0.5
"""m by which a permit's drawing may miss the setback it states and still tell from which side it is measured."""
STATED = 0.1
"""m by which it misses it at most where it is drawn on the same map as the parcel."""
PARALLEL = 0.9
"""Cosine between sides that are one side of a lot."""


def against_lines(placed: Placed, register: Registers, parameters: ComplianceParameters) -> list[Difference]:
    """All that a building's walls differ in."""
    observation = placed.observation
    if not observation.known and observation.support < parameters.least_support:
        return []  # most of such an outline is where cells end: it says that something stands, not where its walls are
    walls = walls_of(observation, placed.part)
    found = (
        _outside_of_permit(placed, walls, parameters),
        _over_parcel_line(placed, walls, parameters),
        _into_setback(placed, walls, register, parameters),
        _into_reserve(placed, walls, register, parameters),
    )
    return [one for one in found if one is not None]


def _tolerance(observation: Observation, least: float, parameters: ComplianceParameters) -> float:
    """A roof from points hangs over its walls by as much as a balcony may."""
    return least if observation.known else least + parameters.overhang


def _figures(
    beyond: Beyond, observation: Observation, tolerance: float, parameters: ComplianceParameters
) -> dict[str, float | int | str]:
    return {
        "reach_m": round(beyond.depth, 2),
        "sigma_reach_m": round(beyond.sigma, 3),
        "wall_m": round(beyond.length, 1),
        "outline": ("map and points" if beyond.measured else "map") if observation.known else "points",
        "detectable": round(detectable(tolerance, beyond.sigma, parameters.k_of(beyond.walls)), 2),
    }


def _outside_of_permit(placed: Placed, walls: Walls, parameters: ComplianceParameters) -> Difference | None:
    observation, permit = placed.observation, placed.permit
    if permit is None or permit.footprint is None:
        return None
    tolerance = _tolerance(observation, parameters.outline_tolerance, parameters)
    beyond = farthest_beyond(walls, outside_of(permit.footprint))
    if beyond is None or not beyond.exceeds(tolerance, parameters):
        return None
    return Difference(
        kind=Kind.FOOTPRINT,
        building_uid=observation.uid,
        parcel_uid=placed.parcel_uid,
        permit_no=permit.permit_no,
        actual=float(shapely.area(placed.part)),
        limit=float(permit.footprint.area),
        unit="m²",
        delta=float(shapely.area(shapely.difference(placed.part, permit.footprint))),
        sigma=area_sigma(permit.footprint, beyond.sigma),
        confidence=beyond.confidence(tolerance),
        evidence={"citation": permit.permit_no, **_figures(beyond, observation, tolerance, parameters)},
    )


def _over_parcel_line(placed: Placed, walls: Walls, parameters: ComplianceParameters) -> Difference | None:
    observation, parcel, permit = placed.observation, placed.parcel, placed.permit
    if parcel is None or not observation.known:
        return None  # an outline from points may hold several houses: their common wall is not a trespass
    tolerance = parameters.line_tolerance
    beyond = farthest_beyond(walls, outside_of(parcel.boundary))
    if beyond is None or not beyond.exceeds(tolerance, parameters):
        return None
    over = float(observation.footprint.difference(parcel.boundary).area)
    return Difference(
        kind=Kind.PARCEL_LINE,
        building_uid=observation.uid,
        parcel_uid=parcel.uid,
        permit_no=permit.permit_no if permit else None,
        actual=beyond.depth,
        limit=0.0,
        unit="m",
        delta=beyond.depth,
        sigma=beyond.sigma,
        confidence=beyond.confidence(tolerance),
        evidence={
            "citation": parcel.uid,
            "area_over_m2": round(over, 2),
            **_figures(beyond, observation, tolerance, parameters),
        },
    )


def _into_setback(
    placed: Placed, walls: Walls, register: Registers, parameters: ComplianceParameters
) -> Difference | None:
    """Of front and rear the one passed most surely."""
    observation, parcel, permit = placed.observation, placed.parcel, placed.permit
    if parcel is None or permit is None or not (permit.setback_front > 0 or permit.setback_rear > 0):
        return None
    tolerance = _tolerance(observation, parameters.outline_tolerance, parameters)
    sides = register.sides(parcel)
    fronts = [front.edges for front in sides.fronts]
    passed: list[tuple[Beyond, str, float]] = []
    for side, lines, limit in (("front", fronts, permit.setback_front), ("rear", [sides.rear], permit.setback_rear)):
        for line, kept in _lines_of(lines, parcel.boundary, permit.footprint, limit) if limit > 0 else ():
            beyond = farthest_beyond(walls, within_distance(line, kept))
            if beyond is not None and beyond.exceeds(tolerance, parameters):
                passed.append((beyond, side, kept))
    if not passed:
        return None
    beyond, side, limit = max(passed, key=lambda one: one[0].confidence(tolerance))
    return Difference(
        kind=Kind.SETBACK,
        building_uid=observation.uid,
        parcel_uid=parcel.uid,
        permit_no=permit.permit_no,
        actual=limit - beyond.depth,
        limit=limit,
        unit="m",
        delta=beyond.depth,
        sigma=beyond.sigma,
        confidence=beyond.confidence(tolerance),
        evidence={
            "citation": permit.permit_no,
            "side": side,
            **_figures(beyond, observation, tolerance, parameters),
        },
    )


def _lines_of(
    lines: Sequence[BaseGeometry], lot: BaseGeometry, drawn: BaseGeometry | None, limit: float
) -> list[tuple[BaseGeometry, float]]:
    """Lines from which a setback is measured, each with the setback, m: no more than the permit's drawing keeps.

    Roads tell which sides of a lot are meant, but the register has not every alley. Where the drawing keeps what is
    stated from a road's side, that is meant; else from whichever side it keeps it exactly; else from the road's side
    from which it keeps about as much. There is none where it keeps it from nowhere.
    """
    known = [line for line in lines if not shapely.is_empty(line)]
    if drawn is None:
        return [(line, limit) for line in known[:1]]

    def misses(line: BaseGeometry) -> float:
        return abs(float(shapely.distance(line, drawn)) - limit)

    meant = [line for line in known if misses(line) <= STATED]
    if not meant:
        meant = _one_side([side for side in _sides(lot) if misses(side) <= STATED])
    if not meant:
        meant = sorted((line for line in known if misses(line) <= AGREES), key=misses)[:1]
    return [(line, min(limit, float(shapely.distance(line, drawn)))) for line in meant]


def _sides(lot: BaseGeometry) -> list[BaseGeometry]:
    ring = shapely.get_coordinates(shapely.get_exterior_ring(max(shapely.get_parts(lot), key=shapely.area)))
    sides = [shapely.LineString(ends) for ends in np.stack([ring[:-1], ring[1:]], axis=1)]
    return [side for side in sides if side.length >= SHORTEST]


def _one_side(found: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Them, where they run alike and so are one side of the lot; of several sides it cannot be told which is meant."""
    if not found:
        return []
    way = np.diff(shapely.get_coordinates(list(found)).reshape(-1, 2, 2), axis=1)[:, 0]
    way /= np.hypot(*way.T)[:, None]
    return list(found) if (way @ way[0] >= PARALLEL).all() else []


def _into_reserve(
    placed: Placed, walls: Walls, register: Registers, parameters: ComplianceParameters
) -> Difference | None:
    observation = placed.observation
    tolerance = _tolerance(observation, parameters.line_tolerance, parameters)
    passed = []
    for road, reserve in register.reserves_under(placed.part):
        beyond = farthest_beyond(walls, _into(reserve))
        if beyond is not None and beyond.exceeds(tolerance, parameters):
            passed.append((beyond, road, reserve))
    if not passed:
        return None
    beyond, road, reserve = max(passed, key=lambda one: (one[0].depth, one[1].name))
    return Difference(
        kind=Kind.RESERVE,
        building_uid=observation.uid,
        parcel_uid=placed.parcel_uid,
        permit_no=placed.permit.permit_no if placed.permit else None,
        actual=beyond.depth,
        limit=0.0,
        unit="m",
        delta=beyond.depth,
        sigma=beyond.sigma,
        confidence=beyond.confidence(tolerance),
        evidence={
            "citation": road.name,
            "reserve_width_m": road.reserve_width,
            "area_in_reserve_m2": round(float(shapely.area(shapely.intersection(placed.part, reserve))), 2),
            **_figures(beyond, observation, tolerance, parameters),
        },
    )


def _into(reserve: BaseGeometry) -> Depth:
    """Metres inside of a reserve."""
    outside = outside_of(reserve)
    return lambda points: -outside(points)
