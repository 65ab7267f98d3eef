"""Heights as pictures: shaded relief in colours of height, and heights coded as colours for 3D terrain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gis.raster import Raster
from lidar.hillshade import hillshade

RAMP: tuple[tuple[float, tuple[int, int, int]], ...] = (
    (-5.0, (38, 84, 124)),
    (0.0, (90, 150, 178)),
    (1.5, (166, 206, 200)),
    (3.0, (196, 219, 176)),
    (6.0, (223, 226, 178)),
    (12.0, (236, 217, 169)),
    (30.0, (214, 178, 132)),
    (100.0, (170, 132, 100)),
    (500.0, (240, 240, 240)),
)
"""Height above the datum (m) → colour. Absolute, so that neighbouring tiles agree; finest where a delta city floods."""
DARKEST = 0.45
"""What a slope in full shade keeps of its colour."""
CODE_ZERO, CODE_STEP = -10_000.0, 0.1
"""Terrain-RGB: height = −10 000 m + 0.1 m · (65 536 R + 256 G + B)."""


def shaded(heights: Raster, stretch: float) -> NDArray[np.uint8]:
    """Relief lit from the north-west, coloured by height: (4, rows, columns), transparent where nothing is known.

    Args:
        heights: metres.
        stretch: how much longer the grid's unit is on the map than on the ground (1 / cos φ in Web Mercator).
    """
    steep = Raster(heights.values * np.float32(stretch), heights.grid)
    shade = hillshade(steep).astype(np.float64) / 255.0
    level = np.sin(np.pi / 4)
    # A flat place keeps its colour; the rest is darker or lighter than that.
    light = np.where(shade == 0, 1.0, DARKEST + (1.0 - DARKEST) * np.minimum(shade / level, 1.15))
    steps = [height for height, _ in RAMP]
    colours = [np.interp(heights.values, steps, [colour[band] for _, colour in RAMP]) * light for band in range(3)]
    alpha = np.where(np.isnan(heights.values), 0.0, 255.0)
    picture: NDArray[np.uint8] = np.clip(np.nan_to_num(np.stack([*colours, alpha])), 0, 255).astype(np.uint8)
    return picture


def terrain_rgb(heights: Raster) -> NDArray[np.uint8]:
    """Heights as Terrain-RGB, (4, rows, columns). Where nothing is known it says 0 m, transparent.

    Clients that build a surface of it do not look at transparency, so the unknown must still be a sane height.
    """
    code = np.rint((np.nan_to_num(heights.values.astype(np.float64)) - CODE_ZERO) / CODE_STEP)
    code = np.clip(code, 0, 256**3 - 1).astype(np.uint32)
    alpha = np.where(np.isnan(heights.values), 0, 255).astype(np.uint32)
    return np.stack([code >> 16, (code >> 8) & 255, code & 255, alpha]).astype(np.uint8)
