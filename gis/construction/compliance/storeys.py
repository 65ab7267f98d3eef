"""How many storeys a height holds: a probability for each number, never one number.

The height of n storeys is n times the storey's height and what the ground floor has more. Both vary from house to
house: 3.4 ± 0.4 m between floors, so that 2.6 to 4.2 m are within 2 σ, and 0.3 ± 0.3 m. The annex of Decision 56/2021
of Ho Chi Minh City has such heights: 11.6 m for three floors, 17.0 for five, 21.6 for six, 25.0 for seven. Where a
permit states height and floors, its own storeys, not those added, are known better: ± 0.2 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STOREY, STOREY_SIGMA, PERMITTED_SIGMA = 3.4, 0.4, 0.2
"""m from floor to floor; the last where a permit tells it."""
GROUND_FLOOR, GROUND_FLOOR_SIGMA = 0.3, 0.3
"""m that the ground floor and the plinth have more."""
LOWEST = 2.4
"""m: a permit whose storeys are lower states something else."""
MOST = 120
"""Storeys looked at."""


@dataclass(frozen=True, slots=True)
class Storeys:
    """Probability of each number of storeys."""

    probability: NDArray[np.float64]
    """(MOST,), of 1, 2, …"""

    @property
    def mean(self) -> float:
        """Expected number."""
        return float(self.probability @ np.arange(1, MOST + 1))

    @property
    def sigma(self) -> float:
        """Standard deviation."""
        number = np.arange(1, MOST + 1)
        return float(np.sqrt(self.probability @ (number - self.mean) ** 2))

    @property
    def likeliest(self) -> int:
        """The most probable number."""
        return int(np.argmax(self.probability)) + 1

    def more_than(self, number: float) -> float:
        """Probability that there are more."""
        return float(self.probability[max(int(number), 0) :].sum())


def permitted_storey(height: float, floors: int) -> tuple[float, float]:
    """Mean and σ of a storey's height, metres, as a permit's height and floors tell it; as usual where they do not."""
    if not floors or np.isnan(height) or (mean := (height - GROUND_FLOOR) / floors) < LOWEST:
        return STOREY, STOREY_SIGMA
    return mean, PERMITTED_SIGMA


def storeys_of(height: float, sigma: float, permitted: tuple[float, int] | None = None) -> Storeys:
    """The storeys under a main roof `height` ± `sigma` metres above the ground; all numbers are as likely before.

    Args:
        height: m.
        sigma: m.
        permitted: metres and floors of the building's permit. Its storeys are as high as it tells; what was put on top
            of them has storeys as usual, however high the permitted ones are.
    """
    number = np.arange(1, MOST + 1)
    floors = permitted[1] if permitted is not None else 0
    mean, spread = permitted_storey(*permitted) if permitted is not None else (STOREY, STOREY_SIGMA)
    below, above = np.minimum(number, floors), np.maximum(number - floors, 0)
    expected = below * mean + above * STOREY + GROUND_FLOOR
    variance = sigma**2 + (below * spread) ** 2 + (above * STOREY_SIGMA) ** 2 + GROUND_FLOOR_SIGMA**2
    away: NDArray[np.float64] = (height - expected) ** 2 / variance
    weight = np.exp(-(away - np.min(away)) / 2.0) / np.sqrt(variance)
    return Storeys(weight / weight.sum())
