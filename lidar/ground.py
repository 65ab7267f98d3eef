"""Which points lie on the ground.

The lowest points of 1 m cells are opened by windows of growing size, as in SMRF (Pingel, Clarke & McBride 2013):
what is narrower than a window and higher than its slope allows is cut off. Three things are added. A bulge of the
terrain, a terrace or the edge of a cliff, is wrongly cut off too; but from it the ground is reached on foot on some
sides, while a roof falls off on nearly all: sight lines give it back, and take away what is high and walled in. What
an opening left of a roof wider than its window goes with the rest of that roof (`lidar.roof_remains`). The
ground's cells are then cleared of bushes by planes through their neighbours (one-sided, after Kraus & Pfeifer 1998).
And a point is judged against the plane through the ground around it, or where the terrain breaks on one side of it or
at its own height (`lidar.level_planes`), with a tolerance that grows with the plane's slope, with the spread about it
and with the gaps between the points. At a cliff the plane at its own height judges alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadInput, BadParameter
from lidar.level_planes import fit_level_planes
from lidar.local_plane import Cells, Planes, Tolerance, fit_planes, fit_sides, no_planes
from lidar.low_points import REACH_CELLS, lowest_without_outliers
from lidar.morphology import (
    EMPTY,
    Height,
    cells_of,
    compiled,
    dilation,
    extremes,
    in_threads,
    opening,
    share_around,
    sight_lines,
)
from lidar.near_planes import CELL, CellPoints, Points, mark_near
from lidar.point_cloud import NOISE, Class, PointCloud
from lidar.roof_remains import REACH_CELLS as REMAINS_REACH
from lidar.roof_remains import roof_remains

FILL_RADII = (2, 3, 4, 6)
"""Cells of the windows from which gaps between points are bridged; 0.2 points/m² are 2.2 m apart."""
FILL_CELLS = 4
"""Cells that a gap is bridged from at least: a plane and one to spare."""
CLEARING_RADII = (4, 8)
"""Cells of the windows whose plane shows which provisional ground is a bush."""
PLANE_RADII = (3, 6, 9)
"""Cells of the windows that planes are fitted in; the last holds six points even at 0.02 points/m²."""
PLANE_CELLS = 6
"""Cells a plane is fitted through at least: twice its unknowns."""
REGAINING_RADII = PLANE_RADII[:2]
"""Cells of the windows that regain ground; nothing is lost where they hold too few."""
SIDE_RADIUS = 6
"""Cells of the half windows at breaks of the terrain."""
PLANE_REACH = max(PLANE_RADII[-1], SIDE_RADIUS)
"""Cells from which the ground is seen by what judges a point."""
SHARE_RADIUS = 3
"""Cells of the window in which gaps between points are counted."""
DIKE_WIDTH = 6
"""Cells from a dike's crest to the ground beside it, at most."""
GROUND, UNCLASSIFIED = int(Class.GROUND), int(Class.UNCLASSIFIED)
IS_NOISE = np.isin(np.arange(256), NOISE)
"""(256,) whether points of a class are noise."""
WITHOUT_GROUND = np.where(IS_NOISE, np.arange(256), Class.UNCLASSIFIED).astype(np.uint8)
"""(256,) what points of a class are before ground is found."""
BUSH = Tolerance(0.15, 0.4, 0.25)
PLANE_TOLERANCE = Tolerance(0.15, 0.8, 0.6)
SIDE_TOLERANCE = Tolerance(0.2, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class GroundParameters:
    """One set for all data, in metres."""

    slope: float = 0.16
    """Rise over run that an opening forgives, times the radius of its window (SMRF's is 0.15)."""
    windows: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 21, 24, 28)
    """Radii of the openings; the last is half the width of the widest roof without a gap."""
    smallest_bulge: int = 5
    """Radius of the window that must have cut a cell off for sight lines to give it back: less is bushes and cars."""
    step: float = 1.2
    """Rise over run beyond which a way is not walked but is a wall (50°)."""
    sight: int = 20
    """Length of a sight line that gives a bulge back."""
    ways: int = 3
    """Of eight directions that must lead to ground, and at least as many as lead over an edge."""
    island: float = 2.5
    """Height above the last opening from which ground is asked whether it is walled in: a storey."""
    island_sight: int = 10
    """Length of a sight line that looks for walls."""
    walls: int = 3
    """Directions over an edge that make an island of it, and three times as many as lead to ground."""
    rounds: int = 2
    """Of sight lines each, what one finds being ground for the next."""
    dike_step: float = 0.6
    """Rise over run (31°) by which a dike must be climbed from measured cell to measured cell."""
    dike_ways: int = 6
    """Directions by which it must be climbed; over an edge none."""
    crest_ways: int = 5
    """The same for what a small opening cut off, walked over bridged gaps too: a crest has its two slopes, three
    directions each, of which a gap may hide one."""
    clearing: Tolerance = BUSH
    """Height above the plane of its neighbours up to which a provisional ground cell stays."""
    tolerance: Tolerance = PLANE_TOLERANCE
    """Height above the ground's plane that is ground: scanner noise and short grass where points lie close, and
    misplacement on a slope."""
    tolerance_gaps: float = 0.5
    """Added where every cell around is empty, less where fewer are: the roughness between far points is not known."""
    side_tolerance: Tolerance = SIDE_TOLERANCE
    """Height above the plane on one side that is ground."""
    break_spread: float = 0.3
    """Spread about the plane all round from which the terrain may be broken there."""
    cliff_spread: float = 1.0
    """The same from which that plane is too loose to tell a wall, a car or a hedge from the ground: what has ground on
    its own level is judged by that alone."""
    side_spread: float = 0.5
    """Spread about a plane on one side up to which that side is a surface."""
    side_rise: float = 0.3
    """Height above the highest ground around above which no plane on one side is asked for: the edge of a plateau is
    as high as the plateau, what rises from it by more than the grass is something on it."""
    plane_rounds: int = 3
    """Planes are fitted, and the ground found from them is the next planes' ground."""
    regaining_rounds: int = 2
    """Rounds before the last that only add ground: where points lie close, by what lies on its level alone."""
    regaining_share: float = 0.25
    """Share of cells with points (2 m between points) below which they add by every plane: there a cliff lies in a
    bridged gap, whose plane is lower than the edge, so that openings cut off more of it; where points lie close it
    would be roofs."""

    def __post_init__(self) -> None:
        for name in ("slope", "step", "island", "dike_step"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise BadParameter(name, getattr(self, name), "must be a positive number")
        for name, least in (("sight", 1), ("island_sight", 1), ("plane_rounds", 1), ("regaining_rounds", 0)):
            if getattr(self, name) < least:
                raise BadParameter(name, getattr(self, name), f"must be at least {least}")
        if not self.windows or min(self.windows) < 1 or list(self.windows) != sorted(set(self.windows)):
            raise BadParameter("windows", self.windows, "must be radii of at least one cell, growing")

    @property
    def reach(self) -> float:
        """Metres of surroundings that the result at a point depends on: the sum over all that look around."""
        lowest = REACH_CELLS + FILL_RADII[-1]
        openings = 2 * self.windows[-1]
        sights = self.rounds * (self.sight + self.island_sight) + DIKE_WIDTH
        planes = CLEARING_RADII[-1] + self.plane_rounds * PLANE_REACH
        planes += self.regaining_rounds * max(REGAINING_RADII[-1], SIDE_RADIUS)
        return CELL * (lowest + openings + sights + REMAINS_REACH + planes + 1)


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
    low, high = extremes(x, y, z)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise BadInput("a point has a coordinate that is not a finite number")
    row, column, shape = cells_of(x, y, CELL, low[:2], high[:2])
    used = np.ones(len(x), dtype=np.bool_) if last_return is None else np.asarray(last_return, dtype=np.bool_)
    lowest = lowest_without_outliers(row, column, x, y, z, used, shape)
    occupied = lowest.source >= 0
    lowest_points = CellPoints(lowest.source, x, y, z)
    cells = Cells(lowest.height, *lowest_points.offsets())

    ground = _provisional_ground(cells, occupied, parameters)
    share = share_around(occupied, SHARE_RADIUS)
    gaps = np.float32(parameters.tolerance_gaps) * (1 - share)
    planes = no_planes(shape)
    fitted: NDArray[np.bool_] | None = None
    for _ in range(parameters.plane_rounds - 1):
        wanted, fitted = occupied & _outdated(fitted, ground), ground.copy()
        fit_planes(cells, ground, wanted, PLANE_RADII, PLANE_CELLS, fitted=planes)
        found = _near_ground(cells, ground, planes, gaps, wanted, PLANE_RADII, parameters, lowest_points)
        np.copyto(ground, found, where=wanted)
    _regain(cells, occupied, ground, share, gaps, parameters, lowest_points)
    fit_planes(cells, ground, occupied & _outdated(fitted, ground), PLANE_RADII, PLANE_CELLS, fitted=planes)
    points = Points(row, column, x, y, z)
    near = _near_ground(cells, ground, planes, gaps, occupied, PLANE_RADII, parameters, points)
    return np.asarray(near & lowest.kept)


def classify_ground(points: PointCloud, parameters: GroundParameters = DEFAULT) -> PointCloud:
    """Class 2 for ground and 1 for everything else; points of the noise classes 7 and 18 stay and are not used."""
    n = len(points)
    last, classes = np.empty(n, dtype=np.bool_), np.empty(n, dtype=np.uint8)
    given = points.classification, points.return_number, points.number_of_returns
    in_threads(_without_ground, n, n, *given, WITHOUT_GROUND, last, classes)
    mask = ground_mask(points.x, points.y, points.z, parameters, last_return=last)
    in_threads(_put_ground, n, n, mask, classes)
    return points.with_classification(classes)


@compiled
def _without_ground(
    first: int,
    last: int,
    classification: NDArray[np.uint8],
    return_number: NDArray[np.uint8],
    number_of_returns: NDArray[np.uint8],
    without_ground: NDArray[np.uint8],
    may_be: NDArray[np.bool_],
    classes: NDArray[np.uint8],
) -> None:
    """What the points are before ground is found, and which may be ground: last returns that are no noise."""
    for i in range(first, last):
        classes[i] = without_ground[classification[i]]
        may_be[i] = return_number[i] >= number_of_returns[i] and classes[i] == UNCLASSIFIED


@compiled
def _put_ground(first: int, last: int, mask: NDArray[np.bool_], classes: NDArray[np.uint8]) -> None:
    for i in range(first, last):
        if mask[i]:
            classes[i] = GROUND


def _provisional_ground(cells: Cells, occupied: NDArray[np.bool_], parameters: GroundParameters) -> NDArray[np.bool_]:
    """Occupied cells that no opening cuts off, or that sight lines give back; without walled islands and bushes."""
    surface = _without_gaps(cells, occupied)
    ground, cut_by, last_opening = _openings(surface, parameters)
    ground = _bulges_given_back(surface, ground, cut_by, parameters)
    ground &= ~_islands(surface, ground, surface > last_opening + np.float32(parameters.island), parameters)
    ground &= ~roof_remains(surface, ground)
    ground &= occupied
    attached, edges = sight_lines(cells.height, ground, parameters.dike_step * CELL, DIKE_WIDTH)
    dikes = occupied & ~ground & (attached >= parameters.dike_ways) & (edges == 0)
    attached, edges = sight_lines(surface, ground, parameters.dike_step * CELL, DIKE_WIDTH)
    small = (cut_by > 0) & (cut_by < parameters.smallest_bulge)
    dikes |= occupied & ~ground & small & (attached >= parameters.crest_ways) & (edges == 0)
    ground |= dikes
    planes = fit_planes(cells, ground, ground, CLEARING_RADII, PLANE_CELLS + 2)
    above = cells.height - planes.height - planes.slope_x * cells.offset_x - planes.slope_y * cells.offset_y
    return np.asarray(ground & (dikes | (above <= parameters.clearing.above(planes))))


def _without_gaps(cells: Cells, occupied: NDArray[np.bool_]) -> Height:
    """The cells' heights, empty cells near to points filled from the plane through them; voids stay empty."""
    planes = fit_planes(cells, occupied, ~occupied, FILL_RADII, FILL_CELLS)
    return np.where(occupied | np.isnan(planes.height), cells.height, planes.height)


def _openings(surface: Height, parameters: GroundParameters) -> tuple[NDArray[np.bool_], NDArray[np.uint8], Height]:
    """Cells that no opening cuts off, the radius of the opening that cut each (0: none), and the last opening."""
    before = surface
    cut_by = np.zeros(surface.shape, dtype=np.uint8)
    for radius in parameters.windows:
        opened, limit = opening(surface, radius), np.float32(parameters.slope * CELL * radius)
        in_threads(_cut, len(surface), surface.size, surface, before, opened, limit, min(radius, 255), cut_by)
        before = opened
    return (surface != EMPTY) & (cut_by == 0), cut_by, before


@compiled
def _cut(
    first: int, last: int, surface: Height, before: Height, opened: Height, limit: Any, radius: int, cut_by: Any
) -> None:
    """Note the radius at cells that no opening has cut off so far and this one lowers by more than the limit."""
    for r in range(first, last):
        for c in range(surface.shape[1]):
            if surface[r, c] != EMPTY and cut_by[r, c] == 0 and before[r, c] > opened[r, c] + limit:
                cut_by[r, c] = radius


def _bulges_given_back(
    surface: Height, ground: NDArray[np.bool_], cut_by: NDArray[np.uint8], parameters: GroundParameters
) -> NDArray[np.bool_]:
    """The ground with what the larger openings cut off although the ground is reached from it on foot."""
    for _ in range(parameters.rounds):
        attached, edges = sight_lines(surface, ground, parameters.step * CELL, parameters.sight)
        reached = (attached >= parameters.ways) & (attached >= edges)
        ground = ground | (reached & (cut_by >= parameters.smallest_bulge))
    return ground


def _islands(
    surface: Height, ground: NDArray[np.bool_], high: NDArray[np.bool_], parameters: GroundParameters
) -> NDArray[np.bool_]:
    """High ground that is walled in: parts of large roofs that step up so gradually that no opening cuts them."""
    sure = ground & ~high
    for _ in range(parameters.rounds):
        attached, edges = sight_lines(surface, sure, parameters.step * CELL, parameters.island_sight)
        walled = (edges >= parameters.walls) & (edges > 3 * attached)
        sure = sure | (ground & ~walled & (attached >= 1))
    return high & walled


def _outdated(fitted: NDArray[np.bool_] | None, ground: NDArray[np.bool_]) -> NDArray[np.bool_] | bool:
    """The cells from whose planes it can be seen that the ground is no longer what it was when they were fitted."""
    if fitted is None:
        return True
    return np.asarray(dilation((ground != fitted).astype(np.float32), PLANE_REACH) > 0)


def _regain(
    cells: Cells,
    occupied: NDArray[np.bool_],
    ground: NDArray[np.bool_],
    share: Height,
    gaps: Height,
    parameters: GroundParameters,
    lowest_points: CellPoints,
) -> None:
    """Add to the ground, in place, a window further each round: cells near its planes where points lie far apart.

    Where they lie close, those near the plane on their level alone.
    """
    sparse = occupied & (share < np.float32(parameters.regaining_share))
    for _ in range(parameters.regaining_rounds):
        found = _on_level(cells, occupied & ~sparse & ~ground, ground, parameters)
        wanted = sparse & ~ground
        if wanted.any():
            planes = fit_planes(cells, ground, wanted, REGAINING_RADII, PLANE_CELLS)
            found |= _near_ground(cells, ground, planes, gaps, wanted, REGAINING_RADII, parameters, lowest_points)
        if not found.any():
            return
        ground |= found


def _on_level(
    cells: Cells, wanted: NDArray[np.bool_], ground: NDArray[np.bool_], parameters: GroundParameters
) -> NDArray[np.bool_]:
    """Of the wanted cells those not higher than tolerated above the plane through the ground on their level."""
    found = wanted & _no_higher(cells, ground, parameters)
    planes = fit_planes(cells, ground, found, REGAINING_RADII, PLANE_CELLS)
    found &= planes.spread >= parameters.break_spread
    found = fit_level_planes(cells, ground, found, REGAINING_RADII, PLANE_CELLS, parameters.side_spread, planes)
    height, east, north, level = cells.height[found], cells.offset_x[found], cells.offset_y[found], planes.at(found)
    above = height - level.height - level.slope_x * east - level.slope_y * north
    found[found] = above <= parameters.side_tolerance.above(level)
    return found


def _no_higher(cells: Cells, ground: NDArray[np.bool_], parameters: GroundParameters) -> NDArray[np.bool_]:
    """Cells that do not rise from the highest ground around by more than the grass."""
    highest_ground = dilation(np.where(ground, cells.height, -EMPTY), SIDE_RADIUS)
    return np.asarray(cells.height <= highest_ground + np.float32(parameters.side_rise))


def _near_ground(
    cells: Cells,
    ground: NDArray[np.bool_],
    planes: Planes,
    gaps: Height,
    wanted: NDArray[np.bool_],
    radii: tuple[int, ...],
    parameters: GroundParameters,
    points: Points | CellPoints,
) -> NDArray[np.bool_]:
    """Points of wanted cells not higher than tolerated above a plane of the ground around.

    That is the plane all round, on one side or on the point's level; at a cliff the last alone, where there is one.
    (n,) of a cloud, (rows, columns) of points of cells. `gaps` is what the tolerance has more where points lie apart.
    """
    one_sided, spread = parameters.side_tolerance, parameters.side_spread
    tolerance = parameters.tolerance.above(planes) + gaps
    broken, cliff = planes.spread >= parameters.break_spread, wanted & (planes.spread >= parameters.cliff_spread)
    # Those all round are for the rounds to come as well.
    judging = Planes(*(values.copy() for values in planes)) if cliff.any() else planes
    on_level = fit_level_planes(cells, ground, cliff, radii, PLANE_CELLS, spread, judging)
    tolerance[on_level] = one_sided.above(judging.at(on_level)) + gaps[on_level]
    near = np.zeros(len(points.z) if isinstance(points, Points) else ground.shape, dtype=np.bool_)
    left = np.zeros(ground.shape, dtype=np.bool_)
    mark_near(points, judging, tolerance, wanted, near, left)
    left &= wanted & broken & ~on_level & _no_higher(cells, ground, parameters)
    side = fit_sides(cells, ground, left, SIDE_RADIUS, PLANE_CELLS, one_sided, spread)
    tolerance, still = one_sided.above(side), np.zeros_like(left)
    mark_near(points, side, tolerance, wanted, near, still)
    still &= left & ~cliff
    if still.any():
        on_level = fit_level_planes(cells, ground, still, radii, PLANE_CELLS, spread, side)
        tolerance[on_level] = one_sided.above(side.at(on_level))
        mark_near(points, side, tolerance, wanted, near, left)
    return near
