"""Counts, sums and sums of products of points in whole millimetres, and the planes they determine.

Whole numbers give the same sums in any order of points; heights are taken about a level near the points, so that no
product overflows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lidar.morphology import compiled

N, X, Y, Z, XX, XY, XZ, YY, YZ, ZZ = range(10)
MOMENTS = 10


@compiled
def add_point(s: Any, u: int, v: int, w: int) -> None:
    """Count a point at (u, v, w) millimetres into the sums."""
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
def add_shifted(t: Any, s: Any, dx: int, dy: int, dz: int) -> None:
    """Add sums `s`, kept from an origin (dx, dy, dz) millimetres away, to the sums `t`."""
    n = s[N]
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


@compiled
def shifted(t: Any, s: Any, dx: int, dy: int, dz: int) -> None:
    """Set `t` to the sums `s` from an origin that lies at (−dx, −dy, −dz) millimetres from theirs.

    Whole numbers wrap around without loss, so that only the result must be small.
    """
    t[:] = 0
    add_shifted(t, s, dx, dy, dz)


@compiled
def covariance(t: Any) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Means of x, y, z (mm) and variances xx, yy, zz, xy, xz, yz (mm²) of sums over at least one point."""
    n = t[N]
    mx, my, mz = t[X] / n, t[Y] / n, t[Z] / n
    return (
        mx,
        my,
        mz,
        t[XX] / n - mx * mx,
        t[YY] / n - my * my,
        t[ZZ] / n - mz * mz,
        t[XY] / n - mx * my,
        t[XZ] / n - mx * mz,
        t[YZ] / n - my * mz,
    )


@compiled
def two_least(xx: float, yy: float, zz: float, xy: float, xz: float, yz: float) -> tuple[float, float]:
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
def normal(
    least: float, xx: float, yy: float, zz: float, xy: float, xz: float, yz: float
) -> tuple[float, float, float]:
    """Unit vector of the least eigenvalue; zeros where none stands out.

    It is orthogonal to the rows of (covariance − least · 1): the largest of their cross products.
    """
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
        return 0.0, 0.0, 0.0
    length = np.sqrt(pp)
    return px / length, py / length, pz / length


@compiled
def thicker_than(variance: float, xx: float, yy: float, zz: float, xy: float, xz: float, yz: float) -> bool:
    """Whether the least variance about any plane surely is more than so much, without finding it (mm²).

    All eigenvalues are greater than a number where the leading minors of the matrix less that number are positive
    (Sylvester); a thousandth is left for rounding.
    """
    least = variance * 1.001
    a, b, c = xx - least, yy - least, zz - least
    minor = a * b - xy * xy
    return bool(a > 0.0 and minor > 0.0 and c * minor + xz * (xy * yz - b * xz) - yz * (a * yz - xy * xz) > 0.0)


@compiled
def flattest_plane(t: Any, variance: float) -> tuple[float, float, float, float, float, float]:
    """The plane of least squares of distances: unit normal, offset along it (mm), two least variances (mm²).

    Where the least surely is more than `variance`, all are zeros but the variances, which are infinite.
    """
    mx, my, mz, xx, yy, zz, xy, xz, yz = covariance(t)
    if thicker_than(variance, xx, yy, zz, xy, xz, yz):
        return 0.0, 0.0, 0.0, 0.0, np.inf, np.inf
    least, middle = two_least(xx, yy, zz, xy, xz, yz)
    u, v, w = normal(least, xx, yy, zz, xy, xz, yz)
    return u, v, w, u * mx + v * my + w * mz, least, middle


@compiled
def height_plane(t: Any) -> tuple[bool, float, float, float, float]:
    """The plane of least squares of heights: if there is one, height at the origin, slopes, variance (mm, mm²)."""
    mx, my, mz, xx, yy, zz, xy, xz, yz = covariance(t)
    determinant = xx * yy - xy * xy
    if determinant < 0.02 * (xx + yy) ** 2 or xx + yy <= 0.0:
        return False, 0.0, 0.0, 0.0, 0.0
    a, b = (xz * yy - yz * xy) / determinant, (yz * xx - xz * xy) / determinant
    return True, mz - a * mx - b * my, a, b, max(zz - a * xz - b * yz, 0.0)
