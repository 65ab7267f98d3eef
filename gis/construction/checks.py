"""One limit held against one proposal: what the text allows, what is proposed, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import Final

from gis.construction.rule_tables import Found

DIGITS: Final = 3
"""Decimals figures are told and compared with: millimetres, thousandths of a square metre and of a per cent.

Drawings are not finer; and a proposal that is moved or turned as a whole differs only below.
"""


class Rule(StrEnum):
    """What is checked, in the order in which it is told."""

    BUILDING_DENSITY = "building_density"
    FLOOR_AREA_RATIO = "floor_area_ratio"
    FLOORS = "floors"
    HEIGHT = "height"
    HEIGHT_AT_BUILDING_LINE = "height_at_building_line"
    SETBACK_FRONT = "setback_front"
    SETBACK_REAR = "setback_rear"
    SETBACK_SIDE = "setback_side"
    BALCONY = "balcony"
    MINIMUM_LOT = "minimum_lot"
    FRONTAGE = "frontage"
    ROAD_RESERVE = "road_reserve"
    ZONE = "zone"


class Outcome(StrEnum):
    """What a check says."""

    PASS = "pass"  # noqa: S105  no password
    FAIL = "fail"
    DOUBTFUL = "doubtful"
    """A doubtful cell decides it, or the text leaves it open."""


@dataclass(frozen=True, slots=True)
class Check:
    """One limit and how the proposal stands to it."""

    rule: Rule
    quantity: str
    """What is limited; limits of one quantity compete, whatever their texts."""
    at_most: bool
    """Whether the limit is an upper one."""
    limit: float | None
    """None where the text leaves it open."""
    actual: float | None
    """None where nothing is proposed."""
    unit: str
    source: str
    article: str
    jurisdiction: str
    doubt: str | None
    inputs: Mapping[str, float | int | str] = field(default_factory=dict)
    """What the limit was found by, and of which part of the proposal."""
    note: str | None = None
    """What holds besides: conditions that no drawing shows, the text that it replaces."""
    binds: bool = False
    """Whether it is the strictest of its quantity."""
    in_force_from: str | None = None
    """First day on which the text holds (ISO 8601); None where it is not known."""

    @property
    def margin(self) -> float | None:
        """What is left up to the limit; negative beyond it."""
        if self.limit is None or self.actual is None:
            return None
        return round(self.limit - self.actual if self.at_most else self.actual - self.limit, DIGITS)

    @property
    def verdict(self) -> Outcome:
        """Doubtful wherever a doubtful cell was used; where nothing is proposed, nothing breaks a sure limit."""
        if self.doubt is not None:
            return Outcome.DOUBTFUL
        return Outcome.FAIL if self.margin is not None and self.margin < 0 else Outcome.PASS

    @property
    def tightness(self) -> float:
        """The share of the limit that is left, to order limits of different units: the least binds.

        Infinite where the limit restricts nothing: a least distance of zero that is kept, nothing where nothing may be.
        """
        if self.margin is None or self.limit is None:
            return inf
        if self.limit == 0:
            return -inf if self.margin < 0 else inf
        return self.margin / self.limit


def citing(
    rule: Rule,
    found: Found,
    actual: float | None,
    *,
    quantity: str | None = None,
    at_most: bool = True,
    inputs: Mapping[str, float | int | str] | None = None,
    note: str | None = None,
    doubt: str | None = None,
) -> Check:
    """A check against what a table says, with its citation.

    Args:
        rule: what is checked.
        found: what the table says.
        actual: what is proposed, in the table's unit.
        quantity: of the limit; the rule's name when not given.
        at_most: whether the limit is an upper one.
        inputs: what the limit was found by.
        note: further to the row's own.
        doubt: further to that of the cells.
    """
    row = found.row
    return Check(
        rule,
        quantity or rule.value,
        at_most,
        found.value,
        None if actual is None else round(actual, DIGITS) + 0.0,
        row.unit,
        row.source,
        row.article,
        row.jurisdiction,
        _joined(found.doubt, doubt),
        inputs or {},
        _joined(row.note, note),
        in_force_from=row.valid_from or None,
    )


def _joined(*parts: str | None) -> str | None:
    return "; ".join(part for part in parts if part) or None


def overall(checks: Iterable[Check]) -> Outcome:
    """The verdict of all: a sure failure decides; then any doubt; else it passes."""
    found = {check.verdict for check in checks}
    return next((o for o in (Outcome.FAIL, Outcome.DOUBTFUL) if o in found), Outcome.PASS)


def with_binding(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks in the order of their rules, the strictest of each quantity marked."""
    ordered = sorted(checks, key=lambda check: list(Rule).index(check.rule))
    strictest: dict[str, Check] = {}
    for check in ordered:
        if check.limit is not None:
            known = strictest.setdefault(check.quantity, check)
            if _strictness(check) < _strictness(known):
                strictest[check.quantity] = check
    return tuple(replace(check, binds=strictest.get(check.quantity) is check) for check in ordered)


def _strictness(check: Check) -> tuple[float, float]:
    limit = check.limit if check.limit is not None else inf
    return (inf if check.margin is None else check.margin, limit if check.at_most else -limit)


def binding(checks: Sequence[Check]) -> Check | None:
    """The check that decides: of those that fail, else of all, the one with the least share of its limit left."""
    failing = [check for check in checks if check.verdict is Outcome.FAIL]
    candidates = failing or [check for check in checks if check.limit is not None and check.actual is not None]
    chosen = min(candidates, key=lambda check: check.tightness, default=None)
    return chosen if chosen is not None and chosen.tightness < inf else None
