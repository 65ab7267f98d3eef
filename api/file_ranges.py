"""Whole files and single ranges of them (RFC 9110, section 14), as readers of COG and COPC ask for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.answers import has_etag
from api.caller import caller
from api.errors import problem

PIECE = 256 * 1024
"""Bytes read and sent at a time."""
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file: the first, and the one after the last."""

    start: int
    end: int


class Unsatisfiable(Exception):
    """The range lies beyond the file."""


class SeveralRanges(Exception):
    """More than one range is asked for."""


def file_answer(request: Request, path: Path, etag: str, media_type: str, *, is_head: bool) -> Response:
    """A file, or the one range of it that is asked for.

    Answers 206 with the range, 304 where the client has the file, 416 for a range beyond its end, and 400 for several
    ranges at once, of which a server may make a client wait for many small pieces.

    Args:
        request: with its headers Range, If-Range and If-None-Match.
        path: the file.
        etag: strong, with its quotation marks.
        media_type: of the file.
        is_head: whether only the headers are wanted.
    """
    size = path.stat().st_size
    common = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        # Whether the caller may still have it is asked each time; who may see more shares no cache with the public.
        "Cache-Control": "no-cache" if caller().scope_key == "public" else "private, no-cache",
    }
    if has_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=common)
    try:
        span = _span(request, etag, size)
    except Unsatisfiable:
        headers = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        detail = f"the file has {size} bytes"
        return problem(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "range-not-satisfiable", detail, headers)
    except SeveralRanges:
        return problem(HTTPStatus.BAD_REQUEST, "bad-parameter", "one range at a time", parameter="range")
    status, whole = 200, Span(0, size)
    if span is not None:
        status, whole = 206, span
        common["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    common["Content-Length"] = str(whole.end - whole.start)
    body = iter(()) if is_head else _pieces(path, whole)
    return StreamingResponse(body, status, common, media_type)


def _span(request: Request, etag: str, size: int) -> Span | None:
    """The range asked for; None for the whole file, also where the header is none we know, as RFC 9110 has it."""
    header = request.headers.get("range")
    if header is None:
        return None
    if_range = request.headers.get("if-range")
    if if_range is not None and if_range.strip() != etag:
        return None
    if header.lower().startswith("bytes=") and "," in header:
        raise SeveralRanges
    match = _ONE_RANGE.fullmatch(header.replace(" ", ""))
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        length = min(int(match[2]), size)
        if length == 0:
            raise Unsatisfiable
        return Span(size - length, size)
    start = int(match[1])
    end = min(int(match[2]) + 1, size) if match[2] else size
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return Span(start, end)


def _pieces(path: Path, span: Span) -> Iterator[bytes]:
    with path.open("rb") as handle:
        handle.seek(span.start)
        left = span.end - span.start
        while left > 0:
            piece = handle.read(min(PIECE, left))
            if not piece:
                # The length is promised already: the client must notice.
                raise OSError(f"{path} has become shorter while it was sent")
            left -= len(piece)
            yield piece
