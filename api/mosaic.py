"""Heights at the places of a map or at a position, read from the catalogue's rasters."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor, hypot, isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.errors import RasterioError
from rasterio.windows import Window

from api.open_rasters import OpenRasters
from gis.crs import horizontal, transformer
from gis.errors import NotFound
from gis.store.coverage import RasterFile
from lidar.resample import NET, Accumulated

log = logging.getLogger("diaba.api")

LEVEL_SLACK = 1.05
"""How much coarser than the map an overview may be and still be taken."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Places of a map: rows × columns of them, named by whole numbers that the entire map shares.

    Place (i, j) lies at (origin + (i + offset) · step, origin − (j + offset) · step): columns run east, rows south.
    """

    crs: CRS
    origin: tuple[float, float]
    """x and y of the map's north-western corner."""
    step: float
    offset: float
    """½ where a place is the middle of a pixel, 0 where it is a corner of a mesh."""
    first_column: int
    first_row: int
    columns: int
    rows: int

    @property
    def first_node(self) -> tuple[int, int]:
        """Row and column of the net's first node, in steps of the net."""
        return floor(self.first_row / NET), floor(self.first_column / NET)

    def nodes(self, city: CRS) -> NDArray[np.float64]:
        """(node rows, node columns, 2) x and y in the city's CRS of the net that holds all places."""
        row, column = self.first_node
        last_row, last_column = self.first_row + self.rows - 1, self.first_column + self.columns - 1
        # A place on a node belongs to the part that begins there.
        rows = np.arange(row, floor(last_row / NET) + 2)
        columns = np.arange(column, floor(last_column / NET) + 2)
        x = self.origin[0] + (columns * NET + self.offset) * self.step
        y = self.origin[1] - (rows * NET + self.offset) * self.step
        east, north = np.meshgrid(x, y)
        return np.stack(transformer(self.crs, horizontal(city)).transform(east, north), axis=-1)


def heights_at(
    files: Sequence[RasterFile],
    folder: Path,
    opened: OpenRasters,
    lattice: Lattice,
    city: CRS,
    cell: float | None = None,
) -> NDArray[np.float32]:
    """Heights (rows, columns) at a lattice's places, metres; NaN where no file knows one.

    The newest campaign that knows a place gives it; files of one campaign are read as one raster.

    Args:
        files: the newest campaign first, as the catalogue lists them.
        folder: what their paths are relative to.
        opened: the open files.
        lattice: the places.
        city: CRS of the files.
        cell: metres; overviews about that coarse are read. Without it: the distance of the places on the ground.
    """
    heights = np.full((lattice.rows, lattice.columns), np.nan, dtype=np.float32)
    nodes = lattice.nodes(city)
    if not np.isfinite(nodes).all():
        return heights
    row, column = lattice.first_node
    first = lattice.first_row - row * NET, lattice.first_column - column * NET
    wanted = _ground_step(nodes) if cell is None else cell
    for _, campaign in groupby(files, key=lambda file: file.epoch):
        found = Accumulated(heights.shape)
        for file in campaign:
            path = existing(folder, file)
            if path is not None:
                _add_file(found, path, opened, nodes, first, wanted)
        found.fill(heights)
        if not np.isnan(heights).any():
            break
    return heights


def value_at(
    files: Sequence[RasterFile], folder: Path, opened: OpenRasters, x: float, y: float
) -> tuple[float, float | None, RasterFile]:
    """Value and standard deviation at a position in the city's CRS, from the first file that knows it.

    Raises:
        NotFound: none does.
    """
    for file in files:
        path = existing(folder, file)
        if path is None:
            continue
        try:
            with opened.open(path) as source:
                values: NDArray[np.float32] = next(source.sample([(x, y)], masked=True)).filled(np.nan)
                bands = dict(zip(source.descriptions, values.tolist(), strict=True))
        except (RasterioError, OSError):
            log.exception("unreadable raster %s", path)
            continue
        value, sigma = float(values[0]), bands.get("sigma")
        if not isnan(value):
            return value, None if sigma is None or isnan(sigma) else float(sigma), file
    raise NotFound("value", f"at {x:.2f}, {y:.2f}")


def existing(folder: Path, file: RasterFile) -> Path | None:
    """Where a file is; None, and a line in the log, where it is missing."""
    path = folder / file.path
    if path.exists():
        return path
    log.error("the catalogue's raster %s is missing", path)
    return None


def _ground_step(nodes: NDArray[np.float64]) -> float:
    """Metres between two places in the middle of a net."""
    row, column = nodes.shape[0] // 2, nodes.shape[1] // 2
    x, y = nodes[row, column] - nodes[row - 1, column]
    return float(hypot(x, y)) / NET


def _add_file(
    found: Accumulated,
    path: Path,
    opened: OpenRasters,
    nodes: NDArray[np.float64],
    first: tuple[int, int],
    wanted: float,
) -> None:
    """Add the cells of a file that lie under the net, at the level that suits the map; a damaged one is logged."""
    try:
        facts = opened.described(path)
        most = LEVEL_SLACK * wanted / facts.resolution
        fitting = [number for number, factor in enumerate(facts.factors) if factor <= most]
        with opened.open(path, fitting[-1] if fitting else None) as source:
            transform = source.transform
            width, height = float(transform.a), -float(transform.e)
            (west, south), (east, north) = nodes.min(axis=(0, 1)), nodes.max(axis=(0, 1))
            left = max(0, floor((west - transform.c) / width) - 1)
            right = min(source.width, ceil((east - transform.c) / width) + 2)
            top = max(0, floor((transform.f - north) / height) - 1)
            bottom = min(source.height, ceil((transform.f - south) / height) + 2)
            if left >= right or top >= bottom:
                return
            cells = source.read(1, window=Window(left, top, right - left, bottom - top), out_dtype="float32")
            nodata = np.nan if source.nodata is None else float(source.nodata)
    except (RasterioError, OSError):
        log.exception("unreadable raster %s", path)
        return
    corner = transform.c + left * width, transform.f - top * height
    found.add(nodes, first, cells, nodata, corner, (width, height))
