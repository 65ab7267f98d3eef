"""Whether the service lives, and whether it can answer."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from api.dependencies import ServiceDep
from api.errors import PROBLEMS
from gis.store.coverage import city_name
from gis.store.migrate import check_version

router = APIRouter(prefix="/health", tags=["Service"])
_FRESH = {"Cache-Control": "no-store"}


@router.get("/live", operation_id="getLiveness", summary="Liveness")
async def live() -> Response:
    """The process answers. It says nothing of the store: restarting the service would not mend that."""
    # Not on one of the threads: all of them may be waiting for the store.
    return JSONResponse({"status": "live"}, headers=_FRESH)


@router.get("/ready", operation_id="getReadiness", summary="Readiness", responses={503: PROBLEMS[503]})
def ready(service: ServiceDep) -> Response:
    """The store answers, holds the city, and is at this program's version; else 503, and when to try again."""
    with service.reading() as connection:
        name = city_name(connection)
        check_version(connection)
    return JSONResponse({"status": "ready", "city": name}, headers=_FRESH)
