"""`diaba permits`: the register of building permits."""

from __future__ import annotations

import click

from api.cli.common import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {
    "register": ("api.cli.permits_register", "High-rise and crowded public buildings; lives of buildings."),
}
"""Command → module that holds it as `command`, and its line in the help."""


@click.group(cls=lazy_group(COMMANDS))
def command() -> None:
    """Building permits: dossiers, clocks, checks.

    \b
    Examples:
      diaba permits check proposal.geojson
    """
