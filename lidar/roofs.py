"""Which points above the ground belong to buildings: broad planar surfaces, and what stands on or hangs under them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.cells import UNIT, Cells, Mask, around
from lidar.morphology import compiled, dilation, in_threads

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
    rows = cells.shape[0]
    roof, count = np.empty(cells.points, dtype=np.bool_), np.empty(cells.shape, dtype=np.int32)
    in_threads(_seed, rows, cells.points, cells, points, roof, count)
    side = 2 * DENSITY_RADIUS + 1
    density = around(cells.number(points.last), DENSITY_RADIUS) / (side * side)
    with np.errstate(divide="ignore", invalid="ignore"):
        broad = around(count, AREA_RADIUS) / density >= AREA
    del density
    in_threads(_settle, rows, cells.points, cells, points, broad, roof, count)
    beside, top = around(count, 1) > 0, dilation(cells.highest(roof), 1)
    in_threads(_add, rows, cells.points, cells, points, beside, top, roof)
    return roof


@compiled
def _is_high(rest: bool, height: float) -> bool:
    """Whether a point is no ground and as high as a roof, or its height is unknown."""
    return rest and not height < LOWEST


@compiled
def _seed(first: int, last: int, cells: Any, points: Any, roof: Any, count: Any) -> None:
    """Mark what looks like a roof, and count it in each cell with what is given."""
    columns = count.shape[1]
    for r in range(first, last):
        for c in range(columns):
            n = 0
            for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                flat = points.flat[p] and points.share[p] >= ROOF_SHARE
                roof[p] = flat and _is_high(points.rest[p], points.height[p])
                n += roof[p] or points.given[p]
            count[r, c] = n


@compiled
def _settle(first: int, last: int, cells: Any, points: Any, broad: Any, roof: Any, count: Any) -> None:
    """Leave only broad roofs marked, and mark what is known; count it in each cell."""
    columns = count.shape[1]
    for r in range(first, last):
        for c in range(columns):
            n = 0
            for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                known = points.inside[p] and points.share[p] >= INSIDE_SHARE and (points.flat[p] or points.single[p])
                known = known and _is_high(points.rest[p], points.height[p])
                roof[p] = (roof[p] and broad[r, c]) or points.given[p] or known
                n += roof[p]
            count[r, c] = n


@compiled
def _add(first: int, last: int, cells: Any, points: Any, beside: Any, top: Any, building: Any) -> None:
    """Mark fixtures beside a roof, and walls and floors seen through windows: what is below it or a neighbour's."""
    columns = top.shape[1]
    for r in range(first, last):
        for c in range(columns):
            limit = (top[r, c] + np.float32(SAME_ROOF)) * np.float32(UNIT)
            for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                share = points.share[p]
                solid = share >= ROOF_SHARE or (share >= FIXTURE_SHARE and (points.flat[p] or points.single[p]))
                fixture = solid and beside[r, c] and _is_high(points.rest[p], points.height[p])
                wall = points.rest[p] and points.last[p] and points.height[p] > FOOT and cells.w[p] <= limit
                building[p] = building[p] or fixture or wall
