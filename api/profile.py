"""Values of rasters along a line and over a polygon, cell by cell, each with its uncertainty."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path
from typing import Any, cast

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.errors import RasterioError
from rasterio.features import geometry_mask
from rasterio.windows import Window
from shapely import LineString
from shapely.geometry.base import BaseGeometry

from api.mosaic import existing
from api.open_rasters import OpenRasters
from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.errors import BadParameter, NotFound
from gis.grid import Grid
from gis.store.coverage import RasterFile

log = logging.getLogger("diaba.api")

WINDOW_MOST = 1 << 20
"""Cells read at once for places along a line; a line across a larger part of a file is read in pieces."""
CELLS_MOST = 8_000_000
"""Cells of the rectangle around a polygon: 2 km² of cells of half a metre."""
SIGMA = "sigma"
PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True)
class Sampled:
    """Values at n places."""

    values: NDArray[np.float32]
    """(n,) NaN where nothing is known."""
    sigmas: NDArray[np.float32]
    """(n,) NaN where it is not known."""
    files: NDArray[np.int64]
    """(n,) which file gave the value; −1 for none."""


def places_along(line: BaseGeometry, step: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances (n,) from the line's start, every step and at its end, and the places (n, 2) there."""
    length = float(line.length)
    distances = np.arange(0, length, step)
    if length - distances[-1] > 1e-6 * step:
        distances = np.append(distances, length)
    return distances, shapely.get_coordinates(shapely.line_interpolate_point(cast("LineString", line), distances))


def sampled(files: Sequence[RasterFile], folder: Path, opened: OpenRasters, places: NDArray[np.float64]) -> Sampled:
    """The values of the cells that places (n, 2) in the files' CRS lie in, from the first file that knows each."""
    n = len(places)
    found = Sampled(np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32), np.full(n, -1))
    for number, file in enumerate(files):
        wanted = np.flatnonzero(np.isnan(found.values))
        path = existing(folder, file)
        if not len(wanted) or path is None:
            continue
        try:
            with opened.open(path) as source:
                inside = _cells(source, places[wanted])
                keep = (inside >= 0).all(axis=1) & (inside[:, 0] < source.height) & (inside[:, 1] < source.width)
                _read_cells(source, inside[keep], wanted[keep], found, number)
        except (RasterioError, OSError):
            log.exception("unreadable raster %s", path)
    return found


def statistics(
    files: Sequence[RasterFile], folder: Path, opened: OpenRasters, polygon: BaseGeometry, city: CRS
) -> dict[str, Any]:
    """How the values of a product are distributed over the cells whose middle lies in a polygon.

    Files of another cell size than the newest one's are left out.

    Raises:
        NotFound: no value is known there.
        BadParameter: the polygon is larger than allowed.
    """
    if not files:
        raise NotFound("value", "in the polygon")
    cell = files[0].resolution
    grid = Grid.covering(BoundingBox(*polygon.bounds, crs=horizontal(city)), cell)
    if grid.rows * grid.columns > CELLS_MOST:
        most = CELLS_MOST * cell**2 / 1e6
        raise BadParameter("coords", "…", f"the rectangle around it has at most {CELLS_MOST} cells, {most:g} km² here")
    values, sigmas = np.full(grid.shape, np.nan, np.float32), np.full(grid.shape, np.nan, np.float32)
    used = []
    for file in files:
        path = existing(folder, file)
        if path is not None and file.resolution == cell:
            try:
                if _lay(opened, path, grid, values, sigmas):
                    used.append(file)
            except (RasterioError, OSError):
                log.exception("unreadable raster %s", path)
    inside = ~geometry_mask([polygon], grid.shape, grid.transform)
    known = values[inside & ~np.isnan(values)].astype(np.float64)
    if not known.size:
        raise NotFound("value", "in the polygon")
    spread = sigmas[inside & ~np.isnan(values)].astype(np.float64)
    told = spread[~np.isnan(spread)]
    return {
        "cells": int(known.size),
        "share_known": round(known.size / int(inside.sum()), 6),
        "area": round(known.size * cell**2, 3),
        "minimum": round(float(known.min()), 3),
        "maximum": round(float(known.max()), 3),
        "mean": round(float(known.mean()), 4),
        "standard_deviation": round(float(known.std()), 4),
        "percentiles": {
            str(rank): round(float(value), 3)
            for rank, value in zip(PERCENTILES, np.percentile(known, PERCENTILES), strict=True)
        },
        # Of one cell, in the square mean: cells beside each other err together, so that of the mean is not 1/√n of it.
        "sigma": round(float(np.sqrt((told**2).mean())), 4) if told.size else None,
        "cell": cell,
        "epochs": list(dict.fromkeys(file.epoch for file in used)),
    }


def _cells(source: Any, places: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n, 2) row and column of each place; outside of the file they are outside of its shape."""
    transform = source.transform
    columns = np.floor((places[:, 0] - transform.c) / transform.a)
    rows = np.floor((places[:, 1] - transform.f) / transform.e)
    found: NDArray[np.int64] = np.clip(np.stack([rows, columns], axis=1), -1, 2**31).astype(np.int64)
    return found


def _read_cells(source: Any, cells: NDArray[np.int64], at: NDArray[np.int64], found: Sampled, number: int) -> None:
    if not len(cells):
        return
    (top, left), (bottom, right) = cells.min(axis=0), cells.max(axis=0) + 1
    if (bottom - top) * (right - left) > WINDOW_MOST and len(cells) > 1:
        half = len(cells) // 2
        _read_cells(source, cells[:half], at[:half], found, number)
        _read_cells(source, cells[half:], at[half:], found, number)
        return
    window = Window(int(left), int(top), int(right - left), int(bottom - top))
    values, sigmas = _values_and_sigmas(source, window)
    rows, columns = cells[:, 0] - top, cells[:, 1] - left
    known = ~np.isnan(values[rows, columns])
    found.values[at[known]] = values[rows, columns][known]
    found.files[at[known]] = number
    if sigmas is not None:
        found.sigmas[at[known]] = sigmas[rows, columns][known]


def _lay(opened: OpenRasters, path: Path, grid: Grid, values: NDArray[np.float32], sigmas: NDArray[np.float32]) -> bool:
    """Write a file's cells into those of the grid that have no value; whether it had any of them."""
    with opened.open(path) as source:
        transform = source.transform
        left = floor(transform.c / grid.resolution + 0.5) - grid.first_column
        top = grid.first_row + grid.rows - floor(transform.f / grid.resolution + 0.5)
        rows = slice(max(top, 0), min(top + source.height, grid.rows))
        columns = slice(max(left, 0), min(left + source.width, grid.columns))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return False
        window = Window(columns.start - left, rows.start - top, columns.stop - columns.start, rows.stop - rows.start)
        read, spread = _values_and_sigmas(source, window)
    target = values[rows, columns]
    taken = np.isnan(target) & ~np.isnan(read)
    target[taken] = read[taken]
    if spread is not None:
        sigmas[rows, columns][taken] = spread[taken]
    return bool(taken.any())


def _values_and_sigmas(source: Any, window: Window) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    names = list(source.descriptions)
    bands = [1, names.index(SIGMA) + 1] if SIGMA in names else [1]
    data = source.read(bands, window=window, masked=True, out_dtype="float32").filled(np.nan)
    return data[0], data[1] if len(bands) > 1 else None
