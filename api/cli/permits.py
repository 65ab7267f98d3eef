"""`diaba permits`: the register of building permits."""

from __future__ import annotations

import click

from api.cli.common import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("api.cli.permits_check", "May this be built? A proposal against all planning rules."),
    "decide": ("api.cli.permits_decide", "Grant or refuse; granting writes the permit with its limits."),
    "due": ("api.cli.permits_due", "When an application is due, step by step."),
    "event": ("api.cli.permits_event", "Note what happened to a dossier."),
    "file": ("api.cli.permits_file", "File a dossier; gives its receipt number and secret."),
    "register": ("api.cli.permits_register", "High-rise and crowded public buildings; lives of buildings."),
    "replay": ("api.cli.permits_replay", "Kept verdicts made again, to the byte."),
    "status": ("api.cli.permits_status", "Where a dossier stands, and when it is due."),
    "verify": ("api.cli.permits_verify", "Prove that no event of a dossier was changed."),
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
