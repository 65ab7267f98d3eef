"""Planes found among points, held against planes labelled by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OVERLAP = 0.5
"""Share of points in common from which two planes match."""


@dataclass(frozen=True)
class Tally:
    """Planes of many roofs, counted."""

    known: int
    found: int
    pairs: int
    """Of a known and a found plane, each in one pair at most: intersection over union of their points 0.5 or more."""
    covered: int
    """Known planes with half of their points or more in one found plane."""
    within: int
    """Found planes with half of their points or more in one known plane."""

    @property
    def recall(self) -> float:
        """Share of the known planes that are in a pair."""
        return self.pairs / max(self.known, 1)

    @property
    def precision(self) -> float:
        """Share of the found planes that are in a pair."""
        return self.pairs / max(self.found, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.pairs / max(self.known + self.found, 1)

    @property
    def quality(self) -> tuple[float, float, float]:
        """Completeness, correctness, and the quality they make (Rutzinger et al. 2009)."""
        complete, correct = self.covered / max(self.known, 1), self.within / max(self.found, 1)
        both = complete + correct - complete * correct
        return complete, correct, complete * correct / both if both else 0.0


def tally(roofs: Sequence[tuple[NDArray[np.int64], NDArray[np.int64], float]], least: float) -> Tally:
    """Count over roofs the planes of at least so many m².

    Args:
        roofs: of each, the known plane of every point, the found one (-1 for none), and the points per m².
        least: m² in plan, of a plane's points.
    """
    sums = np.zeros(5, dtype=np.int64)
    for known, found, density in roofs:
        common = np.zeros((known.max() + 1, found.max() + 2))
        np.add.at(common, (known, found), 1)  # points without a plane are the last column
        size, own = common.sum(axis=1), common.sum(axis=0)[:-1]
        common = common[:, :-1]
        iou = common / np.maximum(size[:, None] + own[None] - common, 1)
        big, large = size >= least * density, own >= least * density
        sums += (
            big.sum(),
            large.sum(),
            (iou[big][:, large] >= OVERLAP).sum(),
            (common.max(axis=1, initial=0) >= OVERLAP * size)[big].sum(),
            (common.max(axis=0, initial=0) >= OVERLAP * own)[large].sum(),
        )
    return Tally(*(int(number) for number in sums))
