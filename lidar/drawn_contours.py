"""Contour lines drawn into a picture: each pixel by its distance to the next line, so that lines are even in width."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.errors import BadParameter
from lidar.contours import INDEX_EVERY

SHADES = 15
"""Degrees of cover of a pixel, 1–15; the pixels of index contours have 16–30."""
LINE, INDEX_LINE = 0.6, 1.1
"""Half the width of a line, pixels."""
LEVEL = 0.02
"""Of the interval a pixel: flatter ground is taken to rise by this, or a level place would be all line."""


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
