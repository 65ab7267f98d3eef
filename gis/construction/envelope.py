"""The largest space a building may fill on a lot, as a solid: high where the rules let it, back where they push it."""

from __future__ import annotations

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
from gis.errors import BadInput

BELOW: Final = 0.001
"""Metres under a height at which a larger setback begins."""
LEAST_PART: Final = 1.0
"""m²; what is smaller is no place to build."""


def envelope(judgement: Judgement, tables: RuleTables) -> Building:
    """The space in which every wall and roof has to lie; heights count from the ground, which is at zero.

    Density and floor area ratio take no shape, and are given as attributes: the building may not fill all of it.
    Of a corner lot the lower of its roads' heights is taken, as no text at hand allows the other for sure.

    Args:
        judgement: of the lot.
        tables: those it was judged by.

    Raises:
        BadInput: the lot may not be built on, nothing limits the height, or nothing is left of the lot.
    """
    for check in judgement.checks:
        if check.rule in (Rule.MINIMUM_LOT, Rule.FRONTAGE) and check.verdict is Outcome.FAIL:
            wanting = f"{check.quantity} {check.actual:g} {check.unit} is less than {check.limit:g}"
            raise BadInput(f"no envelope: {wanting} ({check.source}, {check.article})")
    case = Case(judgement.proposal, tables.within(judgement.proposal.jurisdiction))
    top = _top(case, judgement)
    steps: list[tuple[BaseGeometry, float]] = []
    region: BaseGeometry = judgement.proposal.lot
    for height in _levels(case, top):
        region = shapely.set_precision(region.intersection(_region(case, height)), GRID)
        parts = [part for part in shapely.get_parts(region) if isinstance(part, Polygon) and part.area >= LEAST_PART]
        if not parts:
            break
        region = max(parts, key=lambda part: float(part.area))
        steps.append((region, height))
    if not steps:
        raise BadInput("no envelope: setbacks and road reserve leave nothing of the lot")
    return _building(judgement, steps)


def _top(case: Case, judgement: Judgement) -> float:
    """The height of all, metres."""
    limits = [] if (known := judgement.allowed.get("height_m")) is None else [known]
    if case.proposal.design_height is not None:
        limits.append(case.proposal.design_height)
    if not limits:
        raise BadInput("no envelope: nothing limits the height here; give one with --height, or a zone's height_max_m")
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


def _building(judgement: Judgement, steps: list[tuple[BaseGeometry, float]]) -> Building:
    area, (lowest, top) = steps[0][0], (steps[0][1], steps[-1][1])
    if not isinstance(area, Polygon):
        raise BadInput("no envelope: what is left of the lot is no area")
    unknown = float("nan")
    proposal: Proposal = judgement.proposal
    return Building(
        uid="envelope",
        footprint=area,
        ground_height=0.0,
        roof_height_min=lowest,
        roof_height_50p=unknown,
        roof_height_70p=unknown,
        roof_height_max=top,
        height=top,
        sigma_height=unknown,
        area=float(area.area),
        sigma_area=unknown,
        lod="1.3",
        solid=stepped_solid(steps),
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
