"""Answers that are drawn only when they must be: named by what they are made of, and kept for the next who asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b

from starlette.requests import Request
from starlette.responses import Response

from api.answers import CREDENTIALS, has_etag, kept_by_whom
from api.caller import caller
from api.encodings import best_coding, compressed
from api.kept import Memory


class Rendered(Memory[bytes]):
    """Bodies by their name, which says all they are made of."""

    def __init__(self, most: int) -> None:
        super().__init__(most, len)


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
