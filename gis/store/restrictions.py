"""Restrictions with an outline: corridors, reserves, protected zones, and the parcels they lie on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import shapely
from shapely import MultiPolygon, Polygon
from sqlalchemy import Connection, and_, func, select

from gis import crs as reference
from gis.errors import BadGeometry, BadInput
from gis.land.extract import Burden
from gis.land.right_types import RightClass, right_type
from gis.store import frames, versions
from gis.store.geometry import city_crs, encode
from gis.store.rights_tables import restriction
from gis.store.schema import parcel_version
from gis.store.versions import Saved, at, since

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

SLIVER_M2 = 0.01
"""A common area up to this is a touch: coordinates are kept to the millimetre."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """What must not be done, where, by whose order. The outline is in the city's CRS."""

    uid: str
    type: str
    outline: Polygon | MultiPolygon
    start: date | None
    end: date | None = None
    authority: str | None = None
    source: str | None = None


def save(connection: Connection, restrictions: Iterable[Restriction]) -> Saved:
    """Record restrictions.

    Raises:
        BadInput: a type is none of a restriction.
        BadGeometry: an outline is no valid polygon.
    """
    listed = list(restrictions)
    for one in listed:
        if right_type(one.type).kind is not RightClass.RESTRICTION:
            raise BadInput(f"restriction {one.uid}: {one.type} is no restriction")
    shapes = encode([_outline(one) for one in listed], reference.srid(city_crs(connection)))
    rows = [
        {
            "uid": one.uid,
            "type": one.type,
            "geom": shape,
            "authority": one.authority,
            "source_uid": one.source,
            "valid": since(one.start, one.end),
        }
        for one, shape in zip(listed, shapes, strict=True)
    ]
    return versions.record(connection, restriction, rows)


def current(connection: Connection, as_of: date | None = None, *, known_at: datetime | None = None) -> GeoDataFrame:
    """The restrictions of a day (today) as the register knew them at a moment (now), by uid, in the city's CRS."""
    return frames.read(connection, list(restriction.columns), at(restriction, as_of, known_at), [restriction.c.uid])


def of_parcel(
    connection: Connection, uid: str, as_of: date | None = None, *, known_at: datetime | None = None
) -> list[Burden]:
    """The restrictions that cover some of a parcel on a day (today) as known at a moment (now), the largest first."""
    r, p = restriction.c, parcel_version.c
    common = func.ST_Area(func.ST_Intersection(r.geom, p.geom, type_=None))
    rows = connection.execute(
        select(r.uid, r.type, r.authority, r.source_uid, func.lower(r.valid), common, func.ST_Area(p.geom))
        .select_from(restriction.join(parcel_version, func.ST_Intersects(r.geom, p.geom)))
        .where(and_(p.uid == uid, at(parcel_version, as_of, known_at), at(restriction, as_of, known_at)))
        .order_by(common.desc(), r.uid)
    )
    return [Burden(*row[:5], row[5], row[5] / row[6]) for row in rows if row[5] > SLIVER_M2]


def _outline(one: Restriction) -> MultiPolygon:
    shape = one.outline
    if not isinstance(shape, Polygon | MultiPolygon) or shape.is_empty:
        raise BadGeometry(f"restriction {one.uid}", "a polygon is needed")
    if not shape.is_valid:
        raise BadGeometry(f"restriction {one.uid}", shapely.is_valid_reason(shape))
    return shape if isinstance(shape, MultiPolygon) else MultiPolygon([shape])
