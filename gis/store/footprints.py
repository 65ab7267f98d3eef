"""The base map's building footprints, from which measured buildings take their outline and identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_

from gis.bounds import BoundingBox
from gis.store import frames, versions
from gis.store.geometry import touches
from gis.store.schema import footprint
from gis.store.versions import Saved, at

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def save(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Saved:
    """Record footprints by the columns of `footprint`: uid, source, survey_date, geom as hexadecimal EWKB."""
    return versions.record(connection, footprint, rows)


def all(  # noqa: A001  read as footprints.all
    connection: Connection, *, bounds: BoundingBox | None = None, known_at: datetime | None = None
) -> GeoDataFrame:
    """All footprints as the register knew them at a moment (now), by uid: uid, source, survey_date, geom."""
    condition = at(footprint, known_at=known_at)
    if bounds is not None:
        condition = and_(condition, touches(footprint.c.geom, bounds, connection))
    return frames.read(connection, list(footprint.columns), condition, [footprint.c.uid])
