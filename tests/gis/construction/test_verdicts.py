"""A kept verdict is made again to the byte, whatever the tables say by then."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from gis.construction.planning_rules import judge
from gis.construction.proposal_file import Defaults, parse_proposal
from gis.construction.rule_tables import RuleTables, city_rules
from gis.construction.verdicts import document_of, kept, proposal_from, replay
from gis.errors import BadInput
from tests.gis.construction.proposals import DAY, document, judged, proposals

ZONE = {"density_pct": 60, "decision": "QĐ 1", "level": "detailed", "name": "Z"}


@settings(deadline=None, max_examples=40)
@given(proposals())
def test_any_verdict_replays_to_the_byte(parts: Any) -> None:
    stored = kept(judged(document(**parts)))
    again = replay(stored)
    assert (again.same, again.why) == (True, None)
    assert again.result.encode() == stored.result.encode()


@pytest.mark.parametrize(
    "proposal",
    [
        document(masses=[]),
        document(masses=[], roads=[], height_m=30.0, use="apartments"),
        document(zones=[ZONE], temporary=True, basements=2, balcony_m=0.0),
        document(use="detached", filed_on="2019-01-01", temporary=True),
        document(roads=[("south", 20), ("west", 5)], masses=[{"at": (0, 0, 5, 3)}, {"at": (0, 3, 5, 9), "floors": 3}]),
    ],
)
def test_special_verdicts_replay_too(proposal: dict[str, Any]) -> None:
    assert replay(kept(judged(proposal))).same


def test_elsewhere_the_rules_of_the_country_alone_apply_and_that_replays_too() -> None:
    here = judged(document())
    there = judge(parse_proposal(document(), Defaults(DAY, jurisdiction="VN-57")), city_rules())
    of_the_city = {check.source for check in here.checks if check.jurisdiction == "VN-79"}
    assert of_the_city == {"QĐ 56/2021/QĐ-UBND"}
    for check in there.checks:
        if check.jurisdiction == "VN-79":
            assert check.limit is None
            assert "holds in VN-79, not in VN-57" in str(check.doubt)
    stored = kept(there)
    assert json.loads(stored.proposal)["jurisdiction"] == "VN-57"
    assert "jurisdiction" not in json.loads(kept(here).proposal)
    assert replay(stored).same


def test_what_was_taken_for_granted_is_kept_and_not_taken_again() -> None:
    proposal = document()
    for feature in proposal["features"]:
        for name in ("filed_on", "area_kind"):
            feature["properties"].pop(name, None)
    first = kept(judge(parse_proposal(proposal, Defaults(DAY)), city_rules()))
    assert json.loads(first.result)["filed_on"] == DAY.isoformat()
    assert any("kind of area was not said" in note for note in json.loads(first.result)["notes"])
    assert replay(first).same
    assert proposal_from(first.proposal).filed_on == DAY


def test_later_tables_do_not_change_what_was_decided() -> None:
    first = kept(judged(document()))
    changed = RuleTables(tuple(replace(row, value="1") if row.value == "90" else row for row in city_rules().rows))
    later = judge(proposal_from(first.proposal), changed)
    assert document_of(later)["verdict"] == "fail"
    assert document_of(later)["rules_digest"] != json.loads(first.result)["rules_digest"]
    assert replay(first).same


def test_the_digest_is_that_of_the_rows_used() -> None:
    first = kept(judged(document()))
    assert first.rules_digest == hashlib.sha256(first.rules.encode()).hexdigest()
    used = {row["table"] for row in json.loads(first.rules)}
    assert {"qcvn_house_density", "attached_density", "attached_floors_most", "qcvn_setback"} <= used
    assert not {"qcvn_block_far", "split_frontage", "temporary_floors"} & used


def test_a_result_that_was_changed_is_noticed() -> None:
    first = kept(judged(document()))
    forged = replace(first, result=first.result.replace('"verdict":"pass"', '"verdict":"fail"', 1))
    again = replay(forged)
    assert not again.same
    assert again.why is not None
    assert "at character" in again.why


def test_rules_that_were_changed_are_refused() -> None:
    first = kept(judged(document()))
    forged = first.rules.replace('"value":"90"', '"value":"95"', 1)
    assert forged != first.rules
    for damaged, message in (
        (replace(first, rules=forged), "do not have the stored digest"),
        (replace(first, rules="[{]"), "cannot be read"),
        (replace(first, rules='[{"table":1}]'), "cannot be read"),
        (replace(first, proposal="{}"), "cannot be read"),
    ):
        with pytest.raises(BadInput, match=message):
            replay(damaged)
