"""Who asks: the identity and the scope of the request that is being answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from gis.access.scope import NOTHING_MORE, Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks, known or not."""

    subject: str | None = None
    """Who it is, as the issuer of its token or key names it; None for the public."""
    scope_key: str = "public"
    """Names what the caller may see: two callers with the same are given the same bytes. Part of every cache's key."""
    scope: Scope = NOTHING_MORE
    """What it may see and change."""

    @classmethod
    def of(cls, subject: str, scope: Scope) -> Caller:
        """Somebody known, with what it may see."""
        return cls(subject, scope.key, scope)

    @property
    def is_public(self) -> bool:
        """Whether nobody said who asks."""
        return self.subject is None

    def may_write(self, collection: str, ward: str | None) -> bool:
        """Whether the caller may change features of a collection in a ward (None: of no known ward).

        A change that moves a feature from one ward to another asks for both.
        """
        return self.scope.may_change(collection, ward)


PUBLIC = Caller()
_caller: ContextVar[Caller] = ContextVar("caller", default=PUBLIC)


def caller() -> Caller:
    """Who asks for the request that is being answered; the public outside of one."""
    return _caller.get()


@contextmanager
def asking(who: Caller) -> Iterator[None]:
    """Answer in somebody's name."""
    token = _caller.set(who)
    try:
        yield
    finally:
        _caller.reset(token)
