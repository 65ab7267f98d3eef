"""Runs a page: each command in its order, what it says held against what the page shows, or written into it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gis.calendar import today as day_in_vietnam
from gis.files import written_whole
from scripts.docs.compare import mismatch, rewritten
from scripts.docs.faults import Difference
from scripts.docs.homes import CHECKOUT, Homes
from scripts.docs.page import Block, Page
from scripts.docs.shell import Shell


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said where a page shows something."""

    line: int
    """Of the first line shown, from 1; where it would stand if none is."""
    command: str
    shown: tuple[str, ...]
    said: tuple[str, ...]

    def difference(self, path: Path, today: Collection[date]) -> Difference | None:
        """Where the page does not show what was said."""
        found = mismatch(self.shown, self.said, today)
        if found is None:
            return None
        shown = self.shown[found.shown] if found.shown < len(self.shown) else None
        said = self.said[found.said] if found.said is not None and found.said < len(self.said) else None
        return Difference(path, self.line + found.shown, self.command, shown, said)


def answers(page: Page, homes: Homes) -> Iterator[Answer]:
    """Run a page from its first block to its last, and give each answer as it comes."""
    if not any(block.not_run is None and block.language in ("console", "python") for block in page.blocks):
        return
    with homes.copy(page.home) as folder:
        shell = Shell.of(page, folder, homes)
        try:
            for block, following in zip(page.blocks, [*page.blocks[1:], None], strict=True):
                yield from _run(shell, block, _output(page, block, following))
        finally:
            shell.close()


def _run(shell: Shell, block: Block, output: Block | None) -> Iterator[Answer]:
    if block.not_run is not None:
        return
    if block.file is not None:
        shell.write(block.file, block.text)
    elif block.language == "console":
        for command in block.commands:
            said = tuple(shell.run(command))
            yield Answer(command.line + len(command.typed), command.text, command.shown, said)
    elif block.language == "python":
        said = tuple(shell.python(block.text))
        last = block.lines[-1].strip() if block.lines else ""
        if output is not None:
            yield Answer(output.line + 1, last, output.lines, said)
        else:
            yield Answer(block.end + 1, last, (), said)


def _output(page: Page, block: Block, following: Block | None) -> Block | None:
    """The block of a Python block's output: the `text` block that follows with nothing between."""
    if block.language != "python" or following is None or following.language != "text":
        return None
    between = page.lines[block.end : following.line - 1]
    return None if any(line.strip() for line in between) else following


def days_of_now() -> set[date]:
    """The day it is where the program runs, and in Vietnam."""
    return {date.today(), day_in_vietnam()}


def differences(page: Page, homes: Homes, today: Collection[date] | None = None) -> Iterator[Difference]:
    """Run a page and give each place where it does not show what the program says."""
    path = page.path.relative_to(CHECKOUT) if page.path.is_relative_to(CHECKOUT) else page.path
    for answer in answers(page, homes):
        if found := answer.difference(path, today or days_of_now()):
            yield found


def write(page: Page, homes: Homes, today: Collection[date] | None = None) -> int:
    """Run a page and put into it what the program says; gives how many answers changed."""
    changed = [one for one in answers(page, homes) if one.difference(page.path, today or days_of_now())]
    if changed:
        lines = put_right(page.lines, changed, today or days_of_now())
        with written_whole(page.path) as part:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(changed)


def put_right(lines: Sequence[str], changed: Sequence[Answer], today: Collection[date]) -> list[str]:
    """A page's lines with other answers."""
    new = list(lines)
    for one in sorted(changed, key=lambda answer: -answer.line):
        start = one.line - 1
        said = rewritten(one.shown, one.said, today)
        if not one.shown and lines[start - 1].startswith("```") and said:
            # Behind a block of Python whose output is not shown yet.
            said = ["", "```text", *said, "```"]
        new[start : start + len(one.shown)] = said
    return new
