"""The HTTP service of one city."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version

import anyio.to_thread
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api.access.authenticate import Authenticate
from api.access.authority import Authority
from api.access.dev_issuer import issuer as dev_issuer
from api.access.settings import AccessSettings
from api.access.sign_in import SignIn
from api.dependencies import Service
from api.errors import add_handlers, handler
from api.kept import Keeper
from api.limits import Counted, Limits
from api.middleware import Envelope
from api.openapi import describe
from api.routes.tiles3d import KEPT_BYTES
from api.routing import ROUTERS
from api.settings import ServiceSettings
from api.stopping import EndRequests
from api.tile_service import TileService
from gis.settings import City, Settings
from gis.store.database import Database


def create_app(
    settings: Settings, city: City, limits: ServiceSettings | None = None, access: AccessSettings | None = None
) -> FastAPI:
    """Make the application that serves a city.

    Nothing is opened here: the lifespan opens what requests need and closes it. A store that does not answer does not
    keep the service from starting; requests are told so until it does.
    """
    service = Service.of(city, Database.of(city, settings), limits or ServiceSettings())
    vector_tiles = TileService(service)
    believed = access or AccessSettings()
    further = (dev_issuer(settings, city, believed),) if believed.dev_issuer else ()
    authority = Authority(believed, city.folder, service.key_of, further)

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
        # The service describes itself in two versions of OpenAPI (api/routes/landing.py).
        openapi_url=None,
        # The interactive pages load their scripts from other hosts.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.sign_in = SignIn(believed)
    app.state.counted = Counted.by(service.limits.rates)
    app.state.tiles = vector_tiles
    app.state.tiles3d = Keeper(KEPT_BYTES)
    add_handlers(app, service.limits.retry_seconds)
    for router in ROUTERS:
        app.include_router(router)
    describe(app)
    # From the inside out. Who asks is to be known before requests are counted.
    app.add_middleware(EndRequests, stopping=service.stopping, retry_seconds=service.limits.retry_seconds)
    app.add_middleware(Limits, settings=service.limits, counted=app.state.counted)
    app.add_middleware(Authenticate, authority=authority, retry_seconds=service.limits.retry_seconds)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        # STAC's search is a POST; what changes a register is asked for by programs, not by other sites' pages.
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["Authorization", "Content-Type", "If-None-Match", "Range", "X-API-Key"],
        expose_headers=[
            "Accept-Ranges",
            "Content-Crs",
            "Content-Length",
            "Content-Range",
            "ETag",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "X-Left-Out",
            "X-Request-Id",
        ],
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
