"""The models of one building at three levels of detail, from its outline and its roof points.

* LoD 1.2: the prism up to the roof's 70th percentile.
* LoD 1.3: prisms of different height where the roof jumps by 3 m or more, each at the 70th percentile of its points.
* LoD 2.2: the roof's planes, parted along the lines where they meet or step.

After Biljecki, Ledoux & Stoter (2016), "An improved LOD specification for 3D building models", and 3DBAG's conventions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Reason, Solid
from lidar.roof_partition import RoofPartition, partition, rings_of
from lidar.roof_planes import RoofPlanes, roof_planes
from lidar.roof_solid import NotManifold, solid_of
from lidar.validate import defects

JUMP = 3.0
"""m: parts of a roof whose levels differ by less are one in LoD 1.3 (3DBAG)."""
PERCENTILE = 70.0
EXPLAINED = 0.4
"""Share of the points that must lie on planes: what is left is no roof of planes, or no roof."""
MOST_POINTS = 400_000
"""Roof points of one building: 40,000 m² at 10 a m²."""
MOST_PLANES = 300
MOST_CORNERS = 20_000
"""Of an outline that is given a detailed roof."""


@dataclass(frozen=True, slots=True)
class RoofModels:
    """What was made, by level of detail, and why no more."""

    solids: dict[str, Solid]
    reason: Reason
    planes: RoofPlanes | None = None
    parts: RoofPartition | None = None
    surfaces: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """(k, 3) of each level of detail, the plane over each plane's area, metres from the origin."""
    origin: tuple[int, int] = (0, 0)


def detailed_models(polygon: Polygon, xyz: NDArray[np.float64], ground: float, lowest: float) -> RoofModels:
    """LoD 1.3 and 2.2 of a building, those that are valid.

    Args:
        polygon: the outline, coordinates on whole millimetres.
        xyz: (n, 3) roof points inside it, in the outline's CRS.
        ground: m, where the building stands.
        lowest: m, no roof is lower.
    """
    if shapely.get_num_coordinates(polygon) > MOST_CORNERS or len(xyz) > MOST_POINTS:
        return RoofModels({}, Reason.TOO_COMPLEX)
    origin = (floor(polygon.bounds[0]), floor(polygon.bounds[1]))
    local = xyz - np.array([*origin, 0.0])
    roof = roof_planes(local)
    if len(roof) == 0 or np.mean(roof.label >= 0) < EXPLAINED:
        return RoofModels({}, Reason.NO_PLANES)
    if len(roof) > MOST_PLANES:
        return RoofModels({}, Reason.TOO_COMPLEX)
    parts = partition(rings_of(polygon, origin), local, roof, lowest)
    if parts is None:
        return RoofModels({}, Reason.NOT_PARTED, roof)
    solids: dict[str, Solid] = {}
    levels, of_plane = _levels(parts, roof, local)
    flat = np.zeros((len(levels), 3))
    flat[:, 0] = levels
    reason = Reason.NONE
    surfaces = {"1.3": flat[of_plane], "2.2": roof.planes}
    for lod, label, planes in (("1.3", of_plane[parts.label], flat), ("2.2", parts.label, roof.planes)):
        solid = _valid(parts, label, planes, ground, origin)
        if solid is None:
            reason = Reason.NOT_VALID
        else:
            solids[lod] = solid
    return RoofModels(solids, reason, roof, parts, surfaces, origin)


def _valid(
    parts: RoofPartition, label: NDArray[np.int64], planes: NDArray[np.float64], ground: float, origin: tuple[int, int]
) -> Solid | None:
    try:
        solid = solid_of(parts.parts, label, planes, ground, origin)
    except NotManifold:
        return None
    return None if defects(solid) else solid


def _levels(
    parts: RoofPartition, roof: RoofPlanes, xyz: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Heights of the parts of a roof that no jump divides, and the part of each plane."""
    count = len(roof)
    height = np.array([np.percentile(xyz[roof.label == k, 2], PERCENTILE) for k in range(count)])
    left, right = parts.parts.face[0::2], parts.parts.face[1::2]
    inner = (left >= 0) & (right >= 0)
    a, b = parts.label[left[inner]], parts.label[right[inner]]
    part = np.arange(count)
    pairs = np.unique(np.sort(np.column_stack([a, b]), axis=1), axis=0)
    differ = [(abs(float(height[p] - height[q])), int(p), int(q)) for p, q in pairs if p != q]
    for jump, p, q in sorted(differ):
        if jump < JUMP and part[p] != part[q]:
            low, high = sorted((part[p], part[q]))
            both = (part == low) | (part == high)
            if np.ptp(height[both & np.isin(np.arange(count), parts.label)]) < JUMP:
                part[part == high] = low
    names, part = np.unique(part, return_inverse=True)
    part = part.reshape(-1)
    on = roof.label >= 0
    of_point = part[roof.label[on]]
    levels = [np.percentile(xyz[on, 2][of_point == k], PERCENTILE) for k in range(len(names))]
    return np.round(np.array(levels), 3), part
