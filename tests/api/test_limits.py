"""What a request may be and how often one may ask: each refusal is a 4xx problem that says its limit."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields, replace
from ipaddress import ip_network
from typing import Any

import pytest
from fastapi import Body, FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from api.addresses import address_of
from api.caller import Caller, _caller
from api.main import create_app
from api.rate import Buckets
from api.settings import Rates, ServiceSettings, variable
from gis.errors import BadParameter
from scripts.reference import service_settings
from tests.api.conftest import CityStore

DEFAULTS = ServiceSettings()


@contextmanager
def limited(store: CityStore, limits: ServiceSettings, address: str = "198.51.100.7") -> Iterator[TestClient]:
    app = create_app(store.settings, store.city, limits)

    @app.post("/echo")
    def echo(text: str = Body()) -> int:
        return len(text)

    with TestClient(app, raise_server_exceptions=False, client=(address, 4711)) as made:
        yield made


def refused(answer: Any, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert all(word in answer.json()["detail"] for word in words), answer.text


def test_a_long_url_and_large_headers_are_refused_with_their_limit(store: CityStore) -> None:
    with limited(store, replace(DEFAULTS, url_bytes_most=200, header_bytes_most=1000)) as client:
        assert client.get("/conformance?" + "x" * 150).status_code == 200
        refused(client.get("/conformance?" + "x" * 200), 414, "200 bytes")
        refused(client.get("/" + "x" * 200), 414, "200 bytes")
        refused(client.get("/conformance", headers={"x": "y" * 1000}), 431, "1000 bytes")


def test_a_large_area_of_terrain_is_refused_with_its_limit(client: TestClient) -> None:
    refused(client.get("/raster/dtm/coverage?bbox=106,10,107,11"), 400, "6000000 cells")


def test_a_large_body_is_refused_whether_it_says_so_or_comes_in_pieces(store: CityStore) -> None:
    with limited(store, replace(DEFAULTS, body_bytes_most=1000)) as client:
        assert client.post("/echo", json="x" * 900).json() == 900
        refused(client.post("/echo", json="x" * 1000), 413, "1000 bytes")
        pieces = (b'"' + b"x" * 400 for _ in range(4))
        refused(client.post("/echo", content=pieces, headers={"content-type": "application/json"}), 413, "1000 bytes")
        lied = client.post("/echo", content=b"1" * 2000, headers={"content-length": "9" * 40})
        refused(lied, 413, "1000 bytes")


def test_a_body_that_stops_coming_is_not_waited_for(store: CityStore) -> None:
    app = create_app(store.settings, store.city, replace(DEFAULTS, body_seconds=0.2))

    @app.post("/echo")
    def echo(text: str = Body()) -> int:
        return len(text)

    sent: list[Any] = []
    came = iter([{"type": "http.request", "body": b'"a', "more_body": True}])

    async def receive() -> Any:
        import anyio

        return next(came, None) or await anyio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/echo",
        "raw_path": b"/echo",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "client": ("198.51.100.7", 1),
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
    }
    import anyio

    anyio.run(app, scope, receive, send)
    assert [message.get("status") for message in sent if message["type"] == "http.response.start"] == [408]
    assert b"0.2 s" in sent[-1]["body"]


def test_who_asks_too_often_is_told_when_to_come_back(store: CityStore) -> None:
    rates = Rates(rate_per_second=0.5, rate_burst=3)
    with limited(store, replace(DEFAULTS, rates=rates)) as client:
        told = [client.get("/conformance") for _ in range(3)]
        assert [answer.status_code for answer in told] == [200] * 3
        assert told[0].headers["ratelimit-policy"] == '"requests";q=3;w=6'
        assert [answer.headers["ratelimit"].split(";t")[0] for answer in told] == [
            f'"requests";r={left}' for left in (2, 1, 0)
        ]
        late = client.get("/conformance", headers={"Origin": "https://maps.example"})
        refused(late, 429, "3 requests at once", "30 a minute", f"{late.headers['retry-after']} s")
        assert late.headers["access-control-allow-origin"] == "*"
        assert 1 <= int(late.headers["retry-after"]) <= 2
        assert client.get("/health/live").status_code == 200
    with limited(store, replace(DEFAULTS, rates=rates), "198.51.100.8") as other:
        assert other.get("/conformance").status_code == 200


def test_somebody_known_is_counted_by_name_from_wherever_it_asks(store: CityStore) -> None:
    limits = replace(DEFAULTS, rates=Rates(rate_per_second=0.01, rate_burst=2))
    app = create_app(store.settings, store.city, limits)

    class Known:
        """Stands where the middleware stands that reads tokens."""

        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            name = dict(scope.get("headers", [])).get(b"x-name")
            token = _caller.set(Caller(name.decode() if name else None))
            try:
                await self.app(scope, receive, send)
            finally:
                _caller.reset(token)

    app.add_middleware(Known)
    asked: list[tuple[str, dict[str, str], int]] = [
        ("198.51.100.1", {"x-name": "lan"}, 200),
        ("198.51.100.2", {"x-name": "lan"}, 200),
        ("198.51.100.3", {"x-name": "lan"}, 429),
        ("198.51.100.3", {"x-name": "minh"}, 200),
        ("198.51.100.3", {}, 200),
    ]
    for address, headers, status in asked:
        client = TestClient(app, client=(address, 1))
        assert client.get("/conformance", headers=headers).status_code == status, (address, headers)


def test_the_public_look_up_of_a_dossier_is_slower_than_the_rest(store: CityStore) -> None:
    with limited(store, replace(DEFAULTS, rates=Rates(lookups_per_minute=6, lookups_burst=2))) as client:
        guess = "/permits/status?receipt=760-2025-000001&secret=AAAA-BBBB-CCCC-DDDD"
        assert [client.get(guess).status_code for _ in range(2)] == [404, 404]
        answer = client.get(guess)
        refused(answer, 429, "2 lookups at once", "6 a minute")
        assert 8 <= int(answer.headers["retry-after"]) <= 10
        assert client.get("/conformance").status_code == 200


def test_one_caller_has_only_so_many_requests_at_once(store: CityStore) -> None:
    limits = replace(DEFAULTS, rates=Rates(concurrent_most=2), requests_most=3)
    app = create_app(store.settings, store.city, limits)
    go, begun = threading.Event(), threading.Semaphore(0)

    @app.get("/wait")
    def wait() -> int:
        begun.release()
        go.wait(10)
        return 1

    def get(client: TestClient, path: str) -> Any:
        return client.get(path)

    # One portal for all, or each client would have an event loop of its own.
    with TestClient(app, client=("198.51.100.1", 1)) as first, ThreadPoolExecutor(4) as pool:
        second, third = (TestClient(app, client=(f"198.51.100.{n}", 1)) for n in (2, 3))
        second.portal = third.portal = first.portal
        held = [pool.submit(get, first, "/wait") for _ in range(2)]
        assert all(begun.acquire(timeout=10) for _ in held)
        refused(first.get("/conformance"), 429, "at most 2 requests of one caller at once")
        held.append(pool.submit(get, second, "/wait"))
        assert begun.acquire(timeout=10)
        busy = third.get("/conformance")
        refused(busy, 503, "busy")
        assert busy.headers["retry-after"] == "5"
        go.set()
        assert [one.result(10).status_code for one in held] == [200] * 3
        assert first.get("/conformance").status_code == third.get("/conformance").status_code == 200


@pytest.mark.parametrize(
    ("client", "forwarded", "trusted", "counted"),
    [
        ("198.51.100.7", None, (), "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", (), "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", ("10.0.0.0/8",), "198.51.100.7"),
        ("10.1.2.3", "203.0.113.9", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.1.2.3", "1.1.1.1, 203.0.113.9", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.1.2.3", "1.1.1.1, 203.0.113.9, 10.9.9.9", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.1.2.3", "203.0.113.9:5123", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.1.2.3", "<script>", ("10.0.0.0/8",), "10.1.2.3"),
        ("10.1.2.3", "10.4.4.4", ("10.0.0.0/8",), "10.4.4.4"),
        ("10.1.2.3", None, ("10.0.0.0/8",), "10.1.2.3"),
        ("10.1.2.3", "[2001:db8:1:2:3::4]:80", ("10.0.0.0/8",), "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", None, (), "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", None, (), "198.51.100.7"),
        ("testclient", None, (), "testclient"),
    ],
)
def test_only_a_trusted_proxy_says_who_asks(
    client: str, forwarded: str | None, trusted: tuple[str, ...], counted: str
) -> None:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    scope: dict[str, Any] = {"type": "http", "client": (client, 1), "headers": headers}
    assert address_of(scope, [ip_network(one) for one in trusted]) == counted


@settings(max_examples=100, deadline=None)
@given(
    rate=st.sampled_from([0.1, 0.5, 3.0, 40.0]),
    burst=st.integers(1, 12),
    pauses=st.lists(st.floats(0, 20), min_size=1, max_size=60),
)
def test_in_no_span_of_time_is_more_given_than_the_bucket_and_its_rate_allow(
    rate: float, burst: int, pauses: list[float]
) -> None:
    now = 0.0
    buckets = Buckets("x", rate, burst, clock=lambda: now)
    given_at: list[float] = []
    free_at = 0.0
    for pause in pauses:
        now += pause
        taken = buckets.take("k")
        if taken.wait_seconds:
            free_at = now + taken.wait_seconds
        else:
            given_at.append(now)
        if now >= free_at > 0:
            assert not taken.wait_seconds, "told to wait longer than it said"
    for first, start in enumerate(given_at):
        for last, end in enumerate(given_at[first:], first):
            assert last - first + 1 <= burst + rate * (end - start) + 1e-6


def test_many_callers_take_bounded_memory_and_the_busy_stay_counted() -> None:
    now = 0.0
    buckets = Buckets("x", 0.001, 1, clock=lambda: now, keys=50)
    chance = random.Random(4)  # noqa: S311
    assert not buckets.take("busy").wait_seconds
    for _ in range(2000):
        now += 0.001
        buckets.take(str(chance.random()))
        assert buckets.take("busy").wait_seconds
    assert len(buckets._buckets) == 50


def test_every_setting_is_read_from_its_variable_and_explained_to_operators() -> None:
    page = service_settings()
    for kind in (ServiceSettings, Rates):
        for one in fields(kind):
            if one.name == "rates":
                continue
            assert f"`{variable(one)}`" in page, variable(one)
            if isinstance(one.default, int | float):
                found = ServiceSettings.from_environment({variable(one): "7"})
                assert getattr(found.rates if kind is Rates else found, one.name) == 7
                for wrong in ("-1", "x", "nan", "1e999"):
                    with pytest.raises(BadParameter, match=variable(one)):
                        ServiceSettings.from_environment({variable(one): wrong})
    assert ServiceSettings.from_environment({"DIABA_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8"}).trusted_proxies == (
        ip_network("127.0.0.1/32"),
        ip_network("10.0.0.0/8"),
    )
    with pytest.raises(BadParameter):
        ServiceSettings.from_environment({"DIABA_TRUSTED_PROXIES": "the proxy"})


def test_the_application_alone_counts_nobody_and_the_command_does(client: TestClient) -> None:
    app = client.app
    assert isinstance(app, FastAPI)
    assert app.state.counted.requests is None
    assert ServiceSettings.from_environment({}).rates == Rates()
    assert ServiceSettings.from_environment({"DIABA_RATE_PER_SECOND": "0"}).rates == Rates(rate_per_second=0)
