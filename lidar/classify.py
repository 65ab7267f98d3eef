"""What stands on the ground and what it is: buildings, vegetation, water, bridges, wires.

Takes points whose ground and noise are known (`lidar.ground`, `lidar.noise`) and divides the rest, and of the ground
the water, the decks and the tufts that the ground filter cannot tell. What is not sure stays unclassified.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lidar import decks as bridges
from lidar import planarity, roofs, tufts
from lidar import water as waters
from lidar import wires as wiring
from lidar.cells import Cells, Floats, Mask, cells_of, ground_level
from lidar.decks import decks
from lidar.known import Known
from lidar.point_cloud import NOISE, Class, PointCloud
from lidar.roofs import buildings
from lidar.tufts import TUFT, above_soil
from lidar.water import water
from lidar.wires import wires

GROUND_REACH = 32
"""Cells the ground is looked for in eight directions: half the width of the widest hall is 30 m."""
LOW, HIGH = 0.5, 2.0
"""Metres above the ground where medium and high vegetation begin (ASPRS)."""
REACH = max(
    max(GROUND_REACH + 1.0, planarity.SHARE_REACH) + roofs.REACH,
    planarity.REACH + bridges.REACH,
    waters.REACH,
    tufts.REACH,
    planarity.SHARE_REACH + wiring.REACH,
)
"""Metres of surroundings that a point's class depends on, given ground and noise."""


def classify(points: PointCloud, known: Known | None = None) -> PointCloud:
    """The points under their final classes; noise is kept, and so is what is known.

    The class of a point depends on points within `REACH` alone, on no order and no number of threads.

    Args:
        points: ground and noise in their classes.
        known: of the same points: classes that stay and serve the others', and outlines of buildings.

    Raises:
        BadInput: the points lie absurdly far apart.
    """
    if len(points) == 0:
        return points
    known = known or Known.nothing(points)
    free = ~known.fixed
    classes = points.classification.astype(np.uint8)
    noise = np.isin(classes, NOISE)
    ground = classes == Class.GROUND
    single, last = points.number_of_returns <= 1, (points.return_number >= points.number_of_returns) & ~noise
    cells = cells_of(points.x, points.y)
    level = ground | (classes == Class.WATER)
    height = (points.z - _mean_height(points.z, level, cells).ravel()[cells.index]).astype(np.float32)
    given = known.fixed & (classes == Class.BUILDING)
    rest = ~noise & ~ground & free

    surfaces = planarity.planarity(points.x, points.y, points.z, rest | given, single)
    flat = surfaces.planar
    roof = (flat & (surfaces.share >= roofs.ROOF_SHARE)) | given
    wire, tower = wires(points.x, points.y, points.z, rest | given, roof, single, last, cells)
    classes[wire & free] = Class.WIRE_CONDUCTOR
    classes[tower & free] = Class.TOWER
    rest &= ~wire & ~tower
    found = roofs.Candidates(points.z, height, flat, surfaces.share, rest, single, last, given, known.inside)
    building = buildings(found, cells)
    classes[building] = Class.BUILDING
    rest &= ~building
    wet = water(points.z, points.intensity, ground, last, cells) & free
    classes[wet] = Class.WATER
    over = above_soil(points.x, points.y, points.z, ground, cells)
    tuft = ((ground & ~wet & free) | (rest & (height < HIGH))) & (over > TUFT)
    classes[tuft] = Class.LOW_VEGETATION
    classes[(tuft & (over >= LOW)) | (rest & (height >= LOW))] = Class.MEDIUM_VEGETATION
    classes[rest & (height > HIGH)] = Class.HIGH_VEGETATION
    classes[decks(points.z, ground, wet, flat & single, cells) & free] = Class.BRIDGE_DECK
    return points.with_classification(classes)


def _mean_height(z: NDArray[np.float64], ground: Mask, cells: Cells) -> Floats:
    """The ground's height in each cell; NaN where none is near."""
    count = cells.count(ground)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = cells.total(ground, np.rint(z * 1000).astype(np.int64)) / count / 1000
    return ground_level(mean.astype(np.float32), GROUND_REACH)
