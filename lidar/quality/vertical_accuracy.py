"""Vertical accuracy against check points, in the manner of ASPRS.

ASPRS Positional Accuracy Standards for Digital Geospatial Data, Edition 2 (2023; version 2, 2024): the accuracy is an
RMSE_V that holds the check points' own error, RMSE_V = √(RMSE_V1² + RMSE_V2²), over non-vegetated (NVA) and vegetated
places (VVA, without pass or fail); at least 30 check points, at most 120. Edition 1 (2014) said it at 95 % confidence:
1.96 · RMSE of the non-vegetated places, the 95th percentile of the vegetated ones; at least 20 check points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gis.errors import BadInput
from lidar.quality.checkpoints import CheckPoints
from lidar.quality.ground_height import Height
from lidar.quality.standards import Group, check_points_required, land_cover_groups, plain_word, vertical_classes

CONFIDENCE_95: Final = 1.9600
"""Normal quantile of 95 %, Edition 1, appendix D."""
OUTLIER: Final = 3.0
"""RMSE; a greater error is to be looked into as a blunder, of the survey or of the check point (Edition 2, 7.2)."""
BIAS: Final = 0.25
"""Of the RMSE; a greater mean error is a systematic one whose cause is to be found (Edition 2, 7.2)."""
CHECK_POINT_SHARE: Final = 0.5
"""Check points must be at least twice as accurate as what they check (Edition 2, 7.9; Edition 1: three times)."""
NMAD: Final = 1.4826
"""σ of a normal distribution over its median absolute deviation."""
CLASS_OF_VVA: Final = 3.0
"""Edition 1, table 7.2: the 95th percentile of the vegetated errors is at most three times the class' RMSE."""


@dataclass(frozen=True, slots=True)
class ErrorStatistics:
    """Survey minus check point over n check points, metres; NaN where n is too small for a figure."""

    count: int
    rmse: float
    """√(mean of the squares): RMSE_V1, the fit to the check points."""
    rmse_interval: tuple[float, float]
    """95 % confidence interval of it for normal errors, χ² with n degrees of freedom."""
    mean: float
    median: float
    std: float
    """About the mean, n − 1."""
    nmad: float
    """Robust spread about the median, 1.4826 · MAD (Höhle & Höhle 2009)."""
    skewness: float
    """Adjusted Fisher–Pearson coefficient, as spreadsheets have it."""
    kurtosis: float
    """In excess of the normal distribution's, adjusted likewise."""
    low: float
    high: float
    percentile_95: float
    """Of the absolute errors, interpolated between ranks."""
    check_point_rmse: float | None
    """RMSE_V2: of the check points themselves, where every one of them states its σ."""
    accuracy: float
    """RMSE_V of Edition 2: `rmse` and `check_point_rmse` together; `rmse` alone where the latter is unknown."""
    at_95: float
    """Edition 1: 1.96 · RMSE, of use where errors are normal."""

    @property
    def is_biased(self) -> bool:
        """Whether the mean is more than a quarter of the RMSE, and more than chance makes it (95 %)."""
        return abs(self.mean) > max(BIAS * self.rmse, CONFIDENCE_95 * self.std / sqrt(self.count))


@dataclass(frozen=True, slots=True)
class Residual:
    """What became of one check point."""

    id: str
    x: float
    y: float
    """In the survey's CRS, metres."""
    height: float
    """The check point's, metres."""
    surface: float | None
    """The survey's, metres; None where it cannot be assessed."""
    error: float | None
    """Survey minus check point, metres."""
    land_cover: str
    group: Group
    sigma: float | None
    is_outlier: bool
    why_not: str
    """Why it cannot be assessed; empty otherwise."""


@dataclass(frozen=True, slots=True)
class AccuracyReport:
    """Vertical accuracy of a survey; every length is in metres."""

    nva: ErrorStatistics | None
    vva: ErrorStatistics | None
    combined: ErrorStatistics | None
    by_land_cover: Mapping[str, ErrorStatistics]
    without_outliers: Mapping[Group, ErrorStatistics]
    """For comparison only: an outlier is left out of no other figure."""
    residuals: tuple[Residual, ...]
    """Of all check points, in their order."""
    required: int
    """Check points Edition 2 asks for over the survey's area, of each group."""
    vertical_class: float | None
    """RMSE of the best common ASPRS class the non-vegetated accuracy meets; None where it meets none."""
    target: float | None
    """RMSE asked for."""
    meets_target: bool | None
    notes: tuple[str, ...]
    """What limits the figures, each in a line."""

    @property
    def not_assessable(self) -> tuple[Residual, ...]:
        """The check points without a surface at them."""
        return tuple(residual for residual in self.residuals if residual.error is None)

    @property
    def outliers(self) -> tuple[Residual, ...]:
        """The check points whose error exceeds three RMSE of their group."""
        return tuple(residual for residual in self.residuals if residual.is_outlier)


def statistics(errors: NDArray[np.float64], sigma: NDArray[np.float64] | None = None) -> ErrorStatistics | None:
    """Figures of some errors; None where there is none. `sigma`: the check points' 1σ, NaN where unknown."""
    n = len(errors)
    if n == 0:
        return None
    nan = float("nan")
    rmse = float(np.sqrt(np.mean(errors**2)))
    median = float(np.median(errors))
    spread = float(np.ptp(errors)) > 0
    stated = sigma is not None and bool(np.isfinite(sigma).all())
    own = float(np.sqrt(np.mean(sigma**2))) if stated and sigma is not None else None
    tails = np.sqrt(n / stats.chi2.ppf([0.975, 0.025], n))
    return ErrorStatistics(
        count=n,
        rmse=rmse,
        rmse_interval=(rmse * float(tails[0]), rmse * float(tails[1])),
        mean=float(errors.mean()),
        median=median,
        std=float(errors.std(ddof=1)) if n > 1 else nan,
        nmad=NMAD * float(np.median(np.abs(errors - median))),
        skewness=float(stats.skew(errors, bias=False)) if n > 2 and spread else nan,
        kurtosis=float(stats.kurtosis(errors, bias=False)) if n > 3 and spread else nan,
        low=float(errors.min()),
        high=float(errors.max()),
        percentile_95=float(np.percentile(np.abs(errors), 95)),
        check_point_rmse=own,
        accuracy=sqrt(rmse**2 + (own or 0.0) ** 2),
        at_95=CONFIDENCE_95 * rmse,
    )


def groups_of(land_cover: Sequence[str], extra: Mapping[str, Group] | None = None) -> tuple[Group, ...]:
    """NVA or VVA for each word of a land cover; an empty one counts as non-vegetated.

    Raises:
        BadInput: a word is in no table.
    """
    known: dict[str, Group] = {"": "NVA", **land_cover_groups()}
    known |= {plain_word(word): group for word, group in (extra or {}).items()}
    unknown = sorted({word for word in land_cover if plain_word(word) not in known})
    if unknown:
        raise BadInput(
            f"land cover {', '.join(map(repr, unknown[:5]))}: is it vegetated? Say --nva WORD or --vva WORD, or add it "
            "to data/accuracy/land_cover.csv"
        )
    return tuple(known[plain_word(word)] for word in land_cover)


def assess(
    points: CheckPoints,
    surface: Sequence[Height],
    area: float,
    *,
    target: float | None = None,
    extra: Mapping[str, Group] | None = None,
    sigma: float | None = None,
    notes: Sequence[str] = (),
) -> AccuracyReport:
    """Hold a survey's heights against check points.

    Args:
        points: (n,) in the survey's CRS.
        surface: (n,) the survey's height at each, as `lidar.quality.ground_height` gives it.
        area: of the survey, square metres: it decides how many check points are asked for.
        target: RMSE asked for, metres.
        extra: words of land cover beyond the table's.
        sigma: 1σ of the check points that state none, metres.
        notes: to go with the report.

    Raises:
        BadInput: no check point can be assessed, or a land cover is unknown.
    """
    groups = np.array(groups_of(points.land_cover, extra), dtype=object)
    heights = np.array([height for height, _ in surface], dtype=np.float64)
    errors = heights - points.z
    own = np.where(np.isfinite(points.sigma), points.sigma, np.nan if sigma is None else sigma)
    known = np.isfinite(errors)
    if not known.any():
        reasons = sorted({why for _, why in surface})
        raise BadInput(f"{points.source}: none of its {len(points)} points can be assessed: {', '.join(reasons)}")

    def over(mask: NDArray[np.bool_]) -> ErrorStatistics | None:
        return statistics(errors[mask & known], own[mask & known])

    nva, vva, combined = over(groups == "NVA"), over(groups == "VVA"), over(known)
    rmse = {"NVA": nva.rmse if nva else np.nan, "VVA": vva.rmse if vva else np.nan}
    outlier = known & (np.abs(errors) > OUTLIER * np.array([rmse[group] for group in groups]))
    named = np.array([word or "not said" for word in points.land_cover], dtype=object)
    covers = {word: over(named == word) for word in sorted(set(named.tolist()))}
    clean: dict[Group, ErrorStatistics | None] = {
        "NVA": over((groups == "NVA") & ~outlier),
        "VVA": over((groups == "VVA") & ~outlier),
    }
    required = check_points_required(area)
    return AccuracyReport(
        nva=nva,
        vva=vva,
        combined=combined,
        by_land_cover={word: found for word, found in covers.items() if found is not None},
        without_outliers={group: found for group, found in clean.items() if found is not None},
        residuals=tuple(
            Residual(
                id=points.ids[i],
                x=float(points.x[i]),
                y=float(points.y[i]),
                height=float(points.z[i]),
                surface=float(heights[i]) if known[i] else None,
                error=float(errors[i]) if known[i] else None,
                land_cover=points.land_cover[i],
                group=groups[i],
                sigma=float(own[i]) if np.isfinite(own[i]) else None,
                is_outlier=bool(outlier[i]),
                why_not=surface[i][1],
            )
            for i in range(len(points))
        ),
        required=required,
        vertical_class=None if nva is None else next((c for c in vertical_classes() if nva.accuracy <= c), None),
        target=target,
        meets_target=None if target is None or nva is None else nva.accuracy <= target,
        notes=(*notes, *_limits(nva, vva, required, target), *points.problems),
    )


def _limits(nva: ErrorStatistics | None, vva: ErrorStatistics | None, required: int, target: float | None) -> list[str]:
    """What a reader must know before trusting the figures."""
    found = []
    for name, group in (("NVA", nva), ("VVA", vva)):
        if group is None:
            found.append(f"{name}: no check point; nothing is known about it")
            continue
        if group.count < required:
            found.append(
                f"{name}: {group.count} check points, {required} are asked for (Edition 2); its RMSE may truly be "
                f"{group.rmse_interval[0]:.3f} to {group.rmse_interval[1]:.3f} m (95 %)"
            )
        if group.is_biased:
            found.append(
                f"{name}: a mean error of {group.mean:+.3f} m is more than {BIAS:.0%} of the RMSE: find its cause "
                "(vertical datum, geoid model, calibration) before use"
            )
        if group.check_point_rmse is None:
            found.append(f"{name}: the check points do not all state their σ; RMSE_V leaves their error out")
        elif group.check_point_rmse > CHECK_POINT_SHARE * (target or group.rmse):
            found.append(
                f"{name}: the check points' own {group.check_point_rmse:.3f} m are more than half of "
                f"{target or group.rmse:.3f} m; they are not accurate enough to check it"
            )
    return found
