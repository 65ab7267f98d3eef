"""OGC API Features: the registers' layers as GeoJSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import GEOJSON, JSON, answer, json_bytes
from api.crs_names import NamedCrs, named
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.geojson import features
from api.query import after, area, key, moment, plain, token
from gis.bounds import BoundingBox
from gis.crs import WGS84
from gis.errors import BadParameter, NotFound
from gis.store.collections import COLLECTIONS, Collection
from gis.store.coverage import extent
from gis.store.items import ItemQuery, Page, find_item, find_items

router = APIRouter(prefix="/collections", tags=["Features"])

PARAMETERS = frozenset({"bbox", "bbox-crs", "crs", "limit", "offset", "token", "datetime", "known_at", "f"})
CollectionId = Annotated[str, Path(alias="collectionId", description="One of the collections.", examples=["parcels"])]
Format = Annotated[str | None, Query(description="`json`, the only form there is.", pattern="^(json|geojson)$")]
CrsParameter = Annotated[
    str | None,
    Query(description="CRS of the answer, a URI of the collection's list. Axes are in the order of its authority."),
]
DateTime = Annotated[
    str | None,
    Query(
        description="When it was so: a day, a date-time (its day counts) or an interval, `..` for an open end. "
        "Without it: today. Of an interval the newest version of each feature is shown.",
        examples=["2026-01-31", "2025-01-01/.."],
    ),
]
KnownAt = Annotated[
    str | None,
    Query(description="As the register knew it at this date-time; without it: now.", examples=["2026-01-31T12:00:00Z"]),
]


@router.get("", operation_id="getCollections", summary="Feature collections", responses=PROBLEMS)
def collections(request: Request, service: ServiceDep, base: BaseDep, f: Format = None) -> Response:
    """All layers of features, with their extents and the CRS they can be had in."""
    document = {
        "links": [_link("self", f"{base}/collections", JSON)],
        "crs": [crs.uri for crs in service.crs_offered],
        "collections": [_described(service, base, collection) for collection in COLLECTIONS.values()],
    }
    return answer(request, json_bytes(document), JSON)


@router.get("/{collectionId}", operation_id="describeCollection", summary="One collection", responses=PROBLEMS)
def collection_of(
    request: Request, service: ServiceDep, base: BaseDep, collection_id: CollectionId, f: Format = None
) -> Response:
    """A layer's description."""
    return answer(request, json_bytes(_described(service, base, _find(collection_id))), JSON)


@router.get(
    "/{collectionId}/items",
    operation_id="getFeatures",
    summary="Features",
    responses={200: {"description": "A page of features.", "content": {GEOJSON: {}}}, **PROBLEMS},
    response_class=Response,
)
def items(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    collection_id: CollectionId,
    bbox: Annotated[
        str | None,
        Query(
            description="Features that share a point with this box: min, min, max, max.",
            examples=["106.6,10.7,106.7,10.8"],
        ),
    ] = None,
    bbox_crs: Annotated[str | None, Query(alias="bbox-crs", description="CRS of `bbox`; CRS84 without it.")] = None,
    crs: CrsParameter = None,
    limit: Annotated[
        int | None, Query(ge=1, description="Features in an answer. More than the service's most gets the most.")
    ] = None,
    offset: Annotated[int, Query(ge=0, description="Features to skip; the link `next` is faster.")] = 0,
    page_token: Annotated[str | None, Query(alias="token", description="From a link `next`.")] = None,
    datetime: DateTime = None,
    known_at: KnownAt = None,
    f: Format = None,
) -> Response:
    """A page of a collection's features, in the order of their keys.

    A collection's own properties that may be asked for by equality are listed in its description (`filters`). The
    order is stable and `next` continues after the last feature seen, so no feature is skipped or seen twice while the
    register grows. `numberMatched` is exact; it is left out where counting would take long.
    """
    collection = _find(collection_id)
    among = service.crs_offered
    target = named("crs", crs, among)
    size = min(limit or service.limits.page_size, service.limits.page_size_most)
    if page_token is not None and offset:
        raise BadParameter("offset", offset, "give either offset or token")
    if offset > service.limits.offset_most:
        raise BadParameter("offset", "…", f"at most {service.limits.offset_most}; follow the link next")
    query = ItemQuery(
        limit=size,
        area=None if bbox is None else area(bbox, named("bbox-crs", bbox_crs, among), service.city.crs),
        moment=moment(datetime, known_at),
        filters=_filters(collection, request.query_params),
        after=None if page_token is None else after(page_token),
        offset=offset,
    )
    if query.area is not None and query.area.is_empty:
        page = Page((), 0, has_more=False)
    else:
        with service.reading() as connection:
            page = find_items(connection, collection, query)
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": features(page.items, service.city.crs, target),
        "numberReturned": len(page.items),
        "links": _page_links(request, base, collection, page),
    }
    if page.matched is not None:
        document["numberMatched"] = page.matched
    return answer(request, json_bytes(document), GEOJSON, headers=_content_crs(target))


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
    f: Format = None,
) -> Response:
    """A feature by its key, as it is today or was at another time."""
    collection = _find(collection_id)
    target = named("crs", crs, service.crs_offered)
    when, wanted = moment(datetime, known_at), key("feature", feature_id)
    with service.reading() as connection:
        found = find_item(connection, collection, wanted, when)
    if found is None:
        raise NotFound("feature", feature_id)
    document = features([found], service.city.crs, target)[0]
    here = f"{base}/collections/{collection.id}"
    document["links"] = [
        _link("self", _with(f"{here}/items/{quote(found.key, safe='')}", request.query_params), GEOJSON),
        _link("collection", here, JSON),
    ]
    return answer(request, json_bytes(document), GEOJSON, headers=_content_crs(target))


def _find(collection_id: str) -> Collection:
    found = COLLECTIONS.get(collection_id)
    if found is None:
        raise NotFound("collection", ascii(collection_id[:60])[1:-1])
    return found


def _described(service: Service, base: str, collection: Collection) -> dict[str, Any]:
    here = f"{base}/collections/{collection.id}"
    with service.reading() as connection:
        reach = extent(connection, service.city.crs, [collection.extent_of])
    described: dict[str, Any] = {
        "id": collection.id,
        "title": collection.title,
        "description": collection.description,
        "itemType": "feature",
        "crs": [crs.uri for crs in service.crs_offered],
        "storageCrs": service.crs_stored.uri,
        "filters": list(collection.filters),
        "links": [
            _link("self", here, JSON),
            _link("items", f"{here}/items", GEOJSON, collection.title),
        ],
    }
    if reach is not None:
        described["extent"] = {
            "spatial": {"bbox": [lonlat(reach)], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
        }
    return described


def lonlat(box: BoundingBox) -> list[float]:
    """West, south, east, north in degrees."""
    return [round(value, 7) for value in box.to(WGS84).tuple]


def _filters(collection: Collection, parameters: Mapping[str, str]) -> dict[str, str]:
    unknown = [name for name in parameters if name not in PARAMETERS and name not in collection.filters]
    if unknown:
        allowed = ", ".join(sorted(PARAMETERS | set(collection.filters)))
        raise BadParameter(ascii(unknown[0][:40])[1:-1], "…", f"no such parameter; there are {allowed}")
    return {name: plain(name, parameters[name]) for name in collection.filters if name in parameters}


def _page_links(request: Request, base: str, collection: Collection, page: Page) -> list[dict[str, str]]:
    here = f"{base}/collections/{collection.id}"
    parameters = dict(request.query_params)
    links = [_link("self", _with(f"{here}/items", parameters), GEOJSON), _link("collection", here, JSON)]
    if page.has_more:
        onward = {name: value for name, value in parameters.items() if name not in ("offset", "token")}
        onward["token"] = token(page.items[-1].key)
        links.append(_link("next", _with(f"{here}/items", onward), GEOJSON))
    return links


def _with(address: str, parameters: Mapping[str, str]) -> str:
    return f"{address}?{urlencode(parameters)}" if parameters else address


def _link(rel: str, href: str, media_type: str, title: str | None = None) -> dict[str, str]:
    return {"rel": rel, "href": href, "type": media_type} | ({"title": title} if title else {})


def _content_crs(crs: NamedCrs) -> dict[str, str]:
    return {"Content-Crs": f"<{crs.uri}>"}
