"""The service's description (OpenAPI 3.1, and 3.0 of it), as far as FastAPI cannot know it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.answers import GEOJSON
from api.errors import PROBLEM_SCHEMA
from api.schemas import HTML, SCHEMAS, of_collection, pascal, property_schema
from gis.store.collections import COLLECTIONS, Collection
from gis.store.edits import WRITABLE
from gis.store.property_types import queryables

OPENAPI_30 = "application/vnd.oai.openapi+json;version=3.0"
OPENAPI_31 = "application/vnd.oai.openapi+json;version=3.1"
TAGS = [
    {"name": "Service", "description": "What there is and whether it works."},
    {"name": "Features", "description": "The registers' layers as GeoJSON (OGC API Features, parts 1, 2 and 3)."},
    {"name": "Changes", "description": "Features created, replaced, updated and ended (OGC API Features, part 4)."},
    {"name": "Tiles", "description": "Vector tiles of WebMercatorQuad (MVT 2.1) and their TileJSON."},
    {"name": "Raster", "description": "Terrain as pictures, values, profiles and meshes for globes."},
    {"name": "Catalogue", "description": "What LIDAR measured, as STAC, and the files themselves by HTTP ranges."},
    {"name": "Permits", "description": "Giấy phép xây dựng · Building permits: where a dossier stands."},
    {
        "name": "Compliance",
        "description": "Hồ sơ kiểm tra · From a flagged difference to an inspection and its outcome.",
    },
    {"name": "Buildings", "description": "Measured buildings with their uncertainty, and as CityJSON."},
]
_ITEMS = "/collections/{collectionId}/items"

SECURITY: dict[str, Any] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the city's issuer.",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key of a machine."},
    "password": {"type": "http", "scheme": "basic", "description": "A key as the password, for clients without more."},
}


def describe(app: FastAPI) -> None:
    """Make `app.openapi` answer with errors as problem documents, and with the features of each collection."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document: dict[str, Any] = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes, tags=TAGS
            )
            _replace_errors(document)
            _say_who_may_ask(document)
            _name_collections(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def as_openapi_30(document: Mapping[str, Any]) -> dict[str, Any]:
    """The description in OpenAPI 3.0, which has null as a keyword of its own and one example a schema."""
    older: dict[str, Any] = _older(document)
    older["openapi"] = "3.0.3"
    older["info"].pop("summary", None)
    return older


def _older(node: Any) -> Any:
    if isinstance(node, list):
        return [_older(one) for one in node]
    if not isinstance(node, Mapping):
        return node
    made = {name: _older(value) for name, value in node.items()}
    kinds = made.get("type")
    if isinstance(kinds, list):
        made["type"] = next(kind for kind in kinds if kind != "null")
        made["nullable"] = True
    either = next((word for word in ("anyOf", "oneOf") if isinstance(made.get(word), list)), "")
    options = made.get(either, [])
    if {"type": "null"} in options:
        left = [one for one in options if one != {"type": "null"}]
        del made[either]
        # Beside a reference nothing else counts in 3.0.
        made |= {"nullable": True, **({"allOf": left} if "$ref" in left[0] else left[0])}
    if isinstance(made.get("examples"), list):
        made["example"] = made.pop("examples")[0]
    if "const" in made and not isinstance(made["const"], Mapping):
        made["enum"] = [made.pop("const")]
    for name, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(name), int | float) and not isinstance(made.get(name), bool):
            made[limit], made[name] = made[name], True
    return made


def _replace_errors(document: dict[str, Any]) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    schemas |= SCHEMAS


def _say_who_may_ask(document: dict[str, Any]) -> None:
    """Everything answers the public too, hence the empty requirement."""
    document["components"]["securitySchemes"] = SECURITY
    document["security"] = [{}, *({name: []} for name in SECURITY)]


def _name_collections(document: dict[str, Any]) -> None:
    """Put a path for each collection in the place of the one for all, with the collection's own parameters.

    Clients such as GDAL read there which properties they may ask for.
    """
    paths: dict[str, Any] = {}
    for path, operations in document["paths"].items():
        if not path.startswith(_ITEMS):
            paths[path] = operations
            continue
        for collection in COLLECTIONS.values():
            named = path.replace("{collectionId}", collection.id)
            paths[named] = {
                method: _of_collection(operation, collection, one=path != _ITEMS)
                for method, operation in operations.items()
                if method == "get" or collection.id in WRITABLE
            }
    document["paths"] = paths
    for collection in COLLECTIONS.values():
        document["components"]["schemas"] |= of_collection(collection)


def _of_collection(operation: Mapping[str, Any], collection: Collection, *, one: bool) -> dict[str, Any]:
    made = deepcopy(dict(operation))
    name = pascal(collection.id)
    made["operationId"] = f"{made['operationId']}Of{name}"
    made["summary"] = f"{made['summary']}: {collection.title}"
    taken = {parameter["name"] for parameter in made["parameters"]}
    made["parameters"] = [parameter for parameter in made["parameters"] if parameter["name"] != "collectionId"]
    if not one and made["operationId"].startswith("getFeatures"):
        made["parameters"] += [
            {
                "name": queryable,
                "in": "query",
                "required": False,
                "description": told.title,
                "schema": property_schema(queryable, of_query=True),
            }
            for queryable, told in queryables(collection.properties).items()
            if queryable not in taken
        ]
    of_one = {"schema": {"$ref": f"#/components/schemas/{name}Feature"}}
    forms = {
        GEOJSON: {"schema": {"$ref": f"#/components/schemas/{name}{'Feature' if one else 'Page'}"}},
        HTML: {"schema": {"type": "string"}},
    }
    for status in ("200", "201"):
        if status in made["responses"]:
            shown = forms if status == "200" and made["operationId"].startswith("getF") else {GEOJSON: of_one}
            made["responses"][status]["content"] = shown
            made["responses"][status]["headers"] = {
                "Content-Crs": {"description": "CRS of the coordinates.", "schema": {"type": "string"}}
            }
    return made
