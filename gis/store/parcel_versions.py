"""Versions of parcels as the exchange needs them: those known now, by number, by uid and by place, geometry decoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from sqlalchemy import Connection, RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from gis.land.exchange.record import NUMBERS, TEXTS
from gis.land.land_use import of_documents, written

ATTRIBUTES = (*TEXTS, *NUMBERS)
"""What a version holds besides its geometry and its time."""
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version the register holds for so now."""

    uid: str
    values: dict[str, str | float | None]
    """By the names of `ATTRIBUTES`."""
    shape: Polygon
    start: date | None
    end: date | None

    def meets(self, start: date | None, end: date | None) -> bool:
        """Whether it is so at any day of a half-open time."""
        before_end = self.start is None or end is None or self.start < end
        after_start = start is None or self.end is None or start < self.end
        return before_end and after_start


_COLUMNS = ", ".join(f"p.{name}" for name in ATTRIBUTES)
# Names of this module's tables and columns alone are put into the statements.
_SELECT = f"SELECT {_COLUMNS}, ST_AsBinary(p.geom) AS geom, lower(p.valid) AS start, upper(p.valid) AS until "
_OF_UIDS = text(
    f"{_SELECT} FROM diaba.parcel_version p WHERE p.uid = ANY(:uids) AND upper_inf(p.recorded) "
    "ORDER BY p.uid, p.version"
).bindparams(bindparam("uids", type_=ARRAY(Text)))
_OF_NUMBERS = text(
    f"{_SELECT} FROM unnest(CAST(:sheets AS text[]), CAST(:parcels AS text[])) AS k(sheet_no, parcel_no) "
    "JOIN diaba.parcel_version p ON p.parcel_no = k.parcel_no AND p.sheet_no = k.sheet_no "
    "WHERE upper_inf(p.recorded) ORDER BY p.uid, p.version"
)
_WITHIN = text(
    f"{_SELECT} FROM diaba.parcel_version p WHERE upper_inf(p.recorded) "
    "AND p.geom && ST_MakeEnvelope(:x0, :y0, :x1, :y1, :srid) AND NOT p.uid = ANY(:without) ORDER BY p.uid, p.version"
).bindparams(bindparam("without", type_=ARRAY(Text)))
_CORNERS = text(
    "SELECT ST_AsBinary(p.geom) FROM diaba.parcel_version p WHERE upper_inf(p.recorded) "
    "AND p.geom && ST_MakeEnvelope(:x0, :y0, :x1, :y1, :srid) LIMIT :most"
)
_NAMED = text("SELECT uid FROM diaba.parcel WHERE uid = ANY(:uids)").bindparams(bindparam("uids", type_=ARRAY(Text)))


def of_uids(connection: Connection, uids: Iterable[str]) -> list[KnownVersion]:
    """The versions known now of these parcels."""
    return _versions(connection.execute(_OF_UIDS, {"uids": sorted(set(uids))}).mappings().all())


def of_numbers(connection: Connection, numbers: Iterable[tuple[str, str]]) -> list[KnownVersion]:
    """The versions known now with these sheet and parcel numbers, in all wards."""
    pairs = sorted(set(numbers))
    values = {"sheets": [sheet for sheet, _ in pairs], "parcels": [parcel for _, parcel in pairs]}
    return _versions(connection.execute(_OF_NUMBERS, values).mappings().all())


def within(connection: Connection, bounds: Bounds, srid: int, without: Sequence[str]) -> list[KnownVersion]:
    """The versions known now whose rectangle meets the bounds, but for those of some parcels."""
    values = dict(zip(("x0", "y0", "x1", "y1"), bounds, strict=True)) | {"srid": srid, "without": list(without)}
    return _versions(connection.execute(_WITHIN, values).mappings().all())


def corners(connection: Connection, bounds: Bounds, srid: int, most: int) -> NDArray[np.float64]:
    """Corners (n, 2) of up to `most` parcels whose rectangle meets the bounds."""
    values = dict(zip(("x0", "y0", "x1", "y1"), bounds, strict=True)) | {"srid": srid, "most": most}
    shapes = [bytes(wkb) for wkb in connection.scalars(_CORNERS, values)]
    return np.asarray(shapely.get_coordinates(shapely.from_wkb(shapes)), dtype=np.float64)


def named(connection: Connection, uids: Iterable[str]) -> set[str]:
    """Those of the names that parcels have, or ever had."""
    return set(connection.scalars(_NAMED, {"uids": sorted(set(uids))}))


def _versions(rows: Sequence[RowMapping]) -> list[KnownVersion]:
    shapes = shapely.from_wkb([bytes(row["geom"]) for row in rows])
    return [
        KnownVersion(
            row["uid"],
            {name: row[name] for name in ATTRIBUTES} | {"land_uses": written(of_documents(row["land_uses"]))},
            shape,
            row["start"],
            row["until"],
        )
        for row, shape in zip(rows, shapes, strict=True)
    ]
