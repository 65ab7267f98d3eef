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

from lidar.cells import Cells, Floats, Mask, around
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
        intensity: (k,) any unit; all zero where there is none.
        time: (n,) seconds, of the n points of the cloud in its order; all zero where there is none.
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
    seed = faint & (spread <= FLAT) & _basin(cells, ground, count, level)
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


def _sums(cells: Cells, intensity: NDArray[np.uint16], ground: Mask) -> tuple[NDArray[np.int64], ...]:
    """Points, heights (mm), their squares and intensities of each cell's ground."""
    sums = tuple(np.empty(cells.shape, dtype=np.int64) for _ in range(4))
    in_threads(_sum, cells.shape[0], cells.points, cells, intensity, ground, *sums)
    return sums


def _levels(
    count: NDArray[np.int64], total: NDArray[np.int64], squares: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The level (mm) of the 3 × 3 cells about each, or of more where these hold few points, and the spread (m).

    NaN where those hold few as well.
    """
    n, level, spread = _level(count, total, squares, 1)
    few = n < FEWEST
    n, wide_level, wide_spread = _level(count, total, squares, FLAT_RADIUS)
    level[few], spread[few] = wide_level[few], wide_spread[few]
    none = few & (n < FEWEST)
    level[none], spread[none] = np.nan, np.nan
    return level, spread.astype(np.float32)


def _basin(cells: Cells, ground: Mask, count: NDArray[np.int64], level: NDArray[np.float64]) -> Mask:
    """Where no ground near is lower, and some is higher: a bank."""
    own = cells.mean(ground)
    lowest = -dilation(np.where(count > 0, -own, np.float32(-np.inf)), LAND_RADIUS)
    highest = dilation(np.where(count > 0, own, np.float32(-np.inf)), LAND_RADIUS)
    return np.asarray((lowest >= level / 1000 - LOWER) & (highest >= level / 1000 + BANK))


def _faint(
    cells: Cells, last: Mask, count: NDArray[np.int64], light: NDArray[np.int64]
) -> tuple[NDArray[np.float32], Mask]:
    """The usual density near each cell (last returns/m²), and where echoes are fewer than that and darker."""
    size = 2 * LAND_RADIUS + 1
    echoes = cells.number(last)
    usual = (around(echoes, LAND_RADIUS) / (size * size)).astype(np.float32)
    density = around(echoes, FLAT_RADIUS) / (2 * FLAT_RADIUS + 1) ** 2
    sparse = (usual >= DENSITY) & (density <= SPARSE * usual)
    del density, echoes
    here = around(light, FLAT_RADIUS) / around(count, FLAT_RADIUS).clip(1)
    near = around(light, LAND_RADIUS) / around(count, LAND_RADIUS).clip(1)
    return usual, sparse & (here < DARK * near)


def _shaded(top: Floats, level: Floats) -> Mask:
    """Where things stand so near and high that a slanting pulse may not reach the level beside them."""
    shaded = np.zeros(top.shape, dtype=np.bool_)
    inner = 0
    for radius in SHADOWS:
        shaded |= dilation(top, radius) > level + np.float32(max(SHADOW * inner, TALL))
        inner = radius
    return shaded


def _wide(
    cells: Cells, count: NDArray[np.int64], total: NDArray[np.int64], level: NDArray[np.float64], rest: Mask
) -> Mask:
    """Where all about is level and nothing stands: wide water may be, its banks out of sight."""
    part = LAND_RADIUS // 2
    n = around(count, part)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = around(total, part) / n
    padded = np.pad(np.where(n >= WIDE_FEWEST, mean, np.nan), part + 1, constant_values=np.nan)
    rows, columns = cells.shape
    far = 2 * (part + 1)
    parts = [padded[i : i + rows, j : j + columns] for i in (0, far) for j in (0, far)]
    slope = np.maximum.reduce(parts) - np.minimum.reduce(parts)
    bare = around(cells.number(rest), LAND_RADIUS) <= BARE * around(count, LAND_RADIUS)
    off = np.abs(np.where(count > 0, total / count.clip(1), np.nan) - level) > SAME * 1000
    uneven = around(off, LAND_RADIUS) > UNEVEN * around(count > 0, LAND_RADIUS)
    wide = bare & ~uneven & (slope <= LEVEL * far * 1000)
    return np.asarray(wide & (around(wide, SEED_RADIUS) >= WIDE_SEEDS))


def _level(
    count: NDArray[np.int64], total: NDArray[np.int64], squares: NDArray[np.int64], radius: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Points, mean level (mm) and spread about it (m) of the window about each cell; NaN without points."""
    n = around(count, radius)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = around(total, radius) / n
        spread = np.sqrt(np.maximum(around(squares, radius) / n - level * level, 0)) / 1000
    return n, level, spread


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
                    light += np.int64(intensity[p])
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
