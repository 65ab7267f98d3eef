"""`diaba lidar`: point clouds in; terrain, buildings and reports out. Each command is a file of its own."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "inspect": ("api.cli.lidar_inspect", "What a point file holds and what is wrong with it."),
}
"""Command → module that holds it as `command`, and its line in the help. Modules load when they are used."""


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=_LazyGroup)
def command() -> None:
    """Point clouds in; terrain, buildings and reports out.

    \b
    Examples:
      diaba lidar inspect tile.laz
    """
