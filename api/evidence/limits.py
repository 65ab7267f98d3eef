"""The limits that apply to a building: of its permit, its zones, and the rules in force when the permit was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

import shapely
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from api.evidence.sheet import Limit
from gis.calendar import today
from gis.construction.checks import Check, Rule
from gis.construction.planning_rules import Judgement, judge
from gis.construction.proposal import AreaKind, Proposal, Road, Use, Zone
from gis.construction.rule_tables import RuleTables, city_rules
from gis.errors import DiabaError
from gis.settings import City
from gis.store.evidence import Facts

AGREES: Final = 0.5
"""Metres by which the permit's drawing may miss the setback it states, from the edge it is measured from."""
TOLD: Final = (
    Rule.HEIGHT,
    Rule.HEIGHT_AT_BUILDING_LINE,
    Rule.FLOORS,
    Rule.BUILDING_DENSITY,
    Rule.FLOOR_AREA_RATIO,
    Rule.SETBACK_FRONT,
    Rule.SETBACK_REAR,
)
"""What a sheet tells of the rules: what a building's outline and height are held against."""
_OF_PERMIT: Final = (
    ("height", "height_m", "m", True),
    ("floors", "floors", "floors", True),
    ("ground_area", "ground_area_m2", "m²", True),
    ("floor_area", "gross_floor_area_m2", "m²", True),
    ("setback_front", "setback_front_m", "m", False),
    ("setback_rear", "setback_rear_m", "m", False),
)
_OF_ZONE: Final = (
    ("height", "height_max_m", "m"),
    ("floors", "floors_max", "floors"),
    ("building_density", "density_pct", "%"),
    ("floor_area_ratio", "far", ""),
)
_USES: Final = {"house": Use.ATTACHED, "apartments": Use.APARTMENTS, "service": Use.SERVICE, "detached": Use.DETACHED}


@dataclass(frozen=True, slots=True)
class Applied:
    """The limits, and where on the map those of the front lie."""

    limits: tuple[Limit, ...]
    front: BaseGeometry | None
    """The parcel's edges that the permit's setback is measured from."""
    setback: BaseGeometry | None
    """The line the front must keep behind, inside of the parcel."""


def applied(facts: Facts, city: City) -> Applied:
    """The limits that apply to the building."""
    judgement = _judged(facts, city)
    front = _front(facts, judgement)
    found = (*_of_permit(facts), *_of_zones(facts), *_of_rules(judgement))
    return Applied(found, front, _setback(facts, front))


def _of_permit(facts: Facts) -> Iterator[Limit]:
    if facts.permit is None:
        return
    for quantity, column, unit, at_most in _OF_PERMIT:
        value = facts.permit.facts[column]
        if value is not None:
            yield Limit(
                quantity=quantity,
                at_most=at_most,
                value=round(float(value), 3),
                unit=unit,
                source=facts.permit.key,
                kind="permit",
                doubt=None,
            )


def _of_zones(facts: Facts) -> Iterator[Limit]:
    for zone in facts.zones:
        for quantity, column, unit in _OF_ZONE:
            value = zone.facts[column]
            if value is not None:
                yield Limit(
                    quantity=quantity,
                    at_most=True,
                    value=round(float(value), 3),
                    unit=unit,
                    source=zone.facts["decision"] or zone.key,
                    kind="zone",
                    doubt=None,
                )


def _of_rules(judgement: Judgement | None) -> Iterator[Limit]:
    told: set[tuple[str, float, str]] = set()
    for check in () if judgement is None else judgement.checks:
        source = f"{check.source}, {check.article}"
        if not _is_told(check) or check.limit is None or (check.rule, check.limit, source) in told:
            continue
        told.add((check.rule, check.limit, source))
        yield Limit(
            quantity=str(check.rule),
            at_most=check.at_most,
            value=round(check.limit, 3),
            unit=check.unit,
            source=source,
            kind="rule",
            doubt=check.doubt,
        )


def _is_told(check: Check) -> bool:
    # A least distance of zero restricts nothing. What zones say is told as theirs.
    return check.rule in TOLD and (check.at_most or bool(check.limit)) and check.jurisdiction.startswith("VN")


@cache
def _tables() -> RuleTables:
    return city_rules()


def _judged(facts: Facts, city: City) -> Judgement | None:
    """What the rules say of the lot on the day its permit was given, or today; None where they say nothing of it."""
    parcel = facts.parcel
    if parcel is None or not isinstance(parcel.geometry, Polygon):
        return None
    permit = None if facts.permit is None else facts.permit.facts
    issued: date | None = None if permit is None else permit["issued"]
    roads = tuple(
        Road(road.facts["name"] or road.key, road.geometry, road.facts["reserve_width_m"])
        for road in facts.roads
        if isinstance(road.geometry, LineString) and road.facts["reserve_width_m"]
    )
    height = None if permit is None else permit["height_m"]
    use = _USES.get((permit or {}).get("use") or "house", Use.ATTACHED)
    zones: tuple[Zone, ...] = ()
    proposal = Proposal(
        parcel.geometry,
        roads,
        (),
        zones,
        use,
        issued or today(),
        AreaKind.EXISTING,
        design_height=height,
        jurisdiction=city.jurisdiction,
    )
    try:
        return judge(proposal, _tables())
    except DiabaError:
        return None


def _front(facts: Facts, judgement: Judgement | None) -> BaseGeometry | None:
    """The edges by a road from which the permit's drawing keeps the setback it states; None where none does."""
    if judgement is None or facts.permit is None or facts.permit.geometry.is_empty:
        return None
    setback = facts.permit.facts["setback_front_m"] or 0.0
    for front in judgement.sides.fronts:
        if abs(float(front.edges.distance(facts.permit.geometry)) - setback) <= AGREES:
            return front.edges
    return None


def _setback(facts: Facts, front: BaseGeometry | None) -> BaseGeometry | None:
    distance = None if facts.permit is None else facts.permit.facts["setback_front_m"]
    if front is None or facts.parcel is None or not distance:
        return None
    kept_free = front.buffer(distance, cap_style="square", join_style="mitre")
    found: BaseGeometry = shapely.intersection(kept_free.boundary, facts.parcel.geometry.buffer(-0.02))
    return None if found.is_empty else found
