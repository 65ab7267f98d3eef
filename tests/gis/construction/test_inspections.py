"""What becomes of a case: the whole table by brute force, and what counts as the same figures."""

from __future__ import annotations

import csv
import itertools
from datetime import date
from pathlib import Path

import pytest

from gis.construction.inspections import (
    Assignment,
    CaseAction,
    CaseStatus,
    Figures,
    Inspection,
    Outcome,
    following,
    read_transitions,
    transitions,
)
from gis.errors import BadParameter, Conflict, UnreadableFile
from gis.resources import resource

DAY = date(2026, 3, 2)


def test_every_step_is_that_of_the_table_or_refused() -> None:
    with resource("registers", "case_transitions.csv").open(encoding="utf-8") as file:
        rows = {(row["from"], row["action"]): row["to"] for row in csv.DictReader(file)}
    tried = list(itertools.product(CaseStatus, CaseAction))
    assert set(rows) <= {(str(status), str(action)) for status, action in tried}
    for status, action in tried:
        if (status, action) in rows:
            assert following("c", status, action) == rows[status, action]
        else:
            with pytest.raises(Conflict, match=f"case c is {status}: {action} does not follow; what may is [a-z_, ]+"):
                following("c", status, action)


def test_the_table_does_what_the_office_was_promised() -> None:
    untouched = (CaseStatus.FLAGGED, CaseStatus.ASSIGNED)
    for status in untouched:
        assert following("c", status, CaseAction.CONFIRMED) is CaseStatus.CONFIRMED
        assert following("c", status, CaseAction.WITHIN_LIMITS) is CaseStatus.DISMISSED
        assert following("c", status, CaseAction.REGISTER_WRONG) is CaseStatus.DISMISSED
        assert following("c", status, CaseAction.NOT_ACCESSIBLE) is status
    # Whatever was done before, a run reopens what was dismissed and nothing else.
    for status in CaseStatus:
        after = following("c", status, CaseAction.FOUND_OTHERWISE)
        assert after is (CaseStatus.FLAGGED if status is CaseStatus.DISMISSED else status)
    # Resolved is only what was confirmed, by every way of at most five steps.
    paths = [((CaseStatus.FLAGGED,), False)]
    for _ in range(5):
        paths = [
            ((*path, after), was or after is CaseStatus.CONFIRMED)
            for path, was in paths
            for (before, _), after in transitions().items()
            if before is path[-1]
        ]
        assert all(was for path, was in paths if path[-1] is CaseStatus.RESOLVED)
    assert {path[-1] for path, _ in paths} == set(CaseStatus)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("from,action,to\nflagged,confirmed,guilty\n", "guilty"),
        ("from,action,to\nflagged,shot,confirmed\n", "shot"),
        ("from,to\nflagged,confirmed\n", "action"),
        ("from,action,to\nflagged,confirmed,confirmed\nflagged,confirmed,dismissed\n", "line 3"),
        ("\0", "no such|not a table|NUL"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, table: str, why: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(table, encoding="utf-8")
    if table == "\0":
        assert read_transitions(path) == {}
        return
    with pytest.raises(UnreadableFile, match=why):
        read_transitions(path)


def test_only_what_is_claimed_counts_as_other_figures() -> None:
    said = Figures(15.0, 11.6, 3.4, "m")
    assert said.is_same(Figures(15.004, 11.6, 3.404, "m"))
    for other in (
        Figures(15.02, 11.6, 3.4, "m"),
        Figures(15.0, 11.0, 3.4, "m"),
        Figures(15.0, 11.6, 3.0, "m"),
        Figures(15.0, 11.6, 3.4, "m²"),
        Figures(None, 11.6, 3.4, "m"),
    ):
        assert not said.is_same(other)
        assert not other.is_same(said)
    assert Figures(None, None, None, None).is_same(Figures(None, None, None, None))


def test_what_is_told_is_kept_on_one_line_and_within_bounds() -> None:
    seen = Inspection(DAY, Outcome.CONFIRMED, 15.1, "  tầng 5,\n mái\ttôn ").check(DAY)
    assert seen == Inspection(DAY, Outcome.CONFIRMED, 15.1, "tầng 5, mái tôn")
    assert Inspection(DAY, Outcome.CONFIRMED, None, " \n ").check(DAY).note is None
    assert Assignment(" lan ", DAY).check(DAY).assignee == "lan"
    for value in (float("inf"), float("nan"), -1e7):
        with pytest.raises(BadParameter):
            Inspection(DAY, Outcome.CONFIRMED, value).check(DAY)
