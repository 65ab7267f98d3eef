"""The measured ground's height at given places: in the triangles between ground points, or between a raster's cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.errors import RasterioError
from rasterio.windows import Window
from scipy.spatial import Delaunay, QhullError, cKDTree

from gis.crs import normalise
from gis.errors import UnreadableFile
from lidar.point_cloud import Class, PointCloud
from lidar.quality.checkpoints import metres_up

REACH: Final = 5.0
"""Metres; a place with no ground point within so much is not on measured ground."""
GROWTH: Final = (1.0, 2.0, 4.0)
"""Of the reach: how far the ground points of the triangulation are taken, until its triangle is that of all points."""

OUTSIDE: Final = "outside of the survey"
NO_GROUND: Final = "no ground point near"
NO_TRIANGLE: Final = "not between ground points"
NO_HEIGHT: Final = "the raster has no height there"
Height = tuple[float, str]
"""Metres, NaN where there is none; and the reason for none."""


@dataclass(frozen=True, slots=True)
class GroundPoints:
    """Ground points around the places of interest, in metres, in an order of their own: not that of the file."""

    xyz: NDArray[np.float64]
    """(n, 3), no two at one place."""
    crs: CRS

    @classmethod
    def near(cls, points: PointCloud, x: NDArray[np.float64], y: NDArray[np.float64], reach: float) -> GroundPoints:
        """The ground points that can matter at the places."""
        ground = (points.classification == Class.GROUND) & np.isfinite(points.z)
        xyz = np.column_stack([points.x[ground], points.y[ground], points.z[ground]])
        if len(xyz) and len(x):
            gap, _ = cKDTree(np.column_stack([x, y])).query(
                xyz[:, :2], distance_upper_bound=GROWTH[-1] * reach, workers=1
            )
            xyz = xyz[np.isfinite(gap)]
        return cls(_merged(xyz), points.crs)

    @classmethod
    def joined(cls, parts: Sequence[GroundPoints]) -> GroundPoints:
        """Those of several files."""
        return cls(_merged(np.concatenate([part.xyz for part in parts])), parts[0].crs)


def heights_between(
    ground: GroundPoints, x: NDArray[np.float64], y: NDArray[np.float64], reach: float = REACH
) -> list[Height]:
    """Height of the TIN of the ground points at each place, metres.

    The triangle is that of the Delaunay triangulation of all ground points, found in those around the place: its
    circumcircle must lie inside the circle looked at, which grows to four times the reach.
    """
    if len(ground.xyz) == 0:
        return [(np.nan, NO_GROUND)] * len(x)
    tree = cKDTree(ground.xyz[:, :2])
    nearest, _ = tree.query(np.column_stack([x, y]), workers=1)
    return [
        _height(ground.xyz, tree, np.array([east, north]), reach) if gap <= reach else (np.nan, NO_GROUND)
        for east, north, gap in zip(x, y, nearest, strict=True)
    ]


def _height(xyz: NDArray[np.float64], tree: cKDTree, place: NDArray[np.float64], reach: float) -> Height:
    found = np.nan
    for growth in GROWTH:
        around = xyz[np.sort(tree.query_ball_point(place, growth * reach))]
        if len(around) < 3:
            continue
        try:
            mesh = Delaunay(around[:, :2] - place)
        except QhullError:
            continue  # all in a line
        triangle = int(mesh.find_simplex(np.zeros((1, 2)))[0])
        if triangle < 0:
            continue
        corners = mesh.points[mesh.simplices[triangle]]
        found = _interpolated(corners, around[mesh.simplices[triangle], 2])
        centre, radius = _circumcircle(corners)
        if np.hypot(*centre) + radius <= growth * reach:
            break
    return (found, "") if np.isfinite(found) else (np.nan, NO_TRIANGLE)


def _interpolated(corners: NDArray[np.float64], heights: NDArray[np.float64]) -> float:
    """Height at the origin, of the plane through three corners."""
    weights = np.linalg.solve(np.vstack([corners.T, np.ones(3)]), np.array([0.0, 0.0, 1.0]))
    return float(weights @ heights)


def _circumcircle(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Centre and radius of the circle through three corners."""
    edges = 2.0 * (corners[1:] - corners[0])
    squares = (corners[1:] ** 2).sum(axis=1) - (corners[0] ** 2).sum()
    centre = np.linalg.solve(edges, squares)
    return centre, float(np.hypot(*(centre - corners[0])))


def _merged(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sorted by place, so that no order of points shows; of several at one place the mean height."""
    if len(xyz) == 0:
        return xyz.reshape(0, 3)
    xyz = xyz[np.lexsort((xyz[:, 2], xyz[:, 1], xyz[:, 0]))]
    start = np.flatnonzero(np.r_[True, (np.diff(xyz[:, :2], axis=0) != 0).any(axis=1)])
    count = np.diff(np.r_[start, len(xyz)])
    return np.column_stack([xyz[start, :2], np.add.reduceat(xyz[:, 2], start) / count])


@dataclass(frozen=True, slots=True)
class HeightRaster:
    """What is known of a raster of heights without reading its cells."""

    path: Path
    crs: CRS
    bounds: tuple[float, float, float, float]
    """(min x, min y, max x, max y) in the CRS' unit."""
    metres_up: float
    """Metres in a unit of height."""

    @classmethod
    def of(cls, path: Path) -> HeightRaster:
        """Look at its header.

        Raises:
            UnreadableFile: it is no raster with north up and a CRS.
        """
        try:
            with rasterio.open(path) as source:
                if source.crs is None:
                    raise UnreadableFile(path, "the raster has no coordinate reference system")
                if source.transform.b or source.transform.d:
                    raise UnreadableFile(path, "its rows do not run from west to east")
                crs = normalise(source.crs.to_wkt())
                return cls(path, crs, tuple(source.bounds), metres_up(crs))
        except RasterioError as error:
            raise UnreadableFile(path, f"not a readable raster ({' '.join(str(error).split())})") from error

    def heights(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Height]:
        """Bilinear between the centres of the cells, metres; all four around a place must have a height."""
        try:
            with rasterio.open(self.path) as source:
                return [self._height(source, east, north) for east, north in zip(x, y, strict=True)]
        except RasterioError as error:
            raise UnreadableFile(self.path, f"not a readable raster ({' '.join(str(error).split())})") from error

    def _height(self, source: rasterio.DatasetReader, x: float, y: float) -> Height:
        west, south, east, north = self.bounds
        if not (west <= x <= east and south <= y <= north):
            return np.nan, OUTSIDE
        column = (x - source.transform.c) / source.transform.a - 0.5
        row = (y - source.transform.f) / source.transform.e - 0.5
        left, top = int(np.floor(column)), int(np.floor(row))
        if left < 0 or top < 0 or left + 1 >= source.width or top + 1 >= source.height:
            return np.nan, NO_HEIGHT
        cells = source.read(1, window=Window(left, top, 2, 2), masked=True).astype(np.float64).filled(np.nan)
        right, down = column - left, row - top
        upper = cells[0, 0] * (1 - right) + cells[0, 1] * right
        lower = cells[1, 0] * (1 - right) + cells[1, 1] * right
        height = float(upper * (1 - down) + lower * down) * self.metres_up
        return (height, "") if np.isfinite(height) else (np.nan, NO_HEIGHT)
