"""What stands on the ground: buildings by their planes, vegetation by its height.

Water is not told: without a void or an intensity of its own a still canal looks like a paved yard, so its points stay
ground, at the water's level.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gis.raster import Raster
from lidar.ground import classify_ground
from lidar.local_plane import ALL_ROUND, SIDES, Cells, fit_planes
from lidar.morphology import cells_of, lowest_points, share_around
from lidar.point_cloud import NOISE, Class, PointCloud

GROUND_CELL = 4.0
"""Metres: cells of the ground's surface under roofs."""
GROUND_RADII = (1, 2, 4, 8)
"""Cells of the windows it is fitted in; the last looks 32 m under a roof."""
GROUND_CELLS = 6
"""Cells it is fitted through at least."""

ROOF_CELL = 1.0
"""Metres: cells of which the highest point is taken for the roof's."""
ROOF_RADII = (2, 4, 6)
"""Cells of the windows in which a roof is plane; the second for less than a point a square metre."""
ROOF_CELLS = 7
"""Cells such a half window must hold."""
ROOF_SPREAD = 0.4
"""Metres a roof's highest points spread about its plane: tiles, chimneys, a gutter; crowns spread more."""
ROOF_OFF = 0.4
"""Metres a cell's highest point may lie off the plane beside it: ridges, gutters, parapets."""
LOWEST_ROOF = 2.0
"""Metres above ground: less is a wall, a car, a shed for bicycles."""
MAJORITY_RADIUS = 2
"""Cells of the window in which most must be plane: smaller patches of plane are chance in a crown."""
MOST, SOME = 0.5, 0.3
"""Shares of plane cells in the window: for the core of a roof, and for what belongs to a core, dormers and edges."""
SMALLEST_PATCH = 2 / (2 * MAJORITY_RADIUS + 1) ** 2
"""Share of the window's cells, empty ones too, that must be plane."""
MOST_SEVERAL_RETURNS = 0.4
"""Share of the points around from pulses with several returns above which the place is vegetation."""

MEDIUM, HIGH = 0.5, 2.0
"""Metres above ground from which vegetation is medium, and high."""

REACH = GROUND_CELL * (GROUND_RADII[-1] + 1) + ROOF_CELL * (ROOF_RADII[-1] + 2 * MAJORITY_RADIUS + 1)
"""Metres of classified ground and points that the class at a point depends on."""


class HasGround(Protocol):
    """A terrain as far as it is needed here."""

    @property
    def dtm(self) -> Raster:
        """The bare ground."""


class _Candidates(NamedTuple):
    """Points that may be of a building, with their cell."""

    row: NDArray[np.int32]
    column: NDArray[np.int32]
    shape: tuple[int, int]
    high: NDArray[np.bool_]


def classify(points: PointCloud, terrain: HasGround | None = None) -> PointCloud:
    """Classes 6 for buildings and 3, 4, 5 for low, medium and high vegetation, where ground (2) is known.

    Ground and noise stay what they are; a cloud without ground is given its ground first. What is not above the
    ground, or so far from any that its height is unknown, is 1.

    Args:
        points: classified into ground and the rest.
        terrain: its ground is taken for the height above ground; without it the ground points' own surface is.
    """
    if len(points) == 0:
        return points
    if not (points.classification == Class.GROUND).any():
        points = classify_ground(points)
    fixed = np.isin(points.classification, (Class.GROUND, *NOISE))
    height: NDArray[np.float64]
    height = height_above_ground(points) if terrain is None else points.z - terrain.dtm.at(points.x, points.y)
    height = np.where(fixed, np.nan, height)
    classes = np.where(fixed, points.classification, np.uint8(Class.UNCLASSIFIED)).astype(np.uint8)
    classes[(height > 0) & (height < MEDIUM)] = Class.LOW_VEGETATION
    classes[(height >= MEDIUM) & (height < HIGH)] = Class.MEDIUM_VEGETATION
    classes[height >= HIGH] = Class.HIGH_VEGETATION
    classes[_of_buildings(points, height)] = Class.BUILDING
    return points.with_classification(classes)


def height_above_ground(points: PointCloud) -> NDArray[np.float64]:
    """Metres of each point above the plane through the ground points around it, NaN where there are none in reach."""
    row, column, shape = cells_of(points.x, points.y, GROUND_CELL)
    ground = points.classification == Class.GROUND
    cells, occupied, east, north = _one_point_a_cell(points, points.z, row, column, shape, ground, GROUND_CELL)
    wanted = np.zeros(shape, dtype=np.bool_)
    wanted[row, column] = True
    planes = fit_planes(cells, occupied, wanted, GROUND_RADII, GROUND_CELLS)
    level = planes.height[row, column] + planes.slope_x[row, column] * east + planes.slope_y[row, column] * north
    return np.asarray(points.z - level, dtype=np.float64)


def _of_buildings(points: PointCloud, height: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Points of at least a storey's height in cells where most are plane and few pulses went on below."""
    high: NDArray[np.bool_] = height >= LOWEST_ROOF
    if not high.any():
        return high
    row, column, shape = cells_of(points.x, points.y, ROOF_CELL)
    candidates = _Candidates(row, column, shape, high)
    upside_down, occupied, *_ = _one_point_a_cell(points, -points.z, row, column, shape, high, ROOF_CELL)
    tops = Cells(-upside_down.height, upside_down.offset_x, upside_down.offset_y)
    planes = fit_planes(
        tops,
        occupied,
        occupied,
        ROOF_RADII,
        ROOF_CELLS,
        directions=np.vstack([SIDES, ALL_ROUND]),
        nearest=True,
        largest_spread=ROOF_SPREAD,
    )
    level = planes.height + planes.slope_x * tops.offset_x + planes.slope_y * tops.offset_y
    with np.errstate(invalid="ignore"):
        plane = occupied & (np.abs(tops.height - level) <= ROOF_OFF)
    solid = occupied & ~_penetrated(points, candidates)
    plane &= solid
    for least in (MOST, SOME):
        enough = np.maximum(least * share_around(occupied, MAJORITY_RADIUS), SMALLEST_PATCH)
        plane = solid & (share_around(plane, MAJORITY_RADIUS) >= enough)
    return np.asarray(high & plane[row, column])


def _penetrated(points: PointCloud, candidates: _Candidates) -> NDArray[np.bool_]:
    """Cells around which most high points come from pulses with several returns."""
    row, column, shape, high = candidates
    several = np.zeros(shape, dtype=np.int32)
    total = np.zeros(shape, dtype=np.int32)
    np.add.at(total, (row[high], column[high]), 1)
    many = high & (points.number_of_returns > 1)
    np.add.at(several, (row[many], column[many]), 1)
    around = MOST_SEVERAL_RETURNS * share_around(total, MAJORITY_RADIUS)
    return np.asarray(share_around(several, MAJORITY_RADIUS) > around)


def _one_point_a_cell(
    points: PointCloud,
    z: NDArray[np.float64],
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    shape: tuple[int, int],
    used: NDArray[np.bool_],
    size: float,
) -> tuple[Cells, NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """The lowest used point of each cell, which cells have one, and all points' offsets from their cell's centre."""
    height, source = lowest_points(row, column, points.x, points.y, z, used, *shape)
    occupied = source >= 0
    east = points.x / size - np.floor(points.x / size) - 0.5
    north = points.y / size - np.floor(points.y / size) - 0.5
    cells = Cells(height, np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    cells.offset_x[occupied], cells.offset_y[occupied] = east[source[occupied]], north[source[occupied]]
    return cells, occupied, east, north
