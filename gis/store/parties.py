"""Parties: persons and bodies that hold rights. Their identity numbers are encrypted at rest.

The numbers are encrypted by pgcrypto (OpenPGP, AES-256) under a key that is never in the database: it comes as a bound
parameter, from a file that only its owner reads. A keyed digest (HMAC-SHA-256) finds a number without decrypting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from gis.errors import NotFound
from gis.land.rights import Party
from gis.store import versions
from gis.store.identity_keys import KEY_OPTION as KEY_OPTION
from gis.store.identity_keys import UNDIGESTED, decrypt, digest, encrypt, key_of
from gis.store.schema import party
from gis.store.versions import Saved, at, plain


def save(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Saved:
    """Record parties: uid, kind, name, id_no (or None), as text.

    Raises:
        IdentityClosed: the connection is not a writer's: it has no key.
    """
    listed = [{name: plain(row.get(name)) for name in ("uid", "kind", "name", "id_no")} for row in rows]
    numbers = [None if row["id_no"] is None else str(row["id_no"]) for row in listed]
    key = key_of(connection)
    encrypted = encrypt(connection, numbers, key)
    return versions.record(
        connection,
        party,
        (
            {
                **{name: row[name] for name in ("uid", "kind", "name")},
                "id_no_encrypted": secret,
                "id_no_hash": None if number is None else digest(number, key),
            }
            for row, number, secret in zip(listed, numbers, encrypted, strict=True)
        ),
        undigested=UNDIGESTED,
    )


def find(connection: Connection, id_no: str, *, known_at: datetime | None = None) -> list[Party]:
    """The parties that have an identity number as the register knew them at a moment (now), by uid."""
    wanted = digest(id_no, key_of(connection))
    rows = connection.execute(
        select(party.c.uid, party.c.kind, party.c.name)
        .where(party.c.id_no_hash == wanted, at(party, known_at=known_at))
        .order_by(party.c.uid)
    )
    return [Party(*row) for row in rows]


def identity_number(connection: Connection, uid: str) -> str | None:
    """A party's identity number, decrypted; None when it has none.

    Raises:
        NotFound: there is no such party.
        IdentityClosed: the connection has no key, or another than the number was encrypted with.
    """
    condition = (party.c.uid == uid, func.upper_inf(party.c.recorded))
    row = connection.execute(select(party.c.id_no_encrypted).where(*condition)).one_or_none()
    if row is None:
        raise NotFound("party", uid)
    if row[0] is None:
        return None
    return decrypt(connection, bytes(row[0]), key_of(connection))
