"""All returns of a run of pulses: where each beam ends, what it meets on its way, and what the instrument reports."""

from __future__ import annotations

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
def cast(  # type: ignore[no-untyped-def]
    first, count, per_line, rate, path, aim, noise, scene, heights, ground, tri, tri_info, tri_bins, crowns,
    crown_bins, wires, wire_bins, surfaces, seed, out_xyz, out_class, out_intensity, out_angle, out_count,
):  # fmt: skip
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
    c_start, c_items, _, c_cell, c_n = crown_bins
    w_start, w_items, _, w_cell, w_n = wire_bins
    for p in numba.prange(count):
        i = first + p
        out_count[p] = 0
        if uniform(seed, i, 0) < noise[9]:
            continue
        angle = aim[0] * (2.0 * ((i % per_line) + 0.5) / per_line - 1.0)
        along = path[5] * i / rate
        ox, oy, oz = path[0] + path[3] * along, path[1] + path[4] * along, path[2]
        out_angle[p] = np.degrees(angle)
        t_hit = np.empty(MAX_RETURNS + 1)
        code = np.empty(MAX_RETURNS + 1, dtype=np.int64)
        material = np.empty(MAX_RETURNS + 1, dtype=np.int64)
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
                t_hit[found] = end
            else:
                ends = end
                t = t0
                draw = 20
                blocked = False
                while found < MAX_RETURNS - 1:
                    leaf = nearest_crown(
                        crowns, c_start, c_items, c_cell, c_n, ox, oy, oz, dx, dy, dz, t, end, seed, i, draw
                    )
                    wire = nearest_wire(
                        wires, w_start, w_items, w_cell, w_n, aim[1] * (oz - 10.0) + 0.02,
                        ox, oy, oz, dx, dy, dz, t, min(end, leaf), seed, i, draw + 1,
                    )  # fmt: skip
                    hit = min(leaf, wire)
                    if hit >= end - 0.05:
                        break
                    t_hit[found] = hit
                    is_wire = wire < leaf
                    x, y, z = ox + hit * dx, oy + hit * dy, oz + hit * dz
                    above = z - terrain_at(heights, x, y)
                    code[found] = WIRE if is_wire else (3 if above < 0.5 else (4 if above < 2.0 else 5))
                    material[found] = WIRE_MATERIAL if is_wire else LEAF_MATERIAL
                    found += 1
                    if uniform(seed, i, draw + 2) > (WIRE_PASSES if is_wire else LEAF_PASSES):
                        blocked = True
                        break
                    t = hit + noise[6] * (0.8 + 0.6 * uniform(seed, i, draw + 3))
                    draw += 4
                if blocked or (found > 0 and end - t_hit[found - 1] < noise[6]):
                    break
                t_hit[found] = end
            x, y, z = ox + end * dx, oy + end * dy, oz + end * dz
            if ts < tg:
                code[found] = tri_info[which, 0]
                material[found] = tri_info[which, 1]
            else:
                m = ground.shape[0]
                kind = ground[min(max(int(y * 2.0), 0), m - 1), min(max(int(x * 2.0), 0), m - 1)]
                code[found] = GROUND
                material[found] = GROUND_MATERIAL + kind
                if kind == GROUND_WATER:
                    code[found] = WATER
                    steep = abs(angle) / 0.07
                    if uniform(seed, i, 6 + sub) > 0.05 + 0.85 * np.exp(-steep * steep):
                        break
                elif kind == GROUND_ROUGH_GRASS and uniform(seed, i, 8 + sub) < 0.4:
                    tall = 0.7 * uniform(seed, i, 10 + sub) ** 1.5
                    t_hit[found] += tall / dz
                    code[found] = GROUND if tall < 0.06 else (3 if tall < 0.5 else 4)
                    material[found] = GRASS_MATERIAL
            found += 1
        if found == 0:
            continue
        if found > 1 and t_hit[found - 1] < t_hit[found - 2]:
            k = found - 1
            while k > 0 and t_hit[k] < t_hit[k - 1]:
                t_hit[k], t_hit[k - 1] = t_hit[k - 1], t_hit[k]
                code[k], code[k - 1] = code[k - 1], code[k]
                material[k], material[k - 1] = material[k - 1], material[k]
                k -= 1
        luck = uniform(seed, i, 12)
        if luck < noise[8]:
            found = 1
            t_hit[0] = (highest + 8.0 + 90.0 * uniform(seed, i, 13) - oz) / bz
            code[0], material[0] = HIGH_NOISE, NOISE_MATERIAL
        elif luck < noise[8] + noise[7]:
            k = found - 1
            t_hit[k] += (1.0 + 9.0 * uniform(seed, i, 13)) / -bz
            g = terrain_at(heights, ox + t_hit[k] * bx, oy + t_hit[k] * by)
            if oz + t_hit[k] * bz < g - 0.9:
                code[k], material[k] = LOW_NOISE, NOISE_MATERIAL
            else:
                t_hit[k] = (g - 1.0 - 9.0 * uniform(seed, i, 13) - oz) / bz
                code[k], material[k] = LOW_NOISE, NOISE_MATERIAL
        wander_across = noise[1] * normal(seed, i, 14)
        wander_along = noise[1] * normal(seed, i, 16)
        kept = 0
        for k in range(min(found, MAX_RETURNS)):
            rough = np.hypot(noise[0], surfaces[1, material[k]])
            t = t_hit[k] + rough * normal(seed, i, 100 + 2 * k)
            x = ox + t * (bx + wander_across * path[4] + wander_along * path[3]) + noise[2]
            y = oy + t * (by - wander_across * path[3] + wander_along * path[4]) + noise[3]
            across = t * np.sin(angle)
            z = oz + t * bz + noise[4] + noise[5] * across
            if not (HALF_STEP <= x < size - HALF_STEP and HALF_STEP <= y < size - HALF_STEP):
                continue
            bright = surfaces[0, material[k]] * (0.35 + 0.65 / found)
            if uniform(seed, i, 140 + k) < np.exp(-bright / FAINT):
                continue
            out_xyz[p, kept, 0], out_xyz[p, kept, 1], out_xyz[p, kept, 2] = x, y, z
            out_class[p, kept] = code[k]
            out_intensity[p, kept] = bright * np.exp(0.18 * normal(seed, i, 120 + 2 * k))
            kept += 1
        out_count[p] = kept
