"""Points as glTF and their octree as a tileset: a child adds its points to those of its parent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gis.bounds import BoundingBox
from gis.city_model.glb import VERTICES, Buffer, glb
from gis.city_model.tiles3d.content import nothing, placed, quantised
from gis.city_model.tiles3d.frame import LocalFrame
from gis.city_model.tiles3d.tileset import Datum, around, document
from gis.crs import CrsLike

REFINE: Final = "ADD"
POINTS = 0
"""glTF's mode of a primitive that is points."""
ERROR: Final = 8.0
"""Of a tile, in spacings of its points: refined at the usual 16 pixels, points are then two pixels apart."""
Key = tuple[int, int, int, int]
"""Level, x, y, z of a voxel."""


def point_content(
    xyz: NDArray[np.float64], colours: NDArray[np.uint8], crs: CrsLike, geoid_offset: float = 0.0
) -> bytes:
    """Points as .glb, unlit.

    Args:
        xyz: (n, 3) metres in the CRS.
        colours: (n, 3) sRGB.
        crs: theirs.
        geoid_offset: metres from the ellipsoid up to the zero of the vertical datum.
    """
    if not len(xyz):
        return nothing()
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    frame = LocalFrame.at(crs, tuple(((low + high) / 2.0).tolist()), geoid_offset)
    buffer = Buffer()
    positions, node = quantised(frame.local(xyz))
    attributes = {
        "POSITION": buffer.add(positions, VERTICES, extent=True),
        "COLOR_0": buffer.add(linear(colours), VERTICES, normalised=True),
    }
    quantisation = "KHR_mesh_quantization"
    made = {
        "asset": {"version": "2.0", "generator": "diaba"},
        "extensionsUsed": ["KHR_materials_unlit", quantisation],
        "extensionsRequired": [quantisation],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [placed(frame), {"mesh": 0, "name": "points", **node}],
        "meshes": [{"primitives": [{"attributes": attributes, "mode": POINTS, "material": 0}]}],
        "materials": [
            {
                "name": "points",
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
                "extensions": {"KHR_materials_unlit": {}},
            }
        ],
    }
    return glb({**made, **buffer.members}, buffer.bytes)


def linear(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """SRGB as the linear values glTF's vertex colours are (IEC 61966-2-1)."""
    share = np.arange(256) / 255.0
    table = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.rint(table * 255.0).astype(np.uint8)[colours]


def epoch_tileset(
    datum: Datum, files: Sequence[tuple[str, BoundingBox, float, float, float]], extras: Mapping[str, Any]
) -> dict[str, Any]:
    """The tileset of a campaign: each file is a tileset of its own.

    Args:
        datum: the city's.
        files: address of its tileset, bounds, lowest and highest metres, and spacing of its coarsest points.
        extras: what else is to be said.
    """
    error = 4.0 * ERROR * max((one[4] for one in files), default=0.0)
    volumes = datum.regions([(bounds, low, high) for _, bounds, low, high, _ in files]) if files else []
    children = [
        {"boundingVolume": volume, "geometricError": 2.0 * ERROR * spacing, "content": {"uri": uri}}
        for volume, (uri, _, _, _, spacing) in zip(volumes, files, strict=True)
    ]
    root: dict[str, Any] = {
        "boundingVolume": around(volumes),
        "geometricError": error,
        "refine": REFINE,
        **({"children": children} if children else {}),
    }
    return document(datum, root, error, extras)


def octree_tileset(
    datum: Datum,
    boxes: Mapping[Key, tuple[NDArray[np.float64], NDArray[np.float64]]],
    spacing: float,
    uri: Callable[[Key], str],
    extras: Mapping[str, Any],
) -> dict[str, Any]:
    """The tileset of one file's voxels; those without points, above others with some, are there without content.

    Args:
        datum: the city's.
        boxes: lowest and highest corner of each voxel with points, in the city's CRS.
        spacing: metres between points of level 0.
        uri: address of a voxel's content.
        extras: what else is to be said.
    """
    root: Key = (0, 0, 0, 0)
    known = dict(boxes)
    for key, (low, high) in sorted(boxes.items(), reverse=True):
        # A parent holds its children, also one that has no points of its own.
        while key[0] > 0:
            key = _above(key)
            before = known.get(key)
            known[key] = (low, high) if before is None else (np.minimum(before[0], low), np.maximum(before[1], high))
    if not known:
        return document(datum, {"boundingVolume": around([]), "geometricError": 0.0}, 0.0, extras)
    order = sorted(known)
    flat = [_flat(*known[key], datum) for key in order]
    tiles: dict[Key, dict[str, Any]] = {
        key: {"boundingVolume": volume, "geometricError": ERROR * spacing / (1 << key[0])}
        for key, volume in zip(order, datum.regions(flat), strict=True)
    }
    for key in order:
        if key in boxes:
            tiles[key]["content"] = {"uri": uri(key)}
        if key != root:
            parent = tiles[_above(key)]
            parent.setdefault("children", []).append(tiles[key])
    has_children = {key for key in order if "children" in tiles[key]}
    for key in order:
        if key not in has_children:
            # Nothing finer is known.
            tiles[key]["geometricError"] = 0.0
    tiles[root]["refine"] = REFINE
    return document(datum, tiles[root], 2.0 * ERROR * spacing, extras)


def _above(key: Key) -> Key:
    level, x, y, z = key
    return (level - 1, x >> 1, y >> 1, z >> 1)


def _flat(low: NDArray[np.float64], high: NDArray[np.float64], datum: Datum) -> tuple[BoundingBox, float, float]:
    (west, south, bottom), (east, north, top) = low.tolist(), high.tolist()
    return BoundingBox(west, south, east, north, datum.horizontal), bottom, top
