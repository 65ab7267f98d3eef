"""The scope of a transaction, signed: the database believes it only from who holds the key.

The reader's login may set any setting, so a scope as a plain setting would be anybody's who gets a statement of his own
into the service. What the policies read is therefore sealed (HMAC-SHA-256, RFC 2104) with a key that lies in the
installation's secrets and in a table that only the owner can read.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from time import time

from sqlalchemy import Connection, text

from gis.access.scope import Scope

SETTING = "diaba.scope"
VALID_SECONDS = 900
"""How long a signed scope is believed: longer than any transaction of the reader, and than clocks differ."""


def signed(key: bytes, scope: Scope, now: float | None = None) -> str:
    """What the setting has to say for a scope; nothing for the public's.

    Args:
        key: The installation's, 32 bytes.
        scope: What may be seen.
        now: Seconds since 1970; the present when not given.
    """
    document = scope.document()
    if document == "":
        return ""
    told = f"{round((time() if now is None else now) + VALID_SECONDS)}.{document}"
    return f"{hmac.new(key, f'{SETTING}={told}'.encode(), sha256).hexdigest()}.{told}"


def take(connection: Connection, told: str) -> None:
    """Work under a signed scope until the transaction ends."""
    connection.execute(text("SELECT set_config(:setting, :told, TRUE)"), {"setting": SETTING, "told": told})


def reach(connection: Connection, subject: str) -> str:
    """How far the rows about a subject are seen: in `all` wards, in `some`, or `none`."""
    return str(connection.execute(text("SELECT diaba.reach(:subject)"), {"subject": subject}).scalar_one())


def save_key(connection: Connection, key: bytes) -> None:
    """Tell the database the installation's key, as the owner; where its version of the schema has scopes."""
    if connection.execute(text("SELECT to_regclass('diaba.scope_key')")).scalar_one() is None:
        return
    connection.execute(
        text(
            "INSERT INTO diaba.scope_key (key) VALUES (:key) "
            "ON CONFLICT (is_one) DO UPDATE SET key = excluded.key, since = now() WHERE scope_key.key <> excluded.key"
        ),
        {"key": key},
    )
