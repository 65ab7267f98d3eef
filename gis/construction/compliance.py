"""Where the measured city and the permitted city differ, each difference with what the measurement allows to say.

A difference is flagged for a person to inspect only when it exceeds the tolerance by more than k·σ, with k set by the
false-alarm rate the office accepts. Nothing here accuses anybody: the input is a survey and a
register, both with errors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import shapely
from shapely import LineString, Polygon, STRtree
from shapely.geometry.base import BaseGeometry


class Kind(StrEnum):
    """What is different."""

    NO_PERMIT = "no_permit"
    STOREYS = "storeys"
    """Higher than its permit allows, by about a storey or more."""
    FOOTPRINT = "footprint"
    """Stands outside of the permitted footprint, on its own parcel."""
    PARCEL_LINE = "parcel_line"
    SETBACK = "setback"


@dataclass(frozen=True, slots=True)
class Observation:
    """A building as measured at one epoch; metres and square metres, register's CRS."""

    uid: str
    footprint: Polygon
    height: float
    sigma_height: float
    sigma_outline: float
    """Planimetric standard deviation of the footprint's edges."""
    known: bool
    """Whether the footprint is a base map's (one building), or was derived from points (maybe several in a row)."""


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit's limits, as far as a survey from the air can see them. NaN where it sets none."""

    permit_no: str
    parcel_uid: str
    footprint: Polygon
    height: float
    floors: int
    setback_front: float


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel's boundary."""

    uid: str
    boundary: Polygon


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference, flagged: what was measured, what is allowed, by how much, and how sure."""

    kind: Kind
    building_uid: str
    parcel_uid: str | None
    permit_no: str | None
    actual: float
    limit: float
    unit: str
    delta: float
    sigma: float
    confidence: float
    """Probability that the true difference exceeds the tolerance, for normal errors."""
    evidence: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        """Identity made of what it is about, so that the same finding is the same row."""
        key = "|".join((self.kind, self.building_uid, self.parcel_uid or "", self.permit_no or ""))
        return hashlib.sha256(key.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class ComplianceParameters:
    """What the office chooses; the defaults are conventions, not law."""

    false_alarm_rate: float = 0.01
    """Accepted probability that a building within its limits is flagged, for each kind."""
    height_tolerance: float = 1.6
    """Metres above the permitted height that are no storey: half of one of 3.2–3.4 m, so that a parapet passes."""
    outline_tolerance: float = 0.30
    """Metres by which a wall may miss its permitted place through finishing, plaster and eaves."""
    smallest_building: float = 9.0
    """m²; what is smaller needs a look on the ground, not from the air."""
    smallest_off_parcel: float = 30.0
    """m² for an outline from points on no parcel: below it, crowns over streets and awnings look like buildings."""
    lowest_building: float = 2.0
    """m above ground; an outline where nothing that high was measured is no building now, whatever the map shows."""
    covered_share: float = 0.5
    """Share of a building's footprint that a permit must cover to be the permit of this building."""

    @property
    def k(self) -> float:
        """Number of standard deviations for the one-sided false-alarm rate."""
        return NormalDist().inv_cdf(1.0 - self.false_alarm_rate)


def differences(
    observations: Sequence[Observation],
    permits: Sequence[Permit],
    parcels: Sequence[Parcel],
    roads: Sequence[LineString],
    parameters: ComplianceParameters = ComplianceParameters(),
) -> list[Difference]:
    """Hold every observation against the permits in force and the parcels, in one CRS in metres.

    Returns:
        The flagged differences, ordered by building and kind; the same for any order of the input.
    """
    register = _Register(permits, parcels, roads)
    found: list[Difference] = []
    for observation in observations:
        # An unknown height is NaN and compares false.
        standing = observation.height >= parameters.lowest_building
        if not standing or observation.footprint.area < parameters.smallest_building:
            continue
        for parcel, part in register.buildings_on_parcels(observation, parameters):
            permit = register.permit_of(part, parameters)
            if permit is None:
                derived_off_parcel = parcel is None and not observation.known
                least = parameters.smallest_off_parcel if derived_off_parcel else parameters.smallest_building
                if shapely.area(part) < least:
                    continue
                extended = register.permit_beside(parcel, part) if parcel and not observation.known else None
                found.append(_without_permit(observation, parcel, part, extended, register))
                continue
            checks = (
                _too_high(observation, parcel, permit, parameters),
                _outside_of_permit(observation, parcel, part, permit, parameters),
                _over_parcel_line(observation, parcel, permit, register, parameters),
                _into_setback(observation, parcel, part, permit, register, parameters),
            )
            found.extend(check for check in checks if check is not None)
    return sorted(found, key=lambda d: (d.building_uid, d.kind, d.parcel_uid or "", d.permit_no or ""))


class _Register:
    """Permits, parcels and roads, ready to be asked by place."""

    def __init__(self, permits: Sequence[Permit], parcels: Sequence[Parcel], roads: Sequence[LineString]) -> None:
        self.permits = sorted(permits, key=lambda p: p.permit_no)
        self.parcels = sorted(parcels, key=lambda p: p.uid)
        self.permit_tree = STRtree([p.footprint for p in self.permits])
        self.parcel_tree = STRtree([p.boundary for p in self.parcels])
        self.roads = list(roads)
        self.road_tree = STRtree(self.roads)

    def buildings_on_parcels(
        self, observation: Observation, parameters: ComplianceParameters
    ) -> list[tuple[Parcel | None, BaseGeometry]]:
        """One building on one parcel; an outline from points may be one on each of several parcels."""
        footprint = observation.footprint
        shares = sorted(
            (
                (float(shapely.area(part)), index, part)
                for index in self.parcel_tree.query(footprint, predicate="intersects")
                for part in (shapely.intersection(footprint, self.parcels[index].boundary),)
            ),
            key=lambda share: (-share[0], share[1]),
        )
        if not shares or shares[0][0] < 0.1 * footprint.area:
            return [(None, footprint)]
        if observation.known:
            return [(self.parcels[shares[0][1]], footprint)]
        # A row of houses seen as one roof stands on several parcels; a sliver on the neighbour's is a wall's error.
        return [
            (self.parcels[index], part)
            for rank, (area, index, part) in enumerate(shares)
            if rank == 0 or area > max(parameters.smallest_building, 0.35 * self.parcels[index].boundary.area)
        ]

    def permit_of(self, part: BaseGeometry, parameters: ComplianceParameters) -> Permit | None:
        """The permit whose footprint covers most of the building; None when none covers enough."""
        best: Permit | None = None
        best_area = 0.0
        for index in self.permit_tree.query(part, predicate="intersects"):
            area = float(shapely.area(shapely.intersection(part, self.permits[index].footprint)))
            smaller = min(float(shapely.area(part)), self.permits[index].footprint.area)
            if area >= parameters.covered_share * smaller and area > best_area + 1e-6:
                best, best_area = self.permits[index], area
        return best

    def permit_beside(self, parcel: Parcel, part: BaseGeometry, gap: float = 1.0) -> Permit | None:
        """The permit on the same parcel that the part adjoins: the part is then an extension, not a building."""
        near = (self.permits[i] for i in self.permit_tree.query(part, predicate="dwithin", distance=gap))
        return next((permit for permit in near if permit.parcel_uid == parcel.uid), None)

    def covered(self, part: BaseGeometry) -> float:
        """Share of a building's footprint that any permit covers."""
        near = [self.permits[i].footprint for i in self.permit_tree.query(part, predicate="intersects")]
        return float(shapely.area(shapely.intersection(part, shapely.union_all(near))) / shapely.area(part))

    def front(self, parcel: Parcel, permit: Permit, tolerance: float = 0.5) -> LineString | None:
        """The front edge: the one nearest to a road from which the permit's drawing keeps the setback it states.

        None where no edge agrees with the drawing: what the setback is measured from is then not known.
        """
        if not self.roads:
            return None
        ring = np.asarray(parcel.boundary.exterior.coords)[:, :2]
        edges = [LineString(pair) for pair in pairwise(ring)]
        agreeing = [
            edge
            for edge in edges
            if edge.length > 1.0 and abs(edge.distance(permit.footprint) - permit.setback_front) <= tolerance
        ]
        road = self.roads[int(self.road_tree.nearest(parcel.boundary))]
        return min(agreeing, key=lambda edge: (edge.centroid.distance(road), edge.wkt), default=None)


def _confidence(delta: float, tolerance: float, sigma: float) -> float:
    return float(NormalDist().cdf((delta - tolerance) / max(sigma, 1e-6)))


def _without_permit(
    observation: Observation,
    parcel: Parcel | None,
    part: BaseGeometry,
    extended: Permit | None,
    register: _Register,
) -> Difference:
    area = float(shapely.area(part))
    sigma = observation.sigma_outline * float(shapely.length(part)) / 2**0.5
    covered = register.covered(part)
    return Difference(
        kind=Kind.FOOTPRINT if extended else Kind.NO_PERMIT,
        building_uid=observation.uid,
        parcel_uid=parcel.uid if parcel else None,
        permit_no=extended.permit_no if extended else None,
        actual=area,
        limit=0.0,
        unit="m²",
        delta=area * (1.0 - covered),
        sigma=sigma,
        confidence=_confidence(area * (1.0 - covered), 0.0, sigma),
        evidence={"covered_by_permits": round(covered, 3), "height_m": round(observation.height, 2)},
    )


def _too_high(
    observation: Observation, parcel: Parcel | None, permit: Permit, parameters: ComplianceParameters
) -> Difference | None:
    delta, sigma = observation.height - permit.height, observation.sigma_height
    # NaN compares false: an unknown height or an unlimited permit flags nothing.
    if not delta > parameters.height_tolerance + parameters.k * sigma:
        return None
    storey = permit.height / max(permit.floors, 1)
    return Difference(
        kind=Kind.STOREYS,
        building_uid=observation.uid,
        parcel_uid=parcel.uid if parcel else permit.parcel_uid,
        permit_no=permit.permit_no,
        actual=observation.height,
        limit=permit.height,
        unit="m",
        delta=delta,
        sigma=sigma,
        confidence=_confidence(delta, parameters.height_tolerance, sigma),
        evidence={"permitted_floors": permit.floors, "storeys_over_estimate": round(delta / max(storey, 2.5), 1)},
    )


def _protrusion(part: BaseGeometry, inside: BaseGeometry) -> tuple[float, float]:
    """Area (m²) of `part` outside of `inside`, and how far (m) it reaches out there."""
    outside = shapely.difference(part, inside)
    if outside.is_empty:
        return 0.0, 0.0
    reach = shapely.distance(shapely.points(shapely.get_coordinates(outside)), inside)
    return float(shapely.area(outside)), float(reach.max())


def _outside_of_permit(
    observation: Observation,
    parcel: Parcel | None,
    part: BaseGeometry,
    permit: Permit,
    parameters: ComplianceParameters,
) -> Difference | None:
    sigma = observation.sigma_outline
    allowed = parameters.outline_tolerance + parameters.k * sigma
    on_parcel = shapely.intersection(part, parcel.boundary) if parcel else part
    core = shapely.buffer(permit.footprint, allowed, join_style="mitre")
    area, _ = _protrusion(on_parcel, core)
    _, reach = _protrusion(on_parcel, permit.footprint)
    if area < 1.0 or reach <= allowed:
        return None
    return Difference(
        kind=Kind.FOOTPRINT,
        building_uid=observation.uid,
        parcel_uid=parcel.uid if parcel else permit.parcel_uid,
        permit_no=permit.permit_no,
        actual=float(shapely.area(on_parcel)),
        limit=permit.footprint.area,
        unit="m²",
        delta=float(shapely.area(shapely.difference(on_parcel, permit.footprint))),
        sigma=sigma * float(shapely.length(permit.footprint)) / 2**0.5,
        confidence=_confidence(reach, parameters.outline_tolerance, sigma),
        evidence={"reach_m": round(reach, 2), "outside_beyond_tolerance_m2": round(area, 2)},
    )


def _over_parcel_line(
    observation: Observation,
    parcel: Parcel | None,
    permit: Permit,
    register: _Register,
    parameters: ComplianceParameters,
) -> Difference | None:
    if parcel is None or not observation.known:
        return None  # an outline from points may hold several houses: their common wall is not a trespass
    sigma = observation.sigma_outline
    allowed = parameters.outline_tolerance + parameters.k * sigma
    area, _ = _protrusion(observation.footprint, shapely.buffer(parcel.boundary, allowed, join_style="mitre"))
    _, reach = _protrusion(observation.footprint, parcel.boundary)
    if area < 0.5 or reach <= allowed:
        return None
    return Difference(
        kind=Kind.PARCEL_LINE,
        building_uid=observation.uid,
        parcel_uid=parcel.uid,
        permit_no=permit.permit_no,
        actual=reach,
        limit=0.0,
        unit="m",
        delta=reach,
        sigma=sigma,
        confidence=_confidence(reach, parameters.outline_tolerance, sigma),
        evidence={"area_over_m2": round(float(observation.footprint.difference(parcel.boundary).area), 2)},
    )


def _into_setback(
    observation: Observation,
    parcel: Parcel | None,
    part: BaseGeometry,
    permit: Permit,
    register: _Register,
    parameters: ComplianceParameters,
) -> Difference | None:
    if parcel is None or not permit.setback_front > 0:
        return None
    front = register.front(parcel, permit)
    if front is None:
        return None
    actual = float(shapely.distance(front, shapely.intersection(part, parcel.boundary)))
    delta, sigma = permit.setback_front - actual, observation.sigma_outline
    if not delta > parameters.outline_tolerance + parameters.k * sigma:
        return None
    return Difference(
        kind=Kind.SETBACK,
        building_uid=observation.uid,
        parcel_uid=parcel.uid,
        permit_no=permit.permit_no,
        actual=actual,
        limit=permit.setback_front,
        unit="m",
        delta=delta,
        sigma=sigma,
        confidence=_confidence(delta, parameters.outline_tolerance, sigma),
    )
