"""Keys of machines in the store: kept by the owner; a service may only ask for one it was shown."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.sql import func

from gis.access.api_keys import ApiKey, first_hash, new, prefix_of
from gis.access.scope import scope_of
from gis.errors import BadParameter, NotFound
from gis.store.access_tables import api_key

SUBJECT_MOST = 100
DAYS_MOST = 3_660


def add(connection: Connection, subject: str, grants: Sequence[str], days: int) -> tuple[str, ApiKey]:
    """Make a key; its text is given here and never again.

    Args:
        connection: The owner's.
        subject: Whose it is.
        grants: As `gis.access.scope` reads them; an area may be a district, which the service that is asked looks up.
        days: How long it is valid.

    Raises:
        BadParameter: no name, a grant that cannot be read, or a time that makes no sense.
    """
    if not 0 < len(subject) <= SUBJECT_MOST or not subject.isprintable():
        raise BadParameter("subject", subject[:40], f"give 1 to {SUBJECT_MOST} printable characters")
    if not 0 < days <= DAYS_MOST:
        raise BadParameter("days", days, f"from 1 to {DAYS_MOST}")
    scope_of(grants)
    told, prefix = new()
    salt = secrets.token_bytes(16)
    connection.execute(
        insert(api_key).values(
            prefix=prefix,
            salt=salt,
            hash=hashlib.sha256(salt + first_hash(told)).digest(),
            subject=subject,
            grants=list(dict.fromkeys(grants)),
            created=func.now(),
            expires=func.now() + timedelta(days=days),
        )
    )
    return told, next(one for one in listed(connection) if one.prefix == prefix)


def listed(connection: Connection) -> list[ApiKey]:
    """All keys, also the expired and revoked ones, the newest first."""
    columns = [api_key.c[name] for name in ("prefix", "subject", "grants", "created", "expires", "revoked")]
    rows = connection.execute(select(*columns).order_by(api_key.c.created.desc(), api_key.c.prefix))
    return [ApiKey(row.prefix, row.subject, tuple(row.grants), row.created, row.expires, row.revoked) for row in rows]


def revoke(connection: Connection, prefix: str) -> ApiKey:
    """Make a key worthless; one that is already stays as it is.

    Raises:
        NotFound: there is no such key.
    """
    connection.execute(
        update(api_key).where(api_key.c.prefix == prefix, api_key.c.revoked.is_(None)).values(revoked=func.now())
    )
    found = next((one for one in listed(connection) if one.prefix == prefix), None)
    if found is None:
        raise NotFound("key of a machine", ascii(prefix[:40])[1:-1])
    return found


def find(connection: Connection, told: str) -> tuple[str, tuple[str, ...], float] | None:
    """Whose key this is, what it grants and until when (seconds since 1970); None unless it is good. For the reader."""
    prefix = prefix_of(told)
    if prefix is None:
        return None
    row = connection.execute(
        text("SELECT subject, grants, expires FROM diaba.api_key_of(:prefix, :first_hash)"),
        {"prefix": prefix, "first_hash": first_hash(told)},
    ).one_or_none()
    return None if row is None else (row.subject, tuple(row.grants), row.expires.timestamp())
