"""What known ground a place in a hole sees around it, on a lattice of places, and the height that this makes.

Each place in a hole looks in `RAYS` directions for the nearest place with known cells. How far a ray may leap unseeing
is told by the distance of each place to the nearest known one.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numba import njit

from lidar.morphology import compiled
from lidar.rasterise import DRY, WET

RAYS = 32
WATER_SHARE = 0.6
"""Of the weight of what a place sees, above which it lies in water; below it, water is left out: a house at a canal
stands on the bank."""
DECK_DEPTH = 1.2
"""Metres below a bridge's deck above which there is no ground under it, but its abutments and approaches."""
MAX_OVERHANG = 2.0
"""Metres: farthest a height is carried where known ground lies on one side only."""
OVERHANG_SLOPE = 0.05
"""Metres of σ per metre of it."""
ROUGHNESS = 0.012
"""Metres of σ per metre to the nearest known cell, added to what the rim itself shows."""

HEIGHT, OFF_X, OFF_Y, VAR, DECK = range(5)
"""Of a place that holds known cells: their mean height, position from the place (in places), variance; and the lowest
deck of a bridge above the place, −inf where there is none."""


@njit(nogil=True, cache=True)
def rays(longest: int) -> Any:
    """(RAYS, longest + 1, 2) rows and columns of the places on each ray, by steps; computed the same way everywhere."""
    ray = np.zeros((RAYS, longest + 1, 2), dtype=np.int32)
    for k in range(RAYS):
        angle = 2.0 * np.pi * (k + 0.5) / RAYS
        for step in range(longest + 1):
            ray[k, step, 0] = int(np.rint(step * np.sin(angle)))
            ray[k, step, 1] = int(np.rint(step * np.cos(angle)))
    return ray


@compiled
def gather_rim(
    first: int,
    last: int,
    height: Any,
    sigma: Any,
    known: Any,
    ratio: int,
    top: int,
    left: int,
    rim: Any,
    kind: Any,
    hole: Any,
) -> None:
    """The known cells of each place (rows from the south) as their mean; whether it has unknown ones.

    Wet cells have no height yet.
    """
    rows, columns = known.shape
    for place_row in range(first, last):
        for place_column in range(kind.shape[1]):
            n = wet = unknown = 0
            sz = sx = sy = sv = wx = wy = z0 = 0.0
            for i in range(ratio):
                r = top - place_row * ratio - i
                if r < 0 or r >= rows:
                    continue
                for j in range(ratio):
                    c = place_column * ratio + j - left
                    if c < 0 or c >= columns:
                        continue
                    if known[r, c] == 0:
                        unknown += 1
                    elif known[r, c] == WET:
                        wet += 1
                        wx += j
                        wy += i
                    else:
                        if n == 0:
                            z0 = float(height[r, c])
                        n += 1
                        sz += height[r, c] - z0
                        sx += j
                        sy += i
                        sv += float(sigma[r, c]) ** 2
            hole[place_row, place_column] = unknown > 0
            kind[place_row, place_column] = 0
            if n + wet == 0:
                continue
            kind[place_row, place_column] = DRY
            if wet > n:
                n, sz, sx, sy, sv, z0 = wet, 0.0, wx, wy, 0.0, 0.0
                kind[place_row, place_column] = WET
            rim[HEIGHT, place_row, place_column] = z0 + sz / n
            rim[OFF_X, place_row, place_column] = (sx / n + 0.5) / ratio - 0.5
            rim[OFF_Y, place_row, place_column] = (sy / n + 0.5) / ratio - 0.5
            rim[VAR, place_row, place_column] = sv / n


@compiled
def gather_deck(first: int, last: int, deck: Any, ratio: int, top: int, left: int, lowest: Any) -> None:
    """The lowest deck of a bridge above each place, −inf where there is none."""
    rows, columns = deck.shape
    for place_row in range(first, last):
        for place_column in range(lowest.shape[1]):
            z = np.float32(np.inf)
            for i in range(ratio):
                r = top - place_row * ratio - i
                for j in range(ratio):
                    c = place_column * ratio + j - left
                    if 0 <= r < rows and 0 <= c < columns and deck[r, c] > -np.inf:
                        z = min(z, deck[r, c])
            lowest[place_row, place_column] = z if z < np.inf else -np.inf


@njit(nogil=True, cache=True)
def leaps(known: Any, most: int) -> Any:
    """Chessboard distance of each place to the nearest known one, at most `most`: how far a ray may leap unseeing.

    Two passes (Rosenfeld & Pfaltz 1966); exact for this distance.
    """
    rows, columns = known.shape
    free = np.empty((rows, columns), dtype=np.int32)
    for r in range(rows):
        for c in range(columns):
            near = 0 if known[r, c] else most
            if near and r > 0:
                near = min(near, free[r - 1, c] + 1)
                if c > 0:
                    near = min(near, free[r - 1, c - 1] + 1)
                if c + 1 < columns:
                    near = min(near, free[r - 1, c + 1] + 1)
            if near and c > 0:
                near = min(near, free[r, c - 1] + 1)
            free[r, c] = near
    for r in range(rows - 1, -1, -1):
        for c in range(columns - 1, -1, -1):
            near = free[r, c]
            if near and r + 1 < rows:
                near = min(near, free[r + 1, c] + 1)
                if c > 0:
                    near = min(near, free[r + 1, c - 1] + 1)
                if c + 1 < columns:
                    near = min(near, free[r + 1, c + 1] + 1)
            if near and c + 1 < columns:
                near = min(near, free[r, c + 1] + 1)
            free[r, c] = near
    return free


@compiled
def look(
    first: int,
    last: int,
    rim: Any,
    kind: Any,
    hole: Any,
    free: Any,
    longest: int,
    spacing: float,
    rays: Any,
    places: Any,
    filled: Any,
) -> None:
    """Height and variance of the places in and at holes, and their kind."""
    rows, columns = kind.shape
    hit = np.empty((RAYS + 1, 6))
    for r in range(first, last):
        for c in range(columns):
            near = False
            for i in range(max(r - 1, 0), min(r + 2, rows)):
                for j in range(max(c - 1, 0), min(c + 2, columns)):
                    near |= hole[i, j] != 0
            if not near:
                continue
            if hole[r, c] == 0:
                places[0, r, c], places[1, r, c] = rim[HEIGHT, r, c], rim[VAR, r, c]
                filled[r, c] = kind[r, c]
                continue
            hits = _look_around(rim, kind, free, r, c, longest, rays, hit)
            if rim[DECK, r, c] > -np.inf:
                hits = _below(hit, hits, rim[DECK, r, c] - DECK_DEPTH)
            if hits > 0:
                hits = _of_one_kind(hit, hits)
            if hits > 0:
                places[0, r, c], places[1, r, c] = _blend(hit, hits, spacing)
                filled[r, c] = int(hit[0, 4])
            elif hits < 0:
                best = 0
                for i in range(1, -hits):
                    if hit[i, 0] ** 2 + hit[i, 1] ** 2 < hit[best, 0] ** 2 + hit[best, 1] ** 2:
                        best = i
                distance = np.sqrt(hit[best, 0] ** 2 + hit[best, 1] ** 2) * spacing
                if distance <= MAX_OVERHANG + 0.5 * spacing:
                    places[0, r, c] = hit[best, 2]
                    places[1, r, c] = hit[best, 3] + (OVERHANG_SLOPE * distance) ** 2
                    filled[r, c] = int(hit[best, 4])


@njit(nogil=True, cache=True)
def _look_around(rim: Any, kind: Any, free: Any, r0: int, c0: int, longest: int, rays: Any, hit: Any) -> int:
    """Fill `hit` with the first known place on each ray; their number.

    Rows are offset x, y, height, variance, kind, and room for a weight.

    The place's own known cells come first. The number is negative when all lie on one side.
    """
    rows, columns = kind.shape
    hits, gap, widest, leading = 0, 0, 0, -1
    if free[r0, c0] > longest + 1:
        return 0
    if kind[r0, c0]:
        _set(hit, 0, rim, kind, r0, c0, r0, c0)
        hits = 1
    for k in range(RAYS):
        met = False
        step = max(1, free[r0, c0] - 2)
        while step <= longest:
            r, c = r0 + rays[k, step, 0], c0 + rays[k, step, 1]
            if r < 0 or c < 0 or r >= rows or c >= columns:
                break
            if kind[r, c]:
                _set(hit, hits, rim, kind, r, c, r0, c0)
                hits += 1
                met = True
                break
            # A step moves at most one place a way, and rounding another.
            step += max(1, free[r, c] - 2)
        if met:
            if leading < 0:
                leading = gap
            widest, gap = max(widest, gap), 0
        else:
            gap += 1
    if hits == 0:
        return 0
    widest = max(widest, gap + max(leading, 0))
    return hits if widest < RAYS // 2 else -hits


@njit(nogil=True, cache=True)
def _set(hit: Any, i: int, rim: Any, kind: Any, r: int, c: int, r0: int, c0: int) -> None:
    hit[i, 0], hit[i, 1] = c - c0 + rim[OFF_X, r, c], r - r0 + rim[OFF_Y, r, c]
    hit[i, 2], hit[i, 3], hit[i, 4] = rim[HEIGHT, r, c], rim[VAR, r, c], kind[r, c]


@njit(nogil=True, cache=True)
def _weight(hit: Any, i: int) -> float:
    """One over the distance, in places, not nearer than a quarter of one."""
    return 1.0 / max(sqrt(hit[i, 0] ** 2 + hit[i, 1] ** 2), 0.25)


@njit(nogil=True, cache=True)
def _below(hit: Any, hits: int, limit: float) -> int:
    """Move hits below a height, and on water, to the front of `hit`; give their number, all if there are none."""
    kept = 0
    for i in range(abs(hits)):
        if hit[i, 2] < limit or hit[i, 4] == WET:
            hit[kept] = hit[i]
            kept += 1
    return kept if kept > 0 else hits


@njit(nogil=True, cache=True)
def _of_one_kind(hit: Any, hits: int) -> int:
    """Move the hits on ground, or on water where it prevails, to the front of `hit`; give their number."""
    count = 0
    for i in range(hits):
        count += hit[i, 4] == WET
    if count == 0 or count == hits:
        return hits
    wet = total = 0.0
    for i in range(hits):
        w = _weight(hit, i)
        total += w
        if hit[i, 4] == WET:
            wet += w
    in_water = wet > WATER_SHARE * total
    kept = 0
    for i in range(hits):
        if (hit[i, 4] == WET) == in_water:
            hit[kept] = hit[i]
            kept += 1
    return kept


@njit(nogil=True, cache=True)
def _blend(hit: Any, hits: int, spacing: float) -> Any:
    """Height and variance at the place from what the rays met, as a plane weighted by 1/distance.

    With a hit on every ray the plane's height at the place is the mean value interpolant; with some missing the plane
    keeps it exact for tilted ground.
    """
    sw = swx = swy = swz = swxx = swxy = swyy = swxz = swyz = rim = 0.0
    greatest = 0.0
    for i in range(hits):
        x, y, z = hit[i, 0], hit[i, 1], hit[i, 2] - hit[0, 2]
        w = _weight(hit, i)
        hit[i, 5] = w
        greatest = max(greatest, w)
        sw += w
        swx += w * x
        swy += w * y
        swz += w * z
        swxx += w * x * x
        swxy += w * x * y
        swyy += w * y * y
        swxz += w * x * z
        swyz += w * y * z
        rim += w * hit[i, 3]
    cx, cy, cz = swx / sw, swy / sw, swz / sw
    a, b, c = swxx / sw - cx * cx, swxy / sw - cx * cy, swyy / sw - cy * cy
    e, f = swxz / sw - cx * cz, swyz / sw - cy * cz
    determinant = a * c - b * b
    gx = gy = 0.0
    if determinant > 1e-6 * (a + c) ** 2:
        gx, gy = (c * e - b * f) / determinant, (a * f - b * e) / determinant
    z = cz - gx * cx - gy * cy
    spread = 0.0
    for i in range(hits):
        spread += hit[i, 5] * (hit[i, 2] - hit[0, 2] - z - gx * hit[i, 0] - gy * hit[i, 1]) ** 2
    return z + hit[0, 2], (rim + 0.25 * spread) / sw + (ROUGHNESS * (1.0 / greatest) * spacing) ** 2
