"""Which points lie on a plane with their neighbours: roofs and walls do, leaves do not.

Points are counted into cubes by whole numbers (count, sums, sums of products); a plane is fitted through a cube and
the 26 about it by its principal components, and a point is planar where it lies in one of the good planes of its own
or the neighbouring cubes. A window that does not straddle an edge fits up to it. Cubes of height keep the crown over
a roof apart from the roof.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import compiled, in_threads

SIZES = (0.5, 1.0, 2.0, 4.0)
"""Metres: edges of the cubes, finest first; the windows are three times as wide. 0.3 points/m² fill the coarsest."""
ENOUGH = 7
"""Points of a window: more than twice a plane's unknowns. With fewer the next size is asked."""
SPREAD = (0.09, 0.09, 0.12, 0.18)
"""Metres, 1σ about the plane, for each size: range noise, strips' mismatch, tiles; a wide window holds a little more
than one plane; foliage spreads over half its cube."""
DISTANCE = 0.2
"""Metres from a plane at which a point is still its own (2σ)."""
BROAD = 0.2
"""Second principal deviation, in cubes' edges, below which the points are a line (wire, kerb, ridge), not a plane."""
UNIT = 1000.0
"""Sums are kept in whole millimetres."""
REACH = 3 * SIZES[-1]
"""Metres: the neighbouring cube's window and the cube itself."""

N, X, Y, Z, XX, XY, XZ, YY, YZ, ZZ = range(10)
EMPTY_SLOT = -1


def planar(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) true where a point lies on a plane with its neighbours; depends on points within `REACH`."""
    result = np.zeros(len(x), dtype=np.bool_)
    decided = np.zeros(len(x), dtype=np.bool_)
    for size, spread in zip(SIZES, SPREAD, strict=True):
        if decided.all():
            break
        cubes, slots, own = cubes_of(x, y, z, size)
        sums = np.zeros((len(cubes), 10), dtype=np.int64)
        _sum(x, y, z, own, size, sums)
        planes = np.zeros((len(cubes), 8), dtype=np.float32)
        in_threads(_fit, len(cubes), len(cubes) * 64, cubes, slots, sums, size, spread, planes)
        del sums
        in_threads(_judge, len(x), len(x) * 8, x, y, z, own, cubes, slots, planes, size, decided, result)
    return result


def cubes_of(
    x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], size: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Cubes that hold points, on multiples of their size: (m, 3) places, a hash table of them, (n,) each point's."""
    slots = np.full(1 << max(4, (3 * len(x) // 2).bit_length()), EMPTY_SLOT, dtype=np.int32)
    cubes = np.empty((len(x), 3), dtype=np.int32)
    own = np.empty(len(x), dtype=np.int32)
    m = _insert(x, y, z, size, slots, cubes, own)
    return cubes[:m].copy(), slots, own


@compiled
def find(cubes: Any, slots: Any, i: int, j: int, k: int) -> int:
    """Number of the cube at a place, −1 where it is empty."""
    mask = len(slots) - 1
    at = _hash(i, j, k) & mask
    while slots[at] != EMPTY_SLOT:
        n = slots[at]
        if cubes[n, 0] == i and cubes[n, 1] == j and cubes[n, 2] == k:
            return int(n)
        at = (at + 1) & mask
    return -1


@compiled
def _hash(i: int, j: int, k: int) -> int:
    h = i * 73856093 ^ j * 19349663 ^ k * 83492791
    return h ^ (h >> 15)


@compiled
def _insert(x: Any, y: Any, z: Any, size: float, slots: Any, cubes: Any, own: Any) -> int:
    mask = len(slots) - 1
    m = 0
    for p in range(len(x)):
        i, j, k = int(np.floor(x[p] / size)), int(np.floor(y[p] / size)), int(np.floor(z[p] / size))
        at = _hash(i, j, k) & mask
        while True:
            n = slots[at]
            if n == EMPTY_SLOT:
                slots[at] = m
                cubes[m, 0], cubes[m, 1], cubes[m, 2] = i, j, k
                own[p] = m
                m += 1
                break
            if cubes[n, 0] == i and cubes[n, 1] == j and cubes[n, 2] == k:
                own[p] = n
                break
            at = (at + 1) & mask
    return m


@compiled
def _sum(x: Any, y: Any, z: Any, own: Any, size: float, sums: Any) -> None:
    for p in range(len(x)):
        s = sums[own[p]]
        u = int(np.rint((x[p] - np.floor(x[p] / size) * size) * UNIT))
        v = int(np.rint((y[p] - np.floor(y[p] / size) * size) * UNIT))
        w = int(np.rint((z[p] - np.floor(z[p] / size) * size) * UNIT))
        s[N] += 1
        s[X] += u
        s[Y] += v
        s[Z] += w
        s[XX] += u * u
        s[XY] += u * v
        s[XZ] += u * w
        s[YY] += v * v
        s[YZ] += v * w
        s[ZZ] += w * w


@compiled
def _fit(first: int, last: int, cubes: Any, slots: Any, sums: Any, size: float, spread: float, planes: Any) -> None:
    """Fill rows of `planes`: points, good (1) or not, centroid from the cube's corner, normal."""
    edge = int(np.rint(size * UNIT))
    t = np.zeros(10, dtype=np.int64)
    for m in range(first, last):
        t[:] = 0
        for a in range(-1, 2):
            for b in range(-1, 2):
                for c in range(-1, 2):
                    q = find(cubes, slots, cubes[m, 0] + a, cubes[m, 1] + b, cubes[m, 2] + c)
                    if q < 0:
                        continue
                    s = sums[q]
                    n, dx, dy, dz = s[N], a * edge, b * edge, c * edge
                    t[N] += n
                    t[X] += s[X] + n * dx
                    t[Y] += s[Y] + n * dy
                    t[Z] += s[Z] + n * dz
                    t[XX] += s[XX] + 2 * dx * s[X] + n * dx * dx
                    t[YY] += s[YY] + 2 * dy * s[Y] + n * dy * dy
                    t[ZZ] += s[ZZ] + 2 * dz * s[Z] + n * dz * dz
                    t[XY] += s[XY] + dx * s[Y] + dy * s[X] + n * dx * dy
                    t[XZ] += s[XZ] + dx * s[Z] + dz * s[X] + n * dx * dz
                    t[YZ] += s[YZ] + dy * s[Z] + dz * s[Y] + n * dy * dz
        n = t[N]
        planes[m, 0] = n
        if n < ENOUGH:
            continue
        mx, my, mz = t[X] / n, t[Y] / n, t[Z] / n
        xx, yy, zz = t[XX] / n - mx * mx, t[YY] / n - my * my, t[ZZ] / n - mz * mz
        xy, xz, yz = t[XY] / n - mx * my, t[XZ] / n - mx * mz, t[YZ] / n - my * mz
        least, middle = _two_least(xx, yy, zz, xy, xz, yz)
        if least > (spread * UNIT) ** 2 or middle < (BROAD * edge) ** 2:
            continue
        # The normal is orthogonal to the rows of (covariance − least · 1): the largest of their cross products.
        ax, ay, az = xx - least, xy, xz
        bx, by, bz = xy, yy - least, yz
        cx, cy, cz = xz, yz, zz - least
        px, py, pz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        qx, qy, qz = ay * cz - az * cy, az * cx - ax * cz, ax * cy - ay * cx
        rx, ry, rz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        pp, qq, rr = px * px + py * py + pz * pz, qx * qx + qy * qy + qz * qz, rx * rx + ry * ry + rz * rz
        if qq > pp:
            px, py, pz, pp = qx, qy, qz, qq
        if rr > pp:
            px, py, pz, pp = rx, ry, rz, rr
        if pp <= 0.0:
            continue
        length = np.sqrt(pp)
        planes[m, 1] = 1.0
        planes[m, 2], planes[m, 3], planes[m, 4] = mx / UNIT, my / UNIT, mz / UNIT
        planes[m, 5], planes[m, 6], planes[m, 7] = px / length, py / length, pz / length


@compiled
def _two_least(xx: float, yy: float, zz: float, xy: float, xz: float, yz: float) -> tuple[float, float]:
    """The two smaller eigenvalues of a symmetric matrix (Smith 1961)."""
    mean = (xx + yy + zz) / 3.0
    off = xy * xy + xz * xz + yz * yz
    p = np.sqrt(((xx - mean) ** 2 + (yy - mean) ** 2 + (zz - mean) ** 2 + 2.0 * off) / 6.0)
    if p == 0.0:
        return mean, mean
    a, b, c = (xx - mean) / p, (yy - mean) / p, (zz - mean) / p
    d, e, f = xy / p, xz / p, yz / p
    half = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2.0
    angle = np.arccos(min(1.0, max(-1.0, half))) / 3.0
    largest = mean + 2.0 * p * np.cos(angle)
    least = mean + 2.0 * p * np.cos(angle + 2.0 * np.pi / 3.0)
    return max(least, 0.0), max(3.0 * mean - largest - least, 0.0)


@compiled
def _judge(
    first: int,
    last: int,
    x: Any,
    y: Any,
    z: Any,
    own: Any,
    cubes: Any,
    slots: Any,
    planes: Any,
    size: float,
    decided: Any,
    result: Any,
) -> None:
    for p in range(first, last):
        if decided[p] or planes[own[p], 0] < ENOUGH:
            continue
        decided[p] = True
        m = own[p]
        i, j, k = cubes[m, 0], cubes[m, 1], cubes[m, 2]
        u, v, w = x[p] - i * size, y[p] - j * size, z[p] - k * size
        if _on(planes[m], u, v, w):
            result[p] = True
            continue
        for n in range(27):
            a, b, c = n // 9 - 1, (n // 3) % 3 - 1, n % 3 - 1
            q = find(cubes, slots, i + a, j + b, k + c)
            if q >= 0 and _on(planes[q], u - a * size, v - b * size, w - c * size):
                result[p] = True
                break


@compiled
def _on(plane: Any, u: float, v: float, w: float) -> bool:
    if plane[1] == 0.0:
        return False
    off = (u - plane[2]) * plane[5] + (v - plane[3]) * plane[6] + (w - plane[4]) * plane[7]
    return bool(abs(off) <= DISTANCE)
