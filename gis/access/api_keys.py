"""Keys of machines: a random text, told once; what is kept of it cannot be turned back."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

_FORM = re.compile(r"diaba_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key."""

    prefix: str
    """By which it is looked up and revoked; the second part of its text."""
    subject: str
    """Whose it is."""
    grants: tuple[str, ...]
    created: datetime
    expires: datetime
    revoked: datetime | None = None


def new() -> tuple[str, str]:
    """A key's text and its prefix: 256 random bits behind it, so a plain hash needs no slowness."""
    prefix = secrets.token_hex(6)
    return f"diaba_{prefix}_{secrets.token_urlsafe(32)}", prefix


def prefix_of(text: str) -> str | None:
    """The prefix of what has the form of a key; None of what has not."""
    match = _FORM.fullmatch(text)
    return match[1] if match else None


def first_hash(text: str) -> bytes:
    """What of a key reaches the database, whose log might keep it; there it is salted and hashed again."""
    return sha256(text.encode()).digest()
