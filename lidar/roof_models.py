"""The models of one building at three levels of detail, from its outline and its roof points.

* LoD 1.2: the prism up to the roof's 70th percentile.
* LoD 1.3: prisms of different height where the roof jumps by 3 m or more, each at the 70th percentile of its points.
* LoD 2.2: the roof's planes, parted along the lines where they meet or step.

After Biljecki, Ledoux & Stoter (2016), "An improved LOD specification for 3D building models", and 3DBAG's conventions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import floor

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Reason, Solid
from lidar.noding import UNIT
from lidar.point_order import order_of
from lidar.roof_heights import quantiles_by
from lidar.roof_mending import mended_solid
from lidar.roof_partition import RoofPartition, partition, rings_of
from lidar.roof_planes import BASE, MOST_NOISE, NONE, SPREAD, RoofPlanes, roof_planes
from lidar.roof_wells import with_wells
from lidar.validate import defects

JUMP = 3.0
"""m: parts of a roof whose levels differ by less are one in LoD 1.3 (3DBAG)."""
PERCENTILE = 70.0
CHANCE = 0.36
"""Scatter of points about their planes, in the tolerance they were let in by, beyond which planes of the greatest noise
there may be are found by chance: points anywhere within it would have 0.4 to 0.5, those of a roof have less."""
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


def detailed_models(
    polygon: Polygon, xyz: NDArray[np.float64], below: NDArray[np.float64], ground: float, lowest: float
) -> RoofModels:
    """LoD 1.3 and 2.2 of a building, those that are valid.

    Args:
        polygon: the outline, coordinates on whole millimetres.
        xyz: (n, 3) roof points inside it, in the outline's CRS.
        below: (m, 3) further points inside it, which tell where the roof is open: floors and walls of light wells.
        ground: m, where the building stands.
        lowest: m, no roof is lower, but a well's floor may be.
    """
    if shapely.get_num_coordinates(polygon) > MOST_CORNERS or len(xyz) > MOST_POINTS:
        return RoofModels({}, Reason.TOO_COMPLEX)
    west, south, _, _ = polygon.bounds
    origin = (floor(west), floor(south))
    corner = np.array([*origin, 0.0])
    roof = roof_planes(xyz - corner)
    if len(roof) == 0 or _by_chance(roof):
        return RoofModels({}, Reason.NO_PLANES)
    if len(roof) > MOST_PLANES:
        return RoofModels({}, Reason.TOO_COMPLEX)
    rings = rings_of(polygon, origin)
    rings = rings[np.lexsort(rings.T[::-1])]
    every = np.concatenate([xyz, below]) - corner
    # In the order of their coordinates sums over them are the same whichever order they came in.
    label = np.append(roof.label, np.full(len(below), NONE))
    order = order_of(every, label)
    every, labelled = every[order], replace(roof, label=label[order])
    every, labelled = with_wells(np.asarray(rings * UNIT, dtype=np.float64), every, labelled)
    parts = partition(rings, every, labelled, lowest)
    if parts is None:
        return RoofModels({}, Reason.NOT_PARTED, roof)
    levels, of_plane = _levels(parts, labelled, every)
    flat = np.zeros((len(levels), 3))
    flat[:, 0] = levels
    block = replace(parts, label=of_plane[parts.label], planes=flat)
    solids: dict[str, Solid] = {}
    reason = Reason.NONE
    for lod, parted in (("1.3", block), ("2.2", parts)):
        solid = mended_solid(parted, ground, origin)
        if solid is None or defects(solid):
            reason = Reason.NOT_VALID
        else:
            solids[lod] = solid
    return RoofModels(solids, reason, roof, parts, {"1.3": flat[of_plane], "2.2": parts.planes}, origin)


def _by_chance(roof: RoofPlanes) -> bool:
    """Whether the planes of a roof are none: found in a crown or in clutter."""
    counts = np.bincount(roof.label + 1, minlength=len(roof) + 1)[1:]
    scatter = np.sqrt(np.sum(counts * roof.scatter**2) / counts.sum())
    tolerance = BASE / 1000.0 + SPREAD * roof.noise
    return bool(
        counts.sum() < EXPLAINED * len(roof.label)
        or (1000.0 * roof.noise >= MOST_NOISE and scatter > CHANCE * tolerance)
    )


def _levels(
    parts: RoofPartition, roof: RoofPlanes, xyz: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Heights of the parts of a roof that no jump divides, and the part of each plane.

    The smallest jumps are bridged first, as long as no part comes to hold planes that differ by a jump.
    """
    count = len(parts.planes)
    height = parts.planes[:, 0]  # of a plane without points, which is level
    z = np.ascontiguousarray(xyz[:, 2])
    own = quantiles_by(roof.label, z, count, PERCENTILE / 100.0)
    height = np.where(np.isnan(own), height, own)
    left, right = parts.parts.face[0::2], parts.parts.face[1::2]
    inner = (left >= 0) & (right >= 0)
    one, other = parts.label[left[inner]].tolist(), parts.label[right[inner]].tolist()
    pairs = {(min(p, q), max(p, q)) for p, q in zip(one, other, strict=True) if p != q}
    used = np.zeros(count, dtype=bool)
    used[parts.label] = True
    part = np.arange(count)
    for jump, p, q in sorted((abs(float(height[p] - height[q])), p, q) for p, q in pairs):
        both = used & ((part == part[p]) | (part == part[q]))
        if jump < JUMP and np.ptp(height[both]) < JUMP:
            part[part == part[q]] = part[p]
    names = sorted(set(part.tolist()))
    part = np.searchsorted(names, part)
    of_point = np.append(part, NONE)[roof.label]  # the last is that of points without a plane
    levels = quantiles_by(of_point, z, len(names), PERCENTILE / 100.0)
    for k in np.flatnonzero(np.isnan(levels)):
        levels[k] = height[part == k].max()
    return np.round(levels, 3), part
