"""Attached houses in Ho Chi Minh City: annex 18 of Decision 56/2021 (from Decisions 135/2007 and 45/2009)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from gis.construction.checks import DIGITS, Check, Rule, citing
from gis.construction.lot_sides import Front
from gis.construction.proposal import Use
from gis.construction.rule_case import CORNER, NO_ROAD, Case
from gis.construction.rule_ranges import parse_range
from gis.construction.rule_tables import Found

NO_TOTAL: Final = "the table has no figure for a house without bonus floors"


def checks(case: Case) -> Iterator[Check]:
    """All limits of the annex."""
    yield from _lot(case)
    yield from _density(case)
    yield from case.by_road("attached_floors_most", lambda f: _floors(case, f), _silent(Rule.FLOORS))
    yield from case.by_road("attached_height_bonus", lambda f: _height(case, f), _silent(Rule.HEIGHT))
    yield from case.by_road(
        "attached_height_line", lambda f: _height_at_line(case, f), _silent(Rule.HEIGHT_AT_BUILDING_LINE)
    )
    for front in case.sides.fronts:
        yield from _step_back(case, front)
    yield from _rear(case)
    if case.proposal.balcony is not None or not case.designed:
        yield from case.by_road("attached_balcony", lambda f: _balcony(case, f), _silent(Rule.BALCONY))


def _silent(rule: Rule) -> Callable[[Found], Check]:
    def check(found: Found) -> Check:
        return citing(rule, found, None)

    return check


def bonus_allowed(case: Case, front: Front) -> bool:
    """Whether the frontage is wide enough for bonus floors."""
    least = case.figure("attached_bonus_frontage")
    return least is not None and front.frontage >= least


def top(case: Case, front: Front) -> Found | None:
    """The height the house may have in all, metres: with bonus floors where the frontage allows them."""
    width = front.road.reserve_width
    roof = case.find("attached_height_roof", road_reserve_m=width)
    bonus = case.find("attached_height_bonus", road_reserve_m=width)
    wanted, other = (bonus, roof) if bonus_allowed(case, front) else (roof, bonus)
    return other if wanted is not None and wanted.value is None and not wanted.open else wanted


def height_at_line(case: Case, front: Front) -> Found | None:
    """The height the house may have at its building line; without a value where the table has a dash."""
    return case.find("attached_height_line", road_reserve_m=front.road.reserve_width)


def step_back(case: Case) -> float:
    """Metres by which bonus floors stand back."""
    return case.figure("attached_step_back") or 0.0


def setback_heights(case: Case, front: Front) -> list[float]:
    """Heights at which the setback from the road changes, metres, up to what may be built on the lot."""
    case.consulted.add("qcvn_setback")
    rows = case.tables.in_force("qcvn_setback", case.proposal.filed_on)
    starts = sorted({max(parse_range(row.range_2).low, 0.0) for row in rows})
    highest = [zone.height_max for zone in case.proposal.zones if zone.height_max is not None]
    if case.proposal.design_height is not None:
        highest.append(case.proposal.design_height)
    if case.proposal.use is Use.ATTACHED:
        found = top(case, front)
        if found is not None and found.value is not None:
            highest.append(found.value)
    return [start for start in starts if start <= min(highest, default=float("inf"))]


def _inputs(front: Front) -> dict[str, float | int | str]:
    return {
        "road": front.road.name,
        "road_reserve_m": front.road.reserve_width,
        "frontage_m": front.frontage,
    }


def _lot(case: Case) -> Iterator[Check]:
    """Least area, depth and frontage of a lot that may be built on."""
    found = case.find("attached_lot_area")
    if found is not None:
        yield citing(Rule.MINIMUM_LOT, found, case.lot_area, at_most=False, quantity="lot_area_m2")
    depth = case.find("attached_depth")
    if depth is not None and case.sides.depth is not None:
        yield citing(Rule.MINIMUM_LOT, depth, case.sides.depth, at_most=False, quantity="lot_depth_m")
    if not case.sides.fronts:
        yield citing(Rule.FRONTAGE, case.open("attached_frontage", NO_ROAD), None, at_most=False)
    frontage = case.find("attached_frontage")
    if frontage is not None:
        for front in case.sides.fronts:
            yield citing(Rule.FRONTAGE, frontage, front.frontage, at_most=False, inputs=_inputs(front))


def _density(case: Case) -> Iterator[Check]:
    found = case.find("attached_density", lot_area_m2=case.lot_area)
    if found is not None:
        yield citing(Rule.BUILDING_DENSITY, found, case.density, inputs={"lot_area_m2": case.lot_area})


def _floors(case: Case, front: Front) -> list[Check]:
    width = front.road.reserve_width
    base = case.find("attached_floors_base", road_reserve_m=width)
    most = case.find("attached_floors_most", road_reserve_m=width)
    found = most if bonus_allowed(case, front) else base
    if found is None or base is None or most is None:
        return []
    inputs = _inputs(front)
    for name, one in (("base", base), ("with_bonus", most)):
        if one.value is not None:
            inputs[name] = int(one.value)
    return [citing(Rule.FLOORS, found, case.proposal.floors if case.designed else None, inputs=inputs)]


def _height(case: Case, front: Front) -> list[Check]:
    found = top(case, front)
    if found is None:
        return []
    without = not bonus_allowed(case, front) and found.row.table == "attached_height_bonus"
    actual = case.proposal.height if case.designed else None
    return [citing(Rule.HEIGHT, found, actual, inputs=_inputs(front), doubt=NO_TOTAL if without else None)]


def _height_at_line(case: Case, front: Front) -> list[Check]:
    """The tallest of what stands at the building line; a dash in the table sets no limit."""
    found = height_at_line(case, front)
    if found is None or (found.value is None and not found.open):
        return []
    heights = [case.at_line(mass, front, step_back(case)) for mass in case.proposal.masses]
    actual = max((height for height in heights if height is not None), default=0.0) if case.designed else None
    return [citing(Rule.HEIGHT_AT_BUILDING_LINE, found, actual, inputs=_inputs(front))]


def _step_back(case: Case, front: Front) -> Iterator[Check]:
    """Masses with bonus floors stand back; one outline alone shows no step, so that only a person can see it."""
    width = front.road.reserve_width
    base = case.figure("attached_floors_base", road_reserve_m=width)
    most = case.figure("attached_floors_most", road_reserve_m=width)
    found = case.find("attached_step_back")
    if found is None or base is None or most is None:
        return
    bases = [
        case.figure("attached_floors_base", road_reserve_m=other.road.reserve_width) or base
        for other in case.sides.fronts
    ]
    for mass in case.proposal.masses:
        if mass.floors > base and mass.height_at_line is None and len(case.proposal.masses) > 1:
            # By a wider road of a corner lot its floors may be no bonus.
            doubt = CORNER if mass.floors <= max(bases) else None
            inputs = {**_inputs(front), "mass": mass.name, "floors": mass.floors}
            actual = case.setback(mass.footprint, front)
            yield citing(Rule.SETBACK_FRONT, found, actual, at_most=False, inputs=inputs, doubt=doubt)
    if not case.designed and most > base and bonus_allowed(case, front):
        yield citing(
            Rule.SETBACK_FRONT,
            found,
            None,
            at_most=False,
            quantity="setback_front_of_bonus_floors",
            inputs=_inputs(front),
        )


def _rear(case: Case) -> Iterator[Check]:
    sides = case.sides
    if sides.depth is None:
        yield citing(Rule.SETBACK_REAR, case.open("attached_setback_rear", NO_ROAD), None, at_most=False)
        return
    found = case.find("attached_setback_rear", lot_area_m2=case.lot_area, lot_depth_m=sides.depth)
    if found is None or sides.rear.is_empty:
        return
    actual = float(case.proposal.ground.distance(sides.rear)) if case.designed else None
    inputs = {"lot_area_m2": case.lot_area, "lot_depth_m": sides.depth}
    yield citing(Rule.SETBACK_REAR, found, actual, at_most=False, inputs=inputs)


def _balcony(case: Case, front: Front) -> list[Check]:
    found = case.find("attached_balcony", road_reserve_m=front.road.reserve_width)
    if found is None:
        return []
    return [citing(Rule.BALCONY, found, case.proposal.balcony, inputs=_inputs(front))]


def notes(case: Case) -> Iterator[str]:
    """What no drawing of footprints shows."""
    step = step_back(case)
    for front in case.sides.fronts:
        width = front.road.reserve_width
        base = case.figure("attached_floors_base", road_reserve_m=width)
        roof = case.figure("attached_height_roof", road_reserve_m=width)
        for mass in case.proposal.masses:
            if base is not None and mass.floors > base:
                drawn = mass.height_at_line is None and len(case.proposal.masses) > 1
                told = "" if drawn else f"; whether they stand {step:g} m back is not drawn"
                yield f"{mass.name}: floors above {base:g} are bonus floors, which the office has to grant{told}"
            elif roof is not None and round(mass.height, DIGITS) > roof and bonus_allowed(case, front):
                yield f"{mass.name}: above {roof:g} m only with bonus floors"
