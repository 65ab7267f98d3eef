"""Grids of tiles: Web Mercator's, and one in the city's own CRS (OGC Two Dimensional Tile Matrix Set 2.0)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, cos, floor, log2, pi, radians
from typing import Any

from pyproj import CRS

from gis.bounds import BoundingBox
from gis.crs import WEB_MERCATOR, WGS84, horizontal, metres_per_unit, normalise, srid, transformer
from gis.errors import BadParameter

HALF_WORLD = pi * 6_378_137.0
"""Of Web Mercator, metres."""
TILE_PIXELS = 256
PIXEL_METRES = 0.000_28
"""The standard's pixel, by which a scale is told."""
LEVELS = 23
WEB_MERCATOR_ID = "WebMercatorQuad"
REGISTER = "http://www.opengis.net/def/tilematrixset/OGC/1.0/"
MARGIN_DEGREES = 3.0
"""How far around a CRS's area of use a tile may lie and still be looked up."""


@dataclass(frozen=True, slots=True, eq=False)
class TileGrid:
    """A pyramid of square tiles: one at level 0, each parted into four at the next. Rows count from the north."""

    id: str
    title: str
    crs: CRS
    west: float
    north: float
    side: float
    """Of the tile of level 0, in units of the CRS."""
    levels: int
    ahead: int
    """Levels of Web Mercator above level 0: its tiles at level z + `ahead` show as much detail as those at z here."""
    uri: str | None = None

    def bounds(self, z: int, x: int, y: int) -> BoundingBox:
        """The tile's rectangle in the grid's CRS."""
        side = self.side / 2**z
        west, north = self.west + x * side, self.north - y * side
        return BoundingBox(west, north - side, west + side, north, self.crs)

    def detail(self, z: int) -> int:
        """The zoom level of Web Mercator that shows as much."""
        return z + self.ahead

    def columns_and_rows(self, z: int, box: BoundingBox) -> tuple[int, int, int, int]:
        """First and last column, first and last row of the tiles that meet a rectangle in the grid's CRS."""
        side, last = self.side / 2**z, 2**z - 1

        def within(value: float) -> int:
            return int(min(max(floor(value), 0), last))

        return (
            within((box.min_x - self.west) / side),
            within((box.max_x - self.west) / side),
            within((self.north - box.max_y) / side),
            within((self.north - box.min_y) / side),
        )

    def document(self) -> dict[str, Any]:
        """The tile matrix set in JSON, coordinates in the order of the CRS's axes."""
        is_north_first = self.crs.axis_info[0].direction.lower() in ("north", "south")
        origin = [self.north, self.west] if is_north_first else [self.west, self.north]
        unit = metres_per_unit(self.crs)
        cells = [self.side / TILE_PIXELS / 2**z for z in range(self.levels)]
        named = {"uri": self.uri, "wellKnownScaleSet": WELL_KNOWN_SCALES} if self.uri else {}
        return {
            "id": self.id,
            "title": self.title,
            **named,
            "crs": f"http://www.opengis.net/def/crs/EPSG/0/{srid(self.crs)}",
            "orderedAxes": [axis.abbrev for axis in self.crs.axis_info[:2]],
            "tileMatrices": [
                {
                    "id": str(z),
                    "scaleDenominator": cell * unit / PIXEL_METRES,
                    "cellSize": cell,
                    "cornerOfOrigin": "topLeft",
                    "pointOfOrigin": origin,
                    "tileWidth": TILE_PIXELS,
                    "tileHeight": TILE_PIXELS,
                    "matrixWidth": 2**z,
                    "matrixHeight": 2**z,
                }
                for z, cell in enumerate(cells)
            ],
        }


WELL_KNOWN_SCALES = "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible"
WEB = TileGrid(
    WEB_MERCATOR_ID,
    "Google Maps Compatible for the World",
    normalise(WEB_MERCATOR),
    -HALF_WORLD,
    HALF_WORLD,
    2.0 * HALF_WORLD,
    LEVELS,
    0,
    f"{REGISTER}{WEB_MERCATOR_ID}",
)
"""The grid of all web maps."""


@lru_cache(maxsize=16)
def city_grid(crs: CRS) -> TileGrid:
    """A grid in the city's CRS that covers its area of use; cells are powers of two of the CRS's unit.

    Raises:
        BadCrs: the CRS is not projected.
        BadParameter: the CRS says no area of use.
    """
    flat = horizontal(crs)
    use = flat.area_of_use
    if use is None:
        raise BadParameter("crs", flat.name, "it has no area of use, so no grid of tiles can cover it")
    area = BoundingBox(use.west, use.south, use.east, use.north, normalise(WGS84)).to(flat)
    side = 2.0 ** ceil(log2(max(area.width, area.height)))
    west = 1000.0 * floor((area.min_x + area.max_x - side) / 2000.0)
    north = 1000.0 * ceil((area.min_y + area.max_y + side) / 2000.0)
    shrink = cos(radians((use.south + use.north) / 2.0))
    ahead = round(log2(2.0 * HALF_WORLD * shrink / (side * metres_per_unit(flat))))
    code = srid(flat)
    return TileGrid(f"EPSG{code}Quad", f"{flat.name} (EPSG:{code})", flat, west, north, side, LEVELS - ahead, ahead)


def grids(crs: CRS) -> dict[str, TileGrid]:
    """The grids of a city's tiles by id."""
    return {grid.id: grid for grid in (WEB, city_grid(crs))}


def lies_beside(bounds: BoundingBox, crs: CRS) -> bool:
    """Whether a rectangle in Web Mercator is so far from where a CRS is used that it cannot be brought into it."""
    # Asked for each tile, and a CRS itself takes long to hash.
    near = _around_its_use(crs.srs)
    if near is None:
        return False
    west, south, east, north = near
    return bounds.min_x > east or bounds.max_x < west or bounds.min_y > north or bounds.max_y < south


@lru_cache(maxsize=64)
def _around_its_use(crs: str) -> tuple[float, float, float, float] | None:
    """West, south, east, north in Web Mercator of where a CRS is used and a margin; None where that is not known."""
    use = normalise(crs).area_of_use
    if use is None:
        return None
    poles = 85.0
    degrees = (
        use.west - MARGIN_DEGREES,
        max(use.south - MARGIN_DEGREES, -poles),
        use.east + MARGIN_DEGREES,
        min(use.north + MARGIN_DEGREES, poles),
    )
    west, south, east, north = transformer(WGS84, WEB_MERCATOR).transform_bounds(*degrees)
    return float(west), float(south), float(east), float(north)
