"""Measured buildings, one by one: facts with their uncertainty, and the solid as CityJSON."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import GEOJSON, answer, json_bytes
from api.crs_names import named
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.geojson import features
from api.query import key, moment
from gis.city_model.building import Building
from gis.city_model.cityjson import to_cityjson
from gis.city_model.gltf import to_glb
from gis.city_model.obj import to_obj
from gis.errors import NotFound
from gis.store.models import measured_building

router = APIRouter(prefix="/buildings", tags=["Buildings"])

CITYJSON = "application/city+json"
OBJ = "model/obj"
GLB = "model/gltf-binary"
Uid = Annotated[str, Path(description="The building's uid.")]
AsOf = Annotated[str | None, Query(alias="datetime", description="The city as it was on this day; today without it.")]
KnownAt = Annotated[str | None, Query(description="As the register knew it at this date-time; now without it.")]
Lod = Annotated[
    Literal["1.2", "1.3", "2.2"] | None, Query(description="No model finer than this level of detail; all without it.")
]


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

    `measured.storeys` is an estimate from the height of the eave: the likeliest number, and the least and the most.
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
        "storeys": _storeys(found.estimates),
        "roof_type": found.estimates.get("roof_type"),
    }
    if found.differences is not None:
        item.properties["differences"] = found.differences
    document = features([item], service.city.crs, target)[0]
    here = f"{base}/buildings/{quote(uid, safe='')}"
    document["links"] = [
        {"rel": "self", "href": here, "type": GEOJSON},
        {"rel": "alternate", "href": f"{here}/cityjson", "type": CITYJSON, "title": "Solid"},
        {"rel": "alternate", "href": f"{here}/obj", "type": OBJ, "title": "Solid as Wavefront OBJ"},
        {"rel": "alternate", "href": f"{here}/glb", "type": GLB, "title": "Solid as glTF"},
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
def cityjson(
    request: Request, service: ServiceDep, uid: Uid, lod: Lod = None, as_of: AsOf = None, known_at: KnownAt = None
) -> Response:
    """The building as measured, in the register's CRS and height datum; without a solid it has its footprint."""
    found = _building(service, uid, lod, as_of, known_at)
    return answer(request, json_bytes(to_cityjson([found], service.city.crs)), CITYJSON)


@router.get(
    "/{uid}/obj",
    operation_id="getBuildingObj",
    summary="Building as Wavefront OBJ",
    responses={200: {"description": "The best model.", "content": {OBJ: {}}}, **PROBLEMS},
    response_class=Response,
)
def obj(
    request: Request, service: ServiceDep, uid: Uid, lod: Lod = None, as_of: AsOf = None, known_at: KnownAt = None
) -> Response:
    """The best model, or the best no finer than `lod`: metres, z up, from the origin its comments state."""
    found = _modelled(service, uid, lod, as_of, known_at)
    return answer(request, to_obj([found], service.city.crs).encode(), OBJ)


@router.get(
    "/{uid}/glb",
    operation_id="getBuildingGlb",
    summary="Building as binary glTF",
    responses={200: {"description": "The best model.", "content": {GLB: {}}}, **PROBLEMS},
    response_class=Response,
)
def glb(
    request: Request, service: ServiceDep, uid: Uid, lod: Lod = None, as_of: AsOf = None, known_at: KnownAt = None
) -> Response:
    """The best model, or the best no finer than `lod`: metres, y up, from the origin in `asset.extras`."""
    found = _modelled(service, uid, lod, as_of, known_at)
    return answer(request, to_glb([found], service.city.crs), GLB)


def _building(service: Service, uid: str, lod: str | None, as_of: str | None, known_at: str | None) -> Building:
    when = moment(as_of, known_at)
    with service.reading() as connection:
        found = measured_building(connection, key("building", uid), when).building
    return found if lod is None else found.at_most(lod)


def _modelled(service: Service, uid: str, lod: str | None, as_of: str | None, known_at: str | None) -> Building:
    """The building, which has a model."""
    found = _building(service, uid, lod, as_of, known_at)
    if found.solid is None:
        raise NotFound("model of the building", uid if lod is None else f"{uid} no finer than LoD {lod}")
    return found


def _measure(value: float, sigma: float, unit: str) -> dict[str, Any] | None:
    """A value with its standard deviation, and both as people write them: 12.3 ± 0.2 m."""
    if isnan(value):
        return None
    if isnan(sigma):
        return {"value": value, "sigma": None, "unit": unit, "text": f"{value:.1f} {unit}"}
    return {"value": value, "sigma": sigma, "unit": unit, "text": f"{value:.1f} ± {sigma:.1f} {unit}"}


def _storeys(estimates: Mapping[str, Any]) -> dict[str, int] | None:
    """How many storeys there may be, never a fact; None where the reconstruction does not say."""
    if "storeys" not in estimates:
        return None
    return {
        "value": estimates["storeys"],
        "least": estimates.get("storeys_least", estimates["storeys"]),
        "most": estimates.get("storeys_most", estimates["storeys"]),
    }
