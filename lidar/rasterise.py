"""Ground heights from noisy points: planes by local least squares, as wide as the ground is even.

Why planes and not an interpolant. Airborne ground points carry 2–5 cm of noise at several points a cell; a TIN keeps
0.7 of it, Laplace's interpolant 0.6. A weighted plane over the neighbourhood averages it away. Its price is that it
rounds what is not even, so the planes are as narrow as the density allows (`lidar.node_planes`), and where the
residuals show an edge, the planes of the places around compete (`_beside_edge`). Where points lie on one side alone,
the cell is left to `lidar.bridge`. docs/decisions/0006-planes-for-the-terrain.md has the measured comparison.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lidar.bins import BIN, BLOCK, COARSEST, COUNT, LEVELS, REGION, Bins
from lidar.morphology import compiled, in_threads
from lidar.node_planes import (
    ACROSS,
    FIELDS,
    FREEDOM,
    HALO,
    NODES,
    PER_POINTS,
    SUMS,
    TAPS,
    VARIANCE,
    Z,
    fit_nodes,
    height_at,
    leverage,
    variance_within,
)

DRY, WET = 1, 2
"""Of a cell whose height is known from points: on ground, on water."""
PENDING = 3
"""Of a cell whose height could rest on more points."""

POINTS_WANTED = 6.0
"""Points, at the density around, that the narrowest planes rest on."""
POINTS_ENOUGH = 8.0
"""Points above which no wider plane is tried: the noise is then a third of one point's."""
KERNEL_AREA = 12.6
"""Bins that count fully under a plane's weights: 4π times their spread squared."""
MAX_LEVERAGE = 2.5
"""Variance of a plane's height over that of its points' mean, above which the plane would extrapolate."""
CONFIDENCE = 2.0
"""Half-width, in σ, of the intervals that must overlap for a wider plane to be taken."""

NOISE_FLOOR = 0.005
"""Metres: no airborne scanner ranges better, whatever a handful of residuals says."""
USUAL_NOISE = 0.03
"""Metres, of one point, where there are too few to tell."""
QUIET = 0.35
"""Quantile of the residual variances within a region that is taken for noise: kerbs and banks aside."""
QUIET_DEVIATE = -0.385
"""The same of a standard normal distribution."""
MIN_SQUARES = 6
"""Squares of a region that tell its noise."""

EDGE = 4.0
"""Residual variance over the noise, less one, times the root of its degrees of freedom: above it there is an edge."""
EDGE_LEVELS = LEVELS - 1
"""Levels on which edges are looked for; on the coarsest the search would reach beyond `FIT_REACH`."""
BESIDE = HALO - 1
"""Nodes on each side whose planes compete beside an edge."""
OWN_POINTS = 4.0
"""Points of a cell's own bin that speak for a plane beside an edge: it is to be on the cell's side."""
UNLIKELY = 20.0
"""Twice the logarithm of a likelihood, below the best's, at which a plane does not count."""

FIT_REACH = BIN * REGION
"""Metres: no point farther than this from a cell changes its plane: the region's noise; the coarsest plane reaches
14 m, the search beside an edge on the level below it 10 m."""


def fit_planes(
    ground: Bins,
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    height: NDArray[np.float32],
    sigma: NDArray[np.float32],
    known: NDArray[np.uint8],
) -> None:
    """Height and its σ at each cell's centre that ground points surround; `known` says which.

    Args:
        ground: the ground's points.
        u: (columns,) metres of the cells' centres from the bins' west edge, growing.
        v: (rows,) metres of the cells' centres from the bins' south edge, falling.
        height: (rows, columns) north first; written.
        sigma: the same.
        known: (rows, columns); written: `DRY` or 0.
    """
    rows, columns = int(ground.layout[0, 1]), int(ground.layout[0, 2])
    noise, density = np.empty((rows // REGION, columns // REGION)), np.empty((rows // REGION, columns // REGION))
    in_threads(_judge, rows // REGION, rows * columns, ground.moments, ground.layout, noise, density)
    left = np.searchsorted(u, np.arange(columns // REGION + 1) * (BIN * REGION))
    top = len(v) - np.searchsorted(v[::-1], np.arange(rows // REGION + 1) * (BIN * REGION))
    in_threads(
        _fit_blocks,
        rows // BLOCK,
        height.size * 8,
        ground.moments,
        ground.layout,
        noise,
        density,
        u,
        v,
        left,
        top,
        height,
        sigma,
        known,
    )


@compiled
def _judge(first: int, last: int, moments: Any, layout: Any, noise: Any, density: Any) -> None:
    """Noise variance of one point and density (points/m², where there are any) of each region."""
    columns = noise.shape[1]
    spread = np.empty(REGION * REGION // 16)
    for row in range(first, last):
        for column in range(columns):
            n, taken = 0.0, 0
            start, stride = layout[LEVELS - 1, 0], layout[LEVELS - 1, 2]
            edge = REGION // COARSEST
            for r in range(row * edge, row * edge + edge):
                for c in range(column * edge, column * edge + edge):
                    count = float(moments[COUNT, start + r * stride + c])
                    n += count
                    taken += count > 0
            density[row, column] = n / (taken * (BIN * COARSEST) ** 2) if taken else 0.0
            noise[row, column] = USUAL_NOISE * USUAL_NOISE
            if n < MIN_SQUARES * MIN_SQUARES:
                continue
            stride = layout[0, 2]
            edge = 4
            while edge <= REGION // 2:
                found, freedom = 0, 0
                for r in range(row * REGION, row * REGION + REGION, edge):
                    for c in range(column * REGION, column * REGION + REGION, edge):
                        variance, free = variance_within(r * stride + c, stride, edge, BIN, moments)
                        if free > 0:
                            spread[found] = variance
                            found += 1
                            freedom += free
                if found >= MIN_SQUARES or (edge == REGION // 2 and found):
                    part = np.sort(spread[:found])
                    # Wilson & Hilferty (1931): this quantile of χ² over its mean
                    t = 2.0 * found / (9.0 * freedom)
                    bias = max(1.0 - t + QUIET_DEVIATE * np.sqrt(t), 0.3) ** 3
                    noise[row, column] = max(part[int(QUIET * found)] / bias, NOISE_FLOOR * NOISE_FLOOR)
                    break
                edge *= 2


@compiled
def _fit_blocks(
    first: int,
    last: int,
    moments: Any,
    layout: Any,
    noise: Any,
    density: Any,
    u: Any,
    v: Any,
    left: Any,
    top: Any,
    height: Any,
    sigma: Any,
    known: Any,
) -> None:
    """The cells of rows of blocks; `left`, `top` are the cells' columns and rows at which the regions begin and end."""
    line, sums = np.empty(SUMS * ACROSS), np.empty((SUMS, ACROSS, NODES))
    total, nodes = np.empty((SUMS, NODES)), np.empty((FIELDS, NODES, NODES))
    narrowest, waiting = np.empty((2, 2), dtype=np.int64), np.empty((2, 2), dtype=np.int64)
    for block_row in range(first, last):
        for block_column in range(layout[0, 2] // BLOCK):
            r0, c0 = 2 * block_row, 2 * block_column
            for i in range(2):
                for j in range(2):
                    narrowest[i, j] = _narrowest(density[r0 + i, c0 + j])
                    waiting[i, j] = (top[r0 + i] - top[r0 + i + 1]) * (left[c0 + j + 1] - left[c0 + j])
            known[top[r0 + 2] : top[r0], left[c0] : left[c0 + 2]] = 0
            for level in range(LEVELS):
                wanted = (waiting > 0) & (narrowest <= level) & (level <= narrowest + 1)
                edge = BLOCK >> level
                row, column = block_row * edge - HALO, block_column * edge - HALO
                size = edge + 2 * HALO
                if not wanted.any() or not _occupied(level, row, column, size, moments, layout):
                    continue
                fit_nodes(level, row, column, size, moments, layout, line, sums, total, nodes)
                for i in range(2):
                    for j in range(2):
                        if wanted[i, j]:
                            rows = (top[r0 + i + 1], top[r0 + i])
                            columns = (left[c0 + j], left[c0 + j + 1])
                            spread = noise[r0 + i, c0 + j]
                            waiting[i, j] = _fit_region(
                                level,
                                rows,
                                columns,
                                u,
                                v,
                                spread,
                                nodes,
                                moments,
                                layout,
                                row,
                                column,
                                height,
                                sigma,
                                known,
                            )
            for r in range(top[r0 + 2], top[r0]):
                for c in range(left[c0], left[c0 + 2]):
                    known[r, c] = min(known[r, c], DRY)


@njit(nogil=True, cache=True)
def _fit_region(
    level: int,
    cell_rows: Any,
    cell_columns: Any,
    u: Any,
    v: Any,
    noise: float,
    nodes: Any,
    moments: Any,
    layout: Any,
    row: int,
    column: int,
    height: Any,
    sigma: Any,
    known: Any,
) -> int:
    """Bring the cells of a region a level further, from the nodes that begin at `row`, `column`; say how many wait."""
    size = BIN * 2**level
    south, west = row * size + 0.5 * size, column * size + 0.5 * size
    waiting = 0
    for r in range(cell_rows[0], cell_rows[1]):
        y = (v[r] - south) / size
        i = int(y)
        for c in range(cell_columns[0], cell_columns[1]):
            if known[r, c] == DRY:
                continue
            x = (u[c] - west) / size
            j = int(x)
            if known[r, c] == 0 and x == j and y == i:
                variance = nodes[VARIANCE, i, j]
                factor = leverage(nodes, i, j, 0.0, 0.0)
                if variance < 0.0 or factor > MAX_LEVERAGE:
                    waiting += 1
                    continue
                if not _edge(nodes, i, j, noise) and nodes[PER_POINTS, i, j] * POINTS_ENOUGH < 1.0:
                    height[r, c] = nodes[Z, i, j]
                    sigma[r, c] = np.sqrt(max(variance, noise) * factor * nodes[PER_POINTS, i, j])
                    known[r, c] = DRY
                    continue
            z, s, state = _at(
                level, x, y, known[r, c], height[r, c], sigma[r, c], noise, nodes, moments, layout, row, column
            )
            height[r, c], sigma[r, c], known[r, c] = z, s, state
            waiting += state != DRY
    return waiting


@njit(nogil=True, cache=True)
def _narrowest(density: float) -> int:
    """The first level whose planes hold `POINTS_WANTED` at a density."""
    for level in range(LEVELS - 1):
        if density * KERNEL_AREA * (BIN * 2**level) ** 2 >= POINTS_WANTED or density == 0.0:
            return level
    return LEVELS - 1


@njit(nogil=True, cache=True)
def _occupied(level: int, row: int, column: int, count: int, moments: Any, layout: Any) -> bool:
    """Whether there is a point under the nodes that begin at `row`, `column`."""
    first, rows, columns = layout[level, 0], layout[level, 1], layout[level, 2]
    for r in range(max(row - TAPS, 0), min(row + count + TAPS, rows)):
        for c in range(max(column - TAPS, 0), min(column + count + TAPS, columns)):
            if moments[COUNT, first + r * columns + c] > 0:
                return True
    return False


@njit(nogil=True, cache=True)
def _at(
    level: int,
    x: float,
    y: float,
    state: int,
    height: float,
    sigma: float,
    noise: float,
    nodes: Any,
    moments: Any,
    layout: Any,
    row: int,
    column: int,
) -> Any:
    """Height, σ and state of a cell at x, y (in nodes), after a level: its four nodes' planes, blended."""
    size = BIN * 2**level
    i0, j0 = int(y), int(x)
    fy, fx = y - i0, x - j0
    weight = z = variance = 0.0
    for i in range(i0, i0 + (2 if fy > 0.0 else 1)):
        for j in range(j0, j0 + (2 if fx > 0.0 else 1)):
            if nodes[VARIANCE, i, j] < 0.0:
                continue
            dx, dy = (x - j) * size, (y - i) * size
            factor = leverage(nodes, i, j, dx, dy)
            if factor > MAX_LEVERAGE:
                continue
            w = (1.0 - abs(y - i)) * (1.0 - abs(x - j))
            weight += w
            z += w * height_at(nodes, i, j, dx, dy)
            variance += w * max(nodes[VARIANCE, i, j], noise) * factor * nodes[PER_POINTS, i, j]
    if weight < 0.5:
        return height, sigma, state
    z /= weight
    variance /= weight
    i, j = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
    edge = _edge(nodes, i, j, noise)
    if state == 0:
        if edge and level < EDGE_LEVELS:
            z, variance = _beside_edge(level, x, y, i, j, z, variance, noise, nodes, moments, layout, row, column)
        enough = edge or nodes[PER_POINTS, i, j] * POINTS_ENOUGH < 1.0 or level == LEVELS - 1
        return z, np.sqrt(variance), DRY if enough else PENDING
    drift = z - height
    if edge or abs(drift) > CONFIDENCE * (sigma + np.sqrt(variance)):
        return height, sigma, DRY
    return z, np.sqrt(variance + drift * drift), DRY


@njit(nogil=True, cache=True)
def _edge(nodes: Any, i: int, j: int, noise: float) -> bool:
    """Whether a node's residuals show more than noise: (variance / noise − 1) · √freedom above `EDGE`."""
    excess: bool = nodes[VARIANCE, i, j] > noise * (1.0 + EDGE / np.sqrt(nodes[FREEDOM, i, j]))
    return excess


@njit(nogil=True, cache=True)
def _beside_edge(
    level: int,
    x: float,
    y: float,
    i0: int,
    j0: int,
    height: float,
    variance: float,
    noise: float,
    nodes: Any,
    moments: Any,
    layout: Any,
    row: int,
    column: int,
) -> Any:
    """Height beside an edge and its variance: the planes of the nodes around compete, the evenest count.

    A node whose bins keep to the place's own side of a kerb, wall or bank shows noise alone; one across it the step
    (Kuwahara's filter, 1976, with planes). Each plane counts by its likelihood under the least residual variance found
    and by what it says of the place's own bin, over the variance of its height.
    """
    size = BIN * 2**level
    best = np.inf
    for i in range(i0 - BESIDE, i0 + BESIDE + 1):
        for j in range(j0 - BESIDE, j0 + BESIDE + 1):
            if nodes[VARIANCE, i, j] >= 0.0:
                best = min(best, nodes[VARIANCE, i, j])
    best = max(best, noise)
    r, c = row + i0, column + j0
    n = ox = oy = oz = 0.0
    if 0 <= r < layout[level, 1] and 0 <= c < layout[level, 2]:
        k = layout[level, 0] + r * layout[level, 2] + c
        n = min(float(moments[COUNT, k]), OWN_POINTS)
        ox, oy, oz = float(moments[1, k]), float(moments[2, k]), float(moments[3, k])
    total = mean = second = spread = 0.0
    for i in range(i0 - BESIDE, i0 + BESIDE + 1):
        for j in range(j0 - BESIDE, j0 + BESIDE + 1):
            v = max(nodes[VARIANCE, i, j], noise)
            unlikely = nodes[FREEDOM, i, j] * (v - best) / best
            if nodes[VARIANCE, i, j] < 0.0 or unlikely > UNLIKELY:
                continue
            if n > 0.0:
                miss = height_at(nodes, i, j, (j0 - j) * size + ox, (i0 - i) * size + oy) - oz
                unlikely += n * miss * miss / best
            if unlikely > UNLIKELY:
                continue
            dx, dy = (x - j) * size, (y - i) * size
            factor = leverage(nodes, i, j, dx, dy) * nodes[PER_POINTS, i, j]
            w = np.exp(-0.5 * unlikely) / factor
            d = height_at(nodes, i, j, dx, dy) - height
            total += w
            mean += w * d
            second += w * d * d
            spread += w * v * factor
    if total == 0.0:
        return height, variance
    mean /= total
    return height + mean, spread / total + max(second / total - mean * mean, 0.0)
