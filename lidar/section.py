"""Points along a line, as a section through the city shows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Polygon

from gis.errors import BadParameter
from lidar.point_cloud import PointCloud


@dataclass(frozen=True, slots=True)
class Section:
    """Points near a line, by where along it they are."""

    along: NDArray[np.float64]
    """(n,) metres from the line's start, rising."""
    height: NDArray[np.float64]
    """(n,) metres above the datum of the points."""
    across: NDArray[np.float64]
    """(n,) metres from the line."""
    points: PointCloud
    """The points themselves, in the same order."""


def section(points: PointCloud, line: LineString, width: float) -> Section:
    """The points of a strip around a line, its ends cut square.

    Args:
        points: in a CRS in metres.
        line: in the same CRS.
        width: of the whole strip, metres.

    Raises:
        BadParameter: the line has no length, or the width is not more than 0.
    """
    if not line.length > 0:
        raise BadParameter("line", line.wkt[:60], "a section runs along a line with a length")
    if not (np.isfinite(width) and width > 0):
        raise BadParameter("width", width, "metres, more than 0")
    strip = shapely.buffer(line, width / 2, cap_style="flat")
    chosen = points.subset(shapely.contains_xy(strip, points.x, points.y))
    places = shapely.points(chosen.x, chosen.y)
    along = np.asarray(shapely.line_locate_point(line, places), dtype=np.float64)
    order = np.argsort(along, kind="stable")
    across = np.asarray(shapely.distance(line, places), dtype=np.float64)
    return Section(along[order], chosen.z[order], across[order], chosen.subset(order))


def long_axis(outline: Polygon, beyond: float = 0.0) -> LineString:
    """The line through the middle of a building along its longer side, from the lower end in x.

    It is that of the smallest rectangle around it, as long as this, and `beyond` metres more at each end.

    Raises:
        BadParameter: the outline has no area.
    """
    if not outline.area > 0:
        raise BadParameter("outline", outline.wkt[:60], "an outline has an area")
    corners = shapely.get_coordinates(shapely.oriented_envelope(outline))[:4]
    sides = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    first = int(np.argmax(sides[:2]))
    # The middles of the two shorter sides.
    start = (corners[first] + corners[first - 1]) / 2
    end = (corners[(first + 1) % 4] + corners[(first + 2) % 4]) / 2
    if tuple(end) < tuple(start):
        start, end = end, start
    step = (end - start) / np.hypot(*(end - start)) * beyond
    return LineString([start - step, end + step])
