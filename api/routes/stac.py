"""STAC API 1.0: the LIDAR catalogue as collections and items, and a search over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Body, Path, Query, Request
from starlette.responses import Response

from api.answers import GEOJSON, JSON, answer, json_bytes
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.query import key
from api.stac import CATALOGUE, TITLES, VERSION, collection, item
from api.stac_query import from_url, page_token, search
from gis.errors import NotFound
from gis.store.holdings import COLLECTIONS, Holdings, covered, find, find_one

router = APIRouter(prefix="/stac", tags=["Catalogue"])

CONFORMS_TO = (
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
)
OPENAPI = "application/vnd.oai.openapi+json;version=3.1"
CollectionId = Annotated[
    str, Path(alias="collectionId", description="One of the catalogue's collections.", examples=["dtm"])
]
Box = Annotated[str | None, Query(description="West, south, east, north, degrees.", examples=["106.6,10.7,106.8,10.8"])]
When = Annotated[
    str | None, Query(alias="datetime", description="A date-time or an interval after RFC 3339, `..` for an open end.")
]
Limit = Annotated[str | None, Query(description="Items in an answer, from 1; the service may give fewer.")]
Token = Annotated[str | None, Query(alias="token", description="From a link `next`.")]
ITEMS: dict[int | str, dict[str, Any]] = {200: {"description": "Items.", "content": {GEOJSON: {}}}, **PROBLEMS}


@router.get("", operation_id="getStacLandingPage", summary="STAC catalogue", responses=PROBLEMS)
def landing(request: Request, service: ServiceDep, base: BaseDep) -> Response:
    """The catalogue of what was measured: surveys, points and rasters."""
    children = [_link("child", f"{base}/stac/collections/{name}", JSON, TITLES[name][0]) for name in COLLECTIONS]
    document = {
        "type": "Catalog",
        "stac_version": VERSION,
        "id": f"diaba-{service.city.name}",
        "title": f"diaba · {service.city.name}",
        "description": "What LIDAR measured of the city: survey files, classified points, terrain and surface, each "
        "with its campaign, CRS, heights' datum and SHA-256.",
        "conformsTo": CONFORMS_TO,
        "links": [
            _link("self", f"{base}/stac", JSON, CATALOGUE),
            _link("root", f"{base}/stac", JSON, CATALOGUE),
            _link("service-desc", f"{base}/stac/api", OPENAPI, "OpenAPI description"),
            _link("service-doc", f"{base}/?f=html", "text/html", "Pages of the service"),
            _link("conformance", f"{base}/stac/conformance", JSON, "Conformance classes"),
            _link("data", f"{base}/stac/collections", JSON, "Collections"),
            {**_link("search", f"{base}/stac/search", GEOJSON, "Search"), "method": "GET"},
            {**_link("search", f"{base}/stac/search", GEOJSON, "Search by a JSON body"), "method": "POST"},
            *children,
        ],
    }
    return answer(request, json_bytes(document), JSON)


@router.get("/api", operation_id="getStacApi", summary="OpenAPI description", include_in_schema=False)
def description(request: Request) -> Response:
    """The description of the whole service, in the media type the landing page says."""
    return answer(request, json_bytes(request.app.openapi()), OPENAPI)


@router.get("/conformance", operation_id="getStacConformance", summary="Conformance classes", responses=PROBLEMS)
def conformance(request: Request) -> Response:
    """The classes of STAC API the catalogue implements."""
    return answer(request, json_bytes({"conformsTo": CONFORMS_TO}), JSON)


@router.get("/collections", operation_id="getStacCollections", summary="Collections of files", responses=PROBLEMS)
def collections(request: Request, service: ServiceDep, base: BaseDep) -> Response:
    """Terrain, surface, height above ground, classified points, and survey files as delivered."""
    with service.reading() as connection:
        held = covered(connection)
    document = {
        "collections": [collection(name, held[name], service.city.crs, base) for name in COLLECTIONS],
        "links": [
            _link("self", f"{base}/stac/collections", JSON, "Collections"),
            _link("root", f"{base}/stac", JSON, CATALOGUE),
        ],
    }
    return answer(request, json_bytes(document), JSON)


@router.get(
    "/collections/{collectionId}", operation_id="getStacCollection", summary="A collection of files", responses=PROBLEMS
)
def one_collection(request: Request, service: ServiceDep, base: BaseDep, collection_id: CollectionId) -> Response:
    """What it holds, where and when."""
    _check(collection_id)
    with service.reading() as connection:
        held = covered(connection)
    return answer(request, json_bytes(collection(collection_id, held[collection_id], service.city.crs, base)), JSON)


@router.get(
    "/collections/{collectionId}/items",
    operation_id="getStacItems",
    summary="Files of a collection",
    responses=ITEMS,
    response_class=Response,
)
def items(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    collection_id: CollectionId,
    bbox: Box = None,
    when: When = None,
    limit: Limit = None,
    page: Token = None,
) -> Response:
    """A page of items, by area and time."""
    _check(collection_id)
    given = {**from_url(request.query_params), "collections": [collection_id]}
    return _found(request, service, base, given, f"{base}/stac/collections/{collection_id}/items", is_body=False)


@router.get(
    "/collections/{collectionId}/items/{itemId}",
    operation_id="getStacItem",
    summary="A file",
    responses=ITEMS,
    response_class=Response,
)
def one_item(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    collection_id: CollectionId,
    item_id: Annotated[str, Path(alias="itemId", description="The item's id.")],
) -> Response:
    """A file with its place, time, CRS, datum and checksum, and where to get it."""
    _check(collection_id)
    wanted = key("item", item_id)
    with service.reading() as connection:
        found = find_one(connection, collection_id, wanted)
    if found is None:
        raise NotFound("item", ascii(item_id[:80])[1:-1])
    return answer(request, json_bytes(item(found, service, base)), GEOJSON)


@router.get(
    "/search", operation_id="getStacSearch", summary="Search the catalogue", responses=ITEMS, response_class=Response
)
def search_get(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    bbox: Box = None,
    when: When = None,
    intersects: Annotated[str | None, Query(description="A GeoJSON geometry, instead of bbox.")] = None,
    ids: Annotated[str | None, Query(description="Items' ids, by commas.")] = None,
    collections: Annotated[str | None, Query(description="Collections, by commas.", examples=["dtm,dsm"])] = None,
    limit: Limit = None,
    page: Token = None,
) -> Response:
    """Items of all collections by area, time and id, in the order of collection and id."""
    return _found(request, service, base, from_url(request.query_params), f"{base}/stac/search", is_body=False)


@router.post(
    "/search", operation_id="postStacSearch", summary="Search the catalogue", responses=ITEMS, response_class=Response
)
def search_post(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    body: Annotated[dict[str, Any], Body(description="Members as the parameters of GET; geometry as GeoJSON.")],
) -> Response:
    """The same search, asked for by a JSON body."""
    return _found(request, service, base, body, f"{base}/stac/search", is_body=True)


def _found(
    request: Request, service: Service, base: str, given: Mapping[str, Any], here: str, *, is_body: bool
) -> Response:
    query = search(given, service.city.crs, service.limits.page_size_most)
    if query.area is not None and query.area.is_empty:
        page = Holdings((), 0, has_more=False)
    else:
        with service.reading() as connection:
            page = find(connection, query)
    self_href = here if is_body else _with(here, dict(request.query_params))
    links: list[dict[str, Any]] = [
        _link("self", self_href, GEOJSON, "These items"),
        _link("root", f"{base}/stac", JSON, CATALOGUE),
    ]
    if page.has_more:
        onward = page_token(page.found[-1].collection, page.found[-1].key)
        if is_body:
            body = {**given, "token": onward}
            links.append({"rel": "next", "href": here, "type": GEOJSON, "method": "POST", "body": body})
        else:
            parameters = {**request.query_params, "token": onward}
            links.append({"rel": "next", "href": _with(here, parameters), "type": GEOJSON, "method": "GET"})
    document = {
        "type": "FeatureCollection",
        "features": [item(one, service, base) for one in page.found],
        "links": links,
        "numberMatched": page.matched,
        "numberReturned": len(page.found),
    }
    return answer(request, json_bytes(document), GEOJSON)


def _check(name: str) -> None:
    if name not in COLLECTIONS:
        raise NotFound("collection", ascii(name[:60])[1:-1])


def _with(address: str, parameters: Mapping[str, str]) -> str:
    return f"{address}?{urlencode(parameters)}" if parameters else address


def _link(rel: str, href: str, media_type: str, title: str) -> dict[str, str]:
    return {"rel": rel, "href": href, "type": media_type, "title": title}
