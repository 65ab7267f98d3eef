"""The end of the service: requests in flight are finished, streams of events are closed at once."""

from __future__ import annotations

from asyncio import CancelledError

import anyio
from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Stopped, answer_to

EVENTS = "text/event-stream"


class Stopping:
    """Whether the service was told to stop."""

    def __init__(self) -> None:
        self._told = False
        self._event: anyio.Event | None = None

    @property
    def told(self) -> bool:
        """Whether it was."""
        return self._told

    def tell(self) -> None:
        """Tell it. From the event loop."""
        self._told = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        """Return when it is told."""
        if self._told:
            return
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()


class EndRequests:
    """When the service stops: ends streams of events, whose clients ask again by themselves; tells who is given up."""

    def __init__(self, app: ASGIApp, stopping: Stopping, retry_seconds: int) -> None:
        self.app, self.stopping, self.retry_seconds = app, stopping, retry_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  the protocol's
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_read = is_started = is_stream = is_complete = False

        async def send_on(message: Message) -> None:
            nonlocal is_started, is_stream, is_complete
            is_started = True
            if message["type"] == "http.response.start":
                kind = Headers(raw=list(message["headers"])).get("content-type", "")
                is_stream = kind.startswith(EVENTS)
            is_complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        async def receive_on() -> Message:
            nonlocal is_read
            if not is_read:
                message = await receive()
                is_read = not message.get("more_body", False)
                return message
            # Whoever asks on waits for the client to leave: that is what a stream does beside sending.
            found: Message = {"type": "http.disconnect"}

            async def listen() -> None:
                nonlocal found
                found = await receive()
                tasks.cancel_scope.cancel()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await self.stopping.wait()
                if is_stream:
                    tasks.cancel_scope.cancel()
            return found

        try:
            await self.app(scope, receive_on, send_on)
        except CancelledError:
            # By the server, when the time for what was asked is over.
            if is_started or not self.stopping.told:
                raise
            await answer_to(Stopped(), Request(scope), self.retry_seconds)(scope, receive, send_on)
        if is_stream and not is_complete and self.stopping.told:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
