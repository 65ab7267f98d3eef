"""What answers look like, as JSON Schema, for the service's description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.answers import JSON
from gis.store.collections import Collection
from gis.store.property_types import TYPES, Kind

HTML = "text/html"
SCHEMA_JSON = "application/schema+json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _list(of: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": of, **more}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_POSITION = _list(_NUMBER, minItems=2, maxItems=3)
_LINE = _list(_POSITION, minItems=2)
_RING = _list(_POSITION, minItems=4)
_COORDINATES: Mapping[str, Any] = {
    "Point": _POSITION,
    "MultiPoint": _list(_POSITION),
    "LineString": _LINE,
    "MultiLineString": _list(_LINE),
    "Polygon": _list(_RING),
    "MultiPolygon": _list(_list(_RING)),
}

SCHEMAS: Mapping[str, Any] = {
    "Link": _object(("rel", "href", "type"), rel=_TEXT, href={"type": "string"}, type=_TEXT, title=_TEXT),
    "LandingPage": _object(("title", "links"), title=_TEXT, description=_TEXT, links=_list(_ref("Link"))),
    "Conformance": _object(("conformsTo",), conformsTo=_list(_TEXT)),
    "Collections": _object(
        ("links", "collections"),
        links=_list(_ref("Link")),
        crs=_list(_TEXT),
        collections=_list(_ref("Collection")),
    ),
    "Collection": _object(
        ("id", "links"),
        id=_TEXT,
        title=_TEXT,
        description=_TEXT,
        itemType={"type": "string", "enum": ["feature"]},
        crs=_list(_TEXT, minItems=1),
        storageCrs=_TEXT,
        filters=_list(_TEXT),
        links=_list(_ref("Link")),
        extent=_object(
            ("spatial",),
            spatial=_object(("bbox",), bbox=_list(_list(_NUMBER, minItems=4, maxItems=6), minItems=1), crs=_TEXT),
        ),
    ),
    "Queryables": _object(
        ("$schema", "$id", "type", "properties"),
        **{"$schema": _TEXT, "$id": _TEXT, "type": {"type": "string", "enum": ["object"]}, "title": _TEXT},
        properties={"type": "object", "additionalProperties": {"type": "object"}},
        additionalProperties={"type": "boolean"},
    ),
    "Geometry": {
        "oneOf": [
            _object(("type", "coordinates"), type={"type": "string", "enum": [kind]}, coordinates=coordinates)
            for kind, coordinates in _COORDINATES.items()
        ]
    },
}
"""By the names they have in the description."""


def content(name: str, media_type: str = JSON, *, page: bool = True) -> dict[int | str, dict[str, Any]]:
    """The description of an answer of 200, as data and as a page."""
    forms: dict[str, Any] = {media_type: {"schema": _ref(name)}}
    if page:
        forms[HTML] = {"schema": {"type": "string"}}
    return {200: {"description": name, "content": forms}}


def of_collection(collection: Collection) -> dict[str, Any]:
    """The schemas of a collection's features and of its pages, by name."""
    name = pascal(collection.id)
    properties = {"type": "object", "properties": {one: property_schema(one) for one in collection.properties}}
    feature = _object(
        ("type", "id", "geometry", "properties"),
        type={"type": "string", "enum": ["Feature"]},
        id=_TEXT,
        geometry={"anyOf": [_ref("Geometry"), {"type": "null"}]},
        properties=properties,
        links=_list(_ref("Link")),
    )
    page = _object(
        ("type", "features", "numberReturned", "links"),
        type={"type": "string", "enum": ["FeatureCollection"]},
        features=_list(_ref(f"{name}Feature")),
        numberReturned={"type": "integer", "minimum": 0},
        numberMatched={"type": "integer", "minimum": 0, "description": "Exact; absent where there are too many."},
        numberMatchedEstimate={
            "type": "integer",
            "minimum": 0,
            "description": "About how many match, where they were not counted; ask with resultType=hits.",
        },
        links=_list(_ref("Link")),
    )
    return {f"{name}Feature": feature, f"{name}Page": page}


def property_schema(name: str, *, of_query: bool = False) -> dict[str, Any]:
    """A property's type; in a filter it is never null."""
    told = TYPES[name]
    if told.kind is Kind.DOCUMENT:
        return {"title": told.title}
    kind = {Kind.TEXT: "string", Kind.DATE: "string", Kind.INTEGER: "integer", Kind.NUMBER: "number"}[told.kind]
    schema: dict[str, Any] = {"title": told.title, "type": kind if of_query else [kind, "null"]}
    if told.kind is Kind.DATE:
        schema["format"] = "date"
    if told.unit:
        schema["x-ogc-unit"] = told.unit
    return schema


def geometry_schema(collection: Collection) -> dict[str, Any]:
    """The geometry as a queryable."""
    kind = "linestring" if collection.id == "roads" else "polygon"
    return {"title": "Hình · Geometry", "format": f"geometry-{kind}", "x-ogc-role": "primary-geometry"}


def pascal(name: str) -> str:
    """`planning_zones` → `PlanningZones`."""
    return "".join(part.capitalize() for part in name.split("_"))
