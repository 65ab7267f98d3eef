"""What a page of features may be asked by.

Read by one model at once: FastAPI looks at each parameter of a route by itself, a tenth of a page's time.
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gis.errors import BadParameter
from gis.filters import LENGTH_MOST, Language

CRS = "CRS of the answer, a URI of the collection's list. Axes are in the order of its authority."
DATETIME = (
    "When it was so: a day, a date-time (its day counts) or an interval, `..` for an open end. Without it: today. Of "
    "an interval the newest version of each feature is shown."
)
KNOWN_AT = "As the register knew it at this date-time; without it: now."
PROPERTIES = "Properties that are wanted, parted by commas; without it all."
SKIP_GEOMETRY = "Leave the geometry out: it is null."
FORMAT = "`json` for programs, `html` for people; without it, what the header `Accept` says."


class ItemsParameters(BaseModel):
    """The parameters every collection has; its own properties come beside them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bbox: str | None = Field(
        None,
        description="Features that share a point with this box: min, min, max, max.",
        examples=["106.6,10.7,106.7,10.8"],
    )
    bbox_crs: str | None = Field(None, alias="bbox-crs", description="CRS of `bbox`; CRS84 without it.")
    crs: str | None = Field(None, description=CRS)
    limit: int | None = Field(
        None, ge=1, description="Features in an answer. More than the service's most gets the most."
    )
    offset: int = Field(0, ge=0, description="Features to skip; the link `next` is faster.")
    token: str | None = Field(None, description="From a link `next`.")
    datetime: str | None = Field(None, description=DATETIME, examples=["2026-01-31", "2025-01-01/.."])
    known_at: str | None = Field(None, description=KNOWN_AT, examples=["2026-01-31T12:00:00Z"])
    filter: str | None = Field(
        None,
        description=f"Features that fulfil this condition (CQL2, at most {LENGTH_MOST} characters), of the "
        "collection's queryables.",
        examples=["land_use = 'ODT' AND area_legal < 36"],
    )
    filter_lang: Literal["cql2-text", "cql2-json", "cql-text"] = Field(
        Language.TEXT.value,
        alias="filter-lang",
        description="How `filter` is written; `cql-text` is what GDAL calls the text.",
    )
    filter_crs: str | None = Field(
        None, alias="filter-crs", description="CRS of the geometries in `filter`; CRS84 without it."
    )
    sortby: str | None = Field(
        None,
        description="Properties to sort by, parted by commas, - before those that descend; what has no value is last.",
        examples=["-area_legal,uid"],
    )
    properties: str | None = Field(None, description=PROPERTIES)
    skip_geometry: bool = Field(False, alias="skipGeometry", description=SKIP_GEOMETRY)
    result_type: Literal["results", "hits"] = Field(
        "results",
        alias="resultType",
        description="`hits`: only how many match, exactly, however many they are.",
    )
    f: Literal["json", "geojson", "html"] | None = Field(None, description=FORMAT)


RESERVED = frozenset(field.alias or name for name, field in ItemsParameters.model_fields.items())
"""A property of such a name is asked for by `filter`."""


def read(request: Request) -> ItemsParameters:
    """The parameters of a request.

    Raises:
        BadParameter: one of them is not of its kind.
    """
    try:
        return ItemsParameters.model_validate(dict(request.query_params))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadParameter(str(first["loc"][0]), ascii(str(first["input"])[:40])[1:-1], first["msg"]) from error


def described() -> list[dict[str, Any]]:
    """The parameters as OpenAPI lists them."""
    return [_described(name, told) for name, told in ItemsParameters.model_json_schema()["properties"].items()]


_BOX = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}
"""`bbox` is one text to us; to the standard a list, which is written the same."""


def _described(name: str, told: dict[str, Any]) -> dict[str, Any]:
    # A parameter that is left out is not null.
    kind = next((one for one in told.get("anyOf", ()) if one != {"type": "null"}), told)
    schema = _BOX if name == "bbox" else {word: value for word, value in kind.items() if word not in _BESIDE}
    parameter = {
        "name": name,
        "in": "query",
        "required": False,
        "description": told["description"],
        "schema": schema,
        "style": "form",
        "explode": False,
    }
    if examples := told.get("examples"):
        parameter["example"] = [float(part) for part in examples[0].split(",")] if name == "bbox" else examples[0]
    return parameter


_BESIDE = ("anyOf", "description", "examples", "title")
