"""The HTTP service of one city."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version

import anyio.to_thread
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api.dependencies import Service
from api.errors import add_handlers, handler
from api.middleware import Envelope
from api.openapi import describe
from api.routes import (
    changes,
    collections,
    health,
    landing,
    models,
    parcels,
    permits,
    raster,
    tilejson,
    tiles,
    tilesets,
    viewer,
)
from api.settings import ServiceSettings
from api.tile_service import TileService
from gis.settings import City, Settings
from gis.store.database import Database


def create_app(settings: Settings, city: City, limits: ServiceSettings | None = None) -> FastAPI:
    """Make the application that serves a city.

    Nothing is opened here: the lifespan opens what requests need and closes it. A store that does not answer does not
    keep the service from starting; requests are told so until it does.
    """
    service = Service(city, Database.of(city, settings), limits or ServiceSettings())
    vector_tiles = TileService(service)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = service.limits.threads
        try:
            async with vector_tiles.changes.heard():
                yield
        finally:
            service.close()

    app = FastAPI(
        title=f"diaba · {city.name}",
        version=_version(),
        summary="Land and construction information of a city",
        lifespan=lifespan,
        openapi_url="/api",
        # The interactive pages load their scripts from other hosts.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.tiles = vector_tiles
    add_handlers(app, service.limits.retry_seconds)
    features = (landing, collections, models, parcels, permits)
    for module in (*features, tilejson, tiles, tilesets, changes, raster, health, viewer):
        app.include_router(module.router)
    describe(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD"],
        expose_headers=["Content-Crs", "ETag", "Retry-After", "X-Left-Out", "X-Request-Id"],
        max_age=86_400,
    )
    app.add_middleware(Envelope, on_failure=handler(HTTPStatus.INTERNAL_SERVER_ERROR, service.limits.retry_seconds))
    return app


def _version() -> str:
    try:
        return version("diaba")
    except PackageNotFoundError:
        # A checkout that was not installed.
        return "0.0.0"
