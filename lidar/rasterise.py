"""The kernels under `lidar.terrain`: points are counted into bins, bins are fitted with planes, holes are bridged.

Everything here takes and gives NumPy arrays. Two rules make a tile equal to its part of the city, bit for bit:
sums over points are sums of whole numbers (so their order cannot matter), and every loop over bins or cells runs in an
order fixed by their position on the one grid of the city.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

BIN = 0.5
"""Metres: edge of the finest bin. At 2–16 points/m² a bin holds 0.5–4 points; finer ones only cost time."""
LEVELS = 4
"""Bins of 0.5, 1, 2 and 4 m."""
COARSEST = 2 ** (LEVELS - 1)
"""Finest bins along one edge of the coarsest."""
HALF_WINDOW = 3
"""Bins on each side of the one a cell's centre lies in; the kernel's radius never exceeds it."""
SCALES = 2 * LEVELS
"""Kernel radii: 3/√2 and 3 bins on each level, that is 1.06, 1.5, 2.1 … 12 m."""
QUANTUM = 1e-4
"""Metres: coordinates inside a bin and heights are summed as multiples of this."""
PLANE_REACH = BIN * COARSEST * (HALF_WINDOW + 1)
"""Metres: no point farther than this enters a cell's plane."""

WATER_REACH = 2.0
"""Metres from a water return within which a cell nearer to it than to ground is water."""

MIN_POINTS = 6
"""Points a plane rests on at least: two per parameter."""
MIN_BINS = 4
MAX_BIN_WEIGHT = 64
"""Points of a bin that count: errors inside a bin are not independent, and a million echoes are one place."""
MAX_SHIFT = 0.4
"""Distance of the supporting points' centroid from the cell, in radii, above which a plane would extrapolate."""
CONFIDENCE = 1.5
"""Half-width, in σ, of the intervals that must overlap for a wider kernel to be taken."""
NOISE_FLOOR = 0.005
"""Metres: no airborne scanner ranges better, whatever a handful of residuals says."""

COUNT, MEAN_X, MEAN_Y, MEAN_Z = range(4)


@dataclass(frozen=True, slots=True)
class Bins:
    """Points summed up on the levels of a pyramid whose edges are the same over the whole city.

    A level's bin is named by the index of its lower-left corner, in its own edge lengths from (0, 0); rows run from
    south to north.
    """

    moments: NDArray[np.float64]
    """(bins of all levels, 4): count, mean x and y in metres from the bin's own lower-left corner, mean height."""
    layout: NDArray[np.int64]
    """(levels, 3): first row in `moments`, rows and columns of bins."""
    west: float
    """Metres: the first bins' edges."""
    south: float


@njit(nogil=True, cache=True)
def _add_to_bins(x: Any, y: Any, z: Any, chosen: Any, first_column: int, first_row: int, count: Any, sums: Any) -> None:
    rows, columns = count.shape
    for i in range(x.shape[0]):
        if not chosen[i]:
            continue
        u, v = x[i] / BIN, y[i] / BIN
        if not (np.isfinite(u) and np.isfinite(v) and np.isfinite(z[i])):
            continue
        ci, ri = np.floor(u), np.floor(v)
        c, r = int(ci) - first_column, int(ri) - first_row
        if c < 0 or r < 0 or c >= columns or r >= rows:
            continue
        count[r, c] += 1
        sums[r, c, 0] += int(np.rint((u - ci) * (BIN / QUANTUM)))
        sums[r, c, 1] += int(np.rint((v - ri) * (BIN / QUANTUM)))
        sums[r, c, 2] += int(np.rint(z[i] / QUANTUM))


def bin_points(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    bounds: tuple[float, float, float, float],
) -> Bins:
    """Count and mean position of the chosen points in each bin, on all levels.

    Args:
        x: (n,) metres.
        y: (n,) metres.
        z: (n,) metres.
        chosen: (n,) which points to take.
        bounds: (west, south, east, north), metres: points outside may be left out.
    """
    edge = BIN * COARSEST
    west, south = int(np.floor(bounds[0] / edge)), int(np.floor(bounds[1] / edge))
    east, north = int(np.floor(bounds[2] / edge)) + 1, int(np.floor(bounds[3] / edge)) + 1
    shape = ((north - south) * COARSEST, (east - west) * COARSEST)
    count, sums = np.zeros(shape, dtype=np.int32), np.zeros((*shape, 3), dtype=np.int64)
    _add_to_bins(x, y, z, chosen, west * COARSEST, south * COARSEST, count, sums)
    layout = np.empty((LEVELS, 3), dtype=np.int64)
    first = 0
    for level in range(LEVELS):
        layout[level] = first, shape[0] >> level, shape[1] >> level
        first += int(layout[level, 1] * layout[level, 2])
    moments = np.zeros((first, 4))
    _moments(count, sums, layout, moments)
    return Bins(moments, layout, west * edge, south * edge)


@njit(nogil=True, cache=True)
def _moments(count: Any, sums: Any, layout: Any, moments: Any) -> None:
    """Means of the finest bins, and those of each coarser one from its four in a fixed order."""
    rows, columns = count.shape
    for r in range(rows):
        for c in range(columns):
            n = count[r, c]
            if n:
                k = r * columns + c
                moments[k, COUNT] = n
                moments[k, MEAN_X] = sums[r, c, 0] * QUANTUM / n
                moments[k, MEAN_Y] = sums[r, c, 1] * QUANTUM / n
                moments[k, MEAN_Z] = sums[r, c, 2] * QUANTUM / n
    for level in range(1, layout.shape[0]):
        size = BIN * 2 ** (level - 1)
        finer, first, rows, columns = layout[level - 1, 0], layout[level, 0], layout[level, 1], layout[level, 2]
        for r in range(rows):
            for c in range(columns):
                n, sx, sy, sz = 0.0, 0.0, 0.0, 0.0
                for i in range(2):
                    for j in range(2):
                        k = finer + (2 * r + i) * 2 * columns + 2 * c + j
                        if moments[k, COUNT] > 0:
                            n += moments[k, COUNT]
                            sx += moments[k, COUNT] * (j * size + moments[k, MEAN_X])
                            sy += moments[k, COUNT] * (i * size + moments[k, MEAN_Y])
                            sz += moments[k, COUNT] * moments[k, MEAN_Z]
                if n > 0:
                    k = first + r * columns + c
                    moments[k, COUNT] = n
                    moments[k, MEAN_X], moments[k, MEAN_Y], moments[k, MEAN_Z] = sx / n, sy / n, sz / n


@njit(nogil=True, cache=True, inline="never")
def _gather(level: int, moments: Any, layout: Any, u: float, v: float, near: Any) -> int:
    """Fill `near` (rows of dx, dy, z, weight, d²) with the occupied bins about a place; give their number.

    `u`, `v`: metres from the lower-left corner of the bins, the exact difference of two coordinates; so is that to a
    bin's corner, and the rest does not know where the bins begin.
    """
    size = BIN * 2**level
    first, rows, columns = layout[level, 0], layout[level, 1], layout[level, 2]
    c0, r0 = int(np.floor(u / size)), int(np.floor(v / size))
    found = 0
    for r in range(max(r0 - HALF_WINDOW, 0), min(r0 + HALF_WINDOW + 1, rows)):
        for c in range(max(c0 - HALF_WINDOW, 0), min(c0 + HALF_WINDOW + 1, columns)):
            k = first + r * columns + c
            n = moments[k, COUNT]
            if n > 0:
                dx, dy = (c * size - u) + moments[k, MEAN_X], (r * size - v) + moments[k, MEAN_Y]
                near[found, 0], near[found, 1], near[found, 2] = dx, dy, moments[k, MEAN_Z]
                near[found, 3], near[found, 4] = min(n, MAX_BIN_WEIGHT), dx * dx + dy * dy
                found += 1
    return found


@njit(nogil=True, cache=True, inline="never")
def _plane(near: Any, found: int, radius: float, fit: Any) -> bool:
    """Weighted plane through bins within a radius (biweight kernel); whether it rests on enough.

    `fit` receives: height at the place, residual variance of one point, variance factor of the height, slope.
    """
    r2 = radius * radius
    sw = swx = swy = swz = swxx = swxy = swyy = swxz = swyz = 0.0
    points, bins, z0 = 0.0, 0, 0.0
    for i in range(found):
        d2 = near[i, 4]
        if d2 >= r2:
            continue
        if bins == 0:
            z0 = near[i, 2]
        t = 1.0 - d2 / r2
        w = t * t * near[i, 3]
        dx, dy, dz = near[i, 0], near[i, 1], near[i, 2] - z0
        points += near[i, 3]
        bins += 1
        sw += w
        swx += w * dx
        swy += w * dy
        swz += w * dz
        swxx += w * dx * dx
        swxy += w * dx * dy
        swyy += w * dy * dy
        swxz += w * dx * dz
        swyz += w * dy * dz
    if bins < MIN_BINS or points < MIN_POINTS:
        return False
    cx, cy, cz = swx / sw, swy / sw, swz / sw
    if cx * cx + cy * cy > MAX_SHIFT * MAX_SHIFT * r2:
        return False
    a, b, c = swxx / sw - cx * cx, swxy / sw - cx * cy, swyy / sw - cy * cy
    e, f = swxz / sw - cx * cz, swyz / sw - cy * cz
    determinant = a * c - b * b
    if determinant < 1e-3 * r2 * r2 * 0.0625:
        return False
    gx, gy = (c * e - b * f) / determinant, (a * f - b * e) / determinant
    height = cz - gx * cx - gy * cy
    # l = (1 − c·A⁻¹(p − c)) w / Σw is what each bin adds to the height at the place
    hx, hy = -(c * cx - b * cy) / determinant, -(a * cy - b * cx) / determinant
    squares, spread, freedom = 0.0, 0.0, 0.0
    for i in range(found):
        d2 = near[i, 4]
        if d2 >= r2:
            continue
        t = 1.0 - d2 / r2
        n = near[i, 3]
        w = t * t * n
        dx, dy, dz = near[i, 0], near[i, 1], near[i, 2] - z0
        share = w * (1.0 + hx * (dx - cx) + hy * (dy - cy)) / sw
        squares += share * share / n
        residual = dz - height - gx * dx - gy * dy
        spread += t * t * n * residual * residual
        freedom += t * t
    fit[0] = height + z0
    fit[1] = spread / max(freedom * (1.0 - 3.0 / bins), 0.25 * freedom)
    fit[4] = max(bins - 3.0, 1.0)
    fit[2] = squares
    fit[3] = np.sqrt(gx * gx + gy * gy)
    return True


SECTORS = 16
"""Of a full turn; a half plane takes half of them."""


@njit(nogil=True, cache=True, inline="never")
def _half_planes(near: Any, found: int, radius: float, noise: float, sector: Any, fit: Any) -> bool:
    """Height at a place beside an edge: planes through the bins of each half disc about it, the evenest ones count.

    A half disc that keeps to the place's own side of a kerb, wall or bank shows noise alone; one across it shows the step.
    Each plane counts by its likelihood under the least residual variance found, over the variance of its height.
    """
    r2 = radius * radius
    sector[:] = 0.0
    z0 = near[0, 2]
    for i in range(found):
        d2 = near[i, 4]
        if d2 >= r2:
            continue
        t = 1.0 - d2 / r2
        n = near[i, 3]
        dx, dy, dz = near[i, 0], near[i, 1], near[i, 2] - z0
        angle = (np.arctan2(dy, dx) / (2.0 * np.pi) + 1.0) * SECTORS
        k = int(angle) % SECTORS
        w = t * t * n
        sector[k, 0] += w
        sector[k, 1] += w * dx
        sector[k, 2] += w * dy
        sector[k, 3] += w * dz
        sector[k, 4] += w * dx * dx
        sector[k, 5] += w * dx * dy
        sector[k, 6] += w * dy * dy
        sector[k, 7] += w * dx * dz
        sector[k, 8] += w * dy * dz
        sector[k, 9] += w * dz * dz
        sector[k, 10] += t * t
        sector[k, 11] += 1.0
        sector[k, 12] += n
        sector[k, 13] += w * w / n
    best = np.inf
    s = np.empty(14)
    plane = np.empty((SECTORS + 1, 4))
    for k in range(SECTORS + 1):
        s[:] = 0.0
        for j in range(SECTORS // 2 if k < SECTORS else SECTORS):
            for q in range(14):
                s[q] += sector[(k + j) % SECTORS, q]
        plane[k, 0] = np.inf
        if s[11] < MIN_BINS or s[12] < MIN_POINTS:
            continue
        sw = s[0]
        cx, cy, cz = s[1] / sw, s[2] / sw, s[3] / sw
        a, b, c = s[4] / sw - cx * cx, s[5] / sw - cx * cy, s[6] / sw - cy * cy
        e, f = s[7] / sw - cx * cz, s[8] / sw - cy * cz
        determinant = a * c - b * b
        if determinant < 1e-4 * r2 * r2 * 0.0625:
            continue
        gx, gy = (c * e - b * f) / determinant, (a * f - b * e) / determinant
        residual = max(s[9] - sw * cz * cz - sw * (gx * e + gy * f), 0.0)
        freedom = s[10] * max(1.0 - 3.0 / s[11], 0.25)
        variance = residual / freedom
        # variance factor of the height at the place
        factor = s[13] / (sw * sw) * (1.0 + (c * cx * cx - 2.0 * b * cx * cy + a * cy * cy) / determinant)
        plane[k, 0] = max(variance, noise)
        plane[k, 1] = cz - gx * cx - gy * cy
        plane[k, 2] = factor
        plane[k, 3] = s[11] - 3.0
        best = min(best, plane[k, 0])
    if best == np.inf:
        return False
    total = mean = second = spread = 0.0
    for k in range(SECTORS + 1):
        if plane[k, 0] < np.inf:
            w = np.exp(-0.5 * plane[k, 3] * (plane[k, 0] - best) / best) / plane[k, 2]
            total += w
            mean += w * plane[k, 1]
            second += w * plane[k, 1] * plane[k, 1]
            spread += w * plane[k, 0] * plane[k, 2]
    mean /= total
    fit[0] = mean + z0
    fit[1] = np.sqrt(spread / total + max(second / total - mean * mean, 0.0))
    return True


@njit(nogil=True, cache=True, parallel=True)
def local_noise(moments: Any, layout: Any, variance: Any) -> None:
    """Residual variance of one point about the narrowest plane at the middle of each coarsest bin; NaN where no plane is.

    Args:
        moments: of the ground's bins (`Bins.moments`).
        layout: of their levels (`Bins.layout`).
        variance: (rows, columns of the coarsest level) float64; written.
    """
    rows, columns = variance.shape
    size = BIN * COARSEST
    for row in prange(rows):
        near = np.empty(((2 * HALF_WINDOW + 1) ** 2, 5))
        fit = np.empty(5)
        for column in range(columns):
            variance[row, column] = np.nan
            k = layout[LEVELS - 1, 0] + row * columns + column
            if moments[k, COUNT] == 0:
                continue
            u, v = column * size + moments[k, MEAN_X], row * size + moments[k, MEAN_Y]
            for level in range(LEVELS):
                found = _gather(level, moments, layout, u, v, near)
                if _plane(near, found, BIN * 2**level * HALF_WINDOW, fit):
                    variance[row, column] = fit[1]
                    break


NOISE_WINDOW = 4
"""Coarsest bins on each side over which the noise is judged."""


@njit(nogil=True, cache=True, parallel=True)
def quiet_noise(variance: Any, noise: Any) -> None:
    """Lower quartile of the residual variances around each coarsest bin: what even ground shows, kerbs and banks aside."""
    rows, columns = variance.shape
    for row in prange(rows):
        around = np.empty((2 * NOISE_WINDOW + 1) ** 2)
        for column in range(columns):
            n = 0
            for r in range(max(row - NOISE_WINDOW, 0), min(row + NOISE_WINDOW + 1, rows)):
                for c in range(max(column - NOISE_WINDOW, 0), min(column + NOISE_WINDOW + 1, columns)):
                    if not np.isnan(variance[r, c]):
                        around[n] = variance[r, c]
                        n += 1
            quiet = np.sort(around[:n])[int(QUIET * n)] if n else 0.0
            noise[row, column] = max(quiet, NOISE_FLOOR * NOISE_FLOOR)

QUIET = 0.35
EDGE = 2.5

@njit(nogil=True, cache=True, parallel=True)
def fit_planes(
    moments: Any, layout: Any, noise_map: Any, u: Any, v: Any, height: Any, sigma: Any, known: Any
) -> None:
    """Height and its σ at each cell's centre that ground points surround; `known` says which.

    The radius grows from the smallest that holds enough points for as long as the wider plane's height agrees with
    all narrower ones' within their confidence (intersection of confidence intervals, Goldenshluger & Nemirovski 1997):
    wide, hence quiet, on even ground; narrow, hence true, at a kerb or the edge of a bank.

    Args:
        moments: of the ground's bins (`Bins.moments`).
        layout: of their levels (`Bins.layout`).
        u: (columns,) metres of the cells' centres from the bins' west edge.
        v: (rows,) metres of the cells' centres from the bins' south edge.
        height: (rows, columns) float64, north first; written.
        sigma: the same.
        known: (rows, columns) uint8; written.
    """
    rows, columns = height.shape
    for row in prange(rows):
        near = np.empty(((2 * HALF_WINDOW + 1) ** 2, 5))
        sector = np.empty((SECTORS, 14))
        fit = np.empty(5)
        for column in range(columns):
            taken, low, high = 0, -np.inf, np.inf
            scale, loaded, found = 0, -1, 0
            nr = min(max(int(v[row] / (BIN * COARSEST)), 0), noise_map.shape[0] - 1)
            nc = min(max(int(u[column] / (BIN * COARSEST)), 0), noise_map.shape[1] - 1)
            noise = noise_map[nr, nc]
            while scale < SCALES and taken < 4:
                level = scale // 2
                if loaded != level:
                    found = _gather(level, moments, layout, u[column], v[row], near)
                    loaded = level
                radius = BIN * 2**level * HALF_WINDOW * (1.0 if scale % 2 else 0.70710678)
                scale += 1
                if not _plane(near, found, radius, fit):
                    if taken:
                        break
                    continue
                if taken <= 1 and fit[1] > noise * (1.0 + EDGE / np.sqrt(fit[4])):
                    full, spread = fit[0], fit[1]
                    if _half_planes(near, found, BIN * 2**level * HALF_WINDOW, noise, sector, fit):
                        height[row, column] = fit[0]
                        sigma[row, column] = fit[1]
                        taken = 1
                        break
                    fit[0], fit[1] = full, spread
                half = CONFIDENCE * np.sqrt(noise * fit[2])
                low, high = max(low, fit[0] - half), min(high, fit[0] + half)
                if low > high:
                    break
                taken += 1
                height[row, column] = fit[0]
                sigma[row, column] = np.sqrt(max(fit[1], noise) * fit[2])
            known[row, column] = 1 if taken else 0


@njit(nogil=True, cache=True, parallel=True)
def fit_water(water: Any, ground: Any, layout: Any, u: Any, v: Any, height: Any, sigma: Any, known: Any) -> None:
    """Overwrite cells that lie nearer to water than to ground with the mean level of the water within 12 m.

    Water is level: its returns are averaged, not fitted, so that ripples and a scanner's range walk do not tilt it.

    Args:
        water: moments of the water's bins.
        ground: moments of the ground's bins, on the same layout.
        layout: of both.
        u: (columns,) metres of the cells' centres from the bins' west edge.
        v: (rows,) metres of the cells' centres from the bins' south edge.
        height: (rows, columns) float64, north first; written.
        sigma: the same.
        known: (rows, columns) uint8; 2 is written where there is water.
    """
    rows, columns = height.shape
    for row in prange(rows):
        near = np.empty(((2 * HALF_WINDOW + 1) ** 2, 5))
        for column in range(columns):
            wet = _nearest(water, layout, u[column], v[row], near)
            if wet > WATER_REACH * WATER_REACH or wet > _nearest(ground, layout, u[column], v[row], near):
                continue
            level = LEVELS - 1
            radius = BIN * 2**level * HALF_WINDOW
            found = _gather(level, water, layout, u[column], v[row], near)
            sw = swz = 0.0
            for i in range(found):
                t = max(1.0 - near[i, 4] / (radius * radius), 0.0)
                w = t * t * near[i, 3]
                sw += w
                swz += w * (near[i, 2] - near[0, 2])
            if sw <= 0.0:
                continue
            mean, spread = swz / sw, 0.0
            for i in range(found):
                t = max(1.0 - near[i, 4] / (radius * radius), 0.0)
                spread += t * t * near[i, 3] * (near[i, 2] - near[0, 2] - mean) ** 2
            height[row, column] = mean + near[0, 2]
            sigma[row, column] = np.sqrt(spread / sw + NOISE_FLOOR * NOISE_FLOOR)
            known[row, column] = 2


@njit(nogil=True, cache=True)
def _nearest(moments: Any, layout: Any, u: float, v: float, near: Any) -> float:
    """Square of the distance to the nearest occupied bin's mean, looked for within 3 m; infinite beyond."""
    for level in range(2):
        found = _gather(level, moments, layout, u, v, near)
        if found:
            best = np.inf
            for i in range(found):
                best = min(best, near[i, 4])
            return best
    return np.inf
