"""Which ground is water: level to the range's noise, with banks about it, and returning few or weak echoes.

A laser is mirrored away by calm water except near the nadir, so water has far fewer echoes than the land beside it and
darker ones, unless walls beside it keep the pulses off. Wide water, its banks out of sight, is level without any
slope and bare, and returns nothing of pulses that were fired, which the times of the others tell. A place that shows
this is a seed; from seeds the water grows on its own level, so that the dense and bright echoes from below the
aircraft are taken too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.cells import UNIT, Cells, Floats, Mask, around, next_window, start_window
from lidar.morphology import compiled, dilation, in_threads

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
STEPS = 28
"""Cells that water grows from a seed."""
SAME = 0.07
"""Metres from the level that still are the same water."""
SHADOWS = (2, 5, 9)
"""Cells about, in which things may shade a place from a slanting pulse."""
SHADOW = 2.5
"""Metres of height for each metre of shadow: pulses slant by up to 22°."""
OPAQUE = 0.3
"""Of the usual density near: only returns of a cell that let nothing pass."""
TALL = 2.0
"""Metres above the level, below which nothing shades."""
LINE = 12
"""Pulses from one echo to the next that may have been lost between them; after more, another scan line begins."""
LINE_FEWEST = 6
"""Such pairs of echoes that the share of lost pulses is taken from."""
WIDE_FEWEST = 40
"""Points of a quarter of the land's window: their mean is known to 3 mm."""
LEVEL = 0.0006
"""Slope of a plane that is level: streets, fields and yards are laid with 0.003 at least, to drain."""
WIDE_SEEDS = 40
"""Of the window of seeds, those that show wide water: on the crown of a pitch only a few are level."""
BARE = 0.01
"""Of the points near: things standing on wide water, boats and birds."""
UNEVEN = 0.05
"""Of the cells near: those off the level of wide water."""
REACH = LAND_RADIUS + SEED_RADIUS + STEPS + 1 + 1.0
"""Metres of surroundings: the land about a seed, the seeds about it, growth, the edge, and a cell's own width."""
NONE = np.int64(-(1 << 40))
"""Level of a cell that is no water."""


class Water(NamedTuple):
    """What is found of k points."""

    wet: Mask
    """(k,) ground on water."""
    steps: NDArray[np.uint8]
    """(rows, columns) 1 where a cell itself shows water, one more for each that lies between; 0 elsewhere."""


def water(
    cells: Cells,
    intensity: NDArray[np.uint16],
    time: NDArray[np.float64],
    ground: Mask,
    rest: Mask,
    single: Mask,
    last: Mask,
) -> Water:
    """Find the ground on water.

    Args:
        cells: where the k points lie.
        intensity: (n,) any unit, of the n points of the cloud in its order; all zero where there is none.
        time: (n,) seconds, the same.
        ground: (k,) what the ground filter found.
        rest: (k,) points that are neither ground nor noise.
        single: (k,) points that are their pulse's only return, as walls and roofs give.
        last: (k,) last returns without noise, which the density is counted by.
    """
    count, total, squares, light = _sums(cells, intensity, ground)
    level, spread = _levels(count, total, squares)
    del squares
    usual, faint = _faint(cells, last, count, light)
    del light
    seed = faint & (spread <= FLAT) & _basin(count, total, level)
    walls = rest & single
    top = np.where(cells.number(walls) > OPAQUE * usual, cells.highest(walls), np.float32(-np.inf))
    seed &= ~_shaded(top, (level / 1000).astype(np.float32))
    del usual, faint, walls, top
    seed &= around(seed, SEED_RADIUS) >= SEEDS
    wide = (spread <= FLAT) & _wide(cells, count, total, level, rest)
    lost = np.zeros(cells.shape, dtype=np.bool_)
    in_threads(_loses_pulses, cells.shape[0], int(wide.sum()) * 256, cells, time, ground, wide, lost)
    seed |= lost
    if not seed.any():
        return Water(np.zeros(cells.points, dtype=np.bool_), np.zeros(cells.shape, dtype=np.uint8))

    levels = np.where(seed, np.rint(np.nan_to_num(level)), NONE).astype(np.int64)
    still = spread <= STILL
    levels, steps = _grown(levels, np.where(still, np.rint(np.nan_to_num(level)), NONE).astype(np.int64), count == 0)
    edge = _spread(levels)
    wet = np.zeros(cells.points, dtype=np.bool_)
    in_threads(_wet, cells.shape[0], cells.points, cells, ground, edge, int(SAME * 1000), wet)
    return Water(wet, steps)


def _sums(
    cells: Cells, intensity: NDArray[np.uint16], ground: Mask
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Points, heights (mm), their squares and intensities of each cell's ground."""
    count = np.empty(cells.shape, dtype=np.int32)
    total, squares, light = (np.empty(cells.shape, dtype=np.int64) for _ in range(3))
    in_threads(_sum, cells.shape[0], cells.points, cells, intensity, ground, count, total, squares, light)
    return count, total, squares, light


def _levels(
    count: NDArray[np.int32], total: NDArray[np.int64], squares: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The level (mm) of the 3 × 3 cells about each, or of more where these hold few points, and the spread (m).

    NaN where those hold few as well.
    """
    level, spread = np.empty(count.shape, dtype=np.float64), np.empty(count.shape, dtype=np.float32)
    in_threads(_find_levels, count.shape[0], count.size * 4, count, total, squares, level, spread)
    return level, spread


def _basin(count: NDArray[np.int32], total: NDArray[np.int64], level: NDArray[np.float64]) -> Mask:
    """Where no ground near is lower, and some is higher: a bank."""
    height, depth = np.empty(count.shape, dtype=np.float32), np.empty(count.shape, dtype=np.float32)
    in_threads(_heights, count.shape[0], count.size, count, total, height, depth)
    basin = -dilation(depth, LAND_RADIUS) >= level / 1000 - LOWER
    basin &= dilation(height, LAND_RADIUS) >= level / 1000 + BANK
    return np.asarray(basin)


def _faint(
    cells: Cells, last: Mask, count: NDArray[np.int32], light: NDArray[np.int64]
) -> tuple[NDArray[np.float32], Mask]:
    """The usual density near each cell (last returns/m²), and where echoes are fewer than that and darker."""
    usual, faint = np.empty(cells.shape, dtype=np.float32), np.empty(cells.shape, dtype=np.bool_)
    in_threads(_compare, cells.shape[0], count.size * 4, cells.number(last), count, light, usual, faint)
    return usual, faint


def _shaded(top: Floats, level: Floats) -> Mask:
    """Where things stand so near and high that a slanting pulse may not reach the level beside them."""
    shaded = np.zeros(top.shape, dtype=np.bool_)
    inner = 0
    for radius in SHADOWS:
        shaded |= dilation(top, radius) > level + np.float32(max(SHADOW * inner, TALL))
        inner = radius
    return shaded


def _wide(
    cells: Cells, count: NDArray[np.int32], total: NDArray[np.int64], level: NDArray[np.float64], rest: Mask
) -> Mask:
    """Where all about is level and nothing stands: wide water may be, its banks out of sight."""
    mean, off = np.empty(cells.shape, dtype=np.float64), np.empty(cells.shape, dtype=np.bool_)
    in_threads(_means, cells.shape[0], count.size * 4, count, total, level, mean, off)
    wide = np.empty(cells.shape, dtype=np.bool_)
    in_threads(_lie_level, cells.shape[0], count.size * 4, count, count > 0, cells.number(rest), mean, off, wide)
    return np.asarray(wide & (around(wide, SEED_RADIUS) >= WIDE_SEEDS))


def _grown(
    levels: NDArray[np.int64], candidate: NDArray[np.int64], empty: Mask
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The levels carried on from the seeds, and in how many steps plus one each cell was reached."""
    steps = (levels != NONE).astype(np.uint8)
    rows = levels.shape[0]
    active = (levels != NONE).any(axis=1)
    following = levels.copy()
    for step in range(STEPS):
        active[1:-1] |= active[:-2] | active[2:]
        active[:1] |= active[1:2]
        active[-1:] |= active[-2:-1]
        changed = np.zeros(rows, dtype=np.bool_)
        work = int(active.sum()) * levels.shape[1] * 4
        in_threads(_grow, rows, work, levels, candidate, empty, active, int(SAME * 1000), following, changed)
        if not changed.any():
            break
        new = following[changed]
        steps[changed] += np.where((levels[changed] == NONE) & (new != NONE), np.uint8(step + 2), np.uint8(0))
        levels[changed] = new
        active = changed
    return levels, steps


def _spread(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Carry the levels one cell further."""
    following = levels.copy()
    changed = np.zeros(levels.shape[0], dtype=np.bool_)
    every = np.ones(levels.shape, dtype=np.bool_)
    rows = every[:, 0]
    in_threads(_grow, levels.shape[0], levels.size * 4, levels, levels, every, rows, 0, following, changed)
    return following


@compiled
def _loses_pulses(first: int, last: int, cells: Any, time: Any, ground: Any, asked: Any, lost: Any) -> None:
    """Mark the asked cells about which pulses are missing between others that follow each other along a scan line.

    The shortest time between two echoes of the window is taken for the time between pulses.
    """
    rows, columns = asked.shape
    begin = cells.begin
    for r in range(first, last):
        for c in range(columns):
            if not asked[r, c]:
                continue
            top, left = max(r - FLAT_RADIUS, 0), max(c - FLAT_RADIUS, 0)
            bottom, right = min(r + FLAT_RADIUS + 1, rows), min(c + FLAT_RADIUS + 1, columns)
            n = 0
            for i in range(top, bottom):
                n += begin[i * columns + right] - begin[i * columns + left]
            times = np.empty(n, dtype=np.float64)
            n = 0
            for i in range(top, bottom):
                for p in range(begin[i * columns + left], begin[i * columns + right]):
                    if ground[p]:
                        times[n] = time[cells.order[p]]
                        n += 1
            steps = np.diff(np.sort(times[:n]))
            steps = steps[steps > 0.0]
            if len(steps) < LINE_FEWEST:
                continue
            shortest = steps.min()
            fired, back = 0, 0
            for step in steps:
                pulses = int(np.rint(min(step / shortest, LINE + 1.0)))
                if pulses <= LINE:
                    fired += pulses
                    back += 1
            lost[r, c] = back >= LINE_FEWEST and back <= SPARSE * fired


@compiled
def _find_levels(first: int, last: int, count: Any, total: Any, squares: Any, level: Any, spread: Any) -> None:
    columns = count.shape[1]
    down, sums = np.empty((2, 3, columns), dtype=np.int64), np.empty((2, 3, columns), dtype=np.int64)
    radii = (1, FLAT_RADIUS)
    for k in range(2):
        start_window(count, first, radii[k], down[k, 0])
        start_window(total, first, radii[k], down[k, 1])
        start_window(squares, first, radii[k], down[k, 2])
    for r in range(first, last):
        for k in range(2):
            next_window(count, r, radii[k], down[k, 0], sums[k, 0])
            next_window(total, r, radii[k], down[k, 1], sums[k, 1])
            next_window(squares, r, radii[k], down[k, 2], sums[k, 2])
        for c in range(columns):
            k = 0 if sums[0, 0, c] >= FEWEST else 1
            n = sums[k, 0, c]
            if n < FEWEST:
                level[r, c] = spread[r, c] = np.nan
                continue
            mean = sums[k, 1, c] / n
            level[r, c] = mean
            spread[r, c] = np.sqrt(max(sums[k, 2, c] / n - mean * mean, 0.0)) / 1000


@compiled
def _heights(first: int, last: int, count: Any, total: Any, height: Any, depth: Any) -> None:
    """The mean height of each cell's ground (m), and its negative; −inf for both where there is none."""
    for r in range(first, last):
        for c in range(count.shape[1]):
            mean = np.float32(total[r, c] / max(count[r, c], 1) / UNIT)
            height[r, c], depth[r, c] = (mean, -mean) if count[r, c] > 0 else (-np.inf, -np.inf)


@compiled
def _compare(first: int, last: int, echoes: Any, count: Any, light: Any, usual: Any, faint: Any) -> None:
    columns = count.shape[1]
    down, sums = np.empty((2, 3, columns), dtype=np.int64), np.empty((2, 3, columns), dtype=np.int64)
    radii = (FLAT_RADIUS, LAND_RADIUS)
    for k in range(2):
        start_window(echoes, first, radii[k], down[k, 0])
        start_window(count, first, radii[k], down[k, 1])
        start_window(light, first, radii[k], down[k, 2])
    for r in range(first, last):
        for k in range(2):
            next_window(echoes, r, radii[k], down[k, 0], sums[k, 0])
            next_window(count, r, radii[k], down[k, 1], sums[k, 1])
            next_window(light, r, radii[k], down[k, 2], sums[k, 2])
        for c in range(columns):
            near = np.float32(sums[1, 0, c] / (2 * LAND_RADIUS + 1) ** 2)
            density = sums[0, 0, c] / (2 * FLAT_RADIUS + 1) ** 2
            sparse = near >= DENSITY and density <= np.float32(SPARSE) * near
            usual[r, c] = near
            dark = sums[0, 2, c] / max(sums[0, 1, c], 1) < DARK * (sums[1, 2, c] / max(sums[1, 1, c], 1))
            faint[r, c] = sparse and dark


@compiled
def _means(first: int, last: int, count: Any, total: Any, level: Any, mean: Any, off: Any) -> None:
    """The mean height (mm) of a quarter of the land's window, NaN where points are few; the cells off their level."""
    columns, part = count.shape[1], LAND_RADIUS // 2
    down, sums = np.empty((2, columns), dtype=np.int64), np.empty((2, columns), dtype=np.int64)
    start_window(count, first, part, down[0])
    start_window(total, first, part, down[1])
    for r in range(first, last):
        next_window(count, r, part, down[0], sums[0])
        next_window(total, r, part, down[1], sums[1])
        for c in range(columns):
            mean[r, c] = sums[1, c] / sums[0, c] if sums[0, c] >= WIDE_FEWEST else np.nan
            n = count[r, c]
            off[r, c] = n > 0 and abs(total[r, c] / n - level[r, c]) > SAME * 1000


@compiled
def _lie_level(first: int, last: int, count: Any, some: Any, rest: Any, mean: Any, off: Any, wide: Any) -> None:
    """Mark the cells whose four quarters are of one level, with little standing near and little off its level."""
    rows, columns = count.shape
    part = LAND_RADIUS // 2 + 1
    down, sums = np.empty((4, columns), dtype=np.int64), np.empty((4, columns), dtype=np.int64)
    start_window(count, first, LAND_RADIUS, down[0])
    start_window(rest, first, LAND_RADIUS, down[1])
    start_window(off, first, LAND_RADIUS, down[2])
    start_window(some, first, LAND_RADIUS, down[3])
    for r in range(first, last):
        next_window(count, r, LAND_RADIUS, down[0], sums[0])
        next_window(rest, r, LAND_RADIUS, down[1], sums[1])
        next_window(off, r, LAND_RADIUS, down[2], sums[2])
        next_window(some, r, LAND_RADIUS, down[3], sums[3])
        for c in range(columns):
            wide[r, c] = False
            if r < part or c < part or r + part >= rows or c + part >= columns:
                continue
            if sums[1, c] > BARE * sums[0, c] or sums[2, c] > UNEVEN * sums[3, c]:
                continue
            a, b = mean[r - part, c - part], mean[r - part, c + part]
            d, e = mean[r + part, c - part], mean[r + part, c + part]
            if not np.isnan(a + b + d + e):
                wide[r, c] = max(a, b, d, e) - min(a, b, d, e) <= LEVEL * (2 * part) * 1000


@compiled
def _sum(
    first: int,
    last: int,
    cells: Any,
    intensity: Any,
    ground: Any,
    counts: Any,
    totals: Any,
    total_squares: Any,
    lights: Any,
) -> None:
    columns = counts.shape[1]
    for r in range(first, last):
        for c in range(columns):
            n, total, squares, light = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
            for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                if ground[p]:
                    w = np.int64(cells.w[p])
                    n += 1
                    total += w
                    squares += w * w
                    light += np.int64(intensity[cells.order[p]])
            counts[r, c], totals[r, c], total_squares[r, c], lights[r, c] = n, total, squares, light


@compiled
def _wet(first: int, last: int, cells: Any, ground: Any, level: Any, same: int, wet: Any) -> None:
    columns = level.shape[1]
    for r in range(first, last):
        for c in range(columns):
            for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                wet[p] = ground[p] and abs(cells.w[p] - level[r, c]) <= same


@compiled
def _grow(
    first: int,
    last: int,
    levels: Any,
    candidate: Any,
    empty: Any,
    active: Any,
    same: int,
    following: Any,
    changed: Any,
) -> None:
    """One cell further in the active rows: onto cells of the same level, and over empty ones."""
    rows, columns = levels.shape
    none = -(1 << 40)
    for r in range(first, last):
        if not active[r]:
            continue
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
