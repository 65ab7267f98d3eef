"""Heights across holes in the ground (under buildings, bridges, dense crowns) from what stands around them.

Each cell looks in `RAYS` directions for the nearest known cell and takes the heights there weighted by one over the
distance: the discrete mean value coordinates of Floater (2003, Computer Aided Geometric Design 20). They reproduce a
plane exactly, however the hole is shaped, are smooth inside, and ask only what is seen from the cell: no system of
equations that would tie one end of the city to the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from lidar.rasterise import WET

RAYS = 32
MAX_BRIDGE = 60.0
"""Metres: farthest known cell a ray asks. A hole wider than twice that keeps a core without height."""
WATER_SHARE = 0.6
"""Of the weight of what a cell sees, above which it lies in water; below it, water is left out: a house at a canal
stands on the bank."""
WATER_SHARE_BELOW_DECK = 0.1
"""The same under a bridge, which more likely than not spans the water that is seen at its sides."""
MAX_OVERHANG = 2.0
"""Metres: farthest a height is carried where known ground lies on one side only."""
ROUGHNESS = 0.012
"""Metres of σ per metre to the nearest known cell, added to what the rim itself shows."""


@njit(nogil=True, cache=True)
def _directions() -> Any:
    """Unit vectors (RAYS, 2): column and row steps; computed the same way everywhere."""
    d = np.empty((RAYS, 2))
    for k in range(RAYS):
        angle = 2.0 * np.pi * (k + 0.5) / RAYS
        d[k, 0], d[k, 1] = np.cos(angle), np.sin(angle)
    return d


@njit(nogil=True, cache=True, parallel=True)
def bridge(
    height: Any,
    sigma: Any,
    known: Any,
    deck: Any,
    resolution: float,
    top: int,
    left: int,
    out_height: Any,
    out_sigma: Any,
) -> None:
    """Fill `out_height` and `out_sigma`, the window at `top`, `left` of the larger arrays, across the holes.

    Args:
        height: (rows, columns) metres, of the window and `MAX_BRIDGE` around it.
        sigma: the same, 1σ.
        known: the same, uint8: `DRY`, `WET` or 0.
        deck: the same, bool: under a bridge.
        resolution: metres.
        top: first row of the window in the larger arrays.
        left: its first column.
        out_height: (window rows, window columns); NaN stays where nothing can be said.
        out_sigma: the same.
    """
    rows, columns = out_height.shape
    longest = int(MAX_BRIDGE / resolution)
    directions = _directions()
    for row in prange(rows):
        hit = np.empty((RAYS, 5))
        for column in range(columns):
            r0, c0 = top + row, left + column
            if known[r0, c0]:
                out_height[row, column], out_sigma[row, column] = height[r0, c0], sigma[r0, c0]
                continue
            hits = _look_around(height, sigma, known, r0, c0, longest, directions, hit)
            if hits > 0:
                hits = _of_one_kind(hit, hits, WATER_SHARE_BELOW_DECK if deck[r0, c0] else WATER_SHARE)
            if hits:
                out_height[row, column], out_sigma[row, column] = _blend(hit, hits, resolution)


@njit(nogil=True, cache=True)
def _look_around(height: Any, sigma: Any, known: Any, r0: int, c0: int, longest: int, directions: Any, hit: Any) -> int:
    """Fill `hit` (rows of column and row offset, height, σ) with the first known cell on each ray; give their number.

    The number is negative when they all lie on one side.
    """
    rows, columns = known.shape
    hits, gap, widest, leading = 0, 0, 0, -1
    for k in range(RAYS):
        met = False
        for step in range(1, longest + 1):
            r, c = r0 + int(np.rint(step * directions[k, 1])), c0 + int(np.rint(step * directions[k, 0]))
            if r < 0 or c < 0 or r >= rows or c >= columns:
                break
            if known[r, c]:
                hit[hits, 0], hit[hits, 1] = c - c0, r - r0
                hit[hits, 2], hit[hits, 3], hit[hits, 4] = height[r, c], sigma[r, c], known[r, c]
                hits += 1
                met = True
                break
        if met:
            if leading < 0:
                leading = gap
            widest, gap = max(widest, gap), 0
        else:
            gap += 1
    if hits == 0:
        return 0
    widest = max(widest, gap + leading)
    return hits if widest < RAYS // 2 else -hits


@njit(nogil=True, cache=True)
def _of_one_kind(hit: Any, hits: int, share: float) -> int:
    """Move the hits on ground, or on water where it prevails, to the front of `hit`; give their number."""
    wet = total = 0.0
    for i in range(hits):
        w = 1.0 / np.sqrt(hit[i, 0] ** 2 + hit[i, 1] ** 2)
        total += w
        if hit[i, 4] == WET:
            wet += w
    if wet == 0.0 or wet == total:
        return hits
    in_water = wet > share * total
    kept = 0
    for i in range(hits):
        if (hit[i, 4] == WET) == in_water:
            hit[kept] = hit[i]
            kept += 1
    return kept


@njit(nogil=True, cache=True)
def _blend(hit: Any, hits: int, resolution: float) -> Any:
    """Height and σ at the place from what the rays met, as a plane weighted by 1/distance.

    With a hit on every ray the plane's height at the place is the mean value interpolant; with some missing the plane
    keeps it exact for tilted ground.
    """
    if hits < 0:
        best = 0
        for i in range(1, -hits):
            if hit[i, 0] ** 2 + hit[i, 1] ** 2 < hit[best, 0] ** 2 + hit[best, 1] ** 2:
                best = i
        distance = np.sqrt(hit[best, 0] ** 2 + hit[best, 1] ** 2) * resolution
        if distance > MAX_OVERHANG:
            return np.nan, np.nan
        return hit[best, 2], np.sqrt(hit[best, 3] ** 2 + (0.05 * distance) ** 2)
    sw = swx = swy = swz = swxx = swxy = swyy = swxz = swyz = rim = 0.0
    nearest = np.inf
    for i in range(hits):
        x, y, z = hit[i, 0], hit[i, 1], hit[i, 2] - hit[0, 2]
        d = np.sqrt(x * x + y * y)
        nearest = min(nearest, d)
        w = 1.0 / d
        sw += w
        swx += w * x
        swy += w * y
        swz += w * z
        swxx += w * x * x
        swxy += w * x * y
        swyy += w * y * y
        swxz += w * x * z
        swyz += w * y * z
        rim += w * hit[i, 3] ** 2
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
        d = np.sqrt(hit[i, 0] ** 2 + hit[i, 1] ** 2)
        spread += (hit[i, 2] - hit[0, 2] - z - gx * hit[i, 0] - gy * hit[i, 1]) ** 2 / d
    variance = (rim + 0.25 * spread) / sw + (ROUGHNESS * nearest * resolution) ** 2
    return z + hit[0, 2], np.sqrt(variance)
