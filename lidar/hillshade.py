"""Light on a height raster, as Horn (1981) and `gdaldem` have it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.errors import BadParameter
from gis.raster import Raster

LOWEST_SHADE = 1.0
"""0 is kept for cells without a height."""


def hillshade(raster: Raster, azimuth: float = 315.0, altitude: float = 45.0) -> NDArray[np.uint8]:
    """Light on the surface from one sun: (rows, columns), 1 (dark) – 255 (lit), 0 where a height is missing.

    Args:
        raster: heights, metres.
        azimuth: where the sun stands, degrees clockwise from north.
        altitude: degrees above the horizon, 0–90.

    Raises:
        BadParameter: the altitude is outside of 0–90°.
    """
    return shade(raster.values, raster.grid.resolution, azimuth, altitude)


def shade(
    heights: NDArray[np.float32], resolution: float, azimuth: float = 315.0, altitude: float = 45.0
) -> NDArray[np.uint8]:
    """`hillshade` of heights (rows, columns) alone, whose cells are `resolution` wide, in the unit of the heights.

    Raises:
        BadParameter: the altitude is outside of 0–90°.
    """
    if not 0 <= altitude <= 90:
        raise BadParameter("altitude", altitude, "the sun stands 0 to 90 degrees above the horizon")
    up, toward = np.sin(np.radians(altitude)), np.cos(np.radians(altitude))
    east, north = toward * np.sin(np.radians(azimuth)), toward * np.cos(np.radians(azimuth))
    lit = np.zeros(heights.shape, dtype=np.uint8)
    _shade(
        np.ascontiguousarray(heights, dtype=np.float32),
        np.float32(1.0 / (8.0 * resolution)),
        np.float32(east),
        np.float32(north),
        np.float32(up),
        lit,
    )
    return lit


@njit(nogil=True, cache=True)
def _shade(z: Any, scale: Any, sun_east: Any, sun_north: Any, sun_up: Any, lit: Any) -> None:
    """In one pass; the gradients are those of `lidar.slope`."""
    for r in range(1, z.shape[0] - 1):
        for c in range(1, z.shape[1] - 1):
            falling = z[r - 1, c - 1] - z[r + 1, c + 1]
            rising = z[r - 1, c + 1] - z[r + 1, c - 1]
            across, along = z[r, c + 1] - z[r, c - 1], z[r - 1, c] - z[r + 1, c]
            east = (rising - falling + across + across) * scale
            north = (rising + falling + along + along) * scale
            light = (sun_up - east * sun_east - north * sun_north) / np.sqrt(
                np.float32(1) + east * east + north * north
            )
            if np.isnan(light) or np.isnan(z[r, c]):
                continue
            lit[r, c] = np.uint8(np.rint(LOWEST_SHADE + (255.0 - LOWEST_SHADE) * max(light, np.float32(0))))
