"""Whether the service lives, and whether it can answer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from api.answers import JSON
from api.dependencies import ServiceDep
from api.errors import PROBLEMS
from api.register_schemas import LIVE, READY, Schema
from gis.store.coverage import city_name
from gis.store.migrate import check_version

router = APIRouter(prefix="/health", tags=["Service"])
_FRESH = {"Cache-Control": "no-store"}


def _described(schema: Schema) -> dict[str, Any]:
    return {"description": "It does.", "content": {JSON: {"schema": schema}}}


@router.get("/live", operation_id="getLiveness", summary="Liveness", responses={200: _described(LIVE)})
async def live() -> Response:
    """The process answers. It says nothing of the store: restarting the service would not mend that."""
    # Not on one of the threads: all of them may be waiting for the store.
    return JSONResponse({"status": "live"}, headers=_FRESH)


@router.get("/ready", operation_id="getReadiness", summary="Readiness", responses={200: _described(READY), **PROBLEMS})
def ready(service: ServiceDep) -> Response:
    """The store answers, holds the city, and is at this program's version; else 503, and when to try again."""
    with service.reading() as connection:
        name = city_name(connection)
        check_version(connection)
    return JSONResponse({"status": "ready", "city": name}, headers=_FRESH)
