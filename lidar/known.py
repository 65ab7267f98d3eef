"""What is known of points before they are classified: classes they came in with, outlines of buildings they lie in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from lidar.cells import Mask
from lidar.footprints import Footprints
from lidar.point_cloud import NOISE, Class, PointCloud
from lidar.point_index import points_in_polygons

INSET = 0.5
"""Metres inside an outline where its building surely is: 2σ of the outline and the points' own error; walls are out."""


@dataclass(frozen=True, slots=True)
class Known:
    """Of n points."""

    classes: NDArray[np.uint8]
    """(n,) those they came in with."""
    fixed: Mask
    """(n,) true where that class is to stay."""
    inside: Mask
    """(n,) true inside of a building's outline."""

    @classmethod
    def nothing(cls, points: PointCloud) -> Known:
        """Nothing is known."""
        none = np.zeros(len(points), dtype=np.bool_)
        return cls(points.classification, none, none)

    @classmethod
    def of(cls, points: PointCloud, keep: Collection[int] = (), footprints: Footprints | None = None) -> Known:
        """What the points' own classes and outlines say.

        Args:
            points: as they came in.
            keep: class codes that stay with the points that have them.
            footprints: in any CRS; derived ones are left out.
        """
        known = cls.nothing(points)
        fixed, inside = known.fixed, known.inside
        if keep:
            fixed = np.isin(points.classification, sorted(keep))
        if footprints is not None and len(footprints) and len(points):
            near = footprints.subset(~footprints.derived).to(points.crs).touching(points.bounds)
            inset = shapely.get_parts(shapely.buffer(near.polygons, -INSET, join_style="mitre"))
            inside = np.zeros(len(points), dtype=np.bool_)
            inside[points_in_polygons(points.x, points.y, inset[~shapely.is_empty(inset)]).points] = True
        return cls(points.classification, fixed, inside)

    def hidden(self, points: PointCloud) -> PointCloud:
        """The points, those known to be no ground as noise: the ground filter passes noise over."""
        away = self.fixed & (self.classes != Class.GROUND) & ~np.isin(points.classification, NOISE)
        if not away.any():
            return points
        return points.with_classification(np.where(away, np.uint8(Class.LOW_NOISE), points.classification))

    def restored(self, points: PointCloud) -> PointCloud:
        """The points under the classes that stay."""
        if not self.fixed.any():
            return points
        return points.with_classification(np.where(self.fixed, self.classes, points.classification))
