"""A small cadastre, invented, for the tests of land changes: blocks of adjoining lots, turned against the axes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import shapely
from shapely import LineString, Polygon
from sqlalchemy import Connection

from gis.land import topology
from gis.store import parcels
from gis.store.geometry import encode
from gis.store.versions import since
from tests.gis.store_samples import EAST, NORTH

WIDTH, DEPTH = 20.0, 30.0
BEGIN = date(2009, 3, 1)
WARD = "26734"


def place(x: float, y: float, turn: float = 0.0) -> tuple[float, float]:
    """A point of the cadastre, in its own axes, in EPSG:9210 on whole millimetres."""
    cos, sin = math.cos(turn), math.sin(turn)
    return round(EAST + cos * x - sin * y, 3), round(NORTH + sin * x + cos * y, 3)


def lots(columns: int = 3, rows: int = 3, turn: float = 0.0) -> dict[str, Polygon]:
    """Adjoining lots of 20 m × 30 m by uid, from west to east and south to north."""
    return {
        f"p-{row}{column}": Polygon(
            [
                place(WIDTH * x, DEPTH * y, turn)
                for x, y in ((column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1))
            ]
        )
        for row in range(rows)
        for column in range(columns)
    }


def lot_row(uid: str, polygon: Polygon, number: int, begin: date = BEGIN, **told: Any) -> dict[str, Any]:
    """A row of `parcel_version`."""
    return {
        "uid": uid,
        "ward_code": WARD,
        "sheet_no": "12",
        "parcel_no": str(number),
        "old_sheet_no": None,
        "old_parcel_no": None,
        "land_use": "ODT",
        "area_legal": round(polygon.area, 1),
        "area_measured": topology.area(polygon),
        "address": f"{number} Đường Thử Nghiệm",
        "geom": encode([polygon], 9210)[0],
        "valid": since(begin),
    } | told


def register(connection: Connection, outlines: dict[str, Polygon], begin: date = BEGIN, **told: Any) -> None:
    """Record lots, numbered from 1."""
    rows = [lot_row(uid, polygon, n, begin, **told) for n, (uid, polygon) in enumerate(outlines.items(), start=1)]
    parcels.save(connection, rows)


def random_line(chance: random.Random, polygon: Polygon) -> LineString:
    """A line across a polygon's rectangle, straight or with a corner."""
    west, south, east, north = polygon.bounds
    if chance.random() < 0.5:
        return LineString([(west - 2, chance.uniform(south, north)), (east + 2, chance.uniform(south, north))])
    middle = (chance.uniform(west, east), chance.uniform(south, north))
    ends = ((chance.uniform(west, east), south - 2), (chance.uniform(west, east), north + 2))
    return LineString([ends[0], middle, ends[1]])


def adjoining(outlines: dict[str, Polygon], uid: str) -> list[str]:
    """The uids that share a line with one, by uid."""
    mine = outlines[uid]
    return sorted(
        other
        for other, polygon in outlines.items()
        if other != uid and shapely.length(shapely.intersection(mine.boundary, polygon.boundary)) > 0.5
    )


def total(polygons: Iterable[Polygon]) -> float:
    """Sum of the areas, m²."""
    return math.fsum(topology.area(polygon) for polygon in polygons)


def is_topology(polygons: Sequence[Polygon]) -> bool:
    """Whether polygons adjoin without overlap and gap, each shared line with the same points on both sides (GEOS)."""
    whole = shapely.coverage_union_all(list(polygons))
    one = shapely.get_num_geometries(whole) == 1 and not shapely.get_geometry(whole, 0).interiors
    return bool(shapely.coverage_is_valid(list(polygons)) and one)
