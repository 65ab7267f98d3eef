"""Answers as bytes: compressed when asked for, with a strong ETag, and 304 when the client has them already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api.caller import caller
from api.encodings import Body

JSON = "application/json"
GEOJSON = "application/geo+json"
HTML = "text/html; charset=utf-8"
PNG = "image/png"
MVT = "application/vnd.mapbox-vector-tile"
CREDENTIALS = "Authorization, X-API-Key"
"""The headers that say who asks."""


def json_bytes(document: Any) -> bytes:
    """JSON after RFC 8259: unknown numbers (NaN) are null, days and times ISO 8601."""
    return orjson.dumps(document, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)


def answer(
    request: Request,
    body: bytes | Body,
    media_type: str,
    *,
    max_age: int = 0,
    compress: bool = True,
    headers: Mapping[str, str] | None = None,
    revision: int | None = None,
) -> Response:
    """The body in the representation the client accepts, or 304 without one.

    The ETag is strong: it names the bytes, so the compressed and the plain body have different ones. Before them it
    names the version of what the body shows, for those who change it (`revision_of`).
    """
    if isinstance(body, bytes):
        body = Body(body, compress=compress)
    coding = body.coding(request.headers.get("accept-encoding", ""))
    etag = body.etag(coding, "" if revision is None else f"v{revision}.")
    common = {
        "ETag": etag,
        "Cache-Control": kept_by_whom(max_age),
        "Vary": f"Accept, Accept-Encoding, {CREDENTIALS}" if compress else f"Accept, {CREDENTIALS}",
        **(headers or {}),
    }
    if request.method in ("GET", "HEAD") and has_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=common)
    if coding:
        common["Content-Encoding"] = coding
    return Response(body.encoded(coding), headers=common, media_type=media_type)


def kept_by_whom(max_age: int) -> str:
    """Who may keep the answer: what is shown to somebody known stays out of caches that others are answered from."""
    if not caller().is_public:
        return f"private, max-age={max_age}" if max_age else "private, no-cache"
    return f"public, max-age={max_age}" if max_age else "no-cache"


def revision_of(etag: str) -> int | None:
    """The version an ETag of `answer` names; None where it is another's, or weak."""
    match = _REVISION.fullmatch(etag.strip())
    return int(match[1]) if match else None


_REVISION = re.compile(r'"v(\d{1,9})\.[0-9a-f]{24}(?:-(?:br|gzip))?"', re.ASCII)


def has_etag(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names the ETag: weak comparison after RFC 9110, 13.1.2."""
    if if_none_match is None:
        return False
    return any(candidate.strip().removeprefix("W/") in (etag, "*") for candidate in if_none_match.split(","))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)
