"""How often one may ask: a bucket of tokens for each caller, filled at a rate up to what it holds."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

KEYS_MOST = 100_000
"""Callers remembered, some 20 MB; beyond, who asked longest ago is forgotten, and so has a full bucket again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a caller has after asking for a token."""

    remaining: int
    """Whole tokens left."""
    full_seconds: int
    """Until the bucket is full again."""
    wait_seconds: int
    """Until there is a token; 0: one was given."""


class Buckets:
    """The buckets of one policy. Not for threads: the event loop alone takes from them."""

    def __init__(
        self, name: str, rate: float, burst: int, *, clock: Callable[[], float] = time.monotonic, keys: int = KEYS_MOST
    ) -> None:
        self.name, self.rate, self.burst = name, rate, max(burst, 1)
        self._clock, self._keys = clock, keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> Taken:
        """A token for this caller, if there is one."""
        now = self._clock()
        tokens, since = self._buckets.pop(key, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - since) * self.rate)
        wait = 0 if tokens >= 1.0 else max(1, ceil((1.0 - tokens) / self.rate))
        if not wait:
            tokens -= 1.0
        self._buckets[key] = (tokens, now)
        if len(self._buckets) > self._keys:
            self._buckets.popitem(last=False)
        return Taken(int(tokens), ceil((self.burst - tokens) / self.rate), wait)

    def fields(self, taken: Taken) -> dict[str, str]:
        """What is told of it in the answer's header (draft-ietf-httpapi-ratelimit-headers-10)."""
        return {
            "RateLimit-Policy": f'"{self.name}";q={self.burst};w={ceil(self.burst / self.rate)}',
            "RateLimit": f'"{self.name}";r={taken.remaining};t={taken.full_seconds}',
        }
