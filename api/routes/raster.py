"""Rasters: pictures of the terrain, heights coded for 3D maps, and the value at a place."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import JSON, PNG, answer, json_bytes
from api.crs_names import named
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.mosaic import value_at
from api.pictures import LAYERS, Drawn, LayerName, Product, draw, files_of, parts_of
from api.query import plain, position
from api.rendered import name_of, rendered
from api.routes.collections import lonlat
from api.routes.tilejson import ATTRIBUTION, WORLD
from api.routes.tiles import Column, Row, Zoom, check_tile
from gis.bounds import BoundingBox
from gis.crs import horizontal, vertical, vertical_label
from gis.errors import BadParameter
from gis.store.coverage import extent, rasters_over

router = APIRouter(prefix="/raster", tags=["Raster"])

LAYER = Path(description="A layer of pictures.")
Epoch = Annotated[str | None, Query(description="Of this campaign only; without it the newest that knows the place.")]
Shows = Annotated[
    Product | None, Query(alias="of", description="The raster shown; without it the layer's own.", examples=["dsm"])
]
Azimuth = Annotated[float, Query(ge=0, le=360, description="Where the sun stands, degrees clockwise from north.")]
Altitude = Annotated[float, Query(ge=1, le=90, description="Of the sun, degrees above the horizon.")]
Steeper = Annotated[float, Query(ge=0.1, le=50, description="How much steeper than it is the ground is lit.")]
Interval = Annotated[
    float | None, Query(ge=0.1, le=1000, description="Metres between contours; without it what suits the zoom level.")
]
PICTURE = {200: {"description": "A picture; transparent where nothing is known.", "content": {PNG: {}}}, **PROBLEMS}


@router.get(
    "/{layer}/tiles.json", operation_id="getRasterTileJson", summary="TileJSON of a raster layer", responses=PROBLEMS
)
def tilejson(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    layer: Annotated[LayerName, LAYER],
) -> Response:
    """Where a layer's pictures are, how heights are coded in it, and above which datum they are."""
    shown = LAYERS[layer]
    document = {
        "tilejson": "3.0.0",
        "name": f"diaba · {service.city.name} · {layer}",
        "description": f"{shown.description}. Heights above: {datum_of(service, shown.shows)}",
        "attribution": ATTRIBUTION,
        "scheme": "xyz",
        "tiles": [f"{base}/raster/{layer}/{{z}}/{{x}}/{{y}}.png"],
        "minzoom": service.limits.raster_zoom_least,
        "maxzoom": service.limits.zoom_most - 2,
        "bounds": bounds_of(service),
        "verticalDatum": datum_of(service, shown.shows),
        **({"encoding": shown.encoding} if shown.encoding else {}),
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
    height, sigma, file = value_at(files, service.city.folder, service.rasters, east, north)
    document = {
        "product": product,
        "value": round(height, 3),
        "sigma": None if sigma is None else round(sigma, 3),
        "unit": "m",
        "reference": reference_of(service, product),
        "x": round(east, 3),
        "y": round(north, 3),
        "crs": service.crs_stored.uri,
        "epoch": file.epoch,
        "flown": file.flown,
        "cell": file.resolution,
    }
    return answer(request, json_bytes(document), JSON)


@router.get(
    "/{layer}/{z}/{x}/{y}@2x.png",
    operation_id="getRasterTileDouble",
    summary="Raster tile of 512 pixels",
    responses=PICTURE,
    response_class=Response,
)
def double_tile(
    request: Request,
    service: ServiceDep,
    layer: Annotated[LayerName, LAYER],
    z: Zoom,
    x: Column,
    y: Row,
    of: Shows = None,
    epoch: Epoch = None,
    azimuth: Azimuth = 315.0,
    altitude: Altitude = 45.0,
    steeper: Steeper = 1.0,
    interval: Interval = None,
) -> Response:
    """The same tile in 512 × 512 pixels, for fine screens and for clients whose tiles are that large."""
    shown = LAYERS[layer]
    wanted = Drawn(shown, z, x, y, 2, of or shown.shows, epoch, azimuth, altitude, steeper, interval or 0.0)
    return picture(request, service, wanted)


@router.get(
    "/{layer}/{z}/{x}/{y}.png",
    operation_id="getRasterTile",
    summary="Raster tile",
    responses=PICTURE,
    response_class=Response,
)
def tile(
    request: Request,
    service: ServiceDep,
    layer: Annotated[LayerName, LAYER],
    z: Zoom,
    x: Column,
    y: Row,
    of: Shows = None,
    epoch: Epoch = None,
    azimuth: Azimuth = 315.0,
    altitude: Altitude = 45.0,
    steeper: Steeper = 1.0,
    interval: Interval = None,
) -> Response:
    """A tile of WebMercatorQuad, 256 × 256 pixels: hill shade, slope, contours, colours of height, or coded heights.

    The ETag names the files drawn from, the tile and the choices: what a client has already is not drawn again. A
    choice that does not concern the layer (the sun for contours) changes nothing.
    """
    shown = LAYERS[layer]
    wanted = Drawn(shown, z, x, y, 1, of or shown.shows, epoch, azimuth, altitude, steeper, interval or 0.0)
    return picture(request, service, wanted)


def picture(request: Request, service: Service, wanted: Drawn) -> Response:
    """Answer with a picture.

    Raises:
        BadParameter: no such zoom level, or the epoch is no plain text.
        NotFound: the zoom level has no such tile.
    """
    check_tile(wanted.z, wanted.x, wanted.y, service.limits.zoom_most)
    if wanted.epoch is not None:
        plain("epoch", wanted.epoch)
    settled = wanted.settled
    files = files_of(service, settled)
    name = name_of(*parts_of(service, settled, files))
    age = service.limits.raster_age_seconds
    return rendered(request, service.rendered, name, lambda: draw(service, settled, files), PNG, max_age=age)


def bounds_of(service: Service) -> list[float]:
    """West, south, east, north of all rasters, in degrees; the world while there is none."""
    with service.reading() as connection:
        reach = extent(connection, service.city.crs, [("raster_product", "extent")])
    return WORLD if reach is None else lonlat(reach)


def datum_of(service: Service, product: str) -> str:
    """What a product's heights are above, for people."""
    return "the ground" if product == "ndsm" else vertical_label(service.city.crs)


def reference_of(service: Service, product: str) -> str | None:
    """What a product's heights are above, by name; None where the city does not say."""
    datum = vertical(service.city.crs)
    return "ground" if product == "ndsm" else (datum.name if datum else None)


def epochs_of(text: str | None, most: int) -> list[str | None]:
    """The campaigns a list by commas names; [None], the newest, without one.

    Raises:
        BadParameter: there are too many, or one is no plain text.
    """
    if text is None:
        return [None]
    found = list(dict.fromkeys(plain("epochs", text).split(",")))
    if len(found) > most:
        raise BadParameter("epochs", "…", f"at most {most} at once")
    return list(found)
