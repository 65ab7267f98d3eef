"""The quality of a point file: what it holds, what it says it holds, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from gis.crs import name_of
from gis.errors import BadCrs, MissingCrs
from lidar.crs_of_las import in_metres
from lidar.density import Density, DensityGrid
from lidar.las_header import LasHeader, open_file, parse_header
from lidar.las_records import RawPoints, count_by_return, decoded, extent, is_withheld, returns
from lidar.noise import mark_noise
from lidar.point_cloud import Class, PointCloud
from lidar.problems import Problem, problems_of
from lidar.read import batches, resolve_crs
from lidar.strips import StripOverlap, strip_overlaps

SAMPLE_POINTS: Final = 4_000_000
"""Noise, duplicates and strips are looked at in a square in the middle that holds about so many points, or in all."""
UNKNOWN: Final = CRS.from_wkt('LOCAL_CS["unknown",UNIT["metre",1]]')
"""What the sample is in: metres, somewhere; the figures need no more."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was found by looking at the points themselves, all of them or those of a square in the middle."""

    point_count: int
    share: float
    """Of the file's points."""
    low_noise: int
    """Points that `mark_noise` calls low noise and the file does not."""
    high_noise: int
    duplicates: int
    """Points that repeat another in place, time and return."""
    overlaps: tuple[StripOverlap, ...]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What `inspect` found. Lengths are metres, also for a file in feet, except `header_bounds`."""

    path: Path | str
    file_size: int
    """Bytes."""
    version: str
    point_format: int
    is_compressed: bool
    is_copc: bool
    software: str
    created: str | None
    point_count: int
    crs: str | None
    """As `--crs` takes it; None where it is unknown."""
    crs_name: str | None
    metres_per_unit: tuple[float, float] | None
    """Of x and y, and of z."""
    header_bounds: tuple[float, float, float, float]
    """As the header has them, in the file's units."""
    bounds: tuple[float, float, float, float] | None
    """Of the points, in metres; None without points or CRS."""
    z_range: tuple[float, float] | None
    density: Density | None
    classes: Mapping[int, int]
    """Points by class code."""
    returns: Mapping[int, int]
    """Points by return number."""
    strips: Mapping[int, int]
    """Points by point source id."""
    withheld: int
    gps_time: tuple[float, float] | None
    """First and last, as the file has them; None where it has none."""
    extra_dimensions: tuple[str, ...]
    sample: Sample | None
    problems: tuple[Problem, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        document = asdict(self)
        document["path"] = str(self.path)
        return document


@dataclass(slots=True)
class Tally:
    """Counts over all batches, in the file's units."""

    classes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    by_return: NDArray[np.int64] = field(default_factory=lambda: np.zeros(16, dtype=np.int64))
    sources: NDArray[np.int64] = field(default_factory=lambda: np.zeros(65_536, dtype=np.int64))
    withheld: int = 0
    impossible_returns: int = 0
    times: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=lambda: [np.inf] * 3)
    high: list[float] = field(default_factory=lambda: [-np.inf] * 3)

    def add(self, raw: RawPoints, header: LasHeader, part: Mapping[str, NDArray[Any]]) -> None:
        """Count one batch: its records and their columns."""
        self.classes += np.bincount(part["classification"], minlength=256)
        self.by_return += count_by_return(raw, header)
        self.sources += np.bincount(raw["point_source_id"], minlength=65_536)
        self.withheld += int(is_withheld(raw, header).sum())
        number, total = returns(raw, header)
        self.impossible_returns += int(((number == 0) | (number > total)).sum())
        if "gps_time" in (raw.dtype.names or ()):
            self.times += [float(raw["gps_time"].min()), float(raw["gps_time"].max())]
        for axis in range(3):
            low, high = extent(raw, header, axis)
            self.low[axis], self.high[axis] = min(self.low[axis], low), max(self.high[axis], high)


def inspect(path: Path | str, crs: CRS | None = None) -> QualityReport:
    """Look through a file, in memory that does not grow with it; a file without a usable CRS is reported on, too.

    Args:
        path: LAS, LAZ or COPC.
        crs: of a file that does not say its own; figures in metres need one.

    Raises:
        UnreadableFile: the file is missing, truncated, damaged or something else.
    """
    with open_file(path) as handle:
        header = parse_header(handle, path)
        resolved, crs_problem = _crs(header, crs)
        across, up = _units(resolved)
        tally = Tally()
        grid = DensityGrid.covering(header.bounds, across) if across else None
        sample = _collect(handle, header, tally, grid, across, up)
    points = None if sample is None else PointCloud(**sample, crs=UNKNOWN)
    return _report(header, resolved, crs_problem, (across, up), tally, grid, points)


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
    handle: BinaryIO, header: LasHeader, tally: Tally, grid: DensityGrid | None, across: float, up: float
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
    points: PointCloud | None,
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
        gps_time=times if times and times != (0.0, 0.0) else None,
        extra_dimensions=header.extra_dims,
        sample=_sample(points, header) if points is not None else None,
    )
    return replace(report, problems=problems_of(report, header, crs, crs_problem, tally))


def _counted(counts: NDArray[np.int64]) -> dict[int, int]:
    return {int(code): int(counts[code]) for code in np.flatnonzero(counts)}


def _sample(points: PointCloud, header: LasHeader) -> Sample:
    marked = mark_noise(points).classification
    fresh = marked != points.classification
    return Sample(
        point_count=len(points),
        share=len(points) / max(header.point_count, 1),
        low_noise=int((fresh & (marked == Class.LOW_NOISE)).sum()),
        high_noise=int((fresh & (marked == Class.HIGH_NOISE)).sum()),
        duplicates=_duplicates(points),
        overlaps=strip_overlaps(points),
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
