"""The first page, what the service conforms to, and its description."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import pages
from api.answers import HTML, JSON, answer, json_bytes
from api.dependencies import BaseDep, ServiceDep
from api.errors import PROBLEMS
from api.links import Link, header, link
from api.openapi import OPENAPI_30, OPENAPI_31, as_openapi_30
from api.representation import FormatParameter, prefers_html, wants_page
from api.routes import viewer
from api.schemas import content

router = APIRouter(tags=["Service"])

_FEATURES = "http://www.opengis.net/spec/ogcapi-features"
_CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf"
CONFORMS_TO = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/landing-page",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/json",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/html",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    *(f"{_FEATURES}-1/1.0/conf/{name}" for name in ("core", "oas30", "html", "geojson")),
    f"{_FEATURES}-2/1.0/conf/crs",
    *(
        f"{_FEATURES}-4/1.0/conf/{name}"
        for name in ("create-replace-delete", "update", "optimistic-locking-etags", "features")
    ),
    *(
        f"{_FEATURES}-3/1.0/conf/{name}"
        for name in ("queryables", "queryables-query-parameters", "filter", "features-filter")
    ),
    *(
        f"{_CQL2}/{name}"
        for name in (
            "cql2-text",
            "cql2-json",
            "basic-cql2",
            "advanced-comparison-operators",
            "case-insensitive-comparison",
            "accent-insensitive-comparison",
            "basic-spatial-functions",
            "basic-spatial-functions-plus",
            "spatial-functions",
            "temporal-functions",
            "property-property",
            "arithmetic",
        )
    ),
    *(
        f"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/{name}"
        for name in ("core", "tileset", "tilesets-list", "dataset-tilesets", "geodata-tilesets", "mvt")
    ),
    *(f"http://www.opengis.net/spec/tms/2.0/conf/{name}" for name in ("tilematrixset", "json-tilematrixset")),
)


@router.get(
    "/",
    operation_id="getLandingPage",
    summary="Landing page",
    responses={**content("LandingPage"), **PROBLEMS},
    response_class=Response,
)
def landing(request: Request, service: ServiceDep, base: BaseDep, f: FormatParameter = None) -> Response:
    """Where everything is, as JSON or (`f=html`) as a page; a browser that asks for nothing more gets the viewer."""
    if f is None and prefers_html(request):
        return viewer.index(request)
    links = _links(base)
    if wants_page(request, f):
        page = pages.landing(base, service.city.name, "Land and construction information of the city", links)
        return answer(request, page, HTML, headers=header(links))
    document = {
        "title": f"diaba · {service.city.name}",
        "description": "Land and construction information of the city: parcels, permits, plans, and the city as "
        "measured by LIDAR.",
        "links": links,
    }
    return answer(request, json_bytes(document), JSON, headers=header(links))


@router.get(
    "/conformance",
    operation_id="getConformance",
    summary="Conformance classes",
    responses={**content("Conformance"), **PROBLEMS},
    response_class=Response,
)
def conformance(request: Request, base: BaseDep, f: FormatParameter = None) -> Response:
    """The classes of OGC API the service implements."""
    if wants_page(request, f):
        return answer(request, pages.conformance(base, CONFORMS_TO), HTML)
    return answer(request, json_bytes({"conformsTo": CONFORMS_TO}), JSON)


@router.get("/api", include_in_schema=False)
def description(
    request: Request, f: Annotated[str | None, Query(pattern="^(json|openapi30|openapi31)$")] = None
) -> Response:
    """The service's description: OpenAPI 3.0, which clients read, or 3.1 where it is asked for."""
    newest = f == "openapi31" or (f is None and "version=3.1" in request.headers.get("accept", ""))
    document = request.app.openapi()
    if newest:
        return answer(request, json_bytes(document), OPENAPI_31)
    return answer(request, json_bytes(as_openapi_30(document)), OPENAPI_30)


def _links(base: str) -> list[Link]:
    return [
        link("self", f"{base}/?f=json", JSON, "This document"),
        link("alternate", f"{base}/?f=html", "text/html", "This document as a page"),
        link("service-desc", f"{base}/api?f=openapi30", OPENAPI_30, "OpenAPI 3.0 description"),
        link("service-desc", f"{base}/api?f=openapi31", OPENAPI_31, "OpenAPI 3.1 description"),
        link("conformance", f"{base}/conformance", JSON, "Conformance classes"),
        link("http://www.opengis.net/def/rel/ogc/1.0/conformance", f"{base}/conformance", JSON, "Conformance classes"),
        link("data", f"{base}/collections", JSON, "Lớp dữ liệu · Feature collections"),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector",
            f"{base}/tiles",
            JSON,
            "Ô bản đồ vector · Vector tiles",
        ),
        link("http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes", f"{base}/tileMatrixSets", JSON, "Tile grids"),
        link("related", f"{base}/tiles.json", JSON, "Vector tiles (TileJSON)"),
        link("related", f"{base}/changes", JSON, "Thay đổi · Changes"),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/tilesets-map",
            f"{base}/raster/dtm/tiles.json",
            JSON,
            "Địa hình · Shaded relief (TileJSON)",
        ),
        link("status", f"{base}/health/ready", JSON, "Health"),
        link("related", f"{base}/wmts/1.0.0/WMTSCapabilities.xml", "application/xml", "Ảnh địa hình · Terrain as WMTS"),
        link("related", f"{base}/terrain/layer.json", JSON, "Địa hình 3D · Terrain for globes (quantized-mesh)"),
        link("related", f"{base}/stac", JSON, "Danh mục LIDAR · LIDAR catalogue (STAC API)"),
    ]
