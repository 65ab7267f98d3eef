"""`diaba permits`: the register of building permits."""

from __future__ import annotations

import click

from api.cli.common import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {
    "due": ("api.cli.permits_due", "When an application is due, step by step."),
}
"""Command → module that holds it as `command`, and its line in the help."""


@click.group(cls=lazy_group(COMMANDS))
def command() -> None:
    """Building permits: dossiers, clocks, checks.

    \b
    Examples:
      diaba permits due --procedure single_house --filed 2026-07-01
      diaba permits check proposal.geojson
    """
