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

from api import metrics

log = logging.getLogger("diaba.api")

HEADER = "x-request-id"
HEAD_ONLY = "diaba.head_only"
"""In the scope of a GET that was a HEAD: its body is dropped, so a large one need not be read."""
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_request_id: ContextVar[str] = ContextVar("request_id", default="-")

SECURITY: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; worker-src 'self' blob:; connect-src 'self'; "
    "img-src 'self' data: blob:; style-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'",
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
        method, status, size, started = scope["method"], 0, 0, perf_counter()
        is_head = method == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET", HEAD_ONLY: True}

        async def send_on(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = identity
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            size += len(message.get("body", b""))
            await send(message)

        metrics.in_flight.inc()
        try:
            await self.app(scope, receive, send_on)
        except Exception as error:
            if status:
                raise
            # Answered here and not further out, so that this answer too carries its identity and the headers.
            await self.on_failure(Request(scope), error)(scope, receive, send_on)
        finally:
            metrics.in_flight.dec()
            seconds, path = perf_counter() - started, ascii(scope["path"])[1:-1]
            route = route_of(scope)
            metrics.answered(route, method, status, seconds, size)
            facts = {"method": method, "path": path, "route": route, "status": status, "bytes": size}
            facts["milliseconds"] = round(1000.0 * seconds, 1)
            log.info("%s %s %d %.1f ms", method, path, status, 1000.0 * seconds, extra={"request": facts})
            _request_id.reset(token)


def route_of(scope: Scope) -> str | None:
    """The template of the route that answered, `/tiles/{z}/{x}/{y}.mvt`; None where none did."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else None
