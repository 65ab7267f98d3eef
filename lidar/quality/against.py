"""A survey held against a reference: another survey, a raster of heights or building footprints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, floor, hypot
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyogrio
import rasterio
import shapely
from pyproj import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.features import rasterize
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT

from gis.bounds import BoundingBox
from gis.crs import horizontal, normalise, transformer, warpable
from gis.errors import MissingCrs, UnreadableFile
from gis.raster import NODATA
from lidar.footprints import Footprints, read_footprints
from lidar.las.crs import in_metres
from lidar.las.file_crs import resolve_crs
from lidar.las.header import LasHeader
from lidar.point_cloud import PointCloud
from lidar.quality.checkpoint_accuracy import RASTERS
from lidar.quality.checkpoints import metres_up
from lidar.quality.ground_height import HeightRaster
from lidar.quality.registration import (
    CELL,
    SEARCH,
    Image,
    Match,
    Surfaces,
    Window,
    above_surroundings,
    best_shift,
    height_offset,
    no_common_ground,
    relief_ratio,
    surfaces,
)
from lidar.quality.slips import Slip, explanation, known_slips
from lidar.read import read, read_header

POINT_FILES: Final = frozenset((".las", ".laz"))
PATCH: Final = 400
"""Metres; a square of the survey of this side is laid over the reference."""
TALL: Final = 2.5
"""Metres above the surroundings; what stands higher may be a building."""
LAYERS: Final = ("footprint", "building", "house")
"""Words in the name of a layer of building footprints."""
EXPLAINED: Final = 3.0
"""Metres within which a shift is that of a known slip."""
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Registration:
    """How a survey lies against a reference: survey minus reference, metres in the survey's CRS."""

    reference: str
    dx: float
    dy: float
    dz: float | None
    """None where the reference has no heights, or no surface in common."""
    relief_ratio: float | None
    """Heights above the surroundings, survey over reference; None where the reference has none."""
    correlation: float
    distinctness: float
    """Standard deviations by which the match stands out."""
    is_certain: bool
    """False where the two do not look alike at any shift: then the figures say nothing."""
    slip: str | None
    """The known mistake that makes this shift."""
    advice: str | None

    @property
    def distance(self) -> float:
        """Across, metres."""
        return hypot(self.dx, self.dy)


UNMOVED: Final = Slip("", "", lambda x, y: (x, y))
SAMPLES: Final = 15
"""Places along each side of the survey that are tried for one within the reference."""


class _Reference(NamedTuple):
    """A reference whose pieces can be asked for in the survey's horizontal CRS, in metres."""

    path: Path
    crs: CRS
    bounds: Bounds
    unstated: CRS | None
    """CRS of a reference that does not say its own."""
    footprints: Footprints | None


class _Attempt(NamedTuple):
    """The survey laid over the reference under one slip."""

    match: Match
    slip: Slip
    place: tuple[float, float]
    heights: tuple[Image, Image] | None


def register(path: Path, against: Path, crs: CRS | None = None) -> Registration:
    """Find how a point file lies against a reference of the same place, and which slip explains it.

    Args:
        path: the point file.
        against: a point file, a raster of heights (terrain or surface), or a vector file of building footprints.
        crs: of the point file, and of a reference that does not say its own.

    Raises:
        BadInput: one of them cannot be read, or they lie in different places whatever slip is assumed.
    """
    header = read_header(path)
    if header.point_count == 0:
        raise UnreadableFile(path, "holds no points to be held against anything")
    survey, across, _ = in_metres(resolve_crs(header, crs))
    flat = horizontal(survey)
    reference, slips = _reference(against, flat, crs), known_slips(flat)
    attempts: list[_Attempt] = []
    for slip in (UNMOVED, *slips):
        place = _place(_scaled(header, across), slip, reference.bounds)
        if place is not None:
            attempts += _attempts(path, crs, slip, place, reference)
        if any(attempt.match.is_certain for attempt in attempts):
            break
    if not attempts:
        raise no_common_ground(str(against))
    best = max(attempts, key=lambda attempt: (attempt.match.is_certain, attempt.match.distinctness))
    return _registration(best, slips, against)


def _registration(best: _Attempt, slips: list[Slip], against: Path) -> Registration:
    match, certain = best.match, best.match.is_certain
    by_slip = best.slip.shift(*best.place) or (0.0, 0.0)
    dx, dy = match.columns * CELL + by_slip[0], -match.rows * CELL + by_slip[1]
    why: Slip | None = None
    if certain:
        why = explanation(slips, best.place, (dx, dy), EXPLAINED) if best.slip is UNMOVED else best.slip
    return Registration(
        reference=str(against),
        dx=dx,
        dy=dy,
        dz=height_offset(*best.heights, match) if best.heights and certain else None,
        relief_ratio=relief_ratio(*best.heights, match) if best.heights and certain else None,
        correlation=match.correlation,
        distinctness=match.distinctness,
        is_certain=certain,
        slip=why.text if why else None,
        advice=why.advice if why else None,
    )


def _reference(path: Path, flat: CRS, unstated: CRS | None) -> _Reference:
    """Look at a reference's extent, in the survey's CRS."""
    if path.suffix.lower() in POINT_FILES:
        header = read_header(path)
        own, across, _ = in_metres(_crs_of(header, unstated))
        box = BoundingBox(*_scaled(header, across), horizontal(own)).to(flat)
        return _Reference(path, flat, box.tuple, unstated, None)
    if path.suffix.lower() in RASTERS:
        raster = HeightRaster.of(path)
        return _Reference(path, flat, BoundingBox(*raster.bounds, horizontal(raster.crs)).to(flat).tuple, None, None)
    footprints = _footprints(path, flat, unstated)
    if len(footprints) == 0:
        raise UnreadableFile(path, "holds no building footprint")
    west, south, east, north = shapely.total_bounds(footprints.polygons)
    return _Reference(path, flat, (west, south, east, north), unstated, footprints)


def _footprints(path: Path, flat: CRS, unstated: CRS | None) -> Footprints:
    """Those of the layer whose name says so, in a file with several."""
    layer = None
    if path.is_file() and path.suffix.lower() == ".gpkg":
        names = [str(name) for name, _ in pyogrio.list_layers(path)]
        layer = next((name for name in names if any(word in name.lower() for word in LAYERS)), None)
    try:
        return read_footprints(path, layer=layer, to=flat)
    except MissingCrs:
        if unstated is None:
            raise
        return read_footprints(path, crs=unstated, layer=layer, to=flat)


def _crs_of(header: LasHeader, unstated: CRS | None) -> CRS:
    return header.crs if header.crs is not None else resolve_crs(header, unstated)


def _place(bounds: Bounds, slip: Slip, reference: Bounds) -> tuple[float, float] | None:
    """A place of the survey, as labelled, that truly lies well within the reference, or else near it."""
    x, y = (axis.ravel() for axis in np.meshgrid(*(np.linspace(bounds[i], bounds[i + 2], SAMPLES) for i in (0, 1))))
    true_x, true_y = (np.asarray(axis, dtype=np.float64) for axis in slip.move(x, y))
    west, south, east, north = reference
    for margin in (0.0, SEARCH * CELL):
        inside = (true_x >= west - margin) & (true_x <= east + margin)
        inside &= (true_y >= south - margin) & (true_y <= north + margin)
        if inside.any():
            off = np.hypot(x - x[inside].mean(), y - y[inside].mean())
            nearest = int(np.where(inside, off, np.inf).argmin())
            return float(x[nearest]), float(y[nearest])
    return None


def _attempts(
    path: Path, crs: CRS | None, slip: Slip, place: tuple[float, float], reference: _Reference
) -> list[_Attempt]:
    """Lay the survey around a place over the reference, by each kind of image that both can give."""
    half = PATCH / 2
    around = BoundingBox(place[0] - half, place[1] - half, place[0] + half, place[1] + half, reference.crs)
    cloud = read(path, crs=crs, bounds=around)
    if len(cloud) == 0:
        return []
    x, y = (np.asarray(axis, dtype=np.float64) for axis in slip.move(cloud.x, cloud.y))
    window = Window(
        floor(x.min()), ceil(y.max()), ceil(x.max()) - floor(x.min()) + 1, ceil(y.max()) - floor(y.min()) + 1
    )
    survey = surfaces(replace(cloud, x=x, y=y), window)
    raised = above_surroundings(survey.top)
    found = []
    for ours, theirs, heights in _pairs(survey, raised, reference, window.grown(SEARCH)):
        match = best_shift(ours, theirs)
        if match is not None:
            found.append(_Attempt(match, slip, place, heights))
    return found


def _pairs(
    survey: Surfaces, raised: Image, reference: _Reference, window: Window
) -> Iterator[tuple[Image, Image, tuple[Image, Image] | None]]:
    """Images of survey and reference to be laid over each other, and the heights they come from."""
    if reference.footprints is not None:
        standing = np.where(np.isfinite(raised), (raised > TALL).astype(np.float64), np.nan)
        yield standing, _outlines(reference.footprints, reference.bounds, window), None
        return
    if reference.path.suffix.lower() in RASTERS:
        heights = _raster(reference, window)
        ground = np.where(raised > TALL, np.nan, survey.low)
        yield ground, heights, (ground, heights)
    else:
        heights = _points(reference, window)
    yield raised, above_surroundings(heights), (survey.top, heights)


def _outlines(footprints: Footprints, bounds: Bounds, window: Window) -> Image:
    """1 in buildings, 0 beside them, NaN outside of what the footprints cover."""
    west, south, east, north = window.bounds
    image = np.full((window.rows, window.columns), np.nan)
    left, right = max(floor(bounds[0]) - west, 0), min(ceil(bounds[2]) - west, window.columns)
    top, bottom = max(window.north - ceil(bounds[3]), 0), min(window.north - floor(bounds[1]), window.rows)
    if left >= right or top >= bottom:
        return image
    image[top:bottom, left:right] = 0.0
    here = footprints.touching(BoundingBox(west, south, east, north, footprints.crs))
    if len(here):
        drawn = rasterize(
            list(here.polygons), out_shape=image.shape, transform=from_origin(west, north, CELL, CELL), dtype="uint8"
        )
        image[(drawn > 0) & np.isfinite(image)] = 1.0
    return image


def _raster(reference: _Reference, window: Window) -> Image:
    """Heights in metres on the window's cells."""
    target = warpable(reference.crs)
    try:
        with rasterio.open(reference.path) as source:
            own = normalise(source.crs.to_wkt())
            with WarpedVRT(
                source,
                src_crs=warpable(own),
                crs=target,
                transform=from_origin(window.west, window.north, CELL, CELL),
                width=window.columns,
                height=window.rows,
                resampling=Resampling.average,
                nodata=source.nodata if source.nodata is not None else NODATA,
            ) as warped:
                return np.asarray(warped.read(1, masked=True).astype(np.float64).filled(np.nan)) * metres_up(own)
    except RasterioError as error:
        raise UnreadableFile(reference.path, f"cannot be warped ({' '.join(str(error).split())})") from error


def _points(reference: _Reference, window: Window) -> Image:
    """The highest point of the reference survey in each cell."""
    west, south, east, north = window.bounds
    around = BoundingBox(west, south, east, north, reference.crs)
    crs = None if read_header(reference.path).crs is not None else reference.unstated
    cloud: PointCloud = read(reference.path, crs=crs, bounds=around)
    x, y = transformer(horizontal(cloud.crs), reference.crs).transform(cloud.x, cloud.y)
    return surfaces(replace(cloud, x=np.asarray(x), y=np.asarray(y)), window).top


def _scaled(header: LasHeader, across: float) -> Bounds:
    west, south, east, north = (value * across for value in header.bounds)
    return west, south, east, north
