"""Rasters as values, and as Cloud Optimized GeoTIFF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.io import MemoryFile
from rasterio.windows import Window

from gis.bounds import BoundingBox
from gis.crs import horizontal, normalise
from gis.errors import BadParameter, UnreadableFile
from gis.files import written_whole
from gis.grid import Grid

NODATA = -9999.0
"""Value of a cell that holds nothing, in files; in memory such a cell is NaN."""


@dataclass(frozen=True, slots=True)
class Raster:
    """Values on a grid: (rows, columns) float32, NaN where there is none; further bands share the grid."""

    values: NDArray[np.float32]
    grid: Grid
    bands: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Further bands by name, for example `{"sigma": …}`, in the units of the first unless the name says otherwise."""

    def __post_init__(self) -> None:
        for name, band in {"values": self.values, **self.bands}.items():
            if band.shape != self.grid.shape:
                raise BadParameter(name, band.shape, f"the grid has the shape {self.grid.shape}")

    def cropped(self, grid: Grid) -> Raster:
        """The part of it that a smaller grid of the same alignment covers."""
        window = grid.window_in(self.grid)
        return Raster(
            np.ascontiguousarray(self.values[window]),
            grid,
            {name: np.ascontiguousarray(band[window]) for name, band in self.bands.items()},
        )

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """The value of the cell each position lies in; NaN outside of the grid."""
        row, column = self.grid.cells(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        inside = (row >= 0) & (row < self.grid.rows) & (column >= 0) & (column < self.grid.columns)
        found = np.full(row.shape, np.nan, dtype=np.float32)
        found[inside] = self.values[row[inside], column[inside]]
        return found


def write_cog(
    raster: Raster,
    path: Path | str,
    *,
    name: str,
    crs: CRS | None = None,
    unit: str = "",
    overviews: str = "AVERAGE",
    **tags: str,
) -> None:
    """Write a Cloud Optimized GeoTIFF, as `encode_cog` makes it; it appears whole or not at all."""
    # Not by GDAL: on a full disk it speaks of strips and seeks, and what fails while it closes the file is lost.
    made = encode_cog(raster, name=name, crs=crs, unit=unit, overviews=overviews, **tags)
    with written_whole(path) as part:
        part.write_bytes(made)


def encode_cog(
    raster: Raster, *, name: str, crs: CRS | None = None, unit: str = "", overviews: str = "AVERAGE", **tags: str
) -> bytes:
    """A Cloud Optimized GeoTIFF: deflate, floating-point predictor, overviews by average, nodata −9999.

    `crs` may be the compound CRS whose horizontal part is the grid's. `unit` is that of all bands. Overviews of what
    has no average (directions, kinds) are made by NEAREST or MODE.
    """
    bands = {name: raster.values, **raster.bands}
    data = np.stack([np.where(np.isnan(band), np.float32(NODATA), band) for band in bands.values()])
    profile = {
        "driver": "COG",
        "height": raster.grid.rows,
        "width": raster.grid.columns,
        "count": len(bands),
        "dtype": "float32",
        "crs": (crs or raster.grid.crs).to_wkt(),
        "transform": raster.grid.transform,
        "nodata": NODATA,
        "compress": "DEFLATE",
        "predictor": "YES",
        "overview_resampling": overviews,
        "blocksize": 256,
    }
    with MemoryFile(ext=".tif") as made:
        with made.open(**profile) as sink:
            sink.write(data)
            for index, band_name in enumerate(bands, start=1):
                sink.set_band_description(index, band_name)
            if unit:
                sink.units = [unit] * len(bands)
            sink.update_tags(AREA_OR_POINT="Area", **tags)
        return bytes(made.getbuffer())


def read_raster(path: Path | str) -> Raster:
    """Read a GeoTIFF whose cells are square and aligned to multiples of their size.

    Raises:
        UnreadableFile: no raster, damaged, or without an aligned square grid.
    """
    try:
        with rasterio.open(path) as source:
            grid = grid_of(source, path)
            return _read(source, grid, grid)
    except (RasterioIOError, RasterioError) as error:
        raise UnreadableFile(path, f"not a readable raster ({error})") from error


def decode_raster(data: bytes) -> Raster:
    """As `read_raster`, of a file's bytes."""
    with MemoryFile(data) as file:
        return read_raster(file.name)


def read_window(path: Path | str, bounds: BoundingBox) -> Raster | None:
    """As `read_raster`, only the cells that the bounds touch; None where they touch none."""
    try:
        with rasterio.open(path) as source:
            grid = grid_of(source, path)
            part = grid.meeting(Grid.covering(bounds, grid.resolution))
            return None if part is None else _read(source, grid, part)
    except (RasterioIOError, RasterioError) as error:
        raise UnreadableFile(path, f"not a readable raster ({error})") from error


def grid_of(source: Any, path: Path | str) -> Grid:
    """The grid of an open raster.

    Raises:
        UnreadableFile: it has no CRS, or its cells are not square and aligned.
    """
    if source.crs is None:
        raise UnreadableFile(path, "the raster has no coordinate reference system")
    transform = source.transform
    resolution = float(transform.a)
    column, row = transform.c / resolution, transform.f / resolution
    if transform.e != -resolution or abs(column - round(column)) > 1e-6 or abs(row - round(row)) > 1e-6:
        raise UnreadableFile(path, "its cells are not square or not aligned to multiples of their size")
    crs = horizontal(normalise(source.crs.to_wkt()))
    return Grid(crs, resolution, round(column), round(row) - source.height, source.width, source.height)


def _read(source: Any, grid: Grid, part: Grid) -> Raster:
    """The part of the grid of an open raster."""
    window = Window.from_slices(*part.window_in(grid))
    data = source.read(window=window, out_dtype="float32", masked=True).filled(np.nan)
    bands = {name or f"band{i + 1}": data[i] for i, name in enumerate(source.descriptions) if i}
    return Raster(data[0], part, bands)


def read_over(paths: Sequence[Path], grid: Grid) -> Raster:
    """The files over a grid of theirs; where several know a cell, the first gives it. Bands that all have are kept.

    Raises:
        UnreadableFile: one of them is none.
    """
    read = [part for path in paths if (part := read_window(path, grid.bounds)) is not None]
    names = [name for name in read[0].bands if all(name in one.bands for one in read)] if read else []
    values = np.full(grid.shape, np.nan, dtype=np.float32)
    bands = {name: values.copy() for name in names}
    for part in read:
        window = part.grid.window_in(grid)
        new = np.isnan(values[window]) & ~np.isnan(part.values)
        values[window][new] = part.values[new]
        for name in names:
            bands[name][window][new] = part.bands[name][new]
    return Raster(values, grid, bands)


def mosaic(rasters: Sequence[Raster]) -> Raster:
    """One raster over all of them; they share CRS and resolution, and where two overlap the later one counts.

    Only the first band is joined.

    Raises:
        BadParameter: there is none, or their cells differ in size or CRS.
    """
    if not rasters:
        raise BadParameter("rasters", 0, "there is nothing to join")
    first = rasters[0].grid
    if any(r.grid.resolution != first.resolution or r.grid.crs != first.crs for r in rasters):
        raise BadParameter("rasters", len(rasters), "their cells differ in size or CRS")
    bounds = first.bounds
    for raster in rasters[1:]:
        bounds = bounds.union(raster.grid.bounds)
    grid = Grid.covering(bounds, first.resolution)
    values = np.full(grid.shape, np.nan, dtype=np.float32)
    for raster in rasters:
        values[raster.grid.window_in(grid)] = raster.values
    return Raster(values, grid)
