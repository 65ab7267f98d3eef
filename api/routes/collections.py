"""OGC API Features: which layers there are, and by what they can be filtered and sorted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from sqlalchemy import Connection
from starlette.responses import Response

from api import pages
from api.answers import GEOJSON, HTML, JSON, answer, json_bytes
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.items_parameters import RESERVED
from api.links import QUERYABLES, SORTABLES, Link, header, link
from api.representation import FormatParameter, wants_page
from api.schemas import DIALECT, SCHEMA_JSON, content, geometry_schema, property_schema
from gis.bounds import BoundingBox
from gis.crs import WGS84
from gis.errors import NotFound
from gis.store.collections import COLLECTIONS, Collection
from gis.store.coverage import extent
from gis.store.property_types import GEOMETRY, queryables

router = APIRouter(prefix="/collections", tags=["Features"])

CollectionId = Annotated[str, Path(alias="collectionId", description="One of the collections.", examples=["parcels"])]


@router.get(
    "",
    operation_id="getCollections",
    summary="Feature collections",
    responses={**content("Collections"), **PROBLEMS},
    response_class=Response,
)
def collections(request: Request, service: ServiceDep, base: BaseDep, f: FormatParameter = None) -> Response:
    """All layers of features, with their extents and the CRS they can be had in."""
    links = _own(f"{base}/collections", JSON)
    with service.reading() as connection:
        described = [describe(connection, service, base, collection) for collection in COLLECTIONS.values()]
    if wants_page(request, f):
        return answer(request, pages.collections(base, described), HTML, headers=header(links))
    document = {
        "links": links,
        "crs": [crs.uri for crs in service.crs_offered],
        "collections": described,
    }
    return answer(request, json_bytes(document), JSON, headers=header(links))


@router.get(
    "/{collectionId}",
    operation_id="describeCollection",
    summary="One collection",
    responses={**content("Collection"), **PROBLEMS},
    response_class=Response,
)
def collection_of(
    request: Request, service: ServiceDep, base: BaseDep, collection_id: CollectionId, f: FormatParameter = None
) -> Response:
    """A layer's description."""
    collection = find(collection_id)
    with service.reading() as connection:
        described = describe(connection, service, base, collection)
    if wants_page(request, f):
        return answer(request, pages.collection(base, described), HTML, headers=header(described["links"]))
    return answer(request, json_bytes(described), JSON, headers=header(described["links"]))


@router.get(
    "/{collectionId}/queryables",
    operation_id="getQueryables",
    summary="What can be filtered by",
    responses={**content("Queryables", SCHEMA_JSON), **PROBLEMS},
    response_class=Response,
)
def queryables_of(request: Request, base: BaseDep, collection_id: CollectionId, f: FormatParameter = None) -> Response:
    """The properties a filter (CQL2) may name, as JSON Schema. Others are refused."""
    collection = find(collection_id)
    names = queryables(collection.properties)
    return _schema(request, base, collection, "queryables", names, {GEOMETRY: geometry_schema(collection)}, f)


@router.get(
    "/{collectionId}/sortables",
    operation_id="getSortables",
    summary="What can be sorted by",
    responses={**content("Queryables", SCHEMA_JSON), **PROBLEMS},
    response_class=Response,
)
def sortables_of(request: Request, base: BaseDep, collection_id: CollectionId, f: FormatParameter = None) -> Response:
    """The properties `sortby` may name, as JSON Schema."""
    collection = find(collection_id)
    return _schema(request, base, collection, "sortables", queryables(collection.properties), {}, f)


def find(collection_id: str) -> Collection:
    """The collection of that name.

    Raises:
        NotFound: there is none.
    """
    found = COLLECTIONS.get(collection_id)
    if found is None:
        raise NotFound("collection", ascii(collection_id[:60])[1:-1])
    return found


def filters(collection: Collection) -> list[str]:
    """Properties that may be asked for by equality, each by a parameter of its name."""
    return [name for name in queryables(collection.properties) if name not in RESERVED]


def describe(connection: Connection, service: Service, base: str, collection: Collection) -> dict[str, Any]:
    """A collection's description."""
    here = f"{base}/collections/{collection.id}"
    reach = extent(connection, service.city.crs, [collection.extent_of])
    described: dict[str, Any] = {
        "id": collection.id,
        "title": collection.title,
        "description": collection.description,
        "itemType": "feature",
        "crs": [crs.uri for crs in service.crs_offered],
        "storageCrs": service.crs_stored.uri,
        "filters": filters(collection),
        "links": [
            *_own(here, JSON),
            link("items", f"{here}/items", GEOJSON, collection.title),
            link("items", f"{here}/items?f=html", "text/html", collection.title),
            link(QUERYABLES, f"{here}/queryables", SCHEMA_JSON, "Queryables"),
            link(SORTABLES, f"{here}/sortables", SCHEMA_JSON, "Sortables"),
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


def _own(address: str, media_type: str) -> list[Link]:
    """The links of a document to itself, as data and as a page."""
    return [link("self", address, media_type), link("alternate", f"{address}?f=html", "text/html")]


def _schema(
    request: Request,
    base: str,
    collection: Collection,
    what: str,
    names: Iterable[str],
    more: Mapping[str, Any],
    f: str | None,
) -> Response:
    address = f"{base}/collections/{collection.id}/{what}"
    document = {
        "$schema": DIALECT,
        "$id": address,
        "type": "object",
        "title": collection.title,
        "properties": {**{name: property_schema(name, of_query=True) for name in names}, **more},
        "additionalProperties": False,
    }
    links = _own(address, SCHEMA_JSON)
    if wants_page(request, f):
        return answer(request, pages.properties(base, collection, what, document), HTML, headers=header(links))
    return answer(request, json_bytes(document), SCHEMA_JSON, headers=header(links))
