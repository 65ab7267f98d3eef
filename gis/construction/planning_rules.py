"""May this be built? A proposal against every planning rule that applies to it, each with its article.

All applicable limits are told. Of several for one quantity the strictest binds, unless a text says that it stands
instead of another. Nothing here decides a dossier: a person does, with these figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gis.construction import house_rules
from gis.construction.checks import Check, Outcome, Rule, binding, citing, overall, with_binding
from gis.construction.lot_sides import LotSides
from gis.construction.proposal import OUTSIDE, AreaKind, Proposal, Use, Zone
from gis.construction.rule_case import NO_ROAD, Case
from gis.construction.rule_ranges import parse_range
from gis.construction.rule_tables import Found, RuleRow, RuleTables

HOUSES: Final = (Use.DETACHED, Use.ATTACHED)
BLOCK_DENSITY: Final[Mapping[Use, str]] = {
    Use.APARTMENTS: "qcvn_apartments_density",
    Use.SERVICE: "qcvn_service_density",
}
TALL: Final = 1000.0
"""Metres, beyond every table's last row."""
SEVERAL_HEIGHTS: Final = "the texts at hand do not say which height of a stepped building counts; by its mean height of"


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that the rules say of a proposal."""

    proposal: Proposal
    sides: LotSides
    checks: tuple[Check, ...]
    verdict: Outcome
    binding: Check | None
    """What decides: of a proposal the limit with the least left, of a lot alone what limits the floor area."""
    allowed: Mapping[str, float]
    """The strictest limits by quantity, and the ground and floor area in m² that follow."""
    notes: tuple[str, ...]
    """What was taken for granted and what no drawing shows."""
    rows: tuple[RuleRow, ...]
    """All rows of the tables that were asked."""


def judge(proposal: Proposal, tables: RuleTables) -> Judgement:
    """Hold a proposal, or a lot alone, against the rules in force on its filing date.

    Args:
        proposal: in a CRS in metres.
        tables: of all dates.
    """
    case = Case(proposal, tables.within(proposal.jurisdiction))
    checks = with_binding(list(_checks(case)))
    allowed = _allowed(checks, case.lot_area)
    deciding = binding(checks)
    if not case.designed and not (deciding and deciding.verdict is Outcome.FAIL):
        deciding = _limiting(checks, allowed)
    notes = tuple(dict.fromkeys((*proposal.assumed, *_notes(case))))
    return Judgement(proposal, case.sides, checks, overall(checks), deciding, allowed, notes, case.rows)


def _checks(case: Case) -> Iterator[Check]:
    use = case.proposal.use
    if use in HOUSES:
        yield from _house_density(case)
        yield from _house_far(case)
    else:
        yield from _block_density(case)
        yield from _block_far(case)
    if use is Use.ATTACHED:
        yield from house_rules.checks(case)
    else:
        yield from _own_line(case, Rule.SETBACK_REAR)
    yield from _setback_front(case)
    yield from _own_line(case, Rule.SETBACK_SIDE)
    yield from _road_reserve(case)
    for zone in case.proposal.zones:
        yield from _zone(case, zone)
    if case.proposal.temporary:
        yield from _temporary(case)


def _house_density(case: Case) -> Iterator[Check]:
    """Table 2.8, or article 2.7.7 in its stead where that holds."""
    inputs = {"lot_area_m2": case.lot_area}
    general = case.find("qcvn_house_density", lot_area_m2=case.lot_area)
    if case.proposal.area_kind is AreaKind.EXISTING:
        height = case.proposal.height if case.designed else case.proposal.design_height or 0.0
        special = case.find("qcvn_existing_density", lot_area_m2=case.lot_area, height_m=height)
        if special is not None and special.value is not None:
            notes = [f"of a building {parse_range(special.row.range_2).in_words('m')} high"]
            if general is not None and general.value is not None:
                notes.append(f"instead of {_cited(general)}")
            known: dict[str, float | int | str] = {**inputs, "area_kind": "existing"}
            if height:
                known["height_m"] = height
            yield citing(Rule.BUILDING_DENSITY, special, case.density, inputs=known, note="; ".join(notes))
            return
    if general is not None:
        yield citing(Rule.BUILDING_DENSITY, general, case.density, inputs=inputs)


def _cited(found: Found) -> str:
    return f"{found.row.source}, {found.row.article}: {found.value:g} {found.row.unit}"


def _house_far(case: Case) -> Iterator[Check]:
    found = case.find("qcvn_house_far")
    if found is not None:
        yield citing(Rule.FLOOR_AREA_RATIO, found, case.floor_area_ratio, inputs={"lot_area_m2": case.lot_area})


def _block_height(case: Case) -> tuple[float, str | None]:
    """The height that density and floor area follow from, and what is to be said of it."""
    proposal = case.proposal
    if case.designed:
        return round(proposal.height, 3), None
    limits = [zone.height_max for zone in proposal.zones if zone.height_max is not None]
    height = proposal.design_height or min(limits, default=None)
    if height is not None:
        return height, f"of a building {height:g} m high"
    return TALL, "of a building above all heights of the table: no height was given, nor does a zone limit it"


def _block_density(case: Case) -> Iterator[Check]:
    """Table 2.9 or 2.10; of a stepped building by the tallest mass, and with a doubt where the mean would allow it."""
    table = BLOCK_DENSITY[case.proposal.use]
    height, note = _block_height(case)
    found = case.find(table, height_m=height, lot_area_m2=case.lot_area)
    if found is None:
        return
    actual, doubt = case.density, None
    if actual is not None and found.value is not None and actual > found.value and len(case.proposal.masses) > 1:
        mean = round(case.proposal.mean_height, 3)
        by_mean = case.figure(table, height_m=mean, lot_area_m2=case.lot_area)
        if by_mean is not None and actual <= by_mean:
            doubt = f"{SEVERAL_HEIGHTS} {mean:g} m the limit would be {by_mean:g} %"
    inputs = {"lot_area_m2": case.lot_area, "height_m": height}
    yield citing(Rule.BUILDING_DENSITY, found, actual, inputs=inputs, note=note, doubt=doubt)


def _block_far(case: Case) -> Iterator[Check]:
    """Table 2.12, with its most above 46 m; of a stepped building by the tallest mass, as it permits more."""
    height, note = _block_height(case)
    actual = case.floor_area_ratio
    inputs = {"lot_area_m2": case.lot_area, "height_m": height}
    found = case.find("qcvn_block_far", height_m=height, lot_area_m2=case.lot_area)
    if found is not None:
        doubt = None
        if actual is not None and found.value is not None and len(case.proposal.masses) > 1:
            mean = round(case.proposal.mean_height, 3)
            by_mean = case.figure("qcvn_block_far", height_m=mean, lot_area_m2=case.lot_area)
            if by_mean is not None and by_mean < actual <= found.value:
                doubt = f"{SEVERAL_HEIGHTS} {mean:g} m the limit would be {by_mean:g}"
        yield citing(Rule.FLOOR_AREA_RATIO, found, actual, inputs=inputs, note=note, doubt=doubt)
    most = case.find("qcvn_block_far_most", height_m=height)
    if most is not None:
        yield citing(Rule.FLOOR_AREA_RATIO, most, actual, inputs=inputs)


def _setback_front(case: Case) -> Iterator[Check]:
    """Table 2.7 for each road and each mass by its own height, as a podium and its tower stand back differently."""
    rule = Rule.SETBACK_FRONT
    if not case.sides.fronts:
        yield citing(rule, case.open("qcvn_setback", NO_ROAD), None, at_most=False)
        return
    for front in case.sides.fronts:
        width = front.road.reserve_width
        inputs: dict[str, float | int | str] = {"road": front.road.name, "road_reserve_m": width}
        for mass in case.proposal.masses:
            # What is stated of the building line stands there; what rises above stands behind, undrawn.
            height = mass.height if mass.height_at_line is None else mass.height_at_line
            found = case.find("qcvn_setback", road_reserve_m=width, height_m=height)
            if found is not None:
                actual = case.setback(mass.footprint, front)
                yield citing(
                    rule, found, actual, at_most=False, inputs={**inputs, "mass": mass.name, "height_m": height}
                )
        if not case.designed:
            for height in house_rules.setback_heights(case, front):
                found = case.find("qcvn_setback", road_reserve_m=width, height_m=height)
                if found is not None:
                    note = f"of a building {parse_range(found.row.range_2).in_words('m')} high"
                    yield citing(
                        rule,
                        found,
                        None,
                        quantity=f"setback_front_from_{height:g}_m",
                        at_most=False,
                        inputs={**inputs, "height_m": height},
                        note=note,
                    )


def _own_line(case: Case, rule: Rule) -> Iterator[Check]:
    """Where no text at hand sets a distance, the lot's own line is the limit."""
    lines = case.sides.rear if rule is Rule.SETBACK_REAR else case.sides.flanks
    if lines.is_empty or not case.sides.fronts:
        return
    actual = round(float(case.proposal.ground.distance(lines)), 3) if case.designed else None
    note = "no text at hand sets more"
    yield Check(rule, rule.value, False, 0.0, actual, "m", "lot line", "–", "–", None, note=note)


def _road_reserve(case: Case) -> Iterator[Check]:
    """Nothing stands on land kept for a road."""
    found = case.find("road_reserve")
    if found is None:
        return
    near = [road for road in case.proposal.roads if road.reserve.intersects(case.proposal.lot.buffer(-OUTSIDE))]
    for road in near:
        kept = road.reserve.buffer(-OUTSIDE)
        actual = None
        if case.designed:
            within = case.proposal.ground.intersects(kept)
            actual = float(case.proposal.ground.intersection(road.reserve).area) if within else 0.0
        inputs: dict[str, float | int | str] = {
            "road": road.name,
            "road_reserve_m": road.reserve_width,
            "lot_in_reserve_m2": round(float(case.proposal.lot.intersection(road.reserve).area), 3),
        }
        yield citing(Rule.ROAD_RESERVE, found, actual, inputs=inputs)
    if not near:
        yield citing(Rule.ROAD_RESERVE, found, 0.0 if case.designed else None, inputs={"lot_in_reserve_m2": 0.0})


def _zone(case: Case, zone: Zone) -> Iterator[Check]:
    """A plan's limits; floors and heights of the masses that stand in the zone."""
    share = float(zone.area.intersection(case.proposal.lot).area) / case.lot_area
    if share < 1e-4:
        return
    inside = [mass for mass in case.proposal.masses if mass.footprint.intersection(zone.area).area > OUTSIDE]
    limits: tuple[tuple[Rule, float | None, float | None, str], ...] = (
        (Rule.BUILDING_DENSITY, zone.density_pct, case.density, "%"),
        (Rule.FLOOR_AREA_RATIO, zone.far, case.floor_area_ratio, "ratio"),
        (Rule.FLOORS, zone.floors_max, max((m.floors for m in inside), default=None), "floors"),
        (Rule.HEIGHT, zone.height_max, max((m.height for m in inside), default=None), "m"),
    )
    note = f"the zone covers {100 * share:.1f} % of the lot" if share < 0.9999 else None
    for rule, limit, actual, unit in limits:
        if limit is not None:
            yield Check(
                Rule.ZONE,
                rule.value,
                True,
                float(limit),
                None if actual is None else round(float(actual), 3),
                unit,
                zone.decision or "zone of the proposal, without a decision",
                zone.name,
                zone.level or "–",
                None,
                {"zone": zone.name, "level": zone.level, "limits": rule.value},
                note,
                in_force_from=zone.in_force_from.isoformat() if zone.in_force_from else None,
            )


def _temporary(case: Case) -> Iterator[Check]:
    """What a temporary permit allows where a plan is not yet carried out."""
    level = case.proposal.plan_level
    doubt = None if level else "plan_level is not said: zoning or detailed"
    floors = case.proposal.floors if case.designed else None
    basements = case.proposal.basements if case.designed else None
    for one in (level,) if level else ("zoning", "detailed"):
        inputs = {"plan_level": one, "permit": "temporary"}
        found = case.find("temporary_floors", plan_level=one)
        if found is not None:
            yield citing(Rule.FLOORS, found, floors, inputs=inputs, doubt=doubt)
        found = case.find("temporary_basements", plan_level=one)
        # Without a basement it does not matter that the text is silent on one.
        if found is not None and not (found.open and basements == 0):
            yield citing(Rule.FLOORS, found, basements, quantity="basements", inputs=inputs, doubt=doubt)


def _notes(case: Case) -> Iterator[str]:
    proposal = case.proposal
    if case.sides.fronts and case.sides.rear.is_empty:
        yield "no edge of the lot lies opposite of its front: no rear setback was looked at"
    if len(case.sides.fronts) > 1:
        roads = " and ".join(f"{f.road.name} ({f.road.reserve_width:g} m)" for f in case.sides.fronts)
        yield f"a lot with several fronts: {roads}; the rear is taken as opposite of the first"
    if proposal.temporary:
        years = case.find("temporary_term")
        if years is not None and years.value is not None:
            yield f"a temporary building stands {years.value:g} years at most ({years.row.source})"
    if proposal.use is Use.ATTACHED:
        yield from house_rules.notes(case)


_QUANTITIES: Final = {
    "building_density": "density_pct",
    "floor_area_ratio": "far",
    "floors": "floors",
    "height": "height_m",
    "height_at_building_line": "height_at_building_line_m",
    "setback_rear": "setback_rear_m",
}


def _allowed(checks: tuple[Check, ...], lot_area: float) -> Mapping[str, float]:
    strictest: dict[str, float] = {}
    for check in checks:
        name = _QUANTITIES.get(check.quantity)
        if name is not None and check.limit is not None:
            pick = min if check.at_most else max
            strictest[name] = pick(strictest.get(name, check.limit), check.limit)
    if "density_pct" in strictest:
        strictest["ground_area_m2"] = round(lot_area * strictest["density_pct"] / 100.0, 3)
    if "far" in strictest:
        by_ratio = lot_area * strictest["far"]
        by_floors = strictest.get("ground_area_m2", lot_area) * strictest.get("floors", float("inf"))
        strictest["gross_floor_area_m2"] = round(min(by_ratio, by_floors), 3)
    return strictest


def _limiting(checks: tuple[Check, ...], allowed: Mapping[str, float]) -> Check | None:
    """Of a lot alone, the limit that keeps its floor area down."""
    ratio, share = allowed.get("far", float("inf")), allowed.get("density_pct", 100.0) / 100.0
    floors = allowed.get("floors", float("inf"))
    by_floors = "building_density" if share < 1.0 else "floors"
    wanted = "floor_area_ratio" if ratio <= share * floors else by_floors
    return next((check for check in checks if check.quantity == wanted and check.binds), None)
