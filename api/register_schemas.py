"""JSON Schemas (2020-12) of answers: of health, of the look-up of dossiers, of the search of parcels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "required": list(properties), "properties": dict(properties)}


_TEXT: Schema = {"type": "string"}
_DAY: Schema = {"type": "string", "format": "date"}
_DAY_OR_NONE: Schema = {"type": ["string", "null"], "format": "date"}

LIVE = _object({"status": {"const": "live"}})
READY = _object({"status": {"const": "ready"}, "city": _TEXT})

DOSSIER_STATUS = _object(
    {
        **dict.fromkeys(("receipt", "status", "status_vi", "status_en", "clock", "law", "law_vi"), _TEXT),
        "filed": _DAY,
        "due": _DAY,
        "doubt": {"type": "array", "items": _TEXT},
        "next_step": {
            "oneOf": [
                {"type": "null"},
                _object({"step": _TEXT, "title_vi": _TEXT, "title_en": _TEXT, "role": _TEXT, "due": _DAY_OR_NONE}),
            ]
        },
    }
)

FOUND_PARCELS = _object(
    {
        "type": {"const": "FeatureCollection"},
        "features": {
            "type": "array",
            "items": _object(
                {
                    "type": {"const": "Feature"},
                    "id": _TEXT,
                    "geometry": _object(
                        {"type": {"enum": ["Polygon", "MultiPolygon"]}, "coordinates": {"type": "array"}}
                    ),
                    "properties": _object({"uid": _TEXT, "found_by": _TEXT, "valid_from": _DAY_OR_NONE}),
                }
            ),
        },
        "numberReturned": {"type": "integer", "minimum": 0},
        "has_more": {"type": "boolean"},
    }
)
