"""JSON Schemas (2020-12) of answers: health, who asks, the look-up of dossiers, the search of parcels, lots."""

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
_TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
_TEXTS: Schema = {"type": "array", "items": _TEXT}


def _or_none(schema: Schema) -> Schema:
    return {"oneOf": [{"type": "null"}, schema]}


def _outline() -> Schema:
    return _object({"type": {"const": "Polygon"}, "coordinates": {"type": "array"}})


_LIMIT = _object(
    {
        **dict.fromkeys(("rule", "quantity", "unit", "source", "article", "citation", "jurisdiction"), _TEXT),
        "bound": {"enum": ["at_most", "at_least"]},
        "value": _NUMBER_OR_NONE,
        "actual": _NUMBER_OR_NONE,
        "verdict": {"enum": ["pass", "fail", "doubtful"]},
        "binds": {"type": "boolean", "description": "Whether it is the strictest of its quantity."},
        "in_force_from": _DAY_OR_NONE,
        "is_doubtful": {"type": "boolean"},
        "doubt": _TEXT_OR_NONE,
        "inputs": {"type": "object"},
        "note": _TEXT_OR_NONE,
    }
)
_STEP = _object({**dict.fromkeys(("base_m", "top_m", "area_m2"), _NUMBER), "polygon": _outline()})
LOT_ANSWER = _object(
    {
        "parcel": _object({"uid": _TEXT}),
        "filed_on": _DAY,
        "as_of": _DAY,
        "use": _TEXT,
        "area_kind": {"enum": ["existing", "new"]},
        "taken_for_granted": _TEXTS,
        "jurisdiction": _TEXT,
        "crs": _TEXT,
        "lot": _object(
            {
                "area_m2": _NUMBER,
                "depth_m": _NUMBER_OR_NONE,
                "fronts": {
                    "type": "array",
                    "items": _object({"road": _TEXT, "reserve_width_m": _NUMBER, "frontage_m": _NUMBER}),
                },
                "polygon": _outline(),
            }
        ),
        "verdict": {"enum": ["pass", "fail", "doubtful"]},
        "lot_checks": {"type": "array", "items": _LIMIT},
        "limits": {"type": "array", "items": _LIMIT},
        "allowed": {"type": "object", "additionalProperties": _NUMBER},
        "envelope": _or_none(
            _object(
                {
                    **dict.fromkeys(("ground_area_m2", "height_m", "volume_m3"), _NUMBER),
                    "steps": {"type": "array", "items": _STEP, "minItems": 1},
                }
            )
        ),
        "no_envelope": _or_none(
            _object({"reason": {"enum": ["lot", "no_height_limit", "nothing_left"]}, "detail": _TEXT})
        ),
        "ground": _or_none(
            _object(
                {
                    **dict.fromkeys(("height_m", "lowest_m", "highest_m"), _NUMBER),
                    "sigma_m": _NUMBER_OR_NONE,
                    "reference": _TEXT_OR_NONE,
                }
            )
        ),
        "notes": _TEXTS,
        "links": {"type": "array", "items": _object({"rel": _TEXT, "href": _TEXT, "type": _TEXT})},
    }
)

SESSION = _object(
    {
        "subject": {**_TEXT_OR_NONE, "description": "Who asks, as its issuer names it; null for the public."},
        "departments": _TEXTS,
        "wards": {**_TEXTS, "description": "Codes of wards of any grant; `*` is every ward."},
        "grants": {
            "type": "array",
            "items": _object({"department": _TEXT, "wards": _TEXTS, "may_change": {"type": "boolean"}}),
        },
        "sees": {"type": "object", "additionalProperties": _TEXTS, "description": "Subject of rows → wards."},
        "sign_in": _object(
            {
                "development": {
                    "type": "boolean",
                    "description": "Whether tokens of `diaba token` are believed.",
                },
                "oidc": _or_none(
                    _object({**dict.fromkeys(("issuer", "authorization_endpoint", "client_id", "scope"), _TEXT)})
                ),
            }
        ),
    }
)
TOKENS = _object(
    {
        "access_token": _TEXT,
        "token_type": {"const": "Bearer"},
        "expires_in": {"type": ["integer", "null"], "description": "Seconds."},
        "id_token": _TEXT_OR_NONE,
    }
)
