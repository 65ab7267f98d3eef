"""An even surface out of a measured one: about each cell a plane, near heights and sure ones counting most.

A plane and not a mean, so that a slope stays where it is also beside a void or where certainty changes (local linear
regression; Fan & Gijbels 1996, Local Polynomial Modelling, section 3.2).
"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from gis.raster import Raster

KERNEL = 3.0
"""Standard deviations after which the Gaussian is cut."""
LEAST_SIGMA = 0.01
"""m: no height counts as surer than this, or single cells would outweigh all others."""
MOST_SIGMA = 2.0
"""Standard deviations of its own that a height may be moved."""
THIN = 1e-4
"""Of the spread of an unbroken neighbourhood, squared: below it the known cells lie on a line, and bear no plane."""


def smoothed(raster: Raster, deviation: float, most: float) -> NDArray[np.float32]:
    """(rows, columns) the raster's heights, evened by a Gaussian; NaN where they are NaN.

    Where the raster has a band `sigma`, a height weighs by its certainty, 1/σ², and is not moved by more than 2 σ: what
    differs from its surroundings by more is a kerb, a bank or a shore, no noise.

    Args:
        raster: heights, metres.
        deviation: metres, the Gaussian's standard deviation.
        most: metres that no height is moved beyond.
    """
    heights = np.ascontiguousarray(raster.values, dtype=np.float32)
    sigma = raster.bands.get("sigma")
    limit = np.float32(most) if sigma is None else np.minimum(MOST_SIGMA * sigma, np.float32(most))
    sigma = np.full_like(heights, LEAST_SIGMA) if sigma is None else sigma
    cells = deviation / raster.grid.resolution
    distance = np.arange(-ceil(KERNEL * cells), ceil(KERNEL * cells) + 1, dtype=np.float64)
    kernel = np.exp(-0.5 * np.square(distance / cells))
    out = np.empty_like(heights)
    _planes(heights, np.ascontiguousarray(sigma, dtype=np.float32), kernel, cells * cells, out)
    shift = out - heights
    return np.where(np.abs(shift) > limit, heights + np.copysign(limit, shift), out)


@njit(nogil=True, cache=True, parallel=True)
def _planes(z: Any, sigma: Any, kernel: Any, variance: float, out: Any) -> None:
    """The plane's height at each cell: moments of the weights down the columns first, then along the row."""
    rows, columns = z.shape
    half = len(kernel) // 2
    for row in prange(rows):
        # Over the rows: Σw, Σwv, Σwv², Σwz, Σwvz of each column, v towards the south.
        down = np.zeros((columns, 5))
        for r in range(max(row - half, 0), min(row + half + 1, rows)):
            v = float(r - row)
            for c in range(columns):
                if np.isnan(z[r, c]) or np.isnan(sigma[r, c]):
                    continue
                spread = LEAST_SIGMA / max(sigma[r, c], LEAST_SIGMA)
                w = kernel[r - row + half] * spread * spread
                down[c, 0] += w
                down[c, 1] += w * v
                down[c, 2] += w * v * v
                down[c, 3] += w * z[r, c]
                down[c, 4] += w * v * z[r, c]
        for column in range(columns):
            out[row, column] = z[row, column]
            if np.isnan(z[row, column]):
                continue
            s = su = sv = suu = suv = svv = sz = suz = svz = 0.0
            for c in range(max(column - half, 0), min(column + half + 1, columns)):
                u, g = float(c - column), kernel[c - column + half]
                s += g * down[c, 0]
                su += g * u * down[c, 0]
                suu += g * u * u * down[c, 0]
                sv += g * down[c, 1]
                suv += g * u * down[c, 1]
                svv += g * down[c, 2]
                sz += g * down[c, 3]
                suz += g * u * down[c, 3]
                svz += g * down[c, 4]
            if s <= 0.0:
                continue
            mu, mv, mz = su / s, sv / s, sz / s
            cuu, cuv, cvv = suu / s - mu * mu, suv / s - mu * mv, svv / s - mv * mv
            cuz, cvz = suz / s - mu * mz, svz / s - mv * mz
            determinant = cuu * cvv - cuv * cuv
            out[row, column] = mz
            if determinant > THIN * variance * variance:
                slope_u, slope_v = (cvv * cuz - cuv * cvz) / determinant, (cuu * cvz - cuv * cuz) / determinant
                out[row, column] = mz - slope_u * mu - slope_v * mv
