"""`diaba serve`."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from api.cli.main import run
from api.cli.serve import listen
from gis.errors import BadParameter
from tests.api.conftest import CityStore, served


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_in_use_is_told_in_one_line(
    taken: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIABA_HOME", str(tmp_path))
    assert run(["serve", "--port", str(taken)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert f"port {taken} at 127.0.0.1 is in use" in said.err
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_none_is_wrong_usage() -> None:
    assert run(["serve", "--port", "99999"]) == 2
    assert run(["serve", "--port", "http"]) == 2


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_an_address_of_another_machine_is_bad_input(host: str) -> None:
    with pytest.raises(BadParameter, match="no such address"):
        listen(host, 0)


def test_what_is_written_to_a_client_is_sent_at_once() -> None:
    """Not held back until the client has acknowledged what came before: asyncio sees to it for sockets named as TCP."""

    async def option() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        class Protocol(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                kept = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                found.set_result(kept)

        listener = listen("127.0.0.1", 0)
        server = await asyncio.get_running_loop().create_server(Protocol, sock=listener)
        async with server:
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.close()
            return await found

    assert asyncio.run(option()) == 1


def test_a_store_that_does_not_answer_is_told_with_its_own_code(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "api.cli.main", "serve", "--port", "0"],
        env={
            "DIABA_HOME": str(tmp_path),
            "DIABA_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "PATH": "/bin",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 4
    assert told.stdout == ""
    assert "Traceback" not in told.stderr


def test_it_serves_until_it_is_stopped(store: CityStore) -> None:
    with served(store) as address, urlopen(f"{address}/health/ready", timeout=10) as answer:  # noqa: S310  our own
        assert answer.status == 200
        port = int(address.rsplit(":", 1)[1])
    listen("127.0.0.1", port).close()


def test_a_city_elsewhere_is_served_by_its_settings_alone(make_store: Callable[..., CityStore]) -> None:
    """A Dutch one: nothing in the code is about one city."""
    store = make_store("delft", "EPSG:7415")
    with served(store) as address, urlopen(f"{address}/collections", timeout=10) as answer:  # noqa: S310  our own
        assert b"EPSG/0/28992" in answer.read()
