"""The measured city as 3D Tiles 1.1, made of the store as it is when asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from hashlib import blake2b
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import JSON, answer, json_bytes
from api.caller import caller
from api.dependencies import Service, ServiceDep
from api.errors import PROBLEMS
from api.kept import Keeper, Kept
from api.query import moment
from gis.bounds import BoundingBox
from gis.city_model.tiles3d import properties
from gis.city_model.tiles3d.content import nothing, tile_content
from gis.city_model.tiles3d.levels import Address
from gis.city_model.tiles3d.mesh import tile_mesh
from gis.city_model.tiles3d.tileset import Covered, Datum, city_tileset, district_tileset
from gis.errors import BadParameter
from gis.store import building_tiles
from gis.store.building_tiles import Mark, TileRow
from gis.store.collections import Moment

router = APIRouter(prefix="/3dtiles", tags=["3D"])

GLB = "model/gltf-binary"
BUILDINGS_MOST = 20_000
"""Of one tile, the tallest: 76,000 a km² where all are shown."""
KEPT_BYTES = 256 * 1024 * 1024
"""Of answers kept in memory."""
REACH = 500.0
"""Metres that a building may stand over the edge of its square of level 0."""
AsOf = Annotated[str | None, Query(description="The city as it was on this day; today without it.")]
KnownAt = Annotated[str | None, Query(description="As the register knew it at this date-time; now without it.")]
Level = Annotated[int, Path(description="Level, from 0 (squares of 4096 m) to 4 (256 m).")]
Column = Annotated[int, Path(description="Column of the city's own grid, from the west.")]
Row = Annotated[int, Path(description="Row, from the south.")]
Seen = TypeVar("Seen")
Fetched = TypeVar("Fetched")


def keeper_of(request: Request) -> Keeper:
    """Where the application keeps tiles."""
    found: Keeper = request.app.state.tiles3d
    return found


KeeperDep = Annotated[Keeper, Depends(keeper_of)]


@router.get(
    "/tileset.json",
    operation_id="getCityTileset",
    summary="3D Tiles: tileset of the city",
    responses=PROBLEMS,
    response_class=Response,
)
def tileset(request: Request, service: ServiceDep, as_of: AsOf = None, known_at: KnownAt = None) -> Response:
    """The squares of 4 km that have buildings, each a tileset of its own.

    Heights: `asset.extras` says how the vertical datum was taken to the ellipsoid.
    """
    _moment(as_of, known_at)
    city, suffix = service.city.crs, _suffix(as_of, known_at)
    with service.reading() as connection:
        districts, reach, low, high = building_tiles.districts(connection, city)
    around = [(one, _within(one.bounds(city).buffered(REACH), reach)) for one in districts if reach is not None]
    document = city_tileset(_datum(service), around, low, high, lambda one: f"{one.x}/{one.y}/tileset.json{suffix}")
    return answer(request, json_bytes(document), JSON)


@router.get(
    "/{x}/{y}/tileset.json",
    operation_id="getDistrictTileset",
    summary="3D Tiles: tileset of a square of 4 km",
    responses=PROBLEMS,
    response_class=Response,
)
def district(
    request: Request,
    service: ServiceDep,
    keeper: KeeperDep,
    x: Column,
    y: Row,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> Response:
    """A quadtree: blocks (LoD 1.2) of tall buildings from far, of all in squares of 512 m, best models in 256 m."""
    square, when, suffix = Address.checked(0, x, y), _moment(as_of, known_at), _suffix(as_of, known_at)
    city = service.city.crs

    def look(connection: Connection, _: Mark) -> tuple[bytes, list[building_tiles.Cell]]:
        cells = building_tiles.cells(connection, city, square, when)
        told = repr([(one.address, one.bounds.tuple, one.low, one.high, one.tallest) for one in cells])
        return blake2b(told.encode(), digest_size=16).digest(), cells

    def encode(cells: list[building_tiles.Cell]) -> bytes:
        leaves = {one.address: Covered(one.bounds, one.low, one.high, one.tallest) for one in cells}
        return json_bytes(district_tileset(_datum(service), square, leaves, content))

    def content(of: Address) -> str:
        return f"../../{of.z}/{of.x}/{of.y}.glb{suffix}"

    body = _kept(keeper, service, ("tileset", square, suffix), when, look, lambda _, cells: cells, encode)
    return answer(request, body, JSON)


@router.get(
    "/{z}/{x}/{y}.glb",
    operation_id="getCityTile",
    summary="3D Tiles: buildings of a tile",
    responses={200: {"description": "The buildings as binary glTF.", "content": {GLB: {}}}, **PROBLEMS},
    response_class=Response,
)
def tile(
    request: Request,
    service: ServiceDep,
    keeper: KeeperDep,
    z: Level,
    x: Column,
    y: Row,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> Response:
    """Buildings with their properties (EXT_mesh_features, EXT_structural_metadata); glTF without a scene where none is.

    Who may see differences to be inspected finds `verdict` among the properties; that of a building which is not
    flagged is unsaid for who sees them in some wards alone.
    """
    address, when, city = Address.checked(z, x, y), _moment(as_of, known_at), service.city
    is_detailed = address.level.is_detailed

    def look(connection: Connection, mark: Mark) -> tuple[bytes, list[TileRow]]:
        rows = building_tiles.tile_rows(
            connection, city.crs, address, when, differences=mark.differences, most=BUILDINGS_MOST
        )
        return building_tiles.fingerprint(rows), rows

    def fetch(connection: Connection, rows: list[TileRow]) -> tuple[list[TileRow], list[bytes], list[str]]:
        return rows, *building_tiles.tile_models(connection, rows, is_detailed=is_detailed)

    def encode(fetched: tuple[list[TileRow], list[bytes], list[str]]) -> bytes:
        rows, solids, letters = fetched
        if not rows:
            return nothing()
        shown = properties.OFFICIAL if "verdict" in rows[0].properties else properties.PUBLIC
        mesh = tile_mesh(solids, letters, city.crs, city.geoid_offset)
        return tile_content(mesh, [row.properties for row in rows], shown)

    body = _kept(keeper, service, ("tile", address), when, look, fetch, encode)
    return answer(request, body, GLB)


def _kept(
    keeper: Keeper,
    service: Service,
    what: tuple[Hashable, ...],
    when: Moment,
    look: Callable[[Connection, Mark], tuple[bytes, Seen]],
    fetch: Callable[[Connection, Seen], Fetched],
    encode: Callable[[Fetched], bytes],
) -> bytes:
    """An answer, kept from before where it still holds.

    It holds while no register it is made of was written to and the day is the same; after that, while what `look` sees
    is the same. Else it is fetched, and encoded when the connection has been given back.
    """
    with service.reading() as connection:
        mark = building_tiles.mark(connection)
        key = (*what, when, caller().scope_key)
        kept = keeper.get(key)
        if kept is not None and kept.mark == mark:
            return kept.body
        seen, found = look(connection, mark)
        if kept is not None and kept.fingerprint == seen:
            keeper.put(key, Kept(mark, seen, kept.body))
            return kept.body
        fetched = fetch(connection, found)
    body = encode(fetched)
    keeper.put(key, Kept(mark, seen, body))
    return body


def _moment(as_of: str | None, known_at: str | None) -> Moment:
    when = moment(as_of, known_at)
    if when.is_interval:
        raise BadParameter("as_of", "…", "give one day")
    return when


def _suffix(as_of: str | None, known_at: str | None) -> str:
    """What links carry on."""
    given = {name: value for name, value in (("as_of", as_of), ("known_at", known_at)) if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _datum(service: Service) -> Datum:
    return Datum(service.city.crs, service.city.geoid_offset)


def _within(bounds: BoundingBox, reach: BoundingBox) -> BoundingBox:
    """The part of a rectangle that lies in another, which it meets."""
    return BoundingBox(
        max(bounds.min_x, reach.min_x),
        max(bounds.min_y, reach.min_y),
        min(bounds.max_x, reach.max_x),
        min(bounds.max_y, reach.max_y),
        bounds.crs,
    )
