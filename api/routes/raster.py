"""Rasters: shaded relief, heights for 3D terrain, and the value at a place."""

from __future__ import annotations

from math import cos, radians
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from numpy.typing import NDArray
from rio_tiler.models import ImageData
from starlette.responses import Response

from api.answers import JSON, PNG, answer, json_bytes
from api.crs_names import named
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.mosaic import TILE_PIXELS, tile_heights, value_at
from api.query import plain, position
from api.relief import shaded, terrain_rgb
from api.routes.collections import lonlat
from api.routes.tilejson import ATTRIBUTION, WORLD
from api.routes.tiles import Column, Row, Zoom, check_tile
from gis.bounds import BoundingBox
from gis.crs import WGS84, horizontal, transformer, vertical
from gis.raster import Raster
from gis.store.coverage import extent, rasters_over
from gis.store.tiles import tile_bounds, window_of

router = APIRouter(prefix="/raster", tags=["Raster"])

Picture = Literal["dtm", "terrain-rgb"]
Product = Literal["dtm", "dsm", "ndsm"]
Epoch = Annotated[str | None, Query(description="Of this campaign only; without it the newest that knows the place.")]
SHADE_MARGIN = 1
"""Pixels around a tile that its slopes look at."""


@router.get(
    "/{product}/tiles.json", operation_id="getRasterTileJson", summary="TileJSON of a raster", responses=PROBLEMS
)
def tilejson(request: Request, service: ServiceDep, base: BaseDep, product: Picture) -> Response:
    """Where the pictures are: `dtm` shaded relief, `terrain-rgb` heights (Mapbox's code, metres above the datum)."""
    with service.reading() as connection:
        reach = extent(connection, service.city.crs, [("raster_product", "extent")])
    document = {
        "tilejson": "3.0.0",
        "name": f"diaba · {service.city.name} · {product}",
        "attribution": ATTRIBUTION,
        "scheme": "xyz",
        "tiles": [f"{base}/raster/{product}/{{z}}/{{x}}/{{y}}.png"],
        "minzoom": service.limits.raster_zoom_least,
        "maxzoom": service.limits.zoom_most - 2,
        "bounds": WORLD if reach is None else lonlat(reach),
        **({"encoding": "mapbox"} if product == "terrain-rgb" else {}),
    }
    return answer(request, json_bytes(document), JSON)


@router.get(
    "/{product}/value",
    operation_id="getRasterValue",
    summary="Value at a place",
    responses={200: {"description": "The value with its standard deviation.", "content": {JSON: {}}}, **PROBLEMS},
    response_class=Response,
)
def value(
    request: Request,
    service: ServiceDep,
    product: Annotated[Product, Path(description="Terrain, surface, or height above terrain.")],
    x: Annotated[str, Query(description="Easting or longitude, whatever the order of the CRS's axes.")],
    y: Annotated[str, Query(description="Northing or latitude.")],
    crs: Annotated[str | None, Query(description="CRS of x and y; CRS84 without it.")] = None,
    epoch: Epoch = None,
) -> Response:
    """The height of one cell, in metres; 404 where none is known."""
    city = service.city.crs
    east, north = position(x, y, named("crs", crs, service.crs_offered), city)
    place = BoundingBox(east, north, east, north, horizontal(city))
    wanted = None if epoch is None else plain("epoch", epoch)
    with service.reading() as connection:
        files = rasters_over(connection, product, place, epoch=wanted, most=service.limits.raster_files_most)
    height, sigma, file = value_at(files, service.city.folder, east, north)
    datum = vertical(city)
    document = {
        "product": product,
        "value": round(height, 3),
        "sigma": None if sigma is None else round(sigma, 3),
        "unit": "m",
        "reference": "ground" if product == "ndsm" else (datum.name if datum else None),
        "x": round(east, 3),
        "y": round(north, 3),
        "crs": service.crs_stored.uri,
        "epoch": file.epoch,
        "flown": file.flown,
        "cell": file.resolution,
    }
    return answer(request, json_bytes(document), JSON)


@router.get(
    "/{product}/{z}/{x}/{y}.png",
    operation_id="getRasterTile",
    summary="Raster tile",
    responses={200: {"description": "A picture of 256 × 256 pixels.", "content": {PNG: {}}}, **PROBLEMS},
    response_class=Response,
)
def tile(
    request: Request, service: ServiceDep, product: Picture, z: Zoom, x: Column, y: Row, epoch: Epoch = None
) -> Response:
    """Terrain of WebMercatorQuad: shaded relief (`dtm`) or coded heights (`terrain-rgb`); transparent where unknown."""
    check_tile(z, x, y, service.limits.zoom_most)
    heights = _heights(service, z, x, y, None if epoch is None else plain("epoch", epoch))
    if heights is None:
        picture = np.zeros((4, TILE_PIXELS, TILE_PIXELS), dtype=np.uint8)
    elif product == "terrain-rgb":
        picture = _inner(terrain_rgb(heights))
    else:
        middle = tile_bounds(z, x, y)
        latitude = transformer(middle.crs, WGS84).transform(middle.min_x, (middle.min_y + middle.max_y) / 2)[1]
        picture = _inner(shaded(heights, 1.0 / cos(radians(latitude))))
    body: bytes = ImageData(np.ma.MaskedArray(picture)).render(img_format="PNG", add_mask=False, ZLEVEL=6)
    return answer(request, body, PNG, max_age=service.limits.raster_age_seconds, compress=False)


def _heights(service: Service, z: int, x: int, y: int, epoch: str | None) -> Raster | None:
    """Heights of a tile with the margin; None where no file is."""
    city, limits = service.city.crs, service.limits
    if z < limits.raster_zoom_least:
        return None
    bounds = tile_bounds(z, x, y)
    window = window_of(city, z, x, y, margin=2 * SHADE_MARGIN / TILE_PIXELS)
    if window is None:
        return None
    with service.reading() as connection:
        files = rasters_over(connection, "dtm", window, epoch=epoch, most=limits.raster_files_most)
    return tile_heights(files, service.city.folder, city, bounds, SHADE_MARGIN) if files else None


def _inner(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(picture[:, SHADE_MARGIN:-SHADE_MARGIN, SHADE_MARGIN:-SHADE_MARGIN])
