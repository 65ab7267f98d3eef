"""What a permit allows, from a GeoJSON of the form proposals have."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

import shapely
import shapely.geometry
from pyproj import CRS

from gis.crs import horizontal, normalise
from gis.errors import BadCrs, BadGeometry, UnreadableFile
from gis.store.permit_decisions import Limits

BYTES_MOST = 1_000_000
_WHOLE = ("floors", "basements")
_LENGTHS = (
    *("ground_area_m2", "gross_floor_area_m2", "height_m"),
    *("setback_front_m", "setback_rear_m", "ground_level_m"),
)


def read_limits(path: Path, city: CRS) -> Limits:
    """The limits of the one feature of role `footprint`, or of the only feature there is.

    Raises:
        UnreadableFile: it is no GeoJSON, is larger than 1 MB, has not one footprint, or a value is no number.
        BadCrs: it says another CRS than the city's, or its coordinates are degrees.
        BadGeometry: the footprint is no polygon that can be used.
    """
    document = _document(path)
    features = document.get("features") if document.get("type") == "FeatureCollection" else [document]
    if not isinstance(features, list) or not all(isinstance(feature, dict) for feature in features):
        raise UnreadableFile(path, "not a GeoJSON FeatureCollection")
    _check_crs(path, document, city)
    marked = [feature for feature in features if _properties(feature).get("role") == "footprint"]
    found = marked or features
    if len(found) != 1:
        raise UnreadableFile(path, f"it has {len(found)} features; one of role footprint says what is permitted")
    properties = _properties(found[0])
    numbers: dict[str, Any] = {name: _number(path, properties, name) for name in (*_WHOLE, *_LENGTHS)}
    for name in _WHOLE:
        if numbers[name] is not None:
            if numbers[name] != int(numbers[name]):
                raise UnreadableFile(path, f"{name}: {numbers[name]} is no whole number")
            numbers[name] = int(numbers[name])
    return Limits(_footprint(path, found[0], city), **numbers)


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MOST + 1)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "it cannot be read") from error
    if len(content) > BYTES_MOST:
        raise UnreadableFile(path, f"it is larger than {BYTES_MOST} bytes")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(path, "not a JSON document") from error
    if not isinstance(found, dict):
        raise UnreadableFile(path, "not a GeoJSON document")
    return found


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    found = feature.get("properties")
    return found if isinstance(found, dict) else {}


def _number(path: Path, properties: dict[str, Any], name: str) -> float | None:
    value = properties.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise UnreadableFile(path, f"{name}: {str(value)[:40]!r} is no number")
    return float(value)


def _check_crs(path: Path, document: dict[str, Any], city: CRS) -> None:
    told = document.get("crs")
    if told is None:
        return
    try:
        named = normalise(told["properties"]["name"])
    except (TypeError, KeyError) as error:
        raise BadCrs(f"{path}: its member crs names no CRS") from error
    if horizontal(named).to_epsg() != horizontal(city).to_epsg():
        raise BadCrs(f"{path}: it is in {named.name}, the register is in {horizontal(city).name}")


def _footprint(path: Path, feature: dict[str, Any], city: CRS) -> shapely.Polygon:
    geometry = feature.get("geometry")
    if not isinstance(geometry, dict) or geometry.get("type") != "Polygon":
        raise BadGeometry(str(path), "the footprint is no Polygon")
    try:
        found = shapely.geometry.shape(geometry)
    except (ValueError, TypeError, KeyError, IndexError, shapely.errors.ShapelyError) as error:
        raise BadGeometry(str(path), f"the footprint cannot be read ({error})") from error
    if not isinstance(found, shapely.Polygon) or found.is_empty or not all(map(isfinite, found.bounds)):
        raise BadGeometry(str(path), "the footprint is empty or has a coordinate that is no number")
    x0, y0, x1, y1 = found.bounds
    if max(abs(x0), abs(x1)) <= 180 and max(abs(y0), abs(y1)) <= 90:
        raise BadCrs(f"{path}: its coordinates are degrees; give them in {horizontal(city).name}, in metres")
    return found
