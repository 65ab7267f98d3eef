"""A tile's content: glTF in its binary form, which building each corner is of, and what is known of each building.

Extensions: KHR_mesh_quantization (whole numbers of two bytes for positions, of one for normals), EXT_mesh_features (the
number of the building) and EXT_structural_metadata (its properties).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gis.city_model.building import Surface
from gis.city_model.glb import INDICES, VERTICES, Buffer, glb
from gis.city_model.gltf import material
from gis.city_model.tiles3d.frame import LocalFrame
from gis.city_model.tiles3d.mesh import TileMesh
from gis.city_model.tiles3d.properties import EXTENSION, Property, property_table

STEP_MOST: Final = 0.008
"""Metres: positions on a coarser grid than this would be off by more than 4 mm along an axis, 7 mm in space; they are
written in single precision then."""
_STEPS: Final = (1 << 16) - 1
FEATURES_MOST: Final = 1 << 16
"""Buildings whose numbers fit into two bytes."""


def tile_content(mesh: TileMesh, rows: Sequence[Mapping[str, Any]], shown: Mapping[str, Property]) -> bytes:
    """The tile as .glb. Its outer node places it on the earth, in double precision; the inner one holds metres.

    Args:
        mesh: of the buildings in their order; has triangles.
        rows: their properties; at most `FEATURES_MOST`.
        shown: which properties are told.
    """
    buffer = Buffer()
    positions, node = quantised(mesh.positions)
    attributes = {
        "POSITION": buffer.add(positions, VERTICES, extent=True),
        "NORMAL": buffer.add(_normals(mesh.normals), VERTICES, normalised=True),
        "_FEATURE_ID_0": buffer.add(mesh.feature.astype(np.uint16), VERTICES),
    }
    features = {"featureIds": [{"featureCount": len(rows), "attribute": 0, "propertyTable": 0, "label": "building"}]}
    parts = [(surface, part) for surface, part in ((Surface.WALL, mesh.walls), (Surface.ROOF, mesh.roofs)) if len(part)]
    kind = np.uint16 if len(positions) <= _STEPS else np.uint32
    document = {
        "asset": {"version": "2.0", "generator": "diaba"},
        "extensionsUsed": ["EXT_mesh_features", EXTENSION, "KHR_mesh_quantization"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [placed(mesh.frame), {"mesh": 0, "name": "buildings", **node}],
        "meshes": [
            {
                "primitives": [
                    {
                        "attributes": attributes,
                        "indices": buffer.add(part.reshape(-1).astype(kind), INDICES),
                        "material": number,
                        "mode": 4,
                        "extensions": {"EXT_mesh_features": features},
                    }
                    for number, (_, part) in enumerate(parts)
                ]
            }
        ],
        "materials": [material(surface) for surface, _ in parts],
        "extensions": {EXTENSION: property_table(buffer, shown, rows)},
    }
    return glb({**document, **buffer.members}, buffer.bytes)


def nothing() -> bytes:
    """The content of a tile without buildings."""
    return glb({"asset": {"version": "2.0", "generator": "diaba"}})


def placed(frame: LocalFrame) -> dict[str, Any]:
    """The outer node: from the frame into EPSG:4978, and from z up to y up, which 3D Tiles turns back."""
    up = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    matrix = up @ frame.matrix
    return {"name": "place", "matrix": [float(value) for value in matrix.T.ravel()], "children": [1]}


def quantised(metres: NDArray[np.float64]) -> tuple[NDArray[Any], dict[str, Any]]:
    """Positions as they are written, and the node that brings them back to metres."""
    low = metres.min(axis=0)
    # One step for all axes: an uneven scale would bend the normals.
    step = float((metres - low).max()) / _STEPS
    if step > STEP_MOST:
        return metres.astype(np.float32), {}
    step = max(step, 1e-6)
    return np.rint((metres - low) / step).astype(np.uint16), {"translation": low.tolist(), "scale": [step] * 3}


def _normals(direction: NDArray[np.float64]) -> NDArray[np.int8]:
    """One byte a component: at most half a degree off."""
    return np.rint(direction * 127.0).astype(np.int8)
