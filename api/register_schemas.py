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


_NUMBER: Schema = {"type": "number"}
_NUMBER_OR_NONE: Schema = {"type": ["number", "null"]}


def _features(properties: Mapping[str, Schema], **more: Schema) -> Schema:
    """A collection of features whose properties are there as told; `more` are members of the collection."""
    feature = {
        "type": {"const": "Feature"},
        "id": _TEXT,
        "geometry": _object({"type": {"enum": ["Polygon", "MultiPolygon"]}, "coordinates": {"type": "array"}}),
        "properties": _object(properties),
    }
    return _object(
        {
            "type": {"const": "FeatureCollection"},
            "features": {"type": "array", "items": _object(feature)},
            "numberReturned": {"type": "integer", "minimum": 0},
            **more,
        }
    )


CHANGED_BUILDINGS = _features(
    {
        "uid": _TEXT,
        "change": {"enum": ["new", "demolished", "taller", "lower", "extended", "reduced"]},
        "parcel_uid": {"type": ["string", "null"]},
        "delta": _NUMBER,
        "sigma": _NUMBER,
        "unit": {"enum": ["m", "m²"]},
        "confidence": _NUMBER,
        "evidence": {"type": "object"},
    },
    has_more={"type": "boolean"},
    registration=_object(
        {
            **dict.fromkeys(("east", "north", "up"), _NUMBER),
            **dict.fromkeys(("sigma_east", "sigma_north", "sigma_up"), _NUMBER_OR_NONE),
        }
    ),
)

_VOLUME = _object({"m3": _NUMBER, "sigma": _NUMBER, "area_m2": _NUMBER})
EARTH = _object(
    {
        "from": _TEXT,
        "to": _TEXT,
        **dict.fromkeys(("cut", "fill", "net", "net_of_all"), _VOLUME),
        "level_of_detection_m": _NUMBER_OR_NONE,
        "known": _NUMBER,
        "offset_m": _NUMBER,
        "sigma_offset_m": _NUMBER,
        "errors": _object({"single": _NUMBER, "shared": _NUMBER, "range_m": _NUMBER}),
    }
)

FLOODED = _features({"kind": {"enum": ["water", "lot"]}}, level=_NUMBER, sigma_level=_NUMBER)
