"""Parties: persons and bodies that hold rights. Their identity numbers are encrypted at rest.

The numbers are encrypted by pgcrypto (OpenPGP, AES-256) under a key that is never in the database: it comes as a bound
parameter, from a file that only its owner reads. A keyed digest (HMAC-SHA-256) finds a number without decrypting.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Connection, LargeBinary, Text, bindparam, func, select, text

from gis.errors import NotFound, StoreUnreachable
from gis.store import versions
from gis.store.schema import party
from gis.store.versions import Saved, plain

KEY_OPTION = "diaba_identity_key"
"""Execution option of a writer's connection that holds the key."""
# The key is random: stretching it, as is done to passwords, would only cost time.
_CIPHER = "cipher-algo=aes256, s2k-mode=0, compress-algo=0"


@dataclass(frozen=True, slots=True)
class Party:
    """A party without its identity number."""

    uid: str
    kind: str
    name: str


def save(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Saved:
    """Record parties: uid, kind, name, id_no (or None), as text.

    Raises:
        StoreUnreachable: the connection is not a writer's: it has no key.
    """
    listed = [{name: plain(row.get(name)) for name in ("uid", "kind", "name", "id_no")} for row in rows]
    numbers = [None if row["id_no"] is None else str(row["id_no"]) for row in listed]
    key = _key(connection)
    encrypted = _encrypt(connection, numbers, key)
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
        # Encrypting the same number twice gives different bytes; its keyed digest tells whether it changed.
        undigested=frozenset({"id_no_encrypted"}),
    )


def find(connection: Connection, id_no: str) -> list[Party]:
    """The parties that have an identity number, by uid."""
    wanted = digest(id_no, _key(connection))
    rows = connection.execute(
        select(party.c.uid, party.c.kind, party.c.name)
        .where(party.c.id_no_hash == wanted, func.upper_inf(party.c.recorded))
        .order_by(party.c.uid)
    )
    return [Party(*row) for row in rows]


def identity_number(connection: Connection, uid: str) -> str | None:
    """A party's identity number, decrypted; None when it has none.

    Raises:
        NotFound: there is no such party.
        StoreUnreachable: the connection has no key, or another than the number was encrypted with.
    """
    condition = (party.c.uid == uid, func.upper_inf(party.c.recorded))
    row = connection.execute(select(party.c.id_no_encrypted).where(*condition)).one_or_none()
    if row is None:
        raise NotFound("party", uid)
    if row[0] is None:
        return None
    clear = func.public.pgp_sym_decrypt(
        bindparam("secret", bytes(row[0]), LargeBinary), bindparam("key", _key(connection).hex(), Text)
    )
    return str(connection.scalar(select(clear)))


def digest(id_no: str, key: bytes) -> bytes:
    """The keyed digest that finds a number; another key than the one that encrypts is derived for it."""
    return hmac.digest(hmac.digest(key, b"find", hashlib.sha256), "".join(id_no.split()).encode(), hashlib.sha256)


def _encrypt(connection: Connection, numbers: Sequence[str | None], key: bytes) -> list[bytes | None]:
    statement = text(
        "SELECT public.pgp_sym_encrypt(number, :key, :cipher) "
        "FROM unnest(:numbers) WITH ORDINALITY AS t(number, place) ORDER BY place"
    ).bindparams(bindparam("numbers", type_=ARRAY(Text)), bindparam("key", type_=Text), bindparam("cipher", type_=Text))
    rows = connection.execute(statement, {"numbers": list(numbers), "key": key.hex(), "cipher": _CIPHER})
    return [None if row[0] is None else bytes(row[0]) for row in rows]


def _key(connection: Connection) -> bytes:
    key = connection.get_execution_options().get(KEY_OPTION)
    if not isinstance(key, bytes):
        raise StoreUnreachable("of parties", "identity numbers are open to the writer's login alone")
    return key
