"""Planes by weighted least squares at the centres of all bins of a block, from sums that neighbours share.

The weight of a bin falls off as the binomial 1 4 6 4 1 along each axis, so that the sums a plane needs come from two
passes of five additions over rows and columns instead of a search around every place. A bin enters as so many points
at their mean. Positions are kept from the block's first bin, whichever tile it is read for.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from lidar.bins import BIN, BLOCK, COUNT, MEAN_X, MEAN_Y, MEAN_Z

TAPS = 2
"""Bins on each side of its own that a node's plane rests on."""
OUTER, INNER, MIDDLE = 1 / 16, 4 / 16, 6 / 16
"""The weights along one axis: a spread of one bin."""
WHOLE_BINS = (256 / 70) ** 2
"""Bins of equal weight that tell as much as the 25 of these weights do: (Σw)²/Σw²."""
MAX_BIN_WEIGHT = 64
"""Points of a bin that count: errors inside a bin are not independent, and a million echoes are one place."""
MIN_BINS = 4.0
"""Bins, of equal weight, a plane rests on: one more than its parameters."""
MIN_POINTS = 3.5
"""The same in points."""

HALO = 3
"""Nodes around a block that its cells ask."""
NODES = BLOCK + 2 * HALO
"""Nodes along the edge of the largest block."""
ACROSS = NODES + 2 * TAPS
"""Bins under them."""

SUMS = 12
Z, SLOPE_X, SLOPE_Y, VARIANCE, FREEDOM, PER_POINTS, AT_X, AT_Y, XX, XY, YY = range(11)
"""Of a node's plane: height at the node, slopes, residual variance of one point (−1: there is no plane), degrees of
freedom, one over the number of points, their centroid from the node, and the inverse of their second moments."""
FIELDS = 11
_FIELD = NODES * NODES


@njit(nogil=True, cache=True)
def fit_nodes(
    level: int,
    row: int,
    column: int,
    count: int,
    moments: Any,
    layout: Any,
    line: Any,
    sums: Any,
    total: Any,
    nodes: Any,
) -> None:
    """Fill `nodes` (FIELDS, NODES, NODES) with the planes at `count` × `count` bins from `row`, `column` on.

    Args:
        level: of the bins.
        row: of the first node among the level's bins; may lie outside, where there are no points.
        column: the same.
        count: nodes along each edge, at most `NODES`.
        moments: of the bins (`Bins.moments`).
        layout: of their levels (`Bins.layout`).
        line: (SUMS · ACROSS,) float64, for working.
        sums: (SUMS, ACROSS, NODES) float64, for working.
        total: (SUMS, NODES) float64, for working.
        nodes: written.
    """
    size = BIN * 2**level
    weighed = line.reshape((SUMS, ACROSS))
    flat_total, flat_nodes = total.reshape(total.size), nodes.reshape(nodes.size)
    for i in range(count + 2 * TAPS):
        _weigh(level, row - TAPS + i, column - TAPS, count + 2 * TAPS, (i - TAPS) * size, moments, layout, line)
        for f in range(SUMS):
            a, b, c = (OUTER, INNER, MIDDLE) if f < SUMS - 1 else (OUTER * OUTER, INNER * INNER, MIDDLE * MIDDLE)
            g = f if f < SUMS - 1 else 0
            source, target = weighed[g], sums[f, i]
            for j in range(count):
                target[j] = a * (source[j] + source[j + 4]) + b * (source[j + 1] + source[j + 3]) + c * source[j + 2]
    for i in range(count):
        for f in range(SUMS):
            a, b, c = (OUTER, INNER, MIDDLE) if f < SUMS - 1 else (OUTER * OUTER, INNER * INNER, MIDDLE * MIDDLE)
            s0, s1, s2, s3, s4 = sums[f, i], sums[f, i + 1], sums[f, i + 2], sums[f, i + 3], sums[f, i + 4]
            target = total[f]
            for j in range(count):
                target[j] = a * (s0[j] + s4[j]) + b * (s1[j] + s3[j]) + c * s2[j]
        _solve(flat_total, count, i * size, size, flat_nodes[i * NODES :])


@njit(nogil=True, cache=True)
def _weigh(level: int, row: int, column: int, count: int, y0: float, moments: Any, layout: Any, line: Any) -> None:
    """One row of bins as what they add to the sums, each at its distance from the block's first bin."""
    first, rows, columns = layout[level, 0], layout[level, 1], layout[level, 2]
    line[:] = 0.0
    if row < 0 or row >= rows:
        return
    start, stop = max(-column, 0), min(columns - column, count)
    if start < stop:
        k = first + row * columns + column
        a, b = k + start, k + stop
        counts, x, y, z = moments[COUNT][a:b], moments[MEAN_X][a:b], moments[MEAN_Y][a:b], moments[MEAN_Z][a:b]
        _weigh_bins(counts, x, y, z, start - TAPS, BIN * 2**level, y0, line[start:])


@njit(nogil=True, cache=True)
def _weigh_bins(
    counts: Any, means_x: Any, means_y: Any, means_z: Any, column: int, size: float, y0: float, line: Any
) -> None:
    """What bins add to the sums, the first of them so many from the block's own.

    Rows of one array at distances known beforehand, so that the wide registers take them.
    """
    for j in range(counts.shape[0]):
        n = min(float(counts[j]), float(MAX_BIN_WEIGHT))
        x = (column + j) * size + means_x[j]
        y = y0 + means_y[j]
        z = float(means_z[j])
        line[j] = n
        line[ACROSS + j] = n * x
        line[2 * ACROSS + j] = n * y
        line[3 * ACROSS + j] = n * z
        line[4 * ACROSS + j] = n * x * x
        line[5 * ACROSS + j] = n * x * y
        line[6 * ACROSS + j] = n * y * y
        line[7 * ACROSS + j] = n * x * z
        line[8 * ACROSS + j] = n * y * z
        line[9 * ACROSS + j] = n * z * z
        line[10 * ACROSS + j] = min(n, 1.0)


@njit(nogil=True, cache=True, error_model="numpy")
def _solve(s: Any, columns: int, y0: float, size: float, plane: Any) -> None:
    """Planes of one row of nodes from their sums; without branches, for the processor's wide registers.

    For their sake sums and fields lie at distances known beforehand, `NODES` and its square.
    """
    least = 1e-3 * size**4
    for j in range(columns):
        n = max(s[j], 1e-9)
        cx, cy, cz = s[NODES + j] / n, s[2 * NODES + j] / n, s[3 * NODES + j] / n
        a, b, c = s[4 * NODES + j] / n - cx * cx, s[5 * NODES + j] / n - cx * cy, s[6 * NODES + j] / n - cy * cy
        e, f = s[7 * NODES + j] / n - cx * cz, s[8 * NODES + j] / n - cy * cz
        determinant = a * c - b * b
        inverse = 1.0 / max(determinant, least)
        gx, gy = (c * e - b * f) * inverse, (a * f - b * e) * inverse
        x, y = cx - j * size, cy - y0
        spread = max(s[9 * NODES + j] / n - cz * cz - gx * e - gy * f, 0.0) * n
        bins = s[10 * NODES + j] * WHOLE_BINS
        points = n * n / max(s[11 * NODES + j], 1e-12)
        rests = (determinant > least) & (bins >= MIN_BINS) & (points >= MIN_POINTS)
        variance = spread / max(s[10 * NODES + j] * max(1.0 - 3.0 / max(bins, 1.0), 0.25), 1e-12)
        plane[Z * _FIELD + j] = cz - gx * x - gy * y
        plane[SLOPE_X * _FIELD + j] = gx
        plane[SLOPE_Y * _FIELD + j] = gy
        plane[VARIANCE * _FIELD + j] = variance if rests else -1.0
        plane[FREEDOM * _FIELD + j] = max(bins - 3.0, 1.0)
        plane[PER_POINTS * _FIELD + j] = 1.0 / points
        plane[AT_X * _FIELD + j] = x
        plane[AT_Y * _FIELD + j] = y
        plane[XX * _FIELD + j] = c * inverse
        plane[XY * _FIELD + j] = -b * inverse
        plane[YY * _FIELD + j] = a * inverse


@njit(nogil=True, cache=True)
def leverage(nodes: Any, i: int, j: int, x: float, y: float) -> float:
    """Variance of a node's plane at x, y metres from the node, over that of its points' mean."""
    dx, dy = x - nodes[AT_X, i, j], y - nodes[AT_Y, i, j]
    factor: float = 1.0 + nodes[XX, i, j] * dx * dx + 2.0 * nodes[XY, i, j] * dx * dy + nodes[YY, i, j] * dy * dy
    return factor


@njit(nogil=True, cache=True)
def height_at(nodes: Any, i: int, j: int, x: float, y: float) -> float:
    """Height of a node's plane at x, y metres from the node."""
    z: float = nodes[Z, i, j] + nodes[SLOPE_X, i, j] * x + nodes[SLOPE_Y, i, j] * y
    return z


@njit(nogil=True, cache=True)
def variance_within(first: int, stride: int, edge: int, size: float, moments: Any) -> Any:
    """Residual variance of one point about the plane through a square of bins, and its degrees of freedom (or 0).

    Args:
        first: place of the square's first bin in `moments`.
        stride: bins in a row of the level.
        edge: bins along the square.
        size: metres, of a bin.
        moments: of the bins.
    """
    n = sx = sy = sz = sxx = sxy = syy = sxz = syz = szz = 0.0
    bins, z0 = 0, 0.0
    for i in range(edge):
        for j in range(edge):
            k = first + i * stride + j
            w = min(float(moments[COUNT, k]), float(MAX_BIN_WEIGHT))
            if w == 0.0:
                continue
            if bins == 0:
                z0 = float(moments[MEAN_Z, k])
            bins += 1
            x, y, z = j * size + moments[MEAN_X, k], i * size + moments[MEAN_Y, k], moments[MEAN_Z, k] - z0
            n += w
            sx += w * x
            sy += w * y
            sz += w * z
            sxx += w * x * x
            sxy += w * x * y
            syy += w * y * y
            sxz += w * x * z
            syz += w * y * z
            szz += w * z * z
    if bins < 6:
        return 0.0, 0
    cx, cy, cz = sx / n, sy / n, sz / n
    a, b, c = sxx / n - cx * cx, sxy / n - cx * cy, syy / n - cy * cy
    e, f = sxz / n - cx * cz, syz / n - cy * cz
    determinant = a * c - b * b
    if determinant <= 1e-3 * size**4:
        return 0.0, 0
    gx, gy = (c * e - b * f) / determinant, (a * f - b * e) / determinant
    spread = max(szz / n - cz * cz - gx * e - gy * f, 0.0) * n
    return spread / (bins - 3), bins - 3
