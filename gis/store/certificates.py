"""The register of certificates, found by serial or by number in the book. For the writer's login."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Connection, Text, any_, func, literal, or_, select

from gis.errors import NotFound
from gis.land.certificates import Certificate, CertificateStatus, certificate_life
from gis.lifecycle import Stage
from gis.store import versions
from gis.store.rights_tables import certificate
from gis.store.schema import ba_unit
from gis.store.versions import Saved, at, since


def save(connection: Connection, certificates: Iterable[Certificate]) -> Saved:
    """Record certificates from a day on, each with the status it has then; what was before stays so.

    Raises:
        BadInput: one cannot be, or occurs twice for one day.
        NotFound: a unit, or the certificate that replaces one, is not known.
        Conflict: a status may not follow the one before.
    """
    listed = list(certificates)
    for one in listed:
        one.check()
    wanted = {one.unit for one in listed}
    missing = wanted - set(connection.scalars(select(ba_unit.c.uid).where(_among(ba_unit.c.uid, sorted(wanted)))))
    if missing:
        raise NotFound("unit", min(missing))
    saved = versions.record(connection, certificate, [_row(one) for one in listed])
    for serial in sorted({one.serial for one in listed}):
        life(connection, serial)
    for one in listed:
        if one.replaced_by is not None and not _exists(connection, one.replaced_by):
            raise NotFound("certificate", f"{one.replaced_by}, which is said to replace {one.serial}")
    return saved


def life(connection: Connection, serial: str, known_at: datetime | None = None) -> list[Certificate]:
    """A certificate's statuses over time as the register knew them at a moment (now).

    Raises:
        NotFound: there is none of that serial.
        Conflict: its life takes a step that is not legal.
    """
    c = certificate.c
    knew = func.upper_inf(c.recorded) if known_at is None else c.recorded.op("@>")(literal(known_at))
    found = _read(connection, c.serial == serial, knew)
    if not found:
        raise NotFound("certificate", serial)
    certificate_life().check(f"certificate {serial}", [Stage(one.status, one.start, one.end) for one in found])
    return found


def newest(connection: Connection, serial: str) -> Certificate | None:
    """A certificate in the last status known of it; None when there is none of that serial."""
    found = _read(connection, certificate.c.serial == serial, func.upper_inf(certificate.c.recorded))
    return found[-1] if found else None


def find(
    connection: Connection, number: str, as_of: date | None = None, *, known_at: datetime | None = None
) -> list[Certificate]:
    """Certificates whose serial or number in the book this is, on a day (today) as known at a moment (now)."""
    c = certificate.c
    return _read(connection, or_(c.serial == number, c.book_no == number), at(certificate, as_of, known_at))


def of_units(
    connection: Connection, uids: Sequence[str], as_of: date | None = None, *, known_at: datetime | None = None
) -> list[Certificate]:
    """Certificates of units on a day (today) as the register knew them at a moment (now), by serial."""
    return _read(connection, _among(certificate.c.ba_unit_uid, uids), at(certificate, as_of, known_at))


def _among(column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[bool]:
    return column == any_(literal(list(values), ARRAY(Text)))


def _exists(connection: Connection, serial: str) -> bool:
    c = certificate.c
    return (
        connection.scalar(select(c.serial).where(c.serial == serial, func.upper_inf(c.recorded)).limit(1)) is not None
    )


def _row(one: Certificate) -> dict[str, Any]:
    return {
        "serial": one.serial,
        "book_no": one.book_no,
        "ba_unit_uid": one.unit,
        "party_uid": one.party,
        "issued": one.issued,
        "status": one.status.value,
        "replaced_by": one.replaced_by,
        "source_uid": one.source,
        "valid": since(one.start, one.end),
    }


def _read(connection: Connection, *conditions: ColumnElement[bool]) -> list[Certificate]:
    c = certificate.c
    rows = connection.execute(select(certificate).where(*conditions).order_by(c.serial, func.lower(c.valid))).mappings()
    return [
        Certificate(
            serial=row["serial"],
            unit=row["ba_unit_uid"],
            status=CertificateStatus(row["status"]),
            start=row["valid"].lower,
            end=row["valid"].upper,
            book_no=row["book_no"],
            party=row["party_uid"],
            issued=row["issued"],
            replaced_by=row["replaced_by"],
            source=row["source_uid"],
        )
        for row in rows
    ]
