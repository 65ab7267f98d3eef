"""A proposal as the rules see it: its figures, the sides of its lot, and the tables of its filing date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from shapely.geometry.base import BaseGeometry

from gis.construction.checks import DIGITS, Check, Outcome
from gis.construction.lot_sides import Front, LotSides, sides_of
from gis.construction.proposal import OUTSIDE, Mass, Proposal
from gis.construction.rule_tables import Found, RuleRow, RuleTables

NO_ROAD: Final = "no road lies beside the lot in the proposal, so that its road reserve is not known"
CORNER: Final = "the texts at hand do not say which road of a corner lot counts, and they differ here"


@dataclass(frozen=True)
class Case:
    """One proposal under the rules of its filing date."""

    proposal: Proposal
    tables: RuleTables
    consulted: set[str] = field(default_factory=set)
    """Names of the tables asked so far."""

    @cached_property
    def sides(self) -> LotSides:
        """The lot's edges by what they face."""
        return sides_of(self.proposal.lot, self.proposal.roads)

    @cached_property
    def lot_area(self) -> float:
        """m², from the drawing."""
        return round(float(self.proposal.lot.area), DIGITS)

    @property
    def density(self) -> float | None:
        """Per cent of the lot that is covered; None where nothing is proposed."""
        return 100.0 * self.proposal.ground.area / self.lot_area if self.designed else None

    @property
    def floor_area_ratio(self) -> float | None:
        """Gross floor area over lot area; None where nothing is proposed."""
        return self.proposal.gross_floor_area / self.lot_area if self.designed else None

    @property
    def designed(self) -> bool:
        """Whether a building is proposed, not only a lot asked about."""
        return bool(self.proposal.masses)

    def find(self, table: str, **asked: float | str) -> Found | None:
        """What a table says on the filing date; None where it does not hold for what is asked.

        Where none of its rows is in force that day, it leaves the matter open, and says so.
        """
        self.consulted.add(table)
        on = self.proposal.filed_on
        there = self.tables.table(table, on)
        return self.open(table, "") if there is None else there.find(**asked)

    def figure(self, table: str, **asked: float | str) -> float | None:
        """The number alone; None where there is none."""
        found = self.find(table, **asked)
        return None if found is None else found.value

    def open(self, table: str, why: str) -> Found:
        """What a table says where it cannot be asked, or is not in force."""
        self.consulted.add(table)
        # In an order of their own, so that a replay from stored rows cites the same one.
        here = [row for row in self.tables.rows if row.table == table]
        there = [row for row in self.tables.elsewhere if row.table == table]
        rows = sorted(here or there, key=lambda row: (row.valid_from, row.ranges))
        on = self.proposal.filed_on
        row = replace(next((row for row in rows if row.in_force(on)), rows[0]), note="")
        if not here:
            place = f"holds in {row.jurisdiction}, not in {self.proposal.jurisdiction}"
            return Found(None, True, f"{row.source}, {row.article} {place}", row)
        since = f"{row.source}, {row.article} as held here is not in force on {on.isoformat()}"
        return Found(None, True, why if row.in_force(on) and why else since, row)

    @property
    def rows(self) -> tuple[RuleRow, ...]:
        """The rows of all tables asked so far, by table: those in force, or all of a table that is not in force."""
        on, found = self.proposal.filed_on, list[RuleRow]()
        every = (*self.tables.rows, *self.tables.elsewhere)
        for name in sorted(self.consulted):
            found += self.tables.in_force(name, on) or [row for row in every if row.table == name]
        return tuple(found)

    def by_road(
        self, table: str, make: Callable[[Front], list[Check]], silent: Callable[[Found], Check]
    ) -> list[Check]:
        """Checks that follow from the road in front, for each road of the lot.

        Of a corner lot no text at hand says which road counts: what one road allows and another does not is doubtful.
        """
        fronts = self.sides.fronts
        if not fronts:
            return [silent(self.open(table, NO_ROAD))]
        checks = [check for front in fronts for check in make(front)]
        return checks if len(fronts) < 2 else _weighed(checks)

    def setback(self, part: BaseGeometry, front: Front) -> float:
        """Metres between a part of the building and a front: its lot line, or the red line where that is nearer.

        Negative inside of the road's reserve, as far as it reaches in.
        """
        to_line = float(part.distance(front.edges))
        to_reserve = float(part.distance(front.road.reserve))
        if to_reserve == 0.0:
            inside = float(part.distance(front.road.axis)) - front.road.reserve_width / 2.0
            to_reserve = inside if inside < -OUTSIDE else 0.0
        return min(to_line, to_reserve)

    def at_line(self, mass: Mass, front: Front, step: float) -> float | None:
        """Height of a mass at the building line, metres; None where it stands back from it by the step."""
        if mass.height_at_line is not None:
            return mass.height_at_line
        return mass.height if round(self.setback(mass.footprint, front), DIGITS) < step else None


def _weighed(checks: list[Check]) -> list[Check]:
    """Mark as doubtful what one road allows and another does not."""
    limits = [check.limit for check in checks if check.limit is not None]
    passes = any(check.verdict is Outcome.PASS for check in checks)
    marked = []
    for check in checks:
        differs = check.actual is None and check.limit is not None and check.limit > min(limits)
        outdone = check.verdict is Outcome.FAIL and passes
        marked.append(replace(check, doubt=CORNER) if check.doubt is None and (differs or outdone) else check)
    return marked
