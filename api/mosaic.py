"""Heights of a map tile or a place, read from the catalogue's rasters."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import isnan
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.vrt import WarpedVRT
from rio_tiler.models import ImageData
from rio_tiler.mosaic import mosaic_reader

from gis.bounds import BoundingBox
from gis.crs import warpable
from gis.errors import NotFound
from gis.grid import Grid
from gis.raster import Raster
from gis.store.coverage import RasterFile

log = logging.getLogger("diaba.api")

TILE_PIXELS = 256
_THREADS_OFF = 0


def tile_heights(files: Sequence[RasterFile], folder: Path, city: CRS, bounds: BoundingBox, margin: int) -> Raster:
    """Heights over a tile of Web Mercator with a margin of pixels; the first file that knows a pixel gives it.

    Each file is warped once, from its own pixels or overviews straight to the tile's; NaN where none knows.
    """
    size = TILE_PIXELS + 2 * margin
    pixel = bounds.width / TILE_PIXELS
    west, north = bounds.min_x - margin * pixel, bounds.max_y + margin * pixel
    transform = Affine(pixel, 0.0, west, 0.0, -pixel, north)
    crs = bounds.crs.to_wkt()

    def read(path: Path) -> ImageData:
        options = {
            "src_crs": warpable(city),
            "crs": crs,
            "transform": transform,
            "width": size,
            "height": size,
            "resampling": Resampling.bilinear,
        }
        with rasterio.open(path) as source, WarpedVRT(source, **options) as warped:
            return ImageData(warped.read(indexes=[1], masked=True), crs=warped.crs)

    grid = Grid(bounds.crs, pixel, round(west / pixel), round(north / pixel) - size, size, size)
    present = [path for file in files if (path := _existing(folder, file)) is not None]
    if not present:
        return Raster(np.full((size, size), np.nan, dtype=np.float32), grid)
    image, _ = mosaic_reader(present, read, threads=_THREADS_OFF, allowed_exceptions=(RasterioIOError,))
    return Raster(image.array[0].astype(np.float32).filled(np.nan), grid)


def value_at(files: Sequence[RasterFile], folder: Path, x: float, y: float) -> tuple[float, float | None, RasterFile]:
    """Value and standard deviation at a position in the city's CRS, from the first file that knows it.

    Raises:
        NotFound: none does.
    """
    for file in files:
        path = _existing(folder, file)
        if path is None:
            continue
        try:
            with rasterio.open(path) as source:
                values: NDArray[np.float32] = next(source.sample([(x, y)], masked=True)).filled(np.nan)
                bands = dict(zip(source.descriptions, values.tolist(), strict=True))
        except RasterioError:
            log.exception("unreadable raster %s", path)
            continue
        value, sigma = float(values[0]), bands.get("sigma")
        if not isnan(value):
            return value, None if sigma is None or isnan(sigma) else float(sigma), file
    raise NotFound("value", f"at {x:.2f}, {y:.2f}")


def _existing(folder: Path, file: RasterFile) -> Path | None:
    path = folder / file.path
    if path.exists():
        return path
    log.error("the catalogue's raster %s is missing", path)
    return None
