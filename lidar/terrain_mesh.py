"""A height grid as few triangles: within a tolerance at every grid point, and the same along an edge two tiles share.

The vertices of an edge are chosen from its own heights alone, so that both tiles choose the same; what lies within the
tile follows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.errors import BadParameter
from lidar.delaunay import refined

LARGEST = 1024
"""Grid points along a side, about: more would not be exact in the triangulation's whole numbers."""


@dataclass(frozen=True, slots=True)
class GridMesh:
    """Vertices by row and column of a square grid, and triangles of them."""

    rows: NDArray[np.int32]
    """(v,) from 0, in the north."""
    columns: NDArray[np.int32]
    """(v,) from 0, in the west."""
    triangles: NDArray[np.int32]
    """(t, 3), counter-clockwise seen from above."""


def grid_mesh(heights: NDArray[np.float64], tolerance: float, least: int = 1) -> GridMesh:
    """Triangles that are nowhere farther in height than the tolerance from a grid point.

    Args:
        heights: (n, n), north first, finite; n = 2ᵏ + 1.
        tolerance: in the unit of the heights.
        least: parts each side is cut into in any case, a power of two: a flat tile of a globe is bent.

    Raises:
        BadParameter: the grid is not square, a height is not finite, or `least` does not divide its side.
    """
    n = heights.shape[0]
    if heights.shape != (n, n) or not 2 <= n <= LARGEST or not np.isfinite(heights).all():
        raise BadParameter(
            "heights", heights.shape, f"a mesh is made of a square of 2 to {LARGEST} finite heights a side"
        )
    if (n - 1) % least:
        raise BadParameter("least", least, f"does not divide the {n - 1} steps of the grid")
    z = heights.astype(np.float64)
    step = (n - 1) // least
    on = np.arange(0, n, step)
    seeds = [np.stack(np.meshgrid(on, on, indexing="ij"), axis=-1).reshape(-1, 2)]
    for fixed in (0, n - 1):
        for axis in (0, 1):
            line = z[fixed, :] if axis == 0 else z[:, fixed]
            chosen = np.flatnonzero(_chosen(line, tolerance, step))
            # What lies between two vertices of the edge is from here on what the edge says.
            line[:] = np.interp(np.arange(n), chosen, line[chosen])
            across = np.full_like(chosen, fixed)
            seeds.append(np.stack((across, chosen) if axis == 0 else (chosen, across), axis=1))
    rows, columns, triangles = refined(z, np.concatenate(seeds).astype(np.int64), tolerance)
    return GridMesh(rows, columns, triangles[:, ::-1].copy())


@njit(nogil=True, cache=True)
def _chosen(line: Any, tolerance: float, step: int) -> Any:
    """Which points of a line (n,) are kept: every `step`-th, and the farthest one of each part that is too far off."""
    n = line.shape[0]
    kept = np.zeros(n, np.bool_)
    parts = [(0, 0)]
    parts.clear()
    for first in range(0, n - 1, step):
        kept[first] = kept[first + step] = True
        parts.append((first, first + step))
    while len(parts) > 0:
        first, last = parts.pop()
        most, where = tolerance, -1
        for i in range(first + 1, last):
            share = (i - first) / (last - first)
            off = abs((1 - share) * line[first] + share * line[last] - line[i])
            if off > most:
                most, where = off, i
        if where >= 0:
            kept[where] = True
            parts.append((first, where))
            parts.append((where, last))
    return kept
