"""Shape of a height raster: its gradient, and of it slope and aspect.

Horn, B. K. P. (1981): Hill shading and the reflectance map. Proceedings of the IEEE 69(1), 14–47. Gradients are its
weighted differences over the eight neighbours, the same that `gdaldem` takes; `lidar.hillshade` lights the same ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from gis.raster import Raster

SMALL = 1_000_000
"""Cells up to which one thread does it: a picture of the map is not worth waking others, and many are drawn at once."""
BAND = 64
"""Rows a thread takes at a time."""


def slope(raster: Raster) -> NDArray[np.float32]:
    """(rows, columns) degrees from the horizontal, 0–90; NaN where the cell or a neighbour has no height."""
    east, north = gradients(raster)
    return np.degrees(np.arctan(np.hypot(east, north)))


def aspect(raster: Raster) -> NDArray[np.float32]:
    """(rows, columns) degrees clockwise from north that the surface falls towards, 0 ≤ a < 360; NaN if flat."""
    east, north = gradients(raster)
    towards = np.degrees(np.arctan2(-east, -north)) % np.float32(360)
    towards[towards >= 360] = 0  # a hair west of north, rounded
    towards[(east == 0) & (north == 0)] = np.nan
    return towards


def gradients(raster: Raster) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rise per metre to the east and to the north, (rows, columns) each.

    NaN where the cell or one of its neighbours has no height, hence also along the raster's edge: give a raster with
    one more cell all round, and crop the result, where the surroundings are known.
    """
    return gradients_of(raster.values, raster.grid.resolution)


def gradients_of(heights: NDArray[np.float32], resolution: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`gradients` of heights (rows, columns) alone, whose cells are `resolution` wide, in the unit of the heights."""
    z = np.ascontiguousarray(heights, dtype=np.float32)
    east, north = np.full(z.shape, np.nan, dtype=np.float32), np.full(z.shape, np.nan, dtype=np.float32)
    scale = np.float32(1.0 / (8.0 * resolution))
    if z.size <= SMALL:
        _rows(z, scale, east, north, 1, z.shape[0] - 1)
    else:
        _all_rows(z, scale, east, north)
    return east, north


@njit(nogil=True, cache=True)
def _rows(z: Any, scale: Any, east: Any, north: Any, first: int, end: int) -> None:
    """Fill rows first … end − 1, columns but the outermost. Heights are subtracted before they are added: exact."""
    for r in range(first, end):
        for c in range(1, z.shape[1] - 1):
            if np.isnan(z[r, c]):
                continue
            falling = z[r - 1, c - 1] - z[r + 1, c + 1]
            rising = z[r - 1, c + 1] - z[r + 1, c - 1]
            across, along = z[r, c + 1] - z[r, c - 1], z[r - 1, c] - z[r + 1, c]
            east[r, c] = (rising - falling + across + across) * scale
            north[r, c] = (rising + falling + along + along) * scale


@njit(nogil=True, cache=True, parallel=True)
def _all_rows(z: Any, scale: Any, east: Any, north: Any) -> None:
    inner = z.shape[0] - 2
    for band in prange((inner + BAND - 1) // BAND):
        _rows(z, scale, east, north, 1 + band * BAND, 1 + min((band + 1) * BAND, inner))
