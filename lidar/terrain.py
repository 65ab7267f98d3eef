"""Terrain from classified points: the ground (DTM), the surface over all (DSM), and the height between (nDSM)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from gis.crs import horizontal
from gis.errors import BadCrs, BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.bins import bin_points
from lidar.bridge import BRIDGE_REACH, bridge
from lidar.morphology import PARTS, compiled, in_threads
from lidar.point_cloud import NOISE, Class, PointCloud
from lidar.rasterise import FIT_REACH, WET, fit_planes
from lidar.surface import SURFACE_REACH, close_gaps, highest, lift_pits, typical_gaps
from lidar.water_level import level_water, mark_wet

REACH = 80.0
"""Metres: the points within this distance of a cell decide its values, and no others; the buffer a tile needs."""
MAX_RESOLUTION = 10.0
"""Metres: coarser cells are averages of finer ones, which is another product."""
MIN_RESOLUTION = 0.1

SYSTEMATIC = 0.02
"""Metres, 1σ: what is common to a strip and no neighbour shows (calibration, trajectory); the mismatch of overlapping
strips after adjustment is of this size in AHN and IGN LiDAR HD."""
DECK_MARGIN = 1.0
"""Metres around a bridge deck's points that also lie in its shadow."""

GROUND, WATER = int(Class.GROUND), int(Class.WATER)
NOT_SURFACE = (*NOISE, Class.WIRE_CONDUCTOR, 13, Class.TOWER)
"""Classes the surface model leaves out: noise and birds, wires (13 guard, 14 conductor) and their towers."""
SURFACE = ~np.isin(np.arange(256), NOT_SURFACE)
"""(256,) whether points of a class are surface."""


@dataclass(frozen=True, slots=True)
class Terrain:
    """Three rasters on one grid, metres above the vertical datum (`ndsm`: above the ground)."""

    dtm: Raster
    """The ground at each cell's centre; its band `sigma` is the height's 1σ."""
    dsm: Raster
    """The highest first return in each cell."""
    ndsm: Raster
    """Surface above ground, never negative."""


def rasterise(points: PointCloud, grid: Grid) -> Terrain:
    """Terrain on a grid from classified points that reach `REACH` beyond it wherever the survey does.

    Raises:
        BadCrs: the points' horizontal CRS is not the grid's.
        BadParameter: the resolution is outside of 0.1–10 m.
    """
    ground, surface = dtm(points, grid), dsm(points, grid)
    above = np.maximum(surface.values - ground.values, np.float32(0))
    return Terrain(ground, surface, Raster(above, grid))


def ndsm(points: PointCloud, grid: Grid) -> Raster:
    """Height of the surface above the ground, ≥ 0; NaN where either is unknown. Raises as `rasterise`."""
    return rasterise(points, grid).ndsm


def dtm(points: PointCloud, grid: Grid, *, with_water: bool = False) -> Raster:
    """The ground's height at the centres of the cells, from classes 2 and 9, with the band `sigma` (1σ, metres).

    Asked for, a band `water` says of each cell whether it lies in water (1) or not (0).

    Raises:
        BadCrs: the points' horizontal CRS is not the grid's.
        BadParameter: the resolution is outside of 0.1–10 m.
    """
    _check(points, grid)
    ground, water, extent = _surface(points)
    outer = _worked_on(extent, grid)
    bounds = outer.bounds.buffered(FIT_REACH).tuple
    bins = bin_points(points.x, points.y, points.z, ground, bounds)
    height, deviation = np.full(outer.shape, np.nan, np.float32), np.full(outer.shape, np.nan, np.float32)
    known = np.zeros(outer.shape, dtype=np.uint8)
    x, y = outer.centres()
    fit_planes(bins, x - bins.west, y - bins.south, height, deviation, known)
    wet = bin_points(points.x, points.y, points.z, water, bounds) if water.any() else None
    if wet is not None:
        mark_wet(wet, bins, x - bins.west, y - bins.south, known)
    values, spread, kind = bridge(height, deviation, known, _deck(points, outer), outer, grid)
    if wet is not None:
        x, y = grid.centres()
        level_water(wet, x - bins.west, y - bins.south, kind, values, spread)
    sigma = np.empty_like(values)
    in_threads(_with_systematic, len(sigma), sigma.size * 4, spread, sigma)
    bands = {"sigma": sigma}
    if with_water:
        bands["water"] = (kind == WET).astype(np.float32)
    return Raster(values, grid, bands)


def dsm(points: PointCloud, grid: Grid) -> Raster:
    """The highest first return of each cell, small gaps closed; NaN in real voids.

    Raises:
        BadCrs: the points' horizontal CRS is not the grid's.
        BadParameter: the resolution is outside of 0.1–10 m.
    """
    _check(points, grid)
    outer = grid.buffered(SURFACE_REACH + 2 * grid.resolution)
    seen = np.empty(len(points), dtype=np.bool_)
    in_threads(_see, len(points), len(points), points.classification, points.return_number, SURFACE, seen)
    top = highest(points.x, points.y, points.z, seen, outer)
    closed = close_gaps(top, typical_gaps(points.x, points.y, seen, outer), outer.resolution)
    return Raster(np.ascontiguousarray(lift_pits(closed)[grid.window_in(outer)]), grid)


def _check(points: PointCloud, grid: Grid) -> None:
    if not MIN_RESOLUTION <= grid.resolution <= MAX_RESOLUTION:
        why = f"terrain is made at {MIN_RESOLUTION:g} to {MAX_RESOLUTION:g} m"
        raise BadParameter("resolution", grid.resolution, why)
    ours, theirs = horizontal(points.crs), horizontal(grid.crs)
    if ours != theirs:
        raise BadCrs(f"the points are in {ours.name}, the grid is in {theirs.name}")


def _deck(points: PointCloud, grid: Grid) -> NDArray[np.float32] | None:
    """(rows, columns) height of the bridge's deck above each cell or within `DECK_MARGIN` of it, −inf elsewhere."""
    decks = points.classification == Class.BRIDGE_DECK
    if not decks.any():
        return None
    cells = ceil(DECK_MARGIN / grid.resolution)
    outer = grid.buffered(DECK_MARGIN)
    above: NDArray[np.float32] = maximum_filter(highest(points.x, points.y, points.z, decks, outer), 2 * cells + 1)
    return above[grid.window_in(outer)]


def _surface(points: PointCloud) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    """(n,) ground, (n,) water, and the (4,) west, south, east and north of both; west > east where there is none."""
    n = len(points)
    ground, water = np.empty(n, dtype=np.bool_), np.empty(n, dtype=np.bool_)
    parts = np.empty((PARTS, 4))
    in_threads(_look_for_surface, PARTS, n, points.x, points.y, points.classification, ground, water, parts)
    return ground, water, np.array([*parts[:, :2].min(axis=0), *parts[:, 2:].max(axis=0)])


def _with_systematic(first: int, last: int, spread: NDArray[np.float32], sigma: NDArray[np.float32]) -> None:
    """Add in quadrature what is common to a strip."""
    np.hypot(spread[first:last], np.float32(SYSTEMATIC), out=sigma[first:last])


def _worked_on(extent: NDArray[np.float64], grid: Grid) -> Grid:
    """The grid and as much of the `BRIDGE_REACH` around it as points of an extent decide."""
    outer = grid.buffered(BRIDGE_REACH)
    west, south, east, north = extent
    if not west <= east:
        return grid
    size, reach = grid.resolution, ceil(FIT_REACH / grid.resolution) + 1
    first_column = min(grid.first_column, max(outer.first_column, floor(west / size) - reach))
    first_row = min(grid.first_row, max(outer.first_row, floor(south / size) - reach))
    last_column = max(
        grid.first_column + grid.columns, min(outer.first_column + outer.columns, floor(east / size) + reach)
    )
    last_row = max(grid.first_row + grid.rows, min(outer.first_row + outer.rows, floor(north / size) + reach))
    return Grid(grid.crs, size, first_column, first_row, last_column - first_column, last_row - first_row)


@compiled
def _look_for_surface(
    first: int,
    last: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    classes: NDArray[np.uint8],
    ground: NDArray[np.bool_],
    water: NDArray[np.bool_],
    extents: NDArray[np.float64],
) -> None:
    """Of some parts of the points: which are ground and which water, and west, south, east and north of both."""
    for part in range(first, last):
        west, south, east, north = np.inf, np.inf, -np.inf, -np.inf
        for i in range(len(x) * part // len(extents), len(x) * (part + 1) // len(extents)):
            ground[i], water[i] = classes[i] == GROUND, classes[i] == WATER
            if (ground[i] or water[i]) and np.isfinite(x[i]) and np.isfinite(y[i]):
                west, east = min(west, x[i]), max(east, x[i])
                south, north = min(south, y[i]), max(north, y[i])
        extents[part, 0], extents[part, 1], extents[part, 2], extents[part, 3] = west, south, east, north


@compiled
def _see(
    first: int,
    last: int,
    classes: NDArray[np.uint8],
    return_number: NDArray[np.uint8],
    surface: NDArray[np.bool_],
    seen: NDArray[np.bool_],
) -> None:
    """Which points are first returns from the surface."""
    for i in range(first, last):
        seen[i] = surface[classes[i]] and return_number[i] <= 1
