"""Who changed what and when: an entry for each statement that changed a register, in a chain of hashes.

The database writes the entries and chains them when a transaction is committed; no login may add, change or delete one.
Who acted is told by whoever opens the writer's session; the login is the database's own knowledge.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

LENGTH_MOST = 200
"""Characters of an actor and of what was called."""
GENESIS = hashlib.sha256(b"diaba audit log").digest()
"""What the first entry has as the hash before it."""


@dataclass(frozen=True, slots=True)
class Acting:
    """In whose name registers are changed, and by what."""

    actor: str
    """A person's or a program's name, as far as known."""
    through: str
    """The command or the route, without its arguments: those may name people."""


_acting: ContextVar[Callable[[], Acting] | None] = ContextVar("acting", default=None)


@contextmanager
def acting(told: Acting | Callable[[], Acting]) -> Iterator[None]:
    """Change registers in somebody's name for a while; a function is asked when the change begins."""
    token = _acting.set((lambda: told) if isinstance(told, Acting) else told)
    try:
        yield
    finally:
        _acting.reset(token)


def now_acting() -> Acting:
    """Who acts: as told, else the account of this process."""
    asked = _acting.get()
    found = Acting(account(), "program") if asked is None else asked()
    return Acting(_plain(found.actor), _plain(found.through))


def account() -> str:
    """DIABA_ACTOR, where several people share an account; else the account of this process."""
    try:
        return os.environ.get("DIABA_ACTOR") or getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One statement that changed a register."""

    seq: int
    """Its place in the chain, without gaps: in the order of the commits."""
    at: datetime
    actor: str
    through: str
    login: str
    """Of the database."""
    operation: str
    """INSERT: rows were added; UPDATE: ended, or changed where a table has no versions; DELETE."""
    table: str
    rows: int
    keys: tuple[str, ...]
    """Of the first rows."""
    prev_hash: bytes
    hash: bytes


def digest(entry: AuditEntry) -> bytes:
    """The hash an entry must have: over the hash before it and its content as a JSON array."""
    at = entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    content = [
        *(entry.seq, at, entry.actor, entry.through, entry.login, entry.operation, entry.table, entry.rows),
        list(entry.keys),
    ]
    return hashlib.sha256(entry.prev_hash + json.dumps(content, ensure_ascii=False).encode()).digest()


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome of following the chain."""

    entries: int
    head: bytes
    """Hash of the last entry that holds; noted elsewhere, it proves later that no entry before it was left out."""
    broken: str | None
    """Where and why the chain breaks."""
    has_noted: bool
    """Whether a head that was noted earlier is in the chain."""


def verify(entries: Iterable[AuditEntry], noted: bytes | None = None) -> Verified:
    """Follow the chain from its first entry; the entries come in their order."""
    before, seq, found = GENESIS, 0, noted in (None, GENESIS)
    for entry in entries:
        why = None
        if entry.seq != seq + 1:
            why = f"entry {seq + 1} is missing"
        elif entry.prev_hash != before:
            why = f"entry {entry.seq} does not follow the one before it"
        elif entry.hash != digest(entry):
            why = f"entry {entry.seq} is not what was recorded"
        if why is not None:
            return Verified(seq, before, why, found)
        before, seq = entry.hash, entry.seq
        found = found or entry.hash == noted
    return Verified(seq, before, None if found else "the noted head is not in the chain: entries were left out", found)


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:LENGTH_MOST] or "unknown"
