"""What is known of each building, as columns beside the mesh (glTF extension EXT_structural_metadata)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from gis.city_model.glb import Buffer

EXTENSION: Final = "EXT_structural_metadata"
CLASS: Final = "building"
UNKNOWN: Final = -9999.0
"""Stands for a number that is not known (`noData`): JSON has no NaN."""
_ALIGNMENT: Final = 8
"""Bytes; 3D Metadata, binary table format."""


@dataclass(frozen=True, slots=True)
class Property:
    """One column: what a person reads of it, and how it is told."""

    description: str
    kind: str
    """"text", "number" (single precision), or the name of an enumeration."""


UNSAID: Final = "unsaid"
"""Stands for a verdict that the caller may not know (`noData`): no number is left for it in an enumeration."""
ENUMS: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {"lod": ("0", "1.2", "1.3", "2.2"), "verdict": ("none", "flagged", UNSAID, "confirmed", "resolved")}
)
"""Values of each enumeration, which count from 0."""

PUBLIC: Final[Mapping[str, Property]] = MappingProxyType(
    {
        "uid": Property("Mã công trình · Identity of the building", "text"),
        "permit": Property("Số giấy phép xây dựng · Number of the permit in force where it stands", "text"),
        "height": Property("Chiều cao · Height above ground, m", "number"),
        "sigma_height": Property("Sai số trung phương · Standard deviation of the height, m", "number"),
        "roof_type": Property("Loại mái · Type of roof", "text"),
        "lod": Property("Mức chi tiết · Level of detail of the model shown", "lod"),
        "epoch": Property("Đợt bay · Campaign that measured it", "text"),
    }
)
"""What everybody may see."""
OFFICIAL: Final[Mapping[str, Property]] = MappingProxyType(
    {
        **PUBLIC,
        "verdict": Property(
            "Cần kiểm tra · `flagged` where a difference is to be inspected, else `confirmed` or `resolved`", "verdict"
        ),
    }
)
"""What the offices see besides: a difference is no finding, and not for everybody."""


def property_table(buffer: Buffer, shown: Mapping[str, Property], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The extension's object, its columns added to the buffer.

    Args:
        buffer: the document's.
        shown: the columns.
        rows: a building each, in the order of their numbers; what is not known is None.
    """
    columns = {name: _column(buffer, one.kind, [row.get(name) for row in rows]) for name, one in shown.items()}
    used = {one.kind for one in shown.values()} & set(ENUMS)
    return {
        "schema": {
            "id": "diaba_buildings",
            "classes": {CLASS: {"name": "Measured building", "properties": _described(shown)}},
            "enums": {
                name: {
                    "valueType": "UINT8",
                    "values": [{"name": text, "value": code} for code, text in enumerate(ENUMS[name])],
                }
                for name in sorted(used)
            },
        },
        "propertyTables": [{"name": "buildings", "class": CLASS, "count": len(rows), "properties": columns}],
    }


def _described(shown: Mapping[str, Property]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, one in shown.items():
        if one.kind == "text":
            kind: dict[str, Any] = {"type": "STRING", "noData": ""}
        elif one.kind == "number":
            kind = {"type": "SCALAR", "componentType": "FLOAT32", "noData": UNKNOWN}
        else:
            kind = {"type": "ENUM", "enumType": one.kind, **({"noData": UNSAID} if UNSAID in ENUMS[one.kind] else {})}
        found[name] = {"description": one.description, **kind}
    return found


def _column(buffer: Buffer, kind: str, values: Sequence[Any]) -> dict[str, Any]:
    if kind == "number":
        numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float32)
        numbers[~np.isfinite(numbers)] = UNKNOWN
        return {"values": buffer.view(numbers.tobytes(), align=_ALIGNMENT)}
    if kind in ENUMS:
        codes = bytes(ENUMS[kind].index(UNSAID if value is None else value) for value in values)
        return {"values": buffer.view(codes, align=_ALIGNMENT)}
    texts = [("" if value is None else str(value)).encode() for value in values]
    offsets = np.cumsum([0, *(len(text) for text in texts)])
    narrow = offsets[-1] < 1 << 16
    # A view has a byte at least, also where no text has.
    return {
        "values": buffer.view(b"".join(texts) or b"\0", align=_ALIGNMENT),
        "stringOffsets": buffer.view(offsets.astype("<u2" if narrow else "<u4").tobytes(), align=_ALIGNMENT),
        "stringOffsetType": "UINT16" if narrow else "UINT32",
    }
