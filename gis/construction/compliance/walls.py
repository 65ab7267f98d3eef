"""How far a building's walls lie beyond a line, wall by wall, each with its standard deviation.

A survey's or a map's error is a wall's, not a corner's: the mean over a stretch of wall is tested, never the farthest
corner, whose error is the largest of many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.construction.compliance.values import ComplianceParameters, Observation, confidence

SHORTEST = 1.0
"""m: shorter sides are corners and steps; they have no place of their own."""
SPACING = 0.5
"""m between the places along a wall."""
AGREE = 1.0
"""Standard deviations up to which the measured wall may lie farther out than the map's; beyond, a roof that hangs over
is as likely as an error."""
INNER = 3.0
"""Standard deviations up to which it may lie farther in; beyond, it is another wall: of a roof set back, or lower."""
NEAR = 0.75
"""m from the line within which a wall counts as one that might pass it."""
Depth = Callable[[NDArray[np.object_]], NDArray[np.float64]]
"""Of (n,) points the metres by which each lies beyond a line; 0 or less on the right side."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """The wall that lies beyond a line by most standard deviations."""

    depth: float
    """m, mean over the farther half of the wall."""
    sigma: float
    """m."""
    walls: int
    """Walls at the line or beyond it: as many were tested."""
    length: float
    """m, of this wall."""
    measured: bool
    """Whether points tell the wall's place beside the map."""

    def exceeds(self, tolerance: float, parameters: ComplianceParameters) -> bool:
        """Whether it is beyond the tolerance by more than the accepted false-alarm rate explains."""
        return self.depth > tolerance + parameters.k_of(self.walls) * self.sigma

    def confidence(self, tolerance: float) -> float:
        """Probability that the wall is beyond the tolerance."""
        return confidence(self.depth, tolerance, self.sigma)


@dataclass(frozen=True, slots=True)
class Walls:
    """The sides of an outer ring at their best known places."""

    ends: NDArray[np.float64]
    """(k, 2, 2) start and end of each side, moved to where map and points together put it."""
    sigma: NDArray[np.float64]
    """(k,) m."""
    measured: NDArray[np.bool_]
    """(k,) whether points had a part in it."""


def walls_of(observation: Observation, part: BaseGeometry) -> Walls:
    """The walls of a building, or of its part on one parcel.

    A side that points tell too, and that they put no more than 1 σ outside of the map's or 3 σ inside of it, lies at
    the weighted mean of both; two independent measurements are worth more than one. Where the points lie farther out,
    the roof hangs over, or something was built on; farther in, it is another wall: the map's is kept.
    """
    whole = part is observation.footprint
    polygon = part if whole else max(shapely.get_parts(part), key=shapely.area)
    ring = shapely.get_coordinates(shapely.get_exterior_ring(polygon))
    ends = np.stack([ring[:-1], ring[1:]], axis=1)
    way = ends[:, 1] - ends[:, 0]
    length = np.hypot(*way.T)
    sigma = np.full(len(ends), observation.sigma_outline)
    measured = np.zeros(len(ends), dtype=bool)
    offsets = observation.wall_offsets
    if whole and offsets is not None and len(offsets) == len(ends):
        apart = np.hypot(sigma, offsets[:, 1])
        measured = (offsets[:, 0] <= AGREE * apart) & (offsets[:, 0] >= -INNER * apart)
        weight = np.where(measured, (sigma / apart) ** 2, 0.0)
        turn = 1.0 if shapely.is_ccw(shapely.get_exterior_ring(polygon)) else -1.0
        out = turn * np.stack([way[:, 1], -way[:, 0]], axis=1) / np.maximum(length, 1e-9)[:, None]
        ends = ends + (weight * np.where(measured, offsets[:, 0], 0.0))[:, None, None] * out[:, None, :]
        sigma = np.where(measured, sigma * offsets[:, 1] / np.where(measured, apart, 1.0), sigma)
    long = length >= SHORTEST
    return Walls(ends[long], sigma[long], measured[long])


def farthest_beyond(walls: Walls, depth_of: Depth) -> Beyond | None:
    """The wall that is most surely beyond a line; None when none is at the line."""
    if len(walls.ends) == 0:
        return None
    way = walls.ends[:, 1] - walls.ends[:, 0]
    length = np.hypot(*way.T)
    counts = 2 * np.maximum(np.ceil(length / SPACING / 2).astype(np.int64), 2)
    side = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    share = (place + 0.5) / counts[side]
    at = walls.ends[side, 0] + share[:, None] * way[side]
    depth = np.asarray(depth_of(shapely.points(at)), dtype=np.float64)
    half = np.bincount(2 * side + (share > 0.5), np.maximum(depth, 0.0), minlength=2 * len(counts))
    mean = (half.reshape(-1, 2) / (counts / 2)[:, None]).max(axis=1)
    nearest = np.full(len(counts), -np.inf)
    np.maximum.at(nearest, side, depth)
    at_line = int((nearest > -NEAR).sum())
    if at_line == 0 or not (mean > 0.0).any():
        return None
    most = int(np.argmax(mean / walls.sigma))
    return Beyond(float(mean[most]), float(walls.sigma[most]), at_line, float(length[most]), bool(walls.measured[most]))


def outside_of(area: BaseGeometry) -> Depth:
    """Metres outside of an area; inside, less than nothing."""
    border = shapely.boundary(area)
    shapely.prepare(area)

    def depth(points: NDArray[np.object_]) -> NDArray[np.float64]:
        out = shapely.distance(points, area)
        return np.where(out > 0.0, out, -shapely.distance(points, border))

    return depth


def within_distance(line: BaseGeometry, least: float) -> Depth:
    """Metres by which a place is nearer to a line than allowed."""
    return lambda points: least - np.asarray(shapely.distance(points, line), dtype=np.float64)


def area_sigma(polygon: BaseGeometry, sigma: float) -> float:
    """m², of an outline's area whose sides err by σ each on its own: σ √(Σ l²)."""
    ring = shapely.get_coordinates(shapely.get_exterior_ring(max(shapely.get_parts(polygon), key=shapely.area)))
    return sigma * float(np.sqrt((np.diff(ring, axis=0) ** 2).sum()))
