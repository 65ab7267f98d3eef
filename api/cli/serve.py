"""`diaba serve`: the API and the viewer."""

from __future__ import annotations

import errno
import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from api.cli.common import emit, existing_city, json_option
from gis.errors import BadParameter, DiabaError

if TYPE_CHECKING:
    from api.logs import LogFormat


class AddressTaken(DiabaError):
    """The service cannot listen where it was told to."""


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Of the log on stderr."
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Port at 127.0.0.1 for /metrics, which Prometheus reads; 0 takes a free one. Without it there are none.",
)
@click.option("--dev-issuer", is_flag=True, help="Believe tokens of `diaba token`; on this machine or for a demo only.")
@json_option
def command(
    host: str, port: int, log_format: LogFormat, metrics_port: int | None, dev_issuer: bool, as_json: bool
) -> None:
    """The API and the viewer, until it is stopped with Ctrl-C or SIGTERM.

    Limits and times are read from the environment (docs/operator.md). It is one process with one set of caches and
    counts; more of them stand behind a proxy, each with ports of its own.

    \b
    Examples:
      diaba serve
      diaba serve --host 0.0.0.0 --port 8080
      diaba serve --dev-issuer
      diaba serve --log-format json --metrics-port 9108
    """
    from api import metrics, server
    from api.access.settings import LOOPBACK, AccessSettings
    from api.logs import log_to_stderr
    from api.main import create_app
    from api.ready import get_ready
    from api.settings import ServiceSettings
    from gis.access.roles import Role
    from gis.settings import Settings
    from gis.store import openness
    from gis.store.coverage import is_demo
    from gis.store.database import Database

    settings = Settings.from_environment()
    limits = ServiceSettings.from_environment()
    access = replace(AccessSettings.from_environment(), dev_issuer=dev_issuer)
    listener = listen(host, port)
    try:
        places = {} if metrics_port is None else {"metrics": _expose_metrics(metrics_port)}
        city = existing_city()
        database = Database.of(city, settings, start=True)
        with database.open(Role.READER) as connection:
            openness.check(connection)
            if dev_issuer and host not in LOOPBACK and not is_demo(connection):
                raise BadParameter("dev-issuer", host, "anybody here could make tokens; listen at 127.0.0.1")
        app = create_app(settings, city, limits, access)
        metrics.watch_sessions(app.state.service.sessions)
        address = _address(host, listener.getsockname()[1])
        log_to_stderr(log_format)
        get_ready()
        places |= {"url": address, "viewer": f"{address}/", "collections": f"{address}/collections"}
        emit({"city": city.name, **places}, as_json, lambda: _announce(city.name, places))
        sys.stdout.flush()
        server.run(app, limits, [listener])
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at the address.

    Raises:
        AddressTaken: another program listens there, or this user may not.
        BadParameter: this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that asyncio sends at once what is written (TCP_NODELAY): otherwise the body of an answer waits
    # 40 ms for the client to acknowledge its header.
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


def _expose_metrics(port: int) -> str:
    from api import metrics

    try:
        return f"http://{metrics.HOST}:{metrics.expose(port)}/metrics"
    except OSError as error:
        raise AddressTaken(f"port {port} at {metrics.HOST}, for metrics, is in use; choose another") from error


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def _announce(city: str, places: dict[str, str]) -> None:
    click.echo(f"{city} is served at {places['url']}")
    click.echo(f"  viewer       {places['viewer']}")
    click.echo(f"  collections  {places['collections']}   (QGIS: OGC API - Features, {places['url']})")
    if "metrics" in places:
        click.echo(f"  metrics      {places['metrics']}   (this machine only)")
    click.echo("Ctrl-C stops it.")
