"""Buildings as glTF 2.0 in its binary form (registry.khronos.org/glTF/specs/2.0), for viewers and game engines.

One mesh, one primitive a surface type with its colour, flat normals. Which building a vertex belongs to stands in
`_FEATURE_ID_0` (extension EXT_mesh_features); the names of the buildings, by that number, in `asset.extras`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gis.city_model.building import Building, Surface
from gis.city_model.faces import normals, triangles
from gis.city_model.glb import INDICES, VERTICES, Buffer, glb
from gis.city_model.obj import Origin, local_origin
from gis.crs import CrsLike, name_of
from gis.files import written_whole

COLOURS: Final[Mapping[Surface, tuple[float, float, float, float]]] = {
    Surface.GROUND: (0.36, 0.33, 0.30, 1.0),
    Surface.WALL: (0.86, 0.83, 0.76, 1.0),
    Surface.ROOF: (0.66, 0.24, 0.16, 1.0),
}
"""Base colour by surface type, linear RGBA."""
Z_TO_Y_UP = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
"""Matrix of the node, by columns: the mesh has z up, as the CRS; glTF has y up, and north is −z then."""


def write_glb(buildings: Iterable[Building], path: Path | str, crs: CrsLike, *, origin: Origin | None = None) -> None:
    """Write the best models as one .glb; the file appears whole or not at all. Arguments and errors as `to_glb`."""
    made = to_glb(buildings, crs, origin=origin)
    with written_whole(path) as part:
        part.write_bytes(made)


def to_glb(buildings: Iterable[Building], crs: CrsLike, *, origin: Origin | None = None) -> bytes:
    """The best models as one .glb.

    Positions are single precision from the origin, which stands in `asset.extras` with the CRS: exact to 0.1 mm
    within 1 km of it, to 1 mm within 16 km.

    Args:
        buildings: in the CRS; those without a model are named, with nothing drawn.
        crs: named in `asset.extras`.
        origin: what is taken off the coordinates; whole metres in the middle of all unless given.

    Raises:
        BadGeometry: a face is no simple polygon.
    """
    buildings = list(buildings)
    start = local_origin(buildings) if origin is None else origin
    extras = {"crs": name_of(crs), "origin": list(start), "buildings": [b.uid for b in buildings]}
    return glb(*_document(_parts(buildings, start), extras, len(buildings)))


def _parts(
    buildings: Sequence[Building], origin: Origin
) -> dict[Surface, tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
    """By surface type: corners of triangles (3t, 3) from the origin, their normals, and the number of the building."""
    found: dict[Surface, list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]] = {}
    for number, building in enumerate(buildings):
        solid = building.solid
        if solid is None:
            continue
        corners, face = triangles(solid)
        normal, _ = normals(solid)
        kinds = np.array([one.surface.value for one in solid.faces])[face]
        for surface in Surface:
            own = kinds == surface.value
            if own.any():
                xyz = solid.vertices[corners[own].reshape(-1)] - np.array(origin)
                found.setdefault(surface, []).append(
                    (xyz, np.repeat(normal[face[own]], 3, axis=0), np.full(len(xyz), float(number)))
                )
    return {
        surface: tuple(np.concatenate(column).astype(np.float32) for column in zip(*found[surface], strict=True))  # type: ignore[misc]
        for surface in Surface
        if surface in found
    }


def _document(
    parts: Mapping[Surface, tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]],
    extras: Mapping[str, Any],
    count: int,
) -> tuple[dict[str, Any], bytes]:
    """The JSON chunk's content and the binary chunk."""
    document: dict[str, Any] = {"asset": {"version": "2.0", "generator": "diaba", "extras": extras}}
    if not parts:
        return document, b""
    buffer = Buffer()
    primitives = []
    for number, (xyz, normal, feature) in enumerate(parts.values()):
        # Corners of one face that are the same are written once.
        table = np.column_stack([xyz, normal, feature])
        once, index = np.unique(table, axis=0, return_inverse=True)
        attributes = {
            "POSITION": buffer.add(np.ascontiguousarray(once[:, :3]), VERTICES, extent=True),
            "NORMAL": buffer.add(np.ascontiguousarray(once[:, 3:6]), VERTICES),
            "_FEATURE_ID_0": buffer.add(np.ascontiguousarray(once[:, 6]), VERTICES),
        }
        features = {"featureIds": [{"featureCount": count, "attribute": 0, "label": "building"}]}
        primitives.append(
            {
                "attributes": attributes,
                "indices": buffer.add(index.reshape(-1).astype(np.uint32), INDICES),
                "material": number,
                "mode": 4,
                "extensions": {"EXT_mesh_features": features},
            }
        )
    document |= {
        "extensionsUsed": ["EXT_mesh_features"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "buildings", "matrix": list(Z_TO_Y_UP)}],
        "meshes": [{"primitives": primitives}],
        "materials": [material(surface) for surface in parts],
        **buffer.members,
    }
    return document, bytes(buffer.bytes)


def material(surface: Surface) -> dict[str, Any]:
    """The look of a surface type."""
    return {
        "name": str(surface),
        "pbrMetallicRoughness": {
            "baseColorFactor": list(COLOURS[surface]),
            "metallicFactor": 0.0,
            "roughnessFactor": 1.0,
        },
    }
