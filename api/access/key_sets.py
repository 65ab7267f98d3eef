"""An issuer's public keys (JWKS, RFC 7517): fetched when needed, kept, and asked for anew when it changes them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

import httpx
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from api.access.settings import ALGORITHMS, AccessSettings, check_url, is_url
from api.errors import IssuerUnreachable
from gis.errors import BadParameter

log = logging.getLogger("diaba.api")

BYTES_MOST = 1_000_000
"""Of an issuer's document."""
KEYS_MOST = 100
"""Keys of a set that are looked at."""


@dataclass(slots=True)
class KeySet:
    """The keys of one issuer, shared by all threads."""

    load: Callable[[], Mapping[str, Any]]
    """Fetches the document."""
    settings: AccessSettings
    clock: Callable[[], float] = monotonic
    _keys: tuple[PyJWK, ...] = ()
    _loaded: float | None = None
    _asked: float | None = None
    _lock: Lock = field(default_factory=Lock)

    def find(self, key_id: str | None) -> PyJWK | None:
        """The key of that id, or the only one there is where a token names none.

        An unknown id makes the keys be fetched again, because the issuer may have changed them; not more often than the
        settings' pause, whatever tokens say.

        Raises:
            IssuerUnreachable: the issuer does not answer, and no key that is known is new enough or has the id.
        """
        found = self._of(key_id)
        if found is not None and self._is_fresh():
            return found
        with self._lock:
            failed = None
            found = self._of(key_id)
            if not self._is_fresh() or found is None:
                failed = self._ask()
                found = self._of(key_id)
            if not self._keys or self._is_stale() or (found is None and failed is not None):
                raise IssuerUnreachable from failed
            return found

    def _of(self, key_id: str | None) -> PyJWK | None:
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == key_id), None)

    def _is_fresh(self) -> bool:
        return self._loaded is not None and self.clock() - self._loaded < self.settings.keys_seconds

    def _is_stale(self) -> bool:
        return self._loaded is None or self.clock() - self._loaded > self.settings.keys_stale_seconds

    def _ask(self) -> Exception | None:
        """Fetch the keys, unless that was just tried; what failed is given back."""
        now = self.clock()
        if self._asked is not None and now - self._asked < self.settings.keys_pause_seconds:
            return None
        self._asked = now
        try:
            self._keys = usable(self.load())
        except (httpx.HTTPError, OSError, ValueError) as error:
            log.warning("the issuer's keys cannot be had: %s", error)
            return error
        self._loaded = now
        return None


def usable(document: Mapping[str, Any]) -> tuple[PyJWK, ...]:
    """The keys of a set that may check the signatures believed here; others are left out.

    Raises:
        ValueError: it is no set of keys.
    """
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ValueError("no set of keys")
    found = []
    for one in listed[:KEYS_MOST]:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig" or one.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        try:
            key = PyJWK(one)
        except (PyJWTError, ValueError, TypeError):
            continue
        if key.algorithm_name in ALGORITHMS:
            found.append(key)
    return tuple(found)


def source(settings: AccessSettings) -> Callable[[], Mapping[str, Any]]:
    """How the keys of the settings' issuer are had: from a file, from an address, or by discovery."""
    place = settings.keys
    if place is None:
        return lambda: _keys_of(str(settings.issuer), settings.fetch_seconds)
    if is_url(place):
        return lambda: _fetched(place, settings.fetch_seconds)
    return lambda: _document(Path(place).read_bytes())


def discovered(issuer: str, seconds: float) -> Mapping[str, Any]:
    """What an issuer says of itself (OpenID Connect Discovery 1.0, 4).

    Raises:
        ValueError: it calls itself another, or its answer is no document.
        httpx.HTTPError: it does not answer.
    """
    about = _fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration", seconds)
    if about.get("issuer") != issuer:
        raise ValueError(f"{issuer} calls itself {str(about.get('issuer'))[:80]}")
    return about


def _keys_of(issuer: str, seconds: float) -> Mapping[str, Any]:
    about = discovered(issuer, seconds)
    address = str(about.get("jwks_uri"))
    try:
        check_url("jwks_uri", address)
    except BadParameter as error:
        raise ValueError(str(error)) from error
    return _fetched(address, seconds)


def _fetched(address: str, seconds: float) -> Mapping[str, Any]:
    # A redirect could lead to where anybody answers.
    with (
        httpx.Client(timeout=seconds, follow_redirects=False) as client,
        client.stream("GET", address, headers={"Accept": "application/json"}) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise ValueError(f"{address} answers {answer.status_code}")
        body = b""
        for part in answer.iter_bytes():
            body += part
            if len(body) > BYTES_MOST:
                raise ValueError(f"{address} answers more than {BYTES_MOST} bytes")
    return _document(body)


def _document(body: bytes) -> Mapping[str, Any]:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    return document
