"""Vector tiles by the addresses web maps use: /tiles/{z}/{x}/{y}.mvt."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import MVT
from api.errors import PROBLEMS
from api.query import moment
from api.tile_service import TilesDep, layers_of
from gis.errors import BadParameter, NotFound
from gis.store.collections import NOW, Moment
from gis.store.tile_layers import LAYERS
from gis.store.tiles import TileQuery

router = APIRouter(prefix="/tiles", tags=["Tiles"])

Zoom = Annotated[int, Path(description="Zoom level of WebMercatorQuad.")]
Column = Annotated[int, Path(description="Column, from the west.")]
Row = Annotated[int, Path(description="Row, from the north.")]
LayerNames = Annotated[
    str | None, Query(description="Layers wanted, by commas; all without it.", examples=["parcels,buildings"])
]
AsOf = Annotated[str | None, Query(description="The city as it was on this day; today without it.")]
KnownAt = Annotated[str | None, Query(description="As the register knew it at this date-time; now without it.")]
TILE_ANSWERS = {
    200: {
        "description": "The tile; no bytes where nothing is. The header `X-Left-Out` counts features for which a layer "
        "had no room, the smallest of them.",
        "content": {MVT: {}},
    },
    **PROBLEMS,
}


@router.get(
    "/{z}/{x}/{y}.mvt",
    operation_id="getVectorTile",
    summary="Vector tile",
    responses=TILE_ANSWERS,
    response_class=Response,
)
@router.get("/{z}/{x}/{y}.pbf", include_in_schema=False)
async def tile(
    request: Request,
    tiles: TilesDep,
    z: Zoom,
    x: Column,
    y: Row,
    layers: LayerNames = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> Response:
    """Layers of the city in one tile: parcels, permits, buildings, roads, zones, and what stands for them far away.

    An empty tile is an answer (200) without bytes, which is a valid tile without layers. The ending `.pbf`
    serves clients that expect it.
    """
    check_tile(z, x, y, tiles.service.limits.zoom_most)
    return await tiles.answer(request, TileQuery(z, x, y, chosen(layers), one_moment(as_of, known_at)))


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


def one_moment(as_of: str | None, known_at: str | None) -> Moment:
    """When the city is shown.

    Raises:
        BadParameter: an interval, or no date.
    """
    when = moment(as_of, known_at)
    if when.is_interval:
        raise BadParameter("as_of", "…", "give one day")
    # Today is now, and what is now is generalised far away. Days of the store are those of UTC.
    return NOW if when == Moment(datetime.now(UTC).date()) else when


def chosen(names: str | None) -> tuple[str, ...]:
    """The layers a client wants, in the order of the tiles.

    Raises:
        BadParameter: no such layer.
    """
    if names is None:
        return layers_of()
    wanted = names.split(",") if len(names) <= 200 else [""]
    if unknown := [name for name in wanted if name not in LAYERS]:
        raise BadParameter("layers", ascii(unknown[0][:40])[1:-1], f"layers are {', '.join(LAYERS)}")
    return tuple(name for name in LAYERS if name in wanted)
