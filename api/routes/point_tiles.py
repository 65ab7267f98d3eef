"""Point clouds as 3D Tiles 1.1: the octrees of the catalogue's COPC files, voxel by voxel as glTF."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path as File
from typing import Annotated, Literal
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import JSON, answer, json_bytes
from api.caller import caller
from api.dependencies import Service, ServiceDep
from api.errors import PROBLEMS
from api.kept import Kept
from api.point_colours import by_class, by_height
from api.query import key
from api.routes.tiles3d import GLB, KeeperDep
from gis.bounds import BoundingBox
from gis.city_model.tiles3d.points import epoch_tileset, octree_tileset, point_content
from gis.city_model.tiles3d.tileset import Datum
from gis.crs import horizontal
from gis.errors import DiabaError, NotFound
from gis.store.point_files import PointFile, point_file, point_files
from lidar.octree import Octree, read_octree
from lidar.write_copc import COPC_ENDING

log = logging.getLogger("diaba.api")
router = APIRouter(prefix="/points", tags=["3D"])

FILES_MOST = 5_000
"""Of one campaign."""
VOXELS_MOST = 20_000
"""Of one file; of more the coarser ones, whose tileset says so."""
POINTS_MOST = 100_000
"""Of one tile; of a voxel with more, every second, third … point. Files made here have 50,000 at most."""
Colour = Annotated[
    Literal["class", "height"], Query(description="By class, or by height above the datum from 0 to 60 m.")
]
Epoch = Annotated[str, Path(description="The campaign.")]
TileKey = Annotated[str, Path(description="The tile of the campaign.")]
Number = Annotated[int, Path(description="Level, x, y or z of the voxel (COPC 1.0).")]


@router.get(
    "/{epoch}/tileset.json",
    operation_id="getPointsTileset",
    summary="3D Tiles: points of a campaign",
    responses=PROBLEMS,
    response_class=Response,
)
def campaign(request: Request, service: ServiceDep, epoch: Epoch, colour: Colour = "class") -> Response:
    """Each file of the campaign that is COPC, as a tileset of its own; `asset.extras` names those left out."""
    name = key("campaign", epoch)
    with service.reading() as connection:
        files = point_files(connection, name, FILES_MOST + 1)
    found, left_out = [], []
    for file in files[:FILES_MOST]:
        try:
            octree = _root(_path(service, file), file.sha256)
        except DiabaError as error:
            log.warning("no point tiles: %s", error)
            left_out.append(file.tile_key)
            continue
        bounds = BoundingBox(*octree.low[:2], *octree.high[:2], horizontal(octree.crs))
        at = f"{quote(file.tile_key, safe='')}/tileset.json?colour={colour}"
        found.append((at, bounds.to(horizontal(service.city.crs)), octree.low[2], octree.high[2], octree.spacing))
    extras = {"left_out": left_out, "complete": len(files) <= FILES_MOST and not left_out}
    return answer(request, json_bytes(epoch_tileset(_datum(service), found, extras)), JSON)


@router.get(
    "/{epoch}/{tile_key}/tileset.json",
    operation_id="getPointFileTileset",
    summary="3D Tiles: points of a tile of a campaign",
    responses=PROBLEMS,
    response_class=Response,
)
def octree(
    request: Request, service: ServiceDep, epoch: Epoch, tile_key: TileKey, colour: Colour = "class"
) -> Response:
    """The octree of the file: a voxel's points are added to those of the voxels around it."""
    tree = _octree(service, _file(service, epoch, tile_key))
    voxels = list(tree.voxels)[:VOXELS_MOST]
    document = octree_tileset(
        Datum(tree.crs, service.city.geoid_offset),
        {one: tree.box(one) for one in voxels},
        tree.spacing,
        lambda one: f"{'-'.join(map(str, one))}.glb?colour={colour}",
        {"complete": len(voxels) == len(tree.voxels)},
    )
    return answer(request, json_bytes(document), JSON)


@router.get(
    "/{epoch}/{tile_key}/{level}-{x}-{y}-{z}.glb",
    operation_id="getPointTile",
    summary="3D Tiles: points of a voxel",
    responses={200: {"description": "The points as binary glTF.", "content": {GLB: {}}}, **PROBLEMS},
    response_class=Response,
)
def voxel(
    request: Request,
    service: ServiceDep,
    keeper: KeeperDep,
    epoch: Epoch,
    tile_key: TileKey,
    level: Number,
    x: Number,
    y: Number,
    z: Number,
    colour: Colour = "class",
) -> Response:
    """The points of one voxel, at most 100,000."""
    file = _file(service, epoch, tile_key)
    what = ("points", file.sha256, (level, x, y, z), colour, caller().scope_key)
    kept = keeper.get(what)
    if kept is None:
        tree = _octree(service, file)
        points = tree.points((level, x, y, z))
        step = -(-len(points) // POINTS_MOST)
        xyz = np.column_stack([points.x, points.y, points.z])[::step]
        colours = (by_class if colour == "class" else by_height)(points)[::step]
        kept = Kept(None, b"", point_content(xyz, colours, tree.crs, service.city.geoid_offset))
        keeper.put(what, kept)
    return answer(request, kept.body, GLB)


def _file(service: Service, epoch: str, tile_key: str) -> PointFile:
    names = key("campaign", epoch), key("point cloud", tile_key)
    with service.reading() as connection:
        return point_file(connection, *names)


def _octree(service: Service, file: PointFile) -> Octree:
    """The octree of a catalogued file.

    Raises:
        NotFound: the file is not there, or is no COPC.
    """
    return _tree(_path(service, file), file.sha256)


def _path(service: Service, file: PointFile) -> File:
    path = service.city.folder / file.path
    if not path.name.lower().endswith(COPC_ENDING):
        raise NotFound("octree of the point cloud", f"{file.tile_key}: its file is no COPC")
    if not path.is_file():
        raise NotFound("file of the point cloud", file.tile_key)
    return path


@lru_cache(maxsize=256)
def _tree(path: File, sha256: str) -> Octree:
    return read_octree(path)


@lru_cache(maxsize=FILES_MOST)
def _root(path: File, sha256: str) -> Octree:
    """Without its voxels, which only who comes near asks for."""
    return read_octree(path, levels=0)


def _datum(service: Service) -> Datum:
    return Datum(service.city.crs, service.city.geoid_offset)
