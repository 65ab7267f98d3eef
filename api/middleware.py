"""What every request passes through: an identity, a line in the log, headers, and HEAD."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from time import perf_counter
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("diaba.api")

HEADER = "x-request-id"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_request_id: ContextVar[str] = ContextVar("request_id", default="-")

SECURITY: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; worker-src 'self' blob:; connect-src 'self'; "
    "img-src 'self' data: blob:; style-src 'self'; base-uri 'none'; form-action 'none'",
}
"""Pages load from this service alone. They may be framed: planners show the viewer inside of a notebook."""


def request_id() -> str:
    """The identity of the request that is being answered, "-" outside of one."""
    return _request_id.get()


class RequestIdFilter(logging.Filter):
    """Gives every record of the log the identity of its request, as `%(request_id)s`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add it; keep the record."""
        record.request_id = request_id()
        return True


class Envelope:
    """Wraps the application: identity in, headers out, one line in the log; HEAD is GET without its body."""

    def __init__(self, app: ASGIApp, on_failure: Callable[[Request, Exception], Response]) -> None:
        self.app, self.on_failure = app, on_failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  the protocol's
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = dict(scope["headers"]).get(HEADER.encode(), b"").decode("latin-1")
        identity = asked if _ACCEPTED.fullmatch(asked) else uuid4().hex
        token = _request_id.set(identity)
        method, status, started = scope["method"], 0, perf_counter()
        is_head = method == "HEAD"

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = identity
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            # Told, so that an answer without an end need not begin.
            await self.app({**scope, "method": "GET", "is_head": True} if is_head else scope, receive, send_on)
        except Exception as error:
            if status:
                raise
            # Answered here and not further out, so that this answer too carries its identity and the headers.
            await self.on_failure(Request(scope), error)(scope, receive, send_on)
        finally:
            elapsed = 1000.0 * (perf_counter() - started)
            log.info("%s %s %d %.1f ms", method, ascii(scope["path"])[1:-1], status, elapsed)
            _request_id.reset(token)
