"""Where the roof's points end beside each wall of a given outline: how far the map's wall and the measured one differ.

A map's wall is as good as the map. Where a wall stands free, the points tell its place as well and independently: the
roof ends where its rows of points do (`outline_edges`). What stands out below the roof, as balconies and awnings, lies
more than half a storey lower and does not count; eaves in the roof's own plane do.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from lidar.morphology import in_threads
from lidar.outline_edges import DEEPEST, FEWEST, GAP_LAW, INWARD, LEVEL, OUTWARD, PLACED
from lidar.point_index import points_in_polygons
from lidar.roof_heights import in_order, quantile

SHORTEST = 2.0
"""m: of shorter walls too few rows of points tell."""
CORNER = 0.3
"""m left out at either end of a wall, where the next wall's error shows."""
BEHIND = 2.0
"""m beyond a wall up to which a neighbour's roof is looked for."""
SHARED = 0.25
"""Share of a wall's rows behind which a roof goes on, from which the wall is not free."""
SPARSEST = 0.5
"""Points per m² below which no wall is measured."""


def wall_offsets(
    polygons: NDArray[np.object_], x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """For each outline (k, 2): metres by which each side of its outer ring lies farther out in the points, and σ.

    The sides are in the order of the ring; NaN where a side is short, shared with a neighbour or not seen. σ is that of
    the measured side alone: the scatter of the rows' ends, and what the rows have in common.

    Args:
        polygons: (m,) valid outlines.
        x: (n,) of roof points, metres, in the outlines' CRS.
        y: the same.
        z: their heights.
    """
    around = points_in_polygons(x, y, shapely.buffer(polygons, BEHIND, join_style="mitre"))
    rings = shapely.get_exterior_ring(polygons)
    xy, owner = shapely.get_coordinates(rings, return_index=True)
    starts = np.searchsorted(owner, np.arange(len(polygons) + 1))
    found = np.full((len(xy), 2), np.nan)
    in_threads(
        _measure, len(polygons), len(around.points),
        x, y, z, around.offsets, around.points, xy, starts, shapely.is_ccw(rings), shapely.area(polygons), found,
    )  # fmt: skip
    return [found[a : b - 1] for a, b in pairwise(starts)]


@njit(cache=True, nogil=True)
def _measure(begin, end, x, y, z, offsets, points, xy, starts, ccw, areas, found):  # type: ignore[no-untyped-def]
    """Fill the sides of some polygons."""
    for i in range(begin, end):
        own = points[offsets[i] : offsets[i + 1]]
        turn = 1.0 if ccw[i] else -1.0
        for side in range(starts[i], starts[i + 1] - 1):
            ax, ay = xy[side]
            ux, uy = xy[side + 1, 0] - ax, xy[side + 1, 1] - ay
            length = np.hypot(ux, uy)
            if length < SHORTEST:
                continue
            ux, uy = ux / length, uy / length
            along, out, height = np.empty(own.shape[0]), np.empty(own.shape[0]), np.empty(own.shape[0])
            count, within = 0, 0
            for k in own:
                px, py = x[k] - ax, y[k] - ay
                t, d = px * ux + py * uy, turn * (px * uy - py * ux)
                if CORNER <= t < length - CORNER and -DEEPEST < d <= BEHIND:
                    along[count], out[count], height[count] = t - CORNER, d, z[k]
                    within += d <= -1.0
                    count += 1
            density = within / ((length - 2.0 * CORNER) * (DEEPEST - 1.0))
            if density < SPARSEST or within < FEWEST:
                continue
            found[side] = _wall(along[:count], out[:count], height[:count], length - 2.0 * CORNER, density**-0.5)


@njit(cache=True, nogil=True)
def _wall(along, out, height, length, spacing):  # type: ignore[no-untyped-def]
    """One wall's offset and σ, from points in its own frame."""
    unknown = (np.nan, np.nan)
    rows = int(length / spacing)
    if rows < FEWEST:
        return unknown
    level = quantile(in_order(height[out <= -1.0]), 0.5) - LEVEL
    ends, beyond = np.full(rows, -np.inf), np.zeros(rows, dtype=np.bool_)
    for k in range(along.shape[0]):
        if height[k] < level or out[k] < -INWARD:
            continue
        row = min(int(along[k] / spacing), rows - 1)
        if out[k] <= OUTWARD:
            ends[row] = max(ends[row], out[k])
        else:
            beyond[row] = True
    if np.count_nonzero(beyond) > SHARED * rows:
        return unknown
    seen = in_order(ends[np.isfinite(ends)])
    if seen.shape[0] < max(FEWEST, rows / 2):
        return unknown
    scatter = (quantile(seen, 0.84) - quantile(seen, 0.16)) / 2.0
    # A normal's median scatters √(π/2) times as much as its mean.
    variance = np.pi / 2.0 * scatter * scatter / seen.shape[0] + (GAP_LAW * spacing) ** 2 + PLACED**2
    return quantile(seen, 0.5) + spacing / 2.0, np.sqrt(variance)
