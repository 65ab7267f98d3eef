"""A surveyor's lines and parts from GeoJSON, in the register's CRS."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gis import crs as reference
from gis.errors import BadGeometry, MissingCrs, UnreadableFile
from gis.land import land_use
from gis.land.draft import MOST_PIECES, Part

MOST_BYTES = 10_000_000
"""Of a file; a change of land needs some kilobytes."""
MOST_POINTS = 20_000


def read_lines(path: Path, target: CRS, crs: CRS | None = None) -> BaseGeometry:
    """All lines of a file as one geometry.

    Args:
        path: GeoJSON: a geometry, a feature or a collection. Without a `crs` member it is in the target's CRS.
        target: the register's.
        crs: what the file is in, when it does not say so and is in another.

    Raises:
        UnreadableFile: no such file, no GeoJSON, too large, or it holds other than lines.
        MissingCrs: coordinates are degrees and no CRS is told.
    """
    shapes = [shape for shape, _ in _features(path, target, crs)]
    for shape in shapes:
        if shape.geom_type not in ("LineString", "MultiLineString"):
            raise UnreadableFile(path, f"lines are needed, not a {shape.geom_type}")
    return shapely.union_all(shapes)


def read_parts(path: Path, target: CRS, crs: CRS | None = None) -> list[Part]:
    """The parts of a file: polygons that may have `uid`, `parcel_no`, `land_use`, `land_uses`, `area_legal`, `address`.

    Raises:
        UnreadableFile: no such file, no GeoJSON, too large, or it holds other than polygons.
        BadInput: land uses are told in another way.
        BadGeometry: a polygon is not valid.
        MissingCrs: coordinates are degrees and no CRS is told.
    """
    parts: list[Part] = []
    for number, (shape, told) in enumerate(_features(path, target, crs), start=1):
        if isinstance(shape, MultiPolygon) and len(shape.geoms) == 1:
            shape = shape.geoms[0]
        if not isinstance(shape, Polygon):
            raise UnreadableFile(path, f"part {number}: a polygon is needed, not a {shape.geom_type}")
        if shape.is_empty or not shape.is_valid:
            raise BadGeometry(f"{path} part {number}", shapely.is_valid_reason(shape))
        texts = {name: _text(told.get(name)) for name in ("uid", "parcel_no", "land_use", "address")}
        try:
            legal = None if told.get("area_legal") is None else float(told["area_legal"])
        except (TypeError, ValueError) as error:
            raise UnreadableFile(path, f"part {number}: area_legal is no number") from error
        uses = land_use.parsed(_text(told.get("land_uses")))
        parts.append(Part(shape, **texts, area_legal=legal, land_uses=uses))
    if len(parts) > MOST_PIECES:
        raise UnreadableFile(path, f"it holds {len(parts)} parts; at most {MOST_PIECES} are taken at once")
    return parts


def _features(path: Path, target: CRS, crs: CRS | None) -> Iterator[tuple[BaseGeometry, Mapping[str, Any]]]:
    document = _document(path)
    source = crs or _said(path, document) or target
    listed = document.get("features") if document.get("type") == "FeatureCollection" else [document]
    if not isinstance(listed, list) or not listed:
        raise UnreadableFile(path, "it holds no feature")
    points = 0
    for entry in listed:
        is_feature = isinstance(entry, dict) and entry.get("type") == "Feature"
        geometry = entry.get("geometry") if is_feature else entry
        told = entry.get("properties") if is_feature else None
        try:
            shape = shapely.force_2d(shapely.from_geojson(json.dumps(geometry)))
        except (shapely.errors.GEOSException, TypeError, ValueError, RecursionError) as error:
            raise UnreadableFile(path, "it is no GeoJSON with geometry") from error
        points += shapely.count_coordinates(shape)
        if points > MOST_POINTS:
            raise UnreadableFile(path, f"it holds more than {MOST_POINTS} points")
        yield _moved(path, shape, source, target), told if isinstance(told, dict) else {}


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UnreadableFile(path, f"it is larger than {MOST_BYTES // 1_000_000} MB")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "it cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(path, "it is no GeoJSON") from error
    if not isinstance(document, dict):
        raise UnreadableFile(path, "it is no GeoJSON")
    return document


def _said(path: Path, document: Mapping[str, Any]) -> CRS | None:
    """The CRS of the member that GeoJSON had before RFC 7946 and that GDAL and QGIS still write."""
    member = document.get("crs")
    if member is None:
        return None
    try:
        name = str(member["properties"]["name"])
    except (KeyError, TypeError) as error:
        raise UnreadableFile(path, "its member crs names no CRS") from error
    return reference.normalise(name)


def _moved(path: Path, shape: BaseGeometry, source: CRS, target: CRS) -> BaseGeometry:
    corners = shapely.get_coordinates(shape)
    if not np.isfinite(corners).all() or not len(corners):
        raise UnreadableFile(path, "it has a geometry without coordinates")
    flat = reference.horizontal(target)
    if reference.horizontal(source) == flat:
        if flat.is_projected and (np.abs(corners) <= [180.0, 90.0]).all():
            raise MissingCrs(path, "these look like degrees: --crs EPSG:4326")
        return shape
    change = reference.transformer(source, flat)

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(change.transform(xy[:, 0], xy[:, 1]))

    moved: BaseGeometry = shapely.transform(shape, move)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise UnreadableFile(path, f"its coordinates are outside of {reference.name_of(source)}")
    return moved


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    # PostgreSQL's text cannot hold the character NUL.
    return str(value).replace("\x00", "")[:200]
