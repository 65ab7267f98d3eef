"""Who holds what: parties, groups, units of parcels, and rights with exact shares, after LADM (ISO 19152)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

from gis.errors import BadInput, SharesDoNotAddUp
from gis.land.right_types import MORTGAGE, right_type

MAX_DENOMINATOR = 10**6
"""A share finer than a millionth is a mistake."""


class PartyKind(StrEnum):
    """What a party is."""

    PERSON = "person"
    ORGANISATION = "organisation"
    GROUP = "group"
    """LADM's group party: several parties that hold a right as one."""
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Party:
    """A party without its identity number."""

    uid: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group, with a share in what the group holds or without one (undivided)."""

    party: str
    share: Fraction | None


@dataclass(frozen=True, slots=True)
class Group:
    """A group party and its members."""

    uid: str
    members: tuple[Member, ...]

    def check(self) -> None:
        """Refuse a group that is none.

        Raises:
            BadInput: it has no members, one twice, itself, or shares of some members only that do not add up to one.
        """
        names = [member.party for member in self.members]
        if not names:
            raise BadInput(f"group {self.uid}: it has no members")
        if len(set(names)) < len(names) or self.uid in names:
            raise BadInput(f"group {self.uid}: a member occurs twice, or the group is its own member")
        shares = [member.share for member in self.members if member.share is not None]
        if shares and (len(shares) < len(names) or sum(shares) != 1):
            told = " + ".join(map(str, shares))
            raise BadInput(f"group {self.uid}: give each member a share, or none: {told} is not 1 for {len(names)}")


@dataclass(frozen=True, slots=True)
class BAUnit:
    """LADM's basic administrative unit: the parcels over which the same rights are held."""

    uid: str
    parcels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mortgage:
    """What makes a right a mortgage."""

    encumbers: str
    """The right it stands on, by id."""
    rank: int
    """1 is satisfied first."""
    amount_vnd: int | None = None


@dataclass(frozen=True, slots=True)
class RRR:
    """A right, restriction or responsibility of a party in a unit, over a time."""

    unit: str
    party: str
    type: str
    share: Fraction
    start: date | None
    """First day; None when its beginning is not known."""
    end: date | None = None
    """First day after; None while it lasts."""
    source: str | None = None
    """The paper it stands on, by uid."""
    mortgage: Mortgage | None = None
    id: str = ""
    """Given by the register."""

    def check(self) -> None:
        """Refuse a right that cannot be.

        Raises:
            BadInput: its type is not known, its share is not within (0, 1], it ends before it begins, or it is a
                mortgage that names no right, or another right that names one.
        """
        where = f"unit {self.unit}, {self.type} of {self.party}"
        right_type(self.type)
        if not 0 < self.share <= 1 or self.share.denominator > MAX_DENOMINATOR:
            raise BadInput(f"{where}: a share is more than 0, at most 1, in parts of at most 1/{MAX_DENOMINATOR}")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise BadInput(f"{where}: it ends on {self.end}, before it has begun on {self.start}")
        if (self.mortgage is not None) != (self.type == MORTGAGE):
            raise BadInput(f"{where}: a mortgage names the right it encumbers, and no other right does")
        if self.mortgage is not None and self.mortgage.rank < 1:
            raise BadInput(f"{where}: the first rank is 1")


def parse_share(text: object) -> Fraction:
    """A share from "1/3" or "1", exactly; never from a decimal fraction.

    Raises:
        BadInput: it is no fraction more than 0 and at most 1, or finer than a millionth.
    """
    parts = str(text).split("/")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise BadInput(f"share {str(text)[:40]!r}: write it as a fraction, for example 1/2")
    number, divisor = int(parts[0]), int(parts[-1]) if len(parts) == 2 else 1
    if not 0 < number <= divisor <= MAX_DENOMINATOR:
        raise BadInput(
            f"share {str(text)[:40]!r}: a share is more than 0 and at most 1, in parts of a millionth or more"
        )
    return Fraction(number, divisor)


def check_shares(unit: str, kind: str, held: Iterable[tuple[Fraction, date | None, date | None]]) -> None:
    """Refuse shares that do not add up to one on some day on which any are held.

    Args:
        unit: For the message.
        kind: Type of the right; only those of exclusive types are checked.
        held: Share, first day (None: always), first day after (None: still).

    Raises:
        SharesDoNotAddUp: they do not; the unit, the period and the sum are named.
    """
    if not right_type(kind).exclusive:
        return
    rows = [(share, start or date.min, end or date.max) for share, start, end in held]
    days = sorted({day for _, start, end in rows for day in (start, end)})
    for day, after in itertools.pairwise(days):
        shares = [share for share, start, end in rows if start <= day < end]
        if shares and sum(shares) != 1:
            end = None if after == date.max else after
            raise SharesDoNotAddUp(unit, kind, None if day == date.min else day, end, sum(shares, Fraction(0)))
