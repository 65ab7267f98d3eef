"""OGC API Features: the features of a layer, a page at a time or one by its key."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl, quote

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import items_parameters, pages
from api.answers import GEOJSON, HTML, JSON, answer
from api.crs_names import NamedCrs, named
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.items_parameters import RESERVED, ItemsParameters
from api.links import QUERYABLES, Link, address, header, link
from api.query import after, area, chosen, equal, geometry, key, moment, sort_keys, token
from api.representation import FormatParameter, wants_page
from api.routes.collections import CollectionId, filters, find
from api.schemas import SCHEMA_JSON
from gis.errors import BadParameter, NotFound
from gis.filters import Language, parse
from gis.store.collections import Collection
from gis.store.cql2 import compile_filter
from gis.store.items import Form, ItemQuery, Page, counted, find_feature, find_page, kinds_of
from gis.store.property_types import TYPES, queryables

router = APIRouter(prefix="/collections", tags=["Features"])

CrsParameter = Annotated[str | None, Query(description=items_parameters.CRS)]
DateTime = Annotated[str | None, Query(description=items_parameters.DATETIME, examples=["2026-01-31", "2025-01-01/.."])]
KnownAt = Annotated[str | None, Query(description=items_parameters.KNOWN_AT, examples=["2026-01-31T12:00:00Z"])]
PropertiesParameter = Annotated[str | None, Query(description=items_parameters.PROPERTIES)]
SkipGeometry = Annotated[bool, Query(alias="skipGeometry", description=items_parameters.SKIP_GEOMETRY)]


@router.get(
    "/{collectionId}/items",
    operation_id="getFeatures",
    summary="Features",
    responses={200: {"description": "A page of features.", "content": {GEOJSON: {}}}, **PROBLEMS},
    response_class=Response,
    openapi_extra={"parameters": items_parameters.described()},
)
def items(request: Request, service: ServiceDep, base: BaseDep, collection_id: CollectionId) -> Response:
    """A page of a collection's features, in the order of their keys or as `sortby` says.

    A collection's own properties that may be asked for by equality are parameters too, as its description (`filters`)
    lists them. The order is stable and `next` continues after the last feature seen, so no feature is skipped or seen
    twice while the register grows. `numberMatched` is exact; it is left out where counting would take long, and
    `numberMatchedEstimate` says about how many there are.
    """
    collection, asked = find(collection_id), items_parameters.read(request)
    among = service.crs_offered
    target = named("crs", asked.crs, among)
    query = _query(service, collection, asked, request)
    form = _form(collection, target, asked.properties, asked.skip_geometry)
    if asked.result_type == "hits":
        with service.reading(transaction=False) as connection:
            page = Page((), counted(connection, collection, query), None, None)
    elif query.area is not None and query.area.is_empty:
        page = Page((), 0, None, None)
    else:
        with service.reading(transaction=False) as connection:
            page = find_page(connection, collection, query, form)
    links = _page_links(request, base, collection, page)
    headers = {**_content_crs(target), **header(links)}
    if wants_page(request, asked.f):
        return answer(request, pages.items(base, collection, page, links, _data(links)), HTML, headers=headers)
    return answer(request, _document(page, links), GEOJSON, headers=headers)


@router.get(
    "/{collectionId}/items/{featureId}",
    operation_id="getFeature",
    summary="One feature",
    responses={200: {"description": "The feature.", "content": {GEOJSON: {}}}, **PROBLEMS},
    response_class=Response,
)
def item(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    collection_id: CollectionId,
    feature_id: Annotated[str, Path(alias="featureId", description="The feature's key.")],
    crs: CrsParameter = None,
    datetime: DateTime = None,
    known_at: KnownAt = None,
    properties: PropertiesParameter = None,
    skip_geometry: SkipGeometry = False,
    f: FormatParameter = None,
) -> Response:
    """A feature by its key, as it is today or was at another time."""
    collection = find(collection_id)
    target = named("crs", crs, service.crs_offered)
    when, wanted = moment(datetime, known_at), key("feature", feature_id)
    form = _form(collection, target, properties, skip_geometry)
    with service.reading(transaction=False) as connection:
        found = find_feature(connection, collection, wanted, form, when)
    if found is None:
        raise NotFound("feature", feature_id)
    here = f"{base}/collections/{collection.id}"
    links = [
        *_two_forms(f"{here}/items/{quote(wanted, safe='')}", request, GEOJSON),
        link("collection", here, JSON, collection.title),
    ]
    headers = {**_content_crs(target), **header(links)}
    if wants_page(request, f):
        return answer(request, pages.item(base, collection, found.text, _data(links)), HTML, headers=headers)
    body = found.text.encode()[:-1] + b',"links":' + orjson.dumps(links) + b"}"
    return answer(request, body, GEOJSON, headers=headers, revision=found.version)


def _document(page: Page, links: list[Link]) -> bytes:
    """The page as GeoJSON; the features are in it as the store wrote them."""
    told: dict[str, Any] = {"numberReturned": len(page.features), "links": links}
    if page.matched is not None:
        told["numberMatched"] = page.matched
    if page.estimate is not None:
        told["numberMatchedEstimate"] = page.estimate
    features = ",".join(page.features).encode()
    return b'{"type":"FeatureCollection","features":[' + features + b"]," + orjson.dumps(told)[1:]


def _query(service: Service, collection: Collection, asked: ItemsParameters, request: Request) -> ItemQuery:
    among, city, limits = service.crs_offered, service.city.crs, service.limits
    if asked.token is not None and asked.offset:
        raise BadParameter("offset", asked.offset, "give either offset or token")
    if asked.offset > limits.offset_most:
        raise BadParameter("offset", "…", f"at most {limits.offset_most}; follow the link next")
    sort = sort_keys(asked.sortby, queryables(collection.properties))
    where = None
    if asked.filter is not None:
        crs = named("filter-crs", asked.filter_crs, among)
        tree = parse(asked.filter, Language(asked.filter_lang))
        where = compile_filter(tree, collection, lambda shape: geometry(shape, crs, city))
    return ItemQuery(
        limit=min(asked.limit or limits.page_size, limits.page_size_most),
        area=None if asked.bbox is None else area(asked.bbox, named("bbox-crs", asked.bbox_crs, among), city),
        moment=moment(asked.datetime, asked.known_at),
        equal=_equal(collection, request),
        where=where,
        sort=sort,
        after=None if asked.token is None else after(asked.token, kinds_of(sort)),
        offset=asked.offset,
    )


def _form(collection: Collection, crs: NamedCrs, properties: str | None, skip_geometry: bool) -> Form:
    shown = chosen(properties, tuple(collection.properties))
    return Form(crs.srid, crs.decimals, crs.is_north_first, shown, with_geometry=not skip_geometry)


def _equal(collection: Collection, request: Request) -> dict[str, Any]:
    parameters, allowed = request.query_params, filters(collection)
    unknown = [name for name in parameters if name not in RESERVED and name not in allowed]
    if unknown:
        listed = ", ".join(sorted(RESERVED | set(allowed)))
        raise BadParameter(ascii(unknown[0][:40])[1:-1], "…", f"no such parameter; there are {listed}")
    return {name: equal(name, parameters[name], TYPES[name].kind) for name in allowed if name in parameters}


def _page_links(request: Request, base: str, collection: Collection, page: Page) -> list[Link]:
    here = f"{base}/collections/{collection.id}"
    links = [
        *_two_forms(f"{here}/items", request, GEOJSON),
        link("collection", here, JSON, collection.title),
        link(QUERYABLES, f"{here}/queryables", SCHEMA_JSON),
    ]
    if page.last is not None:
        onward = {name: value for name, value in request.query_params.items() if name not in ("offset", "token")}
        links.append(link("next", address(f"{here}/items", onward, token=token(page.last)), GEOJSON))
    return links


def _two_forms(here: str, request: Request, media_type: str) -> list[Link]:
    parameters = dict(request.query_params)
    return [
        link("self", address(here, parameters), media_type),
        link("alternate", address(here, parameters, f="html"), "text/html"),
    ]


def _data(links: list[Link]) -> str:
    """The address of the same as GeoJSON in degrees."""
    path, _, query = links[0]["href"].partition("?")
    return address(path, {name: value for name, value in parse_qsl(query) if name not in ("crs", "f")}, f="json")


def _content_crs(crs: NamedCrs) -> dict[str, str]:
    return {"Content-Crs": f"<{crs.uri}>"}
