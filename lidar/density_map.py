"""Where a survey is dense and where it has gaps, as rasters. Points are counted in one pass over the files.

A gap is what an empty disc can cover that should hold 16 points: the data void of the USGS Lidar Base Specification
(2023 rev. A: (4 × the nominal spacing of pulses)²), as a disc, so that no long row of cells empty by chance counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, pi, sqrt
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from gis.grid import Grid
from gis.raster import Raster
from lidar.blocks import Survey
from lidar.las.crs import in_metres
from lidar.las.file_crs import resolve_crs
from lidar.las.header import open_file, parse_header
from lidar.las.records import decoded
from lidar.point_cloud import NOISE
from lidar.quality.density import covered_area, occupied_area
from lidar.read import batches

DENSITY_RESOLUTION = 1.0
"""m per cell of a density map, where nothing else is asked for: the square metre the specifications count on."""
GAP_POINTS = 16.0
"""Points expected in the disc: e⁻¹⁶ is no chance."""
LEAST_RADIUS = 1.5
"""Cells; a smaller disc has no shape on the grid."""
LEVEL_RIM = 0.3
"""m between the lowest tenth and the middle of the heights around a gap, up to which its rim is level: water mostly, or
a dark flat roof or pavement that sends nothing back."""
RIM = 5
"""Cells: width of the neighbourhood a gap's rim is looked for in."""
COVERED, GAP, LEVEL_GAP = 0.0, 1.0, 2.0
"""Values of a gap map; outside of the survey it has none."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What fell into each cell, noise (classes 7, 18) and withheld points left out."""

    grid: Grid
    points: NDArray[np.int32]
    """(rows, columns)."""
    pulses: NDArray[np.int32]
    """(rows, columns) last returns."""
    lowest: NDArray[np.float32]
    """(rows, columns) metres, the lowest point; infinite where there is none."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One place without points."""

    area: float
    """Square metres."""
    width: float
    """Metres, of the largest empty disc in it."""
    x: float
    """Of that disc's middle, in the survey's CRS."""
    y: float
    level_rim: bool
    """Whether the ground around it is level, as water's is."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps of a survey."""

    raster: Raster
    """0 covered, 1 gap, 2 gap with a level rim; NaN outside of the survey."""
    gaps: tuple[Gap, ...]
    """The largest first."""
    spacing: float
    """Metres between pulses, on average outside of voids; infinite where there is no point."""
    least_width: float
    """Metres; what is narrower is no gap."""


def count_points(survey: Survey, grid: Grid, advance: Callable[[int], None] = lambda _: None) -> Counts:
    """Count the points of all files in the cells of a grid; calls `advance` with the number of points done.

    Raises:
        DiabaError: a file cannot be read.
    """
    points, pulses = np.zeros(grid.shape, dtype=np.int32), np.zeros(grid.shape, dtype=np.int32)
    lowest = np.full(grid.shape, np.inf, dtype=np.float32)
    for path in survey.paths:
        with open_file(path) as handle:
            header = parse_header(handle, path)
            _, across, up = in_metres(resolve_crs(header, survey.crs if header.crs is None else None))
            for raw in batches(handle, header):
                part = decoded(raw, header, across, up)
                row, column = grid.cells(part["x"], part["y"])
                kept = ~np.isin(part["classification"], NOISE)
                last = part["return_number"] >= part["number_of_returns"]
                _count(row, column, part["z"], kept, last, points, pulses, lowest)
                advance(len(raw))
    return Counts(grid, points, pulses, lowest)


def density(counts: Counts) -> Raster:
    """Points a square metre, 0 in gaps and NaN outside of the survey; its band `pulses` is last returns likewise."""
    covered, area = covered_area(counts.points), np.float32(counts.grid.resolution**2)
    points, pulses = (
        np.where(covered, number / area, np.nan).astype(np.float32) for number in (counts.points, counts.pulses)
    )
    return Raster(points, counts.grid, {"pulses": pulses})


def find_gaps(counts: Counts) -> Gaps:
    """The places inside of the survey that have no points though 16 are to be expected."""
    covered, cell = covered_area(counts.points), counts.grid.resolution
    empty = covered & (counts.points == 0)
    if not covered.any():
        return Gaps(Raster(np.full(covered.shape, np.nan, dtype=np.float32), counts.grid), (), inf, inf)
    spacing = sqrt(occupied_area(counts.points) / max(int(counts.pulses.sum()), 1)) * cell
    radius = max(sqrt(GAP_POINTS / pi) * spacing / cell, LEAST_RADIUS)
    room = ndimage.distance_transform_edt(np.pad(empty, 1))[1:-1, 1:-1]
    middles = room >= radius
    if not middles.any():
        found = np.zeros(counts.grid.shape, dtype=np.bool_)
    else:
        found = empty & (ndimage.distance_transform_edt(~middles) < radius)
    labels, number = ndimage.label(found, structure=np.ones((3, 3)))
    gaps = _described(counts, labels, number, room)
    values = np.where(covered, np.float32(COVERED), np.float32(np.nan))
    kind = np.array([COVERED, *(LEVEL_GAP if gap.level_rim else GAP for gap in gaps)], dtype=np.float32)
    values[found] = kind[labels[found]]
    ordered = sorted(gaps, key=lambda gap: (-gap.area, gap.x, gap.y))
    return Gaps(Raster(values, counts.grid), tuple(ordered), spacing, 2 * radius * cell)


def _described(counts: Counts, labels: NDArray[np.int32], number: int, room: NDArray[np.float64]) -> list[Gap]:
    """Each gap, in the order of the labels."""
    if number == 0:
        return []
    cell, (x, y) = counts.grid.resolution, counts.grid.centres()
    index = np.arange(1, number + 1)
    area = np.bincount(labels.ravel(), minlength=number + 1)[1:] * cell**2
    deepest = ndimage.maximum_position(room, labels, index)
    near = ndimage.maximum_filter(labels, RIM)
    rim = (counts.points > 0) & (near > 0)
    heights, owner = counts.lowest[rim], near[rim]
    order = np.argsort(owner, kind="stable")
    ends = np.searchsorted(owner[order], np.arange(1, number + 2))
    gaps = []
    for i, (row, column) in enumerate(deepest):
        around = heights[order[ends[i] : ends[i + 1]]]
        tenth, middle = np.percentile(around, (10, 50)) if around.size else (0.0, np.inf)
        width = 2 * float(room[row, column]) * cell
        gaps.append(Gap(float(area[i]), width, float(x[column]), float(y[row]), bool(middle - tenth <= LEVEL_RIM)))
    return gaps


@njit(nogil=True, cache=True)
def _count(row: Any, column: Any, z: Any, kept: Any, last: Any, points: Any, pulses: Any, lowest: Any) -> None:
    rows, columns = points.shape
    for i in range(len(z)):
        r, c = row[i], column[i]
        if kept[i] and 0 <= r < rows and 0 <= c < columns:
            points[r, c] += 1
            pulses[r, c] += last[i]
            lowest[r, c] = min(lowest[r, c], z[i])
