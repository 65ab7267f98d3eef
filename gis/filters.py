"""Filters after OGC CQL2 1.0, in their text and JSON form, as one tree: the JSON form, of a size that is safe to walk.

The grammar is the library's. Its parser calls itself for each parenthesis and ends the whole process where they are
some two thousand deep, so how deep they are is counted before it sees the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import cql2
import orjson

from gis.errors import BadParameter

LENGTH_MOST = 8_000
"""Characters of a filter: what fits into the line of a request, a polygon of some hundred corners among it."""
DEPTH_MOST = 32
"""Operators and parentheses inside of each other."""
NODES_MOST = 300
"""Operators, properties and literals; the corners of geometries do not count."""

_STRING = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")


class Language(StrEnum):
    """How a filter is written."""

    TEXT = "cql2-text"
    JSON = "cql2-json"
    DRAFT_TEXT = "cql-text"
    """What GDAL calls the text form, after a draft of the standard."""


def parse(text: str, language: Language) -> Any:
    """The filter as the tree of its JSON form.

    Raises:
        BadParameter: it is no CQL2, or longer, deeper or of more parts than is allowed.
    """
    if not text.strip() or len(text) > LENGTH_MOST or "\x00" in text:
        raise refused(text, f"give 1 to {LENGTH_MOST} characters of CQL2")
    if language is not Language.JSON and _parentheses(text) > DEPTH_MOST:
        raise refused(text, f"parentheses are at most {DEPTH_MOST} deep")
    try:
        text.encode()
        parsed = cql2.parse_json(text) if language is Language.JSON else cql2.parse_text(text)
        tree = parsed.to_json()
    except Exception as error:  # the library raises some as plain Exception
        raise refused(text, f"no {language.value}: {_last_line(error)}") from error
    _measure(text, tree)
    return tree


def refused(text: str, why: str) -> BadParameter:
    """The error of a filter that cannot be used."""
    return BadParameter("filter", ascii(text[:60])[1:-1], why)


def _parentheses(text: str) -> int:
    deepest = depth = 0
    for mark in re.findall(r"[()]", _STRING.sub("", text)):
        depth += 1 if mark == "(" else -1
        deepest = max(deepest, depth)
    return deepest


def _measure(text: str, tree: Any) -> None:
    """Refuse a tree that is too large, without calling ourselves."""
    left, count = [(tree, 1)], 0
    while left:
        node, depth = left.pop()
        count += 1
        if depth > DEPTH_MOST:
            raise refused(text, f"operators are at most {DEPTH_MOST} deep")
        if count > NODES_MOST:
            raise refused(text, f"at most {NODES_MOST} operators, properties and values")
        if isinstance(node, Mapping):
            children = node.get("args", node.get("interval", []))
            left.extend((child, depth + 1) for child in children if isinstance(children, list))
        elif isinstance(node, list):
            left.extend((child, depth + 1) for child in node)


def _last_line(error: Exception) -> str:
    lines = [line.strip(" =") for line in str(error).splitlines() if line.strip(" =|")]
    return ascii(lines[-1])[1:-1][:120] if lines else "it cannot be read"


def as_text(tree: Any) -> str:
    """A part of a filter for messages."""
    return ascii(orjson.dumps(tree, default=str).decode())[1:-1][:60]
