"""Rasters over many and large files, in memory that the raster bounds and not the points: block by block.

Every block is read with as much around it as its cells depend on, so that the blocks do not show in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from gis.bounds import BoundingBox
from gis.errors import BadCrs, BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.catalog import FileRecord, scan
from lidar.las.crs import in_metres
from lidar.pipeline import CONTEXT, classified, read
from lidar.point_cloud import PointCloud
from lidar.read import ATTRIBUTES, read_many
from lidar.terrain import REACH
from lidar.tile import Tile

BLOCK_POINTS = 10_000_000
"""Points read at a time, about: 0.5 GB, and as much again for the work on them."""
BLOCK_CELLS = 16_000_000
"""Cells of a block, at most: 40 bytes each while they are worked on."""
LEAST_SIDE = 100.0
"""m: smaller blocks would read their surroundings, hundreds of metres, over and over."""
BYTES_PER_CELL = 48
"""Of the whole raster: its bands, what is derived of them, and the copies GDAL makes while writing."""
GIB = 1024**3
MOST_BYTES = 4 * GIB
"""What a raster may take while it is made; a city is made in tiles, not as one raster."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Files that are worked on together: all usable, in one CRS."""

    records: tuple[FileRecord, ...]
    bounds: BoundingBox
    """Of all files, by their headers; in metres."""
    crs: CRS
    """Horizontal or compound, in metres."""

    @property
    def paths(self) -> tuple[Path | str, ...]:
        """The files, in order."""
        return tuple(record.path for record in self.records)

    @property
    def point_count(self) -> int:
        """By the headers."""
        return sum(record.header.point_count for record in self.records if record.header is not None)


def look_at(paths: Iterable[Path | str], crs: CRS | None = None) -> Survey:
    """The files, and those in the folders, that are named.

    Args:
        paths: LAS, LAZ and COPC files, and folders of them.
        crs: of files that do not say their own.

    Raises:
        BadParameter: there is no file.
        UnreadableFile, MissingCrs, BadCrs: a file is damaged, a copy of another or without CRS, or their CRS differ.
    """
    named = list(paths)
    records = scan(named, crs)
    for record in records:
        if record.problem is not None:
            raise record.problem
    boxes = [record.bounds for record in records if record.bounds is not None]
    if not boxes or records[0].crs is None:
        raise BadParameter("IN", ", ".join(map(str, named)), "no LAS or LAZ file is there")
    bounds = boxes[0]
    for record, box in zip(records, boxes, strict=True):
        if box.crs != bounds.crs:
            raise BadCrs(f"{record.path} and {records[0].path} are in different CRS: they cannot make one raster")
        bounds = bounds.union(box)
    return Survey(tuple(records), bounds, in_metres(records[0].crs)[0])


def grid_over(bounds: BoundingBox, resolution: float) -> Grid:
    """The aligned grid that covers the bounds, if a raster of it fits into memory.

    Raises:
        BadParameter: it does not.
    """
    grid = Grid.covering(bounds, resolution)
    needed = grid.rows * grid.columns * BYTES_PER_CELL
    if needed > MOST_BYTES:
        least = sqrt(bounds.area * BYTES_PER_CELL / MOST_BYTES)
        coarser = ceil(least * 20 + 1) / 20
        raise BadParameter(
            "resolution",
            resolution,
            f"{grid.columns:,} × {grid.rows:,} cells would take {needed / GIB:,.0f} GB of memory, and one raster may "
            f"take {MOST_BYTES / GIB:.0f}; say --resolution {coarser:g} or more, or cut it into tiles: "
            "diaba lidar add, then diaba lidar build",
        )
    return grid


def raster_over(
    survey: Survey,
    grid: Grid,
    make: Callable[[PointCloud, Grid], Raster],
    *,
    keep_classes: bool = False,
    tracked: Callable[[list[Grid]], Iterable[Grid]] = iter,
) -> Raster:
    """The raster that `make` would give for all points at once.

    Args:
        survey: what to read.
        grid: of the raster.
        make: of classified points and a grid; its cells depend on no points beyond `lidar.terrain.REACH`, and on their
            coordinates, returns and classes alone.
        keep_classes: trust the classes in the files instead of classifying anew.
        tracked: is handed the blocks and gives them back one after the other, to show how far it is.

    Raises:
        DiabaError: a file cannot be read.
    """
    buffer = REACH if keep_classes else CONTEXT
    wanted = frozenset[str]() if keep_classes else ATTRIBUTES
    blocks = _blocks(survey, grid, buffer)
    bands: dict[str, NDArray[np.float32]] = {}
    for block in tracked(blocks):
        tile = Tile("", block.bounds, survey.paths, survey.crs, buffer)
        points = read_many(survey.paths, crs=survey.crs, attributes=wanted) if len(blocks) == 1 else read(tile, wanted)
        if len(points) == 0:
            continue
        part = make(points if keep_classes else classified(points), block)
        window = block.window_in(grid)
        for name, band in {"": part.values, **part.bands}.items():
            if name not in bands:
                bands[name] = np.full(grid.shape, np.nan, dtype=np.float32)
            bands[name][window] = band
    values = bands.pop("", None)
    return Raster(np.full(grid.shape, np.nan, dtype=np.float32) if values is None else values, grid, bands)


def _blocks(survey: Survey, grid: Grid, buffer: float) -> list[Grid]:
    """The grid in squares that files reach into, each with its surroundings of some `BLOCK_POINTS`."""
    if survey.point_count <= BLOCK_POINTS and grid.rows * grid.columns <= BLOCK_CELLS:
        return [grid]
    density = survey.point_count / sum(max(r.bounds.area, 1.0) for r in survey.records if r.bounds is not None)
    side = max(sqrt(BLOCK_POINTS / density) - 2 * buffer, LEAST_SIDE)
    cells = max(min(int(side / grid.resolution), int(sqrt(BLOCK_CELLS))), 1)
    blocks = []
    for row in range(grid.first_row, grid.first_row + grid.rows, cells):
        for column in range(grid.first_column, grid.first_column + grid.columns, cells):
            rows = min(cells, grid.first_row + grid.rows - row)
            columns = min(cells, grid.first_column + grid.columns - column)
            block = Grid(grid.crs, grid.resolution, column, row, columns, rows)
            seen = block.bounds.buffered(buffer)
            if any(r.bounds is not None and r.bounds.intersects(seen) for r in survey.records):
                blocks.append(block)
    return blocks
