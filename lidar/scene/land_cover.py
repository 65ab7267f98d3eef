"""The truth about land cover, on the grid of the true DTM."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely import Geometry

from lidar.scene.land import NODE_M
from lidar.scene.ward import Ward

ALLEY_BELOW_M = 4.05
"""A street of a reserve narrower than this is an alley."""


class Cover(IntEnum):
    """What a cell is covered by."""

    OPEN = 1
    UNDER_TREES = 2
    UNDER_BUILDING = 3
    ALLEY = 4
    BANK = 5
    WATER = 6
    UNDER_BRIDGE = 7
    EXCAVATION = 8


def land_cover(ward: Ward) -> NDArray[np.uint8]:
    """(n, n) codes of `Cover`, rows from south to north, as the terrain's nodes; what comes later here lies on top."""
    terrain = ward.terrain
    shape = terrain.heights.shape
    crowns = ward.world.crowns
    leaves = shapely.buffer(shapely.points(crowns[:, :2]), crowns[:, 3], quad_segs=4)
    cover = np.full(shape, Cover.OPEN, dtype=np.uint8)
    cover[_drawn([s.area for s in ward.plan.streets if s.reserve_m < ALLEY_BELOW_M], shape)] = Cover.ALLEY
    cover[terrain.bank] = Cover.BANK
    cover[_drawn(list(leaves), shape)] = Cover.UNDER_TREES
    cover[terrain.water] = Cover.WATER
    cover[terrain.pit] = Cover.EXCAVATION
    cover[_drawn(ward.decks, shape)] = Cover.UNDER_BRIDGE
    cover[_drawn([s.footprint for s in ward.stock], shape)] = Cover.UNDER_BUILDING
    return cover


def _drawn(polygons: Sequence[Geometry], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The cells whose centre lies in one of the polygons."""
    if len(polygons) == 0:
        return np.zeros(shape, dtype=bool)
    transform = Affine(NODE_M, 0, 0, 0, NODE_M, 0)
    return np.asarray(rasterize(polygons, out_shape=shape, transform=transform, dtype="uint8")).astype(bool)
