"""`diaba parcels`: the register of land."""

from __future__ import annotations

import click

from api.cli.common import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {}
"""Command → module that holds it as `command`, and its line in the help."""


@click.group(cls=lazy_group(COMMANDS))
def command() -> None:
    """The register of land: parcels in two times.

    \b
    Examples:
      diaba parcels show p-000001
    """
