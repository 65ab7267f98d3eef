"""What a survey can resolve, told before anything is compared: the least difference it finds as surely as wanted.

The decision limit is tolerance + k·σ. A true difference of tolerance + (k + z)·σ exceeds it with the probability to
which z belongs: the minimum detectable value of Currie (1968, Analytical Chemistry 40, 586) and ISO 11843-1, in
surveying the minimal detectable bias of Baarda (1968). The σ are those expected from the survey's density and accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, pi, sqrt
from statistics import NormalDist

from gis.construction.compliance.values import ComplianceParameters

POWER = 0.95
"""Probability with which what is called resolvable is to be found."""
MAP_SIGMA = 0.15
"""m, of a wall on a base map of 1:500."""
PLACED = 0.10
"""m in plan that a survey's points have in common (ASPRS 2015: 0.10 m and more for airborne lasers from 500 m up)."""
GAP_LAW = 0.2
"""Of the spacing: how far off half a spacing beyond the last point may be for all rows together."""
LEVEL_SIGMA, COMMON_SIGMA = 0.12, 0.05
"""m, of the ground beside a building with its low percentile (`values.LOW_GROUND`), and of one survey's heights."""
CELL = 0.25
"""m², of a cell of roof heights."""
RISE = 2.0
"""m over which the heights of a tube house's roof are spread: its pitch, or what stands on it."""


def detectable(tolerance: float, sigma: float, k: float, power: float = POWER) -> float:
    """The least true difference that is flagged with the probability `power`."""
    return tolerance + (k + NormalDist().inv_cdf(power)) * sigma


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a survey before it is compared."""

    density: float
    """Points per m²."""
    map_sigma: float = MAP_SIGMA
    """m, of the walls of given outlines."""

    def wall_sigma(self, length: float, *, known: bool, measured: bool = True) -> float:
        """Expected m of a free wall's σ: from points, and with a map's wall, where there is one, from both."""
        spacing = self.density**-0.5
        rows = max(length / spacing, 1.0)
        points = sqrt(pi / 2.0 * spacing**2 / 12.0 / rows + (GAP_LAW * spacing) ** 2 + PLACED**2)
        if not known:
            return points
        return self.map_sigma * points / hypot(self.map_sigma, points) if measured else self.map_sigma

    def height_sigma(self, area: float, perimeter: float) -> float:
        """Expected m of a height's σ."""
        cells = max(min(area / CELL, self.density * area), 1.0)
        spread = hypot(sqrt(0.21 / cells), perimeter * self.map_sigma / area)
        return sqrt((RISE * spread) ** 2 + LEVEL_SIGMA**2 + COMMON_SIGMA**2)

    def wall_detectable(
        self,
        tolerance: float,
        length: float,
        parameters: ComplianceParameters,
        *,
        known: bool,
        measured: bool,
        walls: int,
    ) -> float:
        """The least m by which a wall of some length must be beyond a line to be found."""
        allowed = tolerance if known else tolerance + parameters.overhang
        sigma = self.wall_sigma(length, known=known, measured=measured)
        return detectable(allowed, sigma, parameters.k_of(walls))

    def height_detectable(self, area: float, perimeter: float, parameters: ComplianceParameters) -> float:
        """The least m by which a building must be too high to be found."""
        return detectable(parameters.height_tolerance, self.height_sigma(area, perimeter), parameters.k)
