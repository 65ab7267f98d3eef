"""Point density: per square metre over the area a file covers, and the voids in it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Any, Final

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

MOST_CELLS: Final = 25_000_000
"""Above this many square metres the cells grow, so that memory does not."""
BLOCK: Final = 10
"""Cells; blocks of this side give a first figure of the density."""
EXPECTED: Final = 6.0
"""Points expected in a cell of the void test; an empty one is then no chance (e⁻⁶)."""
PERCENTILES: Final = (1, 5, 50, 95, 99)


@dataclass(frozen=True, slots=True)
class Density:
    """Points a square metre over the covered area: the outline of the occupied cells, its holes filled."""

    mean: float
    pulses: float
    """Last returns a square metre."""
    percentiles: dict[int, float]
    """Of the cells of `cell` metres in the covered area."""
    cell: float
    """Metres."""
    covered_area: float
    """Square metres."""
    void_share: float
    """Of the covered area, in cells large enough to hold six points on average that hold none."""
    void_cell: float
    """Side of those cells, metres."""
    largest_void: float
    """Square metres."""


class DensityGrid:
    """Counts per cell, filled batch by batch; positions in metres."""

    def __init__(self, west: int, south: int, columns: int, rows: int, cell: float) -> None:
        self.west, self.south, self.cell = west, south, cell
        self.counts = np.zeros((rows, columns), dtype=np.int32)
        self.last = 0
        self.outside = 0
        """Points outside of the bounds the grid was made for."""

    @classmethod
    def covering(cls, bounds: tuple[float, float, float, float], metres_per_unit: float) -> DensityGrid:
        """An aligned grid over (min x, min y, max x, max y) in some unit."""
        west, south, east, north = (value * metres_per_unit for value in bounds)
        area = max(east - west, 1.0) * max(north - south, 1.0)
        cell = float(max(1, ceil((area / MOST_CELLS) ** 0.5), ceil(max(east - west, north - south) / MOST_CELLS)))
        first, bottom = floor(west / cell), floor(south / cell)
        return cls(first, bottom, floor(east / cell) - first + 1, floor(north / cell) - bottom + 1, cell)

    def add(self, x: NDArray[np.float64], y: NDArray[np.float64], is_last: NDArray[np.bool_]) -> None:
        """Count some points."""
        self.last += int(is_last.sum())
        self.outside += _count(x, y, self.cell, self.west, self.south, self.counts)

    def voids(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], float]:
        """Cells of the void test: covered by the survey, and without a point inside of it; and their side in metres.

        Rows run from south to north.
        """
        factor = void_factor(self.counts)
        coarse = _summed(self.counts, factor)
        outline = _outline(coarse > 0)
        return outline, outline & (coarse == 0), self.cell * factor

    def density(self) -> Density | None:
        """The figures; None where no point fell on the grid."""
        total = int(self.counts.sum())
        if total == 0:
            return None
        outline, empty, side = self.voids()
        covered = _finer(outline, round(side / self.cell), self.counts.shape)
        holes, number = ndimage.label(empty)
        largest = int(np.bincount(holes.ravel())[1:].max()) if number else 0
        cells = self.counts[covered] / self.cell**2
        area = float(covered.sum()) * self.cell**2
        return Density(
            mean=total / area,
            pulses=self.last / (total + self.outside) * total / area,
            percentiles=dict(zip(PERCENTILES, np.percentile(cells, PERCENTILES).tolist(), strict=True)),
            cell=self.cell,
            covered_area=area,
            void_share=float((holes > 0).sum() / outline.sum()),
            void_cell=side,
            largest_void=largest * side**2,
        )


def void_factor(counts: NDArray[np.int32]) -> int:
    """Cells along the side of a square in which six points are expected, so that an empty one is no chance."""
    total = int(counts.sum())
    blocks = _summed(counts, BLOCK)
    per_cell = total / (float((blocks > 0).sum()) * BLOCK**2)
    return max(1, ceil(sqrt(EXPECTED / per_cell)))


def occupied_area(counts: NDArray[np.int32]) -> float:
    """Cells in those squares of `void_factor` that hold a point: the survey without its voids."""
    factor = void_factor(counts)
    return float((_summed(counts, factor) > 0).sum()) * factor**2


def covered_area(counts: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(rows, columns) the cells the survey covers: the outline of the occupied squares of `void_factor`, filled."""
    if not counts.any():
        return np.zeros(counts.shape, dtype=np.bool_)
    factor = void_factor(counts)
    return _finer(_outline(_summed(counts, factor) > 0), factor, counts.shape)


def _outline(occupied: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The occupied squares, gaps of one square and holes filled."""
    filled = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(occupied, 1)))[1:-1, 1:-1]
    return np.asarray(filled | occupied, dtype=np.bool_)


def _finer(coarse: NDArray[np.bool_], factor: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The same for each of the cells that make up the squares."""
    return coarse.repeat(factor, axis=0).repeat(factor, axis=1)[: shape[0], : shape[1]]


def _summed(counts: NDArray[np.int32], factor: int) -> NDArray[np.int64]:
    """Sums over squares of cells; the last ones may be cut."""
    rows, columns = counts.shape
    tops, lefts = np.arange(0, rows, factor), np.arange(0, columns, factor)
    summed: NDArray[np.int64] = np.add.reduceat(
        np.add.reduceat(counts, tops, axis=0, dtype=np.int64), lefts, axis=1, dtype=np.int64
    )
    return summed


@nb.njit(cache=True, nogil=True)
def _count(x: Any, y: Any, cell: float, west: int, south: int, counts: Any) -> int:
    """Add the points to their cells; returns how many lie outside."""
    rows, columns = counts.shape
    outside = 0
    for i in range(len(x)):
        column, row = int(np.floor(x[i] / cell)) - west, int(np.floor(y[i] / cell)) - south
        if 0 <= column < columns and 0 <= row < rows:
            counts[row, column] += 1
        else:
            outside += 1
    return outside
