"""Write the reference pages of the command line, the HTTP API and the service's settings, out of the code.

Usage: python -m scripts.reference docs/reference
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from api import settings as settings_module
from api.cli.main import diaba
from api.settings import Rates, ServiceSettings, variable
from gis.files import written_whole
from gis.settings import DEFAULT_CITY, DEFAULT_CRS, City, Settings

MADE = "<!-- Made by `make docs` out of the code; change the code instead. -->\n\n"


def command_line() -> str:
    """The help of every command, as Markdown."""
    pages = "\n\n".join(_help(diaba, click.Context(diaba, info_name="diaba", max_content_width=100)))
    codes = "Exit codes: 0 done, 2 wrong usage, 3 bad input, 4 the store is unreachable."
    return f"{MADE}# Command line\n\n{codes}\n\n{pages}\n"


def _help(command: click.Command, context: click.Context) -> Iterator[str]:
    level = "##" if context.parent is None else "###"
    yield f"{level} {context.command_path}\n\n```text\n{command.get_help(context).rstrip()}\n```"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _help(inner, click.Context(inner, parent=context, info_name=name, max_content_width=100))


def http_api(description: dict[str, Any]) -> str:
    """Every path of an OpenAPI description, as Markdown."""
    where = "The same, machine-readable, is served at `/api` (OpenAPI 3.0; `/api?f=openapi31` for 3.1).\n"
    lines = [f"{MADE}# HTTP API\n", where]
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            lines += [
                f"## `{method.upper()} {path}`\n",
                (operation.get("description") or operation.get("summary", "")) + "\n",
            ]
            if parameters := operation.get("parameters"):
                lines += ["| parameter | in | required | what |", "|---|---|---|---|"]
                lines += [_parameter(parameter) for parameter in parameters] + [""]
            answers = (f"{code}: {answer['description']}" for code, answer in operation["responses"].items())
            lines.append("Answers: " + "; ".join(answers) + ".\n")
    return "\n".join(lines)


def _parameter(parameter: dict[str, Any]) -> str:
    what = " ".join(str(parameter.get("description", "")).split()).replace("|", "\\|")
    return f"| `{parameter['name']}` | {parameter['in']} | {'yes' if parameter.get('required') else 'no'} | {what} |"


def service_settings() -> str:
    """Every setting of the service with its default and what it says of itself, as Markdown."""
    explained = _explained(Path(settings_module.__file__).read_text(encoding="utf-8"))
    lines = [f"{MADE}# Settings of the service\n", "Read from the environment by `diaba serve`.\n"]
    for kind in (ServiceSettings, Rates):
        lines += [f"{inspect.getdoc(kind)}\n", "| variable | default | what |", "|---|---|---|"]
        for one in fields(kind):
            if one.name != "rates":
                default = "" if one.default in (None, ()) else one.default
                lines.append(f"| `{variable(one)}` | {default} | {explained.get((kind.__name__, one.name), '')} |")
        lines.append("")
    return "\n".join(lines)


def _explained(source: str) -> dict[tuple[str, str], str]:
    """Class and field → the text that stands below the field."""
    found = {}
    for kind in ast.parse(source).body:
        if isinstance(kind, ast.ClassDef):
            for field, below in pairwise(kind.body):
                named = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
                if named and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                    found[kind.name, field.target.id] = " ".join(str(below.value.value).split())
    return found


def write(folder: Path) -> None:
    """Write all pages."""
    from api.main import create_app

    settings = Settings.from_environment({})
    app = create_app(settings, City(DEFAULT_CITY, DEFAULT_CRS, settings.home))
    pages = {
        "command_line.md": command_line(),
        "http_api.md": http_api(app.openapi()),
        "settings.md": service_settings(),
    }
    for name, text in pages.items():
        with written_whole(folder / name) as part:
            part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
