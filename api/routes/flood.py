"""Land under water at a level, and the lots in it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import GEOJSON, answer, json_bytes
from api.computed import CELLS_MOST, flooded
from api.crs_names import named
from api.dependencies import ServiceDep
from api.errors import PROBLEMS
from api.geojson import features
from api.query import area, plain
from api.register_schemas import FLOODED
from api.routes.raster import Epoch
from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.errors import NotFound

router = APIRouter(tags=["Flood"])

LEVEL_MOST = 9000.0


@router.get(
    "/flood",
    operation_id="getFlood",
    summary="Land under water at a level",
    responses={
        200: {"description": "Areas of water, and lots in it.", "content": {GEOJSON: {"schema": FLOODED}}},
        **PROBLEMS,
    },
    response_class=Response,
)
def flood(
    request: Request,
    service: ServiceDep,
    level: Annotated[
        float, Query(ge=-LEVEL_MOST, le=LEVEL_MOST, description="Of the water, metres above the city's vertical datum.")
    ],
    bbox: Annotated[str, Query(description="Where: min, min, max, max.")],
    bbox_crs: Annotated[str | None, Query(alias="bbox-crs", description="CRS of `bbox`; CRS84 without it.")] = None,
    sigma_level: Annotated[float, Query(ge=0, le=100, description="1σ of the level, metres.")] = 0.0,
    epoch: Epoch = None,
    crs: Annotated[str | None, Query(description="CRS of the answer; CRS84 without it.")] = None,
) -> Response:
    """What the level reaches from open water that runs off the box and 250 m around it, or from its edges without such.

    Features with `kind` "water" have `area` (m²), mean `depth` (m) and `volume` (m³); those with `kind` "lot" are
    parcels: the `share` of the lot under water, its mean `depth` there, the `deepest` place, and the mean `probability`
    of its cells to be under water, from the σ of terrain and level. A dike further away is not known: the same lot may
    be dry in a larger box. Still water: no time, waves, pumps or culverts. At most 6 million cells, surroundings too.
    """
    city, limits = service.city, service.limits
    target = named("crs", crs, service.crs_offered)
    box = area(bbox, named("bbox-crs", bbox_crs, service.crs_offered), city.crs)
    if box.is_empty:
        raise NotFound("terrain", "in this box")
    with service.reading() as connection:
        found = flooded(
            connection,
            city,
            level,
            BoundingBox(*box.bounds, crs=horizontal(city.crs)),
            sigma_level=sigma_level,
            epoch=None if epoch is None else plain("epoch", epoch),
            files_most=limits.raster_files_most,
            cells_most=min(limits.raster_cells_most, CELLS_MOST),
        )
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": features(found, city.crs, target),
        "numberReturned": len(found),
        "level": level,
        "sigma_level": sigma_level,
    }
    return answer(request, json_bytes(document), GEOJSON, headers={"Content-Crs": f"<{target.uri}>"})
