"""What stands on the ground and what it is: buildings, vegetation, water, bridges, wires.

Takes points whose ground and noise are known (`lidar.ground`, `lidar.noise`) and divides the rest, and of the ground
the water, the decks and the tufts that the ground filter cannot tell. What is not sure stays unclassified.
"""

from __future__ import annotations

from typing import Any, NamedTuple

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
from lidar.gathered import BUILDING, WATER, gathered
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
WIRE, TOWER, DECK = int(Class.WIRE_CONDUCTOR), int(Class.TOWER), int(Class.BRIDGE_DECK)
LOW_PLANTS, MEDIUM_PLANTS, HIGH_PLANTS = (
    int(code) for code in (Class.LOW_VEGETATION, Class.MEDIUM_VEGETATION, Class.HIGH_VEGETATION)
)
REACH = max(
    max(GROUND_REACH + 1.0, planarity.SHARE_REACH) + roofs.REACH,
    bridges.REACH,
    waters.REACH,
    tufts.REACH,
    planarity.SHARE_REACH + wiring.REACH + masts.REACH,
)
"""Metres of surroundings that a point's class depends on, given ground and noise."""


class Found(NamedTuple):
    """Of k points in the order of cells, what their classes follow from; all arrays (k,)."""

    wire: Mask
    tower: Mask
    building: Mask
    wet: Mask
    deck: Mask
    flat: Mask
    share: NDArray[np.uint8]
    height: NDArray[np.float32]
    over: NDArray[np.int16]


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
    cells = cells_of(points.x, points.y, points.z, solid)
    del solid
    own = gathered(points, cells, known or Known.nothing(points))
    level = ground_level(cells.mean(own.soil), GROUND_REACH)
    none = np.empty(0, dtype=np.bool_)
    own = own._replace(soil=none)  # what nobody asks any more gives its memory back, here and below
    height = _height(cells, level)
    surfaces = planarity.planarity(cells, own.rest | own.given, own.single)
    roof = (surfaces.planar & (surfaces.share >= roofs.ROOF_SHARE)) | own.given
    hanging = wires(cells, own.rest | own.given, roof, own.single, own.last)
    del roof
    tower = towers(cells, hanging)
    wire = hanging.wire
    del hanging
    standing = own.rest & ~wire & ~tower
    building = buildings(
        roofs.Candidates(
            height, surfaces.planar, surfaces.share, standing, own.single, own.last, own.given, own.inside
        ),
        cells,
    )
    del standing
    own = own._replace(given=none, inside=none)
    pools = water(cells, points.intensity, points.gps_time, own.ground, own.rest, own.single, own.last)
    own = own._replace(single=none)
    wet = pools.wet & own.free
    spans = decks(cells, own.ground & ~wet, own.rest, own.last)
    own = own._replace(last=none)
    over = above_soil(cells, own.ground, own.ground | (own.rest & (height < HIGH)))
    found = Found(wire, tower, building, wet, spans.deck, surfaces.planar, surfaces.share, height, over)
    in_threads(_label, cells.points, cells.points * 2, own, found)
    evidence = Evidence(height, over, surfaces.share, surfaces.planar, pools.steps, spans.agree)
    percent = confidence(cells, own.classes, evidence)
    percent[~own.free] = GIVEN
    made, sure = points.classification.copy(), _of_noise(points, cells, level)
    in_threads(_hand_out, cells.points, cells.points, cells.order, own.classes, percent, made, sure)
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


def _height(cells: Cells, level: Floats) -> NDArray[np.float32]:
    """(k,) metres above the ground, of which each cell's level is given; NaN where none is near."""
    height = np.empty(cells.points, dtype=np.float32)
    in_threads(_above, cells.shape[0], cells.points, cells, level, height)
    return height


@compiled
def _above(first: int, last: int, cells: Any, ground: Any, height: Any) -> None:
    columns = ground.shape[1]
    for r in range(first, last):
        for c in range(columns):
            for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                height[p] = cells.w[p] / UNIT - ground[r, c]


@compiled
def _label(first: int, last: int, own: Any, found: Any) -> None:
    """Put into `own.classes` what was found; of several, the later one holds."""
    for k in range(first, last):
        free, wet, over = own.free[k], found.wet[k], found.over[k]
        code, rest, high = own.classes[k], own.rest[k], found.height[k]
        if free and found.wire[k]:
            code = WIRE
        if free and found.tower[k]:
            code = TOWER
        rest = rest and not (found.wire[k] or found.tower[k] or found.building[k])
        if found.building[k]:
            code = BUILDING
        if wet:
            code = WATER
        rest = rest and not (found.flat[k] and found.share[k] >= SOLID_SHARE and high >= LOW)
        tuft = ((own.ground[k] and free and not wet) or (rest and high < HIGH)) and over > TUFT * UNIT
        if tuft:
            code = LOW_PLANTS
        if (tuft and over >= LOW * UNIT) or (rest and high >= LOW):
            code = MEDIUM_PLANTS
        if rest and high > HIGH:
            code = HIGH_PLANTS
        if free and found.deck[k]:
            code = DECK
        own.classes[k] = code


@compiled
def _hand_out(first: int, last: int, order: Any, classes: Any, percent: Any, made: Any, sure: Any) -> None:
    for k in range(first, last):
        made[order[k]], sure[order[k]] = classes[k], percent[k]
