"""What a client sends to change a feature, turned into an edit at the door; and who may send it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import orjson
import shapely
from fastapi import Request
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from api.answers import GEOJSON, JSON, revision_of
from api.caller import caller
from api.crs_names import NamedCrs
from api.errors import BodyTooLarge, NotAllowed, NotAuthenticated, PreconditionRequired, UnknownMediaType
from api.query import geometry, key, plain
from gis.errors import BadInput, BadParameter
from gis.land.land_change import Basis
from gis.store.collections import COLLECTIONS
from gis.store.edits import WRITABLE, Action, Edit
from gis.store.property_types import TYPES, Kind

MERGE_PATCH = "application/merge-patch+json"
BODY_MOST = 1_000_000
"""Bytes of a request; a parcel needs some kilobytes."""
TEXT_MOST = 500
"""Characters of a property."""
CORNERS_MOST = 20_000
ANY = "*"
STALE = -1
"""A version no feature has: the caller's ETag names none of ours."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is the same for all features of a request."""

    day: date
    basis: Basis
    crs: NamedCrs
    """Of the coordinates that are sent."""
    city: CRS


def authorise_write(collection: str, ward: str | None) -> None:
    """Refuse everybody who may not change features of a collection in a ward (None: of no known ward).

    Raises:
        NotAuthenticated: nobody says who asks.
        NotAllowed: it is somebody who may not.
    """
    who = caller()
    if who.subject is None:
        raise NotAuthenticated("who changes the registers says who it is: send a token or a key")
    if not who.may_write(collection, ward):
        where = f" of ward {ward}" if ward else ""
        raise NotAllowed(f"{collection}{where} are not changed with this token or key")


def authenticated() -> None:
    """Refuse the public before anything is read of what it sends.

    Raises:
        NotAuthenticated: nobody says who asks.
    """
    if caller().subject is None:
        raise NotAuthenticated("who changes the registers says who it is: send a token or a key")


async def body_of(request: Request) -> bytes:
    """The request's body, of a size that is read.

    Raises:
        BodyTooLarge: it is larger.
    """
    authenticated()
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_MOST:
            raise BodyTooLarge(BODY_MOST)
        parts.append(part)
    return b"".join(parts)


def document_of(body: bytes, content_type: str | None, *accepted: str) -> dict[str, Any]:
    """The JSON object a body is.

    Raises:
        UnknownMediaType: the body is said to be something else.
        BadInput: it is no JSON object.
    """
    told = (content_type or "").split(";")[0].strip().lower()
    if told not in accepted:
        raise UnknownMediaType(told, accepted)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"the body is no JSON: {str(error)[:80]}") from error
    if not isinstance(found, dict):
        raise BadInput("the body is no JSON object")
    return found


def expected_version(if_match: str | None) -> int | None:
    """The version an `If-Match` names; None is any.

    Raises:
        PreconditionRequired: there is none.
    """
    if if_match is None:
        raise PreconditionRequired
    if if_match.strip() == ANY:
        return None
    named = [revision_of(one) for one in if_match.split(",")]
    return next((one for one in named if one is not None), STALE)


def edit_of(
    collection: str, action: Action, name: str | None, document: Mapping[str, Any], if_match: str | None, at: Occasion
) -> Edit:
    """The edit a feature (GeoJSON, or a merge patch of one) asks for.

    Raises:
        BadInput: it is no feature of this collection.
        PreconditionRequired: it changes one and does not say which version was seen.
    """
    if collection not in WRITABLE:
        raise BadInput(f"{collection} are not changed by hand; {', '.join(WRITABLE)} are")
    version = None if action is Action.CREATE else expected_version(if_match)
    if action is Action.END:
        return Edit(collection, action, at.day, key("feature", str(name)), if_version=version, basis=at.basis)
    if action is not Action.UPDATE and document.get("type") != "Feature":
        raise BadInput("the body is no GeoJSON feature")
    properties = document.get("properties", {})
    if not isinstance(properties, Mapping):
        raise BadInput("properties is no JSON object")
    told = {str(one): _value(collection, str(one), value) for one, value in properties.items()}
    named = document.get("id", told.pop("uid", None)) if action is Action.CREATE else name
    if action is not Action.CREATE and {document.get("id", name), told.pop("uid", name)} != {name}:
        raise BadInput("a feature keeps its key")
    if action is Action.CREATE and told.get("valid_from"):
        at = Occasion(told["valid_from"], at.basis, at.crs, at.city)
    if named is not None:
        named = plain("id", str(named)) if action is Action.CREATE else key("feature", str(named))
        if not named:
            raise BadInput("a feature's key is not empty")
    shape = _shape(document, at)
    if shape is None and action is not Action.UPDATE:
        raise BadInput("the feature has no geometry")
    return Edit(collection, action, at.day, named, told, shape, version, at.basis)


def day_of(text: str | None) -> date:
    """The first day of a change; today without one.

    Raises:
        BadParameter: it is no day.
    """
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadParameter("valid_from", ascii(text[:40])[1:-1], "give a day such as 2026-01-31") from error


def basis_of(approved_at: str | None, legal_ref: str | None, dossier: str | None) -> Basis:
    """The papers a change rests on."""
    approved = None if approved_at is None else day_of(approved_at)
    told = {"legal_ref": legal_ref, "dossier": dossier}
    ref, number = (None if one is None else plain(name, one) for name, one in told.items())
    return Basis(approved, ref, number)


def _value(collection: str, name: str, value: Any) -> Any:
    if name not in COLLECTIONS[collection].properties:
        known = ", ".join(COLLECTIONS[collection].properties)
        raise BadInput(f"{ascii(name[:40])[1:-1]}: {collection} have no such property; they have {known}")
    if value is None:
        return None
    kind = TYPES[name].kind
    if kind is Kind.TEXT and isinstance(value, str) and 0 < len(value) <= TEXT_MOST and value.isprintable():
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind is Kind.INTEGER and is_number and value == int(value) and abs(value) < 2**31:
        return int(value)
    if kind is Kind.NUMBER and is_number and abs(value) < 1e12:
        return float(value)
    if kind is Kind.DATE and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    told = {Kind.TEXT: f"a text of at most {TEXT_MOST} printable characters", Kind.DATE: "a day such as 2026-01-31"}
    raise BadInput(f"{name}: {told.get(kind, 'a number')} is needed")


def _shape(document: Mapping[str, Any], at: Occasion) -> BaseGeometry | None:
    given = document.get("geometry")
    if given is None:
        if "geometry" in document:
            raise BadInput("a feature keeps a geometry")
        return None
    if not isinstance(given, Mapping) or "bbox" in given:
        raise BadInput("geometry is no GeoJSON geometry")
    shape = geometry(given, at.crs, at.city, parameter="geometry")
    if shapely.get_num_coordinates(shape) > CORNERS_MOST:
        raise BadInput(f"a geometry has at most {CORNERS_MOST} corners")
    # The register keeps millimetres.
    rounded: BaseGeometry = shapely.transform(shape, lambda xy: np.round(xy, 3))
    return rounded


ACCEPTED_FEATURES = (GEOJSON, JSON)
ACCEPTED_PATCHES = (MERGE_PATCH, GEOJSON, JSON)
