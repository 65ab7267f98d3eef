"""Earth moved between two surveys: cut, fill and net volume, each with a standard deviation that can be believed.

A cell counts as changed where the ground differs by more than the least level of detection, k · σ of the difference
(Lane, Westaway and Hicks 2003, "Estimation of erosion and deposition volumes in a large, gravel-bed, braided river
using synoptic remote sensing", Earth Surface Processes and Landforms 28), in patches that chance does not make. What is
summed up is the whole difference, not what exceeds the level. The net volume is told without any level too: a level of
detection biases a sum of small changes, and σ of the sum says how sure it is (Anderson 2019, ESPL 44). How errors of
neighbouring cells go together is seen on the ground that did not change (`lidar.correlated_error`).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from scipy.ndimage import label
from shapely.geometry.base import BaseGeometry

from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.change.registration import Registration, offset, overlapping
from lidar.correlated_error import ErrorModel, fit_errors
from lidar.surface_accuracy import MAD_TO_SIGMA

PATCH_LEAST = 4.0
"""m²: smaller patches beyond the level of detection are chance, bushes and cars."""
SIGMA_UNSAID = 0.1
"""m, 1σ of a terrain without σ band: what planes through the points of an urban survey leave."""
CELLS_LEAST = 100


@dataclass(frozen=True, slots=True)
class Volume:
    """m³ ± σ."""

    volume: float
    sigma: float
    area: float
    """m² it was summed up over."""

    @property
    def figures(self) -> dict[str, float]:
        """For a document."""
        return {"m3": round(self.volume, 2), "sigma": round(self.sigma, 2), "area_m2": round(self.area, 2)}


@dataclass(frozen=True, slots=True)
class EarthMoved:
    """Volumes between two surveys, the later minus the earlier."""

    cut: Volume
    """Taken away, beyond the level of detection; positive."""
    fill: Volume
    """Brought in, beyond the level of detection."""
    net: Volume
    """Fill minus cut, beyond the level of detection."""
    net_of_all: Volume
    """Of all known cells, without level of detection: with a long reach of errors its σ is wide, but it is unbiased."""
    level_of_detection: float
    """m: the median over the cells."""
    known: float
    """Share of the area asked for that both surveys know."""
    up: float
    """m by which the later survey lay higher where nothing changed; taken out."""
    sigma_up: float
    errors: ErrorModel
    difference: Raster
    """m, later minus earlier, the offset taken out; bands `sigma` (of a cell) and `detected` (1 beyond the level)."""

    @property
    def figures(self) -> dict[str, Any]:
        """For a document: all but the raster."""
        volumes = {name: getattr(self, name).figures for name in ("cut", "fill", "net", "net_of_all")}
        return {
            **volumes,
            "level_of_detection_m": round(self.level_of_detection, 3),
            "known": round(self.known, 4),
            "offset_m": round(self.up, 4),
            "sigma_offset_m": round(self.sigma_up, 4),
            "errors": {
                "single": round(self.errors.single, 3),
                "shared": round(self.errors.shared, 3),
                "range_m": round(self.errors.range, 2),
            },
        }


def earth_moved(
    earlier: Raster,
    later: Raster,
    area: BaseGeometry | None = None,
    *,
    registration: Registration | None = None,
    false_alarm_rate: float = 0.01,
    patch_least: float = PATCH_LEAST,
) -> EarthMoved:
    """Compare two terrains.

    Args:
        earlier: heights of the ground, m, with the band `sigma`.
        later: the same later on; of the same cells, maybe over another area.
        area: polygon in their CRS that volumes are summed up over; all they have in common without it. Errors and
            offset are always seen on all.
        registration: how the surveys lie beside each other; without it the offset in height is seen here, on the
            ground that most cells keep.
        false_alarm_rate: accepted share of unchanged cells that are taken for changed, both ways together, before
            patches that are too small are left out.
        patch_least: m².

    Raises:
        BadParameter: grids or CRS differ, they do not overlap or are the same, the area lies outside, or a number makes
            no sense.
    """
    if not 0 < false_alarm_rate < 1:
        raise BadParameter("false_alarm_rate", false_alarm_rate, "must lie between 0 and 1")
    if not patch_least >= 0:
        raise BadParameter("patch_least", patch_least, "must not be negative")
    earlier, later = overlapping(earlier, later)
    if registration is None:
        up, sigma_up = offset(earlier, later)
        registration = Registration(up=up, sigma_up=sigma_up)
    later = registration.put_back(later)
    difference = later.values - earlier.values
    told = np.hypot(_sigma(earlier), _sigma(later))
    known = np.isfinite(difference) & np.isfinite(told)
    if np.count_nonzero(known) < CELLS_LEAST:
        raise BadParameter("later", int(np.count_nonzero(known)), f"fewer than {CELLS_LEAST} cells are known in both")
    errors = fit_errors(_residuals(difference, told, known), earlier.grid.resolution)
    k = NormalDist().inv_cdf(1.0 - false_alarm_rate / 2.0)
    # σ as it is seen, where it is wider than what the terrains tell of themselves.
    sigma = np.hypot(told * np.float32(max(errors.total, 1.0)), np.float32(registration.sigma_height))
    detected = known & (np.abs(difference) > k * sigma)
    patches = _large(detected & (difference > 0), earlier.grid, patch_least)
    patches |= _large(detected & (difference < 0), earlier.grid, patch_least)
    inside = known & _within(area, earlier.grid)
    asked = _within(area, earlier.grid)
    if not asked.any():
        raise BadParameter("area", "…", f"lies outside of what both surveys cover, {earlier.grid.bounds.tuple}")
    figures = _Sums(difference, told, earlier.grid.resolution**2, errors, registration.sigma_height)
    cut, fill = figures.over(inside & patches & (difference < 0)), figures.over(inside & patches & (difference > 0))
    bands = {
        "sigma": np.where(known, sigma, np.float32(np.nan)),
        "detected": np.where(known, patches, np.float32(np.nan)).astype(np.float32),
    }
    return EarthMoved(
        cut=Volume(abs(cut.volume), cut.sigma, cut.area),
        fill=fill,
        net=figures.over(inside & patches),
        net_of_all=figures.over(inside),
        level_of_detection=float(k * np.median(sigma[inside])) if inside.any() else float("nan"),
        known=float(np.count_nonzero(inside) / np.count_nonzero(asked)),
        up=registration.up,
        sigma_up=registration.sigma_height,
        errors=errors,
        difference=Raster(np.where(known, difference, np.float32(np.nan)), earlier.grid, bands),
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    difference: NDArray[np.float32]
    told: NDArray[np.float32]
    cell: float
    errors: ErrorModel
    common: float

    def over(self, cells: NDArray[np.bool_]) -> Volume:
        values = self.difference[cells]
        sigma = self.errors.sigma_of_sum(self.told[cells], self.cell, self.common)
        return Volume(float(values.sum(dtype=np.float64) * self.cell), sigma, values.size * self.cell)


def _sigma(terrain: Raster) -> NDArray[np.float32]:
    band = terrain.bands.get("sigma")
    return np.full(terrain.grid.shape, SIGMA_UNSAID, dtype=np.float32) if band is None else band


def _residuals(
    difference: NDArray[np.float32], told: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Differences over their told σ where nothing changed: cells far out, and their surroundings, are left out."""
    ratio = np.where(known, difference / np.maximum(told, 1e-3), np.float32(np.nan))
    spread = float(MAD_TO_SIGMA * np.nanmedian(np.abs(ratio)))
    far = np.abs(ratio) > 4.0 * max(spread, 1e-3)
    return np.where(far, np.float32(np.nan), ratio).astype(np.float32)


def _large(cells: NDArray[np.bool_], grid: Grid, least: float) -> NDArray[np.bool_]:
    labels, _ = label(cells)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(sizes[labels] * grid.resolution**2 >= max(least, 1e-9), dtype=bool)


def _within(area: BaseGeometry | None, grid: Grid) -> NDArray[np.bool_]:
    if area is None:
        return np.ones(grid.shape, dtype=bool)
    return ~np.asarray(geometry_mask([area], out_shape=grid.shape, transform=grid.transform), dtype=bool)
