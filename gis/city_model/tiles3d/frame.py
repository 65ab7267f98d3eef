"""The ground of a tile in the earth-centred frame: a local frame, and the way into it from the city's CRS.

A position (E, N, H) becomes longitude and latitude by the pinned transformation, its height above the ellipsoid
H + the city's geoid offset, and then a position of the frame east–north–up at the tile's middle. Within a tile that way
is so smooth that a cubic gives it to a tenth of a millimetre; the cubic is fitted to the exact way and checked by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gis.crs import WGS84, CrsLike, transformer

SEMI_MAJOR: Final = 6_378_137.0
FLATTENING: Final = 1.0 / 298.257223563
"""Of the ellipsoid of WGS 84, metres and one (EPSG:7030)."""
FIT_ERROR: Final = 1e-4
"""Metres: the most a fitted position may be off; where it is more, each position is transformed by itself."""
_NODES: Final = 6
"""Control positions along each axis of a tile."""
_MIN_SPAN: Final = 1.0
"""Metres: a flat box is fitted over this much."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LocalFrame:
    """East, north, up at a place, as WGS 84 has it."""

    origin: Array
    """(3,) metres, EPSG:4978."""
    axes: Array
    """(3, 3): rows are east, north, up in EPSG:4978."""
    crs: CrsLike
    geoid_offset: float
    """Metres: height of the vertical datum's zero above the ellipsoid."""

    @classmethod
    def at(cls, crs: CrsLike, place: tuple[float, float, float], geoid_offset: float = 0.0) -> LocalFrame:
        """The frame at a position of the CRS (x, y order; height above its vertical datum)."""
        lon, lat = transformer(crs, WGS84).transform(place[0], place[1])
        origin = to_ecef(np.array([[lon, lat, place[2] + geoid_offset]]))[0]
        east, north = np.radians(lon), np.radians(lat)
        axes = np.array(
            [
                [-np.sin(east), np.cos(east), 0.0],
                [-np.sin(north) * np.cos(east), -np.sin(north) * np.sin(east), np.cos(north)],
                [np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)],
            ]
        )
        return cls(origin, axes, crs, geoid_offset)

    @property
    def matrix(self) -> Array:
        """(4, 4): from the frame into EPSG:4978."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.axes.T, self.origin
        return matrix

    def exact(self, xyz: Array) -> Array:
        """Positions (n, 3) of the CRS in the frame, each transformed by itself."""
        lon, lat = transformer(self.crs, WGS84).transform(xyz[:, 0], xyz[:, 1])
        ecef = to_ecef(np.column_stack([lon, lat, xyz[:, 2] + self.geoid_offset]))
        return np.asarray((ecef - self.origin) @ self.axes.T)

    def local(self, xyz: Array) -> Array:
        """Positions (n, 3) of the CRS in the frame, east–north–up in metres, to `FIT_ERROR`."""
        if len(xyz) <= _NODES**3:
            return self.exact(xyz)
        low, high = xyz.min(axis=0), xyz.max(axis=0)
        half = np.maximum(high - low, _MIN_SPAN) / 2.0
        middle = (low + high) / 2.0
        line = np.linspace(-1.0, 1.0, _NODES)
        nodes = np.stack(np.meshgrid(line, line, line[[0, 2, 3, 5]], indexing="ij"), axis=-1).reshape(-1, 3)
        truth = self.exact(middle + nodes * half)
        table = _terms(nodes)
        coefficients = np.linalg.lstsq(table, truth, rcond=None)[0]
        if np.abs(table @ coefficients - truth).max() > FIT_ERROR:
            return self.exact(xyz)
        return np.asarray(_terms((xyz - middle) / half) @ coefficients)


def to_ecef(lonlat: Array) -> Array:
    """Longitude, latitude (degrees) and height above the ellipsoid (n, 3) as EPSG:4978 (EPSG method 9602)."""
    lon, lat = np.radians(lonlat[:, 0]), np.radians(lonlat[:, 1])
    height = lonlat[:, 2]
    square = FLATTENING * (2.0 - FLATTENING)
    across = SEMI_MAJOR / np.sqrt(1.0 - square * np.sin(lat) ** 2)
    return np.column_stack(
        [
            (across + height) * np.cos(lat) * np.cos(lon),
            (across + height) * np.cos(lat) * np.sin(lon),
            (across * (1.0 - square) + height) * np.sin(lat),
        ]
    )


def _terms(at: Array) -> Array:
    """(n, 14): cubic in x and y, and height with its slow turn of the vertical."""
    x, y, z = at.T
    one = np.ones_like(x)
    return np.column_stack(
        [one, x, y, x * x, x * y, y * y, x * x * x, x * x * y, x * y * y, y * y * y, z, x * z, y * z, x * y * z]
    )
