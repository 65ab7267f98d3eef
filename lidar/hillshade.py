"""Shape of a height raster: slope, aspect and hillshade.

Horn, B. K. P. (1981): Hill shading and the reflectance map. Proceedings of the IEEE 69(1), 14–47. Gradients are its
weighted differences over the eight neighbours, the same that `gdaldem` takes.
"""

from __future__ import annotations

import numpy as np
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
    if not 0 <= altitude <= 90:
        raise BadParameter("altitude", altitude, "the sun stands 0 to 90 degrees above the horizon")
    east, north = gradients(raster)
    up, toward = np.sin(np.radians(altitude)), np.cos(np.radians(altitude))
    sun_east, sun_north = toward * np.sin(np.radians(azimuth)), toward * np.cos(np.radians(azimuth))
    lit = (up - east * sun_east - north * sun_north) / np.sqrt(1.0 + east**2 + north**2)
    shade = np.where(lit > 0, LOWEST_SHADE + (255.0 - LOWEST_SHADE) * lit, LOWEST_SHADE)
    return np.where(np.isnan(lit), 0.0, np.rint(shade)).astype(np.uint8)


def slope(raster: Raster) -> NDArray[np.float32]:
    """(rows, columns) degrees from the horizontal, 0–90; NaN where the cell or a neighbour has no height."""
    east, north = gradients(raster)
    return np.degrees(np.arctan(np.hypot(east, north))).astype(np.float32)


def aspect(raster: Raster) -> NDArray[np.float32]:
    """(rows, columns) degrees clockwise from north that the surface falls towards, 0 ≤ a < 360; NaN if flat."""
    east, north = gradients(raster)
    downhill = np.degrees(np.arctan2(-east, -north)) % 360.0
    downhill = np.where(downhill.astype(np.float32) >= 360, 0.0, downhill)
    return np.where((east == 0) & (north == 0), np.nan, downhill).astype(np.float32)


def gradients(raster: Raster) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rise per metre to the east and to the north, (rows, columns) each, NaN along the raster's edge."""
    z = np.pad(raster.values.astype(np.float64), 1, constant_values=np.nan)
    centre = z[1:-1, 1:-1]
    nw, n, ne = z[:-2, :-2], z[:-2, 1:-1], z[:-2, 2:]
    w, e = z[1:-1, :-2], z[1:-1, 2:]
    sw, s, se = z[2:, :-2], z[2:, 1:-1], z[2:, 2:]
    width = 8.0 * raster.grid.resolution
    east = ((ne + 2 * e + se) - (nw + 2 * w + sw)) / width
    north = ((nw + 2 * n + ne) - (sw + 2 * s + se)) / width
    unknown = np.isnan(centre)
    return np.where(unknown, np.nan, east), np.where(unknown, np.nan, north)
