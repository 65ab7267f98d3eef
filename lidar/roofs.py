"""Which points above the ground belong to buildings: broad planar surfaces, and what stands on or hangs under them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.cells import Cells, Mask, around

LOWEST = 1.5
"""Metres above the ground that a roof has at least."""
FOOT = 0.5
"""Metres above the ground where a wall is told from it."""
ROOF_SHARE = 0.45
"""Of the points about a roof's point that are planar and the only return, at least; a crown has a tenth."""
FIXTURE_SHARE = 0.35
"""The same about points that are not planar themselves: parapets, tanks, stair heads, antennas."""
INSIDE_SHARE = 0.2
"""The same inside of a known outline, of any size and form: above a crown's tenth."""
AREA = 8.0
"""m² of roof in the window about any of its cells."""
AREA_RADIUS = 3
"""Cells to each side of the window a roof's area is counted in."""
DENSITY_RADIUS = 7
"""Cells to each side of the window that the density is taken from."""
REACH = DENSITY_RADIUS + 1.0 + 2.0
"""Metres that `buildings` adds to what it is given: a window's cells, and those beside it."""


class Candidates(NamedTuple):
    """Of n points, what their buildings are told by; all arrays (n,)."""

    z: NDArray[np.float64]
    """Metres."""
    height: NDArray[np.float32]
    """Metres above the ground; NaN where it is unknown."""
    flat: Mask
    """From `planarity`."""
    share: NDArray[np.float32]
    """From `planarity`."""
    rest: Mask
    """Points that are neither ground nor noise nor known."""
    single: Mask
    """Points that are their pulse's only return."""
    last: Mask
    """The last returns, which the density is counted by."""
    given: Mask
    """Points known to be of buildings."""
    inside: Mask
    """Points inside of a known outline."""


def buildings(points: Candidates, cells: Cells) -> Mask:
    """(n,) true for roofs, their fixtures and walls; those given among them.

    Args:
        points: what is known of each.
        cells: where they lie.
    """
    z, height, flat, share, rest, single, last, given, inside = points
    high = rest & ~(height < LOWEST)
    roof = high & flat & (share >= ROOF_SHARE)
    side = 2 * DENSITY_RADIUS + 1
    density = around(cells.count(last), DENSITY_RADIUS) / (side * side)
    with np.errstate(divide="ignore", invalid="ignore"):
        area = around(cells.count(roof | given), AREA_RADIUS) / density
    roof &= (area >= AREA).ravel()[cells.index]
    roof |= given | (high & inside & (flat | single) & (share >= INSIDE_SHARE))
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
