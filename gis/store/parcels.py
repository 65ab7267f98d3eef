"""The register of parcels: what land there is, since when, and since when the register knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Connection, Text, and_, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from gis.bounds import BoundingBox
from gis.store import frames, versions
from gis.store.geometry import touches
from gis.store.schema import parcel, parcel_version
from gis.store.versions import Saved, at

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def save(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Saved:
    """Record parcels by the columns of `parcel_version`, `geom` as hexadecimal EWKB, `valid` as a range of days."""
    listed = list(rows)
    name(connection, (str(row["uid"]) for row in listed))
    return versions.record(connection, parcel_version, listed)


def name(connection: Connection, uids: Iterable[str]) -> None:
    """Make parcels known by their names, so that others may refer to them; the known stay as they are."""
    listed = literal(sorted(set(uids)), ARRAY(Text))
    connection.execute(insert(parcel).from_select(["uid"], select(func.unnest(listed))).on_conflict_do_nothing())


def current(
    connection: Connection,
    as_of: date | None = None,
    *,
    known_at: datetime | None = None,
    bounds: BoundingBox | None = None,
) -> GeoDataFrame:
    """The parcels of a day (today) as the register knew them at a moment (now), by uid, in the city's CRS."""
    condition = at(parcel_version, as_of, known_at)
    if bounds is not None:
        condition = and_(condition, touches(parcel_version.c.geom, bounds, connection))
    return frames.read(connection, list(parcel_version.columns), condition, [parcel_version.c.uid])


def history(connection: Connection, uid: str) -> GeoDataFrame:
    """All that the register ever knew of a parcel, in the order it learnt it; `recorded_to` is NaT while it holds."""
    table = parcel_version
    columns = [*table.columns, func.upper(table.c.recorded).label("recorded_to")]
    return frames.read(connection, columns, table.c.uid == uid, [table.c.version])


def seen(connection: Connection, uids: Sequence[str]) -> frozenset[str]:
    """Which of these parcels there are, or ever were, that the caller of a reader's transaction is shown."""
    return frozenset(connection.scalars(select(parcel.c.uid).where(parcel.c.uid.in_(list(uids)))))
