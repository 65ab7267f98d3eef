"""JSON Schemas (2020-12) of answers about cases, and of what is sent of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from api.cases import TEXT_MOST
from api.schemas import property_schema
from gis.construction.inspections import VALUE_MOST, CaseAction, CaseStatus, Outcome
from gis.store.cases import CASES

Schema = dict[str, Any]


def _object(properties: Mapping[str, Schema], required: Iterable[str] | None = None) -> Schema:
    return {
        "type": "object",
        "required": list(properties if required is None else required),
        "properties": dict(properties),
    }


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


_TEXT: Schema = {"type": "string"}
_TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
_DAY: Schema = {"type": "string", "format": "date"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_NUMBER_OR_NONE: Schema = {"type": ["number", "null"]}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_SHARE_OR_NONE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_LINKS = _list({"$ref": "#/components/schemas/Link"})
_STATUS: Schema = {"type": "string", "enum": [str(one) for one in CaseStatus]}
_OUTCOME: Schema = {"type": "string", "enum": [str(one) for one in Outcome]}
_ANYTHING_OR_NONE: Schema = {"type": ["object", "null"]}

_PROPERTIES: Mapping[str, Schema] = {
    **{name: property_schema(name) for name in CASES.properties},
    "status": _STATUS,
    "inspections": _COUNT,
}
_GEOMETRY: Schema = {"anyOf": [{"$ref": "#/components/schemas/Geometry"}, {"type": "null"}]}

PAGE = _object(
    {
        "cases": _list(_object({**_PROPERTIES, "geometry": _GEOMETRY})),
        "numberMatched": _COUNT,
        "numberReturned": _COUNT,
        "links": _LINKS,
    }
)
CASE = _object(
    {
        **_PROPERTIES,
        "closed_at": property_schema("closed_at"),
        "geometry": _GEOMETRY,
        "version": {"type": "integer", "minimum": 1},
        "next": _list({"type": "string", "enum": [str(one) for one in CaseAction]}),
        "inspections": _list(
            _object(
                {
                    "number": _COUNT,
                    "version": _COUNT,
                    "inspected_on": _DAY,
                    "outcome": _OUTCOME,
                    "measured_value": _NUMBER_OR_NONE,
                    "note": _TEXT_OR_NONE,
                    "actor": _TEXT,
                    "recorded_at": _TIME,
                }
            )
        ),
        "assignments": _list(
            _object(
                {
                    "number": _COUNT,
                    "version": _COUNT,
                    "assignee": _TEXT,
                    "until": _DAY,
                    "note": _TEXT_OR_NONE,
                    "actor": _TEXT,
                    "recorded_at": _TIME,
                }
            )
        ),
        "earlier": _list(_object({"id": _TEXT, "epoch": _TEXT, "status": _STATUS})),
        "building": _ANYTHING_OR_NONE,
        "parcel": _ANYTHING_OR_NONE,
        "permit": _ANYTHING_OR_NONE,
        "links": _LINKS,
    }
)
_SHARES: Mapping[str, Schema] = {
    "inspected": _COUNT,
    "confirmed": _COUNT,
    "precision": _SHARE_OR_NONE,
    "precision_low": _SHARE,
    "precision_high": _SHARE,
}
STATISTICS = _object(
    {
        "epoch": _TEXT_OR_NONE,
        "false_alarm_rate": _SHARE_OR_NONE,
        "target": _SHARE,
        "kinds": _list(
            _object(
                {
                    "kind": _TEXT,
                    **dict.fromkeys(
                        ("flagged", "open", "closed", "resolved", "dismissed", "further_inspections"), _COUNT
                    ),
                    **_SHARES,
                    "false_alarm_rate": _SHARE_OR_NONE,
                    "recommended_rate": _SHARE_OR_NONE,
                    "recommended_precision": _SHARE_OR_NONE,
                    "recommended_flagged": {"type": ["integer", "null"], "minimum": 0},
                    "sentence": _TEXT,
                    "by_rate": _list(_object({"false_alarm_rate": _SHARE, "flagged": _COUNT, **_SHARES})),
                    "by_confidence": _list(
                        _object({"confidence_from": _SHARE, "confidence_to": _SHARE, **_SHARES, "real": _SHARE_OR_NONE})
                    ),
                }
            )
        ),
        "bias": _TEXT,
    }
)
_NOTE: Schema = {"type": ["string", "null"], "maxLength": TEXT_MOST}
INSPECTION = _object(
    {
        "outcome": _OUTCOME,
        "inspected_on": {"type": ["string", "null"], "format": "date", "description": "Today without it."},
        "measured_value": {
            "type": ["number", "null"],
            "minimum": -VALUE_MOST,
            "maximum": VALUE_MOST,
            "description": "In the case's unit.",
        },
        "note": _NOTE,
    },
    ("outcome",),
)
ASSIGNMENT = _object(
    {"assignee": {"type": "string", "minLength": 1, "maxLength": 200}, "until": _DAY, "note": _NOTE},
    ("assignee", "until"),
)
