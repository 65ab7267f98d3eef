"""Answers as bytes: compressed when asked for, with a strong ETag, and 304 when the client has them already."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api.encodings import Body

JSON = "application/json"
GEOJSON = "application/geo+json"
HTML = "text/html; charset=utf-8"
PNG = "image/png"
MVT = "application/vnd.mapbox-vector-tile"


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
) -> Response:
    """The body in the representation the client accepts, or 304 without one.

    The ETag is strong: it names the bytes, so the compressed and the plain body have different ones.
    """
    if isinstance(body, bytes):
        body = Body(body, compress=compress)
    coding = body.coding(request.headers.get("accept-encoding", ""))
    etag = body.etag(coding)
    common = {
        "ETag": etag,
        "Cache-Control": f"public, max-age={max_age}" if max_age else "no-cache",
        "Vary": "Accept, Accept-Encoding" if compress else "Accept",
        **(headers or {}),
    }
    if _has(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=common)
    if coding:
        common["Content-Encoding"] = coding
    return Response(body.encoded(coding), headers=common, media_type=media_type)


def _has(if_none_match: str | None, etag: str) -> bool:
    """Weak comparison after RFC 9110, 13.1.2."""
    if if_none_match is None:
        return False
    return any(candidate.strip().removeprefix("W/") in (etag, "*") for candidate in if_none_match.split(","))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)
