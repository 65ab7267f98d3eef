"""Measured buildings of an area as one city model: CityJSON 2.0, or CityJSONSeq sent line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api.answers import answer, json_bytes
from api.crs_names import named
from api.dependencies import Service, ServiceDep
from api.errors import PROBLEMS
from api.query import area, moment
from api.routes.models import CITYJSON, AsOf, KnownAt, Lod
from gis.city_model.building import Building
from gis.city_model.cityjson import cityjsonseq, to_cityjson
from gis.errors import BadParameter
from gis.store.building_export import Found, find_buildings, read_buildings

router = APIRouter(prefix="/buildings", tags=["Buildings"])

CITYJSONSEQ = "application/city+json-seq"
PAGE = 500
"""Buildings read at once."""
MOST: dict[str, int] = {"cityjson": 5_000, "cityjsonseq": 100_000}
"""Buildings of an answer. A CityJSON object is made whole before it is sent, the lines of a sequence one by one."""


@router.get(
    "",
    operation_id="getBuildingsModel",
    summary="Buildings of an area as CityJSON",
    responses={
        200: {"description": "The buildings with all their models.", "content": {CITYJSON: {}, CITYJSONSEQ: {}}},
        **PROBLEMS,
    },
    response_class=Response,
)
def buildings(
    request: Request,
    service: ServiceDep,
    bbox: Annotated[str, Query(description="Four numbers, or six with heights, in `bbox-crs`.")],
    bbox_crs: Annotated[str | None, Query(alias="bbox-crs", description="CRS of the box; CRS84 without it.")] = None,
    f: Annotated[
        Literal["cityjson", "cityjsonseq"], Query(description="One object, or a sequence of lines, which is streamed.")
    ] = "cityjsonseq",
    lod: Lod = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> Response:
    """Buildings that share a point with the box, in the register's CRS and height datum.

    A box with more buildings than one answer holds is refused, not cut: 5,000 as CityJSON, 100,000 as CityJSONSeq.
    """
    when = moment(as_of, known_at)
    if when.is_interval:
        raise BadParameter("datetime", "…", "give one day")
    wanted = area(bbox, named("bbox-crs", bbox_crs, service.crs_offered), service.city.crs)
    with service.reading() as connection:
        found = find_buildings(connection, wanted, when, most=MOST[f])
        if len(found.keys) > MOST[f]:
            more = "; f=cityjsonseq gives more" if f == "cityjson" else ""
            raise BadParameter(
                "bbox", bbox[:80], f"more than {MOST[f]} buildings are there; ask for a smaller one{more}"
            )
        # What can go wrong has then gone wrong before anything is sent.
        first = read_buildings(connection, found.keys[:PAGE]) if found.keys else []
    city = service.city.crs
    models = (one if lod is None else one.at_most(lod) for one in _all(service, found, first))
    if f == "cityjson":
        return answer(request, json_bytes(to_cityjson(list(models), city)), CITYJSON)
    return StreamingResponse(
        cityjsonseq(models, found.extent, city), media_type=CITYJSONSEQ, headers={"Cache-Control": "no-cache"}
    )


def _all(service: Service, found: Found, first: list[Building]) -> Iterator[Building]:
    """The buildings found, a page in memory at a time; no connection is held while a client is slow."""
    yield from first
    for start in range(PAGE, len(found.keys), PAGE):
        with service.reading() as connection:
            page = read_buildings(connection, found.keys[start : start + PAGE])
        yield from page
