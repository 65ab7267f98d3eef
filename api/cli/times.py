"""The two times a question to the registers may have, as options."""

from __future__ import annotations

from datetime import UTC, date, datetime

import click

as_of_option = click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="As it was on this day; today by default."
)
known_at_option = click.option(
    "--known-at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]),
    metavar="TIME",
    help="As the register knew it then (UTC without an offset); now by default.",
)


def day_of(given: datetime | None) -> date | None:
    """The day of an option, which click reads as midnight."""
    return None if given is None else given.date()


def moment_of(given: datetime | None) -> datetime | None:
    """The moment of an option; UTC where it names no zone."""
    return given if given is None or given.tzinfo else given.replace(tzinfo=UTC)
