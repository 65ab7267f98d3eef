"""Tiles as answers: from memory where they are kept, from the store where not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import MVT, answer
from api.caller import PUBLIC, caller
from api.changes import Changes
from api.dependencies import Service
from api.encodings import Body
from api.tile_cache import KeptTile, TileCache, TileKey
from gis.store.changes import hidden
from gis.store.tile_layers import LAYERS
from gis.store.tiles import EXTENT, TileQuery, VectorTile, vector_tile

LEFT_OUT = "X-Left-Out"
"""Header that says how many features of a layer did not go into a tile: `parcels=1200`."""
CACHE = "X-Tile-Cache"


class TileService:
    """The vector tiles of a running service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        limits = service.limits
        self.cache = TileCache(limits.tile_cache_bytes, limits.tile_buffer)
        self.changes = Changes(service.database, self.cache, limits.listeners_most)

    async def answer(self, request: Request, query: TileQuery) -> Response:
        """The tile, as the client accepts it."""
        limits = self.service.limits
        query = replace(query, buffer=limits.tile_buffer, features_most=limits.features_per_layer)
        who = caller()
        key = TileKey(
            who.scope_key,
            query.grid,
            query.z,
            query.x,
            query.y,
            tuple(query.layers),
            query.moment,
            datetime.now(UTC).date(),
        )
        kept = self.cache.get(key)
        is_kept = kept is not None
        if kept is None:
            told = self.cache.told
            accepted = request.headers.get("accept-encoding", "")
            kept = await run_in_threadpool(self._made, query, who.scope_key, accepted)
            self.cache.put(key, kept, told)
        # Whose tiles hold what others may not see are not told what made them old.
        headers = {CACHE: "hit" if is_kept else "miss"} if who.is_public else {}
        if kept.left_out:
            headers[LEFT_OUT] = ", ".join(f"{layer}={count}" for layer, count in kept.left_out.items())
        if not who.is_public:
            # It may change at any moment, and is nobody's to keep but the caller's.
            headers["Cache-Control"] = "private, no-cache"
        return answer(request, kept.body, MVT, max_age=limits.tile_age_seconds, headers=headers)

    def read(self, query: TileQuery) -> VectorTile:
        """The tile out of the store."""
        with self.service.reading(transaction=False) as connection:
            return vector_tile(connection, self.service.city.crs, query)

    def _made(self, query: TileQuery, scope: str, accepted: str) -> KeptTile:
        tile = self.read(query)
        body = Body(tile.data, "" if scope == PUBLIC.scope_key else scope)
        # Compressed here, in the thread that has read it, and not where all requests wait.
        body.encoded(body.coding(accepted))
        bounds = query.bounds
        return KeptTile(
            body,
            tile.left_out,
            # What is not shown makes no tile old; that it did would tell where it has changed.
            frozenset(name for layer in query.shown for name in layer.changes) - set(hidden(tile.reaches)),
            bounds.buffered(bounds.width * query.buffer / EXTENT),
        )


def layers_of(collection: str | None = None) -> tuple[str, ...]:
    """All layers of the tiles, or those that show a collection or stand for it."""
    return tuple(name for name, layer in LAYERS.items() if collection in (None, layer.collection))


def tiles_in(app: Starlette) -> TileService:
    """The tiles of the service an application runs."""
    found: TileService = app.state.tiles
    return found


# A coroutine so that no thread is asked for what takes a microsecond.
async def tiles_of(request: Request) -> TileService:
    """The tiles of the service the application runs."""
    return tiles_in(request.app)


TilesDep = Annotated[TileService, Depends(tiles_of)]
