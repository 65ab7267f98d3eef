"""Hears the store's changes, drops the tiles they make old, and passes them on to whoever listens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from api.errors import TooManyListeners
from api.tile_cache import TileCache
from gis.errors import StoreUnreachable
from gis.store.changes import Change, listen
from gis.store.database import Database

log = logging.getLogger("diaba.api")

AGAIN_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Waited before the store is asked again, and then the last of these each time."""
QUEUE_MOST = 500
"""Changes that wait for one listener; who is slower is told that all may have changed."""


@dataclass(slots=True, eq=False)
class Listener:
    """Somebody who is told."""

    queue: asyncio.Queue[Change | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_MOST + 1))
    """None: all may have changed."""

    def tell(self, change: Change | None) -> None:
        """Put it at the end of what waits."""
        if change is None or self.queue.qsize() >= QUEUE_MOST:
            while not self.queue.empty():
                self.queue.get_nowait()
            change = None
        self.queue.put_nowait(change)


class Changes:
    """The changes of one city's store, heard once for the whole service."""

    def __init__(self, database: Database, cache: TileCache, listeners_most: int) -> None:
        self.database, self.cache, self.listeners_most = database, cache, listeners_most
        self.is_connected = False
        self.is_closing = asyncio.Event()
        self._listeners: set[Listener] = set()

    def __len__(self) -> int:
        return len(self._listeners)

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """Hear the store while the context lasts."""
        task = asyncio.create_task(self._hear(), name="changes")
        try:
            yield
        finally:
            self.is_closing.set()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def refuse_if_full(self) -> None:
        """Whether one more may listen.

        Raises:
            TooManyListeners: there are as many as are taken.
        """
        if len(self._listeners) >= self.listeners_most:
            raise TooManyListeners(self.listeners_most)

    @contextmanager
    def listener(self) -> Iterator[Listener]:
        """Somebody to be told while the context lasts."""
        made = Listener()
        self._listeners.add(made)
        try:
            yield made
        finally:
            self._listeners.discard(made)

    async def _hear(self) -> None:
        """Until cancelled. Whatever was told while the store was away is lost: then all may have changed."""
        tries = 0
        while True:
            try:
                async for change in listen(self.database):
                    tries, self.is_connected = 0, True
                    self._pass_on(change)
            except StoreUnreachable as error:
                if self.is_connected:
                    log.warning("changes are not heard: %s", error)
            except Exception:
                log.exception("changes are not heard")
            finally:
                self.is_connected = False
                self.cache.forget(hears=False)
            await asyncio.sleep(AGAIN_SECONDS[min(tries, len(AGAIN_SECONDS) - 1)])
            tries += 1

    def _pass_on(self, change: Change | None) -> None:
        if change is None:
            self.cache.forget(hears=True)
        else:
            self.cache.hear(change)
        for listener in self._listeners:
            listener.tell(change)
