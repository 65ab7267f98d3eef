"""Working days of Vietnam: the public holidays of the Labour Code, weekends, and the days shifted by decree.

Two conventions hold wherever days are counted: the day something happens does not count, the next one is the first
(Civil Code 2015, art. 147); and what is due on a day is due at its end. All days are those of Vietnam.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from gis.errors import BadParameter, UnreadableFile
from gis.resources import resource
from gis.tables import Record, records

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
FIRST, LAST = date(2021, 1, 1), date(2099, 12, 31)
"""Days that can be counted: since when the table of shifted days is complete, and as far as anybody may ask."""
COUNT_MOST = 5_000
"""Most working days added at once; no clock of the law is near it."""
COLUMNS = ("year", "off", "worked", "citation", "doubt", "verified_by")
_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Shift:
    """A row of an announcement of days off: a day off, the day worked instead, or neither in a year without any."""

    year: int
    off: date | None
    worked: date | None
    citation: str
    doubt: str | None


@dataclass(frozen=True)
class WorkingCalendar:
    """Which days offices work."""

    shifts: tuple[Shift, ...]
    _off: Mapping[date, Shift] = field(init=False, repr=False, compare=False)
    _worked: Mapping[date, Shift] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_off", MappingProxyType({s.off: s for s in self.shifts if s.off is not None}))
        object.__setattr__(
            self, "_worked", MappingProxyType({s.worked: s for s in self.shifts if s.worked is not None})
        )

    def is_working(self, day: date) -> bool:
        """Whether offices work on a day.

        Raises:
            BadParameter: the day is outside of 2021 to 2099.
        """
        return self.day_off(day) is None

    def day_off(self, day: date) -> str | None:
        """Why a day is off, in a word; None on a working day.

        Raises:
            BadParameter: the day is outside of 2021 to 2099.
        """
        if not FIRST <= day <= LAST:
            raise BadParameter("day", day.isoformat(), f"days are counted from {FIRST} to {LAST}")
        if day in self._worked:
            return None
        if day in self._off:
            return f"off by decree ({self._off[day].citation})"
        if day.weekday() >= _SATURDAY:
            return "weekend"
        return _public_holidays(day.year).get(day)

    def add(self, day: date, count: int) -> date:
        """The count-th working day after a day, which itself does not count.

        Raises:
            BadParameter: the count is below 0 or above 5,000, or the days leave 2021 to 2099.
        """
        if not 0 <= count <= COUNT_MOST:
            raise BadParameter("count", count, f"give 0 to {COUNT_MOST} working days")
        while count > 0:
            day += _DAY
            count -= self.is_working(day)
        return day

    def between(self, start: date, end: date) -> int:
        """Working days after `start` up to and with `end`; 0 when `end` is not later.

        Raises:
            BadParameter: a day is outside of 2021 to 2099.
        """
        return sum(map(self.is_working, days(start + _DAY, end)))

    def doubts(self, start: date, end: date) -> tuple[str, ...]:
        """What is doubtful about the working days after `start` up to and with `end`; each begins with "?"."""
        told = [
            f"{shift.doubt} ({shift.off} off{f', {shift.worked} worked' if shift.worked else ''}: {shift.citation})"
            for shift in self.shifts
            if shift.doubt and any(day is not None and start < day <= end for day in (shift.off, shift.worked))
        ]
        known = {shift.year for shift in self.shifts}
        told += [
            f"? no announcement of the days off of {year} is on record; they are reckoned from the Labour Code"
            for year in range((start + _DAY).year, end.year + 1)
            if year not in known
        ]
        return tuple(told)


def days(first: date, last: date) -> Iterator[date]:
    """All days from the first to the last, both included; none when the last is earlier."""
    while first <= last:
        yield first
        first += _DAY


def today() -> date:
    """The day it is in Vietnam."""
    return datetime.now(ZONE).date()


@lru_cache(maxsize=1)
def vietnam() -> WorkingCalendar:
    """The calendar that comes with diaba.

    Raises:
        UnreadableFile: a row of its table cannot be used.
    """
    return read_calendar(resource("calendars", "vn_swaps.csv"))


def read_calendar(path: Path) -> WorkingCalendar:
    """Read a table of shifted days.

    Raises:
        UnreadableFile: a row cannot be used; it is named.
    """
    found = tuple(_shift(row) for row in records(path, COLUMNS))
    _check(path, found)
    return WorkingCalendar(found)


def _shift(row: Record) -> Shift:
    shift = Shift(row.whole("year"), row.day("off"), row.day("worked"), row.text("citation"), row.doubt("doubt"))
    if shift.worked is not None and shift.worked.weekday() < _SATURDAY:
        raise row.refused("worked", "it is no Saturday or Sunday")
    if shift.off is not None and (shift.off.weekday() >= _SATURDAY or shift.off.year != shift.year):
        raise row.refused("off", "it is a weekend or of another year than its row")
    if shift.worked is not None and (shift.off is None or abs((shift.worked - shift.off).days) > 31):
        raise row.refused("worked", "it stands for no day off within a month")
    return shift


def _check(path: Path, shifts: Sequence[Shift]) -> None:
    for name in ("off", "worked"):
        told = [day for shift in shifts if (day := getattr(shift, name)) is not None]
        twice = next((day for day in told if told.count(day) > 1), None)
        if twice is not None:
            raise UnreadableFile(path, f"{twice} occurs twice in the column {name}")


@lru_cache(maxsize=128)
def _public_holidays(year: int) -> Mapping[date, str]:
    from holidays.countries.vietnam import Vietnam

    # The library's constructor has no types.
    found: Mapping[date, str] = Vietnam(years=year, language="en_US")  # type: ignore[no-untyped-call]
    return MappingProxyType(dict(found))
