"""glTF taken apart by the words of its specification, for tests that hold it against the store."""

from __future__ import annotations

import json
import struct
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def chunks(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk."""
    magic, version, length = struct.unpack_from("<4sII", raw)
    assert (magic, version, length) == (b"glTF", 2, len(raw))
    found, at = [], 12
    while at < length:
        size, kind = struct.unpack_from("<I4s", raw, at)
        assert at % 4 == size % 4 == 0
        found.append((kind, raw[at + 8 : at + 8 + size]))
        at += 8 + size
    assert [kind for kind, _ in found] in ([b"JSON", b"BIN\0"], [b"JSON"])
    return json.loads(found[0][1]), found[1][1] if len(found) > 1 else b""


def numbers(document: dict[str, Any], binary: bytes, accessor: int) -> NDArray[Any]:
    """The values of an accessor, element by element as its stride says."""
    stated = document["accessors"][accessor]
    view = document["bufferViews"][stated["bufferView"]]
    kind = np.dtype(KINDS[stated["componentType"]])
    width = WIDTHS[stated["type"]]
    stride = view.get("byteStride", width * kind.itemsize)
    start = view["byteOffset"] + stated.get("byteOffset", 0)
    found = np.array(
        [np.frombuffer(binary, kind, width, start + i * stride) for i in range(stated["count"])], dtype=kind
    )
    return found[:, 0] if width == 1 else found


def world(document: dict[str, Any]) -> NDArray[np.float64]:
    """(4, 4): from the mesh's numbers into EPSG:4978, through all nodes and 3D Tiles' turn from y up to z up."""
    matrix = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    node = document["nodes"][document["scenes"][0]["nodes"][0]]
    while True:
        if "matrix" in node:
            matrix = matrix @ np.array(node["matrix"]).reshape(4, 4).T
        else:
            own = np.diag([*node.get("scale", [1.0] * 3), 1.0])
            own[:3, 3] = node.get("translation", [0.0] * 3)
            matrix = matrix @ own
        if "mesh" in node:
            return matrix
        (child,) = node["children"]
        node = document["nodes"][child]


def positions(document: dict[str, Any], binary: bytes) -> NDArray[np.float64]:
    """(v, 3) EPSG:4978."""
    (mesh,) = document["meshes"]
    raw = numbers(document, binary, mesh["primitives"][0]["attributes"]["POSITION"]).astype(np.float64)
    return np.asarray((np.column_stack([raw, np.ones(len(raw))]) @ world(document).T)[:, :3])


def properties(document: dict[str, Any], binary: bytes) -> dict[str, list[Any]]:
    """The columns of the first property table (EXT_structural_metadata), by 3D Metadata's binary table format."""
    extension = document["extensions"]["EXT_structural_metadata"]
    (table,) = extension["propertyTables"]
    described = extension["schema"]["classes"][table["class"]]["properties"]
    assert set(described) == set(table["properties"])

    def view(number: int) -> bytes:
        one = document["bufferViews"][number]
        assert one["byteOffset"] % 8 == 0
        return binary[one["byteOffset"] : one["byteOffset"] + one["byteLength"]]

    found: dict[str, list[Any]] = {}
    for name, column in table["properties"].items():
        raw, kind = view(column["values"]), described[name]
        if kind["type"] == "STRING":
            offsets = np.frombuffer(
                view(column["stringOffsets"]), {"UINT16": "<u2", "UINT32": "<u4"}[column["stringOffsetType"]]
            )
            assert len(offsets) == table["count"] + 1
            found[name] = [raw[a:b].decode() for a, b in pairwise(offsets)]
        elif kind["type"] == "ENUM":
            values = {one["value"]: one["name"] for one in extension["schema"]["enums"][kind["enumType"]]["values"]}
            found[name] = [values[code] for code in raw[: table["count"]]]
        else:
            found[name] = [
                None if value == kind["noData"] else float(value) for value in np.frombuffer(raw, "<f4", table["count"])
            ]
    return found
