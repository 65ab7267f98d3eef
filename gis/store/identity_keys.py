"""The key of identity numbers: never in the database, told to it as a parameter, and changed from time to time.

The database keeps a fingerprint of the key, so that numbers under two keys never mix, as after a backup was restored in
another installation.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import psycopg
from sqlalchemy import ARRAY, Connection, Integer, LargeBinary, Text, bindparam, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from gis.errors import IdentityClosed
from gis.store import versions
from gis.store.rights_tables import identity_key
from gis.store.schema import party

KEY_OPTION = "diaba_identity_key"
"""Execution option of a writer's connection that holds the key."""
UNDIGESTED = frozenset({"id_no_encrypted"})
"""Encrypting the same number twice gives different bytes; its keyed digest tells whether it changed."""
BATCH = 2000
# The key is random: stretching it, as is done to passwords, would only cost time.
_CIPHER = "cipher-algo=aes256, s2k-mode=0, compress-algo=0"


def fingerprint(key: bytes) -> str:
    """What tells keys apart and gives none away."""
    return hmac.digest(key, b"fingerprint", hashlib.sha256).hex()[:16]


def key_of(connection: Connection) -> bytes:
    """The key a writer's connection was given, which is the one the database's numbers are encrypted with.

    Raises:
        IdentityClosed: the connection has no key, or another than the database's.
    """
    key = connection.get_execution_options().get(KEY_OPTION)
    if not isinstance(key, bytes):
        raise IdentityClosed("they are open to the writer's login alone")
    stored = connection.scalar(select(identity_key.c.fingerprint))
    if stored is None:
        _claim(connection, key)
    elif stored != fingerprint(key):
        raise IdentityClosed(
            f"they are encrypted with the key {stored}, and this installation has {fingerprint(key)}; "
            "put the right key into its file, or run diaba db rotate-key again if it was interrupted"
        )
    return key


def digest(id_no: str, key: bytes) -> bytes:
    """The keyed digest that finds a number; another key than the one that encrypts is derived for it."""
    return hmac.digest(hmac.digest(key, b"find", hashlib.sha256), "".join(id_no.split()).encode(), hashlib.sha256)


def encrypt(connection: Connection, numbers: Sequence[str | None], key: bytes) -> list[bytes | None]:
    """Each number encrypted by pgcrypto (OpenPGP, AES-256)."""
    statement = text(
        "SELECT public.pgp_sym_encrypt(number, :key, :cipher) "
        "FROM unnest(:numbers) WITH ORDINALITY AS t(number, place) ORDER BY place"
    ).bindparams(bindparam("numbers", type_=ARRAY(Text)), bindparam("key", type_=Text), bindparam("cipher", type_=Text))
    rows = connection.execute(statement, {"numbers": list(numbers), "key": key.hex(), "cipher": _CIPHER})
    return [None if row[0] is None else bytes(row[0]) for row in rows]


def decrypt(connection: Connection, secret: bytes, key: bytes) -> str:
    """A number in clear.

    Raises:
        IdentityClosed: it was encrypted with another key, or damaged.
    """
    clear = func.public.pgp_sym_decrypt(bindparam("secret", secret, LargeBinary), bindparam("key", key.hex(), Text))
    try:
        with connection.begin_nested():
            return str(connection.scalar(select(clear)))
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.ExternalRoutineInvocationException):
            raise IdentityClosed("a number was encrypted with another key, or is damaged") from error
        raise


def rotate(connection: Connection, new: bytes) -> int:
    """Encrypt all numbers anew, those of versions of old too, and find them by the new key.

    Nothing else changes: neither versions nor their times.

    Returns:
        How many numbers.

    Raises:
        IdentityClosed: the connection has not the key the numbers are encrypted with; nothing has changed.
    """
    versions.lock(connection, party)
    old = key_of(connection)
    keys = (party.c.uid, party.c.version)
    wanted = connection.execute(select(*keys).where(party.c.id_no_encrypted.is_not(None)).order_by(*keys)).all()
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        _rotate(connection, [row[0] for row in batch], [row[1] for row in batch], old, new)
    connection.execute(update(identity_key).values(fingerprint=fingerprint(new), since=func.now()))
    return len(wanted)


def stored_fingerprint(connection: Connection) -> str | None:
    """Of the key the database's numbers are encrypted with; None before the first."""
    found: str | None = connection.scalar(select(identity_key.c.fingerprint))
    return found


def _claim(connection: Connection, key: bytes) -> None:
    """Make this the database's key, after trying it on a number that is there from before keys had fingerprints."""
    secret = connection.scalar(select(party.c.id_no_encrypted).where(party.c.id_no_encrypted.is_not(None)).limit(1))
    if secret is not None:
        decrypt(connection, bytes(secret), key)
    # Of two that come first at once the second finds the other's row.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('diaba identity key', 0))"))
    if stored_fingerprint(connection) is None:
        connection.execute(insert(identity_key).values(fingerprint=fingerprint(key), since=func.now()))


def _rotate(connection: Connection, uids: list[str], numbered: list[int], old: bytes, new: bytes) -> None:
    lists = (bindparam("uids", uids, ARRAY(Text)), bindparam("versions", numbered, ARRAY(Integer)))
    rows = connection.execute(
        text(
            "SELECT p.uid, p.version, p.kind, p.name, public.pgp_sym_decrypt(p.id_no_encrypted, :key) "
            "FROM unnest(:uids, :versions) AS k(uid, version) JOIN diaba.party p USING (uid, version)"
        ).bindparams(*lists, bindparam("key", old.hex(), Text))
    ).all()
    numbers = [str(row[4]) for row in rows]
    hashes = [digest(number, new) for number in numbers]
    digests = [
        versions.digest({"uid": row[0], "kind": row[2], "name": row[3], "id_no_hash": one}, UNDIGESTED)
        for row, one in zip(rows, hashes, strict=True)
    ]
    connection.execute(
        text(
            "UPDATE diaba.party p SET id_no_encrypted = k.secret, id_no_hash = k.hash, digest = k.digest FROM "
            "unnest(:uids, :versions, :secrets, :hashes, :digests) AS k(uid, version, secret, hash, digest) "
            "WHERE p.uid = k.uid AND p.version = k.version"
        ).bindparams(
            bindparam("uids", [row[0] for row in rows], ARRAY(Text)),
            bindparam("versions", [row[1] for row in rows], ARRAY(Integer)),
            bindparam("secrets", encrypt(connection, numbers, new), ARRAY(LargeBinary)),
            bindparam("hashes", hashes, ARRAY(LargeBinary)),
            bindparam("digests", digests, ARRAY(LargeBinary)),
        )
    )
