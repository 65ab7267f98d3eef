"""A transfer of a right from those who hold it to others: sale, inheritance, gift, division. Shares stay exact.

The document of a transfer is JSON:

    {"kind": "sale", "unit": "p-000001", "type": "land_use_right", "day": "2026-03-02",
     "from": [{"party": "o-000001", "share": "1/2"}],
     "to":   [{"party": "o-000007", "share": "1/2"}],
     "source": {"uid": "hd-12-2026", "kind": "notarised_contract", "number": "12/2026", "date": "2026-02-27"}}

A share may be "all": what the giver holds on that day. A party not yet known is told with kind, name and id_no.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

from gis.errors import BadInput, Conflict
from gis.land.right_types import right_type
from gis.land.rights import RRR


class TransferKind(StrEnum):
    """Why a right goes over."""

    SALE = "sale"
    INHERITANCE = "inheritance"
    GIFT = "gift"
    DIVISION = "division"


@dataclass(frozen=True, slots=True)
class Part:
    """A party and the share it gives or gets."""

    party: str
    share: Fraction | None
    """None: all that the giver holds on the day."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What goes from whom to whom, from a day on."""

    kind: TransferKind
    unit: str
    type: str
    day: date
    givers: tuple[Part, ...]
    takers: tuple[Part, ...]
    source: str | None = None
    """The paper, by uid."""
    discharged: tuple[str, ...] = ()
    """Mortgages that end with it, by id."""

    def check(self) -> None:
        """Refuse what no state of the register could allow.

        Raises:
            BadInput: nobody gives or gets, somebody does twice, shares do not add up, or the kind forbids it.
        """
        where = f"{self.kind} of {self.unit}"
        if not right_type(self.type).exclusive:
            raise BadInput(f"{where}: {self.type} has no shares that could go over")
        for side, parts in (("gives", self.givers), ("gets", self.takers)):
            if not parts:
                raise BadInput(f"{where}: nobody {side}")
            twice = [name for name, count in Counter(part.party for part in parts).items() if count > 1]
            if twice:
                raise BadInput(f"{where}: {twice[0]} {side} twice")
        if any(part.share is None for part in self.takers):
            raise BadInput(f"{where}: say how much each party gets")
        given = [part.share for part in self.givers if part.share is not None]
        if len(given) == len(self.givers):
            self._check_sum(sum(given, Fraction(0)))
        both = {part.party for part in self.givers} & {part.party for part in self.takers}
        if both and self.kind is not TransferKind.DIVISION:
            raise BadInput(f"{where}: {min(both)} gives and gets; only in a division one may do both")
        if self.kind is TransferKind.INHERITANCE and len(self.givers) != 1:
            raise BadInput(f"{where}: one dies at a time; record one inheritance for each")

    def _check_sum(self, given: Fraction) -> None:
        got = sum((part.share or Fraction(0) for part in self.takers), Fraction(0))
        if got != given:
            raise BadInput(f"{self.kind} of {self.unit}: {given} is given and {got} is got")

    def applied(self, held: Sequence[RRR], circle: frozenset[str] = frozenset()) -> tuple[Change, ...]:
        """What changes, from the day on, in what is held.

        A transfer told late goes through all that was recorded for later days: those who give must hold enough on each.

        Args:
            held: All rights of the unit and type that the register knows now, of all days.
            circle: Members of the groups that give; they may get in a division.

        Raises:
            BadInput: see `check`.
            Conflict: a giver holds less than it gives on the day or later.
        """
        self.check()
        where = f"{self.kind} of {self.unit}"
        today = _holders(held, self.day)
        given = {
            part.party: today.get(part.party, Fraction(0)) if part.share is None else part.share for part in self.givers
        }
        for party, share in given.items():
            if today.get(party, Fraction(0)) < share or not share:
                raise Conflict(f"{where}: {party} holds {today.get(party, 0)} on {self.day}, not {share or 'anything'}")
        self._check_sum(sum(given.values(), Fraction(0)))
        self._check_kind(today, given, circle)
        got = {part.party: part.share or Fraction(0) for part in self.takers}
        later = sorted(
            {day for right in held for day in (right.start, right.end) if day is not None and day > self.day}
        )
        changes: list[Change] = []
        for start, end in zip([self.day, *later], [*later, None], strict=True):
            holders = _holders(held, start)
            for party in sorted({*given, *got}):
                before = holders.get(party, Fraction(0))
                after = before - given.get(party, Fraction(0)) + got.get(party, Fraction(0))
                if after < 0 or (not holders and given.get(party)):
                    raise Conflict(
                        f"{where}: {party} gives {given[party]} and holds {before} from {start} on, by what was "
                        "recorded for that day before; correct that first"
                    )
                if after != before:
                    changes.append(Change(party, start, end, after, gained=after > before))
        return tuple(changes)

    def _check_kind(self, today: dict[str, Fraction], given: dict[str, Fraction], circle: frozenset[str]) -> None:
        where = f"{self.kind} of {self.unit}"
        if self.kind is TransferKind.INHERITANCE:
            for party, share in given.items():
                if share != today[party]:
                    raise Conflict(
                        f"{where}: {party} leaves {today[party]}, all of which goes to the heirs, not {share}"
                    )
        if self.kind is TransferKind.DIVISION:
            strangers = {part.party for part in self.takers} - set(given) - circle
            if strangers:
                raise BadInput(f"{where}: {min(strangers)} had no part in what is divided")


@dataclass(frozen=True, slots=True)
class Change:
    """What a party holds over a time after a transfer."""

    party: str
    start: date
    end: date | None
    share: Fraction
    """0: nothing any more."""
    gained: bool
    """Whether it holds more than before, so that the transfer's paper is its paper."""


def _holders(held: Sequence[RRR], day: date) -> dict[str, Fraction]:
    return {
        right.party: right.share
        for right in held
        if (right.start is None or right.start <= day) and (right.end is None or day < right.end)
    }
