"""WMTS 1.0.0, by key and value and by address: the picture layers for QGIS, ArcGIS and GDAL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import PNG, answer
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.pictures import LAYERS, Drawn
from api.routes.raster import bounds_of, datum_of, picture
from api.wmts import MATRIX_SET, STYLE, XML, Reach, capabilities
from gis.bounds import BoundingBox
from gis.crs import WEB_MERCATOR, WGS84, normalise
from gis.errors import BadParameter

router = APIRouter(prefix="/wmts", tags=["Raster"])

PRODUCTS = ("dtm", "dsm", "ndsm")


@router.get(
    "/1.0.0/WMTSCapabilities.xml",
    operation_id="getWmtsCapabilities",
    summary="WMTS capabilities",
    responses={200: {"description": "The capabilities.", "content": {XML: {}}}, **PROBLEMS},
    response_class=Response,
)
def document(request: Request, service: ServiceDep, base: BaseDep) -> Response:
    """The layers of pictures, their tiles' addresses, and what heights are above."""
    return _capabilities(request, service, base)


@router.get(
    "",
    operation_id="getWmts",
    summary="WMTS by key and value",
    responses={200: {"description": "Capabilities or a tile.", "content": {XML: {}, PNG: {}}}, **PROBLEMS},
    response_class=Response,
)
def by_key(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    wanted: Annotated[
        str | None, Query(alias="REQUEST", description="`GetCapabilities` or `GetTile`.", examples=["GetCapabilities"])
    ] = None,
    kind: Annotated[str | None, Query(alias="SERVICE", description="`WMTS`.", examples=["WMTS"])] = None,
    layer: Annotated[str | None, Query(alias="LAYER", description="A layer of the capabilities.")] = None,
    matrix: Annotated[str | None, Query(alias="TILEMATRIX", description="Zoom level.")] = None,
    row: Annotated[str | None, Query(alias="TILEROW", description="Row, from the north.")] = None,
    column: Annotated[str | None, Query(alias="TILECOL", description="Column, from the west.")] = None,
) -> Response:
    """Capabilities and tiles as WMTS's key-value encoding has them; keys are written in any case."""
    given = {name.upper(): value for name, value in request.query_params.items()}
    _expect(given, "SERVICE", "WMTS")
    operation = given.get("REQUEST", "").lower()
    if operation == "getcapabilities":
        return _capabilities(request, service, base)
    if operation != "gettile":
        raise BadParameter("REQUEST", ascii(operation[:40])[1:-1], "GetCapabilities or GetTile")
    _expect(given, "VERSION", "1.0.0")
    _expect(given, "STYLE", STYLE, optional=True)
    _expect(given, "FORMAT", "image/png")
    _expect(given, "TILEMATRIXSET", MATRIX_SET)
    shown = LAYERS.get(given.get("LAYER", ""))
    if shown is None:
        raise BadParameter("LAYER", ascii(given.get("LAYER", "")[:40])[1:-1], f"one of {', '.join(LAYERS)}")
    z, x, y = (_number(given, name) for name in ("TILEMATRIX", "TILECOL", "TILEROW"))
    return picture(request, service, Drawn(shown, z, x, y, shows=shown.shows))


def _capabilities(request: Request, service: Service, base: str) -> Response:
    west, south, east, north = degrees = bounds_of(service)
    metres = BoundingBox(west, south, east, north, normalise(WGS84)).to(WEB_MERCATOR).tuple
    reach = Reach(degrees, metres, service.limits.raster_zoom_least, service.limits.zoom_most - 2)
    datums = {product: datum_of(service, product) for product in PRODUCTS}
    return answer(request, capabilities(f"diaba · {service.city.name}", base, reach, datums).encode(), XML)


def _expect(given: Mapping[str, str], name: str, value: str, *, optional: bool = False) -> None:
    found = given.get(name, "")
    if found.lower() != value.lower() and not (optional and found == ""):
        raise BadParameter(name, ascii(found[:40])[1:-1], f"it is {value}")


def _number(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadParameter(name, ascii(text[:20])[1:-1], "not a whole number")
    return int(text)
