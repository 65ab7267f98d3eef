"""Procedures of building permits and their clocks: pure functions from a filing date to the due dates of every step.

The version of a procedure in force on the filing date governs it to its end. Days are counted as `gis.calendar` says:
the day of an event does not count, and what is due on a day is due at its end. While the applicant supplements, from
the first to the last day of a pause, no day counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

from gis.calendar import LAST, WorkingCalendar
from gis.errors import BadParameter

PAUSES_MOST = 100
_DAY = timedelta(days=1)


class Procedure(StrEnum):
    """What an applicant asks for."""

    SINGLE_HOUSE = "single_house"
    WORKS = "works"
    ADJUSTMENT = "adjustment"
    EXTENSION = "extension"
    REISSUE = "reissue"


class Unit(StrEnum):
    """What a duration counts."""

    DAYS = "days"
    WORKING_DAYS = "working_days"


class Event(StrEnum):
    """What the days of a step are counted from."""

    FILED = "filed"
    EXAMINED = "examined"
    SUPPLEMENTED = "supplemented"
    SUPPLEMENTED_AGAIN = "supplemented_again"


class LastDay(StrEnum):
    """Where a period in calendar days ends when its last day is off."""

    AS_COUNTED = "as_counted"
    NEXT_WORKING_DAY = "next_working_day"


DECIDE, EXAMINE, CONSULTATION = "decide", "examine", "consultation"
"""Steps other code asks for by name."""


@dataclass(frozen=True, slots=True)
class Law:
    """A version of the law."""

    name: str
    title: str
    title_vi: str
    valid_from: date
    valid_to: date | None
    """The last filing date it governs; None while it is in force."""
    last_day: LastDay
    citation: str
    doubt: str | None

    def governs(self, filed: date) -> bool:
        """Whether a dossier filed on a day is under this version."""
        return self.valid_from <= filed and (self.valid_to is None or filed <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a procedure and its time."""

    name: str
    title: str
    title_vi: str
    after: Event
    duration: int
    unit: Unit
    stops: bool
    """Whether its clock stands while the applicant supplements."""
    role: str
    silence_is_consent: bool | None
    """None where the text does not say."""
    citation: str
    doubt: str | None


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """A paper the applicant files."""

    item: str
    title: str
    title_vi: str
    required: bool
    citation: str
    doubt: str | None


@dataclass(frozen=True, slots=True)
class ProcedureVersion:
    """A procedure under one version of the law."""

    procedure: Procedure
    law: Law
    title: str
    title_vi: str
    extension_most: int
    """Days by which its clock may be extended at most; 0 where the law knows no extension."""
    steps: tuple[Step, ...]
    checklist: tuple[ChecklistItem, ...]
    citation: str
    doubt: str | None

    def step(self, name: str) -> Step | None:
        """The step of that name, None where the procedure has none."""
        return next((step for step in self.steps if step.name == name), None)


@dataclass(frozen=True, slots=True)
class Pause:
    """The clock stands: no day from `start` to `end`, both included, counts."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise BadParameter("pause", f"{self.start}:{self.end}", "it ends before it begins")


@dataclass(frozen=True, slots=True)
class StepDue:
    """Until when a step is to be done."""

    step: Step
    start: date
    """The day of the event it counts from, which itself does not count."""
    is_planned: bool
    """The event has no date yet: it is taken to happen at the end of its own time."""
    due: date
    doubt: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clock:
    """When a dossier is due, and each step on the way."""

    version: ProcedureVersion
    filed: date
    due: date
    steps: tuple[StepDue, ...]
    pauses: tuple[Pause, ...]
    """In order, those that overlap as one."""
    extended_days: int
    doubt: tuple[str, ...] = field(default=())


def version_in_force(versions: Iterable[ProcedureVersion], procedure: Procedure, filed: date) -> ProcedureVersion:
    """The version of a procedure that governs a dossier filed on a day.

    Raises:
        BadParameter: no version on record was in force on that day.
    """
    listed = [version for version in versions if version.procedure is procedure]
    for version in listed:
        if version.law.governs(filed):
            return version
    begins = min((version.law.valid_from for version in listed), default=None)
    why = f"no version of the procedure {procedure} on record was in force then"
    raise BadParameter("filed", filed.isoformat(), why if begins is None else f"{why}; the record begins on {begins}")


def run_clock(
    version: ProcedureVersion,
    filed: date,
    calendar: WorkingCalendar,
    pauses: Sequence[Pause] = (),
    extended_days: int = 0,
    events: Mapping[Event, date] = MappingProxyType({}),
) -> Clock:
    """The due dates of a dossier and of its steps.

    Args:
        version: Of the procedure, in force on the filing date.
        filed: When the complete dossier was filed.
        calendar: The working days.
        pauses: While the applicant supplements. A day in several counts as paused once.
        extended_days: By which the office extended the clock.
        events: When what steps count from happened. A pause tells of itself that a supplement came in on its last
            day; an examination without a date is taken to end with its own time; steps after a supplement that did
            not happen are left out.

    Raises:
        BadParameter: more days of extension than the law has, a pause or an event before the filing, or days outside
            of what the calendar counts.
    """
    _check_extension(version, extended_days)
    merged = merge(pauses, filed)
    known = {Event.FILED: filed, **_supplements(merged), **events}
    early = next((event for event, day in known.items() if day < filed), None)
    if early is not None:
        raise BadParameter(early, known[early].isoformat(), f"it is before the filing on {filed}")
    planned = dict(known)
    found: list[StepDue] = []
    # What other steps count from comes first.
    for step in sorted(version.steps, key=lambda step: (step.name != EXAMINE,)):
        if step.after not in planned:
            continue
        start = planned[step.after]
        more = extended_days if step.name == DECIDE else 0
        due = step_due(step, start, version.law, calendar, merged, more)
        if step.name == EXAMINE:
            planned.setdefault(Event.EXAMINED, due)
        doubt = _doubts(step, start, due, calendar, version.law)
        found.append(StepDue(step, start, step.after not in known, due, doubt))
    found.sort(key=lambda entry: (entry.step.name == DECIDE, entry.due, version.steps.index(entry.step)))
    told = [version.law.doubt, version.doubt, *(found[-1].doubt)]
    doubts = tuple(dict.fromkeys(text for text in told if text))
    return Clock(version, filed, found[-1].due, tuple(found), merged, extended_days, doubts)


def step_due(
    step: Step, start: date, law: Law, calendar: WorkingCalendar, pauses: Sequence[Pause] = (), more_days: int = 0
) -> date:
    """The last day of a step that counts from a day.

    Days of an extension are calendar days, counted on after the last day of the step itself.

    Raises:
        BadParameter: it would end after 2099.
    """
    stops = pauses if step.stops else ()
    due = _count(start, step.duration, step.unit, calendar, stops)
    if more_days:
        due = _count(due, more_days, Unit.DAYS, calendar, stops)
    if law.last_day is LastDay.NEXT_WORKING_DAY and not calendar.is_working(due):
        due = calendar.add(due, 1)
    return due


def deemed_consent(step: Step, due: date, replied: date | None, today: date) -> bool | None:
    """Whether an agency's silence is its consent: its time is over without an answer.

    Args:
        step: The consultation.
        due: The last day of the agency's time.
        replied: When it answered, if it did.
        today: The day of the question.

    Returns:
        None where the time is over and the text does not say what silence means.
    """
    if today <= due or (replied is not None and replied <= due):
        return False
    return step.silence_is_consent


def merge(pauses: Sequence[Pause], filed: date) -> tuple[Pause, ...]:
    """The pauses in order, those that overlap as one.

    Raises:
        BadParameter: there are too many, or one begins before the filing or ends after 2099.
    """
    if len(pauses) > PAUSES_MOST:
        raise BadParameter("pause", len(pauses), f"give at most {PAUSES_MOST} pauses")
    merged: list[Pause] = []
    for pause in sorted(pauses, key=lambda pause: (pause.start, pause.end)):
        if pause.start < filed:
            raise BadParameter("pause", f"{pause.start}:{pause.end}", f"it begins before the filing on {filed}")
        if pause.end >= LAST:
            raise BadParameter("pause", f"{pause.start}:{pause.end}", f"days are counted up to {LAST}")
        if merged and pause.start <= merged[-1].end:
            merged[-1] = Pause(merged[-1].start, max(merged[-1].end, pause.end))
        else:
            merged.append(pause)
    return tuple(merged)


def _check_extension(version: ProcedureVersion, extended_days: int) -> None:
    most, law = version.extension_most, version.law.title
    if extended_days < 0:
        raise BadParameter("extended_days", extended_days, "a clock is never made shorter")
    if extended_days > most:
        why = f"extends the clock by at most {most} days" if most else f"knows no extension of {version.procedure}"
        raise BadParameter("extended_days", extended_days, f"{law} {why}")


def _count(start: date, count: int, unit: Unit, calendar: WorkingCalendar, pauses: Sequence[Pause]) -> date:
    """The count-th day after `start` that is in no pause and, in working days, not off."""
    day = start
    while count > 0:
        if day >= LAST:
            raise BadParameter("filed", start.isoformat(), f"it would end after {LAST}")
        day += _DAY
        paused = next((pause for pause in pauses if pause.start <= day <= pause.end), None)
        if paused is not None:
            day = paused.end
        elif unit is Unit.DAYS or calendar.is_working(day):
            count -= 1
    return day


def _supplements(pauses: Sequence[Pause]) -> dict[Event, date]:
    ends = (pause.end for pause in pauses)
    return dict(zip((Event.SUPPLEMENTED, Event.SUPPLEMENTED_AGAIN), ends, strict=False))


def _doubts(step: Step, start: date, due: date, calendar: WorkingCalendar, law: Law) -> tuple[str, ...]:
    told = [step.doubt] if step.doubt else []
    if step.unit is Unit.WORKING_DAYS or law.last_day is LastDay.NEXT_WORKING_DAY:
        told += calendar.doubts(start, due)
    if step.unit is Unit.DAYS and (why := calendar.day_off(due)) is not None:
        next_day = calendar.add(due, 1)
        told.append(
            f"? {due} is a day off ({why}); Civil Code 2015 art. 148(5) would end the time on {next_day}, "
            "the construction law does not say"
        )
    return tuple(told)
