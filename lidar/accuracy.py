"""How good a classification is, measured against the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadParameter


@dataclass(frozen=True, slots=True)
class GroundErrors:
    """Errors of a ground filter, as fractions (Sithole & Vosselman 2004, ISPRS J. 59, section 4.2).

    With a = ground kept, b = ground rejected, c = objects accepted, d = objects rejected, n = a + b + c + d.
    """

    total: float
    """(b + c) / n."""
    type_i: float
    """b / (a + b): ground that was taken for an object; NaN when there is no ground."""
    type_ii: float
    """c / (c + d): objects that were taken for ground; NaN when there are no objects."""
    kappa: float
    """Cohen's (1960) agreement beyond chance, (p_o − p_e) / (1 − p_e); NaN when chance alone explains all."""


def ground_errors(predicted_ground: NDArray[np.bool_], true_ground: NDArray[np.bool_]) -> GroundErrors:
    """Compare two ground masks of the same points.

    Raises:
        BadParameter: the masks differ in shape or hold no point.
    """
    predicted, true = np.asarray(predicted_ground, dtype=bool), np.asarray(true_ground, dtype=bool)
    if predicted.shape != true.shape:
        raise BadParameter("predicted_ground", predicted.shape, f"the true mask has the shape {true.shape}")
    n = int(true.size)
    if n == 0:
        raise BadParameter("true_ground", 0, "errors need at least one point")
    a = int(np.count_nonzero(predicted & true))
    b = int(np.count_nonzero(~predicted & true))
    c = int(np.count_nonzero(predicted & ~true))
    d = n - a - b - c
    nan = float("nan")
    observed = (a + d) / n
    by_chance = ((a + b) * (a + c) + (c + d) * (b + d)) / n**2
    return GroundErrors(
        total=(b + c) / n,
        type_i=b / (a + b) if a + b else nan,
        type_ii=c / (c + d) if c + d else nan,
        kappa=(observed - by_chance) / (1 - by_chance) if by_chance < 1 else nan,
    )


def confidence_table(
    percent: NDArray[np.uint8], right: NDArray[np.bool_], edges: NDArray[np.int64]
) -> list[tuple[int, float]]:
    """How far confidences can be trusted: points between two edges, and the share of them that is right.

    Args:
        percent: (n,) confidences.
        right: (n,) whether what was said is true.
        edges: (m + 1,) rising bounds of m intervals, the last one's upper bound included.

    Returns:
        m pairs; the share is NaN where there is no point.
    """
    bins = np.clip(np.searchsorted(edges, percent, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(bins, minlength=len(edges) - 1)
    hits = np.bincount(bins, weights=right, minlength=len(edges) - 1)
    return [(int(n), float(hit / n) if n else float("nan")) for n, hit in zip(counts, hits, strict=True)]
