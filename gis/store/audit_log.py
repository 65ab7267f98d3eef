"""The audit log: read and followed here; the database alone writes it. For the writer's login: it names who acted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, DateTime, LargeBinary, Row, Table, Text, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from gis.access.audit import Acting, AuditEntry, Verified, now_acting, verify
from gis.store.columns import metadata, required

PAGE = 1_000

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    required("at", DateTime(timezone=True)),
    required("actor", Text),
    required("through", Text),
    required("login", Text),
    required("operation", Text),
    required("table_name", Text),
    required("row_count", BigInteger),
    required("keys", ARRAY(Text)),
    required("prev_hash", LargeBinary),
    required("hash", LargeBinary),
)

audit_pending = Table(
    "audit_pending",
    metadata,
    Column("id", BigInteger, primary_key=True),
    *(Column(one.name, one.type, nullable=one.nullable) for one in list(audit_log.columns)[1:-2]),
)

_SET = text("SELECT set_config('diaba.actor', :actor, :local), set_config('diaba.through', :through, :local)")


def tell(connection: Connection, *, local: bool = True, who: Acting | None = None) -> None:
    """Tell the database in whose name this transaction (or, not `local`, this session) changes registers."""
    told = who or now_acting()
    connection.execute(_SET, {"actor": told.actor, "through": told.through, "local": local})


def entries(
    connection: Connection,
    *,
    since: datetime | None = None,
    actor: str | None = None,
    table: str | None = None,
    key: str | None = None,
    most: int = 50,
) -> list[AuditEntry]:
    """The newest entries that fulfil all conditions, the last first; `key` is one of the rows named."""
    c = audit_log.c
    asked = select(audit_log).order_by(c.seq.desc()).limit(most)
    if since is not None:
        asked = asked.where(c.at >= since)
    if actor is not None:
        asked = asked.where(c.actor == actor)
    if table is not None:
        asked = asked.where(c.table_name == table)
    if key is not None:
        asked = asked.where(c["keys"].contains([key]))
    return [_entry(row) for row in connection.execute(asked)]


def verified(connection: Connection, noted: bytes | None = None) -> Verified:
    """Follow the whole chain; `noted` is a head that was noted earlier."""
    return verify(_all(connection), noted)


def _all(connection: Connection) -> Iterator[AuditEntry]:
    last = 0
    page = select(audit_log).order_by(audit_log.c.seq).limit(PAGE)
    while rows := connection.execute(page.where(audit_log.c.seq > last)).all():
        yield from map(_entry, rows)
        last = rows[-1].seq


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        row.seq,
        row.at,
        row.actor,
        row.through,
        row.login,
        row.operation,
        row.table_name,
        row.row_count,
        tuple(row._mapping["keys"]),
        bytes(row.prev_hash),
        bytes(row.hash),
    )
