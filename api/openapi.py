"""The service's description (OpenAPI 3.1), as far as FastAPI cannot know it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.errors import PROBLEM_SCHEMA

TAGS = [
    {"name": "Service", "description": "What there is and whether it works."},
    {"name": "Features", "description": "The registers' layers as GeoJSON (OGC API Features, parts 1 and 2)."},
    {
        "name": "Tiles",
        "description": "Vector tiles (MVT 2.1), their TileJSON and tile sets (OGC API Tiles), and what changes.",
    },
    {"name": "Raster", "description": "Terrain as pictures and as values."},
    {"name": "Permits", "description": "Giấy phép xây dựng · Building permits: where a dossier stands."},
    {"name": "Buildings", "description": "Measured buildings with their uncertainty, and as CityJSON."},
]


def describe(app: FastAPI) -> None:
    """Make `app.openapi` answer with errors as problem documents instead of FastAPI's own form."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes, tags=TAGS
            )
            _replace_errors(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _replace_errors(document: dict[str, Any]) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM_SCHEMA
