"""The clock of a permit as a picture: each day, whether it counts, and until when each step is due."""

from __future__ import annotations

from datetime import date, timedelta

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gis.calendar import WorkingCalendar, days, vietnam
from gis.construction.procedure import Clock
from gis.drawing import palette

_DAY = timedelta(days=1)
_ROOM = timedelta(days=2)
"""Shown before the filing and after the last due day."""
OFF, HOLIDAY, PAUSED = "#e3e6e9", "#f2c6a0", "#9ccbe8"


def draw_clock(clock: Clock, calendar: WorkingCalendar | None = None, *, title: str = "") -> tuple[Figure, Axes]:
    """A row for each step, from the day it counts from to the day it is due, over the days that do not count.

    Weekends are grey, public holidays and days off by decree hatched, pauses crossed.
    """
    known = calendar or vietnam()
    first, last = clock.filed - _ROOM, max(entry.due for entry in clock.steps) + _ROOM
    figure, axes = plt.subplots(figsize=(10, 1.4 + 0.42 * len(clock.steps)), layout="constrained")
    off = {day: why for day in days(first, last) if (why := known.day_off(day)) is not None}
    holidays = [day for day, why in off.items() if why != "weekend"]
    for day in off:
        _shade(axes, day, day, HOLIDAY if day in holidays else OFF, "////" if day in holidays else "")
    for pause in clock.pauses:
        _shade(axes, pause.start, pause.end, PAUSED, "xx")
    for row, entry in enumerate(clock.steps):
        colour = palette.VERMILION if entry.due == clock.due and row == len(clock.steps) - 1 else palette.BLUE
        start, end = _number(entry.start), _number(entry.due + _DAY)
        axes.barh(row, end - start, left=start, height=0.35, color=colour, alpha=0.9, zorder=3)
        axes.annotate(f" {entry.due:%a %d %b}", (end, row), va="center", fontsize=9, color=palette.INK, zorder=4)
    axes.set_yticks(range(len(clock.steps)), [f"{e.step.title_vi}\n{e.step.title}" for e in clock.steps], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(_number(first), _number(last) + 3)
    _days_below(axes)
    handles = [Patch(facecolor=OFF, label="weekend")]
    if holidays:
        handles.append(Patch(facecolor=HOLIDAY, hatch="////", edgecolor=palette.PAPER, label="holiday"))
    if clock.pauses:
        handles.append(Patch(facecolor=PAUSED, hatch="xx", edgecolor=palette.PAPER, label="clock stands"))
    figure.legend(handles=handles, loc="outside lower right", ncols=3, fontsize=8, frameon=False)
    axes.set_title(title or f"filed {clock.filed}, due {clock.due}", loc="left", fontsize=12, fontweight="bold")
    return figure, axes


def _shade(axes: Axes, first: date, last: date, colour: str, hatch: str) -> None:
    start, end = _number(first), _number(last + _DAY)
    axes.axvspan(start, end, facecolor=colour, hatch=hatch, edgecolor=palette.PAPER, linewidth=0, zorder=1)


def _days_below(axes: Axes) -> None:
    axes.xaxis_date()
    locator = AutoDateLocator(minticks=4, maxticks=10)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _number(day: date) -> float:
    """A day as matplotlib counts it: days since 1970."""
    return float(day.toordinal() - date(1970, 1, 1).toordinal())
