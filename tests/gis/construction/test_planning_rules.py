"""Cases worked by hand from the tables of the texts: limit, actual, verdict and citation of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from gis.construction.checks import Check, Rule
from tests.gis.construction.proposals import document, judged

QCVN = "QCVN 01:2021/BXD"
ANNEX = "QĐ 56/2021/QĐ-UBND"
TEMPORARY = "QĐ 29/2025/QĐ-UBND"
T27, T28, T29, T210, T212 = (f"Table 2.{n}" for n in (7, 8, 9, 10, 12))
A18 = "Annex 18"


@dataclass(frozen=True)
class Worked:
    """A proposal and what one check of it says."""

    rule: str
    source: str
    article: str
    limit: float | None
    actual: float
    verdict: str
    proposal: dict[str, Any] = field(repr=False)
    quantity: str | None = None

    def __str__(self) -> str:
        return f"{self.rule}-{self.article}-{self.limit}-{self.actual}-{self.verdict}"


def mass(at: tuple[float, float, float, float], floors: int = 2, height: float = 7.0, **more: Any) -> dict[str, Any]:
    return {"at": at, "floors": floors, "height_m": height, **more}


def house_density(w: float, d: float, depth: float, limit: float, actual: float, verdict: str = "pass") -> Worked:
    """A detached house over the lot's whole width and some depth."""
    proposal = document((w, d), masses=[mass((0, 0, w, depth))], use="detached")
    return Worked("building_density", QCVN, T28, limit, actual, verdict, proposal)


def annex_density(w: float, d: float, limit: float | None, verdict: str = "pass") -> Worked:
    """An attached house over the front half of the lot: 50 %."""
    return Worked("building_density", ANNEX, A18, limit, 50.0, verdict, document((w, d)))


def existing(w: float, d: float, height: float, article: str, limit: float, verdict: str, **more: Any) -> Worked:
    """A house over all of its lot in an existing area."""
    masses = [mass((0, 0, w, d), 6, height)]
    proposal = document((w, d), masses=masses, **{"use": "detached", "area_kind": "existing", **more})
    return Worked("building_density", QCVN, article, limit, 100.0, verdict, proposal)


def block(
    rule: str,
    article: str,
    w: float,
    d: float,
    height: float,
    limit: float,
    *,
    use: str = "apartments",
    covered: float = 0.3,
    far: float = 2.0,
    verdict: str = "pass",
) -> Worked:
    """A block of one height, 12 m behind the road, over a share of its lot and with a floor area ratio."""
    depth = d * covered
    masses = [mass((0, 12, w, 12 + depth), 5, height, gross_floor_area_m2=far * w * d)]
    proposal = document((w, d), masses=masses, use=use)
    actual = 100 * covered if rule == "building_density" else far
    return Worked(rule, QCVN, article, limit, actual, verdict, proposal)


def front(width: float, height: float, limit: float, back: float, verdict: str) -> Worked:
    """A service block `back` m behind a road."""
    proposal = document((50, 60), [("south", width)], [mass((0, back, 50, 40), 5, height)], use="service")
    return Worked("setback_front", QCVN, T27, limit, back, verdict, proposal)


def floors(width: float, frontage: float, count: int, limit: float, verdict: str) -> Worked:
    """An attached house with some floors; its height is of no concern here."""
    masses = [mass((0, 0, frontage, 10), count, 11.0)]
    return Worked("floors", ANNEX, A18, limit, count, verdict, document((frontage, 15), [("south", width)], masses))


def height(width: float, frontage: float, actual: float, limit: float, verdict: str) -> Worked:
    masses = [mass((0, 0, frontage, 10), 3, actual, height_at_building_line_m=5.0)]
    return Worked("height", ANNEX, A18, limit, actual, verdict, document((frontage, 15), [("south", width)], masses))


def at_line(width: float, actual: float, limit: float, verdict: str) -> Worked:
    masses = [mass((0, 0, 5, 10), 3, 26.5, height_at_building_line_m=actual)]
    proposal = document((5, 15), [("south", width)], masses)
    return Worked("height_at_building_line", ANNEX, A18, limit, actual, verdict, proposal)


def rear(w: float, d: float, to: float, limit: float, verdict: str) -> Worked:
    """An attached house from the front line to `to` metres from it."""
    proposal = document((w, d), masses=[mass((0, 0, w, to))])
    return Worked("setback_rear", ANNEX, A18, limit, round(d - to, 3), verdict, proposal)


def balcony(width: float, actual: float, limit: float, verdict: str) -> Worked:
    return Worked("balcony", ANNEX, A18, limit, actual, verdict, document(roads=[("south", width)], balcony_m=actual))


WORKED = [
    # Table 2.8: ≤90 → 100, 100 → 90, 200 → 70, 300 → 60, 500 → 50, ≥1000 → 40.
    house_density(5, 10, 10, 100, 100),
    house_density(5, 15, 15, 100, 100),  # 75 m²: an older code has a breakpoint here, with less
    house_density(6, 15, 15, 100, 100),  # 90 m²: the breakpoint itself
    house_density(6, 15.1, 15, 99.4, 99.338),  # 90.6 m²: 100 − 0.6 · (10/10); 90/90.6
    house_density(5, 19, 18, 95, 94.737),  # 95 m²: half way from 100 to 90; 90/95
    house_density(5, 19, 18.1, 95, 95.263, "fail"),  # 90.5/95
    house_density(5, 20, 18, 90, 90),
    house_density(5, 20, 18.01, 90, 90.05, "fail"),
    house_density(7.5, 20, 16, 80, 80),  # 150 m²: half way from 90 to 70
    house_density(10, 20, 14.1, 70, 70.5, "fail"),
    house_density(10, 25, 16, 65, 64),  # 250 m²: half way from 70 to 60
    house_density(10, 30, 18, 60, 60),
    house_density(16, 25, 13.8, 55, 55.2, "fail"),  # 400 m²: half way from 60 to 50
    house_density(20, 25, 12.5, 50, 50),
    house_density(25, 30, 13, 45, 43.333),  # 750 m²: half way from 50 to 40; 13/30
    house_density(25, 40, 16, 40, 40),
    house_density(40, 50, 20.5, 40, 41, "fail"),  # 2,000 m²: as of 1,000
    # Annex 18: <50 → 100, 100 → 90, 200 → 70, 300 → 60, 500 → 50, more: case by case.
    annex_density(4.9, 10, 100),
    annex_density(5, 10, 100),
    annex_density(5, 15, 95),  # 75 m²: half way from 100 to 90
    annex_density(6, 15, 92),  # 90 m²: 100 − 40 · (10/50)
    annex_density(5, 20, 90),
    annex_density(7.5, 20, 80),
    annex_density(10, 20, 70),
    annex_density(15, 20, 60),
    annex_density(20, 20, 55),  # 400 m²: half way from 60 to 50
    annex_density(20, 25, 50),
    annex_density(20, 25.1, None, "doubtful"),  # 502 m²: the text has no figure
    # Article 2.7.7 in its place: existing area, at most 100 m² and 25 m.
    existing(5, 20, 25.0, "Art. 2.7.7", 100, "pass"),
    existing(5, 20, 25.1, T28, 90, "fail"),
    existing(5, 20.1, 25.0, T28, 89.9, "fail"),  # 100.5 m²: 90 − 0.5 · (20/100)
    existing(5, 20, 25.0, T28, 90, "fail", area_kind="new"),
    existing(5, 20, 25.0, "Art. 2.7.7", 100, "pass", use="attached"),
    # Table 2.9, apartments: by height and lot area.
    block("building_density", T29, 50, 60, 16, 75),
    block("building_density", T29, 50, 60, 100, 75, covered=0.75),  # 3,000 m²: 75 at any height
    block("building_density", T29, 50, 60, 100, 75, covered=0.7501, verdict="fail"),
    block("building_density", T29, 100, 100, 12, 65),
    block("building_density", T29, 100, 100, 16, 65),
    block("building_density", T29, 100, 100, 17.5, 62.5),  # half way from 65 to 60
    block("building_density", T29, 65, 100, 20.5, 66.75),  # 6,500 m²: (75 + 60 + 75 + 57) / 4
    block("building_density", T29, 120, 150, 25, 51),
    block("building_density", T29, 175, 200, 19, 55),
    block("building_density", T29, 100, 100, 46, 41, covered=0.41),
    block("building_density", T29, 100, 100, 46.1, 40, covered=0.41, verdict="fail"),
    block("building_density", T29, 200, 200, 50, 35, covered=0.35),
    # Table 2.10, service and mixed use: five more.
    block("building_density", T210, 50, 60, 80, 80, use="service", covered=0.75),
    block("building_density", T210, 100, 100, 22, 62, use="service"),
    block("building_density", T210, 100, 140, 34, 50, use="service"),  # 14,000 m²: half way from 51 to 49
    block("building_density", T210, 175, 200, 47, 40, use="service", covered=0.401, verdict="fail"),
    # Table 2.12, and 2.8 for houses: floor area ratio.
    block("floor_area_ratio", T212, 50, 60, 16, 4.0, far=4.0),
    block("floor_area_ratio", T212, 50, 60, 17.5, 4.4, far=4.41, verdict="fail"),  # half way from 4.0 to 4.8
    block("floor_area_ratio", T212, 65, 100, 16, 3.75),  # half way from 4.0 to 3.5
    block("floor_area_ratio", T212, 100, 100, 28, 4.95, use="service"),
    block("floor_area_ratio", T212, 120, 150, 37, 5.64),
    block("floor_area_ratio", T212, 175, 200, 46, 6.15, far=6.15),
    block("floor_area_ratio", T212, 175, 200, 46.5, 6.4, far=6.4),
    block("floor_area_ratio", T212, 50, 60, 60, 12.8, far=12.9, verdict="fail"),
    Worked(
        "floor_area_ratio", QCVN, T28, 7, 7.0, "pass", document(masses=[mass((0, 0, 5, 18), gross_floor_area_m2=700)])
    ),
    Worked(
        "floor_area_ratio", QCVN, T28, 7, 7.01, "fail", document(masses=[mass((0, 0, 5, 18), gross_floor_area_m2=701)])
    ),
    # Table 2.7: all twelve cells, on both sides of each breakpoint.
    front(18.9, 18.9, 0, 0, "pass"),
    front(18.9, 19, 3, 3, "pass"),
    front(18.9, 21.9, 3, 2.9, "fail"),
    front(12, 22, 4, 4, "pass"),
    front(12, 27.9, 4, 3.9, "fail"),
    front(12, 28, 6, 6, "pass"),
    front(19, 18.9, 0, 0, "pass"),
    front(19, 19, 0, 0, "doubtful"),
    front(21.9, 22, 3, 5, "doubtful"),
    front(21.9, 28, 6, 7, "doubtful"),
    front(22, 18.9, 0, 0, "pass"),
    front(22, 21.9, 0, 0, "doubtful"),
    front(30, 27.9, 0, 0, "doubtful"),
    front(30, 28, 6, 1, "doubtful"),
    # Annex 18, floors: base below 4 m of frontage, most from there on.
    floors(3.4, 5, 3, 3, "pass"),
    floors(3.4, 5, 4, 3, "fail"),
    floors(3.5, 5, 4, 4, "pass"),
    floors(3.5, 3.9, 4, 3, "fail"),
    floors(5.9, 4, 5, 4, "fail"),
    floors(6, 4, 5, 5, "pass"),
    floors(6, 3.99, 5, 4, "fail"),
    floors(15.9, 5, 6, 5, "fail"),
    floors(16, 5, 6, 6, "pass"),
    floors(16, 3.9, 6, 5, "fail"),
    floors(24.9, 5, 7, 6, "fail"),
    floors(25, 5, 6, 6, "doubtful"),
    floors(30, 5, 8, 6, "doubtful"),  # calculators on the web allow 8 here
    # Annex 18, height in all.
    height(3.4, 5, 11.6, 11.6, "pass"),
    height(3.4, 5, 11.61, 11.6, "fail"),
    height(3.5, 3.9, 13.7, 13.6, "fail"),
    height(5.9, 4, 15.6, 15.6, "pass"),
    height(6, 3.9, 19.0, 19.0, "pass"),
    height(15.9, 4, 22.41, 22.4, "fail"),
    height(16, 3.9, 23.6, 23.6, "pass"),
    height(24.9, 4, 27.0, 27.0, "pass"),
    height(24.9, 4, 27.1, 27.0, "fail"),
    height(25, 4, 20.0, 27.0, "doubtful"),
    # Annex 18, height at the building line.
    at_line(3.5, 11.6, 11.6, "pass"),
    at_line(5.9, 11.7, 11.6, "fail"),
    at_line(6, 17.0, 17.0, "pass"),
    at_line(15.9, 17.1, 17.0, "fail"),
    at_line(16, 21.6, 21.6, "pass"),
    at_line(24.9, 21.7, 21.6, "fail"),
    at_line(25, 25.0, 25.0, "pass"),
    at_line(40, 25.1, 25.0, "fail"),
    # Annex 18, rear: lots above 50 m²; depth ≥16 → 2, 9–<16 → 1.
    rear(5, 10, 10, 0, "pass"),  # 50 m²
    rear(5.1, 10, 9, 1, "pass"),
    rear(6, 8.9, 8.9, 0, "pass"),  # 53.4 m², but shallow
    rear(6, 9, 8.1, 1, "fail"),
    rear(6, 15.9, 14.9, 1, "pass"),
    rear(6, 16, 14, 2, "pass"),
    rear(6, 16, 14.1, 2, "fail"),
    # Annex 18, balcony.
    balcony(6.9, 0.0, 0, "pass"),
    balcony(6.9, 0.1, 0, "fail"),
    balcony(7, 0.9, 0.9, "pass"),
    balcony(11.9, 1.0, 0.9, "fail"),
    balcony(12, 1.2, 1.2, "pass"),
    balcony(19.9, 1.3, 1.2, "fail"),
    balcony(20, 1.4, 1.4, "pass"),
    balcony(20, 1.5, 1.4, "fail"),
    # Annex 18, the lot itself.
    Worked("minimum_lot", ANNEX, A18, 36, 36.0, "pass", document((4, 9)), "lot_area_m2"),
    Worked("minimum_lot", ANNEX, A18, 36, 35.6, "fail", document((4, 8.9)), "lot_area_m2"),
    Worked("minimum_lot", ANNEX, A18, 3, 3.0, "pass", document((20, 3)), "lot_depth_m"),
    Worked("minimum_lot", ANNEX, A18, 3, 2.9, "fail", document((20, 2.9)), "lot_depth_m"),
    Worked("frontage", ANNEX, A18, 3, 3.0, "pass", document((3, 15))),
    Worked("frontage", ANNEX, A18, 3, 2.9, "fail", document((2.9, 15))),
    # Temporary buildings: 3 floors and 1 basement in a zoning plan, 1 floor in a detailed one.
    *(
        Worked(
            "floors",
            TEMPORARY,
            "Temporary permits",
            limit,
            count,
            verdict,
            document(masses=[mass((0, 0, 5, 10), count)], use="detached", temporary=True, **more),
            "floors",
        )
        for count, limit, verdict, more in [
            (3, 3, "pass", {"plan_level": "zoning"}),
            (4, 3, "fail", {"plan_level": "zoning"}),
            (1, 1, "pass", {"plan_level": "detailed"}),
            (2, 1, "fail", {"plan_level": "detailed"}),
            (1, 3, "doubtful", {}),
        ]
    ),
]


def one(checks: tuple[Check, ...], worked: Worked) -> Check:
    found = [
        check
        for check in checks
        if (check.rule.value, check.source, check.article) == (worked.rule, worked.source, worked.article)
        and worked.quantity in (None, check.quantity)
    ]
    assert found, f"no check of {worked}"
    return found[0]


@pytest.mark.parametrize("worked", WORKED, ids=str)
def test_a_case_worked_by_hand(worked: Worked) -> None:
    check = one(judged(worked.proposal).checks, worked)
    told = (check.limit, check.actual, check.verdict.value)
    assert told == (worked.limit, pytest.approx(worked.actual, abs=5e-4), worked.verdict)
    assert (check.doubt is not None) == (worked.verdict == "doubtful")
    if check.limit is not None:
        sign = 1 if check.at_most else -1
        assert check.margin == pytest.approx(sign * (check.limit - worked.actual), abs=1e-3)


def test_there_are_enough_cases_and_none_twice() -> None:
    assert len(WORKED) >= 100
    assert len({(str(w), repr(w.proposal)) for w in WORKED}) == len(WORKED)


def rules(proposal: dict[str, Any], rule: Rule) -> list[Check]:
    return [check for check in judged(proposal).checks if check.rule is rule]


def test_a_whole_house_within_all_limits_passes_and_the_tightest_decides() -> None:
    # 100 m², L = 12: density 90, floors 5, at the line 17.0, in all 22.4, rear 2; this house uses 85 % and 4 floors.
    house = mass((0, 0, 5, 17), 4, 14.0, gross_floor_area_m2=340, balcony_m=0.5)
    judgement = judged(document(masses=[house]))
    assert judgement.verdict.value == "pass"
    # Left: density 5/90, floors 1/5, height 8.4/22.4, at the line 3/17, rear 1/2, ratio 3.6/7.
    assert judgement.binding is not None
    assert judgement.binding.rule is Rule.BUILDING_DENSITY
    assert judgement.binding.margin == 5.0


def test_of_several_texts_for_one_quantity_the_strictest_binds() -> None:
    # 90 m²: 100 % by table 2.8, 92 % by annex 18; a zone of 60 % is stricter than both.
    both = rules(document((6, 15)), Rule.BUILDING_DENSITY)
    assert {(c.article, c.limit, c.binds) for c in both} == {(T28, 100.0, False), (A18, 92.0, True)}
    judgement = judged(document((6, 15), zones=[{"density_pct": 60, "decision": "QĐ 12/QĐ-UBND", "name": "K1"}]))
    (zone,) = [check for check in judgement.checks if check.rule is Rule.ZONE]
    assert (zone.limit, zone.actual, zone.unit, zone.source, zone.article) == (60.0, 50.0, "%", "QĐ 12/QĐ-UBND", "K1")
    assert [check.rule for check in judgement.checks if check.quantity == "building_density" and check.binds] == [
        Rule.ZONE
    ]


def test_article_2_7_7_stands_instead_of_table_2_8_but_not_of_annex_18() -> None:
    found = rules(document((5, 20), area_kind="existing"), Rule.BUILDING_DENSITY)
    assert {(c.article, c.limit) for c in found} == {("Art. 2.7.7", 100.0), (A18, 90.0)}
    special = next(c for c in found if c.article == "Art. 2.7.7")
    assert "instead of QCVN 01:2021/BXD, Table 2.8: 90 %" in str(special.note)


ZONE = {"density_pct": 50, "far": 1.0, "floors_max": 2, "height_max_m": 7.0, "name": "Z"}


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        ({}, set()),
        ({"at": (0, 0, 5, 10.1)}, {"building_density", "floor_area_ratio"}),
        ({"floors": 3}, {"floors", "floor_area_ratio"}),
        ({"height_m": 7.1}, {"height"}),
    ],
)
def test_each_limit_of_a_zone_is_held(change: dict[str, Any], failing: set[str]) -> None:
    # A house of 5 × 10 m on 100 m² with 2 floors of 7 m: 50 %, 1.0, 2 and 7 m, all at their limit.
    found = rules(document(masses=[{**mass((0, 0, 5, 10)), **change}], zones=[ZONE]), Rule.ZONE)
    assert {c.quantity for c in found} == {"building_density", "floor_area_ratio", "floors", "height"}
    assert {c.quantity for c in found if c.verdict.value == "fail"} == failing


def test_a_stepped_house_is_judged_by_its_masses() -> None:
    # L = 20: 21.6 m at the line, 27.0 in all with bonus floors, which stand 3.5 m back; 5 floors base, 6 most.
    street = mass((0, 0, 5, 3.5), 5, 21.6)
    for back, verdicts in ((3.5, {"pass"}), (3.4, {"fail"})):
        tall = mass((0, back, 5, 14), 6, 27.0)
        checks = judged(document((5, 16), [("south", 20)], [street, tall])).checks
        step = next(c for c in checks if c.rule is Rule.SETBACK_FRONT and c.source == ANNEX)
        line = next(c for c in checks if c.rule is Rule.HEIGHT_AT_BUILDING_LINE)
        assert (step.limit, step.actual) == (3.5, back)
        # Nearer than 3.5 m it stands at the building line itself, with all of its height.
        assert (line.limit, line.actual) == (21.6, 21.6 if back == 3.5 else 27.0)
        assert {step.verdict.value, line.verdict.value} == verdicts
        assert next(c for c in checks if c.rule is Rule.HEIGHT).limit == 27.0


def test_podium_and_tower_keep_their_own_setbacks_by_table_2_7() -> None:
    # Road of 12 m: nothing below 19 m, 6 m from 28 m on.
    podium, tower = mass((0, 0, 50, 50), 4, 18.0), mass((5, 6, 45, 45), 10, 40.0)
    found = rules(document((50, 60), masses=[podium, tower], use="apartments"), Rule.SETBACK_FRONT)
    assert {(c.inputs["height_m"], c.limit, c.actual, c.verdict.value) for c in found} == {
        (18.0, 0.0, 0.0, "pass"),
        (40.0, 6.0, 6.0, "pass"),
    }


def test_which_height_of_a_stepped_block_counts_is_doubtful_where_it_matters() -> None:
    # 10,000 m²: 65 % up to 16 m, 40 % above 46 m. Podium of 5,000 m² and 10 m, on 500 m² of it a tower of 60 m: the
    # mean is 15 m.
    podium, tower = mass((0, 20, 100, 70), 3, 10.0), mass((0, 40, 50, 50), 18, 60.0)
    (check,) = rules(document((100, 100), masses=[podium, tower], use="apartments"), Rule.BUILDING_DENSITY)
    assert (check.limit, check.actual, check.verdict.value) == (40.0, 50.0, "doubtful")
    assert "mean height of 15 m the limit would be 65 %" in str(check.doubt)
    # Floor area: 15,000 + 50 · 10 · (18 − 3) = 22,500 m², 2.25, below the 7.2 of 60 m and the 3.5 of 15 m.
    ratios = rules(document((100, 100), masses=[podium, tower], use="apartments"), Rule.FLOOR_AREA_RATIO)
    assert {(c.limit, c.actual, c.verdict.value) for c in ratios} == {(7.2, 2.25, "pass"), (13.0, 2.25, "pass")}


def test_a_corner_lot_has_two_fronts_and_what_only_the_wider_allows_is_doubtful() -> None:
    # L = 20 to the south: 6 floors, 27.0 m; L = 5 to the west: 4 floors, 15.6 m.
    corner = [("south", 20.0), ("west", 5.0)]
    for count, expected in ((4, {"pass"}), (6, {"pass", "doubtful"}), (7, {"fail"})):
        found = rules(document((6, 15), corner, [mass((0, 0, 6, 10), count, 11.0)]), Rule.FLOORS)
        assert {c.inputs["road"]: c.limit for c in found} == {"south": 6.0, "west": 4.0}
        assert {c.verdict.value for c in found} == expected
    fronts = judged(document((6, 15), corner)).sides.fronts
    assert [(f.road.name, f.frontage) for f in fronts] == [("south", 6.0), ("west", 15.0)]


def test_whether_a_floor_is_a_bonus_floor_on_a_corner_is_as_doubtful_as_its_road() -> None:
    # Base floors: 5 by L = 20 (south), 4 by L = 6 (west). The street mass stands at both lines.
    masses = [mass((0, 0, 8, 3.5), 5, 16.0), mass((3.5, 3.5, 8, 14), 6, 17.0)]
    found = rules(document((8, 16), [("south", 20), ("west", 6)], masses), Rule.SETBACK_FRONT)
    steps = {(c.inputs["road"], c.inputs["floors"], c.actual, c.verdict.value) for c in found if c.source == ANNEX}
    assert steps == {("west", 5, 0.0, "doubtful"), ("south", 6, 3.5, "pass"), ("west", 6, 3.5, "pass")}


def test_a_corner_lot_keeps_the_setback_of_each_road() -> None:
    # Height 20: 3 m from a road below 19 m, 0 (doubtful) from one of 25 m.
    block_ = mass((3, 0, 50, 40), 5, 20.0)
    proposal = document((50, 60), [("south", 25), ("west", 12)], [block_], use="service")
    found = {c.inputs["road"]: c for c in rules(proposal, Rule.SETBACK_FRONT)}
    assert (found["west"].limit, found["west"].actual, found["west"].verdict.value) == (3.0, 3.0, "pass")
    assert (found["south"].limit, found["south"].actual, found["south"].verdict.value) == (0.0, 0.0, "doubtful")


def test_land_kept_for_a_road_stays_free_and_setbacks_count_from_its_red_line() -> None:
    # The axis runs 4 m before the lot and the reserve is 12 m wide: 2 m of the lot are the road's.
    proposal = document(masses=[mass((0, 1, 5, 15))])
    proposal["features"][1]["geometry"]["coordinates"] = [[601_900.0, 1_189_996.0], [602_100.0, 1_189_996.0]]
    (kept,) = rules(proposal, Rule.ROAD_RESERVE)
    assert (kept.limit, kept.actual, kept.verdict.value) == (0.0, 5.0, "fail")  # 1 m × 5 m
    assert kept.inputs["lot_in_reserve_m2"] == 10.0
    (setback,) = rules(proposal, Rule.SETBACK_FRONT)
    assert (setback.actual, setback.verdict.value) == (-1.0, "fail")


def test_the_rules_of_the_filing_date_apply() -> None:
    # QCVN 01:2021 is in force from 5 July 2021, Decision 29/2025 from 1 January 2026.
    before = judged(document(use="detached", filed_on="2021-07-04"))
    assert before.verdict.value == "doubtful"
    assert all(
        c.limit is None and "not in force on 2021-07-04" in str(c.doubt) for c in before.checks if c.source == QCVN
    )
    assert judged(document(use="detached", filed_on="2021-07-05")).verdict.value == "pass"
    for day, limit in (("2025-12-31", None), ("2026-01-01", 3.0)):
        proposal = document(use="detached", filed_on=day, temporary=True, plan_level="zoning")
        (check,) = [c for c in judged(proposal).checks if c.source == TEMPORARY and c.quantity == "floors"]
        assert check.limit == limit


def test_basements_of_a_temporary_building() -> None:
    for level, count, verdict in (("zoning", 1, "pass"), ("zoning", 2, "fail"), ("detailed", 1, "doubtful")):
        proposal = document(use="detached", temporary=True, plan_level=level, basements=count)
        (check,) = [c for c in judged(proposal).checks if c.quantity == "basements"]
        assert (check.actual, check.verdict.value) == (count, verdict)
    assert any("5 years at most" in note for note in judged(proposal).notes)


def test_without_a_road_what_follows_from_it_stays_open() -> None:
    judgement = judged(document(roads=[]))
    open_rules = {c.rule for c in judgement.checks if c.limit is None}
    expected = {Rule.FLOORS, Rule.HEIGHT, Rule.HEIGHT_AT_BUILDING_LINE, Rule.SETBACK_FRONT, Rule.SETBACK_REAR}
    assert open_rules == expected | {Rule.FRONTAGE}
    assert judgement.verdict.value == "doubtful"
    assert {c.article for c in judgement.checks if c.rule is Rule.BUILDING_DENSITY} == {T28, A18}


def test_a_lot_alone_is_told_all_its_limits_and_what_keeps_its_floor_area_down() -> None:
    judgement = judged(document(masses=[]))
    assert {c.rule for c in judgement.checks} == set(Rule) - {Rule.ZONE}
    assert judgement.verdict.value == "pass"
    # 90 % of 100 m² with 5 floors: 450 m², less than 7 times 100 m².
    assert judgement.allowed["ground_area_m2"] == 90.0
    assert judgement.allowed["gross_floor_area_m2"] == 450.0
    assert judgement.binding is not None
    assert judgement.binding.rule is Rule.BUILDING_DENSITY
    small = judged(document((3.9, 9), masses=[]))
    assert small.verdict.value == "fail"
    assert small.binding is not None
    assert small.binding.rule is Rule.MINIMUM_LOT


def test_every_check_cites_its_text() -> None:
    for use in ("detached", "attached", "apartments", "service"):
        for check in judged(document((50, 60), use=use, zones=[ZONE])).checks:
            assert check.source
            assert check.article
            assert check.unit in ("%", "ratio", "m", "m²", "floors")
