"""Which points lie on roofs: those classified as building, and others that lie as smoothly as a roof does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.bounds import BoundingBox
from gis.grid import Grid
from lidar.point_cloud import Class, PointCloud
from lidar.roof_heights import in_order

if TYPE_CHECKING:
    from lidar.terrain import Terrain

CELL = 0.5
"""m: cells in which smoothness is judged, aligned to the CRS."""
LOWEST = 2.0
"""m above ground: nothing below is looked at."""
SPREAD = 0.5
"""m: most that a roof's points differ within a cell."""
LEVEL = 0.35
"""m: most that a roof rises from a cell to the next, 35°; crowns rise and fall by more."""
ALIKE = 5
"""Of a cell's eight neighbours, how many must go on smoothly."""
MASS = 12
"""Cells, of the 25 around, that must be smooth or building: less is a piece of a crown that lies level by chance."""
REACH_CELLS = 4
"""Cells beyond which nothing changes a point's answer."""

MAYBE = (
    Class.NEVER_CLASSIFIED,
    Class.UNCLASSIFIED,
    Class.LOW_VEGETATION,
    Class.MEDIUM_VEGETATION,
    Class.HIGH_VEGETATION,
)
"""Classes whose points may lie on a roof after all: classification goes by area and neighbourhood."""
_MAYBE = np.isin(np.arange(256), MAYBE)


def roof_points(points: PointCloud, terrain: Terrain) -> NDArray[np.bool_]:
    """(n,) whether each point lies on a roof.

    Points of class building do. So do last returns without a class, or of vegetation, more than 2 m above the
    ground, in cells that spread little and go on smoothly into most of their neighbours, in a patch of some size.
    Elsewhere, on water, wires or bridges, nothing does.

    Args:
        points: classified.
        terrain: its `dtm` says what is above the ground; where it says nothing, only class building counts.
    """
    building = points.classification == Class.BUILDING
    above = points.z - terrain.dtm.at(points.x, points.y)
    last = points.return_number >= points.number_of_returns
    maybe = _MAYBE[points.classification] & last & (above >= LOWEST)
    chosen = np.flatnonzero(building | maybe)
    if not maybe.any():
        return np.asarray(building, dtype=bool)
    x, y, z = points.x[chosen], points.y[chosen], points.z[chosen]
    bounds = BoundingBox(float(x.min()), float(y.min()), float(x.max()) + CELL, float(y.max()) + CELL, points.crs)
    grid = Grid.covering(bounds, CELL).buffered(REACH_CELLS * CELL)
    row, column = grid.cells(x, y)
    certain = building[chosen]
    median, sure = _cell_medians(row * grid.columns + column, z, certain, grid.rows * grid.columns)
    median, sure = median.reshape(grid.shape), sure.reshape(grid.shape)
    smooth = np.zeros(grid.shape, dtype=bool)
    _smooth(median, sure, smooth)
    found: NDArray[np.bool_] = building.copy()
    on_roof = _massive(smooth)[row, column] & (np.abs(z - median[row, column]) <= SPREAD)
    found[chosen] |= on_roof & ~sure[row, column]
    return found


@njit(cache=True, nogil=True)
def _cell_medians(cell: Any, z: Any, certain: Any, cells: Any) -> Any:
    """(cells,) the median of each cell's points, of building ones alone where there are any; NaN where others spread.

    Then (cells,) where there are building ones.
    """
    starts = np.zeros(cells + 1, dtype=np.int64)
    buildings = np.zeros(cells, dtype=np.int64)
    for i in range(cell.shape[0]):
        buildings[cell[i]] += certain[i]
    for i in range(cell.shape[0]):
        starts[cell[i] + 1] += certain[i] or buildings[cell[i]] == 0
    for c in range(cells):
        starts[c + 1] += starts[c]
    heights, cursor = np.empty(starts[cells]), starts[:-1].copy()
    for i in range(cell.shape[0]):
        if certain[i] or buildings[cell[i]] == 0:
            heights[cursor[cell[i]]] = z[i]
            cursor[cell[i]] += 1
    median, sure = np.full(cells, np.nan), buildings > 0
    for c in range(cells):
        own = heights[starts[c] : starts[c + 1]]
        if own.shape[0] > 0 and (sure[c] or own.max() - own.min() <= SPREAD):
            median[c] = in_order(own)[(own.shape[0] - 1) // 2]
    return median, sure


@njit(cache=True, nogil=True)
def _smooth(median, sure, smooth):  # type: ignore[no-untyped-def]
    """Cells that are building, or go on smoothly into enough of their neighbours."""
    rows, columns = median.shape
    for r in range(1, rows - 1):
        for c in range(1, columns - 1):
            if sure[r, c]:
                smooth[r, c] = True
                continue
            if not np.isfinite(median[r, c]):
                continue
            alike = -1
            for dr in range(-1, 2):
                for dc in range(-1, 2):
                    if abs(median[r + dr, c + dc] - median[r, c]) <= LEVEL:
                        alike += 1
            smooth[r, c] = alike >= ALIKE


def _massive(smooth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Smooth cells among enough smooth cells."""
    padded = np.pad(smooth.astype(np.int64), 2)
    total = np.pad(padded.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    around = total[5:, 5:] - total[:-5, 5:] - total[5:, :-5] + total[:-5, :-5]
    return np.asarray(smooth & (around >= MASS), dtype=bool)
