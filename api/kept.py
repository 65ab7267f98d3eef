"""Answers kept in memory, the longest unused given up first, so that no more than so many bytes are held."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

ENTRY_COST = 200
"""Bytes an entry takes beside its body, about."""
Value = TypeVar("Value")


class Memory(Generic[Value]):
    """Safe for threads. A key names all that decides about the bytes, the caller's scope too."""

    def __init__(self, most: int, size: Callable[[Value], int]) -> None:
        self._most, self._size = most, size
        self._held: OrderedDict[Hashable, Value] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: Hashable) -> Value | None:
        """What is kept under a key."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: Hashable, value: Value) -> None:
        """Keep it, instead of what there was; what is larger than a quarter of all is not kept."""
        with self._lock:
            if (before := self._held.pop(key, None)) is not None:
                self._bytes -= self._cost(before)
            if self._cost(value) > self._most // 4:
                return
            self._held[key] = value
            self._bytes += self._cost(value)
            while self._bytes > self._most:
                self._bytes -= self._cost(self._held.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._held.clear()
            self._bytes = 0

    def _cost(self, value: Value) -> int:
        return self._size(value) + ENTRY_COST


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, and what it was made of."""

    mark: Hashable
    """While this is so, it holds."""
    fingerprint: bytes
    """While this is so, it can be made to hold again."""
    body: bytes


class Keeper(Memory[Kept]):
    """Answers that hold while the register is what it was."""

    def __init__(self, most: int) -> None:
        super().__init__(most, lambda kept: len(kept.body))
