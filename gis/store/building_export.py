"""Measured buildings of an area, whole, for models of a part of the city: found at once, read a page at a time.

A version of a building is never changed, so that pages read one after the other, each in a transaction of its own,
are of one moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, Row, text

from gis.city_model.building import Building, Reason
from gis.store.collections import NEWEST_MEASURED, NOW, Moment, known, so_on_day
from gis.store.geometry import checked_polygon, decode_solid
from gis.store.models import FIGURES, known_figure


@dataclass(frozen=True, slots=True)
class Found:
    """Which buildings there are, and how far they reach."""

    keys: tuple[tuple[str, str, int], ...]
    """uid, epoch and version, by uid."""
    extent: tuple[float, ...]
    """(min x, min y, min z, max x, max y, max z) in the city's CRS; () without any."""


def find_buildings(connection: Connection, area: BaseGeometry, moment: Moment = NOW, *, most: int) -> Found:
    """Buildings that share a point with an area (in the city's CRS, with its SRID); one more than `most` if so many."""
    rows = connection.execute(
        text(
            # Found by place first, whatever the planner thinks of walking the key.
            "WITH there AS MATERIALIZED (SELECT v.uid, v.epoch, v.version, v.footprint AS f, "  # noqa: S608
            "LEAST(v.model_low, v.ground_height) AS low, GREATEST(v.model_high, v.ground_height) AS high "
            "FROM diaba.building_version v WHERE ST_Intersects(v.footprint, ST_GeomFromEWKB(:area)) "
            f"AND {so_on_day('v')} AND {known('v')} AND {NEWEST_MEASURED} LIMIT :most) "
            "SELECT uid, epoch, version, ST_XMin(f), ST_YMin(f), COALESCE(low, 0.0), ST_XMax(f), ST_YMax(f), "
            "COALESCE(high, 0.0) FROM there ORDER BY uid"
        ),
        {
            "area": shapely.to_wkb(area, include_srid=True),
            "day": moment.first_day,
            "known_at": moment.known_at,
            "most": most + 1,
        },
    ).all()
    low = (min(row[column] for row in rows) for column in (3, 4, 5)) if rows else ()
    high = (max(row[column] for row in rows) for column in (6, 7, 8)) if rows else ()
    return Found(tuple((row[0], row[1], row[2]) for row in rows), tuple(round(value, 4) for value in (*low, *high)))


def read_buildings(connection: Connection, keys: Sequence[tuple[str, str, int]]) -> list[Building]:
    """The buildings of these keys with all their models, in their order."""
    columns = ", ".join(f"v.{name}" for name in (*FIGURES, "lod", "point_count", "reason", "status", "source"))
    rows = connection.execute(
        text(
            "SELECT v.uid, v.epoch, ST_AsBinary(v.footprint) AS footprint, ST_AsEWKB(v.solid, 'NDR') AS solid, "  # noqa: S608
            f"v.solid_surfaces, v.coarser, v.attributes, {columns} "
            "FROM unnest(CAST(:uids AS text[]), CAST(:epochs AS text[]), CAST(:versions AS int[])) "
            "WITH ORDINALITY AS k(uid, epoch, version, place) "
            "JOIN diaba.building_version v ON v.uid = k.uid AND v.epoch = k.epoch AND v.version = k.version "
            "ORDER BY k.place"
        ),
        dict(zip(("uids", "epochs", "versions"), map(list, zip(*keys, strict=True)), strict=True)),
    )
    return [_building(row) for row in rows]


def _building(row: Row[Any]) -> Building:
    footprint = checked_polygon(f"building {row.uid}", shapely.from_wkb(bytes(row.footprint)))
    coarser = {
        lod: decode_solid(bytes.fromhex(one["solid"]), one["surfaces"]) for lod, one in sorted(row.coarser.items())
    }
    return Building(
        uid=row.uid,
        footprint=footprint,
        lod=row.lod,
        solid=None if row.solid is None else decode_solid(bytes(row.solid), row.solid_surfaces),
        point_count=row.point_count,
        reason=Reason(row.reason),
        attributes={**row.attributes, "epoch": row.epoch, "status": row.status, "source": row.source},
        coarser=coarser,
        **{name: known_figure(getattr(row, name)) for name in FIGURES},
    )
