"""A partition of a roof to its solid, mended where regions meet in a point only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gis.city_model.building import Solid
from lidar.noding import UNIT
from lidar.roof_partition import RoofPartition
from lidar.roof_solid import NotManifold, solid_of
from lidar.subdivision import Subdivision

MENDED = 12
"""Places where regions touch in a point that are mended before the model is given up."""


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
