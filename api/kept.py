"""Answers kept in memory, the longest unused given up first, so that no more than so many bytes are held."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import Lock


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, and what it was made of."""

    mark: Hashable
    """While this is so, it holds."""
    fingerprint: bytes
    """While this is so, it can be made to hold again."""
    body: bytes


@dataclass(slots=True)
class Keeper:
    """Safe for threads. A key names all that decides about the bytes, the caller's scope too."""

    most: int
    """Bytes of all bodies."""
    _held: OrderedDict[Hashable, Kept] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def get(self, key: Hashable) -> Kept | None:
        """What is kept under a key."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: Hashable, kept: Kept) -> None:
        """Keep an answer, instead of what there was."""
        with self._lock:
            before = self._held.pop(key, None)
            self._bytes += len(kept.body) - (len(before.body) if before is not None else 0)
            self._held[key] = kept
            while self._bytes > self.most and self._held:
                _, gone = self._held.popitem(last=False)
                self._bytes -= len(gone.body)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._held.clear()
            self._bytes = 0

    @property
    def bytes(self) -> int:
        """Held now."""
        return self._bytes
