"""The level of water: which cells lie in it, and how high it stands.

Water is level, or falls so little that it is level within its own width; its returns are few, ripple, and stray on
boats and reeds. So the height of a wet cell is not fitted but is the level most returns about it agree on, within
`WINDOW` of it: a window wider than most rivers, so that both sides get one level, and of a stated size, so that a tile
has what it needs. Returns that differ by much more than `AGREEMENT` belong to other water (a pond behind a dike, the
other side of a weir) and do not count. Along a whole river `lidar.river` makes the level fall.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lidar.bins import BIN, COARSEST, COUNT, LEVELS, MEAN_X, MEAN_Y, MEAN_Z, Bins
from lidar.morphology import compiled, in_threads
from lidar.rasterise import NOISE_FLOOR, WET

WATER_REACH = 2.0
"""Metres from a water return within which a cell nearer to it than to ground is water."""
WINDOW = 60.0
"""Metres: farthest returns on each axis that have a say in a cell's level."""
AGREEMENT = 0.05
"""Metres: how far a level may differ to count by 0.6; that of strips of one survey over water."""
STEPS = 4
"""Of the mean shift; it stands still after three."""
FIRST = 5
"""Nearest pieces of water whose median it begins with."""
LEVEL_REACH = WINDOW + 2 * BIN * COARSEST
"""Metres: no return farther than this changes a wet cell's height."""


def mark_wet(
    water: Bins, ground: Bins, u: NDArray[np.float64], v: NDArray[np.float64], known: NDArray[np.uint8]
) -> None:
    """Set `known` to `WET` in cells that lie within `WATER_REACH` of a water return and nearer to it than to ground.

    Args:
        water: its returns.
        ground: those of the ground, on the same layout.
        u: (columns,) metres of the cells' centres from the bins' west edge.
        v: (rows,) metres of the cells' centres from the bins' south edge.
        known: (rows, columns); written.
    """
    arguments = (water.moments, ground.moments, water.layout, u, v, known)
    in_threads(_mark, known.shape[0], known.size, *arguments)


@compiled
def _mark(first: int, last: int, water: Any, ground: Any, layout: Any, u: Any, v: Any, known: Any) -> None:
    start, rows, columns = layout[LEVELS - 1]
    size = BIN * COARSEST
    for r in range(first, last):
        i = int(v[r] / size)
        for c in range(u.shape[0]):
            j, near = int(u[c] / size), False
            for a in range(max(i - 1, 0), min(i + 2, rows)):
                for b in range(max(j - 1, 0), min(j + 2, columns)):
                    near |= water[COUNT, start + a * columns + b] > 0
            if near:
                wet = _nearest(water, layout, u[c], v[r], WATER_REACH * WATER_REACH)
                if wet <= WATER_REACH * WATER_REACH and _nearest(ground, layout, u[c], v[r], wet) >= wet:
                    known[r, c] = WET


@njit(nogil=True, cache=True)
def _nearest(moments: Any, layout: Any, u: float, v: float, most: float) -> float:
    """Square of the distance to the nearest bin's points; anything above `most` means there is none so near."""
    rows, columns = layout[0, 1], layout[0, 2]
    c0, r0 = int(u / BIN), int(v / BIN)
    best = np.inf
    for ring in range(int(WATER_REACH / BIN) + 2):
        if (max(ring - 1, 0) * BIN) ** 2 > min(best, most):
            break
        for r in range(max(r0 - ring, 0), min(r0 + ring + 1, rows)):
            step = 1 if abs(r - r0) == ring else 2 * ring
            for c in range(c0 - ring, c0 + ring + 1, max(step, 1)):
                k = r * columns + c
                if 0 <= c < columns and moments[COUNT, k] > 0:
                    x, y = (c + 0.5) * BIN - u + moments[MEAN_X, k], (r + 0.5) * BIN - v + moments[MEAN_Y, k]
                    best = min(best, x * x + y * y)
    return best


def level_water(
    water: Bins,
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    kind: NDArray[np.uint8],
    height: NDArray[np.float32],
    sigma: NDArray[np.float32],
) -> None:
    """Write the water's level and its σ into the wet cells.

    Args:
        water: its returns, as far as `LEVEL_REACH` around.
        u: (columns,) metres of the cells' centres from the bins' west edge.
        v: (rows,) metres of the cells' centres from the bins' south edge.
        kind: (rows, columns), `WET` where there is water.
        height: (rows, columns); written where it is wet.
        sigma: the same.
    """
    wet_rows, wet_columns = np.nonzero(kind == WET)
    if len(wet_rows) == 0:
        return
    shape = (int(water.layout[-1, 1]), int(water.layout[-1, 2]))
    size = BIN * COARSEST
    wanted = np.zeros(shape, dtype=np.bool_)
    row, column = np.floor(v / size - 0.5).astype(np.int64), np.floor(u / size - 0.5).astype(np.int64)
    for i in (0, 1):
        for j in (0, 1):
            a, b = np.clip(row[wet_rows] + i, 0, shape[0] - 1), np.clip(column[wet_columns] + j, 0, shape[1] - 1)
            wanted[a, b] = True
    levels = np.full((2, *shape), np.nan, dtype=np.float64)
    in_threads(_levels, shape[0], kind.size, water.moments, water.layout, wanted, levels)
    in_threads(_pour, kind.shape[0], kind.size, water.moments, water.layout, levels, u, v, kind, height, sigma)


@compiled
def _levels(first: int, last: int, moments: Any, layout: Any, wanted: Any, levels: Any) -> None:
    """Level and variance at the wanted coarsest bins."""
    start, rows, columns = layout[LEVELS - 1]
    size = BIN * COARSEST
    reach = int(WINDOW / size)
    z, n = np.empty((2 * reach + 1) ** 2), np.empty((2 * reach + 1) ** 2)
    d = np.empty((2 * reach + 1) ** 2)
    for r0 in range(first, last):
        for c0 in range(columns):
            if not wanted[r0, c0]:
                continue
            found = 0
            for r in range(max(r0 - reach, 0), min(r0 + reach + 1, rows)):
                for c in range(max(c0 - reach, 0), min(c0 + reach + 1, columns)):
                    k = start + r * columns + c
                    if moments[COUNT, k] > 0:
                        z[found] = moments[MEAN_Z, k]
                        d[found] = (r - r0) ** 2 + (c - c0) ** 2
                        n[found] = min(float(moments[COUNT, k]), float(COARSEST * COARSEST))
                        n[found] *= max(1.0 - d[found] / (2.0 * reach * reach + 1.0), 0.0) ** 2
                        found += 1
            if found == 0:
                continue
            level = _beginning(z, d, found)
            for _ in range(STEPS):
                total = mean = square = 0.0
                for i in range(found):
                    miss = z[i] - level
                    w = n[i] * np.exp(-0.5 * (miss / AGREEMENT) ** 2)
                    total += w
                    mean += w * miss
                    square += w * miss * miss
                if total < 1e-9:
                    break
                level += mean / total
                levels[1, r0, c0] = max(square / total - (mean / total) ** 2, 0.0) + NOISE_FLOOR * NOISE_FLOOR
            levels[0, r0, c0] = level


@compiled
def _beginning(z: Any, d: Any, found: int) -> float:
    """Median height of the nearest pieces of water."""
    limit = np.sort(d[:found])[min(FIRST, found) - 1]
    near = np.empty(found)
    count = 0
    for i in range(found):
        if d[i] <= limit:
            near[count] = z[i]
            count += 1
    middle: float = np.sort(near[:count])[(count - 1) // 2]
    return middle


@compiled
def _pour(
    first: int, last: int, moments: Any, layout: Any, levels: Any, u: Any, v: Any, kind: Any, height: Any, sigma: Any
) -> None:
    """The level between the bins' centres, from those of the four that hold water, or else the nearest."""
    start, rows, columns = layout[LEVELS - 1]
    size = BIN * COARSEST
    for row in range(first, last):
        y = v[row] / size - 0.5
        for column in range(kind.shape[1]):
            if kind[row, column] != WET:
                continue
            x = u[column] / size - 0.5
            r0, c0 = int(np.floor(y)), int(np.floor(x))
            total = z = variance = nearest = z0 = 0.0
            height[row, column] = sigma[row, column] = np.nan
            for r in range(max(r0, 0), min(r0 + 2, rows)):
                for c in range(max(c0, 0), min(c0 + 2, columns)):
                    w = (1.0 - abs(y - r)) * (1.0 - abs(x - c))
                    if np.isnan(levels[0, r, c]):
                        continue
                    if w > nearest and total == 0.0:
                        nearest = w
                        height[row, column], sigma[row, column] = levels[0, r, c], np.sqrt(levels[1, r, c])
                    if moments[COUNT, start + r * columns + c] > 0:
                        if total == 0.0:
                            z0 = levels[0, r, c]
                        total += w
                        z += w * (levels[0, r, c] - z0)
                        variance += w * levels[1, r, c]
            if total > 0.0:
                height[row, column], sigma[row, column] = z0 + z / total, np.sqrt(variance / total)
