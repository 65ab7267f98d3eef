"""What points are painted with: their class, or their height."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lidar.point_cloud import PointCloud
from lidar.quality.class_legend import name_and_colour

HEIGHTS: Final = (0.0, 60.0)
"""Metres above the vertical datum that the ramp spans, the same in every file; beyond them its ends go on."""
RAMP: Final = np.array(
    [(49, 54, 149), (69, 117, 180), (116, 173, 209), (171, 217, 233), (254, 224, 144), (244, 109, 67), (165, 0, 38)],
    dtype=np.float64,
)
"""sRGB from low to high, after ColorBrewer's RdYlBu."""


def by_class(points: PointCloud) -> NDArray[np.uint8]:
    """(n, 3) sRGB."""
    table = np.array([_rgb(name_and_colour(code)[1]) for code in range(256)], dtype=np.uint8)
    return np.asarray(table[points.classification])


def by_height(points: PointCloud) -> NDArray[np.uint8]:
    """(n, 3) sRGB."""
    low, high = HEIGHTS
    place = np.clip((points.z - low) / (high - low), 0.0, 1.0) * (len(RAMP) - 1)
    steps = np.arange(len(RAMP))
    return np.column_stack([np.rint(np.interp(place, steps, RAMP[:, band])) for band in range(3)]).astype(np.uint8)


def _rgb(text: str) -> tuple[int, int, int]:
    return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))
