"""How the running service tells of itself and how it ends: metrics, logs, health, signals."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from starlette.responses import StreamingResponse

from api.main import create_app
from api.server import Server
from api.settings import ServiceSettings
from gis.access.roles import Role
from gis.store.migrate import newest
from tests.api.conftest import CityStore
from tests.api.programs import Program, serving

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def program(store: CityStore) -> Iterator[Program]:
    limits = {"DIABA_URL_BYTES_MOST": "500", "DIABA_HEADER_BYTES_MOST": "2000"}
    with serving(store, "--log-format", "json", "--metrics-port", "0", **limits) as made:
        yield made


def samples(program: Program) -> Samples:
    """The metrics as Prometheus' own parser reads them."""
    found = httpx.get(program.said["metrics"])
    assert found.status_code == 200
    families = text_string_to_metric_families(found.text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def at(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


def test_requests_are_counted_by_the_template_of_their_route(program: Program) -> None:
    tile = "/tiles/{z}/{x}/{y}.mvt"
    before = samples(program)
    for x in range(52_190, 52_193):
        assert httpx.get(f"{program.url}/tiles/16/{x}/30794.mvt").status_code == 200
    assert httpx.get(f"{program.url}/tiles/99/1/1.mvt").status_code == 400
    assert httpx.request("PURGE", f"{program.url}/no-such-page").status_code == 404
    assert httpx.get(f"{program.url}/conformance?{'x' * 600}").status_code == 414
    plain = {"Accept-Encoding": "identity"}
    sent = len(httpx.get(f"{program.url}/conformance", headers=plain).content)
    after = samples(program)

    def grown(name: str, **labels: str) -> float:
        return at(after, name, **labels) - at(before, name, **labels)

    assert grown("diaba_requests_total", route=tile, method="GET", status="200") == 3
    assert grown("diaba_requests_total", route=tile, method="GET", status="400") == 1
    assert grown("diaba_requests_total", route="unmatched", method="other", status="404") == 1
    assert grown("diaba_request_seconds_count", route=tile) == 4
    assert grown("diaba_request_seconds_bucket", route=tile, le="+Inf") == 4
    assert grown("diaba_refusals_total", limit="UrlTooLong") == 1
    assert grown("diaba_response_bytes_total", route="/conformance") == sent
    assert at(after, "diaba_store_sessions", state="used") == 0
    assert at(after, "diaba_store_sessions", state="idle") >= 1
    assert at(after, "process_resident_memory_bytes") == pytest.approx(program.resident_bytes(), rel=0.2)
    assert not [labels for name, labels in after if "30794" in str(labels) or "no-such-page" in str(labels)]


def test_metrics_are_not_where_the_public_asks(program: Program) -> None:
    assert httpx.get(f"{program.url}/metrics").status_code == 404
    assert "/metrics" not in httpx.get(f"{program.url}/api").text
    port = int(program.said["metrics"].split(":")[2].split("/")[0])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        with pytest.raises(OSError, match=r"."), socket.create_connection((str(address), port), timeout=2):
            pass


def test_each_line_of_the_log_is_a_document_that_says_which_request_it_is_of(program: Program) -> None:
    secret = "/permits/status?receipt=760-2025-000001&secret=AAAA-BBBB-CCCC-DDDD"
    httpx.get(f"{program.url}{secret}", headers={"X-Request-Id": "of-this-test"})
    httpx.get(f"{program.url}/a%22%0a{{forged", headers={"X-Request-Id": "forger"})
    deadline = time.monotonic() + 5
    while not any('"forger"' in line for line in program.log) and time.monotonic() < deadline:
        time.sleep(0.02)
    documents = [json.loads(line) for line in program.log]
    (found,) = [one for one in documents if one["request_id"] == "of-this-test"]
    assert (found["method"], found["path"], found["route"], found["status"]) == (
        "GET",
        "/permits/status",
        "/permits/status",
        404,
    )
    assert found["milliseconds"] > 0
    assert found["bytes"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", found["time"])
    assert "AAAA" not in "".join(program.log)
    assert len([one for one in documents if one["request_id"] == "forger"]) == 1


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (b"GET /conformance HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 2_500 + b"\r\n\r\n", b"431", b"2000 bytes"),
        (b"GET /" + b"y" * 90_000, b"400", b"5000 bytes"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400", b"not a request"),
        (b"GET /conformance HTTP/1.1\r\n\r\n", b"400", b"not a request"),
    ],
)
def test_what_is_no_request_is_refused_as_a_problem_too(
    program: Program, sent: bytes, status: bytes, says: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", program.port), timeout=10) as client:
        client.sendall(sent)
        answer = b""
        while says not in answer and (part := client.recv(4096)):
            answer += part
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"content-type: application/problem+json" in answer
    assert says in answer


def test_it_is_not_ready_while_the_store_is_at_another_version(make_store: Callable[..., CityStore]) -> None:
    store = make_store("behind")
    with TestClient(create_app(store.settings, store.city), raise_server_exceptions=False) as client:
        assert client.get("/health/ready").json() == {"status": "ready", "city": "behind"}
        store.database.migrate("0007")
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert client.get("/health/live").status_code == 200
        store.database.migrate(newest())
        assert client.get("/health/ready").status_code == 200


def test_told_to_stop_it_finishes_what_was_asked_and_takes_nothing_new(store: CityStore) -> None:
    """And before: it lives while all its threads wait for the store."""
    with (
        serving(store, DIABA_THREADS="2") as program,
        ThreadPoolExecutor(2) as pool,
        locked(store, "parcel_version") as release,
    ):
        asked = [pool.submit(get, f"{program.url}/collections/parcels/items?limit={n}") for n in (3, 4)]
        in_flight(store, 2)
        assert httpx.get(f"{program.url}/health/live", timeout=2).status_code == 200
        program.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        while accepts(program.port) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not accepts(program.port)
        assert program.process.poll() is None
        release()
        assert [len(one.result().json()["features"]) for one in asked] == [3, 4]
        assert program.process.wait(10) == -signal.SIGTERM
        assert not [line for line in program.log if "Traceback" in line]


def test_what_does_not_end_in_time_is_given_up(store: CityStore) -> None:
    with (
        serving(store, DIABA_SHUTDOWN_SECONDS="1") as program,
        ThreadPoolExecutor(1) as pool,
        locked(store, "parcel_version"),
    ):
        # The lock is waited for 5 s, by the reader's settings.
        asked = pool.submit(get, f"{program.url}/collections/parcels/items?limit=3")
        in_flight(store, 1)
        program.process.send_signal(signal.SIGTERM)
        answer = asked.result()
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:diaba:problem:stopped"
        assert answer.headers["retry-after"] == "5"
        # Its thread still waits for the lock; the process does not.
        program.process.wait(3)


def test_streams_of_events_end_when_it_stops_and_downloads_are_finished(store: CityStore) -> None:
    """And before: streams are counted for themselves."""
    app = create_app(store.settings, store.city, ServiceSettings(requests_most=2, streams_most=1))
    go = threading.Event()

    @app.get("/events")
    async def events() -> StreamingResponse:
        import anyio

        async def forever() -> Any:
            while True:
                yield b"data: 1\n\n"
                await anyio.sleep(0.05)

        return StreamingResponse(forever(), media_type="text/event-stream")

    @app.get("/file")
    def file() -> StreamingResponse:
        def parts() -> Iterator[bytes]:
            yield b"a" * 1000
            go.wait(10)
            yield b"b" * 1000

        return StreamingResponse(parts(), media_type="application/octet-stream")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=20)
        server = Server(config, app.state.service.stopping)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        with httpx.stream("GET", f"{url}/events") as stream, httpx.stream("GET", f"{url}/file") as download:
            lines, body = stream.iter_lines(), download.iter_bytes()
            assert next(lines) == "data: 1"
            assert next(body)
            assert get(f"{url}/conformance").status_code == 200
            refused = get(f"{url}/events")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            server.should_exit = True
            # A clean end of the answer: httpx would raise if it broke off.
            assert set(lines) == {"", "data: 1"}
            assert thread.is_alive()
            go.set()
            assert sum(map(len, body)) >= 1000
        thread.join(10)
        assert not thread.is_alive()


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=30)


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


class locked:  # noqa: N801  reads like a function
    """A table that nobody can read until the context or the test releases it."""

    def __init__(self, store: CityStore, table: str) -> None:
        self.store, self.table = store, table
        self.transaction: Any = None

    def __enter__(self) -> Callable[[], None]:
        self.connection = self.store.database.engine(Role.OWNER).connect()
        self.connection.execute(text(f"LOCK TABLE diaba.{self.table} IN ACCESS EXCLUSIVE MODE"))
        return self.connection.rollback

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def in_flight(store: CityStore, count: int) -> None:
    """Wait until so many statements of the service wait for a lock."""
    deadline = time.monotonic() + 10
    sql = text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND wait_event_type = 'Lock'")
    while time.monotonic() < deadline:
        with store.database.server.administrate() as session:
            row = session.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
                (store.database.name,),
            ).fetchone()
        if row is not None and row[0] >= count:
            return
        time.sleep(0.05)
    raise AssertionError(sql.text)


def test_what_terrain_is_made_with_is_compiled_before_it_is_asked_for() -> None:
    # In a process of its own: in this one other tests may have called them.
    look = (
        "from api.ready import get_ready; get_ready().join();"
        "from lidar import delaunay, drawn_contours, hillshade, resample, slope, terrain_mesh;"
        "print([bool(f.signatures) for f in (terrain_mesh._chosen, delaunay.refined, resample._add, hillshade._shade,"
        " slope._rows, drawn_contours._draw)])"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([True] * 6)
