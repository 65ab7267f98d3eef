"""Which ground is water: level to the range's noise, with banks about it, and returning few or weak echoes.

A laser is mirrored away by calm water except near the nadir, so water has far fewer echoes than the land beside it and
darker ones. A place that shows this is a seed; from seeds the water grows on its own level, so that the dense and
bright echoes from below the aircraft are taken too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from lidar.cells import Cells, Mask, around
from lidar.morphology import compiled, in_threads

FLAT_RADIUS = 2
"""Cells to each side of the window in which the level's spread is taken."""
FEWEST = 4
"""Echoes of a window that a level is taken from."""
FLAT = 0.035
"""Metres, 1σ about the level: range noise and the strips' mismatch, no slope."""
STILL = 0.035
"""The same where water grows: waves, and the edge of a bank in the window."""
LAND_RADIUS = 15
"""Cells to each side in which the land is looked at."""
LOWER = 0.25
"""Metres by which nothing near may be lower: water lies lowest, but a lock or weir may part two levels."""
BANK = 0.3
"""Metres that something near must be higher."""
SPARSE = 0.6
"""Of the usual density near: water, of which the surroundings are a part themselves, has fewer echoes."""
DENSITY = 2.0
"""Echoes/m² that are usual; with fewer, a few may miss by chance."""
SEED_RADIUS = 3
"""Cells to each side of the window in which seeds support each other."""
SEEDS = 16
"""Seeds of such a window (49 cells): the shadow of a wall is narrower."""
DARK = 0.75
"""Of the mean intensity of the ground near."""
STEPS = 18
"""Cells that water grows from a seed."""
SAME = 0.07
"""Metres from the level that still are the same water."""
EDGE = 0.07
"""Metres from the level at the banks, where a window holds both."""
REACH = LAND_RADIUS + SEED_RADIUS + STEPS + 2 + 1.0
"""Metres of surroundings: the land about a seed, the seeds about it, growth, the edge, and a cell's own width."""
NONE = np.int64(-(1 << 40))
"""Level of a cell that is no water."""


def water(z: NDArray[np.float64], intensity: NDArray[np.uint16], ground: Mask, last: Mask, cells: Cells) -> Mask:
    """(n,) true for ground points on water.

    Args:
        z: (n,) metres.
        intensity: (n,) any unit; all zero where there is none.
        ground: (n,) what the ground filter found.
        last: (n,) last returns without noise, which the density is counted by.
        cells: where the points lie.
    """
    low = np.rint(z * 1000).astype(np.int64)
    count, total = cells.count(ground), cells.total(ground, low)
    squares = cells.total(ground, low * low)
    n, level, spread = _level(count, total, squares, 1)
    wide_n, wide_level, wide_spread = _level(count, total, squares, FLAT_RADIUS)
    few = n < FEWEST
    n = np.where(few, wide_n, n)
    level, spread = np.where(few, wide_level, level), np.where(few, wide_spread, spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = total / count
    enough = n >= FEWEST
    size = 2 * LAND_RADIUS + 1
    lowest = minimum_filter(np.where(count > 0, own, np.inf), size, mode="nearest")
    highest = maximum_filter(np.where(count > 0, own, -np.inf), size, mode="nearest")
    basin = enough & (lowest >= level - LOWER * 1000) & (highest >= level + BANK * 1000)

    echoes = cells.count(last)
    usual = around(echoes, LAND_RADIUS) / (size * size)
    density = around(echoes, FLAT_RADIUS) / (2 * FLAT_RADIUS + 1) ** 2
    light = cells.total(ground, intensity.astype(np.int64))
    here = around(light, FLAT_RADIUS) / around(count, FLAT_RADIUS).clip(1)
    near = around(light, LAND_RADIUS) / around(count, LAND_RADIUS).clip(1)
    dark = here < DARK * near
    seed = basin & (spread <= FLAT) & (usual >= DENSITY) & (density <= SPARSE * usual) & dark
    seed &= around(seed.astype(np.int64), SEED_RADIUS) >= SEEDS
    if not seed.any():
        return np.zeros(len(z), dtype=np.bool_)

    levels = np.where(seed, np.rint(np.nan_to_num(level)), NONE).astype(np.int64)
    still = enough & (spread <= STILL)
    levels = _grown(levels, np.where(still, np.rint(np.nan_to_num(level)), NONE).astype(np.int64), count == 0)
    edge = _spread(_spread(levels))
    of_point = edge.ravel()[cells.index]
    inside = levels.ravel()[cells.index] != NONE
    off = np.abs(low - of_point)
    return np.asarray(ground & (of_point != NONE) & (off <= np.where(inside, SAME * 1000, EDGE * 1000)))


def _level(
    count: NDArray[np.int64], total: NDArray[np.int64], squares: NDArray[np.int64], radius: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Points, mean level (mm) and spread about it (m) of the window about each cell; NaN without points."""
    n = around(count, radius)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = around(total, radius) / n
        spread = np.sqrt(np.maximum(around(squares, radius) / n - level * level, 0)) / 1000
    return n, level, spread


def _grown(levels: NDArray[np.int64], candidate: NDArray[np.int64], empty: Mask) -> NDArray[np.int64]:
    for _ in range(STEPS):
        following = levels.copy()
        changed = np.zeros(levels.shape[0], dtype=np.bool_)
        in_threads(
            _grow, levels.shape[0], levels.size * 4, levels, candidate, empty, int(SAME * 1000), following, changed
        )
        if not changed.any():
            break
        levels = following
    return levels


def _spread(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Carry the levels one cell further."""
    following = levels.copy()
    changed = np.zeros(levels.shape[0], dtype=np.bool_)
    every = np.ones(levels.shape, dtype=np.bool_)
    in_threads(_grow, levels.shape[0], levels.size * 4, levels, levels, every, 0, following, changed)
    return following


@compiled
def _grow(
    first: int, last: int, levels: Any, candidate: Any, empty: Any, same: int, following: Any, changed: Any
) -> None:
    """One cell further: onto cells of the same level, and over empty ones."""
    rows, columns = levels.shape
    none = -(1 << 40)
    for r in range(first, last):
        for c in range(columns):
            if levels[r, c] != none or (candidate[r, c] == none and not empty[r, c]):
                continue
            n, total = 0, 0
            for i in range(max(r - 1, 0), min(r + 2, rows)):
                for j in range(max(c - 1, 0), min(c + 2, columns)):
                    if levels[i, j] != none:
                        n += 1
                        total += levels[i, j]
            if n == 0:
                continue
            level = total // n
            if candidate[r, c] != none and abs(candidate[r, c] - level) > same:
                continue
            following[r, c] = level
            changed[r] = True
