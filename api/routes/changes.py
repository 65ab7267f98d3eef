"""What changes in the registers and where: as a stream of events for maps, or as a document to be asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from api.answers import CREDENTIALS, JSON, answer, json_bytes, kept_by_whom
from api.changes import Listener
from api.dependencies import Service, ServiceDep
from api.errors import PROBLEMS
from api.middleware import HEAD_ONLY
from api.routes.collections import lonlat
from api.tile_service import TilesDep, TileService
from gis.bounds import BoundingBox
from gis.crs import WEB_MERCATOR, normalise
from gis.errors import BadParameter, DiabaError
from gis.store.changes import NOT_FOR_ALL, Change, Reach, hidden, newest, reaches, since

router = APIRouter(tags=["Tiles"])

EVENT_STREAM = "text/event-stream"
LISTED_MOST = 1_000
HEARTBEAT_SECONDS = 15.0
"""So that proxies do not take the stream for dead, and a map that has gone is noticed."""
RECONNECT_MILLISECONDS = 2_000
NUMBER_DIGITS = 18

After = Annotated[
    str | None, Query(description="Number of the last change known; what came after it is listed.", examples=["0"])
]
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", description="As `after`, sent by browsers.")]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The changes. As a stream: events `change` with the same objects, one for a box, and `reset` "
        "when all may have changed.",
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["changes", "complete"],
                    "properties": {
                        "complete": {
                            "type": "boolean",
                            "description": "False when not all changes after the one asked about are known any more: "
                            "then all may have changed.",
                        },
                        "changes": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["number", "collection", "bbox"],
                                "properties": {
                                    "number": {"type": "integer"},
                                    "collection": {"type": "string"},
                                    "bbox": {
                                        "type": "array",
                                        "items": {"type": "number"},
                                        "minItems": 4,
                                        "maxItems": 4,
                                        "description": "West, south, east, north in degrees (CRS84).",
                                    },
                                },
                            },
                        },
                    },
                }
            },
            EVENT_STREAM: {"schema": {"type": "string"}},
        },
    },
    **PROBLEMS,
}


@router.get(
    "/changes", operation_id="getChanges", summary="Changes of the registers", responses=ANSWERS, response_model=None
)
async def changes(
    request: Request,
    service: ServiceDep,
    tiles: TilesDep,
    after: After = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Which collection has changed and where, without what has changed: who may see that asks for it.

    A client that accepts `text/event-stream`, as `EventSource` does, is told of each change at its commit. Any other
    gets those after a number, or the newest.
    """
    heard = _number(after if after is not None else last_event_id)
    if EVENT_STREAM not in request.headers.get("accept", ""):
        found = await run_in_threadpool(_found, service, heard)
        document = {"complete": found is not None, "changes": [o for c in found or () for o in _objects(c)]}
        return answer(request, json_bytes(document), JSON)
    headers = {"Cache-Control": kept_by_whom(0), "X-Accel-Buffering": "no", "Vary": f"Accept, {CREDENTIALS}"}
    if request.scope.get(HEAD_ONLY):
        return Response(headers=headers, media_type=EVENT_STREAM)
    tiles.changes.refuse_if_full()
    return StreamingResponse(_stream(service, tiles, heard), headers=headers, media_type=EVENT_STREAM)


async def _stream(service: Service, tiles: TileService, heard: int | None) -> AsyncIterator[bytes]:
    """The events, of a listener that is there only while somebody reads them."""
    with tiles.changes.listener() as listener:
        async for event in _events(service, tiles, listener, heard):
            yield event


async def _events(service: Service, tiles: TileService, listener: Listener, heard: int | None) -> AsyncIterator[bytes]:
    """The stream: what was missed, then each change as it comes, and a sign of life when none does."""
    yield f"retry: {RECONNECT_MILLISECONDS}\n\n".encode()
    try:
        known = await run_in_threadpool(_reaches, service)
    except DiabaError:
        known = dict.fromkeys(NOT_FOR_ALL, Reach.SOME)
    if heard is not None:
        try:
            missed = await run_in_threadpool(_found, service, heard)
        except DiabaError:
            # The store is away: when it is back, all may have changed.
            missed = None
        yield _reset() if missed is None else b"".join(map(_event, missed))
    closing = asyncio.ensure_future(tiles.changes.is_closing.wait())
    try:
        while not closing.done():
            coming = asyncio.ensure_future(listener.queue.get())
            try:
                await asyncio.wait({coming, closing}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    change = coming.result()
                    reach = Reach.SOME if change is None else known.get(change.collection, Reach.ALL)
                    if change is None or reach is Reach.SOME:
                        yield _reset()
                    elif reach is Reach.ALL:
                        yield _event(change)
                elif not closing.done():
                    yield b": still here\n\n"
            finally:
                coming.cancel()
    finally:
        closing.cancel()
        with suppress(asyncio.CancelledError):
            await closing


def _reaches(service: Service) -> Mapping[str, Reach]:
    with service.reading() as connection:
        return reaches(connection)


def _found(service: Service, heard: int | None) -> list[Change] | None:
    """The changes the caller may know; None where all may have changed."""
    with service.reading() as connection:
        known = reaches(connection)
        without = hidden(known)
        if heard is None:
            found: list[Change] | None = newest(connection, LISTED_MOST, without)
        else:
            found = since(connection, heard, LISTED_MOST, without)
    told = [(change, known.get(change.collection, Reach.ALL)) for change in found or ()]
    if found is None or (heard is not None and any(reach is Reach.SOME for _, reach in told)):
        return None
    return [change for change, reach in told if reach is Reach.ALL]


def _number(text: str | None) -> int | None:
    """The number of a change.

    Raises:
        BadParameter: it is none.
    """
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS):
        raise BadParameter("after", ascii(text[:40])[1:-1], "give the number of a change")
    return int(text)


def _objects(change: Change) -> list[dict[str, Any]]:
    web = normalise(WEB_MERCATOR)
    return [
        {"number": change.number, "collection": change.collection, "bbox": lonlat(BoundingBox(*box, crs=web))}
        for box in change.boxes
    ]


def _event(change: Change) -> bytes:
    return b"".join(
        b"event: change\nid: %d\ndata: %s\n\n" % (change.number, json_bytes(found)) for found in _objects(change)
    )


def _reset() -> bytes:
    return b"event: reset\ndata: {}\n\n"
