"""The picture layers of the terrain: what each shows, what may be chosen, and how a tile of it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import cos, radians
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from api import relief
from api.dependencies import Service
from api.mosaic import Lattice, heights_at
from gis.crs import WGS84, normalise, transformer
from gis.store.coverage import RasterFile, rasters_over
from gis.store.tiles import tile_bounds, window_of
from gis.tile_grid import HALF_WORLD
from lidar.drawn_contours import REACH, evened

PIXELS = 256
MARGIN = 1
"""Places around a tile that its slopes look at."""
DRAWING = 1
"""Part of every picture's name: raised when the same heights are drawn differently."""

LayerName = Literal["dtm", "dsm", "ndsm", "hillshade", "slope", "contours", "terrain-rgb", "terrarium"]
Product = Literal["dtm", "dsm", "ndsm"]


@dataclass(frozen=True, slots=True)
class PictureLayer:
    """A layer of pictures."""

    id: str
    title: str
    description: str
    shows: Product
    """The raster product it shows, unless another is asked for."""
    choices: tuple[str, ...] = ()
    """Fields of `Drawn` that change it."""
    encoding: str | None = None
    """Of coded heights, as TileJSON and MapLibre name it."""


LAYERS: Mapping[str, PictureLayer] = MappingProxyType(
    {
        layer.id: layer
        for layer in (
            PictureLayer(
                "dtm",
                "Địa hình · Terrain",
                "Terrain: colours of height, lit",
                "dtm",
                ("azimuth", "altitude", "steeper"),
            ),
            PictureLayer(
                "dsm",
                "Bề mặt · Surface",
                "Surface with roofs and trees: colours of height, lit",
                "dsm",
                ("azimuth", "altitude", "steeper"),
            ),
            PictureLayer(
                "ndsm",
                "Chiều cao trên mặt đất · Height above ground",
                "Height above the ground: colours of height, lit",
                "ndsm",
                ("azimuth", "altitude", "steeper"),
            ),
            PictureLayer(
                "hillshade",
                "Bóng địa hình · Hill shade",
                "Light from one sun, grey",
                "dtm",
                ("azimuth", "altitude", "steeper"),
            ),
            PictureLayer("slope", "Độ dốc · Slope", "Degrees from the horizontal: white 0, red 30, black 90", "dtm"),
            PictureLayer(
                "contours",
                "Đường đồng mức · Contours",
                "Lines of equal height, every fifth one bold; transparent between them",
                "dtm",
                ("interval",),
            ),
            PictureLayer(
                "terrain-rgb",
                "Độ cao (Terrain-RGB) · Heights (Terrain-RGB)",
                "Height in metres = −10000 + 0.1 · (65536 R + 256 G + B)",
                "dtm",
                encoding="mapbox",
            ),
            PictureLayer(
                "terrarium",
                "Độ cao (Terrarium) · Heights (Terrarium)",
                "Height in metres = −32768 + 256 R + G + B / 256",
                "dtm",
                encoding="terrarium",
            ),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as it is asked for."""

    layer: PictureLayer
    z: int
    x: int
    y: int
    scale: int = 1
    """1 for 256 pixels, 2 for 512."""
    shows: Product = "dtm"
    epoch: str | None = None
    azimuth: float = 315.0
    """Where the sun stands, degrees clockwise from north."""
    altitude: float = 45.0
    """Degrees above the horizon."""
    steeper: float = 1.0
    """How much steeper than it is the ground is lit."""
    interval: float = 0.0
    """Metres between contours; 0 for what suits the zoom level."""

    @property
    def settled(self) -> Drawn:
        """The same with what does not change it at its default, so that equal pictures have equal names."""
        kept = self.layer.choices
        lit = "azimuth" in kept
        return replace(
            self,
            azimuth=self.azimuth if lit else 315.0,
            altitude=self.altitude if lit else 45.0,
            steeper=self.steeper if lit else 1.0,
            interval=(self.interval or interval_at(self.z)) if "interval" in kept else 0.0,
        )

    @property
    def pixels(self) -> int:
        """Width and height of the picture."""
        return self.scale * PIXELS


def interval_at(z: int) -> float:
    """Metres between contours that are readable at a zoom level in a delta city."""
    return {17: 0.5, 16: 1.0, 15: 1.0, 14: 2.0, 13: 5.0}.get(z, 0.25 if z > 17 else 10.0)


def files_of(service: Service, wanted: Drawn) -> list[RasterFile]:
    """The files a picture is drawn from; none where the city cannot be, or at zooms that would read too many."""
    if wanted.z < service.limits.raster_zoom_least:
        return []
    margin = MARGIN + (REACH if wanted.layer.id == "contours" else 0)
    window = window_of(service.city.crs, wanted.z, wanted.x, wanted.y, margin=2 * margin / PIXELS)
    if window is None:
        return []
    with service.reading() as connection:
        return rasters_over(connection, wanted.shows, window, epoch=wanted.epoch, most=service.limits.raster_files_most)


def parts_of(service: Service, wanted: Drawn, files: Sequence[RasterFile]) -> tuple[object, ...]:
    """What the picture's name is made of."""
    return DRAWING, wanted, identities(service, files)


def identities(service: Service, files: Sequence[RasterFile]) -> tuple[tuple[str, bool], ...]:
    """Which files something is made from: the digest of each, and whether it is there: a missing one may come back."""
    return tuple((file.sha256, (service.city.folder / file.path).exists()) for file in files)


def draw(service: Service, wanted: Drawn, files: Sequence[RasterFile]) -> bytes:
    """The picture as PNG."""
    layer = wanted.layer
    if not files:
        if layer.encoding is None:
            return relief.clear_png(wanted.pixels)
        return relief.clear_code_png(wanted.pixels, *_code(layer))
    pixel = _ground_pixel(wanted)
    if layer.id == "contours":
        heights = evened(_heights(service, wanted, files, MARGIN + REACH), pixel, wanted.interval)
        return relief.contours_png(np.ascontiguousarray(heights[REACH:-REACH, REACH:-REACH]), wanted.interval)
    heights = _heights(service, wanted, files, MARGIN)
    resolution = pixel / wanted.steeper
    if layer.encoding is not None:
        return relief.coded_png(heights, *_code(layer))
    if layer.id == "slope":
        return relief.slope_png(heights, resolution)
    if layer.id == "hillshade":
        return relief.hillshade_png(heights, resolution, wanted.azimuth, wanted.altitude)
    ramp = relief.ABOVE_GROUND if wanted.shows == "ndsm" else relief.RAMP
    return relief.relief_png(heights, resolution, wanted.azimuth, wanted.altitude, ramp)


def lattice_of(z: int, x: int, y: int, pixels: int, margin: int) -> Lattice:
    """The middles of a tile's pixels, with a margin of pixels, on the lattice of the whole zoom level."""
    step = 2 * HALF_WORLD / (pixels * 2**z)
    size = pixels + 2 * margin
    mercator: CRS = normalise(3857)
    return Lattice(mercator, (-HALF_WORLD, HALF_WORLD), step, 0.5, x * pixels - margin, y * pixels - margin, size, size)


def _heights(service: Service, wanted: Drawn, files: Sequence[RasterFile], margin: int) -> NDArray[np.float32]:
    lattice = lattice_of(wanted.z, wanted.x, wanted.y, wanted.pixels, margin)
    return heights_at(files, service.city.folder, service.rasters, lattice, service.city.crs)


def _ground_pixel(wanted: Drawn) -> float:
    """Metres on the ground between two pixels: Web Mercator is 1 / cos φ too large."""
    bounds = tile_bounds(wanted.z, wanted.x, wanted.y)
    latitude = transformer(bounds.crs, WGS84).transform(bounds.min_x, (bounds.min_y + bounds.max_y) / 2)[1]
    return bounds.width / wanted.pixels * cos(radians(latitude))


def _code(layer: PictureLayer) -> tuple[float, float]:
    if layer.encoding == "terrarium":
        return relief.TERRARIUM_ZERO, relief.TERRARIUM_STEP
    return relief.RGB_ZERO, relief.RGB_STEP
