"""Terrain for globes: levels of a geographic tile set, how exact each is, and the mesh of one tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, radians
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.dependencies import Service
from api.mosaic import Lattice, heights_at
from gis.bounds import BoundingBox
from gis.city_model.quantized_mesh import HEIGHT_STEP, SEMI_MAJOR, TerrainTile, encode
from gis.crs import WGS84, horizontal, normalise
from gis.store.coverage import RasterFile, extents_of, rasters_over
from lidar.terrain_mesh import grid_mesh

GRID = 128
"""Steps along a tile's side at which heights are read."""
LEVEL_LEAST = 11
"""Coarser tiles are level: one would be read from thousands of files."""
LEVEL_MOST = 18
"""A tile is 76 m wide there and read every 0.6 m, about a cell of the terrain."""
ZERO_LEVEL_ERROR = SEMI_MAJOR * 2 * pi * 0.25 / (65 * 2)
"""Metres: how far off clients (CesiumJS) take tiles of level 0 to be; half of it on each further level."""
SHARE_OF_ERROR = 0.25
"""Of that, ours: what is held at every place where heights are read."""
DEGREE = SEMI_MAJOR * pi / 180
"""Metres of a degree on the equator."""
MESHING = 1
"""Part of every tile's name: raised when the same heights give other meshes."""
AVAILABLE_MOST = 2_000
"""Rectangles of a level; where tiles are scattered over more, one rectangle stands for all."""


@dataclass(frozen=True, slots=True)
class TerrainKey:
    """A tile: columns from the antimeridian, rows from the south pole."""

    z: int
    x: int
    y: int

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north, degrees."""
        side = 180.0 / 2**self.z
        return -180 + self.x * side, -90 + self.y * side, -180 + (self.x + 1) * side, -90 + (self.y + 1) * side


def tolerance(z: int) -> float:
    """Metres that a level's triangles are off at most, rounding included, at the places where heights are read."""
    return SHARE_OF_ERROR * ZERO_LEVEL_ERROR / float(2**z)


def parts_least(z: int) -> int:
    """Parts each side is cut into in any case: a quarter of the client's error for the curve of the globe."""
    parts = 1
    while parts < 64 and SEMI_MAJOR * (1 - cos(radians(180.0 / 2**z) / parts / 2)) > tolerance(z):
        parts *= 2
    return parts


def files_of(service: Service, key: TerrainKey, epoch: str | None) -> list[RasterFile]:
    """The files a tile is made from; none where the city is not, or at levels that would read too many."""
    if key.z < LEVEL_LEAST:
        return []
    west, south, east, north = key.bounds
    margin = (east - west) / GRID * 2
    use = service.city.crs.area_of_use
    if use is not None and (
        west > use.east + 3 or east < use.west - 3 or south > use.north + 3 or north < use.south - 3
    ):
        return []
    box = BoundingBox(west, south, east, north, normalise(WGS84)).buffered(margin).to(horizontal(service.city.crs))
    with service.reading() as connection:
        return rasters_over(connection, "dtm", box, epoch=epoch, most=service.limits.raster_files_most)


def mesh_of(
    service: Service, key: TerrainKey, files: Sequence[RasterFile], *, with_normals: bool, metadata: Any | None
) -> bytes:
    """The tile as quantized-mesh, above the ellipsoid by the city's geoid offset.

    Where no height is known it is that of the datum's zero: flat.
    """
    if files:
        heights = np.nan_to_num(_heights(service, key, files).astype(np.float64))
    else:
        heights = np.zeros((GRID + 3, GRID + 3))
    inner = heights[1:-1, 1:-1]
    mesh = grid_mesh(inner, tolerance(key.z) - HEIGHT_STEP / 2, parts_least(key.z))
    east, north = _slopes(key, heights)
    at = mesh.rows, mesh.columns
    tile = TerrainTile(
        bounds=key.bounds,
        u=mesh.columns / GRID,
        v=1 - mesh.rows / GRID,
        heights=inner[at] + service.city.geoid_offset,
        triangles=mesh.triangles,
        slopes=(east[at], north[at]),
    )
    return encode(tile, with_normals=with_normals, metadata=metadata)


def available(service: Service, level_least: int, level_most: int) -> list[list[dict[str, int]]]:
    """Of each level the rectangles of tiles that there are, rows from the south: all of level 0, then the city's."""
    with service.reading() as connection:
        boxes = extents_of(connection, "dtm", service.city.crs)
    corners = np.array([box.to(WGS84).tuple for box in boxes]).reshape(-1, 4)
    found = []
    for z in range(level_least, level_most + 1):
        whole = [{"startX": 0, "startY": 0, "endX": 1, "endY": 0}]
        found.append(whole if z == 0 else _rectangles(corners, z))
    return found


def _heights(service: Service, key: TerrainKey, files: Sequence[RasterFile]) -> NDArray[np.float32]:
    step = 180.0 / 2**key.z / GRID
    row = (2**key.z - 1 - key.y) * GRID
    size = GRID + 3
    lattice = Lattice(normalise(WGS84), (-180.0, 90.0), step, 0.0, key.x * GRID - 1, row - 1, size, size)
    # One size of cells for the whole level: tiles that share an edge must read it from the same overviews.
    cell = step * DEGREE
    return heights_at(files, service.city.folder, service.rasters, lattice, service.city.crs, cell)


def _slopes(key: TerrainKey, heights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rise per metre to the east and north at the places of a tile, from the places on both sides."""
    step = 180.0 / 2**key.z / GRID
    row = (2**key.z - 1 - key.y) * GRID
    latitude = np.radians(90 - (row + np.arange(GRID + 1)) * step)
    wide = np.maximum(2 * step * DEGREE * np.cos(latitude), 1e-9)[:, None]
    east = (heights[1:-1, 2:] - heights[1:-1, :-2]) / wide
    north = (heights[:-2, 1:-1] - heights[2:, 1:-1]) / (2 * step * DEGREE)
    return east, north


def _rectangles(corners: NDArray[np.float64], z: int) -> list[dict[str, int]]:
    """Rectangles of a level's tiles that boxes (n, 4) of degrees touch, without overlaps."""
    if not len(corners):
        return []
    side = 180.0 / 2**z
    shifted = (corners + np.array([180.0, 90.0, 180.0, 90.0])) / side
    first, last = np.floor(shifted[:, :2]).astype(int), np.ceil(shifted[:, 2:]).astype(int) - 1
    (left, bottom), (right, top) = first.min(axis=0), last.max(axis=0)
    taken = np.zeros((top - bottom + 1, right - left + 1), dtype=bool)
    for (x0, y0), (x1, y1) in zip(first, last, strict=True):
        taken[y0 - bottom : y1 - bottom + 1, x0 - left : x1 - left + 1] = True
    found: list[dict[str, int]] = []
    growing: dict[tuple[int, int], dict[str, int]] = {}
    for row, line in enumerate(taken):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
        runs = [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        growing = {run: growing.get(run) or _started(found, run, left, bottom + row) for run in runs}
        for rectangle in growing.values():
            rectangle["endY"] = int(bottom + row)
    if len(found) > AVAILABLE_MOST:
        return [{"startX": int(left), "startY": int(bottom), "endX": int(right), "endY": int(top)}]
    return found


def _started(found: list[dict[str, int]], run: tuple[int, int], left: int, row: int) -> dict[str, int]:
    rectangle = {"startX": int(left + run[0]), "startY": int(row), "endX": int(left + run[1]), "endY": int(row)}
    found.append(rectangle)
    return rectangle
