"""The quality of a point file: what it holds, what it says it holds, and what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from gis.crs import name_of
from gis.errors import BadCrs, MissingCrs
from lidar.las.crs import in_metres
from lidar.las.file_crs import resolve_crs
from lidar.las.header import LasHeader, open_file, parse_header
from lidar.las.records import decoded
from lidar.noise import mark_noise
from lidar.point_cloud import Class, PointCloud
from lidar.quality.against import register
from lidar.quality.density import DensityGrid
from lidar.quality.problems import problems_of, shift_problems, sorted_problems
from lidar.quality.report import QualityReport, Sample
from lidar.quality.strips import StripDifferences, strip_differences, strip_overlaps
from lidar.quality.tally import Tally
from lidar.quality.top_view import TopView
from lidar.read import batches

SAMPLE_POINTS: Final = 4_000_000
"""Noise, duplicates and strips are looked at in a square in the middle that holds about so many points, or in all."""
UNKNOWN: Final = CRS.from_wkt('LOCAL_CS["unknown",UNIT["metre",1]]')
"""What the sample is in: metres, somewhere; the figures need no more."""


class Examination(NamedTuple):
    """A report and what its pictures are drawn from; the latter None where it was not gathered."""

    report: QualityReport
    density: DensityGrid | None
    top: TopView | None
    strips: StripDifferences | None


def inspect(path: Path | str, crs: CRS | None = None, *, against: Path | None = None) -> QualityReport:
    """Look through a file, in memory that does not grow with it; a file without a usable CRS is reported on, too.

    See `examine`, which also gathers what pictures are drawn from.
    """
    return examine(path, crs, against=against).report


def examine(
    path: Path | str, crs: CRS | None = None, *, against: Path | None = None, with_pictures: bool = False
) -> Examination:
    """As `inspect`, with the maps that pictures are drawn from, if they are wanted.

    Args:
        path: LAS, LAZ or COPC.
        crs: of a file that does not say its own; figures in metres need one.
        against: a reference of the same place (points, heights, footprints) that shows a wrong datum or zone.
        with_pictures: gather the maps.

    Raises:
        UnreadableFile: the file is missing, truncated, damaged or something else.
        BadInput: the reference cannot be used.
    """
    with open_file(path) as handle:
        header = parse_header(handle, path)
        resolved, crs_problem = _crs(header, crs)
        across, up = _units(resolved)
        tally = Tally()
        grid = DensityGrid.covering(header.bounds, across) if across else None
        seen = None
        if with_pictures and across and header.point_count:
            seen = TopView.covering(header.bounds, across, header.point_count)
        sample = _collect(handle, header, tally, grid, seen, across, up)
    points = None if sample is None else PointCloud(**sample, crs=UNKNOWN)
    strips = strip_differences(points) if points is not None else None
    found = register(Path(path), against, crs) if against is not None and header.point_count else None
    report = _report(header, resolved, crs_problem, (across, up), tally, grid, _sample(points, strips, header))
    report = replace(report, registration=found, problems=sorted_problems((*report.problems, *shift_problems(found))))
    return Examination(report, grid, seen, strips if with_pictures else None)


def _crs(header: LasHeader, given: CRS | None) -> tuple[CRS | None, str]:
    try:
        return resolve_crs(header, given), ""
    except MissingCrs as error:
        return None, f"the file does not say its CRS; give it with --crs. {error.hint}".strip()
    except BadCrs as error:
        return header.crs, str(error).removeprefix(f"{header.path}: ")


def _units(crs: CRS | None) -> tuple[float, float]:
    """Metres in a unit of x, y and of z; unknown units count as metres, degrees as 0."""
    if crs is None:
        return 1.0, 1.0
    try:
        return in_metres(crs)[1:]
    except BadCrs:
        return 0.0, 0.0


def _collect(
    handle: BinaryIO,
    header: LasHeader,
    tally: Tally,
    grid: DensityGrid | None,
    seen: TopView | None,
    across: float,
    up: float,
) -> dict[str, NDArray[Any]] | None:
    """Go through the file once; returns the columns of the sample."""
    window = _window(header, across)
    kept: list[dict[str, NDArray[Any]]] = []
    for raw in batches(handle, header):
        part = decoded(raw, header, across or 1.0, up or 1.0)
        tally.add(raw, header, part)
        if grid is None:
            continue
        grid.add(part["x"], part["y"], part["return_number"] >= part["number_of_returns"])
        if seen is not None:
            seen.add(part["x"], part["y"], part["z"], part["classification"])
        x, y = part["x"], part["y"]
        inside = (x >= window[0]) & (x <= window[2]) & (y >= window[1]) & (y <= window[3])
        kept.append({name: column[inside] for name, column in part.items()})
    return {name: np.concatenate([part[name] for part in kept]) for name in kept[0]} if kept else None


def _window(header: LasHeader, across: float) -> tuple[float, float, float, float]:
    """A rectangle in the middle with about `SAMPLE_POINTS`, in metres; everything, where the file has no more."""
    if header.point_count <= SAMPLE_POINTS:
        return -np.inf, -np.inf, np.inf, np.inf
    west, south, east, north = (value * across for value in header.bounds)
    shrink = float(np.sqrt(SAMPLE_POINTS / header.point_count)) / 2
    middle, centre = (west + east) / 2, (south + north) / 2
    wide, deep = (east - west) * shrink, (north - south) * shrink
    return middle - wide, centre - deep, middle + wide, centre + deep


def _report(
    header: LasHeader,
    crs: CRS | None,
    crs_problem: str,
    units: tuple[float, float],
    tally: Tally,
    grid: DensityGrid | None,
    sample: Sample | None,
) -> QualityReport:
    across, up = units
    some = bool(tally.by_return.sum())
    low, high = tally.low, tally.high
    times = (min(tally.times), max(tally.times)) if tally.times else None
    report = QualityReport(
        path=header.path,
        file_size=header.file_size,
        version=header.version,
        point_format=header.point_format,
        is_compressed=header.is_compressed,
        is_copc=header.is_copc,
        software=header.generating_software,
        created=header.creation_date.isoformat() if header.creation_date else None,
        point_count=header.point_count,
        crs=name_of(crs) if crs is not None else None,
        crs_name=crs.name if crs is not None else None,
        metres_per_unit=units if crs is not None and across else None,
        header_bounds=header.bounds,
        bounds=(low[0] * across, low[1] * across, high[0] * across, high[1] * across) if some and across else None,
        z_range=(low[2] * up, high[2] * up) if some and up else None,
        density=grid.density() if grid is not None and some else None,
        classes=_counted(tally.classes),
        returns=_counted(tally.by_return),
        strips=_counted(tally.sources),
        withheld=tally.withheld,
        synthetic=tally.synthetic,
        overlap=tally.overlap,
        intensity=(tally.intensity[0], tally.intensity[1]) if some else None,
        scan_angle=(tally.scan_angle[0], tally.scan_angle[1]) if np.isfinite(tally.scan_angle[0]) else None,
        gps_time=times if times and times != (0.0, 0.0) else None,
        extra_dimensions=header.extra_dims,
        sample=sample,
    )
    return replace(report, problems=problems_of(report, header, crs, crs_problem, tally))


def _counted(counts: NDArray[np.int64]) -> dict[int, int]:
    return {int(code): int(counts[code]) for code in np.flatnonzero(counts)}


def _sample(points: PointCloud | None, strips: StripDifferences | None, header: LasHeader) -> Sample | None:
    if points is None or strips is None:
        return None
    marked = mark_noise(points).classification
    fresh = marked != points.classification
    return Sample(
        point_count=len(points),
        share=len(points) / max(header.point_count, 1),
        low_noise=int((fresh & (marked == Class.LOW_NOISE)).sum()),
        high_noise=int((fresh & (marked == Class.HIGH_NOISE)).sum()),
        duplicates=_duplicates(points),
        overlaps=strip_overlaps(strips),
    )


def _duplicates(points: PointCloud) -> int:
    """Points that have the place, time and return number of another."""
    if len(points) < 2:
        return 0
    order = np.lexsort((points.return_number, points.gps_time, points.z, points.y, points.x))
    same = np.ones(len(points) - 1, dtype=np.bool_)
    for column in (points.x, points.y, points.z, points.gps_time, points.return_number):
        ordered = column[order]
        same &= ordered[1:] == ordered[:-1]
    return int(same.sum())
