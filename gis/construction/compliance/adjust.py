"""Walls from map and points brought to one scale: what all of a survey's offsets have in common is no difference.

A map errs to either side; roofs measured by a beam of some width, by points that end somewhere before the edge, or with
eaves, all lie farther out or in by about the same. The median offset is taken off. If what remains scatters more than
both σ say, both are enlarged: the variance of unit weight after the adjustment (Mikhail and Ackermann 1976,
Observations and Least Squares).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gis.construction.compliance.values import Observation

FEWEST = 50
"""Measured walls from which their median and scatter tell something of all: σ to a tenth or so."""
NORMAL = 1.4826
"""Standard deviation of a normal over its median absolute deviation."""


def adjusted(observations: Sequence[Observation]) -> list[Observation]:
    """The observations with offsets and σ of walls as all of them together say; of a few, the map's alone.

    What a few walls have in common cannot be told, so that they would be believed too much.
    """
    measured = [one for one in observations if one.wall_offsets is not None]
    if not measured:
        return list(observations)
    table = np.concatenate([one.wall_offsets for one in measured if one.wall_offsets is not None])
    sigma = np.concatenate([
        np.full(len(one.wall_offsets), one.sigma_outline) for one in measured if one.wall_offsets is not None
    ])  # fmt: skip
    told = np.isfinite(table[:, 0])
    if np.count_nonzero(told) < FEWEST:
        return [replace(one, wall_offsets=None) for one in observations]
    common = float(np.median(table[told, 0]))
    away = (table[told, 0] - common) / np.hypot(table[told, 1], sigma[told])
    scale = max(1.0, NORMAL * float(np.median(np.abs(away))))
    return [
        one
        if one.wall_offsets is None
        else replace(
            one,
            wall_offsets=(one.wall_offsets - (common, 0.0)) * (1.0, scale),
            sigma_outline=one.sigma_outline * scale,
        )
        for one in observations
    ]
