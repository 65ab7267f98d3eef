"""A position of the register's coordinate system in degrees, and the other way."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import JSON, answer, json_bytes
from api.crs_names import LONGITUDE_LATITUDE, named
from api.dependencies import ServiceDep
from api.errors import PROBLEMS
from api.query import position
from gis.crs import WGS84, horizontal, transformer

router = APIRouter(tags=["Service"])

_NUMBER = {"type": "number"}
POSITION: dict[str, Any] = {
    "type": "object",
    "required": ["longitude", "latitude", "x", "y", "crs"],
    "properties": {**dict.fromkeys(("longitude", "latitude", "x", "y"), _NUMBER), "crs": {"type": "string"}},
}


@router.get(
    "/position",
    operation_id="getPosition",
    summary="Position in the register's CRS and in degrees",
    responses={200: {"description": "The position.", "content": {JSON: {"schema": POSITION}}}, **PROBLEMS},
    response_class=Response,
)
def convert(
    request: Request,
    service: ServiceDep,
    x: Annotated[str, Query(description="Easting or longitude, whatever the order of the CRS's axes.")],
    y: Annotated[str, Query(description="Northing or latitude.")],
    crs: Annotated[str | None, Query(description="CRS of x and y; CRS84 without it, `register` for its own.")] = None,
) -> Response:
    """WGS84 longitude and latitude (degrees), and easting `x` and northing `y` (m) of the register's CRS, `crs`.

    By the register's pinned transformation: EPSG's others for VN-2000 lie up to 0.8 m beside it.
    """
    given = service.crs_stored if crs == "register" else named("crs", crs, service.crs_offered)
    east, north = position(x, y, given, service.city.crs)
    if given == LONGITUDE_LATITUDE:
        longitude, latitude = float(x), float(y)
    else:
        longitude, latitude = transformer(horizontal(service.city.crs), WGS84).transform(east, north)
    document = {
        "longitude": round(longitude, 8),
        "latitude": round(latitude, 8),
        "x": round(east, 3),
        "y": round(north, 3),
        "crs": service.crs_stored.uri,
    }
    return answer(request, json_bytes(document), JSON)
