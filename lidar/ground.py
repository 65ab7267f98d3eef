"""Which points lie on the ground.

The lowest points of 1 m cells are opened by windows of growing size, as in SMRF (Pingel, Clarke & McBride 2013):
what is narrower than a window and higher than its slope allows is an object. Two things are added. A bulge of the
terrain, a terrace or the edge of a cliff, is wrongly cut off too; but from it the ground is reached on foot on
some sides, while a roof falls off on nearly all: sight lines give it back. And a point is judged against the plane
through the ground around it, with a tolerance that grows with the plane's slope and with the spread about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadInput, BadParameter
from lidar.local_plane import fit_planes
from lidar.low_points import REACH_CELLS, lowest_without_outliers
from lidar.morphology import EMPTY, Height, filled, opening, sight_lines
from lidar.point_cloud import NOISE, Class, PointCloud

CELL = 1.0
"""Metres. One size for every density, so that no tile has to guess it: thin clouds leave cells empty, dense ones do
not; an alley is seen by a cell that it only touches, because the lowest point of a cell counts."""
MOST_CELLS = 1 << 26
"""Cells of one call (8 km squared): some 2 GB at work."""
FILL_RADIUS = 4
"""Cells over which gaps between points are bridged; the thinnest survey meant (0.2 points/m²) has 2.2 m spacing."""
PLANE_RADII = (3, 6, 12)
"""Cells of the windows that planes are fitted in."""
PLANE_CELLS = 6
"""Cells a plane is fitted through at least: twice its unknowns."""


@dataclass(frozen=True, slots=True)
class GroundParameters:
    """One set for all data, in metres."""

    slope: float = 0.15
    """Rise over run that an opening forgives, times the radius of its window (SMRF's value)."""
    largest_window: int = 18
    """Radius of the largest window: half the width of the widest roof without a gap (SMRF's value)."""
    smallest_bulge: int = 3
    """Radius of the window that must have cut a cell off for sight lines to give it back: less is bushes and cars."""
    step: float = 1.2
    """Rise over run beyond which a way is not walked but is a wall (50°)."""
    sight: int = 25
    """Length of a sight line."""
    ways: int = 3
    """Of eight directions that must lead to ground, and at least as many as lead over an edge."""
    tolerance: float = 0.4
    """Height above the ground's plane that is ground in any case: grass, roughness, the scanner's noise."""
    tolerance_slope: float = 0.8
    """Added for each unit of slope: a point may be off by so many metres in its position."""
    tolerance_spread: float = 0.75
    """Added for each metre of spread about the plane."""
    rounds: int = 2
    """Planes are fitted, and the ground found from them is the next planes' ground."""

    def __post_init__(self) -> None:
        for name in ("slope", "step", "tolerance"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise BadParameter(name, getattr(self, name), "must be a positive number")
        for name in ("tolerance_slope", "tolerance_spread"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise BadParameter(name, getattr(self, name), "must not be negative")
        for name in ("largest_window", "sight", "rounds"):
            if getattr(self, name) < 1:
                raise BadParameter(name, getattr(self, name), "must be at least 1")

    @property
    def reach(self) -> float:
        """Metres of surroundings that the result at a point depends on."""
        planes = self.rounds * PLANE_RADII[-1]
        return CELL * (REACH_CELLS + FILL_RADIUS + 2 * self.largest_window + self.sight + planes + 1)


DEFAULT = GroundParameters()
REACH = DEFAULT.reach
"""Metres around a tile that must be given with it for the same classes as without tiles."""


def ground_mask(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    parameters: GroundParameters = DEFAULT,
    *,
    last_return: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Say of each point whether it lies on the ground.

    The result at a point depends on points within `parameters.reach` alone, on no order and on no number of threads.

    Args:
        x: (n,) metres, in a projected CRS.
        y: (n,) metres.
        z: (n,) metres above any datum.
        parameters: one set serves all densities.
        last_return: (n,) points that may be ground; a pulse that went on below did not end on the ground.

    Returns:
        (n,) true for ground.

    Raises:
        BadInput: the columns differ in length, a coordinate is not a number, or the points lie absurdly far apart.
    """
    if not len(x) == len(y) == len(z) or (last_return is not None and len(last_return) != len(x)):
        raise BadInput(f"coordinates of {len(x)}, {len(y)} and {len(z)} points are not columns of one cloud")
    if len(x) == 0:
        return np.zeros(0, dtype=np.bool_)
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(z).all()):
        raise BadInput("a point has a coordinate that is not a finite number")
    row, column, shape = _cells(x, y)
    used = np.ones(len(x), dtype=np.bool_) if last_return is None else np.asarray(last_return, dtype=np.bool_)
    lowest = lowest_without_outliers(row, column, x, y, z, used, shape)
    occupied = lowest.source >= 0
    surface = filled(lowest.height, FILL_RADIUS)
    ground = _provisional_ground(surface, parameters) & occupied

    offset_x, offset_y = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    source = lowest.source[occupied]
    offset_x[occupied] = x[source] / CELL - np.floor(x[source] / CELL)
    offset_y[occupied] = y[source] / CELL - np.floor(y[source] / CELL)
    east, north = (x / CELL - np.floor(x / CELL) - 0.5), (y / CELL - np.floor(y / CELL) - 0.5)
    is_ground = np.zeros(len(x), dtype=np.bool_)
    for _ in range(parameters.rounds):
        plane = fit_planes(lowest.height, offset_x, offset_y, ground, occupied, PLANE_RADII, PLANE_CELLS)
        tolerance = (
            parameters.tolerance
            + parameters.tolerance_slope * np.hypot(plane.slope_x, plane.slope_y)
            + parameters.tolerance_spread * plane.spread
        )
        above = z - (plane.height[row, column] + plane.slope_x[row, column] * east + plane.slope_y[row, column] * north)
        is_ground = (above <= tolerance[row, column]) & lowest.kept
        ground = np.zeros(shape, np.bool_)
        ground[occupied] = is_ground[source]
    return is_ground


def classify_ground(points: PointCloud, parameters: GroundParameters = DEFAULT) -> PointCloud:
    """Class 2 for ground and 1 for everything else; points of the noise classes 7 and 18 stay and are not used."""
    noise = np.isin(points.classification, NOISE)
    last = (points.return_number >= points.number_of_returns) & ~noise
    classes = np.where(noise, points.classification, np.uint8(Class.UNCLASSIFIED)).astype(np.uint8)
    classes[ground_mask(points.x, points.y, points.z, parameters, last_return=last)] = Class.GROUND
    return points.with_classification(classes)


def _cells(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[int, int]]:
    """Row from the south and column from the west of each point, on cells that are multiples of their size."""
    west, south = np.floor(x.min() / CELL), np.floor(y.min() / CELL)
    columns, rows = np.floor(x.max() / CELL) - west + 1, np.floor(y.max() / CELL) - south + 1
    if columns * rows > MOST_CELLS:
        raise BadInput(
            f"the points spread over {columns * CELL:.0f} × {rows * CELL:.0f} m, too far for one piece: "
            "there are stray points, or the cloud must be cut into tiles"
        )
    column = (np.floor(x / CELL) - west).astype(np.int32)
    row = (np.floor(y / CELL) - south).astype(np.int32)
    return row, column, (int(rows), int(columns))


def _provisional_ground(surface: Height, parameters: GroundParameters) -> NDArray[np.bool_]:
    """Cells that no opening cuts off, or that sight lines give back."""
    cut_by = np.zeros(surface.shape, dtype=np.uint8)
    known, before = surface != EMPTY, surface
    for radius in range(1, parameters.largest_window + 1):
        opened = opening(surface, radius)
        cut = known & (before > opened + np.float32(parameters.slope * CELL * radius))
        cut_by[cut & (cut_by == 0)] = radius
        before = opened
    ground: NDArray[np.bool_] = (cut_by == 0) & known
    attached, edges = sight_lines(surface, ground, parameters.step * CELL, parameters.sight)
    given_back = (attached >= parameters.ways) & (attached >= edges) & (cut_by >= parameters.smallest_bulge)
    return np.asarray(ground | given_back)
