"""The register of building permits and what each allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_

from gis.store import frames, parcels, versions
from gis.store.schema import permit, permit_limit
from gis.store.versions import Saved, at

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

LIMITS = tuple(
    column.name
    for column in permit_limit.columns
    if column.name not in {"permit_no", "version"} and "kept" not in column.info
)
"""Columns of what a permit allows: `geom` is the permitted footprint, heights are above ground level."""


def save(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Saved:
    """Record permits by the columns of `permit` and `permit_limit`, `geom` as hexadecimal EWKB or None.

    A permit whose limits change is a new version of the permit. A permit may be of a parcel that was split or merged
    before the register began: such a parcel is then known by its name alone, without a version.
    """
    listed = [{name: versions.plain(value) for name, value in row.items()} for row in rows]
    parcels.name(connection, (row["parcel_uid"] for row in listed if row["parcel_uid"] is not None))
    saved = versions.record(connection, permit, listed)
    columns = ["permit_no", "version", *LIMITS]
    limits = (
        [row["permit_no"], saved.versions[(row["permit_no"],)], *(row.get(name) for name in LIMITS)]
        for row in sorted(listed, key=lambda row: str(row["permit_no"]))
        if (row["permit_no"],) in saved.versions
    )
    versions.copy_in(connection, permit_limit, columns, limits)
    return saved


def current(connection: Connection, *, known_at: datetime | None = None) -> GeoDataFrame:
    """All permits, of whatever status, with their limits, by number, as the register knew them at a moment (now).

    Geometry is the permitted footprint, None where the permit has none. Whether a permit is in force on a day follows
    from `status`, `issued`, `expires` and `superseded_by`.
    """
    same = and_(permit.c.permit_no == permit_limit.c.permit_no, permit.c.version == permit_limit.c.version)
    columns = [*permit.columns, *(permit_limit.c[name] for name in LIMITS)]
    source = permit.outerjoin(permit_limit, same)
    return frames.read(connection, columns, at(permit, known_at=known_at), [permit.c.permit_no], source=source)
