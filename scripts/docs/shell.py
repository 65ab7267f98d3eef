"""A page's commands and Python, run in its folder: the command line in this process, all else as programs."""

from __future__ import annotations

import ast
import glob
import shlex
import subprocess
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.docs.captured import captured, standing_in
from scripts.docs.homes import CHECKOUT, Homes, environment, plain
from scripts.docs.page import EMPTY, Command, Page
from scripts.docs.service import Service

_SHELL = set("|&;<>()$`{}~")
_SECONDS = 300
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
        elif words[0] in _NAMES and (arguments := plain_arguments(text, self.folder)) is not None:
            said, code = self._diaba(*arguments)
        else:
            said, code = self._program(text)
        lines = self._lines(said)
        return [*lines, f"[exit {code}]"] if code else lines

    def python(self, source: str) -> list[str]:
        """What a block of Python said; the value of its last expression is said as a notebook says it."""
        tree = ast.parse(self.service.inward(source))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        with standing_in(self.folder, self.variables), captured() as said:
            try:
                exec(compile(tree, str(self.page.path), "exec"), self.names)  # noqa: S102  the page is ours
                if last is not None:
                    assert isinstance(last, ast.Expr)
                    value = eval(compile(ast.Expression(last.value), str(self.page.path), "eval"), self.names)  # noqa: S307
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

    def _diaba(self, arguments: list[str], target: Path | None) -> tuple[str, int]:
        """The command line in this process; its standard output goes into a file if one is named."""
        from api.cli.main import run

        arguments = [self.service.inward(word) for word in arguments]
        with standing_in(self.folder, self.variables), captured() as said:
            if target is None:
                code = run(arguments)
            else:
                from contextlib import redirect_stdout

                with target.open("w", encoding="utf-8") as file, redirect_stdout(file):
                    code = run(arguments)
            return said(), code

    def _export(self, text: str) -> tuple[str, int]:
        done = self._bash(f"{text}; env -0")
        if done.returncode == 0:
            self.variables = dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
            return "", 0
        return done.stdout, done.returncode

    def _program(self, text: str) -> tuple[str, int]:
        done = self._bash(f"exec 2>&1; {self.service.inward(text)}")
        return done.stdout, done.returncode

    def _bash(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )


def plain_arguments(text: str, folder: Path) -> tuple[list[str], Path | None] | None:
    """The arguments of a command of diaba and the file it is sent to; None where a shell is needed to read it."""
    typed, _, target = text.partition(" > ")
    if _needs_shell(typed) or _needs_shell(target):
        return None
    words: list[str] = []
    for word in shlex.split(typed, comments=True)[1:]:
        found = sorted(glob.glob(word, root_dir=folder)) if "*" in word else []
        words += found or [word]
    named = shlex.split(target, comments=True)
    return words, folder / named[0] if named else None


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
