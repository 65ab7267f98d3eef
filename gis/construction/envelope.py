"""The largest space a building may fill on a lot, as a solid: high where the rules let it, back where they push it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from gis.city_model.building import Building
from gis.city_model.stepped import GRID, stepped_solid
from gis.construction import house_rules
from gis.construction.checks import Outcome, Rule
from gis.construction.lot_sides import Front
from gis.construction.planning_rules import Judgement
from gis.construction.proposal import Proposal, Use
from gis.construction.rule_case import Case
from gis.construction.rule_tables import RuleTables
from gis.errors import NoEnvelope

BELOW: Final = 0.001
"""Metres under a height at which a larger setback begins."""
LEAST_PART: Final = 1.0
"""m²; what is smaller is no place to build."""


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the space between two heights, the same all the way up."""

    area: Polygon
    base: float
    """Metres above the lot's ground."""
    top: float


def envelope(judgement: Judgement, tables: RuleTables) -> Building:
    """The space in which every wall and roof has to lie; heights count from the ground, which is at zero.

    Density and floor area ratio take no shape, and are given as attributes: the building may not fill all of it.
    Of a corner lot the lower of its roads' heights is taken, as no text at hand allows the other for sure.

    Args:
        judgement: of the lot.
        tables: those it was judged by.

    Raises:
        NoEnvelope: the lot may not be built on, nothing limits the height, or nothing is left of the lot.
    """
    return building_of(judgement, steps(judgement, tables))


def steps(judgement: Judgement, tables: RuleTables) -> tuple[Step, ...]:
    """The same space by its steps, from the ground up; each lies within the one below.

    Raises:
        NoEnvelope: as `envelope`.
    """
    for check in judgement.checks:
        if check.rule in (Rule.MINIMUM_LOT, Rule.FRONTAGE) and check.verdict is Outcome.FAIL:
            wanting = f"{check.quantity} {check.actual:g} {check.unit} is less than {check.limit:g}"
            raise NoEnvelope("lot", f"{wanting} ({check.source}, {check.article})")
    case = Case(judgement.proposal, tables.within(judgement.proposal.jurisdiction))
    top = _top(case, judgement)
    found: list[Step] = []
    region: BaseGeometry = judgement.proposal.lot
    for height in _levels(case, top):
        region = shapely.set_precision(region.intersection(_region(case, height)), GRID)
        parts = [part for part in shapely.get_parts(region) if isinstance(part, Polygon) and part.area >= LEAST_PART]
        if not parts:
            break
        largest = max(parts, key=lambda part: float(part.area))
        if found and largest.equals(found[-1].area):
            found[-1] = Step(found[-1].area, found[-1].base, height)
        else:
            found.append(Step(largest, found[-1].top if found else 0.0, height))
        region = largest
    if not found:
        raise NoEnvelope("nothing_left", "setbacks and road reserve leave nothing of the lot")
    return tuple(found)


def _top(case: Case, judgement: Judgement) -> float:
    """The height of all, metres."""
    limits = [] if (known := judgement.allowed.get("height_m")) is None else [known]
    if case.proposal.design_height is not None:
        limits.append(case.proposal.design_height)
    if not limits:
        raise NoEnvelope(
            "no_height_limit", "nothing limits the height here; give one (height), or a zone's height_max_m"
        )
    return min(limits)


def _levels(case: Case, top: float) -> list[float]:
    """Heights up to which the same setbacks hold, ascending, the last one the top."""
    found = {top}
    for front in case.sides.fronts:
        found.update(start - BELOW for start in house_rules.setback_heights(case, front) if 0 < start - BELOW < top)
        line = _line(case, front)
        if line is not None and line < top:
            found.add(line)
    return sorted(found)


def _line(case: Case, front: Front) -> float | None:
    if case.proposal.use is not Use.ATTACHED:
        return None
    found = house_rules.height_at_line(case, front)
    return None if found is None else found.value


def _region(case: Case, height: float) -> BaseGeometry:
    """Where a building of a height may stand; buffers are square at their ends, so that distances are kept."""
    left: BaseGeometry = case.proposal.lot
    for road in case.proposal.roads:
        left = left.difference(road.reserve)
    for front in case.sides.fronts:
        back = case.figure("qcvn_setback", road_reserve_m=front.road.reserve_width, height_m=height) or 0.0
        line = _line(case, front)
        if line is not None and height > line:
            back = max(back, house_rules.step_back(case))
        if back > 0:
            left = left.difference(front.edges.buffer(back, cap_style="square", join_style="mitre"))
            left = left.difference(front.road.reserve.buffer(back, join_style="mitre"))
    if case.proposal.use is Use.ATTACHED and case.sides.depth is not None and not case.sides.rear.is_empty:
        keys = {"lot_area_m2": case.lot_area, "lot_depth_m": case.sides.depth}
        back = case.figure("attached_setback_rear", **keys) or 0.0
        if back > 0:
            left = left.difference(case.sides.rear.buffer(back, cap_style="square", join_style="mitre"))
    return left


def building_of(judgement: Judgement, found: Sequence[Step], ground: float = 0.0) -> Building:
    """The space of the steps as a solid.

    Args:
        judgement: of the lot.
        found: its steps.
        ground: height of the lot's ground, metres.
    """
    area, lowest, top = found[0].area, found[0].top, found[-1].top
    unknown = float("nan")
    proposal: Proposal = judgement.proposal
    return Building(
        uid="envelope",
        footprint=area,
        ground_height=ground,
        roof_height_min=ground + lowest,
        roof_height_50p=unknown,
        roof_height_70p=unknown,
        roof_height_max=ground + top,
        height=top,
        sigma_height=unknown,
        area=float(area.area),
        sigma_area=unknown,
        lod="1.3",
        solid=stepped_solid([(step.area, ground + step.top) for step in found], ground),
        point_count=0,
        point_density=unknown,
        no_data_fraction=unknown,
        attributes={
            "what": "maximal envelope by planning rules; heights above the ground of the lot",
            "verdict": judgement.verdict.value,
            "use": proposal.use.value,
            "filed_on": proposal.filed_on.isoformat(),
            **{f"allowed_{name}": value for name, value in judgement.allowed.items()},
        },
    )
