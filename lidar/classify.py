"""What stands on the ground and what it is: buildings, vegetation, water, bridges, wires.

Takes points whose ground and noise are known (`lidar.ground`, `lidar.noise`) and divides the rest, and of the ground
the water, the decks and the tufts that the ground filter cannot tell. What is not sure stays unclassified.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar import decks as bridges
from lidar import planarity, roofs, tufts
from lidar import towers as masts
from lidar import water as waters
from lidar import wires as wiring
from lidar.cells import CELL, UNIT, Cells, Floats, Mask, cells_of, ground_level
from lidar.confidence import GIVEN, Evidence, confidence, noise_confidence
from lidar.decks import decks
from lidar.known import Known
from lidar.morphology import compiled, dilation, in_threads
from lidar.point_cloud import NOISE, Class, PointCloud
from lidar.roofs import buildings
from lidar.towers import towers
from lidar.tufts import TUFT, above_soil
from lidar.water import water
from lidar.wires import wires

GROUND_REACH = 32
"""Cells the ground is looked for in eight directions: half the width of the widest hall is 30 m."""
LOW, HIGH = 0.5, 2.0
"""Metres above the ground where medium and high vegetation begin (ASPRS)."""
SOLID_SHARE = 45
"""Percent of the points about a planar one, planar and their pulse's only return, from which on it is no plant."""
REACH = max(
    max(GROUND_REACH + 1.0, planarity.SHARE_REACH) + roofs.REACH,
    bridges.REACH,
    waters.REACH,
    tufts.REACH,
    planarity.SHARE_REACH + wiring.REACH + masts.REACH,
)
"""Metres of surroundings that a point's class depends on, given ground and noise."""


def classify(points: PointCloud, known: Known | None = None) -> PointCloud:
    """The points under their final classes, with how sure those are; noise is kept, and so is what is known.

    The class of a point depends on points within `REACH` alone, on no order and no number of threads.

    Args:
        points: ground and noise in their classes.
        known: of the same points: classes that stay and serve the others', and outlines of buildings.

    Raises:
        BadInput: the points lie absurdly far apart.
    """
    solid = ~np.isin(points.classification, NOISE)
    if not solid.any():
        return points
    known = known or Known.nothing(points)
    cells = cells_of(points.x, points.y, points.z, solid)
    del solid
    classes, single, last, intensity = _gathered(points, cells)
    free, inside = ~known.fixed[cells.order], known.inside[cells.order]
    ground = classes == Class.GROUND
    level = ground_level(cells.mean(ground | (classes == Class.WATER)), GROUND_REACH)
    height = _height(cells, level)
    given = ~free & (classes == Class.BUILDING)
    rest = ~ground & free

    surfaces = planarity.planarity(cells, rest | given, single)
    flat = surfaces.planar
    hanging = wires(cells, rest | given, (flat & (surfaces.share >= roofs.ROOF_SHARE)) | given, single, last)
    tower = towers(cells, hanging)
    building = buildings(
        roofs.Candidates(height, flat, surfaces.share, rest & ~hanging.wire & ~tower, single, last, given, inside),
        cells,
    )
    pools = water(cells, intensity, points.gps_time, ground, rest, single, last)
    wet = pools.wet & free
    del intensity
    over = above_soil(cells, ground, ground | (rest & (height < HIGH)))
    spans = decks(cells, ground & ~wet, rest, last)

    classes[hanging.wire & free] = Class.WIRE_CONDUCTOR
    classes[tower & free] = Class.TOWER
    rest &= ~hanging.wire & ~tower
    classes[building] = Class.BUILDING
    rest &= ~building
    classes[wet] = Class.WATER
    rest &= ~(flat & (surfaces.share >= SOLID_SHARE) & (height >= LOW))
    tuft = ((ground & ~wet & free) | (rest & (height < HIGH))) & (over > TUFT * UNIT)
    classes[tuft] = Class.LOW_VEGETATION
    classes[(tuft & (over >= LOW * UNIT)) | (rest & (height >= LOW))] = Class.MEDIUM_VEGETATION
    classes[rest & (height > HIGH)] = Class.HIGH_VEGETATION
    classes[spans.deck & free] = Class.BRIDGE_DECK
    evidence = Evidence(height, over, surfaces.share, flat, pools.steps, spans.agree)
    percent = confidence(cells, classes, evidence)
    percent[~free] = GIVEN
    made, sure = points.classification.copy(), _of_noise(points, cells, level)
    in_threads(_hand_out, cells.points, cells.points, cells.order, classes, percent, made, sure)
    return points.with_classification(made, sure)


def _of_noise(points: PointCloud, cells: Cells, level: Floats) -> NDArray[np.uint8]:
    """(n,) how sure the noise is, percent; 0 for other points, and where it lies beyond all that is none."""
    sure = np.zeros(len(points), dtype=np.uint8)
    noise = np.flatnonzero(np.isin(points.classification, NOISE))
    row = np.floor(points.y[noise] / CELL).astype(np.int64) - cells.south
    column = np.floor(points.x[noise] / CELL).astype(np.int64) - cells.west
    inside = (row >= 0) & (row < cells.shape[0]) & (column >= 0) & (column < cells.shape[1])
    noise, row, column = noise[inside], row[inside], column[inside]
    top = dilation(cells.highest(np.ones(cells.points, dtype=np.bool_)), 1)
    sure[noise] = noise_confidence(points.z[noise], level[row, column], top[row, column])
    return sure


def _gathered(points: PointCloud, cells: Cells) -> tuple[NDArray[np.uint8], Mask, Mask, NDArray[np.uint16]]:
    """In the order of cells: classes, single returns, last returns, intensities."""
    n = cells.points
    classes, intensity = np.empty(n, dtype=np.uint8), np.empty(n, dtype=np.uint16)
    single, last = np.empty(n, dtype=np.bool_), np.empty(n, dtype=np.bool_)
    in_threads(
        _gather,
        n,
        n,
        cells.order,
        points.classification,
        points.intensity,
        points.return_number,
        points.number_of_returns,
        classes,
        intensity,
        single,
        last,
    )
    return classes, single, last, intensity


def _height(cells: Cells, level: Floats) -> NDArray[np.float32]:
    """(k,) metres above the ground, of which each cell's level is given; NaN where none is near."""
    height = np.empty(cells.points, dtype=np.float32)
    in_threads(_above, cells.shape[0], cells.points, cells, level, height)
    return height


@compiled
def _gather(
    first: int,
    last: int,
    order: Any,
    classification: Any,
    light: Any,
    return_number: Any,
    number_of_returns: Any,
    classes: Any,
    intensity: Any,
    single: Any,
    is_last: Any,
) -> None:
    for k in range(first, last):
        p = order[k]
        classes[k], intensity[k] = classification[p], light[p]
        single[k], is_last[k] = number_of_returns[p] <= 1, return_number[p] >= number_of_returns[p]


@compiled
def _above(first: int, last: int, cells: Any, ground: Any, height: Any) -> None:
    columns = ground.shape[1]
    for r in range(first, last):
        for c in range(columns):
            for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                height[p] = cells.w[p] / UNIT - ground[r, c]


@compiled
def _hand_out(first: int, last: int, order: Any, classes: Any, percent: Any, made: Any, sure: Any) -> None:
    for k in range(first, last):
        made[order[k]], sure[order[k]] = classes[k], percent[k]
