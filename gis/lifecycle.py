"""The life of a thing that has a status: which status may follow which, as a table with its sources."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gis.errors import Conflict, UnreadableFile

_COLUMNS = ("from", "to", "source", "article", "doubt", "verified_by")


@dataclass(frozen=True, slots=True)
class Transition:
    """One step that is allowed, and where it is written."""

    before: str
    """The status it leaves; empty for a first status."""
    after: str
    source: str
    article: str
    doubt: str
    """`?` where the text is not certain."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A status over a time."""

    status: str
    start: date | None
    """First day; None when it has no beginning."""
    end: date | None
    """First day after; None while it lasts."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """All steps that are allowed."""

    transitions: Mapping[tuple[str, str], Transition]

    @property
    def statuses(self) -> tuple[str, ...]:
        """Every status, in the order of the table."""
        return tuple(dict.fromkeys(after for _, after in self.transitions))

    def following(self, status: str) -> tuple[str, ...]:
        """What may come after a status; of the empty one, what may come first."""
        return tuple(after for before, after in self.transitions if before == status)

    def check(self, thing: str, stages: Sequence[Stage]) -> None:
        """Refuse a life that takes a step the table does not have, or that has a gap.

        Args:
            thing: For the message, e.g. "certificate AB 123456".
            stages: Of the whole life, in the order of time; neighbours of one status are one stage.

        Raises:
            Conflict: it does; the step and its day are named.
        """
        before, reached = "", None
        for stage in stages:
            if before and reached != stage.start:
                raise Conflict(f"{thing}: its status is not known from {reached} to {stage.start}")
            if stage.status != before and (before, stage.status) not in self.transitions:
                allowed = ", ".join(self.following(before)) or "nothing"
                step = f"after {before} comes" if before else "a life begins with"
                raise Conflict(f"{thing}: {stage.status} from {stage.start} is no legal step; {step} {allowed}")
            before, reached = stage.status, stage.end

    def doubts(self, stages: Sequence[Stage]) -> tuple[Transition, ...]:
        """The steps of a life whose text is not certain."""
        statuses = ["", *(stage.status for stage in stages)]
        steps = (self.transitions.get(step) for step in itertools.pairwise(statuses))
        return tuple(step for step in steps if step is not None and step.doubt)


def read_lifecycle(path: Path) -> Lifecycle:
    """The table of a CSV with the columns from, to, source, article, doubt, verified_by.

    Raises:
        UnreadableFile: it is no such table, or a step has no source or stands twice.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(path, f"not a table of transitions ({error})") from error
    found: dict[tuple[str, str], Transition] = {}
    for number, row in enumerate(rows, start=2):
        if tuple(row) != _COLUMNS or not row["to"] or not row["source"]:
            raise UnreadableFile(
                path, f"line {number}: the columns {', '.join(_COLUMNS)} are needed, `to` and `source` filled"
            )
        step = (row["from"], row["to"])
        if step in found:
            raise UnreadableFile(
                path, f"line {number}: the step from {step[0] or 'the beginning'} to {step[1]} stands twice"
            )
        found[step] = Transition(row["from"], row["to"], row["source"], row["article"], row["doubt"])
    return Lifecycle(found)
