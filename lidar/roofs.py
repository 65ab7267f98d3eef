"""Which points above the ground belong to buildings: broad planar surfaces, and what stands on or hangs under them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.cells import UNIT, Cells, Floats, Mask, around
from lidar.morphology import dilation

LOWEST = 1.5
"""Metres above the ground that a roof has at least."""
FOOT = 0.5
"""Metres above the ground where a wall is told from it."""
ROOF_SHARE = 45
"""Percent of the points about a roof's point that are planar and the only return, at least; a crown has a tenth."""
FIXTURE_SHARE = 35
"""The same about points beside a roof: parapets, tanks, stair heads; they are planar or a pulse's only return."""
INSIDE_SHARE = 20
"""The same inside of a known outline, of any size and form: above a crown's tenth."""
SAME_ROOF = 0.3
"""Metres over the highest roof's point in which points still are under it."""
AREA = 8.0
"""m² of roof in the window about any of its cells."""
AREA_RADIUS = 3
"""Cells to each side of the window a roof's area is counted in."""
DENSITY_RADIUS = 7
"""Cells to each side of the window that the density is taken from."""
REACH = DENSITY_RADIUS + 1.0 + 2.0
"""Metres that `buildings` adds to what it is given: a window's cells, and those beside it."""


class Candidates(NamedTuple):
    """Of k points in the order of cells, what their buildings are told by; all arrays (k,)."""

    height: NDArray[np.float32]
    """Metres above the ground; NaN where it is unknown."""
    flat: Mask
    """From `planarity`."""
    share: NDArray[np.uint8]
    """From `planarity`, percent."""
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
    """(k,) true for roofs, their fixtures and walls; those given among them.

    Args:
        points: what is known of each.
        cells: where they lie.
    """
    height, flat, share, rest, single, last, given, inside = points
    high = rest & ~(height < LOWEST)
    roof = high & flat & (share >= ROOF_SHARE)
    side = 2 * DENSITY_RADIUS + 1
    density = around(cells.number(last), DENSITY_RADIUS) / (side * side)
    with np.errstate(divide="ignore", invalid="ignore"):
        area = around(cells.number(roof | given), AREA_RADIUS) / density
    roof &= cells.each(area >= AREA)
    roof |= given | (high & inside & (flat | single) & (share >= INSIDE_SHARE))
    solid = (share >= ROOF_SHARE) | ((share >= FIXTURE_SHARE) & (flat | single))
    fixture = high & solid & cells.each(around(cells.number(roof), 1) > 0)
    wall = rest & last & (height > FOOT) & _under(dilation(cells.highest(roof), 1), cells)
    return np.asarray(roof | fixture | wall)


def _under(top: Floats, cells: Cells) -> Mask:
    """Points below the roof of their own or a neighbouring cell: walls, and floors seen through windows."""
    return np.asarray(cells.w <= cells.each((top + np.float32(SAME_ROOF)) * np.float32(UNIT)))
