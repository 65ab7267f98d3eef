"""What the pages show is what the program says; every command and every route is shown once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from api.cli.main import diaba
from api.main import create_app
from gis.settings import DEFAULT_CITY, DEFAULT_CRS, City, Settings
from scripts.docs.__main__ import pages
from scripts.docs.homes import CHECKOUT, Homes, own_folder
from scripts.docs.page import Page, read_page
from scripts.docs.runner import differences
from scripts.docs.shown import asked, called, calls, commands, loose, routes, shown_commands, shown_routes

COMMANDS_NOT_SHOWN: dict[str, str] = {}
"""Command → why no page can run it."""
ROUTES_NOT_SHOWN: dict[tuple[str, str], str] = {}
"""Method and path → why no page can ask it."""


@pytest.fixture(scope="module")
def homes() -> Iterator[Homes]:
    """The cities pages begin with, made once for all pages."""
    with own_folder() as folder:
        yield Homes(folder)


@pytest.fixture(scope="module")
def read() -> list[Page]:
    return [read_page(path) for path in pages()]


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the service says of its routes."""
    home = tmp_path_factory.mktemp("nothing")
    app = create_app(Settings(home, None, None), City(DEFAULT_CITY, DEFAULT_CRS, home))
    return app.openapi()


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_a_page_shows_what_the_program_says(path: Path, homes: Homes) -> None:
    found = [str(one) for one in differences(read_page(path), homes)]
    hint = "put the page right, or let the program do it: python -m scripts.docs --write"
    assert not found, "\n".join([f"{len(found)} differences", *found, hint])


def test_every_command_is_shown_once(read: list[Page]) -> None:
    there = set(commands(diaba, click.Context(diaba, info_name="diaba")))
    missing = sorted(there - shown_commands(read, diaba) - COMMANDS_NOT_SHOWN.keys())
    assert not missing, f"in no console block of README.md and docs/*.md: {', '.join(missing)}"
    assert COMMANDS_NOT_SHOWN.keys() <= there - shown_commands(read, diaba), "exceptions that are none any more"


def test_every_route_is_shown_once(read: list[Page], description: dict[str, Any]) -> None:
    there = routes(description)
    shown = shown_routes(read, there)
    missing = sorted(there - shown - ROUTES_NOT_SHOWN.keys(), key=lambda one: (one[1], one[0]))
    listed = "\n".join(f"  {method} {path}" for method, path in missing)
    assert not missing, f"asked by no block that is run in README.md and docs/*.md:\n{listed}"
    assert ROUTES_NOT_SHOWN.keys() <= there - shown, "exceptions that are none any more"


def test_a_command_and_a_route_that_are_not_shown_are_found(read: list[Page], description: dict[str, Any]) -> None:
    one = "diaba permits due"
    without = [
        Page(
            page.path,
            page.home,
            tuple(b for b in page.blocks if "permits due" not in b.text and "/health/live" not in b.text),
            page.lines,
        )
        for page in read
    ]
    assert one in shown_commands(read, diaba) - shown_commands(without, diaba)
    there = routes(description)
    assert ("GET", "/health/live") in shown_routes(read, there) - shown_routes(without, there)


def test_a_request_goes_to_the_operation_with_the_fewest_variables() -> None:
    there = {("GET", "/tiles/{z}"), ("GET", "/tiles/all"), ("POST", "/tiles/all"), ("GET", "/")}
    assert asked("GET", "http://127.0.0.1:8000/tiles/all?x=/a", there) == ("GET", "/tiles/all")
    assert asked("GET", "http://127.0.0.1:8000/tiles/3", there) == ("GET", "/tiles/{z}")
    assert asked("GET", "http://127.0.0.1:8000", there) == ("GET", "/")
    assert asked("PUT", "http://127.0.0.1:8000/tiles/all", there) is None
    assert called("--city q7 parcels document add x.pdf --uid a", diaba) == "diaba parcels document add"
    assert called("parcels", diaba) is None


def test_no_command_stands_in_a_page_without_being_run_or_saying_why(read: list[Page]) -> None:
    found = [f"{page.path.relative_to(CHECKOUT)}:{block.line}" for page in read for block in loose(page)]
    told = "fence them as ```console with `$ ` before each command, or say why not: <!-- not run: … -->"
    assert not found, f"commands that nobody runs at {', '.join(found)}; {told}"


def test_commands_that_are_not_run_have_names_and_options_there_are(read: list[Page]) -> None:
    wrong = []
    for page in read:
        for block in page.blocks:
            if block.not_run is None:
                continue
            for call in calls(block.text):
                command = called(call, diaba)
                if call.startswith("--help"):
                    continue
                if command is None:
                    wrong.append(f"{page.path.name}:{block.line}: no command `diaba {call}`")
                    continue
                options = _options(command)
                wrong += [
                    f"{page.path.name}:{block.line}: `{command}` has no {option}"
                    for option in re.findall(r"(?<=\s)--[a-z-]+", call)
                    if option not in options
                ]
    assert not wrong


def _options(path: str) -> set[str]:
    """The options of a command and of `diaba` itself."""
    command: click.Command = diaba
    found = {option for parameter in diaba.params for option in parameter.opts}
    for word in path.split()[1:]:
        assert isinstance(command, click.Group)
        inner = command.get_command(click.Context(command), word)
        assert inner is not None
        command = inner
    return found | {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
