"""Lots below a level, and the earth it takes to bring each to its finished ground level (cốt san nền)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, isfinite, sqrt

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.special import ndtr
from shapely import Polygon

from gis.bounds import BoundingBox
from gis.errors import BadGeometry, BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.correlated_error import mean_variance
from lidar.terrain import SYSTEMATIC

PARTS = 4
"""A cell is parted into 4 × 4 to see how much of it a lot covers: a house lot's area comes out within a percent."""
CORRELATION_RANGE = 4.0
"""m up to which errors of a DTM go together where nothing else is known: planes are fitted over a few metres."""
LEVEL_MOST = 9000.0


@dataclass(frozen=True, slots=True)
class Levelled:
    """A lot against a level. Heights in m above the terrain's datum; unknown values are NaN."""

    uid: str
    level: float
    area: float
    """m² of the lot."""
    known: float
    """Share of it over which the ground is known; the figures below are of this part."""
    ground: float
    """Mean height."""
    sigma_ground: float
    lowest: float
    share_below: float
    """Share that lies below the level."""
    probability_below: float
    """That the lot's mean height is below the level."""
    fill: float
    """m³ to bring in where the ground is below the level."""
    sigma_fill: float
    cut: float
    """m³ to take away where it is above."""
    sigma_cut: float

    @property
    def net(self) -> float:
        """m³ to bring in; negative where earth is left over."""
        return self.fill - self.cut

    @property
    def sigma_net(self) -> float:
        """Of fill and cut together: an error of the whole lot raises the one and lowers the other."""
        return self.sigma_ground * self.area * self.known


def level_lots(
    terrain: Raster,
    lots: Sequence[tuple[str, Polygon]],
    level: float,
    *,
    sigma_level: float = 0.0,
    correlation_range: float = CORRELATION_RANGE,
) -> list[Levelled]:
    """Hold lots against a finished ground level.

    The σ of a sum is that of errors that go together over `correlation_range`, after Rolstad, Haug and Denby (2009)
    with the terrain's σ band, and of what is common to the survey and to the level. Bulking and settling of the earth
    are not in the volumes.

    Args:
        terrain: heights of the ground, m; its band `sigma` is used where it has one.
        lots: uid and polygon in the terrain's CRS.
        level: m above the terrain's datum.
        sigma_level: 1σ of the level, m.
        correlation_range: m.

    Raises:
        BadParameter: the level or a σ makes no sense.
        BadGeometry: a lot is no valid polygon; it is named.
    """
    if not abs(level) <= LEVEL_MOST:
        raise BadParameter("level", level, f"a level lies within ±{LEVEL_MOST:g} m of the datum")
    if not 0 <= sigma_level <= LEVEL_MOST:
        raise BadParameter("sigma_level", sigma_level, "a standard deviation in metres is 0 or more")
    if not correlation_range > 0:
        raise BadParameter("correlation_range", correlation_range, "must be positive")
    return [_levelled(terrain, uid, lot, level, sigma_level, correlation_range) for uid, lot in lots]


def covered(lot: Polygon, grid: Grid) -> tuple[Grid, NDArray[np.float64]] | None:
    """The part of a grid around a polygon, and the share of each of its cells that lies in it; None where none does."""
    part = grid.meeting(Grid.covering(BoundingBox(*lot.bounds, crs=grid.crs), grid.resolution))
    if part is None:
        return None
    finer = part.transform @ part.transform.scale(1 / PARTS)
    shape = (part.rows * PARTS, part.columns * PARTS)
    inside = rasterize([lot], out_shape=shape, transform=finer, dtype="uint8")
    shares = inside.reshape(part.rows, PARTS, part.columns, PARTS).mean(axis=(1, 3))
    return (part, shares) if shares.any() else None


def _levelled(
    terrain: Raster, uid: str, lot: Polygon, level: float, sigma_level: float, correlation_range: float
) -> Levelled:
    if lot is None or lot.is_empty or lot.geom_type not in ("Polygon", "MultiPolygon") or not lot.is_valid:
        raise BadGeometry(f"lot {uid}", "a valid polygon is needed")
    area = float(shapely.area(lot))
    found = covered(lot, terrain.grid)
    nan = float("nan")
    nothing = Levelled(uid, level, area, 0.0, nan, nan, nan, nan, nan, nan, nan, nan, nan)
    if found is None:
        return nothing
    part, shares = found
    window = part.window_in(terrain.grid)
    heights = terrain.values[window].astype(np.float64)
    weights = np.where(np.isfinite(heights), shares, 0.0)
    if not weights.any():
        return nothing
    sigma = terrain.bands.get("sigma")
    spread = np.zeros_like(heights) if sigma is None else np.nan_to_num(sigma[window].astype(np.float64))
    # What is common to the whole survey is in the band as well, but does not become less over a lot.
    own = np.sqrt(np.maximum(spread**2 - SYSTEMATIC**2, 0.0))
    common = hypot(SYSTEMATIC if sigma is not None else 0.0, sigma_level)
    counted = weights > 0
    z, w = heights[counted], weights[counted]
    # The lot's own area, not that of its cells: both differ a little.
    metres = w * (area * _share_known(shares, weights) / w.sum())
    below = np.maximum(level - z, 0.0)
    above = np.maximum(z - level, 0.0)
    ground = float(np.average(z, weights=w))
    sigma_ground = _sigma_of_sum(metres, own[counted], common, correlation_range) / metres.sum()
    return Levelled(
        uid=uid,
        level=level,
        area=area,
        known=_share_known(shares, weights),
        ground=ground,
        sigma_ground=sigma_ground,
        lowest=float(z.min()),
        share_below=float(w[z < level].sum() / w.sum()),
        probability_below=float(ndtr((level - ground) / sigma_ground)) if sigma_ground > 0 else float(ground < level),
        fill=float(metres @ below),
        sigma_fill=_sigma_of_sum(metres[z < level], own[counted][z < level], common, correlation_range),
        cut=float(metres @ above),
        sigma_cut=_sigma_of_sum(metres[z > level], own[counted][z > level], common, correlation_range),
    )


def _share_known(shares: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    return float(weights.sum() / shares.sum())


def _sigma_of_sum(
    metres: NDArray[np.float64], own: NDArray[np.float64], common: float, correlation_range: float
) -> float:
    """σ (m³) of a sum of heights over cells of some m² each."""
    total = float(metres.sum())
    if total == 0 or not isfinite(total):
        return 0.0
    variance = float(np.average(own**2, weights=metres)) * mean_variance(total, correlation_range)
    return total * sqrt(variance + common**2)
