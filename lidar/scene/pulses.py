"""All returns of a run of pulses: where each beam ends, what it meets on its way, and what the instrument reports."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from lidar.scene.casting import (
    GROUND,
    HIGH_NOISE,
    LOW_NOISE,
    MAX_RETURNS,
    WATER,
    WIRE,
    nearest_crown,
    nearest_wire,
    normal,
    solid_hit,
    terrain_at,
    terrain_hit,
    uniform,
)

LOW, MEDIUM, HIGH = 3, 4, 5
LOW_BELOW_M, MEDIUM_BELOW_M = 0.5, 2.0
"""Vegetation by its height above the ground."""
GRASS_COVER, GRASS_M = 0.4, 0.7
"""Share of beams that meet a blade of rough grass, and its greatest height."""
WATER_LOBE_RAD = 0.07
"""Still water reflects back to the aircraft within about this angle of the vertical."""
LEAF_PASSES, WIRE_PASSES = 0.62, 0.9
"""Share of the pulses with enough light left behind a leaf, a wire."""
GROUND_ROUGH_GRASS, GROUND_WATER = 4, 5
HALF_STEP = 0.0005
"""Positions are written in millimetres; none may round out of the scene."""
FAINT = 75.0
"""A return this bright is lost with a chance of 1/e."""
WIRE_MATERIAL, LEAF_MATERIAL, GRASS_MATERIAL, NOISE_MATERIAL, GROUND_MATERIAL = 5, 6, 6, 10, 11
"""Index into the table of surfaces; ground kinds follow from GROUND_MATERIAL on."""


@numba.njit(cache=True, nogil=True, parallel=True)
def cast(
    first: int,
    count: int,
    per_line: int,
    rate: float,
    path: Any,
    aim: Any,
    noise: Any,
    scene: Any,
    heights: Any,
    ground: Any,
    tri: Any,
    tri_info: Any,
    tri_bins: Any,
    crowns: Any,
    crown_bins: Any,
    wires: Any,
    wire_bins: Any,
    surfaces: Any,
    seed: int,
    out_xyz: Any,
    out_class: Any,
    out_intensity: Any,
    out_angle: Any,
    out_count: Any,
) -> None:
    """Cast pulses `first … first + count` of one strip.

    Args:
        first: number of the first pulse in the strip.
        count: how many.
        per_line: pulses of one scan line.
        rate: pulses a second.
        path: start x, y, flying height, direction x, y, speed (metres, seconds).
        aim: half angle, half divergence (radians).
        noise: sigma of range, of angle, strip dx, dy, dz, roll, range resolution, low, high, drop (shares).
        scene: size, top of everything, highest terrain.
        heights: terrain nodes.
        ground: kind of ground at the nodes.
        tri: triangles; `tri_info` is (k, 2) class and material; `tri_bins` is (start, items, top, size, n).
        tri_info: see `tri`.
        tri_bins: see `tri`.
        crowns: ellipsoids with their extinction; with their bins.
        crown_bins: see `crowns`.
        wires: segments with their chance of a return; with their bins.
        wire_bins: see `wires`.
        surfaces: (2, m) mean intensity and roughness (metres) of each material, kinds of ground behind them.
        seed: of the strip.
        out_xyz: (count, MAX_RETURNS, 3) reported positions, scene frame.
        out_class: (count, MAX_RETURNS) true classes.
        out_intensity: (count, MAX_RETURNS).
        out_angle: (count,) degrees.
        out_count: (count,) returns of each pulse, in order of range.
    """
    size, top, highest = scene[0], scene[1], scene[2]
    start, items, tops, cell, n = tri_bins
    for p in numba.prange(count):
        i = first + p
        out_count[p] = 0
        if uniform(seed, i, 0) < noise[9]:
            continue
        angle = aim[0] * (2.0 * ((i % per_line) + 0.5) / per_line - 1.0)
        along = path[5] * i / rate
        ox, oy, oz = path[0] + path[3] * along, path[1] + path[4] * along, path[2]
        out_angle[p] = np.degrees(angle)
        hits = np.empty(MAX_RETURNS + 1)
        kinds = np.empty((2, MAX_RETURNS + 1), dtype=np.int64)
        found = 0
        ends = np.inf
        side, forward, down = np.sin(angle), 0.0, -np.cos(angle)
        bx, by, bz = side * path[4], -side * path[3], down
        for sub in range(2):
            if sub == 1:
                spread = aim[1] * np.sqrt(uniform(seed, i, 3))
                turn = 2.0 * np.pi * uniform(seed, i, 4)
                side = np.sin(angle + spread * np.cos(turn))
                forward = spread * np.sin(turn)
                down = -np.sqrt(1.0 - side * side - forward * forward)
            dx = side * path[4] + forward * path[3]
            dy = -side * path[3] + forward * path[4]
            dz = down
            t0 = (top + 0.5 - oz) / dz
            low_t = (-12.0 - oz) / dz
            xa, xb, ya, yb = ox + t0 * dx, ox + low_t * dx, oy + t0 * dy, oy + low_t * dy
            if max(xa, xb) < 0 or min(xa, xb) > size or max(ya, yb) < 0 or min(ya, yb) > size:
                break
            tg = terrain_hit(heights, ox, oy, oz, dx, dy, dz, highest)
            ts, which = solid_hit(tri, start, items, tops, cell, n, ox, oy, oz, dx, dy, dz, t0, tg)
            end = min(tg, ts)
            if sub == 1:
                if abs(end - ends) < noise[6] or found >= MAX_RETURNS or uniform(seed, i, 5) > 0.7:
                    break
                hits[found] = end
            else:
                ends = end
                found, blocked = _fly_through(
                    hits, kinds, heights, crowns, crown_bins, wires, wire_bins,
                    aim[1], noise[6], ox, oy, oz, dx, dy, dz, t0, end, seed, i,
                )  # fmt: skip
                if blocked or (found > 0 and end - hits[found - 1] < noise[6]):
                    break
                hits[found] = end
            if ts < tg:
                kinds[0, found], kinds[1, found] = tri_info[which, 0], tri_info[which, 1]
            elif not _land(hits, kinds, found, ground, ox + end * dx, oy + end * dy, dz, angle, seed, i, sub):
                break
            found += 1
        if found == 0:
            continue
        _sort_last(hits, kinds, found)
        found = _disturb(hits, kinds, found, heights, highest, noise[7], noise[8], ox, oy, oz, bx, by, bz, seed, i)
        wander_across = noise[1] * normal(seed, i, 14)
        wander_along = noise[1] * normal(seed, i, 16)
        kept = 0
        for k in range(min(found, MAX_RETURNS)):
            rough = np.hypot(noise[0], surfaces[1, kinds[1, k]])
            t = hits[k] + rough * normal(seed, i, 100 + 2 * k)
            x = ox + t * (bx + wander_across * path[4] + wander_along * path[3]) + noise[2]
            y = oy + t * (by - wander_across * path[3] + wander_along * path[4]) + noise[3]
            across = t * np.sin(angle)
            z = oz + t * bz + noise[4] + noise[5] * across
            if not (HALF_STEP <= x < size - HALF_STEP and HALF_STEP <= y < size - HALF_STEP):
                continue
            bright = surfaces[0, kinds[1, k]] * (0.35 + 0.65 / found)
            if uniform(seed, i, 140 + k) < np.exp(-bright / FAINT):
                continue
            out_xyz[p, kept, 0], out_xyz[p, kept, 1], out_xyz[p, kept, 2] = x, y, z
            out_class[p, kept] = kinds[0, k]
            out_intensity[p, kept] = bright * np.exp(0.18 * normal(seed, i, 120 + 2 * k))
            kept += 1
        out_count[p] = kept


@numba.njit(cache=True, nogil=True)
def _fly_through(
    hits: Any, kinds: Any, heights: Any, crowns: Any, crown_bins: Any, wires: Any, wire_bins: Any,
    half_divergence: float, resolution: float, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float,
    t0: float, end: float, seed: int, pulse: int,
) -> tuple[int, bool]:  # fmt: skip
    """Leaves and wires on the way, at most one return less than there can be; (how many, whether no light is left)."""
    c_start, c_items, _, c_cell, c_n = crown_bins
    w_start, w_items, _, w_cell, w_n = wire_bins
    radius = half_divergence * (oz - 10.0) + 0.02
    found, t, draw = 0, t0, 20
    while found < MAX_RETURNS - 1:
        leaf = nearest_crown(
            crowns, c_start, c_items, c_cell, c_n, ox, oy, oz, dx, dy, dz, t, end, seed, pulse, draw
        )  # fmt: skip
        wire = nearest_wire(
            wires, w_start, w_items, w_cell, w_n, radius,
            ox, oy, oz, dx, dy, dz, t, min(end, leaf), seed, pulse, draw + 1,
        )  # fmt: skip
        hit = min(leaf, wire)
        if hit >= end - 0.05:
            break
        hits[found] = hit
        if wire < leaf:
            kinds[0, found], kinds[1, found] = WIRE, WIRE_MATERIAL
        else:
            above = oz + hit * dz - terrain_at(heights, ox + hit * dx, oy + hit * dy)
            kinds[0, found] = LOW if above < LOW_BELOW_M else (MEDIUM if above < MEDIUM_BELOW_M else HIGH)
            kinds[1, found] = LEAF_MATERIAL
        found += 1
        if uniform(seed, pulse, draw + 2) > (WIRE_PASSES if wire < leaf else LEAF_PASSES):
            return found, True
        t = hit + resolution * (0.8 + 0.6 * uniform(seed, pulse, draw + 3))
        draw += 4
    return found, False


@numba.njit(cache=True, nogil=True)
def _land(
    hits: Any, kinds: Any, k: int, ground: Any, x: float, y: float, dz: float, angle: float,
    seed: int, pulse: int, sub: int,
) -> bool:  # fmt: skip
    """What the ground returns at a position; False where water reflects the light away."""
    m = ground.shape[0]
    kind = ground[min(max(int(y * 2.0), 0), m - 1), min(max(int(x * 2.0), 0), m - 1)]
    kinds[0, k], kinds[1, k] = GROUND, GROUND_MATERIAL + kind
    if kind == GROUND_WATER:
        kinds[0, k] = WATER
        steep = abs(angle) / WATER_LOBE_RAD
        return bool(uniform(seed, pulse, 6 + sub) <= 0.05 + 0.85 * np.exp(-steep * steep))
    if kind == GROUND_ROUGH_GRASS and uniform(seed, pulse, 8 + sub) < GRASS_COVER:
        tall = GRASS_M * uniform(seed, pulse, 10 + sub) ** 1.5
        hits[k] += tall / dz
        kinds[0, k] = GROUND if tall < 0.06 else (LOW if tall < LOW_BELOW_M else MEDIUM)
        kinds[1, k] = GRASS_MATERIAL
    return True


@numba.njit(cache=True, nogil=True)
def _sort_last(hits: Any, kinds: Any, found: int) -> None:
    """Move the last return to its place in the order of range."""
    k = found - 1
    while k > 0 and hits[k] < hits[k - 1]:
        hits[k], hits[k - 1] = hits[k - 1], hits[k]
        for row in range(2):
            kinds[row, k], kinds[row, k - 1] = kinds[row, k - 1], kinds[row, k]
        k -= 1


@numba.njit(cache=True, nogil=True)
def _disturb(
    hits: Any, kinds: Any, found: int, heights: Any, highest: float, low_share: float, bird_share: float,
    ox: float, oy: float, oz: float, bx: float, by: float, bz: float, seed: int, pulse: int,
) -> int:  # fmt: skip
    """Now and then a bird instead of all returns, or a last return that came by a detour and lies below the ground."""
    luck = uniform(seed, pulse, 12)
    if luck < bird_share:
        hits[0] = (highest + 8.0 + 90.0 * uniform(seed, pulse, 13) - oz) / bz
        kinds[0, 0], kinds[1, 0] = HIGH_NOISE, NOISE_MATERIAL
        return 1
    if luck < bird_share + low_share:
        k = found - 1
        detour = 1.0 + 9.0 * uniform(seed, pulse, 13)
        hits[k] += detour / -bz
        ground = terrain_at(heights, ox + hits[k] * bx, oy + hits[k] * by)
        if oz + hits[k] * bz >= ground - 0.9:
            hits[k] = (ground - detour - oz) / bz
        kinds[0, k], kinds[1, k] = LOW_NOISE, NOISE_MATERIAL
    return found
