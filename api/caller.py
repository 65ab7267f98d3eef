"""Who asks: the identity and the scope of the request that is being answered."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks, known or not."""

    subject: str | None = None
    """Who it is, as the issuer of its token or key names it; None for the public."""
    scope_key: str = "public"
    """Names what the caller may see: two callers with the same are given the same bytes. Part of every cache's key."""

    def may_write(self, collection: str, ward: str | None) -> bool:
        """Whether the caller may change features of a collection in a ward (None: of no known ward)."""
        return False


PUBLIC = Caller()
_caller: ContextVar[Caller] = ContextVar("caller", default=PUBLIC)


def caller() -> Caller:
    """Who asks for the request that is being answered; the public outside of one."""
    return _caller.get()
