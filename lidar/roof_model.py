"""Footprint, points and planes to a valid solid: parted, raised, mended where regions touch in a point, proved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gis.city_model.building import Reason, Solid
from lidar.noding import UNIT
from lidar.roof_partition import RoofPartition, partition
from lidar.roof_planes import RoofPlanes
from lidar.roof_solid import NotManifold, solid_of
from lidar.roof_wells import with_wells
from lidar.subdivision import Subdivision
from lidar.validate import defects

LEAST_ROOF = 1.5
"""m above the ground: no roof is lower but where points say so."""
MENDED = 12
"""Places where regions touch in a point that are mended before the model is given up."""


def roof_model(
    rings: NDArray[np.int64],
    xyz: NDArray[np.float64],
    roof: RoofPlanes,
    ground: float,
    origin: tuple[float, float],
) -> Solid | Reason:
    """The valid solid of a building with its roof, or why there is none.

    Args:
        rings: (e, 4) edges of the footprint in units of 0.1 mm from the origin, the inside on the left (`rings_of`).
        xyz: (n, 3) m from the origin, heights above the vertical datum: the points that `roof` labels. Those below
            the roof, without a label, tell where light wells are.
        roof: its planes.
        ground: m above the vertical datum.
        origin: in the CRS.
    """
    if len(roof) == 0:
        return Reason.NO_PLANES
    xyz, roof = _in_order(xyz, roof)
    rings = rings[np.lexsort(rings.T[::-1])]
    xyz, roof = with_wells(np.asarray(rings * UNIT, dtype=np.float64), xyz, roof)
    parted = partition(rings, xyz, roof, ground + LEAST_ROOF)
    if parted is None:
        return Reason.NOT_PARTED
    solid = mended_solid(parted, ground, origin)
    return Reason.NOT_VALID if solid is None or defects(solid) else solid


def _in_order(xyz: NDArray[np.float64], roof: RoofPlanes) -> tuple[NDArray[np.float64], RoofPlanes]:
    """Points in the order of their coordinates: then sums over them are the same whichever order they came in."""
    order = np.lexsort((roof.label, *xyz.T[::-1]))
    return xyz[order], replace(roof, label=roof.label[order])


def mended_solid(parted: RoofPartition, ground: float, origin: tuple[float, float]) -> Solid | None:
    """The solid over a partition, the smallest face given to its neighbour where regions touch in a point only."""
    label = parted.label
    for _ in range(MENDED):
        try:
            return solid_of(parted.parts, label, parted.planes, ground, origin)
        except NotManifold as error:
            changed = _mended(parted.parts, label, error.place)
            if changed is None:
                return None
            label = changed
    return None


def _mended(parts: Subdivision, label: NDArray[np.int64], place: tuple[float, float]) -> NDArray[np.int64] | None:
    """Labels after the smallest region's faces at a place have taken the label of the neighbour with most border."""
    away = np.hypot(*(parts.vertices * UNIT - place).T)
    used = np.zeros(len(away), dtype=bool)
    used[parts.edges] = True
    vertex = int(np.argmin(np.where(used, away, np.inf)))
    touching = np.flatnonzero((parts.edges == vertex).any(axis=1))
    faces = np.unique(parts.face.reshape(-1, 2)[touching])
    faces = faces[faces >= 0]
    left, right = parts.face[0::2], parts.face[1::2]
    run = (parts.vertices[parts.edges[:, 1]] - parts.vertices[parts.edges[:, 0]]) * UNIT
    length = np.hypot(run[:, 0], run[:, 1])
    for face in faces[np.lexsort((faces, parts.area[faces]))].tolist():
        border = np.zeros(int(label.max()) + 1)
        for own, other in ((left, right), (right, left)):
            at = np.flatnonzero((own == face) & (other >= 0))
            np.add.at(border, label[other[at]], length[at])
        border[label[face]] = 0.0
        if border.max() > 0:
            changed = label.copy()
            changed[face] = int(np.argmax(border))
            return changed
    return None
