"""Buildings held against the planning zone they stand in: floors, height, density, floor area ratio.

What a permit in force grants beyond the zone's limit stays granted: the greater of both is the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

import numpy as np
import shapely

from gis.construction.compliance.place import Placed, Registers
from gis.construction.compliance.storeys import Storeys, storeys_of
from gis.construction.compliance.values import ComplianceParameters, Difference, Kind, Zone, confidence
from gis.construction.compliance.walls import area_sigma


def over_zone(
    placed: Placed, beside: Sequence[Placed], register: Registers, parameters: ComplianceParameters
) -> Difference | None:
    """The limit of its zone that a building exceeds most surely.

    Args:
        placed: the building.
        beside: all buildings on its parcel, itself among them; density and floor area ratio are the lot's.
        register: of the zones.
        parameters: the office's.
    """
    zone = register.zone_of(placed.part)
    if zone is None or np.isnan(placed.observation.height):
        return None
    found = [_floors(placed, zone, parameters), _height(placed, zone, parameters)]
    largest = max(beside, key=lambda one: (float(shapely.area(one.part)), one.observation.uid), default=None)
    if placed.parcel is not None and placed is largest and all(one.observation.known for one in beside):
        found += [_density(placed, beside, zone, parameters), _far(placed, beside, zone, parameters)]
    flagged = [one for one in found if one is not None]
    if not flagged:
        return None
    worst = max(flagged, key=lambda one: one.confidence)
    also = ", ".join(str(one.evidence["limit"]) for one in flagged if one is not worst)
    if not also:
        return worst
    return _difference(
        placed, zone, str(worst.evidence["limit"]), worst.actual, worst.limit, worst.unit, worst.sigma,
        worst.confidence, {"also": also},
    )  # fmt: skip


def _floors(placed: Placed, zone: Zone, parameters: ComplianceParameters) -> Difference | None:
    limit = _limit(zone.floors, float(placed.permit.floors) if placed.permit and placed.permit.floors else None)
    if np.isnan(limit):
        return None
    storeys = _storeys(placed)
    sure = storeys.more_than(limit)
    if sure < 1.0 - parameters.false_alarm_rate:
        return None
    return _difference(placed, zone, "floors", storeys.mean, limit, "storeys", storeys.sigma, sure)


def _height(placed: Placed, zone: Zone, parameters: ComplianceParameters) -> Difference | None:
    limit = _limit(zone.height, placed.permit.height if placed.permit else None)
    sigma = placed.observation.sigma_upward
    return _tested(placed, zone, "height", placed.observation.height, limit, "m", sigma, parameters.height_tolerance,
                   parameters)  # fmt: skip


def _density(
    placed: Placed, beside: Sequence[Placed], zone: Zone, parameters: ComplianceParameters
) -> Difference | None:
    lot, granted = _lot(placed), [one.permit.ground_area for one in beside if one.permit]
    limit = _limit(zone.density, 100.0 * sum(granted) / lot if granted else None)
    built, sigma, slack = _built(beside, parameters)
    return _tested(
        placed, zone, "density", 100.0 * built / lot, limit, "%", 100.0 * sigma / lot, 100.0 * slack / lot, parameters
    )


def _far(placed: Placed, beside: Sequence[Placed], zone: Zone, parameters: ComplianceParameters) -> Difference | None:
    lot, granted = _lot(placed), [one.permit.floor_area for one in beside if one.permit]
    limit = _limit(zone.far, sum(granted) / lot if granted else None)
    total, variance, slack = 0.0, 0.0, 0.0
    for one in beside:
        storeys = _storeys(one)
        area, sigma, spare = _built([one], parameters)
        total += area * storeys.mean
        variance += (area * storeys.sigma) ** 2 + (storeys.mean * sigma) ** 2
        slack = hypot(slack, spare * storeys.mean)
    return _tested(placed, zone, "FAR", total / lot, limit, "", variance**0.5 / lot, slack / lot, parameters)


def _storeys(placed: Placed) -> Storeys:
    permit, observation = placed.permit, placed.observation
    permitted = (permit.height, permit.floors) if permit else None
    return storeys_of(observation.height, observation.sigma_upward, permitted)


def _built(beside: Sequence[Placed], parameters: ComplianceParameters) -> tuple[float, float, float]:
    """m² of ground built upon, σ, and what walls within their tolerance may add."""
    areas = [float(shapely.area(one.part)) for one in beside]
    sigmas = [area_sigma(one.part, one.observation.sigma_outline) for one in beside]
    slack = [area_sigma(one.part, parameters.outline_tolerance) for one in beside]
    return sum(areas), float(np.hypot.reduce(sigmas)), float(np.hypot.reduce(slack))


def _lot(placed: Placed) -> float:
    return float(placed.parcel.boundary.area) if placed.parcel is not None else float("nan")


def _limit(zone: float, granted: float | None) -> float:
    """The zone's, or what a permit grants beyond it; NaN where the zone sets none."""
    return zone if granted is None or np.isnan(granted) else max(zone, granted) if not np.isnan(zone) else zone


def _tested(
    placed: Placed,
    zone: Zone,
    name: str,
    actual: float,
    limit: float,
    unit: str,
    sigma: float,
    tolerance: float,
    parameters: ComplianceParameters,
) -> Difference | None:
    # NaN compares false: a limit that is not set flags nothing.
    if not actual - limit > tolerance + parameters.k * sigma:
        return None
    return _difference(placed, zone, name, actual, limit, unit, sigma, confidence(actual - limit, tolerance, sigma))


def _difference(
    placed: Placed,
    zone: Zone,
    name: str,
    actual: float,
    limit: float,
    unit: str,
    sigma: float,
    sure: float,
    more: dict[str, float | int | str] | None = None,
) -> Difference:
    return Difference(
        kind=Kind.ZONE,
        building_uid=placed.observation.uid,
        parcel_uid=placed.parcel_uid,
        permit_no=placed.permit.permit_no if placed.permit else None,
        actual=actual,
        limit=limit,
        unit=unit,
        delta=actual - limit,
        sigma=sigma,
        confidence=sure,
        evidence={"citation": zone.decision, "limit": name, "zone": zone.uid, **(more or {})},
    )
