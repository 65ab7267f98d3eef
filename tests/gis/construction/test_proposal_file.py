"""Whatever is put in the place of any part of a proposal: a judgement, or one line that says why not."""

from __future__ import annotations

import copy
import json
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gis.construction.planning_rules import Judgement, judge
from gis.construction.proposal_file import Defaults, parse_proposal
from gis.construction.rule_tables import city_rules
from gis.construction.verdicts import document_of, kept, replay
from gis.errors import BadInput
from tests.gis.construction.proposals import DAY, EAST, NORTH, document, judged, rectangle

GOOD = document(
    zones=[{"density_pct": 60, "far": 4, "floors_max": 5, "height_max_m": 20, "name": "Z", "level": "detailed"}],
    roads=[("south", 12.0), ("west", 5.0)],
    balcony_m=1.0,
    temporary=True,
    plan_level="zoning",
    basements=1,
)

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.lists(st.floats(-1e7, 1e7), max_size=4),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
    st.sampled_from(
        ["lot", "road", "zone", "footprint", "Polygon", "LineString", "MultiPolygon", "service", "existing"]
    ),
    st.sampled_from([EAST, NORTH, EAST + 4.999, NORTH + 20.005]),
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, part in inner for path in paths(part, (*here, key)))]


PATHS = paths(GOOD)[1:]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PATHS), odd), min_size=1, max_size=3))
def test_any_part_replaced_by_anything_is_judged_or_refused_in_one_line(changes: list[tuple[Any, Any]]) -> None:
    proposal = copy.deepcopy(GOOD)
    for path, value in changes:
        place: Any = proposal
        try:
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    judgement: Judgement | None = None
    refusal = ""
    try:
        judgement = judge(parse_proposal(proposal, Defaults(DAY)), city_rules())
    except BadInput as error:
        refusal = str(error)
    if judgement is None:
        assert 0 < len(refusal) < 400
        assert "\n" not in refusal
        return
    # What is judged can be told as JSON and replayed.
    json.dumps(document_of(judgement), allow_nan=False)
    assert replay(kept(judgement)).same


def test_a_footprint_may_reach_over_the_line_by_a_centimetre() -> None:
    judged(document(masses=[{"at": (-0.009, 0, 5, 10)}]))


def test_positions_may_have_heights_and_lots_may_have_holes() -> None:
    proposal = document()
    lot = proposal["features"][0]["geometry"]["coordinates"]
    lot[0] = [[*position, 3.5] for position in lot[0]]
    lot.append([[*position, 3.5] for position in rectangle(1, 15, 2, 16)["coordinates"][0]])
    assert judged(proposal).proposal.lot.area == 99.0


def test_control_characters_of_names_reach_no_terminal() -> None:
    proposal = document()
    proposal["features"][1]["properties"]["name"] = "\x1b[2JĐường\n\t số 7\u202e"
    judgement = judged(proposal)
    assert judgement.proposal.roads[0].name == "[2JĐường số 7"
    proposal["features"][1]["properties"]["name"] = "0 \u200b" + "a " * 200
    assert replay(kept(judged(proposal))).same


def test_what_masses_state_together_is_one() -> None:
    masses = [{"at": (0, 0, 5, 5), "gross_floor_area_m2": 40}, {"at": (0, 5, 5, 10), "gross_floor_area_m2": 30}]
    assert judged(document(masses=masses)).proposal.gross_floor_area == 70
    # One is silent: 2 floors of 25 m² each, not 40 and 50.
    del masses[1]["gross_floor_area_m2"]
    proposal = judged(document(masses=masses)).proposal
    assert proposal.gross_floor_area == 100
    assert any("gross floor area" in sentence for sentence in proposal.assumed)


def test_overlapping_masses_count_once_by_the_higher() -> None:
    # 50 m² with 2 floors, 20 m² of it with 5: 30 · 2 + 20 · 5.
    masses = [{"at": (0, 0, 5, 10), "floors": 2}, {"at": (0, 4, 5, 8), "floors": 5}]
    assert judged(document(masses=masses)).proposal.gross_floor_area == 160
    assert judged(document(masses=masses)).proposal.ground.area == 50


def test_today_s_rules_apply_where_no_day_is_said() -> None:
    proposal = document()
    for feature in proposal["features"]:
        feature["properties"].pop("filed_on", None)
    assert parse_proposal(proposal, Defaults(date(2026, 7, 1))).filed_on == date(2026, 7, 1)
