"""A clock's picture shows each step from its first to its last day, and the days that do not count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import matplotlib.pyplot as plt
import pytest
from matplotlib.dates import num2date

import gis
from gis.calendar import vietnam
from gis.drawing.clocks import draw_clock
from gis.errors import BadParameter


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def test_bars_end_with_the_days_the_steps_are_due() -> None:
    clock = gis.permit_clock("single_house", "2026-08-26", pauses=[("2026-08-28", "2026-09-04")])
    _, axes = draw_clock(clock)
    bars = axes.containers
    ends = [num2date(bar[0].get_x() + bar[0].get_width()).date() - timedelta(days=1) for bar in bars]
    assert ends == [entry.due for entry in clock.steps]
    assert ends[-1] == clock.due == date(2026, 9, 14)


def test_as_many_days_are_shaded_as_are_off() -> None:
    clock = gis.permit_clock("single_house", "2026-02-09")
    figure, axes = draw_clock(clock)
    first, last = clock.filed - timedelta(days=2), max(entry.due for entry in clock.steps) + timedelta(days=2)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    off = [day for day in days if not vietnam().is_working(day)]
    shaded = [one for one in axes.patches if one not in [bar[0] for bar in axes.containers]]
    assert len(shaded) == len(off)
    hatched = [num2date(one.get_x()).date() for one in shaded if one.get_hatch()]
    # Tết 2026: 17 February is the first of the year; the days off of 14 to 22 February but its weekends.
    assert hatched == [date(2026, 2, day) for day in range(16, 21)]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["weekend", "holiday"]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (("house", "2026-08-26"), "procedure"),
        (("single_house", "26.8.2026"), "filed"),
        (("single_house", "2020-01-01"), "filed"),
        (("single_house", "2026-08-26", [("2026-09-04", "2026-08-28")]), "pause"),
        (("single_house", "2026-08-26", [], 5), "extended_days"),
    ],
)
def test_what_no_clock_can_count_is_refused_by_name(asked: tuple[object, ...], named: str) -> None:
    with pytest.raises(BadParameter, match=named):
        gis.permit_clock(*asked)  # type: ignore[arg-type]


def test_days_may_be_given_as_days() -> None:
    told = gis.permit_clock("works", date(2026, 3, 2), [(date(2026, 3, 9), date(2026, 3, 13))], 10)
    assert told == gis.permit_clock("works", "2026-03-02", [("2026-03-09", "2026-03-13")], 10)
