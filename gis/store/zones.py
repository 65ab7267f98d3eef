"""The register of planning zones and what may be built in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from gis.store import frames, versions
from gis.store.schema import planning_zone
from gis.store.versions import Saved, at

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def save(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Saved:
    """Record zones by the columns of `planning_zone`: density in per cent, heights in metres above ground."""
    return versions.record(connection, planning_zone, rows)


def current(connection: Connection, as_of: date | None = None, *, known_at: datetime | None = None) -> GeoDataFrame:
    """The zones of a day (today) as the register knew them at a moment (now), by uid, in the city's CRS."""
    table = planning_zone
    return frames.read(connection, list(table.columns), at(table, as_of, known_at), [table.c.uid])
