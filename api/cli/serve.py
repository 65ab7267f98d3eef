"""`diaba serve`: the API and the viewer."""

from __future__ import annotations

import errno
import logging
import socket
import sys
from types import FrameType

import click

from api.cli.common import emit, existing_city, json_option
from gis.errors import BadParameter, DiabaError

LOG_FORMAT = "%(asctime)s %(levelname)s %(request_id)s %(message)s"


class AddressTaken(DiabaError):
    """The service cannot listen where it was told to."""


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@json_option
def command(host: str, port: int, as_json: bool) -> None:
    """The API and the viewer, until it is stopped with Ctrl-C.

    \b
    Examples:
      diaba serve
      diaba serve --host 0.0.0.0 --port 8080
    """
    import uvicorn

    from api.main import create_app
    from api.settings import ServiceSettings
    from gis.settings import Settings
    from gis.store.database import Database

    settings = Settings.from_environment()
    limits = ServiceSettings.from_environment()
    listener = listen(host, port)
    try:
        city = existing_city()
        Database.of(city, settings, start=True)
        address = _address(host, listener.getsockname()[1])
        _log_to_stderr()
        places = {"url": address, "viewer": f"{address}/viewer/", "collections": f"{address}/collections"}
        emit({"city": city.name, **places}, as_json, lambda: _announce(city.name, places))
        sys.stdout.flush()
        app = create_app(settings, city, limits)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        server = uvicorn.Server(config)
        stop = server.handle_exit

        def stop_streams_too(signal: int, frame: FrameType | None) -> None:
            # Streams have no end of their own: the server would wait for them as long as it waits at most.
            app.state.tiles.changes.close()
            stop(signal, frame)

        server.handle_exit = stop_streams_too  # type: ignore[method-assign,assignment]
        server.run(sockets=[listener])
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at the address.

    Raises:
        AddressTaken: another program listens there, or this user may not.
        BadParameter: this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its number the event loop knows that it is TCP and turns off the delay of small packets, 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Told here, so that a second service fails before it opens anything.
        listener.listen(128)
    except (OSError, UnicodeError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise AddressTaken(
                f"port {port} at {host} is in use; choose another with --port, or 0 for a free one"
            ) from error
        if isinstance(error, OSError) and error.errno == errno.EACCES:
            raise AddressTaken(f"port {port} needs more rights than this user has; choose one above 1023") from error
        raise BadParameter("host", host, "this machine has no such address") from error
    return listener


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def _announce(city: str, places: dict[str, str]) -> None:
    click.echo(f"{city} is served at {places['url']}")
    click.echo(f"  viewer       {places['viewer']}")
    click.echo(f"  collections  {places['collections']}   (QGIS: OGC API - Features, {places['url']})")
    click.echo("Ctrl-C stops it.")


def _log_to_stderr() -> None:
    from api.middleware import RequestIdFilter

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    handler.addFilter(RequestIdFilter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
