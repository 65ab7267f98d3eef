"""What inspections say of what is flagged: the share that is real, by kind and by confidence, with its uncertainty.

What these figures do not say. Only flagged buildings are inspected here, so nothing is known of what was missed, nor
of how many legal buildings were left alone: `gis.construction.audit_sample` is for that. Of the flagged ones the office
chooses whom to visit, mostly the surest first, and some doors stay shut: the share among the inspected is that of all
flagged only as far as those still open are like them. The shares by confidence suffer less from that choice, because
they compare like with like; a rate recommended from them can only be stricter than the one that was used, for what a
looser one would flag nobody has seen. Intervals are of one share each; who takes the best of several rates is a little
too sure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, isnan, nan, sqrt
from statistics import NormalDist

from gis.construction.inspections import CaseStatus

RATES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 1e-4, 1e-5, 1e-6)
"""False-alarm rates to choose from, the loosest first; one flags from a confidence of 1 − rate on."""
TARGET = 0.8
"""Share of flagged buildings that should be real, where the office says nothing else: four visits of five."""
HALF_WIDTH = 0.05
"""Of the 95 % interval, when a share counts as known."""
LEVEL = 0.95
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """What counts of a case."""

    kind: str
    status: CaseStatus
    confidence: float | None
    """Probability that the difference exceeds the tolerance, as the survey's errors say; None where none was told."""
    is_closed: bool = False
    """Whether the newest run did not find it again."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of inspected cases that were real, with its interval of 95 %; NaN and 0 to 1 where none was inspected."""

    confirmed: int
    inspected: int

    @property
    def value(self) -> float:
        """The share itself."""
        return self.confirmed / self.inspected if self.inspected else nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (Wilson 1927; recommended for few cases by Brown, Cai and DasGupta 2001)."""
        n = self.inspected
        if n == 0:
            return 0.0, 1.0
        p, z2 = self.confirmed / n, _Z**2
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        # At the ends rounding would leave a trace below 0 or above 1.
        return (0.0 if self.confirmed == 0 else middle - half), (1.0 if self.confirmed == n else middle + half)


@dataclass(frozen=True, slots=True)
class AtRate:
    """What a false-alarm rate flags of the cases there are."""

    false_alarm_rate: float
    flagged: int
    share: Share


@dataclass(frozen=True, slots=True)
class Bin:
    """Cases of like confidence, from the one on and below the other; the last one includes 1."""

    confidence_from: float
    confidence_to: float
    share: Share
    real: float
    """Share of real ones where a higher confidence is never less often real (isotonic); NaN where nobody looked."""


@dataclass(frozen=True, slots=True)
class KindStatistics:
    """What inspections say of one kind of difference."""

    kind: str
    flagged: int
    """Cases ever flagged, those among them that a later run did not find again."""
    closed: int
    """Of them, not found again."""
    open: int
    """Found, and nobody has decided."""
    dismissed: int
    resolved: int
    """Of the confirmed, put right or legalised since."""
    share: Share
    """`confirmed` are all that were real, the resolved among them."""
    by_rate: tuple[AtRate, ...]
    by_confidence: tuple[Bin, ...]
    recommended: AtRate | None
    """The loosest rate that reaches the target with its interval's lower end; None: none does yet."""
    further_inspections: int
    """Until the share is known to ±5 points, as many as are open at most."""


def statistics(
    cases: Iterable[JudgedCase], *, false_alarm_rate: float | None = None, target: float = TARGET
) -> list[KindStatistics]:
    """The statistics of each kind, by its name.

    Cases that were closed count with what was seen of them: a dismissed one vanishes when the register is put right, a
    confirmed one when it is legalised, and the shares would be of who is left.

    Args:
        cases: Of one method and survey.
        false_alarm_rate: The one that was used, where it is known: looser ones are left out.
        target: Share of real ones a recommended rate must have.
    """
    kinds: dict[str, list[JudgedCase]] = {}
    for case in cases:
        kinds.setdefault(case.kind, []).append(case)
    return [_of_kind(kind, kinds[kind], false_alarm_rate, target) for kind in sorted(kinds)]


def _of_kind(kind: str, cases: Sequence[JudgedCase], used: float | None, target: float) -> KindStatistics:
    share = _share(cases)
    by_rate = tuple(_at(rate, cases) for rate in RATES if used is None or rate <= used * (1 + 1e-9))
    reaching = (one for one in by_rate if one.share.inspected and one.share.interval[0] >= target)
    undecided = sum(1 for case in cases if case.status.was_real is None and not case.is_closed)
    return KindStatistics(
        kind=kind,
        flagged=len(cases),
        closed=sum(1 for case in cases if case.is_closed),
        open=undecided,
        dismissed=share.inspected - share.confirmed,
        resolved=sum(1 for case in cases if case.status is CaseStatus.RESOLVED),
        share=share,
        by_rate=by_rate,
        by_confidence=_bins(cases),
        recommended=next(reaching, None),
        further_inspections=min(undecided, max(0, inspections_needed(share) - share.inspected)),
    )


def inspections_needed(share: Share) -> int:
    """Inspections in all until a share like this is known to ±5 points (normal approximation; of an unknown one, ½).

    The share is taken from the middle of its interval, so that three of three do not count as certainty.
    """
    p = sum(share.interval) / 2
    return ceil((_Z / HALF_WIDTH) ** 2 * p * (1 - p))


def _share(cases: Iterable[JudgedCase]) -> Share:
    seen = [case.status.was_real for case in cases if case.status.was_real is not None]
    return Share(sum(seen), len(seen))


def _at(rate: float, cases: Sequence[JudgedCase]) -> AtRate:
    flagged = [case for case in cases if case.confidence is not None and case.confidence >= 1.0 - rate]
    return AtRate(rate, len(flagged), _share(flagged))


def _bins(cases: Sequence[JudgedCase]) -> tuple[Bin, ...]:
    """By the confidences between which the rates part; those without a case are left out."""
    edges = [0.0, *(1.0 - rate for rate in RATES)]
    found: list[tuple[float, float, Share]] = []
    for low, high in zip(edges, [*edges[1:], 1.0], strict=True):
        is_last = high == 1.0
        inside = [
            case
            for case in cases
            if case.confidence is not None and low <= case.confidence and (case.confidence < high or is_last)
        ]
        if inside:
            found.append((low, high, _share(inside)))
    real = isotonic([share for _, _, share in found])
    return tuple(Bin(low, high, share, value) for (low, high, share), value in zip(found, real, strict=True))


def isotonic(shares: Sequence[Share]) -> list[float]:
    """The shares, weighted by their inspections, made never falling: neighbours that fall are taken together.

    Pool adjacent violators (Ayer et al. 1955); what has no inspections stays NaN.
    """
    blocks: list[list[float]] = []
    for share in shares:
        if share.inspected == 0:
            continue
        blocks.append([share.confirmed, share.inspected, 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [mine + other for mine, other in zip(blocks[-1], last, strict=True)]
    values = iter([confirmed / inspected for confirmed, inspected, count in blocks for _ in range(int(count))])
    return [next(values) if share.inspected else nan for share in shares]


def as_row(one: KindStatistics, false_alarm_rate: float | None) -> dict[str, str | int | float | None]:
    """The figures of a kind as one row of a table; what is not known is None."""
    low, high = one.share.interval
    best = one.recommended
    return {
        "kind": one.kind,
        "flagged": one.flagged,
        "open": one.open,
        "closed": one.closed,
        "inspected": one.share.inspected,
        "confirmed": one.share.confirmed,
        "resolved": one.resolved,
        "dismissed": one.dismissed,
        "precision": None if isnan(one.share.value) else one.share.value,
        "precision_low": low,
        "precision_high": high,
        "false_alarm_rate": false_alarm_rate,
        "recommended_rate": None if best is None else best.false_alarm_rate,
        "recommended_precision": None if best is None else best.share.value,
        "recommended_flagged": None if best is None else best.flagged,
        "further_inspections": one.further_inspections,
    }
