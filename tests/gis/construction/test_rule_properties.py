"""What holds for any proposal: its place and direction do not matter, and less is never worse."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gis.construction.checks import Rule
from tests.gis.construction.proposals import document, judged, moved, proposals, turned

some = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@some
@given(proposals(), st.floats(0, 2 * math.pi), st.floats(-5_000, 5_000), st.floats(-5_000, 5_000))
def test_moving_and_turning_a_proposal_changes_nothing(parts: Any, angle: float, dx: float, dy: float) -> None:
    proposal = document(**parts)
    there = moved(proposal, turned(angle, dx, dy))
    before, after = judged(proposal), judged(there)
    assert after.verdict == before.verdict
    assert (after.binding and after.binding.rule) == (before.binding and before.binding.rule)
    assert [(c.rule, c.limit, c.verdict) for c in after.checks] == [(c.rule, c.limit, c.verdict) for c in before.checks]
    for one, other in zip(before.checks, after.checks, strict=True):
        assert (one.actual is None) == (other.actual is None)
        assert one.actual is None or abs(one.actual - (other.actual or 0.0)) <= 0.0011


RANK = {"pass": 0, "doubtful": 1, "fail": 2}
OF_SIZE = (Rule.BUILDING_DENSITY, Rule.FLOOR_AREA_RATIO, Rule.FLOORS, Rule.HEIGHT, Rule.HEIGHT_AT_BUILDING_LINE)


@some
@given(proposals(uses=("detached", "attached")), st.floats(0.6, 1), st.integers(0, 5), st.floats(0.3, 1))
def test_a_smaller_house_of_the_same_kind_is_never_worse(parts: Any, share: float, fewer: int, lower: float) -> None:
    (mass,) = parts["masses"]
    x0, y0, x1, y1 = mass["at"]
    assume((x1 - x0) * (y1 - y0) * share > 1.01)  # less is taken for a drawing in other units
    floors = max(mass["floors"] - fewer, 1)
    small = {
        **mass,
        "at": (x0, y0, x1, y0 + (y1 - y0) * share),
        "floors": floors,
        "height_m": max(round(mass["height_m"] * lower, 2), 0.5),
        "gross_floor_area_m2": mass["gross_floor_area_m2"] * share * floors / mass["floors"],
    }
    if "height_at_building_line_m" in mass:
        small["height_at_building_line_m"] = min(mass["height_at_building_line_m"], small["height_m"])
    before, after = judged(document(**parts)), judged(document(**{**parts, "masses": [small]}))
    for rule in OF_SIZE:
        worst = [max((RANK[c.verdict.value] for c in j.checks if c.rule is rule), default=0) for j in (before, after)]
        assert worst[1] <= worst[0], rule


@some
@given(proposals())
def test_the_verdict_follows_from_the_checks_and_the_margins_from_the_figures(parts: Any) -> None:
    judgement = judged(document(**parts))
    verdicts = {c.verdict.value for c in judgement.checks}
    expected = "fail" if "fail" in verdicts else "doubtful" if "doubtful" in verdicts else "pass"
    assert judgement.verdict.value == expected
    for check in judgement.checks:
        if check.doubt is None and check.limit is not None and check.actual is not None:
            within = check.actual <= check.limit + 5e-4 if check.at_most else check.actual >= check.limit - 5e-4
            assert (check.verdict.value == "pass") == within
    for quantity in {c.quantity for c in judgement.checks if c.limit is not None}:
        assert sum(c.binds for c in judgement.checks if c.quantity == quantity) == 1
