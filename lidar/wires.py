"""Wires over streets and roofs: thin lines, level or sagging, with nothing close about them.

About each point that stands free, lines are tried towards its neighbours: a wire is straight from above and bends a
little upwards along its way, as a catenary does near any of its points. A line is a wire's where enough points lie in
its tube and few beside it, which neither a crown nor an eave nor a crane shows, and where most of its points find
such a line themselves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lidar.cells import UNIT, Cells, Mask, around
from lidar.morphology import compiled, dilation, in_threads

CLEARANCE = 4.5
"""Metres over the lowest near: a service line across a lane hangs at 4.5 to 5.5 m."""
LOWEST_RADIUS = 3
"""Cells to each side in which the lowest is looked for."""
CROWD_RADIUS = 0.75
"""Metres about a point, from above, in which nothing but a wire's own or parallel ones may be."""
CROWD_NEAR, CROWD_FAR = 0.4, 2.5
"""Metres below or above a point where others crowd it: in a crown they do, and over a roof."""
CROWD = 1
"""Such points that are let pass: another wire that crosses."""
WINDOW = 14.0
"""Metres along a line to each side."""
TUBE, TUBE_UP = 0.2, 0.2
"""Metres from the line, from above and in height: range noise, strips' mismatch, swaying."""
SHELL = 0.9
"""Metres from the line in which other points count against it; parallel wires are 0.4 to 0.8 m apart."""
SHELL_SHARE = 1.0
"""Points of the shell for each of the tube, at most."""
ALONE_WEIGHT = 0.33
"""What a point that stands free counts in the shell: two parallel wires are let pass."""
FEWEST = 4
"""Points of a tube."""
LENGTH = 8.0
"""Metres that they spread over."""
GAP = 0.6
"""Of the tube's length, that no two neighbours of it are farther apart."""
STEEPEST = 0.3
"""Rise along a line."""
SAGS = (0.0, 0.0012, 0.0025)
"""1/m: half the curvature of lines that are tried: 5 m of sag in 180 m have 0.0006, 0.7 m in 38 m have 0.0019."""
THICKNESS = 2.5
"""Metres of height over which other things near a line are strewn, at least."""
CHANCE = 0.1
"""Lines so good that are to be expected about a point if all near it were strewn at random (Desolneux 2000)."""
DENSITY = 1.0
"""Last returns/m² from which on a survey resolves wires: 0.1 to 0.5 of them meet a metre of wire at 1/m²."""
DENSITY_RADIUS = 7
"""Cells to each side of the window that the density is taken from."""
SPACINGS = 1.5
"""Of the mean distance of points, that the shell has at least."""
BINS = 60
"""Directions a neighbour may lie in, 3° each."""
MOST = 1024
"""Neighbours of a point beyond which it hangs in a thicket, not free."""
SUPPORT = 0.6
"""Share of a line's points that find such a line themselves."""
REACH = 2 * WINDOW + 2.0
"""Metres that it adds to what it is given: a line, and the lines of its points."""
PARALLEL = 0.06
"""Sine of the angle between lines that are of one wire."""
LENT = 2
"""Such lines of others that a point lies on, which found none itself."""
MOST_LENT = 255
"""Lines that are counted of those a point lies on."""


class Wires(NamedTuple):
    """What is found of k points."""

    wire: Mask
    """(k,) points on wires."""
    high: Mask
    """(k,) points high enough to crowd one."""
    free: Mask
    """(k,) those high enough to be of one, and on no broad plane: what carries wires is among them."""


def wires(cells: Cells, rest: Mask, roof: Mask, single: Mask, last: Mask) -> Wires:
    """Find the points on wires.

    Args:
        cells: where the k points lie.
        rest: (k,) points that are neither ground nor noise.
        roof: (k,) those of them on broad planes, which are no wires but stand beside them.
        single: (k,) points that are their pulse's only return; most pulses go on below a wire.
        last: (k,) last returns without noise, by which what is below is known.
    """
    none = np.zeros(cells.points, dtype=np.bool_)
    lowest = -dilation(-cells.lowest(last), LOWEST_RADIUS)
    side = 2 * DENSITY_RADIUS + 1
    density = (around(cells.number(last), DENSITY_RADIUS) / (side * side)).astype(np.float32)
    lowest[density < DENSITY] = np.inf
    high, free, alone = none.copy(), none.copy(), none.copy()
    rows, columns = cells.shape
    in_threads(_stand_free, rows, cells.points * 4, cells, lowest, rest, roof, high, free)
    in_threads(_stand_alone, rows, cells.points * 4, cells, rows, columns, high, free, single, alone)
    them = np.flatnonzero(alone).astype(np.int32)
    if len(them) < FEWEST:
        return Wires(none, high, free)
    begin = np.searchsorted(them, cells.begin).astype(np.int32)
    cell = (np.searchsorted(cells.begin, them, side="right") - 1).astype(np.int32)
    lines, found = np.zeros((len(them), 4), dtype=np.float32), np.zeros(len(them), dtype=np.bool_)
    shell = np.maximum(SHELL, SPACINGS / np.sqrt(density.ravel()[cell])).astype(np.float32)
    work = len(them) * 1024
    in_threads(_find_lines, len(them), work, them, cell, begin, cells, rows, columns, high, alone, shell, lines, found)
    wire = none.copy()
    in_threads(_agree, len(them), work, them, cell, begin, cells, rows, columns, lines, found, wire)
    theirs = np.zeros(cells.points, dtype=np.uint8)
    _lend(them, cell, cells, rows, columns, free, lines, found, theirs)
    theirs[them[found]] = 0
    wire |= theirs >= np.where(alone, np.uint8(1), np.uint8(LENT))
    return Wires(wire, high, free)


@compiled
def _stand_free(first: int, last: int, cells: Any, lowest: Any, rest: Any, roof: Any, high: Any, free: Any) -> None:
    """Mark the points that are high enough to matter, and those that are high enough to be of a wire."""
    columns = lowest.shape[1]
    for r in range(first, last):
        for c in range(columns):
            for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                if rest[p]:
                    over = cells.w[p] / UNIT - lowest[r, c]
                    high[p] = over >= CLEARANCE - CROWD_FAR
                    free[p] = over >= CLEARANCE and not roof[p]


@compiled
def _stand_alone(
    first: int, last: int, cells: Any, rows: int, columns: int, high: Any, free: Any, single: Any, alone: Any
) -> None:
    begin, w = cells.begin, cells.w
    for r in range(first, last):
        for c in range(columns):
            for p in range(begin[r * columns + c], begin[r * columns + c + 1]):
                if not free[p] or single[p]:
                    continue
                crowd = 0
                for k in range(9):
                    # The own cell first, which tells of most points that they are crowded.
                    i, j = r + (k + 4) % 9 // 3 - 1, c + (k + 4) % 9 % 3 - 1
                    if i < 0 or j < 0 or i >= rows or j >= columns:
                        continue
                    for q in range(begin[i * columns + j], begin[i * columns + j + 1]):
                        dz = abs(w[q] - w[p]) / UNIT
                        if high[q] and CROWD_NEAR < dz < CROWD_FAR:
                            dx, dy = offset(cells, p, q, c, j, r, i)
                            crowd += dx * dx + dy * dy < CROWD_RADIUS * CROWD_RADIUS
                            if crowd > CROWD:
                                break
                    if crowd > CROWD:
                        break
                alone[p] = crowd <= CROWD


@compiled
def offset(cells: Any, p: int, q: int, c: int, j: int, r: int, i: int) -> tuple[float, float]:
    """Metres from point p in column c, row r to point q in column j, row i."""
    return (
        (j - c) + (np.int64(cells.u[q]) - np.int64(cells.u[p])) / UNIT,
        (i - r) + (np.int64(cells.v[q]) - np.int64(cells.v[p])) / UNIT,
    )


@compiled
def _find_lines(
    first: int,
    last: int,
    them: Any,
    cell: Any,
    begin: Any,
    cells: Any,
    rows: int,
    columns: int,
    high: Any,
    alone: Any,
    shell: Any,
    lines: Any,
    found: Any,
) -> None:
    """The best line through each point that stands alone: direction (2), slope and half curvature."""
    near = np.empty((MOST, 3), dtype=np.float64)
    bins = np.zeros(BINS, dtype=np.int64)
    of_bin = np.empty(MOST, dtype=np.int64)
    for p in range(first, last):
        n = _neighbours(p, them, cell, begin, cells, rows, columns, near)
        if n < FEWEST - 1 or n == MOST:
            continue
        bins[:] = 0
        for k in range(n):
            of_bin[k] = int(np.floor(np.arctan2(near[k, 1], near[k, 0]) / np.pi * BINS + BINS)) % BINS
            bins[of_bin[k]] += 1
        best = 0.0
        for k in range(n):
            b = of_bin[k]
            if bins[b] + bins[(b + 1) % BINS] + bins[b - 1] < FEWEST - 1:
                continue
            s = np.hypot(near[k, 0], near[k, 1])
            if s < LENGTH / 3:
                continue
            ux, uy = near[k, 0] / s, near[k, 1] / s
            if ux < 0.0:
                ux, uy, s = -ux, -uy, -s
            for sag in SAGS:
                slope = near[k, 2] / s - sag * s
                score = _tube(near, n, ux, uy, slope, sag)
                if score > best:
                    best = score
                    lines[p, 0], lines[p, 1], lines[p, 2], lines[p, 3] = ux, uy, slope, sag
        if best >= FEWEST and _unlikely(int(best), n) and _spreads(near, n, lines[p]):
            beside = _beside(them[p], cell[p], cells, rows, columns, lines[p], shell[p], high, alone)
            found[p] = beside <= SHELL_SHARE * np.floor(best)


@compiled
def _neighbours(p: int, them: Any, cell: Any, begin: Any, cells: Any, rows: int, columns: int, near: Any) -> int:
    """Fill in where the points that stand alone lie from one of them, if a wire could lead there; how many."""
    r, c, reach = cell[p] // columns, cell[p] % columns, int(WINDOW) + 1
    n = 0
    for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
        left, right = max(c - reach, 0), min(c + reach, columns - 1)
        for q in range(begin[i * columns + left], begin[i * columns + right + 1]):
            if q == p:
                continue
            dx, dy = offset(cells, them[p], them[q], c, cell[q] % columns, r, i)
            dz = (cells.w[them[q]] - cells.w[them[p]]) / UNIT
            square = dx * dx + dy * dy
            if square > WINDOW * WINDOW or abs(dz) > STEEPEST * np.sqrt(square) + TUBE_UP:
                continue
            if n == MOST:
                return n
            near[n, 0], near[n, 1], near[n, 2] = dx, dy, dz
            n += 1
    return n


@compiled
def _tube(near: Any, n: int, ux: float, uy: float, slope: float, sag: float) -> float:
    """Points in the tube with the one it starts from, and as a fraction how close to the line they are."""
    count, off = 1, 0
    for k in range(n):
        s, t = near[k, 0] * ux + near[k, 1] * uy, abs(near[k, 1] * ux - near[k, 0] * uy)
        v = abs(near[k, 2] - slope * s - sag * s * s)
        if t <= TUBE and v <= TUBE_UP:
            count += 1
            off += int(1e6 * (t / TUBE + v / TUBE_UP))
    return count + 0.999 * (1.0 - off / (2e6 * count))


@compiled
def _unlikely(count: int, n: int) -> bool:
    """Whether a tube of so many of n neighbours is none by chance: Chernoff's bound on the binomial tail.

    Two points make the line; each of the others lies in its tube with the tube's share of the window.
    """
    inside = (2 * TUBE * 2 * WINDOW) / (np.pi * WINDOW * WINDOW) * (2 * TUBE_UP / THICKNESS)
    others, share = n - 1, (count - 2) / (n - 1)
    if share <= inside:
        return False
    entropy = share * np.log(share / inside)
    if share < 1.0:
        entropy += (1.0 - share) * np.log((1.0 - share) / (1.0 - inside))
    return bool(np.log(len(SAGS) * n) - others * entropy <= np.log(CHANCE))


@compiled
def _spreads(near: Any, n: int, line: Any) -> bool:
    """Whether the points of a tube lie all along it."""
    along = np.zeros(n + 1, dtype=np.float64)
    count = 1
    for k in range(n):
        s, t = near[k, 0] * line[0] + near[k, 1] * line[1], abs(near[k, 1] * line[0] - near[k, 0] * line[1])
        if t <= TUBE and abs(near[k, 2] - line[2] * s - line[3] * s * s) <= TUBE_UP:
            along[count] = s
            count += 1
    along = np.sort(along[:count])
    length = along[count - 1] - along[0]
    if length < LENGTH:
        return False
    widest = 0.0
    for k in range(1, count):
        widest = max(widest, along[k] - along[k - 1])
    return bool(widest <= GAP * length)


@compiled
def _beside(
    p: int, cell: int, cells: Any, rows: int, columns: int, line: Any, shell: float, high: Any, alone: Any
) -> float:
    """Points of the shell about a line, those that stand free for less."""
    r, c, reach = cell // columns, cell % columns, int(WINDOW) + 1
    n = 0.0
    for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
        for j in range(max(c - reach, 0), min(c + reach + 1, columns)):
            # The cell's centre, to pass most cells by.
            u, v = (j - c) * line[0] + (i - r) * line[1], (i - r) * line[0] - (j - c) * line[1]
            if abs(v) > shell + 2.0 or abs(u) > WINDOW + 2.0:
                continue
            for q in range(cells.begin[i * columns + j], cells.begin[i * columns + j + 1]):
                if not high[q]:
                    continue
                dx, dy = offset(cells, p, q, c, j, r, i)
                dz = (cells.w[q] - cells.w[p]) / UNIT
                s, t = dx * line[0] + dy * line[1], abs(dy * line[0] - dx * line[1])
                rise = abs(dz - line[2] * s - line[3] * s * s)
                if abs(s) <= WINDOW and t * t + rise * rise <= shell * shell and (t > TUBE or rise > TUBE_UP):
                    n += ALONE_WEIGHT if alone[q] else 1.0
    return n


@compiled
def _agree(
    first: int,
    last: int,
    them: Any,
    cell: Any,
    begin: Any,
    cells: Any,
    rows: int,
    columns: int,
    lines: Any,
    found: Any,
    wire: Any,
) -> None:
    """A point that found a line is a wire's where those on the line that stand alone found lines along it."""
    reach = int(WINDOW) + 1
    for p in range(first, last):
        if not found[p]:
            continue
        r, c = cell[p] // columns, cell[p] % columns
        mine, agree = 0, 0
        low, high = 0.0, 0.0
        for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
            left, right = max(c - reach, 0), min(c + reach, columns - 1)
            for q in range(begin[i * columns + left], begin[i * columns + right + 1]):
                if q == p:
                    continue
                dx, dy = offset(cells, them[p], them[q], c, cell[q] % columns, r, i)
                dz = (cells.w[them[q]] - cells.w[them[p]]) / UNIT
                s = _along(lines[p], dx, dy, dz)
                if np.isnan(s):
                    continue
                mine += 1
                if found[q] and abs(lines[q, 0] * lines[p, 1] - lines[q, 1] * lines[p, 0]) <= PARALLEL:
                    agree += 1
                    low, high = min(low, s), max(high, s)
        wire[them[p]] = agree >= FEWEST - 2 and agree >= SUPPORT * mine and high - low >= LENGTH / 2


@compiled
def _along(line: Any, dx: float, dy: float, dz: float) -> float:
    """Metres along a line where a point lies in its tube; NaN where it does not."""
    s, t = dx * line[0] + dy * line[1], abs(dy * line[0] - dx * line[1])
    if t <= TUBE and abs(s) <= WINDOW and abs(dz - line[2] * s - line[3] * s * s) <= TUBE_UP:
        return float(s)
    return float(np.nan)


@compiled
def _lend(
    them: Any, cell: Any, cells: Any, rows: int, columns: int, free: Any, lines: Any, found: Any, theirs: Any
) -> None:
    """Count for each free point the lines of others that it lies on.

    Points that cannot find lines themselves belong to them so: those of single returns, and crowded ones.
    """
    reach = int(WINDOW) + 1
    for p in range(len(them)):
        if not found[p]:
            continue
        r, c, line = cell[p] // columns, cell[p] % columns, lines[p]
        for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
            for j in range(max(c - reach, 0), min(c + reach + 1, columns)):
                if abs((i - r) * line[0] - (j - c) * line[1]) > TUBE + 2.0:
                    continue
                for q in range(cells.begin[i * columns + j], cells.begin[i * columns + j + 1]):
                    if free[q] and theirs[q] < MOST_LENT:
                        dx, dy = offset(cells, them[p], q, c, j, r, i)
                        if not np.isnan(_along(line, dx, dy, (cells.w[q] - cells.w[them[p]]) / UNIT)):
                            theirs[q] += 1
