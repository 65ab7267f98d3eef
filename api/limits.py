"""What a request may be, and how often one may ask: checked before any route is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.addresses import address_of
from api.caller import caller
from api.errors import (
    BodyTooLarge,
    BodyTooSlow,
    HeadersTooLarge,
    TooBusy,
    TooManyRequests,
    UrlTooLong,
    answer_to,
)
from api.rate import Buckets
from api.settings import Rates, ServiceSettings
from api.stopping import EVENTS
from gis.errors import DiabaError

NEVER_REFUSED = frozenset({"/health/live"})
"""Refused when many ask, a supervisor would end the service for being in demand."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The buckets of a service; None where a rate is not limited."""

    requests: Buckets | None
    lookups: Buckets | None

    @classmethod
    def by(cls, rates: Rates | None) -> Counted:
        """All buckets full."""
        if rates is None:
            return cls(None, None)
        requests = Buckets("requests", rates.rate_per_second, rates.rate_burst) if rates.rate_per_second else None
        lookups = Buckets("lookups", rates.lookups_per_minute / 60.0, rates.lookups_burst)
        return cls(requests, lookups if rates.lookups_per_minute else None)


class _Held:
    """One of the requests of a caller that are held at once, until it is released."""

    def __init__(self, in_flight: Counter[str], key: str) -> None:
        self._in_flight, self._key, self._is_held = in_flight, key, True
        in_flight[key] += 1

    def release(self) -> None:
        """No longer count it; released again it stays so."""
        if self._is_held:
            self._is_held = False
            self._in_flight[self._key] -= 1
            if not self._in_flight[self._key]:
                del self._in_flight[self._key]


class Limits:
    """Refuses requests that are too large, too slow to come, too many or too often, each with the limit it exceeds."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, counted: Counted) -> None:
        self.app, self.settings, self.counted = app, settings, counted
        self._in_flight: Counter[str] = Counter()
        self._streams = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  the protocol's
        if scope["type"] != "http" or scope["path"] in NEVER_REFUSED:
            await self.app(scope, receive, send)
            return
        key = counted_for(scope, self.settings)
        try:
            self._check_size(scope)
            told = _take(self.counted.requests, key)
            self._check_concurrency(key)
        except DiabaError as error:
            await self._refuse(error, scope, receive, send)
            return
        held = _Held(self._in_flight, key)
        try:
            await self._pass_on(scope, receive, send, told, held)
        finally:
            held.release()

    def _check_size(self, scope: Scope) -> None:
        limits = self.settings
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > limits.url_bytes_most:
            raise UrlTooLong(limits.url_bytes_most)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > limits.header_bytes_most:
            raise HeadersTooLarge(limits.header_bytes_most)
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > limits.body_bytes_most:
            raise BodyTooLarge(limits.body_bytes_most)

    def _check_concurrency(self, key: str) -> None:
        rates = self.settings.rates
        if rates is not None and 0 < rates.concurrent_most <= self._in_flight[key]:
            raise TooManyRequests(f"at most {rates.concurrent_most} requests of one caller at once", 1, {})
        if self._in_flight.total() >= self.settings.requests_most:
            raise TooBusy

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, told: Mapping[str, str], held: _Held) -> None:
        limits = self.settings
        started = has_body = is_stream = False
        taken = 0
        refusal: DiabaError | None = None

        async def receive_some() -> Message:
            nonlocal taken, refusal, has_body
            if has_body:
                # What comes after a body is that the client left, whenever that may be.
                return await receive()
            try:
                with anyio.fail_after(limits.body_seconds):
                    message = await receive()
            except TimeoutError:
                refusal = BodyTooSlow(limits.body_seconds)
                raise refusal from None
            taken += len(message.get("body", b""))
            has_body = not message.get("more_body", False)
            if taken > limits.body_bytes_most:
                refusal = BodyTooLarge(limits.body_bytes_most)
                raise refusal
            return message

        async def send_on(message: Message) -> None:
            nonlocal started, is_stream, refusal
            if refusal is not None and not started:
                # Whatever the application makes of a body that broke off.
                return
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith(EVENTS):
                    if self._streams >= limits.streams_most:
                        refusal = TooBusy()
                        raise refusal
                    # It waits for events and works on nothing: not one of the requests held at once.
                    is_stream = True
                    self._streams += 1
                    held.release()
                started = True
                for name, value in told.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive_some, send_on)
        except Exception:
            if refusal is None or started:
                raise
        finally:
            self._streams -= is_stream
        if refusal is not None and not started:
            await self._refuse(refusal, scope, receive, send)

    async def _refuse(self, error: DiabaError, scope: Scope, receive: Receive, send: Send) -> None:
        metrics.refused(type(error).__name__)
        await answer_to(error, Request(scope), self.settings.retry_seconds)(scope, receive, send)


async def count_lookup(request: Request) -> None:
    """A dependency of routes that answer whoever knows a secret: they are asked more slowly.

    Raises:
        TooManyRequests: the caller has asked too often.
    """
    counted: Counted = request.app.state.counted
    try:
        _take(counted.lookups, counted_for(request.scope, request.app.state.service.limits))
    except TooManyRequests:
        metrics.refused("lookups")
        raise


def counted_for(scope: Scope, settings: ServiceSettings) -> str:
    """Whom a request is counted for: somebody known by name, else an address."""
    subject = caller().subject
    return f"subject {subject}" if subject is not None else address_of(scope, settings.trusted_proxies)


def _take(buckets: Buckets | None, key: str) -> Mapping[str, str]:
    """Take a token, and say in header fields what is left.

    Raises:
        TooManyRequests: there is none.
    """
    if buckets is None:
        return {}
    taken = buckets.take(key)
    fields = buckets.fields(taken)
    if taken.wait_seconds:
        rate = f"{buckets.rate:g} a second" if buckets.rate >= 1 else f"{60 * buckets.rate:g} a minute"
        raise TooManyRequests(f"at most {buckets.burst} {buckets.name} at once and {rate}", taken.wait_seconds, fields)
    return fields
