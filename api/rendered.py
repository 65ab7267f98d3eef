"""Answers that are drawn only when they must be: named by what they are made of, and kept for the next who asks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b
from threading import Lock

from starlette.requests import Request
from starlette.responses import Response

from api.answers import CREDENTIALS, has_etag, kept_by_whom
from api.caller import caller
from api.encodings import best_coding, compressed

ENTRY_COST = 200
"""Bytes an entry takes beside its body, about."""


class Rendered:
    """Bodies by their name; those asked for longest ago go when they are more than so many bytes together."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._lock = Lock()
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    def get(self, name: str) -> bytes | None:
        """The body of that name, if it is still there."""
        with self._lock:
            body = self._bodies.get(name)
            if body is not None:
                self._bodies.move_to_end(name)
            return body

    def put(self, name: str, body: bytes) -> None:
        """Keep a body; one larger than a quarter of all is not kept."""
        if len(body) > self._most // 4:
            return
        with self._lock:
            old = self._bodies.pop(name, None)
            if old is not None:
                self._held -= len(old) + ENTRY_COST
            self._bodies[name] = body
            self._held += len(body) + ENTRY_COST
            while self._held > self._most:
                _, gone = self._bodies.popitem(last=False)
                self._held -= len(gone) + ENTRY_COST


def name_of(*parts: object) -> str:
    """A name for bytes made of these parts and nothing else, for callers of one scope."""
    digest = blake2b(digest_size=16)
    for part in (caller().scope_key, *parts):
        said = repr(part).encode()
        # The length first, so that no two lists of parts read the same.
        digest.update(len(said).to_bytes(4, "big") + said)
    return digest.hexdigest()


def rendered(
    request: Request,
    cache: Rendered,
    name: str,
    draw: Callable[[], bytes],
    media_type: str,
    *,
    max_age: int,
    compress: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The body of that name, drawn if nobody did yet; 304 without drawing where the client has it.

    The ETag is the name: equal parts give equal bytes. A compressed body is kept compressed, under a name of its own.
    """
    coding = best_coding(request.headers.get("accept-encoding", "")) if compress else ""
    name = f"{name}-{coding}" if coding else name
    etag = f'"{name}"'
    common = {
        "ETag": etag,
        "Cache-Control": kept_by_whom(max_age),
        "Vary": f"Accept, Accept-Encoding, {CREDENTIALS}" if compress else f"Accept, {CREDENTIALS}",
        **(headers or {}),
    }
    if has_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=common)
    body = cache.get(name)
    if body is None:
        body = draw()
        body = compressed(body, coding) if coding else body
        cache.put(name, body)
    if coding:
        common["Content-Encoding"] = coding
    return Response(body, headers=common, media_type=media_type)
