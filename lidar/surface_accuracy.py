"""How far a height raster is from the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadParameter
from gis.raster import Raster

MAD_TO_SIGMA = 1.4826
"""Of a normal distribution: σ over the median absolute deviation."""


@dataclass(frozen=True, slots=True)
class SurfaceErrors:
    """Raster minus truth over the cells where both have a height, metres; NaN where there is no such cell."""

    rmse: float
    mean: float
    median: float
    nmad: float
    """Robust spread about the median: 1.4826 · MAD (Höhle & Höhle 2009)."""
    p95: float
    """95 % of the absolute errors are below it."""
    count: int


def surface_rmse(raster: Raster, truth: Raster, mask: NDArray[np.bool_] | None = None) -> SurfaceErrors:
    """Errors of a raster's heights against the truth on the same grid, in the cells of the mask if one is given.

    Raises:
        BadParameter: grids or mask do not match.
    """
    a, b = raster.grid, truth.grid
    if (a.resolution, a.first_column, a.first_row, a.shape) != (b.resolution, b.first_column, b.first_row, b.shape):
        raise BadParameter("truth", b.bounds.tuple, f"lies on another grid than the raster, {a.bounds.tuple}")
    error = raster.values.astype(np.float64) - truth.values
    counted = np.isfinite(error)
    if mask is not None:
        if mask.shape != a.shape:
            raise BadParameter("mask", mask.shape, f"the grid has the shape {a.shape}")
        counted &= mask
    error = error[counted]
    if error.size == 0:
        nan = float("nan")
        return SurfaceErrors(nan, nan, nan, nan, nan, 0)
    median = float(np.median(error))
    return SurfaceErrors(
        rmse=float(np.sqrt(np.mean(error**2))),
        mean=float(np.mean(error)),
        median=median,
        nmad=float(MAD_TO_SIGMA * np.median(np.abs(error - median))),
        p95=float(np.quantile(np.abs(error), 0.95)),
        count=int(error.size),
    )
