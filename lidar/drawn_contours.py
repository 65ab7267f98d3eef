"""Contour lines drawn into a picture: each pixel by its distance to the next line, so that lines are even in width.

As in `lidar.contours` the surface is smoothed before, never the lines, and no height is moved by more than a quarter of
the interval.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from gis.errors import BadParameter
from lidar.contours import INDEX_EVERY, LARGEST_SHIFT, SMOOTHING

SHADES = 15
"""Degrees of cover of a pixel, 1–15; the pixels of index contours have 16–30."""
LINE, INDEX_LINE = 0.6, 1.1
"""Half the width of a line, pixels."""
LEVEL = 0.02
"""Of the interval a pixel: flatter ground is taken to rise by this, or a level place would be all line."""


LEAST_SMOOTHING, MOST_SMOOTHING = 1.0, 4.0
"""Pixels, standard deviation of the Gaussian: what the eye needs, and what the margin of a tile has room for."""
REACH = 12
"""Pixels that smoothing looks beyond a place: three standard deviations."""


def evened(heights: NDArray[np.float32], pixel: float, interval: float) -> NDArray[np.float32]:
    """Heights (rows, columns) smoothed for contours; NaN stays, and known neighbours alone count.

    Args:
        heights: metres.
        pixel: metres between two places.
        interval: metres between two lines; no height is moved by more than a quarter of it.
    """
    sigma = min(max(SMOOTHING / pixel, LEAST_SMOOTHING), MOST_SMOOTHING)
    known = ~np.isnan(heights)

    def spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(gaussian_filter(values, sigma, mode="constant", radius=REACH), dtype=np.float32)

    weight = spread(known.astype(np.float32))
    smooth = spread(np.where(known, heights, np.float32(0))) / np.maximum(weight, np.float32(1e-6))
    most = np.float32(LARGEST_SHIFT * interval)
    return np.asarray(heights + np.clip(smooth - heights, -most, most), dtype=np.float32)


def drawn_contours(heights: NDArray[np.float32], interval: float) -> NDArray[np.uint8]:
    """Cover by lines of equal height (rows, columns): 0 none, 1–15 a line's, 16–30 an index contour's.

    The outermost rows and columns are only looked at; they stay 0. Without a height, or beside such a place, nothing
    is drawn.

    Raises:
        BadParameter: the interval is not positive.
    """
    if not (isfinite(interval) and interval > 0):
        raise BadParameter("interval", interval, "contours lie a positive number of metres apart")
    cover = np.zeros(heights.shape, dtype=np.uint8)
    _draw(np.ascontiguousarray(heights, dtype=np.float32), interval, cover)
    return cover


@njit(nogil=True, cache=True)
def _draw(z: Any, interval: float, cover: Any) -> None:
    for r in range(1, z.shape[0] - 1):
        for c in range(1, z.shape[1] - 1):
            east, south = (z[r, c + 1] - z[r, c - 1]) / 2, (z[r + 1, c] - z[r - 1, c]) / 2
            rise = np.sqrt(east * east + south * south)
            if np.isnan(rise) or np.isnan(z[r, c]):
                continue
            number = np.rint(z[r, c] / interval)
            distance = abs(z[r, c] - number * interval) / max(rise, LEVEL * interval)
            is_index = number % INDEX_EVERY == 0
            covered = min((INDEX_LINE if is_index else LINE) + 0.5 - distance, 1.0)
            if covered > 0:
                cover[r, c] = np.uint8(np.ceil(covered * SHADES) + (SHADES if is_index else 0))
