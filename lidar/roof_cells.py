"""Which cells of an aligned grid are roof, from classified points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.grid import Grid
from lidar.point_cloud import Class, PointCloud
from lidar.roof_points import roof_points

if TYPE_CHECKING:
    from lidar.terrain import Terrain

LOWEST = 2.0
"""m above ground: nothing below is a building."""
LEVEL = 0.5
"""m: an unclassified point this near to the roof beside it belongs to it."""
NEIGHBOURHOOD = 4.0
"""m to either side from which the density around a cell is taken."""
WIDEST_GAP = 5
"""Cells: no wider gap between points is closed."""
REACH_CELLS = 2 * WIDEST_GAP
"""Cells beyond which nothing changes a cell, at the 0.5 m and finer cells meant."""

IGNORED = (
    Class.LOW_VEGETATION,
    Class.MEDIUM_VEGETATION,
    Class.HIGH_VEGETATION,
    Class.LOW_NOISE,
    Class.HIGH_NOISE,
    Class.WIRE_CONDUCTOR,
    Class.TOWER,
    Class.BRIDGE_DECK,
)
"""Classes that neither make a cell roof nor speak against it."""


@dataclass(frozen=True, slots=True)
class RoofCells:
    """Roof cells of a grid, and the roof points that lie in the grid."""

    solid: NDArray[np.bool_]
    """(rows, columns) whether the cell is roof."""
    height: NDArray[np.float64]
    """(rows, columns) median of its roof points, metres; NaN without any."""
    cell: NDArray[np.int64]
    """(n,) flat index of each point's cell."""
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]


def roof_cells(points: PointCloud, terrain: Terrain, grid: Grid) -> RoofCells:
    """Tell roof cells from others.

    A cell is roof when at least half of its points (vegetation, wires and noise aside) lie on a roof (`roof_points`),
    or are unclassified last returns more than 2 m up, beside such a cell and level with it. Cells without points join
    their neighbours as far as the points' spacing around them allows.

    Args:
        points: classified; noise is not looked at.
        terrain: its `dtm` says what 2 m up is; where it is unknown, class building is believed.
        grid: aligned cells.
    """
    on_roof = roof_points(points, terrain)
    inside = (points.x >= grid.west) & (points.x < grid.east) & (points.y >= grid.south) & (points.y < grid.north)
    chosen = np.flatnonzero(inside & (on_roof | ~np.isin(points.classification, IGNORED)))
    x, y, z, kind = points.x[chosen], points.y[chosen], points.z[chosen], points.classification[chosen]
    above = z - terrain.dtm.at(x, y)
    roof = on_roof[chosen] & ~(above < LOWEST)
    last = points.return_number[chosen] >= points.number_of_returns[chosen]
    maybe = (above >= LOWEST) & ~roof & (kind != Class.GROUND) & last
    row, column = grid.cells(x, y)
    cell, cells = row * grid.columns + column, grid.rows * grid.columns
    of_roof, of_maybe = np.bincount(cell[roof], minlength=cells), np.bincount(cell[maybe], minlength=cells)
    of_all = np.bincount(cell, minlength=cells)
    most = 2 * (of_roof + of_maybe) >= of_all
    solid = ((of_roof > 0) & most).reshape(grid.shape)
    edge = ((of_maybe > 0) & most).reshape(grid.shape) & ~solid
    height = quantiles(cell, z, roof, of_roof, 0.5).reshape(grid.shape)
    _grow(height, solid, edge, quantiles(cell, z, maybe, of_maybe, 0.5).reshape(grid.shape))
    counts = of_all.reshape(grid.shape)
    _close_gaps(solid, counts > 0, _gap_cells(counts, grid.resolution))
    kept = roof | maybe
    return RoofCells(solid, height, cell[kept], x[kept], y[kept], z[kept])


@njit(cache=True, nogil=True)
def quantiles(cell, z, chosen, counts, share):  # type: ignore[no-untyped-def]
    """The height in each cell that a share of the chosen points lie below; one of theirs, NaN without any."""
    starts = np.zeros(counts.shape[0] + 1, dtype=np.int64)
    for c in range(counts.shape[0]):
        starts[c + 1] = starts[c] + counts[c]
    values = np.empty(starts[-1])
    cursor = starts[:-1].copy()
    for i in range(cell.shape[0]):
        if chosen[i]:
            values[cursor[cell[i]]] = z[i]
            cursor[cell[i]] += 1
    found = np.full(counts.shape[0], np.nan)
    for c in range(counts.shape[0]):
        if counts[c] > 0:
            own = np.sort(values[starts[c] : starts[c + 1]])
            found[c] = own[int((counts[c] - 1) * share)]
    return found


@njit(cache=True, nogil=True)
def _grow(height, solid, edge, edge_height):  # type: ignore[no-untyped-def]
    """Add cells of unclassified points beside a roof cell and level with it, one cell deep."""
    rows, columns = solid.shape
    before = solid.copy()
    for r in range(1, rows - 1):
        for c in range(1, columns - 1):
            if not edge[r, c]:
                continue
            for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                if before[r + dr, c + dc] and abs(height[r + dr, c + dc] - edge_height[r, c]) < 0.5:
                    solid[r, c] = True
                    height[r, c] = edge_height[r, c]
                    break


def _gap_cells(counts: NDArray[np.int64], cell: float) -> NDArray[np.int64]:
    """(rows, columns) how many cells a gap may be wide: the points' spacing around it, with a fifth to spare."""
    reach = round(NEIGHBOURHOOD / cell)
    total, seen = _around(counts, reach), _around((counts > 0).astype(np.int64), reach)
    # Points a cell that has any overstate the density where most cells have none.
    share = seen / (2 * reach + 1) ** 2
    density = total / np.maximum(seen, 1) * np.clip(-np.log(np.maximum(1.0 - share, 1e-3)), 0.05, 1.0)
    spacing = 1.0 / np.sqrt(np.maximum(density, 1e-3))
    return np.asarray(np.clip(np.ceil(1.2 * spacing), 1, WIDEST_GAP), dtype=np.int64)


def _around(values: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """Sum over the square of cells within a reach, zero beyond the edges; in whole numbers, so exact."""
    padded = np.pad(values, reach)
    total = np.pad(padded.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    side = 2 * reach + 1
    return np.asarray(
        total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side], dtype=np.int64
    )


@njit(cache=True, nogil=True)
def _close_gaps(solid, known, reach):  # type: ignore[no-untyped-def]
    """Let empty cells join their neighbours when most of those are roof, one ring a pass."""
    rows, columns = solid.shape
    for step in range(1, WIDEST_GAP + 1):
        roof, told = solid.copy(), known.copy()
        for r in range(1, rows - 1):
            for c in range(1, columns - 1):
                if told[r, c] or reach[r, c] < step:
                    continue
                yes, no = 0, 0
                for dr in range(-1, 2):
                    for dc in range(-1, 2):
                        if roof[r + dr, c + dc]:
                            yes += 1
                        elif told[r + dr, c + dc]:
                            no += 1
                if yes + no >= 3:
                    known[r, c] = True
                    if yes > no:
                        solid[r, c] = True
