"""Measured buildings, one by one: facts with their uncertainty, and the solid as CityJSON."""

from __future__ import annotations

from math import isnan
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import GEOJSON, answer, json_bytes
from api.crs_names import named
from api.dependencies import BaseDep, ServiceDep
from api.errors import PROBLEMS
from api.geojson import features
from api.query import key, moment
from gis.city_model.cityjson import to_cityjson
from gis.store.models import measured_building

router = APIRouter(prefix="/buildings", tags=["Buildings"])

CITYJSON = "application/city+json"
Uid = Annotated[str, Path(description="The building's uid.")]
AsOf = Annotated[str | None, Query(alias="datetime", description="The city as it was on this day; today without it.")]
KnownAt = Annotated[str | None, Query(description="As the register knew it at this date-time; now without it.")]


@router.get(
    "/{uid}",
    operation_id="getBuilding",
    summary="Measured building",
    responses={200: {"description": "The building.", "content": {GEOJSON: {}}}, **PROBLEMS},
    response_class=Response,
)
def building(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    uid: Uid,
    crs: Annotated[str | None, Query(description="CRS of the answer; CRS84 without it.")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> Response:
    """Footprint, heights and area with their standard deviations, and the differences flagged at the building.

    `differences` is absent for callers who may not know whether there are any.
    """
    target = named("crs", crs, service.crs_offered)
    when = moment(as_of, known_at)
    with service.reading() as connection:
        found = measured_building(connection, key("building", uid), when)
    measured = found.building
    item = found.item
    item.properties["measured"] = {
        "height": _measure(measured.height, measured.sigma_height, "m"),
        "area": _measure(measured.area, measured.sigma_area, "m²"),
    }
    if found.differences is not None:
        item.properties["differences"] = found.differences
    document = features([item], service.city.crs, target)[0]
    here = f"{base}/buildings/{quote(uid, safe='')}"
    document["links"] = [
        {"rel": "self", "href": here, "type": GEOJSON},
        {"rel": "alternate", "href": f"{here}/cityjson", "type": CITYJSON, "title": "Solid"},
        {"rel": "collection", "href": f"{base}/collections/buildings", "type": "application/json"},
    ]
    return answer(request, json_bytes(document), GEOJSON, headers={"Content-Crs": f"<{target.uri}>"})


@router.get(
    "/{uid}/cityjson",
    operation_id="getBuildingCityJson",
    summary="Building as CityJSON 2.0",
    responses={200: {"description": "The solid.", "content": {CITYJSON: {}}}, **PROBLEMS},
    response_class=Response,
)
def cityjson(request: Request, service: ServiceDep, uid: Uid, as_of: AsOf = None, known_at: KnownAt = None) -> Response:
    """The building as measured, in the register's CRS and height datum; without a solid it has its footprint."""
    when = moment(as_of, known_at)
    with service.reading() as connection:
        found = measured_building(connection, key("building", uid), when)
    return answer(request, json_bytes(to_cityjson([found.building], service.city.crs)), CITYJSON)


def _measure(value: float, sigma: float, unit: str) -> dict[str, Any] | None:
    """A value with its standard deviation, and both as people write them: 12.3 ± 0.2 m."""
    if isnan(value):
        return None
    if isnan(sigma):
        return {"value": value, "sigma": None, "unit": unit, "text": f"{value:.1f} {unit}"}
    return {"value": value, "sigma": sigma, "unit": unit, "text": f"{value:.1f} ± {sigma:.1f} {unit}"}
