"""TileJSON 3.0: what the tiles hold and where they are; and the same as GDAL's `metadata.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api.answers import JSON, answer, json_bytes
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.routes.collections import lonlat
from api.tile_service import layers_of
from gis.errors import NotFound
from gis.store.coverage import extent
from gis.store.tile_layers import LAYERS, ZOOM_LEAST, Layer, described

router = APIRouter(tags=["Tiles"])

ZOOM_MOST = 18
"""Of the tiles; closer in clients enlarge them. A unit of the tile's grid is 4 cm there."""
ATTRIBUTION = "diaba"
WORLD = [-180.0, -85.051129, 180.0, 85.051129]


@router.get("/tiles.json", operation_id="getTileJson", summary="TileJSON of all layers", responses=PROBLEMS)
def all_layers(request: Request, service: ServiceDep, base: BaseDep) -> Response:
    """All layers, in one tile set."""
    return answer(request, json_bytes(_tilejson(service, base, tuple(LAYERS.values()), "")), JSON)


@router.get("/tiles/metadata.json", operation_id="getTileMetadata", summary="Metadata for GDAL", responses=PROBLEMS)
def metadata(request: Request, service: ServiceDep, base: BaseDep) -> Response:
    """What GDAL's MVT driver reads beside a tile set; its layers' fields are JSON within JSON, as in MBTiles."""
    full = _tilejson(service, base, tuple(LAYERS.values()), "")
    document = {
        "name": full["name"],
        "description": full["description"],
        "type": "overlay",
        "format": "pbf",
        "minzoom": full["minzoom"],
        "maxzoom": full["maxzoom"],
        "bounds": ",".join(map(str, full["bounds"])),
        "crs": "EPSG:3857",
        "json": json_bytes({"vector_layers": full["vector_layers"]}).decode(),
    }
    return answer(request, json_bytes(document), JSON)


@router.get("/tiles/{layer}.json", operation_id="getLayerTileJson", summary="TileJSON of a layer", responses=PROBLEMS)
def one_layer(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    layer: Annotated[str, Path(description="One of the layers.", examples=["buildings"])],
) -> Response:
    """One layer as a tile set of its own, with what stands for it far away."""
    if layer not in LAYERS:
        raise NotFound("layer", ascii(layer[:60])[1:-1])
    names = layers_of(LAYERS[layer].collection) if layer == LAYERS[layer].collection else (layer,)
    layers = tuple(LAYERS[name] for name in names)
    return answer(request, json_bytes(_tilejson(service, base, layers, f"?layers={','.join(names)}")), JSON)


def bounds_of(service: Service) -> list[float]:
    """West, south, east, north of all that is stored, in degrees; the world while nothing is."""
    with service.reading() as connection:
        reach = extent(connection, service.city.crs, [layer.extent_of for layer in LAYERS.values() if layer.extent_of])
    return WORLD if reach is None else lonlat(reach)


def _tilejson(service: Service, base: str, layers: Sequence[Layer], query: str) -> dict[str, Any]:
    west, south, east, north = bounds = bounds_of(service)
    return {
        "tilejson": "3.0.0",
        "name": f"diaba · {service.city.name}",
        "description": "; ".join(layer.description for layer in layers),
        "attribution": ATTRIBUTION,
        "scheme": "xyz",
        "tiles": [f"{base}/tiles/{{z}}/{{x}}/{{y}}.mvt{query}"],
        "minzoom": min((layer.zoom_least for layer in layers), default=ZOOM_LEAST),
        "maxzoom": ZOOM_MOST,
        "bounds": bounds,
        "center": [(west + east) / 2, (south + north) / 2, min(16, ZOOM_MOST)],
        "vector_layers": [described(layer, ZOOM_MOST) for layer in layers],
    }
