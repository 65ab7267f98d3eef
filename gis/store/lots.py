"""A parcel with the roads and planning zones it is judged by, all of one day."""

from __future__ import annotations

from datetime import date
from typing import Final, cast

import shapely
from shapely import LineString, Polygon
from sqlalchemy import Connection, text

from gis.construction.lot_answer import Lot
from gis.construction.lot_sides import REACH
from gis.construction.proposal import Road, Zone
from gis.crs import srid
from gis.errors import NotFound
from gis.store.collections import COLLECTIONS, Moment
from gis.store.geometry import checked_polygon, city_crs
from gis.store.items import find_item

WIDEST: Final = 200.0
"""Metres between the red lines of the widest road that is read."""
MOST: Final = 50
"""Roads, and zones, that are looked at: of more the nearest, or those that cover most of the lot."""
_SHOWN = ("ward_code", "sheet_no", "parcel_no", "land_use", "address", "area_legal")
_DAY = "COALESCE(CAST(:day AS date), CURRENT_DATE)"
# Names of this module alone are put into the statements.
_ROADS = text(
    "SELECT r.uid, r.name, r.reserve_width_m, ST_AsBinary(r.geom) AS geom "  # noqa: S608
    "FROM diaba.road r, (SELECT ST_GeomFromWKB(:lot, :srid) AS geom) AS lot "
    f"WHERE upper_inf(r.recorded) AND r.valid @> {_DAY} AND r.geom && ST_Expand(lot.geom, :reach) "
    "AND ST_Distance(r.geom, lot.geom) <= :beside + COALESCE(LEAST(r.reserve_width_m, :widest), 0) / 2 "
    "ORDER BY ST_Distance(r.geom, lot.geom), r.uid LIMIT :most"
)
_ZONES = text(
    "SELECT z.uid, z.level, z.decision, z.density_pct, z.far, z.floors_max, z.height_max_m, "  # noqa: S608
    "lower(z.valid) AS since, ST_AsBinary(z.geom) AS geom FROM diaba.planning_zone z, "
    "(SELECT ST_GeomFromWKB(:lot, :srid) AS geom) AS lot "
    f"WHERE upper_inf(z.recorded) AND z.valid @> {_DAY} AND z.geom && lot.geom AND ST_Intersects(z.geom, lot.geom) "
    "ORDER BY ST_Area(ST_Intersection(z.geom, lot.geom)) DESC, z.uid LIMIT :most"
)


def find(connection: Connection, uid: str, day: date | None = None) -> Lot:
    """The parcel of a day (today), with the roads beside it and the zones it lies in.

    A zone is named by its key: the register has no other name of it.

    Raises:
        NotFound: there is no such parcel on that day, or it is not shown to whoever asks.
        BadGeometry: it has no outline that can be judged.
    """
    found = find_item(connection, COLLECTIONS["parcels"], uid, Moment(day))
    if found is None:
        raise NotFound("parcel", uid if day is None else f"{uid} on {day.isoformat()}")
    shape = checked_polygon(f"parcel {uid}", found.geometry)
    asked = {"lot": shapely.to_wkb(shape), "srid": srid(city_crs(connection)), "day": day, "most": MOST}
    reach = {"reach": REACH + WIDEST / 2.0, "beside": REACH, "widest": WIDEST}
    roads = connection.execute(_ROADS, asked | reach).all()
    zones = connection.execute(_ZONES, asked).all()
    return Lot(
        uid,
        shape,
        {name: found.properties[name] for name in _SHOWN},
        tuple(
            Road(row.name or row.uid, cast(LineString, shapely.from_wkb(bytes(row.geom))), row.reserve_width_m)
            for row in roads
            if row.reserve_width_m
        ),
        tuple(
            Zone(
                row.uid,
                cast(Polygon, shapely.from_wkb(bytes(row.geom))),
                row.level or "",
                row.decision or "",
                row.density_pct,
                row.far,
                row.floors_max,
                row.height_max_m,
                row.since,
            )
            for row in zones
        ),
        tuple(row.name or row.uid for row in roads if not row.reserve_width_m),
    )
