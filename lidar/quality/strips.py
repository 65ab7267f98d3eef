"""Flight strips: how well the ground of one agrees with that of the next where they overlap."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.point_cloud import NOISE, PointCloud

CELL: Final = 1.0
"""Metres."""
FLAT: Final = 0.25
"""Metres; a strip's last returns in a cell must lie within so much, so that slope and vegetation stay out."""
OTHER_SURFACE: Final = (0.2, 4.0)
"""Metres, and robust standard deviations; a difference further off the median is between two surfaces."""
LEAST_POINTS: Final = 2
"""Last returns of a strip in a cell."""
TIME_GAP: Final = 10.0
"""Seconds without a pulse between two strips, where the file numbers none."""
NMAD: Final = 1.4826
"""From the median absolute deviation to the standard deviation of a normal distribution."""


@dataclass(frozen=True, slots=True)
class StripOverlap:
    """Height differences between two strips, second minus first, over flat cells that both cover."""

    first: int
    second: int
    cells: int
    """Cells where the two saw one surface."""
    other_surface: int
    """Cells left out: one strip saw, say, a roof and the other the ground beside it."""
    mean: float
    """Metres."""
    rms: float
    """Metres, about zero: an offset between the strips counts in full."""
    nmad: float
    """Metres; robust spread about the median, over all cells."""


def strip_numbers(points: PointCloud) -> NDArray[np.int64]:
    """(n,) strip of each point: its point source id, or a running number by gaps in time where the file has one id."""
    source = points.point_source_id.astype(np.int64)
    if len(points) == 0 or source.min() != source.max() or points.gps_time.min() == points.gps_time.max():
        return source
    times = np.unique(points.gps_time)
    starts = times[1:][np.diff(times) > TIME_GAP]
    return np.searchsorted(starts, points.gps_time, side="right").astype(np.int64)


@dataclass(frozen=True, slots=True)
class StripDifferences:
    """Height differences of pairs of strips, second minus first, in flat cells that both cover, sorted by pair."""

    first: NDArray[np.int64]
    """(n,) strip numbers."""
    second: NDArray[np.int64]
    x: NDArray[np.float64]
    """(n,) centres of the cells, metres."""
    y: NDArray[np.float64]
    difference: NDArray[np.float64]
    """(n,) metres."""

    def __len__(self) -> int:
        return len(self.difference)


def strip_differences(points: PointCloud) -> StripDifferences:
    """Cell by cell; three strips over one cell make three pairs."""
    cells = _flat_cells(points)
    cell = cells.cell
    firsts, seconds, places, differences = [], [], [], []
    most = int(np.max(np.unique(cell, return_counts=True)[1])) if len(cell) else 0
    for step in range(1, most):
        together = np.flatnonzero(cell[step:] == cell[:-step])
        firsts.append(cells.strip[together])
        seconds.append(cells.strip[together + step])
        places.append(together)
        differences.append(cells.height[together + step] - cells.height[together])
    if not firsts:
        nothing = np.empty(0, dtype=np.int64)
        return StripDifferences(nothing, nothing, np.empty(0), np.empty(0), np.empty(0))
    first, second, place = np.concatenate(firsts), np.concatenate(seconds), np.concatenate(places)
    order = np.lexsort((second, first))
    place = place[order]
    return StripDifferences(
        first[order], second[order], cells.x[place], cells.y[place], np.concatenate(differences)[order]
    )


def strip_overlaps(found: StripDifferences) -> tuple[StripOverlap, ...]:
    """Every pair of strips that share flat cells, in the order of their numbers."""
    if len(found) == 0:
        return ()
    changes = np.flatnonzero((np.diff(found.first) != 0) | (np.diff(found.second) != 0)) + 1
    return tuple(
        _overlap(int(found.first[start]), int(found.second[start]), found.difference[start:end])
        for start, end in pairwise([0, *changes.tolist(), len(found)])
    )


def _overlap(first: int, second: int, difference: NDArray[np.float64]) -> StripOverlap:
    off = np.abs(difference - np.median(difference))
    spread = NMAD * float(np.median(off))
    one = difference[off <= max(OTHER_SURFACE[0], OTHER_SURFACE[1] * spread)]
    rms = float(np.sqrt(np.mean(one**2)))
    return StripOverlap(first, second, len(one), len(difference) - len(one), float(one.mean()), rms, spread)


class _FlatCells(NamedTuple):
    cell: NDArray[np.int64]
    strip: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    height: NDArray[np.float64]


def _flat_cells(points: PointCloud) -> _FlatCells:
    """Cell, strip and mean height of each strip's last returns, in each cell where they lie flat; sorted by both."""
    chosen = (points.return_number >= points.number_of_returns) & ~np.isin(points.classification, NOISE)
    if not chosen.any():
        whole, real = np.empty(0, dtype=np.int64), np.empty(0)
        return _FlatCells(whole, whole, real, real, real)
    column = np.floor(points.x[chosen] / CELL).astype(np.int64)
    row = np.floor(points.y[chosen] / CELL).astype(np.int64)
    cell = (row - row.min()) * (np.ptp(column) + 1) + (column - column.min())
    strip, z = strip_numbers(points)[chosen], points.z[chosen]
    order = np.lexsort((strip, cell))
    cell, strip, z = cell[order], strip[order], z[order]
    start = np.flatnonzero(np.r_[True, (np.diff(cell) != 0) | (np.diff(strip) != 0)])
    count = np.diff(np.r_[start, len(cell)])
    flat = (np.maximum.reduceat(z, start) - np.minimum.reduceat(z, start) <= FLAT) & (count >= LEAST_POINTS)
    mean = np.add.reduceat(z - z.min(), start) / count + z.min()
    one = order[start][flat]
    return _FlatCells(
        cell[start][flat], strip[start][flat], (column[one] + 0.5) * CELL, (row[one] + 0.5) * CELL, mean[flat]
    )
