"""Wires over streets and roofs, thin lines, level or sagging, with nothing close about them; and what carries them.

About each point that stands free, lines are tried towards its neighbours: a wire is straight from above and bends a
little upwards along its way, as a catenary does near any of its points. A line is a wire's where enough points lie in
its tube and few beside it, which neither a crown nor an eave nor a crane shows, and where most of its points find
such a line themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

from lidar.cells import Cells, Mask, around
from lidar.morphology import compiled, in_threads

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
POLE = (0.7, 1.2, 3.0, 4.0)
"""Metres: a pole's radius; from where to where about it a crown or a house would have points; least height."""
MAST = (3.2, 4.8, 7.0, 15.0)
"""The same of a lattice mast with its legs and cross-arms."""
CARRIED = 1.5
"""Metres that wires hang over the top of what carries them, at most; none hang lower than the middle of it."""
ATTACHED_FEWEST = 2
"""Points of such wires, no farther than the ring."""
POLE_FEWEST = 3
"""Points of a pole."""
RING_SHARE = 0.34
"""Points of the ring in the upper half for each of the pole there."""
BINS = 60
"""Directions a neighbour may lie in, 3° each."""
MOST = 1024
"""Neighbours of a point beyond which it hangs in a thicket, not free."""
SUPPORT = 0.6
"""Share of a line's points that find such a line themselves."""
REACH = 2 * WINDOW + MAST[2] + 2.0
"""Metres that it adds to what it is given: a line, the lines of its points, wires that hang on to a pole."""


def wires(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    rest: Mask,
    roof: Mask,
    single: Mask,
    last: Mask,
    cells: Cells,
) -> tuple[Mask, Mask]:
    """(n,) true for points on wires, and for those on the poles and masts that carry them.

    Args:
        x: (n,) metres.
        y: (n,) metres.
        z: (n,) metres.
        rest: (n,) points that are neither ground nor noise.
        roof: (n,) those of them on broad planes, which are no wires but stand beside them.
        single: (n,) points that are their pulse's only return; most pulses go on below a wire.
        last: (n,) last returns without noise, by which what is below is known.
        cells: where the points lie.
    """
    result = np.zeros(len(x), dtype=np.bool_)
    lowest = minimum_filter(-cells.highest(last, -z), 2 * LOWEST_RADIUS + 1, mode="nearest")
    side = 2 * DENSITY_RADIUS + 1
    density = (around(cells.count(last), DENSITY_RADIUS) / (side * side)).ravel()
    high = rest & (density >= DENSITY)[cells.index] & (z - lowest.ravel()[cells.index] >= CLEARANCE - CROWD_FAR)
    if not high.any():
        return result, result
    solid = np.flatnonzero(high).astype(np.int32)
    free = ~roof[solid] & (z[solid] - lowest.ravel()[cells.index[solid]] >= CLEARANCE)
    begin, order = _by_cell(cells.index[solid], cells.shape[0] * cells.shape[1])
    thin = ~single[solid][order]
    place = np.column_stack([x[solid], y[solid], z[solid]])[order]
    index, free = cells.index[solid][order], free[order]
    rows, columns = cells.shape
    alone, found, wire, tower = (np.zeros(len(solid), dtype=np.bool_) for _ in range(4))
    work = len(solid) * 32
    in_threads(_stand_alone, len(solid), work, place, index, begin, rows, columns, free & thin, alone)
    lines = np.zeros((len(solid), 4), dtype=np.float32)
    shell = np.maximum(SHELL, SPACINGS / np.sqrt(density[index])).astype(np.float32)
    them = np.flatnonzero(alone).astype(np.int32)
    begin_alone, _ = _by_cell(index[them], rows * columns)
    in_threads(
        _find_lines, len(them), work, them, place, index, begin, begin_alone, rows, columns, alone, shell, lines, found
    )
    near = free & _about(found, index, cells, int(WINDOW) + 1)
    in_threads(_support, len(solid), work, place, index, begin, rows, columns, free, alone, near, lines, found, wire)
    near = free & ~wire & _about(wire, index, cells, int(MAST[2]) + 1)
    in_threads(_carry, len(solid), work, place, index, begin, rows, columns, near, wire, tower)
    carrier = result.copy()
    result[solid[order[wire]]] = True
    carrier[solid[order[tower]]] = True
    return result, carrier


def _about(chosen: Mask, index: NDArray[np.int32], cells: Cells, radius: int) -> Mask:
    """Points that have a chosen one in the square of cells about them."""
    count = np.bincount(index[chosen], minlength=cells.shape[0] * cells.shape[1]).reshape(cells.shape)
    return np.asarray((around(count, radius) > 0).ravel()[index])


@compiled
def _by_cell(index: Any, size: int) -> tuple[Any, Any]:
    """Points sorted by cells: (size + 1,) first of each cell, and the order."""
    begin = np.zeros(size + 1, dtype=np.int32)
    for p in range(len(index)):
        begin[index[p] + 1] += 1
    for c in range(size):
        begin[c + 1] += begin[c]
    order, at = np.empty(len(index), dtype=np.int32), begin[:-1].copy()
    for p in range(len(index)):
        order[at[index[p]]] = p
        at[index[p]] += 1
    return begin, order


@compiled
def _stand_alone(
    first: int, last: int, place: Any, index: Any, begin: Any, rows: int, columns: int, free: Any, alone: Any
) -> None:
    for p in range(first, last):
        if not free[p]:
            continue
        r, c = index[p] // columns, index[p] % columns
        crowd = 0
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            for q in range(begin[i * columns + max(c - 1, 0)], begin[i * columns + min(c + 1, columns - 1) + 1]):
                dx, dy, dz = place[q, 0] - place[p, 0], place[q, 1] - place[p, 1], abs(place[q, 2] - place[p, 2])
                if CROWD_NEAR < dz < CROWD_FAR and dx * dx + dy * dy < CROWD_RADIUS * CROWD_RADIUS:
                    crowd += 1
            if crowd > CROWD:
                break
        alone[p] = crowd <= CROWD


@compiled
def _find_lines(
    first: int,
    last: int,
    them: Any,
    place: Any,
    index: Any,
    begin: Any,
    begin_alone: Any,
    rows: int,
    columns: int,
    alone: Any,
    shell: Any,
    lines: Any,
    found: Any,
) -> None:
    """The best line through each point that stands alone: direction (2), slope and half curvature."""
    near = np.empty((MOST, 3), dtype=np.float64)
    bins = np.zeros(BINS, dtype=np.int64)
    of_bin = np.empty(MOST, dtype=np.int64)
    for i in range(first, last):
        p = them[i]
        n = _neighbours(p, them, place, index, begin_alone, rows, columns, near)
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
            beside = _beside(p, place, index, begin, rows, columns, lines[p], shell[p], alone)
            found[p] = beside <= SHELL_SHARE * np.floor(best)


@compiled
def _neighbours(p: int, them: Any, place: Any, index: Any, begin_alone: Any, rows: int, columns: int, near: Any) -> int:
    """Fill in where the points that stand alone lie from one of them, if a wire could lead there; how many."""
    r, c, reach = index[p] // columns, index[p] % columns, int(WINDOW) + 1
    n = 0
    for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
        left, right = max(c - reach, 0), min(c + reach, columns - 1)
        for j in range(begin_alone[i * columns + left], begin_alone[i * columns + right + 1]):
            q = them[j]
            if q == p:
                continue
            dx, dy, dz = place[q, 0] - place[p, 0], place[q, 1] - place[p, 1], place[q, 2] - place[p, 2]
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
    p: int, place: Any, index: Any, begin: Any, rows: int, columns: int, line: Any, shell: float, alone: Any
) -> float:
    """Points of the shell about a line, those that stand free for less."""
    r, c, reach = index[p] // columns, index[p] % columns, int(WINDOW) + 1
    n = 0.0
    for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
        for j in range(max(c - reach, 0), min(c + reach + 1, columns)):
            # The cell's centre, to pass most cells by.
            u, v = (j - c) * line[0] + (i - r) * line[1], (i - r) * line[0] - (j - c) * line[1]
            if abs(v) > shell + 2.0 or abs(u) > WINDOW + 2.0:
                continue
            for q in range(begin[i * columns + j], begin[i * columns + j + 1]):
                dx, dy, dz = place[q, 0] - place[p, 0], place[q, 1] - place[p, 1], place[q, 2] - place[p, 2]
                s, t = dx * line[0] + dy * line[1], abs(dy * line[0] - dx * line[1])
                rise = abs(dz - line[2] * s - line[3] * s * s)
                if abs(s) <= WINDOW and t * t + rise * rise <= shell * shell and (t > TUBE or rise > TUBE_UP):
                    n += ALONE_WEIGHT if alone[q] else 1.0
    return n


@compiled
def _support(
    first: int,
    last: int,
    place: Any,
    index: Any,
    begin: Any,
    rows: int,
    columns: int,
    free: Any,
    alone: Any,
    near: Any,
    lines: Any,
    found: Any,
    wire: Any,
) -> None:
    """A point is a wire's where those on its line found lines along it, or where it lies on such lines of others.

    Points that cannot find lines themselves are not asked: those of single returns, and crowded ones.
    """
    for p in range(first, last):
        if not near[p]:
            continue
        r, c, reach = index[p] // columns, index[p] % columns, int(WINDOW) + 1
        mine, agree, theirs = 0, 0, 0
        low, high = 0.0, 0.0
        for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
            left, right = max(c - reach, 0), min(c + reach, columns - 1)
            for q in range(begin[i * columns + left], begin[i * columns + right + 1]):
                if q == p or not free[q]:
                    continue
                dx, dy, dz = place[q, 0] - place[p, 0], place[q, 1] - place[p, 1], place[q, 2] - place[p, 2]
                if found[p]:
                    s, t = dx * lines[p, 0] + dy * lines[p, 1], abs(dy * lines[p, 0] - dx * lines[p, 1])
                    on = t <= TUBE and abs(dz - lines[p, 2] * s - lines[p, 3] * s * s) <= TUBE_UP
                    if on and abs(s) <= WINDOW:
                        mine += alone[q]
                        if found[q] and abs(lines[q, 0] * lines[p, 1] - lines[q, 1] * lines[p, 0]) <= 0.06:
                            agree += 1
                            low, high = min(low, s), max(high, s)
                elif found[q]:
                    s, t = -dx * lines[q, 0] - dy * lines[q, 1], abs(dy * lines[q, 0] - dx * lines[q, 1])
                    if t <= TUBE and abs(s) <= WINDOW and abs(-dz - lines[q, 2] * s - lines[q, 3] * s * s) <= TUBE_UP:
                        theirs += 1
        if found[p]:
            wire[p] = agree >= FEWEST - 2 and agree >= SUPPORT * mine and high - low >= LENGTH / 2
        else:
            wire[p] = theirs >= (FEWEST - 2 if alone[p] else FEWEST)


@compiled
def _carry(
    first: int, last: int, place: Any, index: Any, begin: Any, rows: int, columns: int, near: Any, wire: Any, tower: Any
) -> None:
    for p in range(first, last):
        if near[p]:
            pole = _is_carrier(p, place, index, begin, rows, columns, wire, POLE)
            tower[p] = pole or _is_carrier(p, place, index, begin, rows, columns, wire, MAST)


@compiled
def _is_carrier(
    p: int, place: Any, index: Any, begin: Any, rows: int, columns: int, wire: Any, shape: tuple[float, ...]
) -> bool:
    """Whether a point is of something upright with nothing beside it or its upper half but wires that hang on to it."""
    radius, inner, outer, height = shape
    r, c = index[p] // columns, index[p] % columns
    low, high, total = place[p, 2], place[p, 2], 0
    reach = int(radius) + 1
    for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
        left, right = max(c - reach, 0), min(c + reach, columns - 1)
        for q in range(begin[i * columns + left], begin[i * columns + right + 1]):
            dx, dy = place[q, 0] - place[p, 0], place[q, 1] - place[p, 1]
            if not wire[q] and dx * dx + dy * dy <= radius * radius:
                low, high, total = min(low, place[q, 2]), max(high, place[q, 2]), total + 1
    if total < POLE_FEWEST or high - low < height:
        return False
    middle = (low + high) / 2
    attached, ring, own = 0, 0, 0
    reach = int(outer) + 1
    for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
        left, right = max(c - reach, 0), min(c + reach, columns - 1)
        for q in range(begin[i * columns + left], begin[i * columns + right + 1]):
            dx, dy = place[q, 0] - place[p, 0], place[q, 1] - place[p, 1]
            square = dx * dx + dy * dy
            if square > outer * outer:
                continue
            upper = middle <= place[q, 2] <= high + CARRIED
            if wire[q]:
                attached += upper
            elif square <= radius * radius:
                own += upper
            elif square > inner * inner:
                ring += upper or abs(place[q, 2] - place[p, 2]) <= CARRIED
    return attached >= ATTACHED_FEWEST and ring <= RING_SHARE * own
