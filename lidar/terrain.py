"""Terrain from classified points: the ground (DTM), the surface over all (DSM), and the height between (nDSM)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from gis.crs import horizontal
from gis.errors import BadCrs, BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.bins import PLANE_REACH, bin_points
from lidar.bridge import MAX_BRIDGE, bridge
from lidar.point_cloud import NOISE, Class, PointCloud
from lidar.rasterise import fit_planes, fit_water, local_noise, quiet_noise
from lidar.surface import SURFACE_REACH, close_gaps, highest, lift_pits, typical_gap

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

NOT_SURFACE = (*NOISE, Class.WIRE_CONDUCTOR, 13, Class.TOWER)
"""Classes the surface model leaves out: noise and birds, wires (13 guard, 14 conductor) and their towers."""


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


def dtm(points: PointCloud, grid: Grid) -> Raster:
    """The ground's height at the centres of the cells, from classes 2 and 9, with the band `sigma` (1σ, metres).

    Raises:
        BadCrs: the points' horizontal CRS is not the grid's.
        BadParameter: the resolution is outside of 0.1–10 m.
    """
    _check(points, grid)
    finite = np.isfinite(points.x) & np.isfinite(points.y) & np.isfinite(points.z)
    ground = (points.classification == Class.GROUND) & finite
    water = (points.classification == Class.WATER) & finite
    outer = _worked_on(points, ground | water, grid)
    bounds = outer.bounds.buffered(PLANE_REACH).tuple
    bins = bin_points(points.x, points.y, points.z, ground, bounds)
    height, sigma = np.full(outer.shape, np.nan), np.full(outer.shape, np.nan)
    known = np.zeros(outer.shape, dtype=np.uint8)
    x, y = outer.centres()
    place = (x - bins.west, y - bins.south)
    residual, noise = np.empty(bins.layout[-1, 1:]), np.empty(bins.layout[-1, 1:])
    local_noise(bins.moments, bins.layout, residual)
    quiet_noise(residual, noise)
    fit_planes(bins.moments, bins.layout, noise, *place, height, sigma, known)
    if water.any():
        wet = bin_points(points.x, points.y, points.z, water, bounds)
        fit_water(wet.moments, bins.moments, bins.layout, *place, height, sigma, known)
    values, spread = np.full(grid.shape, np.nan), np.full(grid.shape, np.nan)
    window = grid.window_in(outer)
    bridge(
        height,
        sigma,
        known,
        _below_deck(points, outer),
        grid.resolution,
        window[0].start,
        window[1].start,
        values,
        spread,
    )
    return Raster(values.astype(np.float32), grid, {"sigma": np.hypot(spread, SYSTEMATIC).astype(np.float32)})


def dsm(points: PointCloud, grid: Grid) -> Raster:
    """The highest first return of each cell, small gaps closed; NaN in real voids.

    Raises:
        BadCrs: the points' horizontal CRS is not the grid's.
        BadParameter: the resolution is outside of 0.1–10 m.
    """
    _check(points, grid)
    outer = grid.buffered(SURFACE_REACH + 2 * grid.resolution)
    seen = (points.return_number <= 1) & ~np.isin(points.classification, NOT_SURFACE)
    top = np.full(outer.shape, -np.inf)
    last_row = outer.first_row + outer.rows - 1
    highest(points.x, points.y, points.z, seen, outer.resolution, outer.first_column, last_row, top)
    gap = typical_gap(points.x, points.y, seen, outer)
    closed, lifted = np.empty(outer.shape), np.empty(outer.shape)
    close_gaps(top, gap, outer.resolution, closed)
    lift_pits(closed, lifted)
    return Raster(lifted[grid.window_in(outer)].astype(np.float32), grid)


def _check(points: PointCloud, grid: Grid) -> None:
    if not MIN_RESOLUTION <= grid.resolution <= MAX_RESOLUTION:
        why = f"terrain is made at {MIN_RESOLUTION:g} to {MAX_RESOLUTION:g} m"
        raise BadParameter("resolution", grid.resolution, why)
    ours, theirs = horizontal(points.crs), horizontal(grid.crs)
    if ours != theirs:
        raise BadCrs(f"the points are in {ours.name}, the grid is in {theirs.name}")


def _below_deck(points: PointCloud, grid: Grid) -> NDArray[np.bool_]:
    """(rows, columns): the cells with a bridge's deck above them or within `DECK_MARGIN`."""
    decks = points.classification == Class.BRIDGE_DECK
    if not decks.any():
        return np.zeros(grid.shape, dtype=np.bool_)
    cells = ceil(DECK_MARGIN / grid.resolution)
    outer = grid.buffered(DECK_MARGIN)
    top = np.full(outer.shape, -np.inf)
    last_row = outer.first_row + outer.rows - 1
    highest(points.x, points.y, points.z, decks, outer.resolution, outer.first_column, last_row, top)
    below: NDArray[np.bool_] = binary_dilation(top > -np.inf, np.ones((2 * cells + 1, 2 * cells + 1), dtype=np.bool_))
    return below[grid.window_in(outer)]


def _worked_on(points: PointCloud, chosen: NDArray[np.bool_], grid: Grid) -> Grid:
    """The grid and as much of the `MAX_BRIDGE` around it as the points reach."""
    outer = grid.buffered(MAX_BRIDGE)
    if not chosen.any():
        return grid
    x, y = points.x[chosen], points.y[chosen]
    west, south = floor(np.min(x) / grid.resolution), floor(np.min(y) / grid.resolution)
    east, north = floor(np.max(x) / grid.resolution) + 1, floor(np.max(y) / grid.resolution) + 1
    first_column = min(grid.first_column, max(outer.first_column, west))
    first_row = min(grid.first_row, max(outer.first_row, south))
    last_column = max(grid.first_column + grid.columns, min(outer.first_column + outer.columns, east))
    last_row = max(grid.first_row + grid.rows, min(outer.first_row + outer.rows, north))
    return Grid(grid.crs, grid.resolution, first_column, first_row, last_column - first_column, last_row - first_row)
