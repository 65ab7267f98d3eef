"""Geometry on its way into the store and out of it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from geoalchemy2 import Geometry
from numpy.typing import NDArray
from pyproj import CRS
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Column, ColumnElement, Connection, func, select

from gis import crs as reference
from gis.bounds import BoundingBox
from gis.city_model.building import Face, Solid, Surface
from gis.errors import BadGeometry, NotFound
from gis.store.schema import city

_Z, _WITH_SRID = 0x80000000, 0x20000000
_POLYGON, _POLYHEDRAL_SURFACE = 3, 15
_LETTERS = {Surface.GROUND: "G", Surface.WALL: "W", Surface.ROOF: "R"}
_SURFACES = {letter: surface for surface, letter in _LETTERS.items()}


def city_crs(connection: Connection) -> CRS:
    """The CRS of all geometry in this database, heights included.

    Raises:
        NotFound: the database was not migrated.
    """
    name = connection.scalar(select(city.c.crs))
    if name is None:
        raise NotFound("city", "in this database")
    return reference.normalise(name)


def encode(shapes: Sequence[BaseGeometry | None], srid: int) -> list[str | None]:
    """Each shape as hexadecimal EWKB, flat."""
    array = shapely.set_srid(shapely.force_2d(np.asarray(shapes, dtype=object)), srid)
    return [None if hexed is None else str(hexed) for hexed in shapely.to_wkb(array, hex=True, include_srid=True)]


def box(bounds: BoundingBox, srid: int) -> str:
    """A rectangle as hexadecimal EWKB; its CRS must be the city's."""
    return str(encode([bounds.polygon], srid)[0])


def touches(column: Column[object], bounds: BoundingBox, connection: Connection) -> ColumnElement[bool]:
    """The condition that a geometry's rectangle meets the bounds; it uses the spatial index."""
    target = city_crs(connection)
    corners = bounds.to(reference.horizontal(target)).tuple
    condition: ColumnElement[bool] = column.op("&&")(func.ST_MakeEnvelope(*corners, reference.srid(target)))
    return condition


def binary(column: Column[object]) -> ColumnElement[bytes]:
    """The column as plain WKB, whatever its geometry type."""
    return func.ST_AsBinary(column, type_=None).label(column.name)


def is_geometry(column: Column[object]) -> bool:
    """Whether a column holds geometry."""
    return isinstance(column.type, Geometry)


def checked_polygon(record: str, shape: BaseGeometry | None) -> Polygon:
    """A valid polygon of one part.

    Raises:
        BadGeometry: there is none, it crosses itself, or it has several parts; the record is named.
    """
    if shape is None or shape.is_empty:
        raise BadGeometry(record, "it has no geometry")
    if isinstance(shape, MultiPolygon) and len(shape.geoms) == 1:
        shape = shape.geoms[0]
    if not isinstance(shape, Polygon):
        raise BadGeometry(record, f"a polygon of one part is needed, not a {shape.geom_type}")
    if not shape.is_valid:
        raise BadGeometry(record, shapely.is_valid_reason(shape))
    return shape


def encode_solid(solid: Solid, srid: int) -> str:
    """The closed shell as hexadecimal EWKB of a PolyhedralSurface Z, patches in the order of the faces."""
    parts = [struct.pack("<BIII", 1, _POLYHEDRAL_SURFACE | _Z | _WITH_SRID, srid, len(solid.faces))]
    vertices = np.asarray(solid.vertices, dtype="<f8")
    for face in solid.faces:
        parts.append(struct.pack("<BII", 1, _POLYGON | _Z, len(face.rings)))
        for ring in face.rings:
            closed = vertices[[*ring, ring[0]]]
            parts.append(struct.pack("<I", len(closed)) + closed.tobytes())
    return b"".join(parts).hex().upper()


def surface_letters(solid: Solid) -> str:
    """The faces' semantics in their order: G ground, W wall, R roof; PolyhedralSurface has no place for them."""
    return "".join(_LETTERS[face.surface] for face in solid.faces)


def decode_solid(ewkb: bytes, letters: str) -> Solid:
    """The solid of a little-endian PolyhedralSurface Z; equal corners become one vertex again.

    Raises:
        BadGeometry: it is something else, or it has not one letter for each face.
    """
    try:
        return _decode_solid(ewkb, letters)
    except (struct.error, KeyError, ValueError, IndexError) as error:
        raise BadGeometry("solid", f"not a polyhedral surface with a letter for each face ({error})") from error


def _decode_solid(ewkb: bytes, letters: str) -> Solid:
    order, kind = struct.unpack_from("<BI", ewkb, 0)
    if order != 1 or kind & ~_WITH_SRID != _POLYHEDRAL_SURFACE | _Z:
        raise ValueError(f"geometry type {kind:#x}")
    at = 9 if kind & _WITH_SRID else 5
    (count,) = struct.unpack_from("<I", ewkb, at)
    at += 4
    index: dict[tuple[float, float, float], int] = {}
    faces: list[Face] = []
    for _, letter in zip(range(count), letters, strict=True):
        _, _, rings = struct.unpack_from("<BII", ewkb, at)
        at += 9
        found: list[tuple[int, ...]] = []
        for _ in range(rings):
            (points,) = struct.unpack_from("<I", ewkb, at)
            corners = np.frombuffer(ewkb, dtype="<f8", count=3 * points, offset=at + 4).reshape(-1, 3)
            at += 4 + 24 * points
            found.append(_indices(corners[:-1], index))
        faces.append(Face(tuple(found), _SURFACES[letter]))
    return Solid(np.array(list(index), dtype=np.float64).reshape(-1, 3), tuple(faces))


def _indices(corners: NDArray[np.float64], index: dict[tuple[float, float, float], int]) -> tuple[int, ...]:
    keys: Iterable[tuple[float, float, float]] = ((float(x), float(y), float(z)) for x, y, z in corners)
    return tuple(index.setdefault(key, len(index)) for key in keys)
