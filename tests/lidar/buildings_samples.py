"""Made-up ground, roofs and points for the tests of buildings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon, contains_xy

from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.grid import Grid
from gis.raster import Raster
from lidar.point_cloud import Class, PointCloud
from lidar.terrain import Terrain

CRS = normalise("EPSG:9210")
Height = float | Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def level_terrain(west: float, south: float, east: float, north: float, height: float = 2.0) -> Terrain:
    """Flat ground with σ 0.05 m."""
    grid = Grid.covering(BoundingBox(west, south, east, north, CRS), 0.5)
    values = np.full(grid.shape, height, dtype=np.float32)
    dtm = Raster(values, grid, {"sigma": np.full(grid.shape, 0.05, dtype=np.float32)})
    return Terrain(dtm, Raster(values, grid), Raster(np.zeros_like(values), grid))


def scanned(
    bounds: tuple[float, float, float, float],
    roofs: list[tuple[Polygon, Height]],
    *,
    density: float = 12.0,
    ground: float = 2.0,
    noise: float = 0.03,
    seed: int = 0,
) -> PointCloud:
    """Points over the bounds: on the roof whose polygon holds them (the last one listed), else on the ground."""
    random = np.random.default_rng(seed)
    west, south, east, north = bounds
    n = int(density * (east - west) * (north - south))
    x, y = random.uniform(west, east, n), random.uniform(south, north, n)
    z = np.full(n, ground)
    kind = np.full(n, Class.GROUND, dtype=np.uint8)
    for polygon, height in roofs:
        on = contains_xy(polygon, x, y)
        z[on] = height(x[on], y[on]) if callable(height) else height
        kind[on] = Class.BUILDING
    return PointCloud.from_xyz(x, y, z + random.normal(0, noise, n), CRS, classification=kind)
