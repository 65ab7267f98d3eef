"""Terrain for globes (CesiumJS and others): quantized-mesh 1.0 in the geographic tile set of TMS."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import JSON, answer, json_bytes
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.pictures import identities
from api.query import plain
from api.rendered import name_of, rendered
from api.routes.raster import Epoch, bounds_of
from api.routes.tilejson import ATTRIBUTION
from api.terrain import LEVEL_MOST, MESHING, TerrainKey, available, files_of, mesh_of, tolerance
from gis.city_model.quantized_mesh import MEDIA_TYPE
from gis.crs import vertical, vertical_label
from gis.errors import BadParameter, NotFound

router = APIRouter(prefix="/terrain", tags=["Raster"])

METADATA_EVERY = 10
"""Levels from one tile with the extension `metadata` to the next; it tells of as many levels below it."""
Z = Annotated[int, Path(description="Level: 2 × 1 tiles on level 0.")]
X = Annotated[int, Path(description="Column, from the antimeridian eastward.")]
Y = Annotated[int, Path(description="Row, from the south pole northward.")]


@router.get("/layer.json", operation_id="getTerrainLayer", summary="Description of the terrain", responses=PROBLEMS)
def layer(request: Request, service: ServiceDep, base: BaseDep, epoch: Epoch = None) -> Response:
    """What CesiumJS reads first: where the tiles are, which there are, and what their heights are above.

    Heights are the city's, above its own datum, and moved by its geoid offset alone, as its buildings and points are:
    no geoid model ties the datum to the ellipsoid. Without an offset a globe shows the city higher or lower than it is
    by the height of its datum there.
    """
    wanted = None if epoch is None else plain("epoch", epoch)
    datum = vertical(service.city.crs)
    label = vertical_label(service.city.crs)
    document = {
        "tilejson": "2.1.0",
        "name": f"diaba · {service.city.name} · terrain",
        "description": f"Terrain measured by LIDAR. Heights in metres above: {label}, not above the ellipsoid",
        "version": "1.0.0",
        "format": "quantized-mesh-1.0",
        "scheme": "tms",
        "projection": "EPSG:4326",
        "tiles": [f"{base}/terrain/{{z}}/{{x}}/{{y}}.terrain" + (f"?epoch={quote(wanted, safe='')}" if wanted else "")],
        "minzoom": 0,
        "maxzoom": LEVEL_MOST,
        # Of the whole scheme, as clients expect; the city's are under `extent`.
        "bounds": [-180.0, -90.0, 180.0, 90.0],
        "extent": bounds_of(service),
        "extensions": ["octvertexnormals", "metadata"],
        # Clients that know of `metadata` ask tiles of every tenth level what there is below them.
        "metadataAvailability": METADATA_EVERY,
        "available": available(service, 0, LEVEL_MOST),
        "attribution": ATTRIBUTION,
        "verticalDatum": {
            "name": label,
            "crs": None if datum is None or datum.to_epsg() is None else f"EPSG:{datum.to_epsg()}",
            "ellipsoidal": False,
            "geoid": None,
            "geoid_offset_m": service.city.geoid_offset,
            "note": "no geoid model is applied, the offset is added; the datum's zero where nothing was measured",
        },
        "toleranceMetres": [round(tolerance(z), 3) for z in range(LEVEL_MOST + 1)],
    }
    return answer(request, json_bytes(document), JSON)


@router.get(
    "/{z}/{x}/{y}.terrain",
    operation_id="getTerrainTile",
    summary="Terrain tile",
    responses={200: {"description": "The mesh.", "content": {MEDIA_TYPE: {}}}, **PROBLEMS},
    response_class=Response,
)
def tile(
    request: Request,
    service: ServiceDep,
    z: Z,
    x: X,
    y: Y,
    epoch: Epoch = None,
    extensions: Annotated[
        str | None,
        Query(description="Of `octvertexnormals-metadata`; without it those of the header Accept, or normals."),
    ] = None,
) -> Response:
    """A tile's surface as triangles, with normals; neighbours of one level have the same vertices on their edge.

    The triangles are off by no more than the tolerance of the level (see `layer.json`) where heights are read, every
    128th of the tile's side. A tile without any height is flat, at 0 m.
    """
    check_key(z, x, y)
    wanted = None if epoch is None else plain("epoch", epoch)
    chosen = _extensions(request, extensions)
    key = TerrainKey(z, x, y)
    files = files_of(service, key, wanted)
    metadata = _metadata(service, key) if "metadata" in chosen and z % METADATA_EVERY == 0 else None
    with_normals = "octvertexnormals" in chosen
    name = name_of(
        *("terrain", MESHING, key, with_normals, metadata, service.city.geoid_offset, identities(service, files))
    )

    def make() -> bytes:
        return mesh_of(service, key, files, with_normals=with_normals, metadata=metadata)

    age = service.limits.raster_age_seconds
    return rendered(request, service.rendered, name, make, MEDIA_TYPE, max_age=age, compress=True)


def check_key(z: int, x: int, y: int) -> None:
    """Whether the tile set has such a tile.

    Raises:
        BadParameter: no such level.
        NotFound: the level has no such tile.
    """
    if not 0 <= z <= LEVEL_MOST:
        raise BadParameter("z", "…", f"levels are 0 to {LEVEL_MOST}")
    if not (0 <= x < 2 ** (z + 1) and 0 <= y < 2**z):
        raise NotFound("tile", f"{z}/…: columns are 0 to {2 ** (z + 1) - 1}, rows 0 to {2**z - 1}")


def _extensions(request: Request, asked: str | None) -> frozenset[str]:
    """What a client wants, as CesiumJS says it: `Accept: application/vnd.quantized-mesh;extensions=a-b`."""
    known = frozenset({"octvertexnormals", "watermask", "metadata"})
    if asked is None:
        for part in request.headers.get("accept", "").split(","):
            kind, _, parameters = part.partition(";")
            if kind.strip() == MEDIA_TYPE and parameters.strip().startswith("extensions="):
                # Of a header, what is not known is passed over.
                return frozenset(parameters.strip().removeprefix("extensions=").split(";")[0].split("-")) & known
        return frozenset({"octvertexnormals"})
    chosen = frozenset(part for part in asked.split("-") if part)
    if not chosen <= known:
        raise BadParameter("extensions", ascii(asked[:40])[1:-1], f"there are {', '.join(sorted(known))}")
    return chosen


def _metadata(service: Service, key: TerrainKey) -> dict[str, Any]:
    """The tiles below this one, for the next levels: rectangles of each."""
    levels = available(service, min(key.z + 1, LEVEL_MOST), min(key.z + METADATA_EVERY, LEVEL_MOST))
    below = []
    for depth, rectangles in enumerate(levels, start=1):
        size = 2**depth
        west, south = key.x * size, key.y * size
        inside = []
        for one in rectangles:
            cut = {
                "startX": max(one["startX"], west),
                "startY": max(one["startY"], south),
                "endX": min(one["endX"], west + size - 1),
                "endY": min(one["endY"], south + size - 1),
            }
            if cut["startX"] <= cut["endX"] and cut["startY"] <= cut["endY"]:
                inside.append(cut)
        below.append(inside)
    return {"available": below}
