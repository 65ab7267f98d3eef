"""What a raster has inside of polygons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from gis.errors import BadParameter
from gis.raster import Raster


def zonal_quantile(raster: Raster, shapes: Sequence[BaseGeometry], share: float = 0.5) -> NDArray[np.float64]:
    """The value that a share of each polygon's cells do not exceed: (n,), the median by default, 0 the least.

    A cell is a polygon's when its centre is inside; where polygons overlap, the later one's. Between two cells it is
    interpolated. NaN where a polygon has no cell with a value.

    Args:
        raster: values on a grid.
        shapes: polygons in the grid's CRS.
        share: 0 to 1.

    Raises:
        BadParameter: the share is outside of 0 to 1.
    """
    if not 0 <= share <= 1:
        raise BadParameter("share", share, "give a share from 0 to 1")
    found = np.full(len(shapes), np.nan)
    numbered = [(shape, number) for number, shape in enumerate(shapes, start=1) if not shape.is_empty]
    if not numbered:
        return found
    owner = rasterize(numbered, raster.grid.shape, transform=raster.grid.transform, fill=0, dtype="int32")
    known = (owner > 0) & np.isfinite(raster.values)
    who, values = owner[known], raster.values[known]
    order = np.lexsort((values, who))
    who, values = who[order], values[order]
    uids, first, count = np.unique(who, return_index=True, return_counts=True)
    place = first + share * (count - 1)
    low, high = values[np.floor(place).astype(int)], values[np.ceil(place).astype(int)]
    found[uids - 1] = low + (place - np.floor(place)) * (high.astype(np.float64) - low)
    return found
