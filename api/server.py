"""The server the service runs in: what it refuses before there is a request, and how it stops."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import h11
import orjson
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.settings import ServiceSettings
from api.stopping import Stopping


class Protocol(H11Protocol):
    """HTTP/1.1; what is no request is answered in the form of all errors."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read and close the connection."""
        document = {"type": "urn:diaba:problem:bad-request", "title": "Bad Request", "status": 400}
        most = self.config.h11_max_incomplete_event_size
        document["detail"] = f"not a request of HTTP/1.1, or its first lines have more than {most} bytes"
        headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=orjson.dumps(document)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


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
        # What exceeds a limit up to twice is read, so that it can be refused with that limit.
        h11_max_incomplete_event_size=2 * (settings.url_bytes_most + settings.header_bytes_most),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    Server(config, app.state.service.stopping).run(sockets=list(sockets))
