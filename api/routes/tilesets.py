"""OGC API Tiles 1.0: tile matrix sets, tile sets of the city and of its collections, and their tiles."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import JSON, MVT, answer, json_bytes
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.routes.collections import lonlat
from api.routes.tilejson import ZOOM_MOST
from api.routes.tiles import TILE_ANSWERS, AsOf, KnownAt, one_moment
from api.tile_service import TilesDep, layers_of
from gis.bounds import BoundingBox
from gis.crs import srid
from gis.errors import BadParameter, NotFound
from gis.store.collections import COLLECTIONS
from gis.store.coverage import extent
from gis.store.tile_layers import LAYERS, ZOOM_LEAST, Layer
from gis.store.tiles import TileQuery
from gis.tile_grid import TileGrid, grids

router = APIRouter(tags=["Tiles"])

SHOWN = frozenset(layer.collection for layer in LAYERS.values())
"""Collections that have tiles."""
GEOMETRY_DIMENSION = {"roads": 1}
"""Of a layer's features; the others are areas."""
RELATION = "http://www.opengis.net/def/rel/ogc/1.0/"

GridId = Annotated[
    str, Path(alias="tileMatrixSetId", description="One of /tileMatrixSets.", examples=["WebMercatorQuad"])
]
CollectionId = Annotated[str, Path(alias="collectionId", description="A collection with tiles.", examples=["parcels"])]
Matrix = Annotated[int, Path(alias="tileMatrix", description="Level of the grid.")]
TileRow = Annotated[int, Path(alias="tileRow", description="Row, from the north.")]
TileColumn = Annotated[int, Path(alias="tileCol", description="Column, from the west.")]
Format = Annotated[str | None, Query(description="`json`, the only form there is.", pattern="^json$")]
TileFormat = Annotated[str | None, Query(description="`mvt`, the only form there is.", pattern="^mvt$")]
Wanted = Annotated[
    str | None,
    Query(alias="collections", description="Collections wanted, by commas; all without it.", examples=["parcels"]),
]
At = Annotated[str | None, Query(description="As `as_of`, after OGC API: a day, no interval.")]


@router.get("/tileMatrixSets", operation_id="getTileMatrixSets", summary="Grids of tiles", responses=PROBLEMS)
def matrix_sets(request: Request, service: ServiceDep, base: BaseDep, f: Format = None) -> Response:
    """Web Mercator's grid and one in the city's own CRS."""
    listed = [
        {
            "id": grid.id,
            "title": grid.title,
            **({"uri": grid.uri} if grid.uri else {}),
            "links": [_link(f"{RELATION}tiling-scheme", f"{base}/tileMatrixSets/{grid.id}", JSON, grid.title)],
        }
        for grid in grids(service.city.crs).values()
    ]
    return answer(request, json_bytes({"tileMatrixSets": listed}), JSON)


@router.get(
    "/tileMatrixSets/{tileMatrixSetId}", operation_id="getTileMatrixSet", summary="A grid of tiles", responses=PROBLEMS
)
def matrix_set(request: Request, service: ServiceDep, grid_id: GridId, f: Format = None) -> Response:
    """A grid: its levels, their cells and origins (OGC Two Dimensional Tile Matrix Set 2.0)."""
    return answer(request, json_bytes(_grid(service, grid_id).document()), JSON)


@router.get("/tiles", operation_id="getTileSets", summary="Tile sets of the city", responses=PROBLEMS)
def city_sets(request: Request, service: ServiceDep, base: BaseDep, f: Format = None) -> Response:
    """The tile sets of all layers, one in each grid."""
    return _listed(request, service, base, None)


@router.get("/tiles/{tileMatrixSetId}", operation_id="getTileSet", summary="A tile set of the city", responses=PROBLEMS)
def city_set(request: Request, service: ServiceDep, base: BaseDep, grid_id: GridId, f: Format = None) -> Response:
    """What the tiles of all layers hold, how far they reach, and where they are."""
    return answer(request, json_bytes(_set(service, base, _grid(service, grid_id), None)), JSON)


@router.get(
    "/collections/{collectionId}/tiles",
    operation_id="getCollectionTileSets",
    summary="Tile sets of a collection",
    responses=PROBLEMS,
)
def collection_sets(
    request: Request, service: ServiceDep, base: BaseDep, collection_id: CollectionId, f: Format = None
) -> Response:
    """The tile sets of a collection, one in each grid."""
    return _listed(request, service, base, _shown(collection_id))


@router.get(
    "/collections/{collectionId}/tiles/{tileMatrixSetId}",
    operation_id="getCollectionTileSet",
    summary="A tile set of a collection",
    responses=PROBLEMS,
)
def collection_set(
    request: Request, service: ServiceDep, base: BaseDep, collection_id: CollectionId, grid_id: GridId, f: Format = None
) -> Response:
    """What the tiles of a collection hold: its features near, what stands for them far."""
    document = _set(service, base, _grid(service, grid_id), _shown(collection_id))
    return answer(request, json_bytes(document), JSON)


@router.get(
    "/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}",
    operation_id="getTile",
    summary="Tile of the city",
    responses=TILE_ANSWERS,
    response_class=Response,
)
async def city_tile(
    request: Request,
    service: ServiceDep,
    tiles: TilesDep,
    grid_id: GridId,
    matrix: Matrix,
    row: TileRow,
    column: TileColumn,
    collections: Wanted = None,
    datetime: At = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    f: TileFormat = None,
) -> Response:
    """A tile of all layers or of some collections, in any of the grids."""
    names = layers_of() if collections is None else _layers(collections)
    query = _query(service, grid_id, (matrix, row, column), names, as_of or datetime, known_at)
    return await tiles.answer(request, query)


@router.get(
    "/collections/{collectionId}/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}",
    operation_id="getCollectionTile",
    summary="Tile of a collection",
    responses=TILE_ANSWERS,
    response_class=Response,
)
async def collection_tile(
    request: Request,
    service: ServiceDep,
    tiles: TilesDep,
    collection_id: CollectionId,
    grid_id: GridId,
    matrix: Matrix,
    row: TileRow,
    column: TileColumn,
    datetime: At = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    f: TileFormat = None,
) -> Response:
    """A tile of one collection, in any of the grids."""
    names = layers_of(_shown(collection_id))
    query = _query(service, grid_id, (matrix, row, column), names, as_of or datetime, known_at)
    return await tiles.answer(request, query)


def _query(
    service: Service,
    grid_id: str,
    place: tuple[int, int, int],
    layers: tuple[str, ...],
    day: str | None,
    known_at: str | None,
) -> TileQuery:
    grid, (z, y, x) = _grid(service, grid_id), place
    if not 0 <= z < grid.levels:
        raise NotFound("tile matrix", f"{z if abs(z) < 1000 else '…'}: {grid.id} has 0 to {grid.levels - 1}")
    if not (0 <= x < 2**z and 0 <= y < 2**z):
        raise NotFound("tile", f"{z}/…: rows and columns are 0 to {2**z - 1}")
    return TileQuery(z, x, y, layers, one_moment(day, known_at), grid=grid)


def _listed(request: Request, service: Service, base: str, collection: str | None) -> Response:
    reach = _reach(service, collection)
    sets = [
        {
            "title": _title(service, collection),
            "dataType": "vector",
            "crs": _crs(grid),
            **_named(grid),
            "links": [
                _link("self", _address(base, grid, collection), JSON, _title(service, collection)),
                _link(f"{RELATION}tiling-scheme", f"{base}/tileMatrixSets/{grid.id}", JSON, grid.title),
                _template(base, grid, collection),
            ],
            **_bounding_box(reach),
        }
        for grid in grids(service.city.crs).values()
    ]
    here = _address(base, None, collection)
    document = {"tilesets": sets, "links": [_link("self", here, JSON, _title(service, collection))]}
    return answer(request, json_bytes(document), JSON)


def _set(service: Service, base: str, grid: TileGrid, collection: str | None) -> dict[str, Any]:
    reach = _reach(service, collection)
    layers = [LAYERS[name] for name in layers_of(collection)]
    levels = range(
        max(min((layer.zoom_least for layer in layers), default=ZOOM_LEAST) - grid.ahead, 0), ZOOM_MOST - grid.ahead + 1
    )
    limits = [] if reach is None else [_limits(grid, z, reach.to(grid.crs)) for z in levels]
    return {
        "title": _title(service, collection),
        "dataType": "vector",
        "crs": _crs(grid),
        **_named(grid),
        "mediaTypes": [MVT],
        "layers": [_layer(layer, grid) for layer in layers],
        **_bounding_box(reach),
        "tileMatrixSetLimits": limits,
        "links": [
            _link("self", _address(base, grid, collection), JSON, _title(service, collection)),
            _link(f"{RELATION}tiling-scheme", f"{base}/tileMatrixSets/{grid.id}", JSON, grid.title),
            _template(base, grid, collection),
        ],
    }


def _layer(layer: Layer, grid: TileGrid) -> dict[str, Any]:
    last = ZOOM_MOST if layer.zoom_most is None else layer.zoom_most
    kinds = {"String": {"type": "string"}, "Number": {"type": "number"}}
    return {
        "id": layer.id,
        "description": layer.description + (f"; left out: {layer.left_out}" if layer.left_out else ""),
        "dataType": "vector",
        "geometryDimension": GEOMETRY_DIMENSION.get(layer.id, 2),
        "minTileMatrix": str(max(layer.zoom_least - grid.ahead, 0)),
        "maxTileMatrix": str(last - grid.ahead),
        "propertiesSchema": {
            "type": "object",
            "properties": {name: kinds[kind] for name, (_, kind) in layer.fields.items()},
        },
    }


def _limits(grid: TileGrid, z: int, reach: BoundingBox) -> dict[str, Any]:
    first, last, top, bottom = grid.columns_and_rows(z, reach)
    return {"tileMatrix": str(z), "minTileRow": top, "maxTileRow": bottom, "minTileCol": first, "maxTileCol": last}


def _reach(service: Service, collection: str | None) -> BoundingBox | None:
    tables = [layer.extent_of for name in layers_of(collection) if (layer := LAYERS[name]).extent_of]
    with service.reading() as connection:
        return extent(connection, service.city.crs, [table for table in tables if table])


def _bounding_box(reach: BoundingBox | None) -> dict[str, Any]:
    if reach is None:
        return {}
    west, south, east, north = lonlat(reach)
    crs84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
    return {"boundingBox": {"lowerLeft": [west, south], "upperRight": [east, north], "crs": crs84}}


def _named(grid: TileGrid) -> dict[str, str]:
    return {"tileMatrixSetURI": grid.uri} if grid.uri else {}


def _crs(grid: TileGrid) -> str:
    return f"http://www.opengis.net/def/crs/EPSG/0/{srid(grid.crs)}"


def _title(service: Service, collection: str | None) -> str:
    return f"diaba · {service.city.name}" if collection is None else COLLECTIONS[collection].title


def _address(base: str, grid: TileGrid | None, collection: str | None) -> str:
    here = f"{base}/tiles" if collection is None else f"{base}/collections/{collection}/tiles"
    return here if grid is None else f"{here}/{grid.id}"


def _template(base: str, grid: TileGrid, collection: str | None) -> dict[str, Any]:
    href = f"{_address(base, grid, collection)}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"
    return _link("item", href, MVT, "Tiles") | {"templated": True}


def _link(rel: str, href: str, media_type: str, title: str) -> dict[str, Any]:
    return {"rel": rel, "href": href, "type": media_type, "title": title}


def _grid(service: Service, grid_id: str) -> TileGrid:
    found = grids(service.city.crs).get(grid_id)
    if found is None:
        raise NotFound("tile matrix set", ascii(grid_id[:60])[1:-1])
    return found


def _shown(collection_id: str) -> str:
    if collection_id not in SHOWN:
        raise NotFound("collection with tiles", ascii(collection_id[:60])[1:-1])
    return collection_id


def _layers(names: str) -> tuple[str, ...]:
    wanted = names.split(",") if len(names) <= 200 else [""]
    if unknown := [name for name in wanted if name not in SHOWN]:
        there = ", ".join(sorted(SHOWN))
        raise BadParameter("collections", ascii(unknown[0][:40])[1:-1], f"those with tiles are {there}")
    return tuple(name for name, layer in LAYERS.items() if layer.collection in wanted)
