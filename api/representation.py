"""Which form of an answer a client wants: for programs, or a page for people."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request

from api.items_parameters import FORMAT

FormatParameter = Annotated[
    str | None,
    Query(
        description=FORMAT,
        pattern="^(json|geojson|html)$",
    ),
]


def wants_page(request: Request, f: str | None) -> bool:
    """Whether the answer is to be a page."""
    return f == "html" or (f is None and prefers_html(request))


def prefers_html(request: Request) -> bool:
    """Whether the client names HTML before JSON, as browsers do."""
    accepted = [part.split(";")[0].strip() for part in request.headers.get("accept", "").lower().split(",")]
    html = accepted.index("text/html") if "text/html" in accepted else None
    json = min((accepted.index(one) for one in _JSON if one in accepted), default=None)
    return html is not None and (json is None or html < json)


_JSON = ("application/json", "application/geo+json", "application/schema+json")
