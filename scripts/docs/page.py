"""A page of the documentation as a list of blocks that are run, written to files, or shown alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.docs.faults import PageFault

EMPTY = "empty"
"""The home of a page that begins with nothing."""
_NOTE = re.compile(r"<!-- (home|file|not run|made by): (.+?) -->")
_FENCE = re.compile(r"(`{3,}|~{3,})\s*([\w+-]*)\s*$")
_PROMPT = "$ "


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a console block and what the page shows of its answer."""

    line: int
    """Of the command in the page, from 1."""
    text: str
    """As it is typed, continued lines joined."""
    typed: tuple[str, ...]
    """The page's own lines of it."""
    shown: tuple[str, ...]
    """The answer's lines in the page."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    line: int
    """Of its opening fence, from 1."""
    language: str
    lines: tuple[str, ...]
    file: str | None = None
    """The file it is the content of, in the page's folder."""
    not_run: str | None = None
    """Why it is shown alone."""
    commands: tuple[Command, ...] = ()

    @property
    def text(self) -> str:
        """Its content."""
        return "\n".join(self.lines) + "\n"

    @property
    def end(self) -> int:
        """The line of its closing fence, from 1."""
        return self.line + len(self.lines) + 1


@dataclass(frozen=True, slots=True)
class Page:
    """A page, its home and its blocks."""

    path: Path
    home: str
    """`empty`, or the command of diaba after which the page begins."""
    blocks: tuple[Block, ...]
    lines: tuple[str, ...] = field(repr=False)


def read_page(path: Path) -> Page:
    """Read a page.

    Raises:
        PageFault: a fence is not closed, a note stands before nothing, or a console block does not begin with `$ `.
    """
    lines = tuple(path.read_text(encoding="utf-8").splitlines())
    homes = [match[2] for line in lines if (match := _NOTE.fullmatch(line)) and match[1] == "home"]
    if len(homes) > 1:
        raise PageFault(path, 1, f"it names {len(homes)} homes; a page has one")
    return Page(path, homes[0] if homes else EMPTY, tuple(_blocks(path, lines)), lines)


def _blocks(path: Path, lines: tuple[str, ...]) -> Iterator[Block]:
    note: tuple[str, str] | None = None
    number = 0
    while number < len(lines):
        line = lines[number]
        if match := _NOTE.fullmatch(line):
            note = (match[1], match[2]) if match[1] in ("file", "not run") else None
        elif fence := _FENCE.fullmatch(line):
            end = next((n for n in range(number + 1, len(lines)) if lines[n] == fence[1]), None)
            if end is None:
                raise PageFault(path, number + 1, "this block is not closed")
            yield _block(path, number, fence[2], lines[number + 1 : end], note)
            number, note = end, None
        elif line.strip() and note is not None:
            raise PageFault(path, number + 1, f"the note '{note[0]}' is not followed by a block")
        number += 1


def _block(path: Path, number: int, language: str, inner: tuple[str, ...], note: tuple[str, str] | None) -> Block:
    what, told = note or (None, None)
    commands = tuple(_commands(path, number + 2, inner)) if language == "console" else ()
    return Block(
        number + 1,
        language,
        inner,
        file=told if what == "file" else None,
        not_run=told if what == "not run" else None,
        commands=commands,
    )


def _commands(path: Path, first: int, inner: tuple[str, ...]) -> Iterator[Command]:
    """The commands of a console block whose first line has the number `first`."""
    if inner and not inner[0].startswith(_PROMPT):
        raise PageFault(path, first, "a console block begins with a command: `$ …`")
    starts = [n for n, line in enumerate(inner) if line.startswith(_PROMPT)]
    for start, after in zip(starts, [*starts[1:], len(inner)], strict=True):
        end = start + 1
        while inner[end - 1].endswith("\\") and end < after:
            end += 1
        typed = inner[start:end]
        joined = "".join(line.removesuffix("\\") for line in typed).removeprefix(_PROMPT)
        answer = inner[end:after]
        while answer and not answer[-1].strip():
            answer = answer[:-1]
        yield Command(first + start, " ".join(joined.split("\n")), typed, answer)
