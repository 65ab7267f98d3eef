"""Which points above the ground belong to buildings: broad planar surfaces, and what stands on or hangs under them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar import planarity
from lidar.cells import Cells, Mask, around
from lidar.morphology import compiled, in_threads
from lidar.planarity import cubes_of, find, planar

LOWEST = 1.5
"""Metres above the ground that a roof has at least."""
FOOT = 0.5
"""Metres above the ground where a wall is told from it."""
SUPPORT = 2.0
"""Metres: edge of the cubes in which planar and other points are weighed up, over 3 × 3 × 3 of them."""
ROOF_SHARE = 0.45
"""Of the points about a roof's point that are planar and the only return, at least; a crown has a tenth."""
FIXTURE_SHARE = 0.35
"""The same about points that are not planar themselves: parapets, tanks, stair heads, antennas."""
AREA = 8.0
"""m² of roof in the window about any of its cells."""
AREA_RADIUS = 3
"""Cells to each side of the window a roof's area is counted in."""
DENSITY_RADIUS = 7
"""Cells to each side of the window that the density is taken from."""
SURFACE_REACH = planarity.REACH + 2 * SUPPORT
"""Metres of surroundings that `surfaces` depends on."""
REACH = DENSITY_RADIUS + 1.0 + 2.0
"""Metres that `buildings` adds to what it is given: a window's cells, and those beside it."""


def surfaces(
    x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], rest: Mask, single: Mask
) -> tuple[Mask, NDArray[np.float32]]:
    """Planar points, and of the points about each the share that is planar and a pulse's only return.

    Args:
        x: (n,) metres.
        y: (n,) metres.
        z: (n,) metres.
        rest: (n,) points that are neither ground nor noise; others are not looked at.
        single: (n,) points that are their pulse's only return.

    Returns:
        (n,) planar, and (n,) share, 0…1.
    """
    flat, share = np.zeros(len(x), dtype=np.bool_), np.zeros(len(x), dtype=np.float32)
    chosen = np.flatnonzero(rest)
    if len(chosen):
        cx, cy, cz = x[chosen], y[chosen], z[chosen]
        found = planar(cx, cy, cz)
        flat[chosen] = found
        share[chosen] = _share(cx, cy, cz, found & single[chosen])
    return flat, share


def buildings(
    z: NDArray[np.float64],
    height: NDArray[np.float32],
    flat: Mask,
    share: NDArray[np.float32],
    rest: Mask,
    single: Mask,
    last: Mask,
    cells: Cells,
) -> Mask:
    """(n,) true for roofs, their fixtures and walls.

    Args:
        z: (n,) metres.
        height: (n,) metres above the ground; NaN where it is unknown.
        flat: (n,) from `surfaces`.
        share: (n,) from `surfaces`.
        rest: (n,) points that are neither ground nor noise.
        single: (n,) points that are their pulse's only return.
        last: (n,) the last returns, which the density is counted by.
        cells: where the points lie.
    """
    high = rest & ~(height < LOWEST)
    roof = high & flat & (share >= ROOF_SHARE)
    side = 2 * DENSITY_RADIUS + 1
    density = around(cells.count(last), DENSITY_RADIUS) / (side * side)
    with np.errstate(divide="ignore", invalid="ignore"):
        area = around(cells.count(roof), AREA_RADIUS) / density
    roof &= (area >= AREA).ravel()[cells.index]
    beside = _near(roof, cells, 1)[cells.index]
    fixture = high & (share >= FIXTURE_SHARE) & (flat | single) & beside
    wall = rest & last & (height > FOOT) & _under(z, _highest_near(cells.highest(roof, z)), cells)
    return np.asarray(roof | fixture | wall)


def _near(chosen: Mask, cells: Cells, radius: int) -> Mask:
    return np.asarray((around(cells.count(chosen), radius) > 0).ravel())


def _highest_near(top: Any) -> Any:
    padded = np.pad(top, 1, constant_values=-np.inf)
    rows, columns = top.shape
    best = top.copy()
    for i in range(3):
        for j in range(3):
            np.maximum(best, padded[i : i + rows, j : j + columns], out=best)
    return best


def _under(z: NDArray[np.float64], top: Any, cells: Cells) -> Mask:
    """Points below the roof of their own or a neighbouring cell: walls, and floors seen through windows."""
    return np.asarray(z <= top.ravel()[cells.index] + 0.3)


def _share(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], chosen: Mask) -> NDArray[np.float32]:
    """Of the points in the cubes about each point, the share that is chosen."""
    cubes, slots, own = cubes_of(x, y, z, SUPPORT)
    counts = np.zeros((len(cubes), 2), dtype=np.int64)
    _count(own, chosen, counts)
    shares = np.zeros(len(cubes), dtype=np.float32)
    in_threads(_shares, len(cubes), len(cubes) * 27, cubes, slots, counts, shares)
    return np.asarray(shares[own])


@compiled
def _count(own: Any, chosen: Any, counts: Any) -> None:
    for p in range(len(own)):
        counts[own[p], 0] += 1
        if chosen[p]:
            counts[own[p], 1] += 1


@compiled
def _shares(first: int, last: int, cubes: Any, slots: Any, counts: Any, shares: Any) -> None:
    for m in range(first, last):
        n, chosen = 0, 0
        for a in range(-1, 2):
            for b in range(-1, 2):
                for c in range(-1, 2):
                    q = find(cubes, slots, cubes[m, 0] + a, cubes[m, 1] + b, cubes[m, 2] + c)
                    if q >= 0:
                        n += counts[q, 0]
                        chosen += counts[q, 1]
        shares[m] = chosen / n
