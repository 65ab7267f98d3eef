"""Search of parcels by number, address or place."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import GEOJSON, answer, json_bytes
from api.crs_names import named
from api.dependencies import ServiceDep
from api.errors import PROBLEMS
from api.geojson import features
from api.query import moment, plain, position
from api.register_schemas import FOUND_PARCELS
from gis.errors import BadParameter
from gis.store import parcel_search
from gis.store.items import Item
from gis.store.parcel_search import LIMIT, LIMIT_MOST, Found, When

router = APIRouter(prefix="/parcels", tags=["Parcels"])


@router.get(
    "/search",
    operation_id="searchParcels",
    summary="Search of parcels",
    responses={200: {"description": "The parcels found.", "content": {GEOJSON: {"schema": FOUND_PARCELS}}}, **PROBLEMS},
    response_class=Response,
)
def search(
    request: Request,
    service: ServiceDep,
    text: Annotated[
        str | None,
        Query(
            description="A number (`12/345`, `tờ 12 thửa 345`), or words of an address with or without accents.",
            examples=["12/345", "12 nguyen trai"],
        ),
    ] = None,
    sheet: Annotated[str | None, Query(description="Number of the map sheet, old or new; with `parcel`.")] = None,
    parcel: Annotated[str | None, Query(description="Number of the parcel on its sheet, old or new.")] = None,
    ward: Annotated[str | None, Query(description="Only in this ward; with `sheet` and `parcel`.")] = None,
    at: Annotated[
        str | None, Query(description="A place: easting,northing or longitude,latitude.", examples=["106.70,10.77"])
    ] = None,
    crs: Annotated[str | None, Query(description="CRS of `at` and of the answer; CRS84 without it.")] = None,
    as_of: Annotated[str | None, Query(description="The day it was so; today without it.")] = None,
    known_at: Annotated[str | None, Query(description="As the register knew it at this date-time.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MOST, description="Parcels at most.")] = LIMIT,
) -> Response:
    """Parcels that fit, the best first; `found_by` says by what.

    Exactly one of `text`, `sheet` with `parcel`, and `at` is asked for. `has_more` says that there are more than
    `limit`.
    """
    target = named("crs", crs, service.crs_offered)
    time = moment(as_of, known_at)
    if time.is_interval:
        raise BadParameter("as_of", (as_of or "")[:40], "give one day")
    when = When(time.first_day, time.known_at)
    asked = [name for name, value in (("text", text), ("sheet", sheet), ("at", at)) if value is not None]
    if len(asked) != 1 or (sheet is None) != (parcel is None):
        raise BadParameter("text", "…", "give either text, or sheet and parcel, or at")
    with service.reading() as connection:
        if text is not None:
            found = parcel_search.find(connection, plain("text", text), when, limit=limit)
        elif sheet is not None and parcel is not None:
            found = parcel_search.find_by_number(connection, sheet, parcel, when, ward=ward, limit=limit)
        else:
            parts = (at or "").split(",")
            if len(parts) != 2:
                raise BadParameter("at", (at or "")[:40], "give two numbers: x,y")
            x, y = position(parts[0], parts[1], target, service.city.crs)
            found = parcel_search.find_at(connection, x, y, None, when, limit=limit)
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": features(_items(found), service.city.crs, target),
        "numberReturned": len(found.parcels),
        "has_more": found.has_more,
    }
    return answer(request, json_bytes(document), GEOJSON, headers={"Content-Crs": f"<{target.uri}>"})


def _items(found: Found) -> list[Item]:
    return [Item(one.uid, one.shape, {**one.attributes, "found_by": str(one.by)}) for one in found.parcels]
