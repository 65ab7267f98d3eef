"""Which commands and routes the pages show and run, and which there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import click

from scripts.docs.page import Block, Page

_ADDRESS = re.compile(r"http://127\.0\.0\.1:8000[^\s\"'<>\\)]*")
_METHOD = re.compile(r"(?:-X|--request)[= ]?(\w+)")
_BODY = re.compile(r"\s(?:-d|--data\S*|--json)\b")
_HEAD = re.compile(r"\s(?:-I|--head|-\w*I)\b")
_CALL = re.compile(r"(?:^|[(`|;&]|\$ )\s*(?:\.venv/bin/)?diaba\s+([^|;&>)\n]*)", re.MULTILINE)
_TYPED = re.compile(r"\s*(?:\$ )?(?:\.venv/bin/)?(?:diaba|curl|ogrinfo|gdalinfo) ")
METHODS = ("get", "post", "put", "patch", "delete")


def run_text(pages: Iterable[Page]) -> Iterator[tuple[str, str]]:
    """Kind (`console`, `python`) and text of all that is run."""
    for page in pages:
        for block in page.blocks:
            if block.not_run is None and block.language == "console":
                yield from (("console", command.text) for command in block.commands)
            elif block.not_run is None and block.language == "python" and block.file is None:
                yield "python", block.text


def commands(group: click.Group, context: click.Context) -> Iterator[str]:
    """The words that call each command that does something."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        inner = click.Context(command, parent=context, info_name=name)
        if isinstance(command, click.Group):
            yield from commands(command, inner)
        else:
            yield inner.command_path


def shown_commands(pages: Iterable[Page], root: click.Group) -> set[str]:
    """The commands that are run by the pages."""
    found = set()
    for kind, text in run_text(pages):
        if kind == "console":
            found |= {path for call in calls(text) if (path := called(call, root))}
    return found


def calls(text: str) -> list[str]:
    """What stands behind `diaba` wherever it is called."""
    return [call.strip() for call in _CALL.findall(text)]


def called(call: str, root: click.Group) -> str | None:
    """The command that words behind `diaba` call."""
    try:
        words = shlex.split(call, comments=True)
    except ValueError:
        words = call.split()
    if words[:1] == ["--city"]:
        words = words[2:]
    path, group, context = "diaba", root, click.Context(root, info_name="diaba")
    for word in words:
        command = group.get_command(context, word)
        if command is None:
            return None
        path = f"{path} {word}"
        if not isinstance(command, click.Group):
            return path
        group = command
    return None


def routes(description: dict[str, Any]) -> set[tuple[str, str]]:
    """Method and path of each operation of an OpenAPI description."""
    return {
        (method.upper(), path)
        for path, operations in description["paths"].items()
        for method in operations
        if method in METHODS
    }


def shown_routes(pages: Iterable[Page], described: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The operations that are asked by the pages' commands and Python."""
    found = set()
    for kind, text in run_text(pages):
        for address in _ADDRESS.findall(text):
            method = _method(text) if kind == "console" else "GET"
            if operation := asked(method, address, described):
                found.add(operation)
    return found


def _method(text: str) -> str:
    if named := _METHOD.search(text):
        return named[1].upper()
    if _HEAD.search(text):
        return "GET"
    return "POST" if _BODY.search(text) and " -G" not in text else "GET"


def asked(method: str, address: str, described: set[tuple[str, str]]) -> tuple[str, str] | None:
    """The operation a request goes to: of those whose path fits, that with the fewest variables and most letters."""
    path = unquote(urlsplit(address).path).rstrip(",.") or "/"
    fitting = [one for one in described if one[0] == method and _path_pattern(one[1]).fullmatch(path)]
    return min(fitting, key=lambda one: (one[1].count("{"), -len(re.sub(r"{\w+}", "", one[1]))), default=None)


@cache
def _path_pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", path))
    )


def loose(page: Page) -> Iterator[Block]:
    """Blocks that show commands without being run, and do not say why."""
    for block in page.blocks:
        shown_alone = block.language not in ("console", "python") and block.file is None and block.not_run is None
        if shown_alone and any(map(_TYPED.match, block.lines)):
            yield block
