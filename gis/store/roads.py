"""The register of roads and their reserve lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from gis.store import frames, versions
from gis.store.schema import road
from gis.store.versions import Saved, at

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def save(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Saved:
    """Record roads by the columns of `road`: centre line as hexadecimal EWKB, reserve width in metres."""
    return versions.record(connection, road, rows)


def current(connection: Connection, as_of: date | None = None, *, known_at: datetime | None = None) -> GeoDataFrame:
    """The roads of a day (today) as the register knew them at a moment (now), by uid, in the city's CRS."""
    return frames.read(connection, list(road.columns), at(road, as_of, known_at), [road.c.uid])
