"""What may be built on a lot: limits with their texts, and the largest space a building may fill."""

from __future__ import annotations

from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import quote

import numpy as np
import orjson
import shapely
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import JSON, answer, json_bytes
from api.crs_names import NamedCrs, named
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS, problems
from api.geojson import projected
from api.query import equal, key
from api.register_schemas import LOT_ANSWER
from api.routes.models import CITYJSON, GLB
from api.routes.raster import reference_of
from gis.bounds import BoundingBox
from gis.calendar import today
from gis.city_model.cityjson import to_cityjson
from gis.city_model.gltf import to_glb
from gis.construction import lot_answer
from gis.construction.lot_answer import Asked, Ground, LotAnswer
from gis.construction.proposal import AreaKind, Use
from gis.construction.rule_tables import city_rules
from gis.crs import horizontal
from gis.errors import BadParameter, NotFound
from gis.raster import read_over
from gis.store import lots
from gis.store.coverage import rasters_to_read
from gis.store.property_types import Kind

router = APIRouter(prefix="/parcels", tags=["Parcels"])

GROUND_CELLS_MOST = 4_000_000
"""Cells of the rectangle around a lot: a square kilometre of cells of half a metre."""
HEIGHT = (1.0, 1000.0)
"""Metres a building may be thought of as having."""


@router.get(
    "/{uid}/envelope",
    operation_id="getParcelEnvelope",
    summary="Được xây gì ở đây · What may be built here",
    responses={
        200: {
            "description": "Limits with their texts, and the space by its steps; or the space as a solid.",
            "content": {JSON: {"schema": LOT_ANSWER}, CITYJSON: {}, GLB: {}},
        },
        **PROBLEMS,
        **problems(HTTPStatus.CONFLICT),
    },
    response_class=Response,
)
def envelope(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    uid: Annotated[str, Path(description="The parcel's uid.")],
    filed_on: Annotated[
        str | None, Query(description="The day whose rules apply; today without it.", examples=["2026-07-01"])
    ] = None,
    as_of: Annotated[
        str | None, Query(description="The day of parcel, roads and zones; `filed_on`, and today at most, without it.")
    ] = None,
    use: Annotated[Use | None, Query(description="What is to be built; an attached house without it.")] = None,
    area_kind: Annotated[
        AreaKind | None, Query(description="Whether the area was built up before its plan; a new one without it.")
    ] = None,
    height: Annotated[
        float | None,
        Query(ge=HEIGHT[0], le=HEIGHT[1], description="Metres the building would have, where nothing limits it."),
    ] = None,
    f: Annotated[Literal["json", "cityjson", "glb"], Query(description="Form of the answer.")] = "json",
    crs: Annotated[str | None, Query(description="CRS of the outlines in JSON; CRS84 without it.")] = None,
) -> Response:
    """All limits of the rules in force on a day, each with its text, and the space every wall and roof has to lie in.

    Heights of the steps count from the lot's ground; a solid stands at the ground's height in the register's height
    datum, or at zero where no terrain is known. Density and floor area ratio take no shape: the building may not fill
    all of the space. Where there is no space, JSON says why in `no_envelope`; for a solid that is a problem (409).
    It is no decision: an office makes that.
    """
    filed = _day("filed_on", filed_on) or today()
    day = _day("as_of", as_of) or min(filed, today())
    target = named("crs", crs, service.crs_offered)
    asked = Asked(filed, service.city.jurisdiction, use, area_kind, height)
    with service.reading() as connection:
        lot = lots.find(connection, key("parcel", uid), day)
    found = lot_answer.answer(lot, asked, city_rules())
    ground = _ground(service, found)
    if f != "json":
        return _solid(request, service, found, ground, f)
    document = _document(service, found, ground, day, target)
    here = f"{base}/parcels/{quote(uid, safe='')}/envelope"
    document["links"] = _links(here, request, has_solid=bool(found.steps))
    return answer(request, json_bytes(document), JSON, headers={"Content-Crs": f"<{target.uri}>"})


def _solid(request: Request, service: Service, found: LotAnswer, ground: Ground | None, form: str) -> Response:
    space = found.building(None if ground is None else ground.height)
    # Without the ground its heights are above no datum.
    crs = horizontal(service.city.crs) if ground is None else service.city.crs
    if form == "glb":
        return answer(request, to_glb([space], crs), GLB)
    return answer(request, json_bytes(to_cityjson([space], crs)), CITYJSON)


def _document(service: Service, found: LotAnswer, ground: Ground | None, day: date, target: NamedCrs) -> dict[str, Any]:
    document = lot_answer.document_of(found, ground)
    shapes = projected(np.array(lot_answer.shapes_of(found), dtype=object), service.city.crs, target)
    texts = [orjson.Fragment(text) for text in shapely.to_geojson(shapes)]
    document["as_of"] = day
    document["crs"] = target.uri
    document["lot"]["polygon"] = texts[0]
    for step, text in zip((document["envelope"] or {"steps": ()})["steps"], texts[1:], strict=True):
        step["polygon"] = text
    if document["ground"] is not None:
        document["ground"]["reference"] = reference_of(service, "dtm")
    return document


def _ground(service: Service, found: LotAnswer) -> Ground | None:
    """Of the newest campaign that knows each cell; None where none does, or the lot is too large to look at."""
    shape = found.lot.shape
    bounds = BoundingBox(*shape.bounds, crs=horizontal(service.city.crs))
    try:
        with service.reading() as connection:
            files, grid = rasters_to_read(
                connection,
                service.city,
                "dtm",
                bounds,
                files_most=service.limits.raster_files_most,
                cells_most=GROUND_CELLS_MOST,
            )
    except (NotFound, BadParameter):
        return None
    return lot_answer.ground_of(read_over(files, grid), shape)


def _day(parameter: str, text: str | None) -> date | None:
    found: date | None = None if text is None else equal(parameter, text, Kind.DATE)
    return found


def _links(here: str, request: Request, *, has_solid: bool) -> list[dict[str, str]]:
    asked = "&".join(
        f"{name}={quote(value)}" for name, value in request.query_params.items() if name not in ("f", "crs")
    )
    query = f"?{asked}" if asked else ""
    links = [{"rel": "self", "href": f"{here}{query}", "type": JSON}]
    if has_solid:
        further = f"{query}&" if query else "?"
        links += [
            {"rel": "alternate", "href": f"{here}{further}f=cityjson", "type": CITYJSON, "title": "CityJSON"},
            {"rel": "alternate", "href": f"{here}{further}f=glb", "type": GLB, "title": "glTF"},
        ]
    return links
