"""Tufts and low shrubs that a ground filter's tolerance lets pass: points that stand over the ground's own plane.

A plane is fitted through the ground of 3 × 3 cells and fitted again without what stands above it, so that it settles
on the soil. A point must stand over the planes of its own and all neighbouring cells: at a crest or the foot of a
slope, one of those lies on the point's own side of the edge and passes through it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.cells import CELL, Cells, Mask
from lidar.moments import MOMENTS, N, Z, add_point, add_shifted, covariance
from lidar.morphology import compiled, in_threads

FEWEST = 16
"""Points a plane rests on: in 9 m², two a square metre; thinner surveys cannot tell a tuft from the ground."""
SETTLED = (0.3, 0.15, 0.08, 0.06)
"""Metres above the plane beyond which points are left out, round by round."""
TUFT = 0.12
"""Metres above all planes: six times the range noise; a mown lawn is lower."""
TUFT_SLOPE = 0.15
"""Added for each unit of slope: a point may be off by so many metres in its position."""
TUFT_SPREAD = 3.0
"""Times the spread of the points about the plane that a tuft stands above it, where that is more."""
UNIT = 1000.0
REACH = 2.0 * len(SETTLED) + 3.0
"""Metres: each round looks one window farther."""


def above_soil(
    x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], ground: Mask, cells: Cells
) -> NDArray[np.float32]:
    """(n,) least height of a point over the soil's planes about it, less what the planes leave unsure; metres.

    NaN where there is no plane.
    """
    size = cells.shape[0] * cells.shape[1]
    kept = ground.copy()
    planes = np.zeros((size, 5), dtype=np.float64)
    for limit in SETTLED:
        sums = np.zeros((size, MOMENTS), dtype=np.int64)
        _sum(x, y, z, kept, cells.index, sums)
        in_threads(_fit, cells.shape[0], size * 16, sums, cells.shape[1], cells.shape[0], planes)
        in_threads(_settle, len(x), len(x), x, y, z, ground, cells.index, planes, limit, kept)
    over = np.full(len(x), np.nan, dtype=np.float32)
    in_threads(_least, len(x), len(x) * 4, x, y, z, cells.index, planes, cells.shape[0], cells.shape[1], over)
    return over


@compiled
def _sum(x: Any, y: Any, z: Any, chosen: Any, index: Any, sums: Any) -> None:
    for p in range(len(x)):
        if chosen[p]:
            u = int(np.rint((x[p] / CELL - np.floor(x[p] / CELL) - 0.5) * UNIT))
            v = int(np.rint((y[p] / CELL - np.floor(y[p] / CELL) - 0.5) * UNIT))
            add_point(sums[index[p]], u, v, int(np.rint(z[p] * UNIT)))


@compiled
def _fit(first: int, last: int, sums: Any, columns: int, rows: int, planes: Any) -> None:
    """Rows of `planes`: points, height at the cell's centre, slopes, spread."""
    edge = int(UNIT)
    t = np.zeros(MOMENTS, dtype=np.int64)
    for r in range(first, last):
        for c in range(columns):
            plane = planes[r * columns + c]
            plane[0] = 0.0
            n, total = 0, 0
            for i in range(max(r - 1, 0), min(r + 2, rows)):
                for j in range(max(c - 1, 0), min(c + 2, columns)):
                    n += sums[i * columns + j, N]
                    total += sums[i * columns + j, Z]
            if n < FEWEST:
                continue
            # About a height of the window itself: sums of squares of heights above the sea may wrap, these do not.
            base = total // n
            t[:] = 0
            for i in range(max(r - 1, 0), min(r + 2, rows)):
                for j in range(max(c - 1, 0), min(c + 2, columns)):
                    if sums[i * columns + j, N] > 0:
                        add_shifted(t, sums[i * columns + j], (j - c) * edge, (i - r) * edge, -base)
            mx, my, mz, xx, yy, zz, xy, xz, yz = covariance(t)
            determinant = xx * yy - xy * xy
            if determinant < 0.02 * (xx + yy) ** 2 or xx + yy < 0.1 * UNIT * UNIT:
                continue
            a, b = (xz * yy - yz * xy) / determinant, (yz * xx - xz * xy) / determinant
            plane[0] = n
            plane[1] = (base + mz - a * mx - b * my) / UNIT
            plane[2], plane[3] = a, b
            plane[4] = np.sqrt(max(zz - a * xz - b * yz, 0.0)) / UNIT


@compiled
def _settle(
    first: int, last: int, x: Any, y: Any, z: Any, ground: Any, index: Any, planes: Any, limit: float, kept: Any
) -> None:
    for p in range(first, last):
        plane = planes[index[p]]
        if not ground[p] or plane[0] == 0.0:
            continue
        u, v = x[p] / CELL - np.floor(x[p] / CELL) - 0.5, y[p] / CELL - np.floor(y[p] / CELL) - 0.5
        kept[p] = z[p] - (plane[1] + plane[2] * u + plane[3] * v) <= limit


@compiled
def _least(
    first: int, last: int, x: Any, y: Any, z: Any, index: Any, planes: Any, rows: int, columns: int, over: Any
) -> None:
    for p in range(first, last):
        r, c = index[p] // columns, index[p] % columns
        if planes[index[p], 0] == 0.0:
            continue
        u, v = x[p] / CELL - np.floor(x[p] / CELL) - 0.5, y[p] / CELL - np.floor(y[p] / CELL) - 0.5
        least = np.inf
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            for j in range(max(c - 1, 0), min(c + 2, columns)):
                plane = planes[i * columns + j]
                if plane[0] == 0.0:
                    continue
                off = z[p] - (plane[1] + plane[2] * (u - (j - c)) + plane[3] * (v - (i - r)))
                unsure = TUFT_SLOPE * np.hypot(plane[2], plane[3]) + max(TUFT_SPREAD * plane[4] - TUFT, 0.0)
                least = min(least, off - unsure)
        over[p] = least
