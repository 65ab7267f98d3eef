"""Clocks of procedures: what holds for all of them, what silence means, and tables that cannot be used."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gis.calendar import days, vietnam
from gis.construction.procedure import (
    CONSULTATION,
    Clock,
    Event,
    LastDay,
    Pause,
    Procedure,
    ProcedureVersion,
    Unit,
    deemed_consent,
    run_clock,
    version_in_force,
)
from gis.construction.procedure_tables import procedures, read_procedures
from gis.errors import BadInput, BadParameter, UnreadableFile
from gis.resources import resource

OLD, NEW = date(2026, 6, 30), date(2026, 7, 1)


def version(procedure: str, filed: date) -> ProcedureVersion:
    return version_in_force(procedures(), Procedure(procedure), filed)


def clock(procedure: str, filed: date, *pauses: Pause, extended: int = 0) -> Clock:
    return run_clock(version(procedure, filed), filed, vietnam(), pauses, extended)


def is_counted(day: date, found: Clock) -> bool:
    return found.steps[-1].step.unit is Unit.DAYS or vietnam().is_working(day)


KINDS = st.sampled_from([str(procedure) for procedure in Procedure])
FILED = st.dates(date(2021, 1, 1), date(2032, 12, 31))
PAUSE = st.tuples(st.integers(0, 40), st.integers(0, 30))


def pause(filed: date, given: tuple[int, int]) -> Pause:
    start = filed + timedelta(given[0])
    return Pause(start, start + timedelta(given[1]))


@given(kind=KINDS, filed=FILED, later=st.integers(1, 40))
def test_who_files_later_under_the_same_law_is_due_no_earlier(kind: str, filed: date, later: int) -> None:
    second = filed + timedelta(later)
    assume(version(kind, filed).law is version(kind, second).law)
    assert clock(kind, filed).due <= clock(kind, second).due


@given(kind=KINDS, filed=FILED, given_pause=PAUSE)
def test_a_pause_of_k_counted_days_moves_the_due_date_by_k(
    kind: str, filed: date, given_pause: tuple[int, int]
) -> None:
    before, stood = clock(kind, filed), pause(filed, given_pause)
    after = clock(kind, filed, stood)
    if stood.start > before.due:
        assert after.due == before.due
        return
    lost = sum(is_counted(day, before) for day in days(stood.start, stood.end) if day > filed)
    if before.steps[-1].step.unit is Unit.DAYS:
        assert after.due == before.due + timedelta(lost)
    else:
        assert after.due == vietnam().add(before.due, lost)


@given(kind=KINDS, filed=FILED, given_pauses=st.lists(PAUSE, max_size=4), extended=st.integers(0, 10))
def test_the_due_date_is_where_a_count_day_by_day_ends(
    kind: str, filed: date, given_pauses: list[tuple[int, int]], extended: int
) -> None:
    extended = min(extended, version(kind, filed).extension_most)
    pauses = [pause(filed, given) for given in given_pauses]
    found = clock(kind, filed, *pauses, extended=extended)
    stood = {day for each in pauses for day in days(each.start, each.end)}
    counted = [day for day in days(filed + timedelta(1), found.due) if day not in stood and is_counted(day, found)]
    # Every extension is of a procedure in calendar days, so both are of one kind.
    assert len(counted) == found.steps[-1].step.duration + extended
    assert counted[-1] == found.due


@given(kind=KINDS, filed=FILED, given_pause=PAUSE, more=st.integers(1, 30))
def test_a_longer_pause_never_gives_an_earlier_due_date(
    kind: str, filed: date, given_pause: tuple[int, int], more: int
) -> None:
    stood = pause(filed, given_pause)
    longer = Pause(stood.start, stood.end + timedelta(more))
    for short, long in zip(clock(kind, filed, stood).steps, clock(kind, filed, longer).steps, strict=True):
        assert clock(kind, filed, longer).due >= clock(kind, filed, stood).due
        if short.step.name == long.step.name:
            assert long.due >= short.due


@settings(max_examples=50)
@given(kind=KINDS, filed=FILED, given_pauses=st.lists(PAUSE, min_size=1, max_size=4))
def test_pauses_in_any_order_and_given_twice_are_the_same(
    kind: str, filed: date, given_pauses: list[tuple[int, int]]
) -> None:
    pauses = [pause(filed, given) for given in given_pauses]
    assert clock(kind, filed, *pauses) == clock(kind, filed, *reversed(pauses), *pauses)


@pytest.mark.parametrize("kind", list(Procedure))
def test_the_law_changes_between_the_30th_of_june_and_the_1st_of_july(kind: Procedure) -> None:
    assert version(kind, OLD).law.name == "construction_law_2014"
    assert version(kind, NEW).law.name == "decree_217_2026"
    assert version(kind, date(2021, 1, 1)).law.name == "construction_law_2014"
    with pytest.raises(BadParameter, match="begins on 2021-01-01"):
        version(kind, date(2020, 12, 31))


@pytest.mark.parametrize(
    ("kind", "filed", "extended", "why"),
    [
        ("works", OLD, 11, "at most 10 days"),
        ("single_house", OLD, 1_000_000, "at most 10 days"),
        ("extension", OLD, 1, "knows no extension of extension"),
        ("works", NEW, 1, "knows no extension of works"),
        ("works", OLD, -1, "never made shorter"),
    ],
)
def test_an_extension_the_law_does_not_have_is_refused(kind: str, filed: date, extended: int, why: str) -> None:
    with pytest.raises(BadParameter, match=why):
        clock(kind, filed, extended=extended)


def test_pauses_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadParameter, match="ends before it begins"):
        Pause(date(2026, 7, 3), date(2026, 7, 2))
    with pytest.raises(BadParameter, match="begins before the filing"):
        clock("works", NEW, Pause(date(2026, 6, 30), date(2026, 7, 2)))
    with pytest.raises(BadParameter, match="at most 100 pauses"):
        clock("works", NEW, *[Pause(NEW, NEW)] * 101)
    with pytest.raises(BadParameter, match="2099-12-31"):
        clock("works", NEW, Pause(NEW, date(2099, 12, 31)))
    with pytest.raises(BadParameter, match="before the filing"):
        run_clock(version("works", NEW), NEW, vietnam(), events={Event.EXAMINED: OLD})


def test_a_clock_that_leaves_the_calendar_is_refused() -> None:
    with pytest.raises(BadInput, match="2099-12-31"):
        clock("works", date(2099, 12, 30))


def test_silence_is_consent_only_after_the_last_day_and_only_where_the_law_says_so() -> None:
    old, new = version("works", OLD).step(CONSULTATION), version("works", NEW).step(CONSULTATION)
    assert old is not None
    assert new is not None
    due = date(2025, 3, 19)
    assert deemed_consent(old, due, None, due) is False, "it is due at the end of that day"
    assert deemed_consent(old, due, None, due + timedelta(1)) is True
    assert deemed_consent(old, due, due, due + timedelta(30)) is False, "an answer on the last day is in time"
    assert deemed_consent(old, due, due + timedelta(1), due + timedelta(30)) is True, "a late answer is none"
    assert deemed_consent(new, due, None, due) is False
    assert deemed_consent(new, due, None, due + timedelta(1)) is None, "the decree does not say"


def test_doubts_come_with_the_answer() -> None:
    assert clock("single_house", NEW).doubt == ()
    (weekend,) = clock("works", date(2025, 3, 3)).doubt
    assert weekend.startswith("? 2025-03-23 is a day off (weekend); Civil Code 2015 art. 148(5) would end the time on")
    assert "2025-03-24" in weekend
    assert any("no announcement" in text for text in clock("works", date(2027, 2, 1)).doubt)
    assert any("public copy" in text for text in clock("extension", OLD).doubt)


def _tables(folder: Path) -> Path:
    return Path(shutil.copytree(resource("procedures"), folder / "procedures"))


def test_a_last_day_that_is_off_moves_to_the_next_working_day_where_the_table_says_so(tmp_path: Path) -> None:
    folder = _tables(tmp_path)
    laws = folder / "laws.csv"
    text = laws.read_text(encoding="utf-8")
    laws.write_text(text.replace(LastDay.AS_COUNTED, LastDay.NEXT_WORKING_DAY), encoding="utf-8")
    changed = version_in_force(read_procedures(folder), Procedure.WORKS, date(2025, 3, 3))
    found = run_clock(changed, date(2025, 3, 3), vietnam())
    # Sunday 23 March becomes Monday 24.
    assert (found.due, found.doubt) == (date(2025, 3, 24), ())


@pytest.mark.parametrize(
    ("table", "old", "new", "why"),
    [
        ("laws.csv", "2026-07-01,,", "2026-06-30,,", "line 3, column valid_from .*governs some of these"),
        ("laws.csv", "decree_217_2026,Decree", "construction_law_2014,Decree", "line 3, column law .*twice"),
        ("laws.csv", "2021-01-01,2026-06-30", "2021-01-01,2020-06-30", "line 2, column valid_to .*before valid_from"),
        ("laws.csv", "2021-01-01", "", "column valid_from .*empty"),
        ("laws.csv", "as_counted", "sometimes", "column last_day .*none of as_counted"),
        ("procedures.csv", "decree_217_2026,works", "decree_1,works", "line 8, column law .*no such law"),
        ("procedures.csv", "decree_217_2026,works", "decree_217_2026,reissue", "column procedure .*twice"),
        ("procedures.csv", "decree_217_2026,works", "decree_217_2026,house", "none of single_house"),
        ("procedures.csv", ",10,", ",ten,", "column extension_most_days .*no whole number"),
        ("steps.csv", "filed,20,", "filed,0,", "column duration .*1 to 365"),
        ("steps.csv", "filed,20,days", "filed,20,weeks", "column unit .*none of days"),
        ("steps.csv", "filed,20,days,yes", "filed,20,days,perhaps", "column stops .*neither yes nor no"),
        ("steps.csv", "filed,20,days", "examined,20,days", "no step decide that counts from its filing"),
        ("steps.csv", ",works,decide,", ",works,examine,", "step examine twice"),
        ("checklist.csv", "decree_217_2026,works", "decree_9,works", "no works under decree_9"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_with_its_row(
    tmp_path: Path, table: str, old: str, new: str, why: str
) -> None:
    folder = _tables(tmp_path)
    text = (folder / table).read_text(encoding="utf-8")
    assert old in text
    (folder / table).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UnreadableFile, match=why):
        read_procedures(folder)


def test_every_row_has_a_citation_and_no_law_is_verified_that_nobody_verified() -> None:
    for found in procedures():
        assert found.citation
        assert found.steps
        assert found.checklist
        assert all(step.citation for step in found.steps)
        assert all(item.citation for item in found.checklist)
    assert len(procedures()) == 2 * len(Procedure)
