"""Turns what a request shows, a token or a key, into who asks."""

from __future__ import annotations

import csv
from base64 import b64decode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock
from time import time

from api.access.key_sets import KeySet, source
from api.access.settings import AccessSettings
from api.access.tokens import TOKEN_MOST, Checked, Issuer, check
from api.caller import Caller
from api.errors import NotAuthenticated
from gis.access.api_keys import prefix_of
from gis.access.scope import scope_within
from gis.errors import UnreadableFile

DISTRICTS_FILE = "districts.csv"
"""In the city's folder, with the columns `district` and `ward`."""
REMEMBERED = 4_096
"""Credentials whose check is remembered."""
KeyLookUp = Callable[[str], "tuple[str, tuple[str, ...], float] | None"]
"""A key's text → whose it is, what it grants, until when; None where it is not good."""


def credential(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The token or key a request shows: `Authorization: Bearer`, `X-API-Key`, or a key as the password of Basic.

    Raises:
        NotAuthenticated: it shows several, or one that cannot be read.
    """
    shown = [(name, value) for name, value in headers if name in (b"authorization", b"x-api-key")]
    if not shown:
        return None
    if len(shown) > 1:
        raise NotAuthenticated("give one token or one key")
    name, value = shown[0]
    if len(value) > TOKEN_MOST + 16:
        raise NotAuthenticated(f"a token has at most {TOKEN_MOST} characters")
    text = value.decode("latin-1").strip()
    if name == b"authorization":
        scheme, _, text = text.partition(" ")
        text = text.strip()
        if scheme.lower() == "basic":
            text = _password(text)
        elif scheme.lower() != "bearer":
            raise NotAuthenticated("give Authorization: Bearer with a token or key, or X-API-Key with a key")
    if not text or not text.isascii() or not text.isprintable():
        raise NotAuthenticated("this is no token")
    return text


def _password(text: str) -> str:
    """Of Basic (RFC 7617), for GIS clients that know no other: the user's name may be anything."""
    try:
        return b64decode(text, validate=True).decode().partition(":")[2]
    except (Base64Error, UnicodeDecodeError, ValueError) as error:
        raise NotAuthenticated("the password cannot be read") from error


@dataclass(slots=True, eq=False)
class _Memory:
    """Credentials that were found good lately, by their digest: never the texts themselves."""

    _kept: OrderedDict[bytes, tuple[Caller, float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def get(self, digest: bytes, now: float) -> Caller | None:
        with self._lock:
            found = self._kept.get(digest)
            if found is None or found[1] <= now:
                self._kept.pop(digest, None)
                return None
            self._kept.move_to_end(digest)
            return found[0]

    def put(self, digest: bytes, caller: Caller, until: float) -> None:
        with self._lock:
            self._kept[digest] = (caller, until)
            while len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)


@dataclass(eq=False)
class Authority:
    """Whom a service believes."""

    settings: AccessSettings
    folder: Path
    """The city's."""
    key_of: KeyLookUp
    further: tuple[Issuer, ...] = ()
    """Issuers besides the one of the settings."""
    clock: Callable[[], float] = time
    _memory: _Memory = field(default_factory=_Memory)

    def remembered(self, text: str) -> Caller | None:
        """Who shows this, if it was found good lately: asks nobody."""
        return self._memory.get(sha256(text.encode()).digest(), self.clock())

    def caller_of(self, text: str) -> Caller:
        """Who shows this token or key. It may ask the issuer or the store.

        Raises:
            NotAuthenticated: it is not good.
            IssuerUnreachable: the issuer's keys cannot be had.
            StoreUnreachable: the store does not answer.
        """
        is_key = text.startswith("diaba_")
        checked = self._by_key(text) if is_key else check(text, self.issuers, self.districts)
        kept = self.settings.api_key_seconds if is_key else self.settings.token_seconds
        until = min(checked.expires, self.clock() + kept)
        self._memory.put(sha256(text.encode()).digest(), checked.caller, until)
        return checked.caller

    def _by_key(self, text: str) -> Checked:
        found = None if prefix_of(text) is None else self.key_of(text)
        if found is None:
            raise NotAuthenticated("the key is unknown, revoked or expired")
        subject, grants, expires = found
        return Checked(Caller.of(subject, scope_within(grants, self.districts)), expires)

    @cached_property
    def issuers(self) -> tuple[Issuer, ...]:
        """Those whose tokens are believed."""
        told = self.settings
        if told.issuer is None or told.audience is None:
            return self.further
        keys = KeySet(source(told), told)
        return (*self.further, Issuer(told.issuer, told.audience, keys, told.claim, told.leeway_seconds))

    @cached_property
    def districts(self) -> Mapping[str, frozenset[str]]:
        """Code of a district → its wards, as the city's file says; none without the file."""
        return read_districts(self.folder / DISTRICTS_FILE)


def read_districts(path: Path) -> Mapping[str, frozenset[str]]:
    """The wards of each district; empty where there is no file.

    Raises:
        UnreadableFile: the file has not the two columns.
    """
    found: dict[str, set[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                district, ward = (row.get("district") or "").strip(), (row.get("ward") or "").strip()
                if not district or not ward:
                    raise UnreadableFile(path, "each row has a district and a ward")
                found.setdefault(district, set()).add(ward)
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(path, f"no table of districts ({error})") from error
    return {district: frozenset(wards) for district, wards in found.items()}
