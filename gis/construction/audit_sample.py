"""The honest question: of buildings drawn at random, flagged or not, how many are flagged rightly and how many missed.

Inspections of flagged buildings alone cannot tell it. A sample of both, drawn by lot, can: what share of the buildings
within their limits is flagged (false alarms), and what share of those that are not is left alone (misses).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import nan

from gis.errors import BadParameter

SIZE_MOST = 10_000
SEED_MOST = 2**31 - 1
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class SampleName:
    """Which sample: the same survey, size and seed is the same lot."""

    epoch: str
    size: int
    seed: int

    def check(self) -> SampleName:
        """The same.

        Raises:
            BadParameter: its size or its seed cannot be.
        """
        if not 2 <= self.size <= SIZE_MOST:
            raise BadParameter("sample", self.size, f"2 to {SIZE_MOST:,} buildings are drawn")
        if not 0 <= self.seed <= SEED_MOST:
            raise BadParameter("seed", self.seed, f"a whole number from 0 to {SEED_MOST} is needed")
        return self


@dataclass(frozen=True, slots=True)
class Stratum:
    """Buildings of one kind, flagged or not: how many there are, and what was seen of those drawn."""

    population: int
    inspected: int
    real: int
    """Inspected ones where there is a difference."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate with an interval that holds the true one in at least 95 of 100 samples."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Achieved:
    """What the comparison achieves, in the whole survey."""

    false_alarms: Rate
    """Share of the buildings within their limits that are flagged."""
    misses: Rate
    """Share of the buildings with a difference that are not flagged."""


def ticket(seed: int, uid: str) -> str:
    """A building's lot: the smallest are drawn. Anybody can draw again, in any program.

    SHA-256 of seed and uid is as good as chance, and does not depend on which other buildings there are.
    """
    return hashlib.sha256(f"{seed}|{uid}".encode()).hexdigest()


def parts_of(size: int, flagged: int, unflagged: int) -> tuple[int, int]:
    """How many flagged and unflagged buildings are drawn: half each, or as many as there are."""
    from_flagged = min(flagged, size // 2)
    from_unflagged = min(unflagged, size - from_flagged)
    return min(flagged, size - from_unflagged), from_unflagged


def achieved(flagged: Stratum, unflagged: Stratum) -> Achieved:
    """The rates of the whole survey, each stratum weighted by its buildings (Cochran, Sampling Techniques, chapter 5).

    Both rates rise with one stratum's share and fall with the other's. Each share has an exact interval (Clopper and
    Pearson 1934) of 97.5 %, so both hold together in at least 95 % of samples (Bonferroni), and the corners of the two
    are the ends of the rate's interval. That is wide, and never too sure; the more so where most of a stratum is drawn.
    """
    f_value, f_low, f_high = _exact(flagged)
    u_value, u_low, u_high = _exact(unflagged)
    n_flagged, n_unflagged = flagged.population, unflagged.population

    def false_alarms(f: float, u: float) -> float:
        return _part(n_flagged * (1 - f), n_unflagged * (1 - u))

    def misses(f: float, u: float) -> float:
        return _part(n_unflagged * u, n_flagged * f)

    return Achieved(
        Rate(false_alarms(f_value, u_value), _or(false_alarms(f_high, u_low), 0), _or(false_alarms(f_low, u_high), 1)),
        Rate(misses(f_value, u_value), _or(misses(f_high, u_low), 0), _or(misses(f_low, u_high), 1)),
    )


def _exact(stratum: Stratum) -> tuple[float, float, float]:
    """Share of real ones, and its exact interval of 97.5 %."""
    from scipy.special import betaincinv

    real, count = stratum.real, stratum.inspected
    if stratum.population == 0:
        return 0.0, 0.0, 0.0
    if count == 0:
        return nan, 0.0, 1.0
    tail = (1 - LEVEL) / 4
    low = 0.0 if real == 0 else float(betaincinv(real, count - real + 1, tail))
    high = 1.0 if real == count else float(betaincinv(real + 1, count - real, 1 - tail))
    return real / count, low, high


def _part(one: float, other: float) -> float:
    """One's part of both; NaN of nothing."""
    return one / (one + other) if one + other > 0 else nan


def _or(value: float, instead: float) -> float:
    return value if value == value else instead
