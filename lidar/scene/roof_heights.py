"""Heights of a roof surface by its horizontal area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.city_model.building import Solid, Surface
from lidar.scene.mesh import triangles_of

Array = NDArray[np.float64]

PRECISION_M = 5e-4


@dataclass(frozen=True, slots=True)
class RoofHeights:
    """Heights above the datum of the roof surface, percentiles by horizontal area."""

    lowest: float
    median: float
    p70: float
    highest: float


def roof_heights(solid: Solid) -> RoofHeights:
    """Exact percentiles over all roof faces: the area of a triangle below a height is known in closed form."""
    triangles = np.concatenate([triangles_of(solid, face) for face in solid.faces if face.surface is Surface.ROOF])
    a, b = triangles[:, 1, :2] - triangles[:, 0, :2], triangles[:, 2, :2] - triangles[:, 0, :2]
    area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    corners = np.sort(triangles[..., 2], axis=1)
    median, p70 = (_quantile(corners, area, share) for share in (0.5, 0.7))
    return RoofHeights(float(corners[:, 0].min()), median, p70, float(corners[:, 2].max()))


def _quantile(corners: Array, area: Array, share: float) -> float:
    """The height below which this share of the area lies, to half a millimetre, by bisection."""
    low, high = float(corners[:, 0].min()), float(corners[:, 2].max())
    wanted = share * float(area.sum())
    while high - low > PRECISION_M:
        middle = (low + high) / 2
        if area_below(corners, area, middle) < wanted:
            low = middle
        else:
            high = middle
    return high


def area_below(corners: Array, area: Array, height: float) -> float:
    """Horizontal area of triangles that lies at or below a height; `corners` (k, 3) are sorted heights."""
    z0, z1, z2 = corners.T
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = (height - z0) ** 2 / ((z1 - z0) * (z2 - z0))
        upper = 1.0 - (z2 - height) ** 2 / ((z2 - z0) * (z2 - z1))
    share = np.where(height < z1, lower, upper)
    share = np.where(height >= z2, 1.0, np.where(height < z0, 0.0, share))
    return float((share * area).sum())
