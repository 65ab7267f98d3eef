"""The inner loop of the scanner: one pulse, from the aircraft to its returns.

Randomness is a hash of (seed, strip, pulse, draw): the result does not depend on threads or on the order of work.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

MAX_RETURNS = 5
_SUB_RAYS = 2
LOW_NOISE, HIGH_NOISE, WATER, GROUND, WIRE, OTHER = 7, 18, 9, 2, 14, 1


@numba.njit(cache=True, nogil=True, inline="always")
def uniform(
    seed: int,
    pulse: int,
    draw: int,
) -> float:
    """A number in (0, 1) from three integers (SplitMix64's mixing, twice)."""
    z = (
        np.uint64(seed)
        + np.uint64(pulse) * np.uint64(0x9E3779B97F4A7C15)
        + np.uint64(draw) * np.uint64(0xD1B54A32D192ED03)
    )
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    z = (z + np.uint64(0x632BE59BD9B4E019)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(32))
    return float((np.float64(z >> np.uint64(11)) + 0.5) / 9007199254740992.0)


@numba.njit(cache=True, nogil=True, inline="always")
def normal(
    seed: int,
    pulse: int,
    draw: int,
) -> float:
    """A standard normal number (Box and Muller)."""
    radius = np.sqrt(-2.0 * np.log(uniform(seed, pulse, draw)))
    return float(radius * np.cos(2.0 * np.pi * uniform(seed, pulse, draw + 1)))


@numba.njit(cache=True, nogil=True)
def terrain_at(
    heights: Any,
    x: float,
    y: float,
) -> float:
    """Bilinear height from nodes every half metre."""
    n = heights.shape[0]
    c = min(max(x * 2.0 - 0.5, 0.0), n - 1.001)
    r = min(max(y * 2.0 - 0.5, 0.0), n - 1.001)
    i, j = int(r), int(c)
    fr, fc = r - i, c - j
    south = heights[i, j] * (1 - fc) + heights[i, j + 1] * fc
    north = heights[i + 1, j] * (1 - fc) + heights[i + 1, j + 1] * fc
    return float(south * (1 - fr) + north * fr)


@numba.njit(cache=True, nogil=True)
def terrain_hit(
    heights: Any,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    highest: float,
) -> float:
    """Range at which a ray meets the terrain: short steps from above its highest point, then bisection."""
    t = (highest + 0.01 - oz) / dz
    step = 0.5 / -dz
    before = t
    for _ in range(400):
        if oz + t * dz <= terrain_at(heights, ox + t * dx, oy + t * dy):
            break
        before = t
        t += step
    for _ in range(12):
        middle = 0.5 * (before + t)
        if oz + middle * dz <= terrain_at(heights, ox + middle * dx, oy + middle * dy):
            t = middle
        else:
            before = middle
    return float(t)


@numba.njit(cache=True, nogil=True)
def triangle_hit(
    v: Any,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
) -> float:
    """Range at which a ray meets a triangle, or infinity (Möller and Trumbore 1997)."""
    ax, ay, az = v[1, 0] - v[0, 0], v[1, 1] - v[0, 1], v[1, 2] - v[0, 2]
    bx, by, bz = v[2, 0] - v[0, 0], v[2, 1] - v[0, 1], v[2, 2] - v[0, 2]
    px, py, pz = dy * bz - dz * by, dz * bx - dx * bz, dx * by - dy * bx
    det = ax * px + ay * py + az * pz
    if abs(det) < 1e-12:
        return np.inf
    tx, ty, tz = ox - v[0, 0], oy - v[0, 1], oz - v[0, 2]
    u = (tx * px + ty * py + tz * pz) / det
    if u < -1e-6 or u > 1.000001:
        return np.inf
    qx, qy, qz = ty * az - tz * ay, tz * ax - tx * az, tx * ay - ty * ax
    w = (dx * qx + dy * qy + dz * qz) / det
    if w < -1e-6 or u + w > 1.000001:
        return np.inf
    return float((bx * qx + by * qy + bz * qz) / det)


@numba.njit(cache=True, nogil=True)
def solid_hit(
    corners: Any,
    start: Any,
    items: Any,
    top: Any,
    size: float,
    n: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    t0: float,
    t1: float,
) -> tuple[float, int]:
    """The nearest triangle between two ranges: (range, index) or (infinity, −1). Cells are visited in order."""
    best, which = np.inf, -1
    x, y = ox + t0 * dx, oy + t0 * dy
    c, r = int(np.floor(x / size)), int(np.floor(y / size))
    step_c, step_r = (1 if dx > 0 else -1), (1 if dy > 0 else -1)
    next_c = ((c + (1 if dx > 0 else 0)) * size - ox) / dx if dx != 0.0 else np.inf
    next_r = ((r + (1 if dy > 0 else 0)) * size - oy) / dy if dy != 0.0 else np.inf
    add_c = abs(size / dx) if dx != 0.0 else np.inf
    add_r = abs(size / dy) if dy != 0.0 else np.inf
    t = t0
    while t <= t1:
        leave = min(next_c, next_r, t1)
        if 0 <= c < n and 0 <= r < n:
            cell = r * n + c
            if oz + leave * dz <= top[cell]:
                for k in range(start[cell], start[cell + 1]):
                    hit = triangle_hit(corners[items[k]], ox, oy, oz, dx, dy, dz)
                    if t0 < hit < best:
                        best, which = hit, items[k]
                if best <= leave + 1e-6:
                    break
        if leave >= t1:
            break
        t = leave
        if next_c < next_r:
            c += step_c
            next_c += add_c
        else:
            r += step_r
            next_r += add_r
    return best, which


@numba.njit(cache=True, nogil=True)
def crown_span(
    e: Any,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
) -> tuple[float, float]:
    """Where a ray enters and leaves an ellipsoid (x, y, z, radius, half height, …); (∞, −∞) if it misses."""
    k = e[3] / e[4]
    px, py, pz = ox - e[0], oy - e[1], (oz - e[2]) * k
    ez = dz * k
    a = dx * dx + dy * dy + ez * ez
    b = px * dx + py * dy + pz * ez
    c = px * px + py * py + pz * pz - e[3] * e[3]
    disc = b * b - a * c
    if disc <= 0.0:
        return np.inf, -np.inf
    root = np.sqrt(disc)
    return (-b - root) / a, (-b + root) / a


@numba.njit(cache=True, nogil=True)
def nearest_crown(
    crowns: Any,
    start: Any,
    items: Any,
    size: float,
    n: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    t0: float,
    t1: float,
    seed: int,
    pulse: int,
    draw: int,
) -> float:
    """The first leaf a beam meets between two ranges, or infinity: depth into a crown is exponential.

    Crowns are looked up in coarse cells along the ray. A crown's draw depends on the crown, not on the cell.
    """
    best = np.inf
    last = -1
    length = t1 - t0
    horizontal = np.sqrt(dx * dx + dy * dy) * length
    steps = int(horizontal / (0.5 * size)) + 2
    for s in range(steps):
        t = t0 + length * s / (steps - 1)
        c, r = int((ox + t * dx) / size), int((oy + t * dy) / size)
        if c < 0 or r < 0 or c >= n or r >= n or r * n + c == last:
            continue
        last = r * n + c
        for k in range(start[last], start[last + 1]):
            i = items[k]
            enter, leave = crown_span(crowns[i], ox, oy, oz, dx, dy, dz)
            enter = max(enter, t0)
            if enter >= leave or enter >= min(best, t1):
                continue
            hit = enter - np.log(uniform(seed + i, pulse, draw)) / crowns[i, 5]
            if hit < leave and hit < best and hit < t1:
                best = hit
    return best


@numba.njit(cache=True, nogil=True)
def nearest_wire(
    wires: Any,
    start: Any,
    items: Any,
    size: float,
    n: int,
    radius: float,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    t0: float,
    t1: float,
    seed: int,
    pulse: int,
    draw: int,
) -> float:
    """The first wire that passes through the beam and returns enough of it, or infinity."""
    best = np.inf
    last = -1
    length = t1 - t0
    horizontal = np.sqrt(dx * dx + dy * dy) * length
    steps = int(horizontal / (0.5 * size)) + 2
    for s in range(steps):
        t = t0 + length * s / (steps - 1)
        c, r = int((ox + t * dx) / size), int((oy + t * dy) / size)
        if c < 0 or r < 0 or c >= n or r >= n or r * n + c == last:
            continue
        last = r * n + c
        for k in range(start[last], start[last + 1]):
            w = wires[items[k]]
            ux, uy, uz = w[3] - w[0], w[4] - w[1], w[5] - w[2]
            wx, wy, wz = ox - w[0], oy - w[1], oz - w[2]
            uu, ud = ux * ux + uy * uy + uz * uz, ux * dx + uy * dy + uz * dz
            uw, dw = ux * wx + uy * wy + uz * wz, dx * wx + dy * wy + dz * wz
            below = uu - ud * ud
            if below < 1e-9:
                continue
            along = (uw - ud * dw) / below
            if along < 0.0 or along > 1.0:
                continue
            hit = along * ud - dw
            gx = wx + hit * dx - along * ux
            gy = wy + hit * dy - along * uy
            gz = wz + hit * dz - along * uz
            off = np.sqrt(gx * gx + gy * gy + gz * gz)
            chance = w[6] * max(1.0 - off / radius, 0.0)
            if t0 < hit < min(best, t1) and uniform(seed + items[k], pulse, draw) < chance:
                best = hit
    return best
