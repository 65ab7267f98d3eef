"""A rectangle on the ground that knows its CRS."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from pyproj import CRS
from shapely import Polygon, box

from gis.crs import CrsLike, normalise, transformer
from gis.errors import BadParameter


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """An axis-parallel rectangle, in the units of its CRS.

    Raises:
        BadParameter: a bound is not finite, or a minimum exceeds its maximum.
    """

    min_x: float
    min_y: float
    max_x: float
    max_y: float
    crs: CRS

    def __post_init__(self) -> None:
        if not all(isfinite(v) for v in (self.min_x, self.min_y, self.max_x, self.max_y)):
            raise BadParameter("bounds", self.tuple, "a bound is not a finite number")
        if self.min_x > self.max_x or self.min_y > self.max_y:
            raise BadParameter("bounds", self.tuple, "the minimum exceeds the maximum")

    @property
    def tuple(self) -> tuple[float, float, float, float]:
        """(min_x, min_y, max_x, max_y)."""
        return (self.min_x, self.min_y, self.max_x, self.max_y)

    @property
    def width(self) -> float:
        """Extent along x."""
        return self.max_x - self.min_x

    @property
    def height(self) -> float:
        """Extent along y."""
        return self.max_y - self.min_y

    @property
    def area(self) -> float:
        """In square units of the CRS."""
        return self.width * self.height

    @property
    def polygon(self) -> Polygon:
        """As a polygon, without its CRS."""
        return box(*self.tuple)

    def buffered(self, distance: float) -> BoundingBox:
        """Grown by a distance on all sides."""
        return BoundingBox(
            self.min_x - distance,
            self.min_y - distance,
            self.max_x + distance,
            self.max_y + distance,
            self.crs,
        )

    def intersects(self, other: BoundingBox) -> bool:
        """Whether the two, in the same CRS, share at least a point."""
        return (
            self.min_x <= other.max_x
            and other.min_x <= self.max_x
            and self.min_y <= other.max_y
            and other.min_y <= self.max_y
        )

    def union(self, other: BoundingBox) -> BoundingBox:
        """The smallest rectangle that holds both (same CRS)."""
        return BoundingBox(
            min(self.min_x, other.min_x),
            min(self.min_y, other.min_y),
            max(self.max_x, other.max_x),
            max(self.max_y, other.max_y),
            self.crs,
        )

    def to(self, crs: CrsLike) -> BoundingBox:
        """The rectangle in another CRS that holds this one (edges densified)."""
        target = normalise(crs)
        if target == self.crs:
            return self
        bounds = transformer(self.crs, target).transform_bounds(*self.tuple, densify_pts=21)
        return BoundingBox(*bounds, crs=target)
