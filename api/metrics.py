"""What the service counts of itself, for Prometheus. Other modules count by the functions here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()
"""One for a process. Labels are few and of the code's own making: what a client sends is never one."""
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

HOST = "127.0.0.1"
"""Metrics are not for the public: they are never on the service's own port, nor at another address."""
UNMATCHED = "unmatched"
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

_requests = Counter("diaba_requests", "Requests answered.", ("route", "method", "status"), registry=REGISTRY)
_seconds = Histogram(
    "diaba_request_seconds",
    "Time from a request to the end of its answer.",
    ("route",),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0),
    registry=REGISTRY,
)
_bytes = Counter("diaba_response_bytes", "Bytes of bodies sent.", ("route",), registry=REGISTRY)
in_flight = Gauge("diaba_requests_in_flight", "Requests being answered.", registry=REGISTRY)
_refused = Counter("diaba_refusals", "Requests refused, by the limit they exceed.", ("limit",), registry=REGISTRY)
_cache = Counter("diaba_cache", "Look-ups in a cache.", ("cache", "outcome"), registry=REGISTRY)


def answered(route: str | None, method: str, status: int, seconds: float, size: int) -> None:
    """Count a request by the template of its route (None: there is no such route)."""
    route = route or UNMATCHED
    _requests.labels(route, method if method in METHODS else "other", str(status)).inc()
    _seconds.labels(route).observe(seconds)
    _bytes.labels(route).inc(size)


def refused(limit: str) -> None:
    """Count a request that exceeds a limit."""
    _refused.labels(limit).inc()


def cache_hit(cache: str) -> None:
    """Count an answer that a cache had."""
    _cache.labels(cache, "hit").inc()


def cache_miss(cache: str) -> None:
    """Count an answer that a cache had not."""
    _cache.labels(cache, "miss").inc()


class _Sessions(Collector):
    """The sessions with the store, as they are when Prometheus asks."""

    def __init__(self, state: Callable[[], tuple[int, int]]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        used, idle = self._state()
        found = GaugeMetricFamily("diaba_store_sessions", "Sessions with the store.", labels=["state"])
        found.add_metric(["used"], used)
        found.add_metric(["idle"], idle)
        yield found


def watch_sessions(state: Callable[[], tuple[int, int]]) -> None:
    """Count the sessions of a pool: in use, and open without use."""
    REGISTRY.register(_Sessions(state))


def expose(port: int) -> int:
    """Answer `/metrics` to this machine alone, by threads of their own: also while all else is busy.

    Returns:
        The port; a free one was taken for 0.

    Raises:
        OSError: the port is in use.
    """
    server, _ = start_http_server(port, HOST, REGISTRY)
    return int(server.server_port)
