"""What changed between two surveys: buildings, and earth moved."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from shapely.geometry.base import BaseGeometry
from starlette.responses import Response

from api.answers import GEOJSON, JSON, answer, json_bytes
from api.computed import CELLS_MOST, earth
from api.crs_names import named
from api.dependencies import Service, ServiceDep
from api.errors import PROBLEMS
from api.geojson import features
from api.query import area, plain
from api.register_schemas import CHANGED_BUILDINGS, EARTH
from api.shapes import shape
from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.errors import BadParameter
from gis.raster import encode_cog
from gis.store import building_changes
from gis.store.building_changes import FIGURES
from gis.store.items import Item
from lidar.change.earth import EarthMoved

router = APIRouter(prefix="/change", tags=["Change"])

CHANGES_MOST = 10_000
From = Annotated[str, Query(alias="from", description="The earlier survey.")]
To = Annotated[str, Query(description="The later survey.")]
Bbox = Annotated[str | None, Query(description="Where: min, min, max, max.")]
BboxCrs = Annotated[str | None, Query(alias="bbox-crs", description="CRS of `bbox`; CRS84 without it.")]
Coords = Annotated[str | None, Query(description="Where, as a polygon in WKT, instead of `bbox`; easting first.")]


@router.get(
    "/buildings",
    operation_id="getChangedBuildings",
    summary="Buildings that changed between two surveys",
    responses={200: {"description": "The changes.", "content": {GEOJSON: {"schema": CHANGED_BUILDINGS}}}, **PROBLEMS},
    response_class=Response,
)
def buildings(
    request: Request,
    service: ServiceDep,
    from_epoch: From,
    to: To,
    bbox: Bbox = None,
    bbox_crs: BboxCrs = None,
    crs: Annotated[str | None, Query(description="CRS of the answer; CRS84 without it.")] = None,
) -> Response:
    """What is new, demolished, taller, lower, extended or reduced, as `diaba compliance change` found it.

    `delta` ± `sigma` is metres of height or square metres of area; `confidence` is the probability that the change
    exceeds what no change may seem to be. `registration` is how the later survey lies beside the earlier, which was
    taken out. At most 10,000 changes; whether there are more is told by `has_more`. Whether a change was permitted is
    not said here.
    """
    city = service.city.crs
    target = named("crs", crs, service.crs_offered)
    box = None if bbox is None else area(bbox, named("bbox-crs", bbox_crs, service.crs_offered), city)
    bounds = None if box is None or box.is_empty else BoundingBox(*box.bounds, crs=horizontal(city))
    pair = plain("from", from_epoch), plain("to", to)
    with service.reading() as connection:
        comparison = building_changes.comparison_of(connection, *pair)
        frame = building_changes.current(connection, *pair, bounds=bounds, most=CHANGES_MOST + 1)
    rows = [] if box is not None and box.is_empty else frame.to_dict("records")
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": features([_item(row) for row in rows[:CHANGES_MOST]], city, target),
        "numberReturned": min(len(rows), CHANGES_MOST),
        "has_more": len(rows) > CHANGES_MOST,
        "registration": {name: getattr(comparison, name) for name in FIGURES},
    }
    return answer(request, json_bytes(document), GEOJSON, headers={"Content-Crs": f"<{target.uri}>"})


@router.get(
    "/earth",
    operation_id="getEarthMoved",
    summary="Earth moved between two surveys",
    responses={200: {"description": "Volumes with σ.", "content": {JSON: {"schema": EARTH}}}, **PROBLEMS},
    response_class=Response,
)
def earth_moved(
    request: Request,
    service: ServiceDep,
    from_epoch: From,
    to: To,
    bbox: Bbox = None,
    bbox_crs: BboxCrs = None,
    coords: Coords = None,
    crs: Annotated[str | None, Query(description="CRS of `coords`; CRS84 without it.")] = None,
) -> Response:
    """Cut, fill and net volume in m³ over a box or a polygon, each with its standard deviation.

    Counted are patches of 4 m² and more whose difference is beyond the level of detection (99 %); `net_of_all` is that
    of all cells. Errors that go together, and by how much all of one survey lies higher, are seen on the ground around
    that did not change. At most 6 million cells, 100 m around included.
    """
    found = _earth(service, from_epoch, to, _where(service, bbox, bbox_crs, coords, crs))
    document = {"from": from_epoch, "to": to, **found.figures}
    return answer(request, json_bytes(document), JSON)


@router.get(
    "/earth/coverage",
    operation_id="getEarthMovedCoverage",
    summary="Difference of the terrain of two surveys",
    responses={
        200: {"description": "A GeoTIFF in the register's CRS.", "content": {"image/tiff": {}}},
        **PROBLEMS,
    },
    response_class=Response,
)
def earth_coverage(
    request: Request,
    service: ServiceDep,
    from_epoch: From,
    to: To,
    bbox: Bbox = None,
    bbox_crs: BboxCrs = None,
    coords: Coords = None,
    crs: Annotated[str | None, Query(description="CRS of `coords`; CRS84 without it.")] = None,
) -> Response:
    """Metres, the later minus the earlier, with the bands `sigma` and `detected` (1 beyond the level of detection).

    The raster reaches 100 m beyond the area asked for, whose surroundings it was computed with.
    """
    found = _earth(service, from_epoch, to, _where(service, bbox, bbox_crs, coords, crs))
    body = encode_cog(found.difference, name="change", unit="m")
    return answer(request, body, "image/tiff; application=geotiff; profile=cloud-optimized", compress=False)


def _earth(service: Service, from_epoch: str, to: str, where: BaseGeometry) -> EarthMoved:
    limits = service.limits
    with service.reading() as connection:
        return earth(
            connection,
            service.city,
            plain("from", from_epoch),
            plain("to", to),
            where,
            files_most=limits.raster_files_most,
            cells_most=min(limits.raster_cells_most, CELLS_MOST),
        )


def _where(
    service: Service, bbox: str | None, bbox_crs: str | None, coords: str | None, crs: str | None
) -> BaseGeometry:
    if (bbox is None) == (coords is None):
        raise BadParameter("bbox", "…", "give either bbox or coords")
    city, offered = service.city.crs, service.crs_offered
    if bbox is None:
        return shape("coords", coords or "", "Polygon", named("crs", crs, offered), city)
    box = area(bbox, named("bbox-crs", bbox_crs, offered), city)
    if box.is_empty:
        raise BadParameter("bbox", bbox[:80], "reaches outside of the city's coordinate system")
    return box


def _item(row: dict[str, Any]) -> Item:
    names = ("change", "parcel_uid", "delta", "sigma", "unit", "confidence", "evidence")
    parcel = row["parcel_uid"]
    told = {name: row[name] for name in names} | {"parcel_uid": parcel if isinstance(parcel, str) else None}
    return Item(row["id"], row["geom"], {"uid": row["building_uid"], **told})
