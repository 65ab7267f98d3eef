"""The server the service runs in: what it refuses before there is a request, and how it stops."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import orjson
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.settings import ServiceSettings
from api.stopping import Stopping


class Refused(ValueError):
    """Raised into the parser, which ends with it: the request is none."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1; what is no request is answered in the form of all errors."""

    _waiting = 0
    """Bytes since a head or a piece of a body was whole."""

    def data_received(self, data: bytes) -> None:
        """Parse what has come; lines that do not end are not kept without end."""
        self._waiting += len(data)
        super().data_received(data)
        if self._waiting > self._most and not self.transport.is_closing():
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        """The head is whole; RFC 9112, 3.2 wants one host in it."""
        self._waiting = 0
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise Refused
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body has come."""
        self._waiting = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._waiting = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read and close the connection."""
        document = {"type": "urn:diaba:problem:bad-request", "title": "Bad Request", "status": 400}
        document["detail"] = f"not a request of HTTP/1.1, or its first lines have more than {self._most} bytes"
        body = orjson.dumps(document)
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    @property
    def _most(self) -> int:
        return self.config.h11_max_incomplete_event_size or 0


class Server(uvicorn.Server):
    """Tells the service that it stops, before it waits for requests in flight."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping) -> None:
        super().__init__(config)
        self.stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing new, close streams, finish what is asked, for as long as the settings allow."""
        self.stopping.tell()
        await super().shutdown(sockets)


def run(app: FastAPI, settings: ServiceSettings, sockets: Sequence[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends it at once."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        # What exceeds a limit up to twice is read, so that it can be refused with that limit.
        h11_max_incomplete_event_size=2 * (settings.url_bytes_most + settings.header_bytes_most),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    Server(config, app.state.service.stopping).run(sockets=list(sockets))
