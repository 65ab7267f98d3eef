"""A page's commands and Python, run in its folder: the command line in this process, all else as programs."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.docs.captured import captured, standing_in
from scripts.docs.homes import CHECKOUT, Homes, environment, plain
from scripts.docs.page import EMPTY, Command, Page
from scripts.docs.service import Service

_SHELL = set("|&;<>()$`{}")
_VARIABLE = re.compile(r"\$(\w+)")
_PIPED = ".piped"
_SECONDS = 900
_NAMES = (".venv/bin/diaba", "diaba")


@dataclass(slots=True)
class Shell:
    """A page's folder, variables, Python names and service."""

    folder: Path
    page: Page
    homes: Homes
    variables: dict[str, str]
    names: dict[str, Any]
    service: Service

    @classmethod
    def of(cls, page: Page, folder: Path, homes: Homes) -> Shell:
        """A shell in a folder that has the page's home; the checkout's `data` is there too, as for its reader."""
        (folder / "data").symlink_to(CHECKOUT / "data")
        (folder / ".curlrc").write_text("silent\nshow-error\n", encoding="utf-8")
        return cls(folder, page, homes, environment(folder), {"__name__": "__page__"}, Service(folder))

    def close(self) -> None:
        """End what it started."""
        self.service.stop()

    def write(self, name: str, text: str) -> None:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(self, command: Command) -> list[str]:
        """What a command said, a line each; an exit code other than 0 is a line of its own."""
        text = command.text.strip()
        words = text.split()
        if words[0] in _NAMES and text == self.page.home and self.page.home != EMPTY:
            said, code = self.homes.said(self.page.home), 0
        elif words[0] in _NAMES and "serve" in words and "--help" not in words:
            said, code = self.service.start(text, self.variables)
        elif words[0] == "export":
            said, code = self._export(text)
        elif words[0] in _NAMES and (call := plain_call(text, self.folder, self.variables)) is not None:
            said, code = self._diaba(call)
        else:
            said, code = self._program(text)
        lines = self._lines(said)
        return [*lines, f"[exit {code}]"] if code else lines

    def python(self, source: str) -> list[str]:
        """What a block of Python said; the value of its last expression is said as a notebook says it."""
        tree, page = ast.parse(self.service.inward(source)), str(self.page.path)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        with standing_in(self.folder, self.variables), captured() as said:
            try:
                exec(compile(tree, page, "exec"), self.names)  # noqa: S102  the page is ours
                if isinstance(last, ast.Expr):
                    value = eval(compile(ast.Expression(last.value), page, "eval"), self.names)  # noqa: S307
                    if value is not None:
                        print(repr(value))  # noqa: T201  what a notebook shows
            except Exception as error:  # noqa: BLE001  a page may show a refusal
                print(traceback.format_exception_only(error)[-1].rstrip())  # noqa: T201
            told = said()
        return self._lines(told)

    def _lines(self, said: str) -> list[str]:
        text = plain(self.service.outward(said), self.folder)
        lines = [line.rstrip() for line in text.splitlines()]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _diaba(self, call: Call) -> tuple[str, int]:
        """The command line in this process; what it prints goes on into a file or another program as the page says."""
        with standing_in(self.folder, self.variables), captured() as said:
            arguments = [self.service.inward(word) for word in call.arguments]
            if call.file is None and call.filter is None:
                code = as_diaba(arguments)
            else:
                sink = self.folder / (call.file or _PIPED)
                with sink.open("w", encoding="utf-8") as file, redirect_stdout(file):
                    code = as_diaba(arguments)
            told = said()
        if call.filter is not None:
            done = self._bash(f"exec 2>&1; {self.service.inward(call.filter)}", self.folder / _PIPED)
            return told + done.stdout, done.returncode
        return told, code

    def _export(self, text: str) -> tuple[str, int]:
        done = self._bash(f"{self.service.inward(text)}; env -0")
        if done.returncode == 0:
            self.variables = dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
            return "", 0
        return done.stdout, done.returncode

    def _program(self, text: str) -> tuple[str, int]:
        done = self._bash(f"exec 2>&1; {self.service.inward(text)}")
        return done.stdout, done.returncode

    def _bash(self, text: str, source: Path = Path(os.devnull)) -> subprocess.CompletedProcess[str]:
        with source.open("rb") as given:
            return subprocess.run(
                ["bash", "-c", text],
                cwd=self.folder,
                env=self.variables,
                stdin=given,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )


def as_diaba(arguments: list[str]) -> int:
    """Run the command line as the program `diaba`, which its help and its refusals name; gives the exit code."""
    from api.cli.main import run

    main, called = sys.modules["__main__"], sys.argv
    package = getattr(main, "__package__", None)
    try:
        main.__package__, sys.argv = None, ["diaba"]
        return run(arguments)
    finally:
        main.__package__, sys.argv = package, called


@dataclass(frozen=True, slots=True)
class Call:
    """A call of diaba that needs no shell, and where its standard output goes if not into the page."""

    arguments: list[str]
    file: str | None = None
    filter: str | None = None


def plain_call(text: str, folder: Path, variables: Mapping[str, str]) -> Call | None:
    """A command of diaba, perhaps with ` > FILE` or ` | PROGRAM …` at its end; None where only a shell can read it."""
    text = _VARIABLE.sub(lambda found: variables.get(found[1], "") if _plain(variables, found[1]) else found[0], text)
    typed, _, program = text.partition(" | ")
    typed, _, target = typed.partition(" > ")
    if _needs_shell(typed) or _needs_shell(target):
        return None
    words: list[str] = []
    for word in shlex.split(typed, comments=True)[1:]:
        found = sorted(str(path.relative_to(folder)) for path in folder.glob(word)) if "*" in word else []
        words += found or [word]
    named = shlex.split(target, comments=True)
    return Call(words, named[0] if named else None, program or None)


def _plain(variables: Mapping[str, str], name: str) -> bool:
    """Whether a variable's value means the same to every shell."""
    return re.fullmatch(r"[\w.:~-]*", variables.get(name, "")) is not None


def _needs_shell(text: str) -> bool:
    """Whether text has, outside of quotes, what only a shell understands."""
    quote = ""
    for letter in text:
        if quote:
            if letter == quote:
                quote = ""
            elif quote == '"' and letter in "$`":
                return True
        elif letter in "'\"":
            quote = letter
        elif letter == "#":
            return False
        elif letter in _SHELL:
            return True
    return False
