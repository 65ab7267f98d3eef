"""Errors on the wire: one table from class to HTTP status, one form (RFC 9457)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.middleware import request_id
from gis.errors import (
    BadInput,
    BadParameter,
    Conflict,
    DiabaError,
    NotFound,
    StaleVersion,
    StoreUnreachable,
    UnreadableFile,
)

log = logging.getLogger("diaba.api")

MEDIA_TYPE = "application/problem+json"
DETAIL_MOST = 300
"""Characters of an error's sentence that are sent back: it may quote what the client sent."""


class TooSlow(DiabaError, TimeoutError):
    """The store was stopped because an answer took too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the answer takes more than {seconds:g} s; ask for a smaller area or fewer features")


class NotAuthenticated(DiabaError, PermissionError):
    """Somebody says who it is and does not prove it, or must say who it is."""


class NotAllowed(DiabaError, PermissionError):
    """The caller may not do this."""


class PreconditionRequired(DiabaError):
    """A change does not say which version it was decided upon."""

    def __init__(self) -> None:
        super().__init__("send the feature's ETag as If-Match, so that nobody's change is lost")


class UnknownMediaType(DiabaError):
    """A request's body is of a kind that is not read."""

    def __init__(self, told: str, accepted: tuple[str, ...]) -> None:
        super().__init__(f"Content-Type {told[:60]!a} is not read; send {' or '.join(accepted)}")


class TooBusy(DiabaError):
    """All connections to the store are in use, or more requests wait than the service holds."""

    def __init__(self) -> None:
        super().__init__("the service is busy; try again in a moment")


class IssuerUnreachable(DiabaError, ConnectionError):
    """Whether a token is good cannot be said now."""

    def __init__(self) -> None:
        super().__init__("the issuer of the token does not answer; without a token the public's data are had")


class Stopped(DiabaError):
    """The service was told to stop, and what was asked did not end in time."""

    def __init__(self) -> None:
        super().__init__("the service is stopping; try again in a moment")


class UrlTooLong(DiabaError):
    """Path and query have more bytes than the service reads."""

    def __init__(self, most: int) -> None:
        super().__init__(f"path and query have at most {most} bytes")


class HeadersTooLarge(DiabaError):
    """The header fields have more bytes than the service reads."""

    def __init__(self, most: int) -> None:
        super().__init__(f"header fields have at most {most} bytes in all")


class BodyTooLarge(DiabaError):
    """A body has more bytes than the service reads."""

    def __init__(self, most: int) -> None:
        super().__init__(f"a body has at most {most} bytes")


class BodyTooSlow(DiabaError, TimeoutError):
    """Nothing more came of a body for too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"nothing came of the body for {seconds:g} s")


class TooManyRequests(DiabaError):
    """A caller asks more often than it may, or for more at once."""

    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, limit: str, wait_seconds: int, headers: Mapping[str, str]) -> None:
        self.headers = {**headers, "Retry-After": str(wait_seconds)}
        super().__init__(f"{limit}; try again in {wait_seconds} s")


class NotByHand(DiabaError):
    """A register's features come from elsewhere and are only read."""

    headers: Mapping[str, str] = MappingProxyType({"Allow": "GET, HEAD"})

    def __init__(self, collection: str, others: Iterable[str]) -> None:
        super().__init__(f"{collection} are not changed by hand; {', '.join(others)} are")


class TooManyListeners(DiabaError):
    """No more streams of changes are opened."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} maps listen already, no more are taken; ask now and then instead")


STATUS: Mapping[type[Exception], HTTPStatus] = {
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotByHand: HTTPStatus.METHOD_NOT_ALLOWED,
    IssuerUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    UnknownMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    StaleVersion: HTTPStatus.PRECONDITION_FAILED,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    UnreadableFile: HTTPStatus.INTERNAL_SERVER_ERROR,
    BadInput: HTTPStatus.BAD_REQUEST,
    StoreUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    # The client's to mend: asked again it would take as long.
    TooSlow: HTTPStatus.BAD_REQUEST,
    UrlTooLong: HTTPStatus.REQUEST_URI_TOO_LONG,
    HeadersTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    BodyTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    TooBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    Stopped: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyListeners: HTTPStatus.SERVICE_UNAVAILABLE,
    DiabaError: HTTPStatus.INTERNAL_SERVER_ERROR,
    Exception: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Status of each class and of its children that have no row of their own."""


def problems(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The problems a route may answer, for its description."""
    return {
        int(status): {
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


PROBLEMS = problems(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What every route may answer, for its description."""

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A problem after RFC 9457.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "Names the kind of problem for programs."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for a person."},
        "parameter": {"type": "string", "description": "The parameter that cannot be used."},
        "request_id": {"type": "string", "description": "Finds the request in the service's log."},
    },
}


def problem(
    status: HTTPStatus, kind: str, detail: str, headers: Mapping[str, str] | None = None, **more: str
) -> Response:
    """A problem document."""
    document = {
        "type": f"urn:diaba:problem:{kind}",
        "title": status.phrase,
        "status": int(status),
        "detail": detail if len(detail) <= DETAIL_MOST else detail[: DETAIL_MOST - 1] + "…",
        "request_id": request_id(),
        **more,
    }
    return Response(orjson.dumps(document), int(status), {"Cache-Control": "no-store", **(headers or {})}, MEDIA_TYPE)


def handler(status: HTTPStatus, retry_seconds: int) -> Callable[[Request, Exception], Response]:
    """Make the handler that answers errors with this status.

    What went wrong inside of the service is told to the log only: its sentence may name files.
    """

    def handle(request: Request, error: Exception) -> Response:
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request failed", exc_info=error)
            return problem(status, "internal", "the service failed; its log has the details under this request id")
        headers = dict(error.headers) if isinstance(error, TooManyRequests | NotByHand) else {}
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(retry_seconds)
            log.warning("%s", error)
        if status == HTTPStatus.UNAUTHORIZED:
            # RFC 6750, 3.
            headers["WWW-Authenticate"] = 'Bearer realm="diaba", error="invalid_token"'
        detail = "the store does not answer" if isinstance(error, StoreUnreachable) else str(error)
        more = {"parameter": error.name} if isinstance(error, BadParameter) else {}
        return problem(status, _kind(error), detail, headers, **more)

    return handle


def answer_to(error: DiabaError, request: Request, retry_seconds: int) -> Response:
    """The problem document of an error that is raised before any route is asked."""
    status = next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)
    return handler(status, retry_seconds)(request, error)


def add_handlers(app: FastAPI, retry_seconds: int) -> None:
    """Answer every error of the application as a problem document."""
    for cls, status in STATUS.items():
        if cls is Exception:
            # What nobody foresaw is answered by the middleware.
            continue
        app.add_exception_handler(cls, handler(status, retry_seconds))

    def refuse(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        first = error.errors()[0]
        name = str(first["loc"][-1])[:60]
        return problem(HTTPStatus.BAD_REQUEST, "bad-parameter", f"{name}: {first['msg']}", parameter=name)

    def pass_on(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        status = HTTPStatus(error.status_code)
        return problem(status, _kebab(status.name), str(error.detail), error.headers)

    app.add_exception_handler(RequestValidationError, refuse)
    app.add_exception_handler(HTTPException, pass_on)


def _kind(error: Exception) -> str:
    return _kebab(type(error).__name__)


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", "-", name).lower()
