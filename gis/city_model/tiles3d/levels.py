"""The quadtree of building tiles: squares of the city's own grid, what of the city each level shows, and how truly.

Squares are of the register's CRS, their corners multiples of their side, so that a tile keeps its address whatever is
built elsewhere. A building belongs to the one square of a level in which the middle of its footprint's rectangle lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gis.bounds import BoundingBox
from gis.crs import CrsLike, horizontal
from gis.errors import NotFound

DISTRICT_SIDE: Final = 4096.0
"""Metres: side of a square of level 0, which has a tileset of its own."""
FARTHEST: Final = 100_000
"""Squares of level 0 that may lie between the origin of the CRS and the city: 400,000 km."""


@dataclass(frozen=True, slots=True)
class Level:
    """What the tiles of one level show."""

    geometric_error: float
    """Metres: how far the tile may be from the truth; 3D Tiles 1.1, 7.1. Refined when that would be seen."""
    is_detailed: bool
    """The best model of each building; else its LoD 1.2 block."""
    least_height: float
    """Metres above ground of the buildings shown; lower ones are left out, which the error allows for."""


LEVELS: Final[Sequence[Level]] = (
    Level(256.0, is_detailed=False, least_height=96.0),
    Level(128.0, is_detailed=False, least_height=48.0),
    Level(64.0, is_detailed=False, least_height=24.0),
    Level(8.0, is_detailed=False, least_height=0.0),
    Level(0.0, is_detailed=True, least_height=0.0),
)
"""From squares of 4096 m down to those of 256 m; at 512 m all buildings are there, as blocks."""
LEAF: Final = len(LEVELS) - 1
ROOT_ERROR: Final = 1024.0
"""Metres: of showing nothing at all."""


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """One square: level, column from the west, row from the south."""

    z: int
    x: int
    y: int

    @classmethod
    def checked(cls, z: int, x: int, y: int) -> Address:
        """The square of these numbers.

        Raises:
            NotFound: there is no such level, or the square is too far away for any CRS.
        """
        if not 0 <= z <= LEAF:
            raise NotFound("tile", f"{z}/…: levels are 0 to {LEAF}")
        most = FARTHEST << z
        if not (-most <= x < most and -most <= y < most):
            raise NotFound("tile", f"{z}/…: columns and rows are less than {most} from zero")
        return cls(z, x, y)

    @property
    def side(self) -> float:
        """Metres."""
        return DISTRICT_SIDE / (1 << self.z)

    @property
    def level(self) -> Level:
        """What it shows."""
        return LEVELS[self.z]

    @property
    def parent(self) -> Address:
        """The square twice as large that it is a quarter of."""
        return Address(self.z - 1, self.x >> 1, self.y >> 1)

    def bounds(self, crs: CrsLike) -> BoundingBox:
        """Its rectangle in the city's CRS."""
        west, south = self.x * self.side, self.y * self.side
        return BoundingBox(west, south, west + self.side, south + self.side, horizontal(crs))
