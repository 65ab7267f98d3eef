"""The ranges a rule's row holds for, and where a value lies among the ranges of a table.

Ranges are written as PostgreSQL writes them: `[16,25)` from 16 to below 25, `(,3.5)` below 3.5, `[1000,)` from 1000 on,
`(46,)` above 46, and `100` for the single value 100.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite

_NUMBER = r"\d+(?:\.\d+)?"
_WRITTEN = re.compile(rf"([\[(])({_NUMBER})?,({_NUMBER})?([\])])")


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, each with or without itself; an open end is infinite."""

    low: float
    high: float
    with_low: bool = True
    with_high: bool = True

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.with_low else value > self.low
        below = value <= self.high if self.with_high else value < self.high
        return above and below

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        low, high = ("" if not isfinite(end) else f"{end:g}" for end in (self.low, self.high))
        return f"{'[' if self.with_low else '('}{low},{high}{']' if self.with_high else ')'}"

    def in_words(self, unit: str) -> str:
        """As a person reads it: "below 19 m", "from 19 to below 22 m"."""
        low = f"{'from' if self.with_low else 'above'} {self.low:g}" if isfinite(self.low) else ""
        high = f"{'up to' if self.with_high else 'below'} {self.high:g}" if isfinite(self.high) else ""
        if self.low == self.high:
            return f"{self.low:g} {unit}"
        return f"{' to '.join(part for part in (low, high) if part) or 'any'} {unit}"

    def overlaps(self, other: Range) -> bool:
        """Whether a number is in both."""
        first, second = sorted((self, other), key=lambda r: (r.low, not r.with_low))
        if second.low != first.high:
            return second.low < first.high
        return first.with_high and second.with_low

    def meets(self, following: Range) -> bool:
        """Whether nothing lies between this range and a later one that does not overlap it."""
        return self.high == following.low and self.with_high != following.with_low


def parse_range(text: str) -> Range:
    """The range a cell writes.

    Raises:
        ValueError: it is none, or it is empty; the text says why.
    """
    if re.fullmatch(_NUMBER, text):
        return Range(float(text), float(text))
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError("not a range: write 100, [16,25), (,3.5) or [1000,)")
    opening, low, high, closing = match.groups()
    found = Range(
        float(low) if low else -inf,
        float(high) if high else inf,
        opening == "[" and low is not None,
        closing == "]" and high is not None,
    )
    if found.low >= found.high:
        raise ValueError("an empty range: its end is not above its start")
    return found


def fault_of_axis(ranges: Sequence[Range], linear: bool) -> str | None:
    """What is wrong with the ranges of one key of a table, in ascending order; None when nothing is.

    They cover all numbers and do not overlap; between two of a linear table may lie what is interpolated.
    """
    for first, second in pairwise(ranges):
        if first.overlaps(second):
            return f"{first} and {second} overlap"
        apart = first.high < second.low
        if not first.meets(second) and not (linear and apart):
            return f"nothing is said between {first} and {second}"
    if isfinite(ranges[0].low):
        return f"nothing is said below {ranges[0]}"
    if isfinite(ranges[-1].high):
        return f"nothing is said above {ranges[-1]}"
    return None


def weights(ranges: Sequence[Range], value: float, *, linear: bool) -> tuple[tuple[int, float], ...]:
    """Which ranges say something of a value, with shares that add up to one.

    One where the value lies in it; two, by distance, where it lies between two of a linear table; none elsewhere.

    Args:
        ranges: ascending, not overlapping.
        value: in the key's unit.
        linear: whether there is something between ranges.
    """
    for number, one in enumerate(ranges):
        if value in one:
            return ((number, 1.0),)
    if not linear:
        return ()
    for number, (first, second) in enumerate(pairwise(ranges)):
        if first.high <= value <= second.low:
            share = (value - first.high) / (second.low - first.high) if second.low > first.high else 0.0
            # At the open end of a range the line between begins with the range's own value.
            return tuple((n, part) for n, part in ((number, 1.0 - share), (number + 1, share)) if part > 0.0)
    return ()
