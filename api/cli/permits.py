"""`diaba permits`: the register of building permits."""

from __future__ import annotations

import click

from api.cli.common import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("api.cli.permits_check", "May this be built? A proposal against all planning rules."),
    "replay": ("api.cli.permits_replay", "Kept verdicts made again, to the byte."),
}
"""Command → module that holds it as `command`, and its line in the help."""


@click.group(cls=lazy_group(COMMANDS))
def command() -> None:
    """Building permits: dossiers, clocks, checks.

    \b
    Examples:
      diaba permits check proposal.geojson
    """
