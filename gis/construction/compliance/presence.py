"""Whether a building stands and may: without a permit, gone, still there after its notice, not yet what it may be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from gis.construction.compliance.place import DEMOLITION, TEMPORARY, Placed, Registers
from gis.construction.compliance.storeys import storeys_of
from gis.construction.compliance.values import ComplianceParameters, Difference, Kind, Observation, Permit, confidence
from gis.construction.compliance.walls import area_sigma

CELL = 0.25
"""m²: cells of 0.5 m in which ground and roof are counted."""
LEAST_ROOF = 0.25
"""Of the points that a roof would have where anything was seen; fewer are a crown's, a wire's or a neighbour's."""
BUILDS = ("new", "renovation", "relocation", "by_stage")
"""Types of permits after which something is to stand by a date."""


def stands(observation: Observation, parameters: ComplianceParameters) -> bool:
    """Whether a building was measured there: high and large enough, roof where anything was seen, and not ground."""
    high = observation.height >= parameters.lowest_building  # false for an unknown height
    roofed = observation.roof_share >= LEAST_ROOF and not _open(observation, parameters)
    return high and roofed and observation.footprint.area >= parameters.smallest_building


def _open(observation: Observation, parameters: ComplianceParameters) -> bool:
    return observation.ground_share > parameters.open_share + parameters.k * _sigma_of_share(observation)


def _sigma_of_share(observation: Observation) -> float:
    """Of the share of ground: the sampling of its cells, and the map's error along the outline."""
    area = float(observation.footprint.area)
    edge = area_sigma(observation.footprint, observation.sigma_outline) / area
    return float(np.hypot(0.5 / np.sqrt(max(area / CELL, 1.0)), edge))


def without_permit(placed: Placed, register: Registers, parameters: ComplianceParameters) -> Difference | None:
    """A building without a permit; on the parcel of a permitted house that it adjoins, an extension."""
    observation, parcel, part = placed.observation, placed.parcel, placed.part
    area = float(shapely.area(part))
    derived_off_parcel = parcel is None and not observation.known
    if area < (parameters.smallest_off_parcel if derived_off_parcel else parameters.smallest_building):
        return None
    extended = register.permit_beside(parcel, part) if parcel and not observation.known else None
    if extended is not None and not _is_extension(observation, area, parameters):
        return None
    sigma = area_sigma(part, observation.sigma_outline)
    covered = register.covered(part)
    delta = area * (1.0 - covered)
    evidence: dict[str, float | int | str] = {
        "covered_by_permits": round(covered, 3),
        "height_m": round(observation.height, 2),
        "sigma_height_m": round(observation.sigma_height, 2),
        "outline": "map" if observation.known else "points",
    }
    if extended is not None:
        evidence["citation"] = extended.permit_no
    return Difference(
        kind=Kind.FOOTPRINT if extended else Kind.NO_PERMIT,
        building_uid=observation.uid,
        parcel_uid=placed.parcel_uid,
        permit_no=extended.permit_no if extended else None,
        actual=area,
        limit=0.0,
        unit="m²",
        delta=delta,
        sigma=sigma,
        confidence=confidence(delta, 0.0, sigma),
        evidence=evidence,
    )


def _is_extension(observation: Observation, area: float, parameters: ComplianceParameters) -> bool:
    """Whether what adjoins a permitted house is more than an overhang, and its outline one that points support."""
    ring = float(observation.footprint.length)
    # The width of a rectangle of this area and perimeter.
    width = ring / 4.0 - float(np.sqrt(max((ring / 4.0) ** 2 - area, 0.0)))
    least = parameters.overhang + parameters.outline_tolerance + parameters.k * observation.sigma_outline
    return observation.support >= parameters.least_support and width > least


def demolished(observation: Observation, register: Registers, parameters: ComplianceParameters) -> Difference | None:
    """A building of the map where ground is seen now."""
    if not observation.known or not _open(observation, parameters):
        return None
    sigma = _sigma_of_share(observation)
    parcel = register.parcel_under(observation.footprint)
    permit = register.permit_of(parcel, observation.footprint, parameters)
    evidence: dict[str, float | int | str] = {"area_m2": round(float(observation.footprint.area), 1)}
    if permit is not None:
        evidence["citation"] = permit.permit_no
    return Difference(
        kind=Kind.DEMOLISHED,
        building_uid=observation.uid,
        parcel_uid=parcel.uid if parcel else None,
        permit_no=permit.permit_no if permit else None,
        actual=100.0 * observation.ground_share,
        limit=0.0,
        unit="% ground",
        delta=100.0 * observation.ground_share,
        sigma=100.0 * sigma,
        confidence=confidence(observation.ground_share, parameters.open_share, sigma),
        evidence=evidence,
    )


def still_standing(
    everywhere: Sequence[Placed], register: Registers, parameters: ComplianceParameters
) -> list[Difference]:
    """Buildings that stand after the day on which they were to be gone."""
    found = [
        _standing(one, one.permit)
        for one in everywhere
        if one.permit is not None and one.permit.type == TEMPORARY and _past(one.permit, one.observation)
    ]
    notices = {notice.parcel_uid: notice for notice in register.notices[::-1] if notice.parcel_uid}
    for one in everywhere:
        notice = notices.get(one.parcel_uid or "")
        if notice is None or not _past(notice, one.observation):
            continue
        share = 1.0
        if notice.footprint is not None:
            share = float(shapely.area(shapely.intersection(one.part, notice.footprint)) / shapely.area(one.part))
        if share >= parameters.covered_share:
            found.append(_standing(one, notice))
    return found


def _past(permit: Permit, observation: Observation) -> bool:
    """Whether the survey flew after the permit's end; a notice without an end is due on its day."""
    end = permit.expires or (permit.issued if permit.type == DEMOLITION else None)
    return end is not None and observation.surveyed is not None and observation.surveyed > end


def _standing(one: Placed, permit: Permit) -> Difference:
    observation = one.observation
    end = permit.expires or permit.issued
    return Difference(
        kind=Kind.STANDING,
        building_uid=observation.uid,
        parcel_uid=one.parcel_uid,
        permit_no=permit.permit_no,
        actual=observation.height,
        limit=0.0,
        unit="m",
        delta=observation.height,
        sigma=observation.sigma_height,
        confidence=confidence(observation.height, 0.0, observation.sigma_height),
        evidence={
            "citation": permit.permit_no,
            "due": end.isoformat() if end else "",
            "surveyed": observation.surveyed.isoformat() if observation.surveyed else "",
            "type": permit.type,
        },
    )


def unfinished(placed: Placed, parameters: ComplianceParameters) -> Difference | None:
    """A permitted building that has not reached its height when its permit's date is past.

    The highest point of the roof is what counts here: that it is a stair head's makes the building no higher.
    """
    observation, permit = placed.observation, placed.permit
    if permit is None or permit.type not in BUILDS or not _past(permit, observation):
        return None
    if permit.footprint is not None:
        covered = float(shapely.area(shapely.intersection(permit.footprint, placed.part)))
        if covered < parameters.covered_share * permit.footprint.area:
            return None  # a part of what stands there says nothing of its height
    top = observation.height if np.isnan(observation.top) else max(observation.top, observation.height)
    delta, sigma = permit.height - top, observation.sigma_height
    if not delta > parameters.height_tolerance + parameters.k * sigma:
        return None
    storeys = storeys_of(top, sigma)
    return Difference(
        kind=Kind.UNFINISHED,
        building_uid=observation.uid,
        parcel_uid=placed.parcel_uid,
        permit_no=permit.permit_no,
        actual=top,
        limit=permit.height,
        unit="m",
        delta=delta,
        sigma=sigma,
        confidence=confidence(delta, parameters.height_tolerance, sigma),
        evidence={
            "citation": permit.permit_no,
            "due": permit.expires.isoformat() if permit.expires else "",
            "permitted_floors": permit.floors,
            "storeys_estimate": round(storeys.mean, 1),
            "sigma_storeys": round(storeys.sigma, 1),
        },
    )
