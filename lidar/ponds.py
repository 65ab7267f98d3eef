"""Where rain stands and where it runs: depressions with depth, volume and spill point; area drained through cells.

Depressions are filled by priority-flood (`lidar.priority_flood`) from the edges of what is known, or from open water
too. Water runs down the steepest of eight ways of the filled surface (D8: O'Callaghan and Mark 1984, "The extraction of
drainage networks from digital elevation data"), and across ponds and level ground by the way the flood came, which ends
at an outlet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.morphology import compiled
from lidar.priority_flood import SEED, STEPS, Flooded, priority_flood, rim


@dataclass(frozen=True, slots=True)
class Pond:
    """A depression, full to where it spills. Places are the centres of cells, in the raster's CRS."""

    number: int
    """From 1; of its cells in `Ponds.labels`."""
    level: float
    """m above the raster's datum, at which it spills."""
    depth: float
    """m, the greatest."""
    area: float
    """m²"""
    volume: float
    """m³"""
    x: float
    """Of the deepest cell."""
    y: float
    spill_x: float
    """Of the cell outside of the pond over which it spills."""
    spill_y: float


@dataclass(frozen=True, slots=True)
class Ponds:
    """The depressions of a surface."""

    grid: Grid
    flooded: Flooded
    labels: NDArray[np.int32]
    """(rows, columns) number of the pond a cell lies in; 0 outside."""
    depth: NDArray[np.float32]
    """(rows, columns) m; 0 where no water stands, NaN where nothing is known."""
    ponds: tuple[Pond, ...]
    """By volume, the largest first; shallower or smaller ones than asked for are left out."""


def find_ponds(
    terrain: Raster,
    outlets: NDArray[np.bool_] | None = None,
    *,
    least_depth: float = 0.0,
    least_area: float = 0.0,
) -> Ponds:
    """The depressions of a terrain.

    Args:
        terrain: heights, m.
        outlets: cells besides the edges of what is known at which water is gone: open water, gullies.
        least_depth: m; ponds nowhere deeper are left out of the list. Below the terrain's σ they are noise.
        least_area: m²; smaller ones are left out.

    Raises:
        BadParameter: the outlets have another shape than the terrain, or a limit is negative.
    """
    for name, value in (("least_depth", least_depth), ("least_area", least_area)):
        if not value >= 0:
            raise BadParameter(name, value, "must not be negative")
    if outlets is not None and outlets.shape != terrain.grid.shape:
        raise BadParameter("outlets", outlets.shape, f"the terrain has the shape {terrain.grid.shape}")
    edge = rim(terrain.values)
    flooded = priority_flood(terrain.values, edge if outlets is None else edge | outlets)
    depth = flooded.level - terrain.values
    labels, count = label_ponds(depth)
    deepest, spills, cells, volume = _measure(depth, labels, flooded.way, count, STEPS)
    cell = terrain.grid.resolution**2
    x, y = terrain.grid.centres()
    columns = terrain.grid.columns
    greatest = depth.ravel()[deepest]
    kept = np.flatnonzero((greatest > least_depth) & (cells * cell >= least_area))
    ponds = [
        Pond(
            int(n) + 1,
            float(flooded.level.flat[deepest[n]]),
            float(greatest[n]),
            float(cells[n] * cell),
            float(volume[n] * cell),
            float(x[deepest[n] % columns]),
            float(y[deepest[n] // columns]),
            float(x[spills[n] % columns]),
            float(y[spills[n] // columns]),
        )
        for n in kept
    ]
    return Ponds(terrain.grid, flooded, labels, depth, tuple(sorted(ponds, key=lambda p: (-p.volume, p.number))))


def label_ponds(depth: NDArray[np.float32]) -> tuple[NDArray[np.int32], int]:
    """Numbers from 1 for the connected cells of eight neighbours with a depth above 0, and how many there are.

    Two such cells that touch have the same level: water of one would run into the other.
    """
    from scipy.ndimage import label

    labels, count = label(depth > 0, structure=np.ones((3, 3)), output=np.int32)
    return labels, int(count)


def drained_area(terrain: Raster, flooded: Flooded) -> NDArray[np.float64]:
    """(rows, columns) m² of land whose rain runs through each cell, itself included; NaN where nothing is known.

    What runs in from beyond the raster is not in it: a cell that water enters from the edge has less than it should.
    """
    drained: NDArray[np.float64] = _accumulated(flooded.level, flooded.way, STEPS)
    drained[np.isnan(flooded.level)] = np.nan
    drained *= terrain.grid.resolution**2
    return drained


@compiled
def _measure(depth: Any, labels: Any, way: Any, count: Any, steps: Any) -> Any:
    """Of each pond: its deepest cell, the cell it spills over (both by flat index), its cells, the sum of depths."""
    rows, columns = depth.shape
    deepest = np.full(count, -1, dtype=np.int64)
    spills = np.full(count, -1, dtype=np.int64)
    cells = np.zeros(count, dtype=np.int64)
    volume = np.zeros(count)
    for r in range(rows):
        for c in range(columns):
            n = labels[r, c] - 1
            if n < 0:
                continue
            cells[n] += 1
            volume[n] += depth[r, c]
            here = r * columns + c
            if deepest[n] < 0 or depth[r, c] > depth[deepest[n] // columns, deepest[n] % columns]:
                deepest[n] = here
            if spills[n] < 0:
                i, j = r, c
                while labels[i, j] == n + 1:
                    step = way[i, j]
                    i, j = i + steps[step, 0], j + steps[step, 1]
                spills[n] = i * columns + j
    return deepest, spills, cells, volume


@compiled
def _accumulated(level: Any, way: Any, steps: Any) -> Any:
    """Cells drained through each: a cell gives on what it has when all have given to it."""
    rows, columns = level.shape
    cells = rows * columns
    to = np.full(cells, -1, dtype=np.int64)
    waiting = np.zeros(cells, dtype=np.uint8)
    for r in range(rows):
        for c in range(columns):
            if np.isnan(level[r, c]) or way[r, c] == SEED:
                continue
            best, chosen = 0.0, np.int64(way[r, c])
            for step in range(8):
                i, j = r + steps[step, 0], c + steps[step, 1]
                if 0 <= i < rows and 0 <= j < columns and level[i, j] < level[r, c]:
                    run = 1.0 if step < 4 else np.sqrt(2.0)
                    fall = (level[r, c] - level[i, j]) / run
                    if fall > best:
                        best, chosen = fall, np.int64(step)
            to[r * columns + c] = (r + steps[chosen, 0]) * columns + c + steps[chosen, 1]
            waiting[to[r * columns + c]] += 1
    drained = np.ones(cells)
    for first in range(cells):
        cell = first
        # A spring, and down from it as long as nobody else is waited for.
        while cell >= 0 and waiting[cell] == 0:
            waiting[cell] = 255
            below = to[cell]
            if below >= 0:
                drained[below] += drained[cell]
                waiting[below] -= 1
                if below > first and waiting[below] == 0:
                    break
            cell = below
    return drained.reshape(rows, columns)
