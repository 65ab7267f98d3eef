"""Flight strips: how well the ground of one agrees with that of the next where they overlap."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

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


def strip_overlaps(points: PointCloud) -> tuple[StripOverlap, ...]:
    """Every pair of strips that share flat cells, in the order of their numbers."""
    cell, strip, mean = _flat_cells(points)
    firsts, seconds, differences = [], [], []
    if len(cell) == 0:
        return ()
    most = int(np.max(np.unique(cell, return_counts=True)[1]))
    for step in range(1, most):
        together = np.flatnonzero(cell[step:] == cell[:-step])
        firsts.append(strip[together])
        seconds.append(strip[together + step])
        differences.append(mean[together + step] - mean[together])
    if not firsts or not sum(len(part) for part in firsts):
        return ()
    pair = np.stack([np.concatenate(firsts), np.concatenate(seconds)])
    order = np.lexsort((pair[1], pair[0]))
    pair, difference = pair[:, order], np.concatenate(differences)[order]
    changes = np.flatnonzero(np.any(np.diff(pair, axis=1) != 0, axis=0)) + 1
    return tuple(
        _overlap(int(pair[0, start]), int(pair[1, start]), difference[start:end])
        for start, end in pairwise([0, *changes.tolist(), pair.shape[1]])
    )


def _overlap(first: int, second: int, difference: NDArray[np.float64]) -> StripOverlap:
    off = np.abs(difference - np.median(difference))
    spread = NMAD * float(np.median(off))
    one = difference[off <= max(OTHER_SURFACE[0], OTHER_SURFACE[1] * spread)]
    rms = float(np.sqrt(np.mean(one**2)))
    return StripOverlap(first, second, len(one), len(difference) - len(one), float(one.mean()), rms, spread)


def _flat_cells(points: PointCloud) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Cell, strip and mean height of each strip's last returns, in each cell where they lie flat; sorted by both."""
    chosen = (points.return_number >= points.number_of_returns) & ~np.isin(points.classification, NOISE)
    if not chosen.any():
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, np.empty(0)
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
    return cell[start][flat], strip[start][flat], mean[flat]
