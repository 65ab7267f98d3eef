"""The error of sums over an area, when the errors of neighbouring cells go together.

Rolstad, Haug and Denby (2009), "Spatially integrated geodetic glacier mass balance and its uncertainty based on
geostatistical analysis", J. Glaciology 55, equations 8 to 12; that a sum's error must be taken like this, and not as if
cells were independent, nor as if all were wrong alike: Anderson (2019), "Uncertainty in quantitative analyses of
topographic change: error propagation and the role of thresholding", Earth Surface Processes and Landforms 44.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, pi, sqrt

import numpy as np
from numpy.typing import NDArray

LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Cells between the pairs whose errors are compared, along rows and along columns."""
PAIRS_LEAST = 500
"""Fewer pairs say nothing of a distance."""
RANGES = tuple(float(x) for x in np.geomspace(1.0, 128.0, 57))
"""Ranges that are tried, in cells."""


def mean_variance(area: float, correlation_range: float) -> float:
    """Variance of a mean over a disc of an area (m²), of errors of variance 1 and a spherical model of a range (m).

    1 for an area that is a point; 1/5 · range² / radius² where it is wider than the range.
    """
    radius = sqrt(area / pi)
    ratio = radius / correlation_range
    return 1.0 - ratio + ratio**3 / 5.0 if ratio < 1 else 1.0 / (5.0 * ratio**2)


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """How errors of a difference of two surfaces are spread, in units of the σ that was told for each cell."""

    single: float
    """1σ of what each cell has for itself."""
    shared: float
    """1σ of what goes together over the range."""
    range: float
    """m"""

    @property
    def total(self) -> float:
        """1σ of one cell: 1 where the σ that was told is right."""
        return hypot(self.single, self.shared)

    def sigma_of_sum(self, sigmas: NDArray[np.floating], cell_area: float, common: float) -> float:
        """1σ (m³) of a volume over cells.

        Args:
            sigmas: (n,) 1σ told of each cell's height difference, m.
            cell_area: m².
            common: 1σ of what is common to all cells, m.
        """
        if sigmas.size == 0:
            return 0.0
        area = sigmas.size * cell_area
        mean_square = float(np.mean(sigmas.astype(np.float64) ** 2))
        single = mean_square * self.single**2 / sigmas.size
        shared = mean_square * self.shared**2 * mean_variance(area, self.range)
        return area * sqrt(single + shared + common**2)


def fit_errors(residuals: NDArray[np.float32], resolution: float) -> ErrorModel:
    """The model that fits errors seen where nothing changed.

    Args:
        residuals: (rows, columns) errors over their told σ; NaN where something changed or nothing is known.
        resolution: m of a cell.
    """
    known = np.isfinite(residuals)
    if np.count_nonzero(known) < PAIRS_LEAST:
        return ErrorModel(0.0, 1.0, LAGS[2] * resolution)
    filled = np.where(known, residuals, 0).astype(np.float64)
    variance = float((filled**2).sum() / known.sum())
    lags, covariances, weights = [], [], []
    for lag in LAGS:
        total, pairs = 0.0, 0
        for a, b, seen_a, seen_b in (
            (filled[:, lag:], filled[:, :-lag], known[:, lag:], known[:, :-lag]),
            (filled[lag:], filled[:-lag], known[lag:], known[:-lag]),
        ):
            total += float((a * b).sum())
            pairs += int(np.count_nonzero(seen_a & seen_b))
        if pairs >= PAIRS_LEAST:
            lags.append(lag)
            covariances.append(total / pairs)
            weights.append(sqrt(pairs))
    if not lags:
        return ErrorModel(0.0, sqrt(variance), LAGS[2] * resolution)
    shared, cells = _spherical(np.array(lags, dtype=np.float64), np.array(covariances), np.array(weights), variance)
    return ErrorModel(sqrt(max(variance - shared, 0.0)), sqrt(shared), cells * resolution)


def _spherical(
    lags: NDArray[np.float64], covariances: NDArray[np.float64], weights: NDArray[np.float64], variance: float
) -> tuple[float, float]:
    """Sill (at most the variance) and range (cells) of the spherical covariance nearest to what was seen."""
    best = (np.inf, 0.0, RANGES[0])
    for reach in RANGES:
        ratio = np.minimum(lags / reach, 1.0)
        model = 1.0 - 1.5 * ratio + 0.5 * ratio**3
        norm = float((weights * model**2).sum())
        sill = min(max(float((weights * model * covariances).sum()) / norm, 0.0), variance) if norm > 0 else 0.0
        misfit = float((weights * (covariances - sill * model) ** 2).sum())
        if misfit < best[0] - 1e-15:
            best = (misfit, sill, reach)
    return best[1], best[2]
