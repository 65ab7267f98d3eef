"""The octree of a COPC file as a value: where its voxels are, how far apart their points, and the points of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from gis.errors import NotFound, UnreadableFile
from lidar.las.copc import root_of, voxels_of
from lidar.las.crs import in_metres
from lidar.las.file_crs import resolve_crs
from lidar.las.header import open_file, parse_header
from lidar.las.laz_chunks import Chunk
from lidar.las.points import chunk_columns
from lidar.point_cloud import PointCloud

Key = tuple[int, int, int, int]
"""Level, x, y, z of a voxel (COPC 1.0)."""
LEVELS_MOST = 20
"""Deeper voxels are a millionth of the file across."""


@dataclass(frozen=True, slots=True)
class Octree:
    """What a COPC file has where."""

    path: Path
    crs: CRS
    corner: tuple[float, float, float]
    """Metres: the lowest corner of the root voxel."""
    side: tuple[float, float, float]
    """Metres: of the root voxel; x, y, z differ in a file whose heights have another unit."""
    spacing: float
    """Metres between points of level 0; half as much at each further level."""
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    """Metres: between which all points lie, as the header says."""
    voxels: dict[Key, Chunk]
    """Those that hold points, the coarsest first."""
    across: float
    up: float
    """Metres in a unit of the file."""

    def box(self, key: Key) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest corner of a voxel's part that may hold points, metres."""
        side = np.array(self.side) / (1 << key[0])
        start = np.array(self.corner) + side * key[1:]
        low, high = np.maximum(start, self.low), np.minimum(start + side, self.high)
        return np.minimum(low, high), np.maximum(low, high)

    def points(self, key: Key) -> PointCloud:
        """The points of a voxel: coordinates and classes; other columns are zero.

        Raises:
            NotFound: it holds none.
            UnreadableFile: the file went away, or is damaged.
        """
        chunk = self.voxels.get(key)
        if chunk is None:
            raise NotFound("voxel", "-".join(map(str, key)))
        with open_file(self.path) as handle:
            header = parse_header(handle, self.path)
            columns = chunk_columns(handle, header, chunk, self.across, self.up, frozenset())
        return PointCloud(**columns._asdict(), crs=self.crs)


def read_octree(path: Path, levels: int = LEVELS_MOST) -> Octree:
    """The octree of a COPC file on this machine, down to a level.

    Raises:
        UnreadableFile: the file is missing, damaged, or no COPC.
        MissingCrs, BadCrs: as `lidar.read.read`.
    """
    with open_file(path) as handle:
        header = parse_header(handle, path)
        if not header.is_copc:
            raise UnreadableFile(path, "no COPC: its points are in no octree")
        crs, across, up = in_metres(resolve_crs(header))
        root = root_of(header)
        voxels = {voxel.key: voxel.chunk for voxel in voxels_of(handle, header, levels)}
    x, y, z = root.corner
    west, south, east, north = (across * value for value in header.bounds)
    lowest, highest = (up * value for value in header.z_range)
    return Octree(
        path,
        crs,
        (across * x, across * y, up * z),
        (across * root.side, across * root.side, up * root.side),
        across * root.spacing,
        (west, south, lowest),
        (east, north, highest),
        voxels,
        across,
        up,
    )
