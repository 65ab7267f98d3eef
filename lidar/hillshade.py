"""Light on a height raster, as Horn (1981) and `gdaldem` have it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadParameter
from gis.raster import Raster
from lidar.slope import gradients

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
    if not 0 <= altitude <= 90:
        raise BadParameter("altitude", altitude, "the sun stands 0 to 90 degrees above the horizon")
    east, north = gradients(raster)
    up, toward = np.sin(np.radians(altitude)), np.cos(np.radians(altitude))
    sun_east, sun_north = toward * np.sin(np.radians(azimuth)), toward * np.cos(np.radians(azimuth))
    lit = np.float32(up) - east * np.float32(sun_east) - north * np.float32(sun_north)
    lit /= np.sqrt(np.float32(1) + east * east + north * north)
    shade = np.rint(LOWEST_SHADE + np.float32(255.0 - LOWEST_SHADE) * np.maximum(lit, 0))
    return np.asarray(np.nan_to_num(shade, nan=0.0), dtype=np.uint8)
