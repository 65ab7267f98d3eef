"""Rights, restrictions and responsibilities: who holds what share of which parcel, since when."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from gis.store import frames, versions
from gis.store.schema import rrr
from gis.store.versions import Saved, at

if TYPE_CHECKING:
    from pandas import DataFrame


def identity(parcel_uid: str, party_uid: str, kind: str) -> str:
    """The stable identity of a party's right of a kind in a parcel."""
    return hashlib.sha256("\x1f".join((parcel_uid, party_uid, kind)).encode()).hexdigest()[:32]


def save(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Saved:
    """Record rights by the columns of `rrr`, without their id, which follows from parcel, party and type."""
    named = ({**row, "id": identity(row["parcel_uid"], row["party_uid"], row["type"])} for row in rows)
    return versions.record(connection, rrr, named)


def current(connection: Connection, as_of: date | None = None, *, known_at: datetime | None = None) -> DataFrame:
    """The rights of a day (today) as the register knew them at a moment (now), by parcel."""
    order = [rrr.c.parcel_uid, rrr.c.party_uid, rrr.c.type]
    return frames.table(connection, list(rrr.columns), at(rrr, as_of, known_at), order)
