"""Walls between houses that stand in one block, seen on the roofs: straight lines of steps, valleys and parapets."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from lidar.block_parts import SHORTEST, parts_between, without_slivers

STEP = 0.08
"""m: a difference between two roofs at their common line; survey strips differ by less (ASPRS 2015: 0.08 m RMS between
swaths of the 10 cm class)."""
SURELY = 2.0
"""Standard deviations that a step or a valley must exceed, as the cells' scatter about both roofs gives them (95 %): on
a steep roof a cell's height says where in the cell the points lie, not where the roof steps."""
VALLEY = 0.35
"""Change of slope at a line, hollow side up: two roofs of 10° or more that fall towards each other."""
PARAPET = 0.30
"""m: height of a parapet over the roofs on both sides."""
CLEAR = 0.002
"""m²: squared misfit that a wall must take away in a row of cells, beyond what any bend takes, to count: what a step of
`STEP` leaves over the best bend in ten cells, about STEP² / 3."""
UNBENT = 0.25
"""Share of what a step takes away that the best bend must leave: 0.3 to 0.5 of an even step, none of a ridge."""
POOLED = 2
"""Cells to either side along a wall whose roofs are looked at together: walls are straight, scan lines leave gaps."""
THICK = 0.22
"""m: a wall and its plaster, the width on which a parapet is hit."""
STRAY = 0.04
"""Share of rows where something stands above a level roof by chance: a tank, an aerial, a plant."""
HIT = 0.4
"""What a row in which a parapet is hit counts for a wall, as one that a step explains fully does (1 - `NEEDED`)."""
EVERY = 1.0
"""Price of a row without a sign of a wall that no wall can pay often: across a row of houses each row must show it."""
UNSEEN = 0.05
"""Price of a row in which nothing can be said (a light well, a gap in the points), in fully explained rows."""
SUREST = 1.35
"""What a wall's rows must sum to: 9 nats at `HIT` for 2.7 nats, as thousands of lines are tried in a block."""
STEEPEST = 1.75
"""Slope, 60°: what is steeper beside a line is no roof but a wall, as the lower slope of a mansard roof is at most."""
CELL_METRES = 0.5
"""m: the size of cells that the numbers here are made for."""
SIDE = 5
"""Cells looked at on either side of a line."""
FEWEST = 3
"""Cells of roof there must be on either side."""
DRIFT = 0.4
"""Price of a step sideways, in fully explained rows: walls may run a few degrees off the block's direction."""
NEEDED = 0.6
"""Mean share of the misfit along a line that the wall must explain."""
SHORTEST_ACROSS = 16.0
"""m: the same for walls across most of the block's walls, the rear walls of houses back to back: four houses' width, as
stair heads and steps of two or three neighbours line up by chance."""
LIGHT_WELL = 6.0
"""m²: a smaller hole is a light well or a gap in the points: walls go on through it."""
BESIDE_WALL, UNKNOWN, PARAPET_HIT = -1.0, -2.0, 2.0
"""What a row shows instead of a share."""
RIM = 2
"""Cells along the block's edge that are not looked at."""
EXTENSION = 3.0
"""m: a wall goes on to the block's edge or the next wall if that is so near, or no farther than the wall is long."""


def houses(
    height: NDArray[np.float64], top: NDArray[np.float64], cell: float, density: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Part a block into houses along party walls.

    In each row of cells across a possible wall, a straight line is fitted to the roof on either side, and one over
    both. A wall shows where two lines fit better and they miss each other by a step or meet in a valley, or where
    something narrow stands above both. Lines on which enough rows show it over 6 m and more are walls, the clearest
    first.

    Args:
        height: (rows, columns) m, each cell's roof, NaN outside of the block; walls run along rows or columns.
        top: (rows, columns) m, each cell's highest point.
        cell: m.
        density: points per m² of roof, which says how often a parapet is hit.

    Returns:
        (rows, columns) number of each cell's house from 1, 0 outside; and by that number the share of a house's border
        with others at which a wall shows, rather than one that was only carried on.
    """
    rows, columns = np.flatnonzero(np.isfinite(height).any(axis=1)), np.flatnonzero(np.isfinite(height).any(axis=0))
    label, shown = np.zeros(height.shape, dtype=np.int64), np.zeros(1)
    missed = HIT * log((1.0 - STRAY) / (1.0 - _hit(density, cell))) / log(_hit(density, cell) / STRAY)
    if len(rows):
        window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        padded = np.pad(height[window], 1, constant_values=np.nan), np.pad(top[window], 1)
        label[window], shown = _houses(*padded, cell, missed)
    return label, shown


def _hit(density: float, cell: float) -> float:
    """Probability that a parapet is hit in a row of cells; somewhat above chance even where points are few."""
    return min(max(1.0 - exp(-density * THICK * cell), 2.0 * STRAY), 0.95)


def _houses(
    height: NDArray[np.float64], top: NDArray[np.float64], cell: float, missed: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The same without empty rows and columns, of arrays with one empty cell all round, which is taken off."""
    inside = np.isfinite(height)
    # Parapets and eaves along the block's own edge are not walls between houses.
    filled = ~_larger(~inside, round(LIGHT_WELL / cell**2))
    rim = ~ndimage.binary_erosion(filled, np.ones((3, 3)), iterations=RIM)
    height = np.where(rim, np.nan, height)
    ways = (height, top, filled), tuple(np.ascontiguousarray(a.T) for a in (height, top, filled))
    upright, level = (_walls(h, t, f, round(SHORTEST / cell), missed) for h, t, f in ways)
    level = level.T
    # The walls that are more, each as long as a house is deep, part the houses of a row; across them, only what goes
    # through several houses is a wall.
    across = round(SHORTEST_ACROSS / cell)
    along = _weight(upright, across) >= _weight(level, across)
    if along:
        h, t, f = ways[1]
        level = _walls(h, t, f, across, EVERY).T
    else:
        upright = _walls(height, top, filled, across, EVERY)
    closed_upright, closed_level = upright.copy(), np.ascontiguousarray(level)
    reach = round(EXTENSION / cell)
    _extend(upright, np.ascontiguousarray(level), inside, reach, along, closed_upright)
    closed = np.ascontiguousarray(closed_level.T)
    _extend(
        np.ascontiguousarray(level.T),
        np.ascontiguousarray(upright.T),
        np.ascontiguousarray(inside.T),
        reach,
        not along,
        closed,
    )
    parts = parts_between(inside, closed_upright, np.ascontiguousarray(closed.T))
    label = without_slivers(parts, cell)
    return label[1:-1, 1:-1], _share_shown(label, np.isfinite(height), upright, level)


def _share_shown(
    label: NDArray[np.int64], looked: NDArray[np.bool_], upright: NDArray[np.bool_], level: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """By house, the share of its border with others, where it was looked at, at which a wall was seen."""
    border, seen = np.zeros(label.max() + 1), np.zeros(label.max() + 1)
    label = np.where(looked, label, 0)
    for before, after, wall in ((label[:, :-1], label[:, 1:], upright[:, 1:]), (label[:-1], label[1:], level[1:])):
        between = (before != after) & (before > 0) & (after > 0)
        for side in (before, after):
            border += np.bincount(side[between], minlength=len(border))
            seen += np.bincount(side[between & wall], minlength=len(border))
    return np.asarray(seen / np.maximum(border, 1.0), dtype=np.float64)


def _weight(walls: NDArray[np.bool_], longest: int) -> int:
    """Rows that walls along columns run through, of each at most so many."""
    label, _ = ndimage.label(walls, np.ones((3, 3)))
    return int(np.minimum(np.bincount(label.ravel())[1:], longest).sum())


def _larger(mask: NDArray[np.bool_], cells: int) -> NDArray[np.bool_]:
    """The connected parts of a mask of more than so many cells."""
    label, _ = ndimage.label(mask)
    large = np.bincount(label.ravel()) > cells
    large[0] = False
    return np.asarray(large[label], dtype=bool)


@njit(cache=True, nogil=True)
def _pooled(height):  # type: ignore[no-untyped-def]
    """The median of each cell and its neighbours along a column, of those that are known; NaN where it is not."""
    rows, columns = height.shape
    found = np.full((rows, columns), np.nan)
    own = np.empty(2 * POOLED + 1)
    for r in range(rows):
        for c in range(columns):
            if not np.isfinite(height[r, c]):
                continue
            n = 0
            for at in range(max(r - POOLED, 0), min(r + POOLED + 1, rows)):
                if np.isfinite(height[at, c]):
                    own[n] = height[at, c]
                    n += 1
            found[r, c] = np.sort(own[:n])[(n - 1) // 2]
    return found


@njit(cache=True, nogil=True)
def _walls(roof, top, inside, shortest, missed):  # type: ignore[no-untyped-def]
    """(rows, columns) whether a wall runs between a cell and the one to its left.

    The clearest stretch of a column becomes a wall; what the walls found explain is no evidence for another, because
    the roof is looked at up to them and not beyond. Steps and valleys come first: where there is one, every row must
    show it. Then parapets, which scan lines miss in many rows (each at the price `missed`).
    """
    rows, columns = roof.shape
    height = _pooled(roof)
    walls = np.zeros((rows, columns), dtype=np.bool_)
    shown = np.full((rows, columns), -1.0)
    gain = np.full((rows, columns), -np.inf)
    path = np.zeros(rows, dtype=np.int64)
    for thin in (False, True):
        for r in range(rows):
            for c in range(1, columns):
                if not thin:
                    shown[r, c] = _shown(height, roof, top, walls, r, c)
                gain[r, c] = _gain(shown[r, c], inside[r, c] and inside[r, c - 1], thin, missed)
        while True:
            start, end = _clearest(gain, shortest, path)
            if end == start:
                break
            for r in range(start, end):
                walls[r, path[r]] = True
                # What a row shows depends on that row alone, as far as it is looked at.
                for c in range(max(path[r] - SIDE, 1), min(path[r] + SIDE, columns - 1) + 1):
                    shown[r, c] = _shown(height, roof, top, walls, r, c)
                    gain[r, c] = _gain(shown[r, c], inside[r, c] and inside[r, c - 1], thin, missed)
    return walls


@njit(cache=True, nogil=True)
def _gain(shown, inside, thin, missed):  # type: ignore[no-untyped-def]
    """What a row adds to a wall; minus infinity where no wall can be."""
    if not inside or shown == BESIDE_WALL:
        return -np.inf
    if shown == UNKNOWN:
        return -UNSEEN
    if shown == PARAPET_HIT:
        return HIT
    if not thin:
        return shown - NEEDED
    return -missed if shown < NEEDED else 0.0


@njit(cache=True, nogil=True)
def _shown(height, roof, top, walls, r, c):  # type: ignore[no-untyped-def]
    """How well a wall at a cell's left edge explains its row: the share of the misfit it takes away.

    0 if it does not take enough or the roofs do not meet like two houses'; `PARAPET_HIT`, `UNKNOWN`, or `BESIDE_WALL`
    where another wall is too near.
    """
    columns = height.shape[1]
    if walls[r, c]:
        return BESIDE_WALL
    d, z = np.empty(2 * SIDE), np.empty(2 * SIDE)
    counts = np.zeros(2, dtype=np.int64)
    n = 0
    for side in range(2):
        for k in range(SIDE):
            at = c + k if side == 1 else c - 1 - k
            if at < 0 or at >= columns or not np.isfinite(height[r, at]):
                break
            if k > 0 and walls[r, at if side == 1 else at + 1]:
                if k < FEWEST:
                    return BESIDE_WALL
                break
            d[n], z[n] = (k + 0.5) if side == 1 else -(k + 0.5), height[r, at]
            counts[side] += 1
            n += 1
        if counts[side] < FEWEST:
            return UNKNOWN
    left, right, end = counts[0], counts[0], n
    left_far, _, _ = _line(d[1:left], z[1:left])
    right_far, _, _ = _line(d[right + 1 : end], z[right + 1 : end])
    beside = max(left_far, right_far, height[r, c - 2], height[r, c + 1], roof[r, c - 2], roof[r, c + 1])
    if max(top[r, c - 1], top[r, c]) > beside + PARAPET + _rise(height, r, c):
        return PARAPET_HIT
    left_z, left_slope, left_misfit = _line(d[:left], z[:left])
    right_z, right_slope, right_misfit = _line(d[right:end], z[right:end])
    _, _, whole = _line(d[:end], z[:end])
    steep = max(abs(left_slope), abs(right_slope)) / CELL_METRES > STEEPEST
    # Standard deviations of the step and of the bend, from the cells' scatter about lines of so many even distances.
    scatter = sqrt((left_misfit + right_misfit) / (end - 4))
    of_step, of_bend = 0.0, 0.0
    for k in range(2):
        m = counts[k]
        of_step += 1.0 / m + 3.0 * m / (m * m - 1.0)
        of_bend += 12.0 / (m * (m * m - 1.0))
    of_step, of_bend = scatter * sqrt(of_step), scatter * sqrt(of_bend)
    if abs(right_z - left_z) >= max(STEP, SURELY * of_step):
        bent = whole
        parted = left_misfit + right_misfit
        least = max(CLEAR, UNBENT * (whole - parted))
        hinge = -2 * SIDE + 4
        while bent - parted >= least and hinge < 2 * SIDE - 3:
            bent = min(bent, _bent(d[:end], z[:end], 0.5 * hinge))
            hinge += 1
        if bent - parted >= least:
            return (whole - parted) / whole
    bend = (right_slope - left_slope) / CELL_METRES
    if bend >= max(VALLEY, SURELY * of_bend / CELL_METRES) and not steep:
        valley = _bent(d[:end], z[:end], 0.0)
        beside = min(_bent(d[:end], z[:end], -1.0), _bent(d[:end], z[:end], 1.0))
        if whole - valley >= CLEAR and valley <= beside:
            return (whole - valley) / whole
    return 0.0


@njit(cache=True, nogil=True)
def _rise(height, r, c):  # type: ignore[no-untyped-def]
    """How much the roof rises along a wall within a cell, on either side of the wall's left edge: the greater.

    Of what it rises towards one way and towards the other, the lesser counts: a step is no slope.
    """
    rise = 0.0
    for column in (c - 1, c):
        own = np.inf
        for at in (r - POOLED, r + POOLED):
            if 0 <= at < height.shape[0] and np.isfinite(height[at, column]):
                own = min(own, abs(height[at, column] - height[r, column]) / POOLED)
        if own < np.inf:
            rise = max(rise, own)
    return rise


@njit(cache=True, nogil=True)
def _line(d, z):  # type: ignore[no-untyped-def]
    """Height at distance 0, slope, and sum of squares about the line fitted through heights at distances."""
    mean_d, mean_z = d.mean(), z.mean()
    spread = ((d - mean_d) ** 2).sum()
    common = ((d - mean_d) * (z - mean_z)).sum()
    slope = common / spread
    return mean_z - slope * mean_d, slope, max(((z - mean_z) ** 2).sum() - slope * common, 0.0)


@njit(cache=True, nogil=True)
def _bent(d, z, hinge):  # type: ignore[no-untyped-def]
    """Sum of squares about the best line with one bend, unbroken, at the hinge."""
    mean_d, mean_z = d.mean(), z.mean()
    over = np.maximum(d - hinge, 0.0)
    mean_over = over.mean()
    a, b, c = 0.0, 0.0, 0.0
    u, v, misfit = 0.0, 0.0, 0.0
    for k in range(d.shape[0]):
        x, y, w = d[k] - mean_d, over[k] - mean_over, z[k] - mean_z
        a += x * x
        b += x * y
        c += y * y
        u += x * w
        v += y * w
        misfit += w * w
    determinant = a * c - b * b
    if determinant < 1e-9:
        return misfit
    slope, bend = (c * u - b * v) / determinant, (a * v - b * u) / determinant
    return max(misfit - slope * u - bend * v, 0.0)


@njit(cache=True, nogil=True)
def _clearest(gain, shortest, path):  # type: ignore[no-untyped-def]
    """First row and row after the last of the line that gains most, its columns written to `path`; 0, 0 if none.

    By dynamic programming from row to row; a line may drift sideways by a cell a row, at a price.
    """
    rows, columns = gain.shape
    total = np.zeros((rows, columns))
    start = np.zeros((rows, columns), dtype=np.int64)
    came = np.zeros((rows, columns), dtype=np.int64)
    best, best_row, best_column = SUREST, -1, -1
    for r in range(rows):
        for c in range(1, columns):
            if gain[r, c] == -np.inf:
                continue
            total[r, c], start[r, c], came[r, c] = 0.0, r, c
            if r > 0:
                for shift in (0, -1, 1):
                    before = c + shift
                    if before < 1 or before >= columns or gain[r - 1, before] == -np.inf:
                        continue
                    carried = total[r - 1, before] - (DRIFT if shift != 0 else 0.0)
                    if carried > total[r, c]:
                        total[r, c], start[r, c], came[r, c] = carried, start[r - 1, before], before
            total[r, c] += gain[r, c]
            if total[r, c] > best and r + 1 - start[r, c] >= shortest:
                best, best_row, best_column = total[r, c], r, c
    if best_row < 0:
        return 0, 0
    c = best_column
    for r in range(best_row, start[best_row, best_column] - 1, -1):
        path[r] = c
        c = came[r, c]
    return start[best_row, best_column], best_row + 1


@njit(cache=True, nogil=True)
def _extend(walls, crossing, inside, reach, far, closed):  # type: ignore[no-untyped-def]
    """Carry each wall on to the block's edge or a crossing wall where one is near; walls run along columns.

    `crossing[r, c]` is a wall between a cell and the one above it; with `far`, near is what is no farther than
    the wall is long.
    """
    rows, columns = walls.shape
    for c in range(1, columns):
        for r in range(rows):
            if not walls[r, c]:
                continue
            for way in (-1, 1):
                if 0 <= r + way < rows and walls[r + way, c - 1 : c + 2].any():
                    continue
                own = 1
                while far and 0 <= r - way * own < rows and walls[r - way * own, max(c - own, 0) : c + own + 1].any():
                    own += 1
                for k in range(1, max(reach, own) + 1):
                    at = r + way * k
                    edge = at if way == 1 else min(at + 1, rows - 1)
                    ends = at < 0 or at >= rows or not (inside[at, c] and inside[at, c - 1])
                    ends = ends or crossing[edge, c] or crossing[edge, c - 1] or walls[at, c]
                    if ends:
                        for back in range(1, k):
                            closed[r + way * back, c] = True
                        break
