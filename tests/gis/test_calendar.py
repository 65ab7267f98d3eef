"""Working days, against days off copied by hand from the announcements, and against the library's own reckoning."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from holidays.countries.vietnam import Vietnam
from hypothesis import given
from hypothesis import strategies as st

from gis.calendar import FIRST, LAST, read_calendar, today, vietnam
from gis.errors import BadParameter, UnreadableFile

HEADER = "year,off,worked,citation,doubt,verified_by\n"
OFF = {
    # New Year; Tết (Sat 25 Jan to Sun 2 Feb); Hùng Kings; 30 Apr to 4 May with the shifted Friday; National Day.
    2025: "01-01 01-27 01-28 01-29 01-30 01-31 04-07 04-30 05-01 05-02 09-01 09-02",
    # New Year with the shifted Friday; Tết (Sat 14 to Sun 22 Feb); Hùng Kings on a Sunday; 30 Apr, 1 May; National Day
    # with the shifted Monday; Cultural Day.
    2026: "01-01 01-02 02-16 02-17 02-18 02-19 02-20 04-27 04-30 05-01 08-31 09-01 09-02 11-24",
}
WORKED = {date(2025, 4, 26), date(2026, 1, 10), date(2026, 8, 22)}


def off(year: int) -> set[date]:
    return {date.fromisoformat(f"{year}-{day}") for day in OFF[year].split()}


@pytest.mark.parametrize("year", OFF)
def test_every_day_of_the_announced_years_is_as_announced(year: int) -> None:
    day = date(year, 1, 1)
    while day.year == year:
        expected = day in WORKED or (day.weekday() < 5 and day not in off(year))
        assert vietnam().is_working(day) is expected, day
        day += timedelta(1)


def test_tet_of_2027_is_off_from_the_fourth_to_the_tenth_of_february() -> None:
    # The eve is Friday 5 February; the Saturday and Sunday among the five days are made up for before and after.
    week = [date(2027, 2, day) for day in range(1, 13)]
    working = [day.day for day in week if vietnam().is_working(day)]
    assert working == [1, 2, 3, 11, 12]


@pytest.mark.parametrize("year", range(2021, 2100))
def test_years_without_an_announcement_are_the_library_s(year: int) -> None:
    if any(shift.year == year for shift in vietnam().shifts):
        return
    library = Vietnam(years=[year - 1, year])
    days = [date(year, 1, 1) + timedelta(n) for n in range(366) if (date(year, 1, 1) + timedelta(n)).year == year]
    differing = [d for d in days if d.weekday() < 5 and vietnam().is_working(d) != library.is_working_day(d)]
    assert differing == []


def test_the_shifts_the_library_knows_are_in_the_table() -> None:
    ours = {(shift.off, shift.worked) for shift in vietnam().shifts if shift.worked}
    for year in range(2021, 2027):
        library = Vietnam(years=year)
        for worked in (day for day in library.weekend_workdays if day.year == year):
            (pair,) = [pair for pair in ours if pair[1] == worked]
            assert not library.is_working_day(pair[0]), pair


@given(
    day=st.dates(date(2020, 12, 31), date(2030, 12, 31)),
    count=st.integers(0, 60),
)
def test_counting_back_what_was_added_gives_the_count(day: date, count: int) -> None:
    calendar = vietnam()
    end = calendar.add(day, count)
    assert calendar.between(day, end) == count
    assert count == 0 or calendar.is_working(end)
    assert calendar.between(end, day) == 0


def test_the_day_itself_never_counts() -> None:
    # Monday to Monday: Tuesday to Friday and the second Monday.
    assert vietnam().between(date(2026, 7, 6), date(2026, 7, 13)) == 5
    assert vietnam().between(date(2026, 7, 6), date(2026, 7, 6)) == 0
    assert vietnam().add(date(2026, 7, 6), 0) == date(2026, 7, 6)


def test_a_year_without_an_announcement_is_doubtful_and_a_doubtful_day_is_named() -> None:
    assert vietnam().doubts(date(2025, 3, 1), date(2025, 6, 1)) == ()
    (told,) = vietnam().doubts(date(2026, 12, 30), date(2027, 1, 8))
    assert told.startswith("? no announcement of the days off of 2027")
    (told,) = vietnam().doubts(date(2025, 12, 30), date(2026, 1, 8))
    assert told.startswith("? the number of the dispatch is not on record (2026-01-02 off, 2026-01-10 worked: Gov")
    # Shifted days that are not counted, the day counted from among them, raise no doubt.
    assert vietnam().doubts(date(2026, 1, 2), date(2026, 1, 9)) == ()
    assert len(vietnam().doubts(date(2026, 1, 9), date(2026, 1, 10))) == 1


@pytest.mark.parametrize("day", [FIRST - timedelta(1), LAST + timedelta(1), date.min, date.max])
def test_days_outside_of_the_calendar_are_refused(day: date) -> None:
    with pytest.raises(BadParameter, match="2021-01-01 to 2099-12-31"):
        vietnam().is_working(day)


@pytest.mark.parametrize("count", [-1, 5_001])
def test_a_count_beyond_reason_is_refused(count: int) -> None:
    with pytest.raises(BadParameter, match="5000 working days"):
        vietnam().add(date(2026, 7, 1), count)


def test_today_is_the_day_of_vietnam() -> None:
    assert abs((today() - date.today()).days) <= 1


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("2026,2026-01-02,2026-01-09,x,,", "line 2, column worked .*no Saturday or Sunday"),
        ("2026,2026-01-03,2026-01-10,x,,", "line 2, column off .*a weekend"),
        ("2025,2026-01-02,2026-01-10,x,,", "column off .*another year"),
        ("2026,2026-01-02,2026-08-22,x,,", "no day off within a month"),
        ("2026,,2026-08-22,x,,", "no day off within a month"),
        ("2026,02/01/2026,,x,,", "column off .*no day such as"),
        ("twenty,2026-01-02,,x,,", "column year .*no whole number"),
        ("2026,2026-01-02,,,,", "column citation .*empty"),
        ("2026,2026-01-02,,x,perhaps,", r"column doubt .*begins with \?"),
        ("2026,2026-01-02,,x", "more or fewer than 6 cells"),
        ("2026,2026-01-02,,x,,,,", "more or fewer than 6 cells"),
        ("2026,2026-01-02,,x,,\n2026,2026-01-02,,y,,", "2026-01-02 occurs twice in the column off"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, rows: str, why: str) -> None:
    path = tmp_path / "swaps.csv"
    path.write_text(HEADER + rows + "\n", encoding="utf-8")
    with pytest.raises(UnreadableFile, match=why):
        read_calendar(path)


@pytest.mark.parametrize("content", [b"", b"year,off\n", b"\xff\xfe\x00", HEADER.encode() + b"2026,\xff,,x,,\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "swaps.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"swaps\.csv"):
        read_calendar(path)
    with pytest.raises(UnreadableFile, match="No such file"):
        read_calendar(tmp_path / "none.csv")
