"""Links of documents, in their body and in the header `Link`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

Link = dict[str, str]

QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
SORTABLES = "http://www.opengis.net/def/rel/ogc/1.0/sortables"


def link(rel: str, href: str, media_type: str, title: str | None = None) -> Link:
    """A link of a document."""
    return {"rel": rel, "href": href, "type": media_type} | ({"title": title} if title else {})


def address(path: str, parameters: Mapping[str, str], **changed: str) -> str:
    """A path with its query, some parameters changed."""
    asked = {**parameters, **changed}
    return f"{path}?{urlencode(asked)}" if asked else path


def header(links: Iterable[Link]) -> dict[str, str]:
    """The links as a header (RFC 8288); titles are left to the body, which has letters that headers lack."""
    told = ", ".join(f'<{_in_header(one["href"])}>; rel="{one["rel"]}"; type="{one["type"]}"' for one in links)
    return {"Link": told} if told else {}


def _in_header(href: str) -> str:
    """An address without what ends it in a header, or the header itself."""
    return _UNFIT.sub("", href)


_UNFIT = re.compile(r"[^!#-+\--;=?-~]")
"""All but the printable letters of ASCII without the blank and < > " ,"""
