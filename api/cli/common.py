"""What all commands share: exit codes, `--json`, progress on stderr, the city in use."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click
import orjson
from pyproj import CRS

from gis.crs import normalise
from gis.errors import BadCrs, BadParameter, NotFound
from gis.settings import City, Settings

if TYPE_CHECKING:
    from gis.bounds import BoundingBox

EXIT_FAILED = 1
EXIT_BAD_INPUT = 3
EXIT_STORE_UNREACHABLE = 4

T = TypeVar("T")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else.")


class CrsType(click.ParamType[CRS]):
    """A CRS on the command line: EPSG:9210, EPSG:9210+5727, a number or WKT."""

    name = "crs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> CRS:
        """Parse it, as wrong usage when it cannot be."""
        try:
            return normalise(value)
        except BadCrs as error:
            self.fail(str(error), param, ctx)


class PointFile(click.Path):
    """A point file on the command line: a path, or the address of a file on a web server, which stays as it is."""

    name = "file"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A `Path`, or the address as text."""
        if isinstance(value, str) and value.lower().startswith(("http://", "https://")):
            return value
        return super().convert(value, param, ctx)


crs_option = click.option(
    "--crs",
    type=CrsType(),
    metavar="EPSG",
    help="CRS of input that does not say its own, e.g. EPSG:9210+5727.",
)

engine_option = click.option(
    "--engine",
    type=click.Choice(["native", "pdal"]),
    default="native",
    show_default=True,
    help="Which engine does the work.",
)

png_option = click.option("--png", type=click.Path(path_type=Path), help="Also draw the result here.")


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for, so that `--help` answers at once."""

    modules: Mapping[str, tuple[str, str]] = {}
    """Command → module that holds it as `command`, and its line in the help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in alphabetical order."""
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, its module imported now."""
        if cmd_name not in self.modules:
            return None
        found: click.Command = importlib.import_module(self.modules[cmd_name][0]).command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing anything."""
        if not self.modules:
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.modules[name][1]) for name in self.list_commands(ctx)])


def lazy_group(commands: Mapping[str, tuple[str, str]]) -> type[LazyGroup]:
    """The class of a group with these commands, for `click.group(cls=…)`."""
    return type("LazyGroup", (LazyGroup,), {"modules": commands})


def current_city() -> City:
    """The city of `--city` or DIABA_CITY, or the only one there is."""
    asked = click.get_current_context().find_root().obj
    return Settings.from_environment().city(asked)


def existing_city() -> City:
    """The city in use, which must have been made: a mistyped name makes no new one in the private cluster.

    Raises:
        NotFound: there is no such city.
    """
    city = current_city()
    if not city.exists and Settings.from_environment().database_url is None:
        raise NotFound("city", f"{city.name}; make it with: diaba --city {city.name} db migrate")
    return city


def rectangle(text: str, crs: CRS, name: str = "area") -> BoundingBox:
    """The rectangle of an option, `--area` if not told otherwise: x0,y0,x1,y1.

    Raises:
        BadParameter: it is not four numbers, or its corners are in the wrong order.
    """
    from gis.bounds import BoundingBox

    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        raise BadParameter(name, text, "give four numbers: x0,y0,x1,y1") from None
    return BoundingBox(x0, y0, x1, y1, crs)


def emit(document: Mapping[str, Any] | list[Any], as_json: bool, text: Callable[[], None]) -> None:
    """Print the document as JSON, or let `text` draw it for a person."""
    if as_json:
        options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
        click.echo(orjson.dumps(document, option=options, default=str).decode())
    else:
        text()


class Advance(Protocol):
    """Tells a progress bar of steps done, and how many there are to do where that was not known before."""

    def __call__(self, steps: int, total: int | None = None) -> None:
        """Draw it."""


@contextmanager
def progress(title: str, total: int | None, *, period: float = 30.0) -> Iterator[Advance]:
    """A progress bar with time left, on stderr; silent where stderr is no terminal. Yields `advance(steps)`.

    Args:
        title: before the bar.
        total: steps to do; None until `advance` tells.
        period: s of work whose speed the time left is told from; several steps long.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, speed_estimate_period=period) as bar:
        task = bar.add_task(title, total=total)

        def advance(steps: int, total: int | None = None) -> None:
            bar.update(task, advance=steps, total=total)

        yield advance


def tracked(title: str, items: Iterable[T], total: int | None = None) -> Iterator[T]:
    """Iterate with a progress bar."""
    with progress(title, total) as advance:
        for item in items:
            yield item
            advance(1)
