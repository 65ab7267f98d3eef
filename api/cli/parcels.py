"""`diaba parcels`: the register of land."""

from __future__ import annotations

import click

from api.cli.common import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {
    "export": ("api.cli.parcels_export", "Parcels of a day into a file."),
    "find": ("api.cli.parcels_find", "Parcels by number, address or place."),
    "import": ("api.cli.parcels_import", "Parcels of files, checked, then all or nothing."),
}
"""Command → module that holds it as `command`, and its line in the help."""


@click.group(cls=lazy_group(COMMANDS))
def command() -> None:
    """The register of land: parcels in two times.

    \b
    Examples:
      diaba parcels import lots.shp --dry-run
      diaba parcels find "12/345"
    """
