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
from api.kept import Keeper
from api.middleware import Envelope
from api.openapi import describe
from api.routes import (
    city_models,
    collections,
    health,
    landing,
    models,
    parcels,
    permits,
    point_tiles,
    raster,
    tilejson,
    tiles,
    tiles3d,
    viewer,
)
from api.settings import ServiceSettings
from gis.settings import City, Settings
from gis.store.database import Database


def create_app(settings: Settings, city: City, limits: ServiceSettings | None = None) -> FastAPI:
    """Make the application that serves a city.

    Nothing is opened here: the lifespan opens what requests need and closes it. A store that does not answer does not
    keep the service from starting; requests are told so until it does.
    """
    service = Service(city, Database.of(city, settings), limits or ServiceSettings())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = service.limits.threads
        try:
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
    app.state.tiles3d = Keeper(tiles3d.KEPT_BYTES)
    add_handlers(app, service.limits.retry_seconds)
    for module in (
        landing,
        collections,
        tilejson,
        tiles,
        raster,
        tiles3d,
        point_tiles,
        city_models,
        models,
        parcels,
        permits,
        health,
        viewer,
    ):
        app.include_router(module.router)
    describe(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD"],
        expose_headers=["Content-Crs", "ETag", "Retry-After", "X-Request-Id"],
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
