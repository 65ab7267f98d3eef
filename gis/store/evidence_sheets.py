"""Which evidence sheets were made: kept by the digest of what they say, and looked up by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from gis.store.evidence_tables import evidence_sheet


@dataclass(frozen=True, slots=True)
class Made:
    """What is made known of a sheet to whoever holds its digest: neither parcel nor permit nor any person."""

    case_id: str | None
    """None: of a building at which nothing was flagged."""
    kind: str | None
    building_uid: str
    epoch: str
    languages: tuple[str, ...]
    software: str
    """Version of the program that made it."""
    made_at: datetime


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A sheet as it is entered."""

    digest: str
    """SHA-256 of its canonical content, hexadecimal."""
    case_id: str | None
    kind: str | None
    building_uid: str
    parcel_uid: str | None
    epoch: str
    languages: tuple[str, ...]
    software: str
    made_by: str


def save(connection: Connection, row: SheetRow) -> datetime:
    """Enter a sheet, as the writer; when it was made first. The same content is the same sheet and entered once."""
    values = {name: getattr(row, name) for name in SheetRow.__slots__} | {"languages": list(row.languages)}
    connection.execute(insert(evidence_sheet).values(values).on_conflict_do_nothing())
    made_at: datetime | None = made_first(connection, row.digest)
    if made_at is None:
        raise LookupError(row.digest)
    return made_at


def made_first(connection: Connection, digest: str) -> datetime | None:
    """When a sheet that the caller may see was made; None where it was not."""
    table = evidence_sheet
    found: datetime | None = connection.scalar(select(table.c.made_at).where(table.c.digest == digest))
    return found


def look_up(connection: Connection, digest: str) -> Made | None:
    """What the register says of a digest to anybody; None: it knows no such sheet."""
    row = connection.execute(text("SELECT * FROM diaba.evidence_of(:digest)"), {"digest": digest}).one_or_none()
    return None if row is None else Made(row[0], row[1], row[2], row[3], tuple(row[4]), row[5], row[6])
