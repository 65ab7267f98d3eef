"""Vector tiles."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import MVT, answer
from api.dependencies import ServiceDep
from api.errors import PROBLEMS
from api.query import moment
from gis.errors import BadParameter, NotFound
from gis.store.tiles import LAYERS, Layer, TileQuery, vector_tile

router = APIRouter(prefix="/tiles", tags=["Tiles"])

Zoom = Annotated[int, Path(description="Zoom level of WebMercatorQuad.")]
Column = Annotated[int, Path(description="Column, from the west.")]
Row = Annotated[int, Path(description="Row, from the north.")]
LayerNames = Annotated[
    str | None, Query(description="Layers wanted, by commas; all without it.", examples=["parcels,buildings"])
]
AsOf = Annotated[str | None, Query(description="The city as it was on this day; today without it.")]
KnownAt = Annotated[str | None, Query(description="As the register knew it at this date-time; now without it.")]


@router.get(
    "/{z}/{x}/{y}.mvt",
    operation_id="getVectorTile",
    summary="Vector tile",
    responses={200: {"description": "The tile; no bytes where nothing is.", "content": {MVT: {}}}, **PROBLEMS},
    response_class=Response,
)
@router.get("/{z}/{x}/{y}.pbf", include_in_schema=False)
def tile(
    request: Request,
    service: ServiceDep,
    z: Zoom,
    x: Column,
    y: Row,
    layers: LayerNames = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> Response:
    """Layers of the city in one tile: parcels, permits, buildings, roads, zones.

    An empty tile is an answer (200) without bytes, which is a valid tile without layers. The ending `.pbf`
    serves clients that expect it.
    """
    check_tile(z, x, y, service.limits.zoom_most)
    when = moment(as_of, known_at)
    if when.is_interval:
        raise BadParameter("as_of", "…", "give one day")
    limits = service.limits
    query = TileQuery(z, x, y, _chosen(layers), when, limits.tile_buffer, limits.features_per_layer)
    with service.reading() as connection:
        body = vector_tile(connection, service.city.crs, query)
    return answer(request, body, MVT, max_age=limits.tile_age_seconds)


def check_tile(z: int, x: int, y: int, zoom_most: int) -> None:
    """Whether the tile is one of WebMercatorQuad's.

    Raises:
        BadParameter: no such zoom level here.
        NotFound: the zoom level has no such tile.
    """
    if not 0 <= z <= zoom_most:
        raise BadParameter("z", "…", f"zoom levels are 0 to {zoom_most}")
    if not (0 <= x < 2**z and 0 <= y < 2**z):
        raise NotFound("tile", f"{z}/…: columns and rows are 0 to {2**z - 1}")


def _chosen(names: str | None) -> tuple[Layer, ...]:
    if names is None:
        return tuple(LAYERS.values())
    wanted = names.split(",") if len(names) <= 200 else [""]
    if unknown := [name for name in wanted if name not in LAYERS]:
        raise BadParameter("layers", ascii(unknown[0][:40])[1:-1], f"layers are {', '.join(LAYERS)}")
    return tuple(layer for layer in LAYERS.values() if layer.id in wanted)
