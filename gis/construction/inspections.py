"""From a flagged difference to a decision: statuses of a case, and what an inspection on the ground makes of it.

A case is a difference of the register. Who looked writes an outcome; outcomes are added and never changed. Which
status follows which is a table (`data/registers/case_transitions.csv`), so that an office with another procedure edits
that.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from math import isfinite
from pathlib import Path

from gis.access.audit import LENGTH_MOST
from gis.construction.dossier import plain_text
from gis.errors import BadParameter, Conflict, UnreadableFile
from gis.resources import resource

NOTE_MOST = 2_000
"""Characters of a note."""
VALUE_MOST = 1e6
"""Of a measured value, in the case's unit (m, m² or floors)."""
NUMBER_MOST = 1_000
"""Inspections of one case, and assignments."""
SAME_FIGURE = 0.01
"""m or m² by which a figure may differ and be the same: below what any survey from the air tells apart."""


class CaseStatus(StrEnum):
    """Where a case stands."""

    FLAGGED = "flagged"
    """Nobody has seen it."""
    ASSIGNED = "assigned"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    RESOLVED = "resolved"
    """It was confirmed, and put right or legalised since."""

    @property
    def was_real(self) -> bool | None:
        """Whether there was a difference when it was flagged; None while nobody knows."""
        return {
            CaseStatus.CONFIRMED: True,
            CaseStatus.RESOLVED: True,
            CaseStatus.DISMISSED: False,
        }.get(self)


class Outcome(StrEnum):
    """What an inspection on the ground found."""

    CONFIRMED = "confirmed"
    WITHIN_LIMITS = "within_limits"
    """The survey or its tolerance was wrong; of a case that was confirmed before: it was put right or legalised."""
    REGISTER_WRONG = "register_wrong"
    """The data of the permit or the parcel was wrong or missing."""
    NOT_ACCESSIBLE = "not_accessible"


class CaseAction(StrEnum):
    """What may happen to a case."""

    ASSIGNED = "assigned"
    CONFIRMED = Outcome.CONFIRMED
    WITHIN_LIMITS = Outcome.WITHIN_LIMITS
    REGISTER_WRONG = Outcome.REGISTER_WRONG
    NOT_ACCESSIBLE = Outcome.NOT_ACCESSIBLE
    FOUND_OTHERWISE = "found_otherwise"
    """A later run found it with other figures."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What somebody saw on the ground."""

    inspected_on: date
    outcome: Outcome
    measured_value: float | None = None
    """In the case's unit; None when nothing was measured."""
    note: str | None = None

    def check(self, today: date) -> Inspection:
        """The same, its note without blanks around it.

        Raises:
            BadParameter: a day to come, a value that cannot be, or a note too long.
        """
        if self.inspected_on > today:
            raise BadParameter("inspected_on", self.inspected_on.isoformat(), f"it is still to come; today is {today}")
        value = self.measured_value
        if value is not None and not (isfinite(value) and abs(value) <= VALUE_MOST):
            raise BadParameter("measured_value", value, f"a number of at most {VALUE_MOST:,.0f} is needed")
        return Inspection(self.inspected_on, self.outcome, value, _note(self.note))


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is to look at a case, and until when."""

    assignee: str
    """A name, or better the subject of somebody's token."""
    until: date
    note: str | None = None

    def check(self, today: date) -> Assignment:
        """The same, its texts without blanks around them.

        Raises:
            BadParameter: nobody is named, the day is past, or a text is too long.
        """
        if self.until < today:
            raise BadParameter("until", self.until.isoformat(), f"it is past; today is {today}")
        return Assignment(plain_text("assignee", self.assignee, LENGTH_MOST), self.until, _note(self.note))


@dataclass(frozen=True, slots=True)
class Figures:
    """What a difference says in numbers; None where it has none."""

    actual: float | None
    limit_value: float | None
    delta: float | None
    unit: str | None

    def is_same(self, other: Figures) -> bool:
        """Whether an inspector who judged the one has judged the other.

        σ and confidence do not count: they say how well it was measured, not what is claimed to stand there.
        """
        mine, others = ((one.actual, one.limit_value, one.delta) for one in (self, other))
        return self.unit == other.unit and all(map(_is_close, mine, others))


@cache
def transitions() -> Mapping[tuple[CaseStatus, CaseAction], CaseStatus]:
    """What becomes of a case by what happens to it."""
    return read_transitions(resource("registers", "case_transitions.csv"))


def read_transitions(path: Path) -> Mapping[tuple[CaseStatus, CaseAction], CaseStatus]:
    """The table of a CSV with the columns from, action, to, why.

    Raises:
        UnreadableFile: it is no such table, or says of one step two things.
    """
    found: dict[tuple[CaseStatus, CaseAction], CaseStatus] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                step = CaseStatus(row["from"]), CaseAction(row["action"])
                if step in found:
                    raise UnreadableFile(path, f"line {number}: {step[0]}, {step[1]} stands twice")
                found[step] = CaseStatus(row["to"])
    except (OSError, KeyError, ValueError, csv.Error) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(path, f"not a table of what becomes of cases ({error})") from error
    return found


def following(case_id: str, status: CaseStatus, action: CaseAction) -> CaseStatus:
    """The status of a case after something happened to it.

    Raises:
        Conflict: that may not happen to it now; what may is told.
    """
    found = transitions().get((status, action))
    if found is None:
        allowed = sorted(str(one) for before, one in transitions() if before is status)
        allowed = [one for one in allowed if one != CaseAction.FOUND_OTHERWISE]
        what = f"case {case_id} is {status}: {action} does not follow"
        raise Conflict(f"{what}; what may is {', '.join(allowed) or 'nothing'}")
    return found


def _note(text: str | None) -> str | None:
    """On one line."""
    return plain_text("note", " ".join(text.split()), NOTE_MOST) if text is not None and text.strip() else None


def _is_close(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= SAME_FIGURE
