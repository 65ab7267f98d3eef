"""Heights held against limits: storeys of a permit, and the levelling height of its ground."""

from __future__ import annotations

import numpy as np

from gis.construction.compliance.place import Placed
from gis.construction.compliance.resolvable import detectable
from gis.construction.compliance.storeys import STOREY, storeys_of
from gis.construction.compliance.values import ComplianceParameters, Difference, Kind, confidence


def too_high(placed: Placed, parameters: ComplianceParameters) -> Difference | None:
    """Higher than permitted by about a storey: by the permitted height, or where none is stated by the floors."""
    observation, permit = placed.observation, placed.permit
    if permit is None:
        return None
    if np.isnan(permit.height):
        return _too_many(placed, parameters)
    delta, sigma = observation.height - permit.height, observation.sigma_upward
    # NaN compares false: an unknown height flags nothing.
    if not delta > parameters.height_tolerance + parameters.k * sigma:
        return None
    storeys = storeys_of(observation.height, sigma, (permit.height, permit.floors))
    return Difference(
        kind=Kind.STOREYS,
        building_uid=observation.uid,
        parcel_uid=placed.parcel_uid,
        permit_no=permit.permit_no,
        actual=observation.height,
        limit=permit.height,
        unit="m",
        delta=delta,
        sigma=sigma,
        confidence=confidence(delta, parameters.height_tolerance, sigma),
        evidence={
            "citation": permit.permit_no,
            "permitted_floors": permit.floors,
            "storeys_over_estimate": round(delta / STOREY, 1),
            "storeys_estimate": round(storeys.mean, 1),
            "sigma_storeys": round(storeys.sigma, 2),
            "probability_more_storeys": round(storeys.more_than(permit.floors), 4),
            "detectable": round(detectable(parameters.height_tolerance, sigma, parameters.k), 2),
        },
    )


def _too_many(placed: Placed, parameters: ComplianceParameters) -> Difference | None:
    """More storeys than permitted, of a permit that states no height."""
    observation, permit = placed.observation, placed.permit
    if permit is None or not permit.floors or np.isnan(observation.height):
        return None
    storeys = storeys_of(observation.height, observation.sigma_upward)
    sure = storeys.more_than(permit.floors)
    if sure < 1.0 - parameters.false_alarm_rate:
        return None
    return Difference(
        kind=Kind.STOREYS,
        building_uid=observation.uid,
        parcel_uid=placed.parcel_uid,
        permit_no=permit.permit_no,
        actual=round(storeys.mean, 2),
        limit=float(permit.floors),
        unit="storeys",
        delta=round(storeys.mean, 2) - permit.floors,
        sigma=round(storeys.sigma, 2),
        confidence=sure,
        evidence={
            "citation": permit.permit_no,
            "permitted_floors": permit.floors,
            "height_m": round(observation.height, 2),
            "probability_more_storeys": round(sure, 4),
        },
    )


def below_level(placed: Placed, parameters: ComplianceParameters) -> Difference | None:
    """The ground beside the building lies below the levelling height of its permit."""
    observation, permit = placed.observation, placed.permit
    if permit is None:
        return None
    sigma = observation.sigma_level
    delta = permit.ground_level - observation.ground
    if not delta > parameters.level_tolerance + parameters.k * sigma:
        return None
    return Difference(
        kind=Kind.GROUND_LEVEL,
        building_uid=observation.uid,
        parcel_uid=placed.parcel_uid,
        permit_no=permit.permit_no,
        actual=observation.ground,
        limit=permit.ground_level,
        unit="m",
        delta=delta,
        sigma=sigma,
        confidence=confidence(delta, parameters.level_tolerance, sigma),
        evidence={
            "citation": permit.permit_no,
            "detectable": round(detectable(parameters.level_tolerance, sigma, parameters.k), 2),
        },
    )
