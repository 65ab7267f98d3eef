"""From files to an accuracy report: the survey's heights at the check points, out of point files or of rasters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from gis.bounds import BoundingBox
from gis.crs import horizontal, name_of, vertical
from gis.errors import BadCrs, BadParameter, UnreadableFile
from lidar.las.crs import in_metres, same
from lidar.las.file_crs import resolve_crs
from lidar.las.header import LasHeader
from lidar.point_cloud import Class
from lidar.quality.checkpoints import CheckPoints, check_axes
from lidar.quality.ground_height import (
    GROWTH,
    NO_GROUND,
    OUTSIDE,
    REACH,
    GroundPoints,
    Height,
    HeightRaster,
    heights_between,
)
from lidar.quality.standards import Group
from lidar.quality.vertical_accuracy import AccuracyReport, assess
from lidar.read import read, read_header

RASTERS: Final = frozenset((".tif", ".tiff", ".vrt", ".img", ".asc"))
Bounds = tuple[float, float, float, float]


def vertical_accuracy(
    sources: Sequence[Path],
    points: CheckPoints,
    *,
    crs: CRS | None = None,
    reach: float = REACH,
    target: float | None = None,
    extra: Mapping[str, Group] | None = None,
    sigma: float | None = None,
    tracked: Callable[[Iterable[Path]], Iterable[Path]] = iter,
) -> AccuracyReport:
    """Hold a survey against check points; see `lidar.vertical_accuracy.assess`.

    Args:
        sources: classified point files, or rasters of the terrain; not both.
        points: in any CRS; without one they are taken to be in the survey's.
        crs: of sources that do not say their own.
        reach: how near a ground point must be to a check point, metres (point files).
        target: RMSE asked for, metres.
        extra: words of land cover beyond the table's.
        sigma: 1σ of check points that state none, metres.
        tracked: goes through the files and shows how far it is.

    Raises:
        BadInput: a file, a CRS or the check points cannot be used.
    """
    if not (np.isfinite(reach) and reach > 0):
        raise BadParameter("reach", reach, "must be a positive number of metres")
    if target is not None and not target > 0:
        raise BadParameter("target", target, "must be a positive number of metres")
    kinds = {path.suffix.lower() in RASTERS for path in sources}
    if len(kinds) > 1:
        raise BadParameter("sources", len(sources), "give point files or rasters, not both")
    found = _in_rasters if kinds == {True} else _in_points
    placed, surface, area, survey = found(sources, points, crs, reach, tracked)
    notes = _notes(points, survey)
    return assess(placed, surface, area, target=target, extra=extra, sigma=sigma, notes=notes)


def _in_points(
    sources: Sequence[Path],
    points: CheckPoints,
    crs: CRS | None,
    reach: float,
    tracked: Callable[[Iterable[Path]], Iterable[Path]],
) -> tuple[CheckPoints, list[Height], float, CRS]:
    """Check points in the survey's CRS, its heights at them, its area in m² and its CRS."""
    headers = {path: read_header(path) for path in sources}
    own = {path: in_metres(resolve_crs(header, crs)) for path, header in headers.items()}
    survey = next(iter(own.values()))[0]
    _check_one_crs({path: system for path, (system, _, _) in own.items()})
    extents = {path: _scaled(header, own[path][1]) for path, header in headers.items()}
    placed = points.to(survey)
    check_axes(placed, _union(extents.values()))
    parts = []
    near = GROWTH[-1] * reach
    for path in tracked(sources):
        chosen = _within(placed.x, placed.y, extents[path], near)
        if not chosen.any() or headers[path].point_count == 0:
            continue
        x, y = placed.x[chosen], placed.y[chosen]
        window = BoundingBox(x.min() - near, y.min() - near, x.max() + near, y.max() + near, horizontal(survey))
        cloud = read(path, crs=crs, bounds=window)
        if len(cloud) and not (cloud.classification == Class.GROUND).any() and not (cloud.classification > 1).any():
            raise UnreadableFile(path, "its points are not classified; make ground points with: diaba lidar classify")
        parts.append(GroundPoints.near(cloud, x, y, reach))
    inside = np.zeros(len(placed), dtype=bool)
    for extent in extents.values():
        inside |= _within(placed.x, placed.y, extent, 0.0)
    surface = (
        heights_between(GroundPoints.joined(parts), placed.x, placed.y, reach)
        if parts
        else [(np.nan, NO_GROUND)] * len(placed)
    )
    surface = [height if here else (np.nan, OUTSIDE) for height, here in zip(surface, inside, strict=True)]
    return placed, surface, sum(_area(extent) for extent in extents.values()), survey


def _in_rasters(
    sources: Sequence[Path],
    points: CheckPoints,
    crs: CRS | None,
    reach: float,
    tracked: Callable[[Iterable[Path]], Iterable[Path]],
) -> tuple[CheckPoints, list[Height], float, CRS]:
    """As `_in_points`; of several rasters over a place the first with a height counts."""
    rasters = {path: HeightRaster.of(path) for path in sources}
    _check_one_crs({path: raster.crs for path, raster in rasters.items()})
    survey = next(iter(rasters.values())).crs
    if not horizontal(survey).is_projected:
        raise BadCrs(f"{sources[0]}: {horizontal(survey).name} has degrees; warp the raster to a projected CRS first")
    placed = points.to(survey)
    check_axes(placed, _union(raster.bounds for raster in rasters.values()))
    surface: list[Height] = [(np.nan, OUTSIDE)] * len(placed)
    for path in tracked(sources):
        for i, height in enumerate(rasters[path].heights(placed.x, placed.y)):
            if np.isnan(surface[i][0]) and height[1] != OUTSIDE:
                surface[i] = height
    unit = float(horizontal(survey).axis_info[0].unit_conversion_factor)
    return placed, surface, sum(_area(raster.bounds) for raster in rasters.values()) * unit**2, survey


def _check_one_crs(systems: Mapping[Path, CRS]) -> None:
    (first, system), *others = systems.items()
    for path, other in others:
        if not same(other, system):
            raise BadCrs(
                f"{path}: is in {name_of(other)[:80]}, {first} in {name_of(system)[:80]}; give one CRS at a time"
            )


def _notes(points: CheckPoints, survey: CRS) -> list[str]:
    """What was assumed."""
    found = []
    if points.crs is None:
        found.append(f"the check points do not say their CRS; taken to be in the survey's, {name_of(survey)[:80]}")
    elif vertical(points.crs) is None:
        found.append("the check points do not name their vertical datum; taken to be the survey's")
    if vertical(survey) is None:
        found.append("the survey does not name its vertical datum; taken to be the check points'")
    if not any(points.land_cover):
        found.append("the check points do not say their land cover; all count as non-vegetated")
    return found


def _within(x: NDArray[np.float64], y: NDArray[np.float64], bounds: Bounds, margin: float) -> NDArray[np.bool_]:
    west, south, east, north = bounds
    return (x >= west - margin) & (x <= east + margin) & (y >= south - margin) & (y <= north + margin)


def _scaled(header: LasHeader, across: float) -> Bounds:
    west, south, east, north = (value * across for value in header.bounds)
    return west, south, east, north


def _union(extents: Iterable[Bounds]) -> Bounds:
    lows_x, lows_y, highs_x, highs_y = zip(*extents, strict=True)
    return min(lows_x), min(lows_y), max(highs_x), max(highs_y)


def _area(bounds: Bounds) -> float:
    return (bounds[2] - bounds[0]) * (bounds[3] - bounds[1])
