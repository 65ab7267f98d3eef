"""Classified points seen from above: the highest point of each cell in its class's colour, shaded by its slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from gis.drawing.palette import CLASSES, OTHER_CLASS, rgb
from gis.grid import Grid
from gis.raster import Raster
from lidar.cells import Mask
from lidar.hillshade import hillshade
from lidar.point_cloud import NOISE, Class, PointCloud

COLOURS: dict[int, tuple[int, int, int]] = {code: rgb(look.colour) for code, look in CLASSES.items()}
"""Red, green, blue, 0–255; other classes are grey."""
OTHER = rgb(OTHER_CLASS.colour)
PAPER = (255, 255, 255)
"""Where there is no point."""
LARGEST = 2_000
"""Cells along the longer side."""
FINEST = 0.5
"""Metres: least edge of a cell."""
POINTS_PER_CELL = 2.0
"""Points that a cell holds in the mean, so that few are empty."""
HOLE = 2.0
"""Cells from the next point up to which an empty cell is coloured like it."""
DARKEST = 0.45
"""Share of a colour's light that is left in full shade."""


@dataclass(frozen=True, slots=True)
class ClassPicture:
    """The classes of points on a grid."""

    colours: NDArray[np.uint8]
    """(rows, columns, 3), north up."""
    grid: Grid


def class_picture(points: PointCloud) -> ClassPicture:
    """Draw points, at least one; noise is left out unless there is nothing else.

    Wires and towers are drawn over what is higher: they would be lost beside trees.
    """
    shown = ~np.isin(points.classification, NOISE)
    if not shown.any():
        shown[:] = True
    drawn = points.subset(shown)
    grid = Grid.covering(drawn.bounds, _resolution(drawn))
    row, column = grid.cells(drawn.x, drawn.y)
    row, column = row.clip(0, grid.rows - 1), column.clip(0, grid.columns - 1)
    thin = np.isin(drawn.classification, (Class.WIRE_CONDUCTOR, Class.TOWER))
    order = np.lexsort((drawn.classification, drawn.z, thin))
    classes = np.full(grid.shape, -1, dtype=np.int16)
    classes[row[order], column[order]] = drawn.classification[order]
    heights = np.full(grid.shape, np.nan, dtype=np.float32)
    solid = order[~thin[order]]
    heights[row[solid], column[solid]] = drawn.z[solid]
    light = hillshade(Raster(_filled(heights, np.isnan(heights)), grid)).astype(np.float64)
    palette = np.array([COLOURS.get(code, OTHER) for code in range(256)] + [PAPER], dtype=np.float64)
    colours = palette[_filled(classes, classes < 0)]
    shade = np.where(light > 0, DARKEST + (1 - DARKEST) * light / 255, 1.0)
    bright = np.isin(classes, (Class.WIRE_CONDUCTOR, Class.TOWER))
    return ClassPicture((colours * np.where(bright, 1.0, shade)[..., None]).astype(np.uint8), grid)


def _resolution(points: PointCloud) -> float:
    """Metres a cell: a multiple of the finest."""
    bounds = points.bounds
    width, height = bounds.max_x - bounds.min_x, bounds.max_y - bounds.min_y
    wanted = max(FINEST, max(width, height) / LARGEST, np.sqrt(POINTS_PER_CELL * width * height / len(points)))
    return float(np.ceil(wanted / FINEST) * FINEST)


def _filled(values: NDArray[Any], empty: Mask) -> NDArray[Any]:
    """The values with small holes filled from the nearest cell."""
    if not empty.any():
        return values
    distance, (row, column) = distance_transform_edt(empty, return_indices=True)
    return np.where(empty & (distance <= HOLE), values[row, column], values)
