"""The binary form of glTF 2.0 (registry.khronos.org/glTF/specs/2.0, 4): one buffer, views into it, one container."""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

VERTICES, INDICES = 34962, 34963
"""What a view is for: `bufferView.target`."""
COMPONENTS: Final = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}
"""Code of each type of number."""
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


class Buffer:
    """The one buffer of a document, filled view by view, and the accessors to its numbers."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, raw: bytes, target: int | None = None, *, stride: int = 0, align: int = 4) -> int:
        """The number of a view of these bytes, which begins at a multiple of `align`."""
        self.bytes += bytes(-len(self.bytes) % align)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.bytes), "byteLength": len(raw)}
        if stride:
            view["byteStride"] = stride
        if target is not None:
            view["target"] = target
        self.bytes += raw
        self.views.append(view)
        return len(self.views) - 1

    def add(self, values: NDArray[Any], target: int, *, extent: bool = False, normalised: bool = False) -> int:
        """The number of the accessor to an array, (n,) or (n, 2…4); of vertices each element fills whole four bytes."""
        width = 1 if values.ndim == 1 else values.shape[1]
        size = width * values.itemsize
        stride = size + -size % 4 if target == VERTICES else size
        if stride == size:
            raw, stride = np.ascontiguousarray(values).tobytes(), 0
        else:
            padded = np.zeros((len(values), stride // values.itemsize), dtype=values.dtype)
            padded[:, :width] = values.reshape(-1, width)
            raw = padded.tobytes()
        accessor: dict[str, Any] = {
            "bufferView": self.view(raw, target, stride=stride),
            "componentType": COMPONENTS[values.dtype.name],
            "count": len(values),
            "type": _TYPES[width],
        }
        if normalised:
            accessor["normalized"] = True
        if extent:
            accessor["min"], accessor["max"] = values.min(axis=0).tolist(), values.max(axis=0).tolist()
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    @property
    def members(self) -> dict[str, Any]:
        """What the document says of it."""
        return {
            "buffers": [{"byteLength": len(self.bytes)}],
            "bufferViews": self.views,
            "accessors": self.accessors,
        }


def glb(document: dict[str, Any], binary: bytes | bytearray = b"") -> bytes:
    """The container: both chunks are padded to four bytes, the text with spaces."""
    text = orjson.dumps(document)
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        binary = bytes(binary) + bytes(-len(binary) % 4)
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
