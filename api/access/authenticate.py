"""Every request is answered in the name of who shows a token or a key, or of the public."""

from __future__ import annotations

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.authority import Authority, credential
from api.caller import asking
from api.errors import answer_to
from gis.errors import DiabaError

CHECKS_AT_ONCE = 4
"""Threads that may wait for an issuer or the store; those of the routes are not held up by them."""


class Authenticate:
    """Wraps the application. A token or key that is not good is refused, also where the public would be answered."""

    def __init__(self, app: ASGIApp, authority: Authority, retry_seconds: int) -> None:
        self.app, self.authority, self.retry_seconds = app, authority, retry_seconds
        self._limiter = CapacityLimiter(CHECKS_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  the protocol's
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            shown = credential(scope["headers"])
            if shown is None:
                who = None
            else:
                who = self.authority.remembered(shown) or await run_sync(
                    self.authority.caller_of, shown, limiter=self._limiter
                )
        except DiabaError as error:
            await answer_to(error, Request(scope), self.retry_seconds)(scope, receive, send)
            return
        if who is None:
            await self.app(scope, receive, send)
            return
        with asking(who):
            await self.app(scope, receive, send)
