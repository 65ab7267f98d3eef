"""`diaba db key`: keys of machines, which ask the service without a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from api.cli.common import emit, existing_city, json_option
from gis.access.api_keys import ApiKey
from gis.access.roles import Role
from gis.settings import Settings

if TYPE_CHECKING:
    from gis.store.database import Database


@click.group("key")
def command() -> None:
    """Keys of machines: what a program shows to be answered in its own name.

    \b
    Examples:
      diaba db key add map-server --grant inspection:26734
      diaba db key list
      diaba db key revoke 0123456789ab
    """


@command.command()
@click.argument("subject")
@click.option(
    "--grant", "grants", multiple=True, required=True, metavar="DEPARTMENT:AREA[:change]", help="Again for more."
)
@click.option("--days", default=365, show_default=True, help="How long it is valid.")
@json_option
def add(subject: str, grants: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make a key and show it, this once: only a hash is kept.

    \b
    Examples:
      diaba db key add map-server --grant inspection:26734 --days 90
      diaba db key add exchange --grant land:760:change --json
    """
    from gis.store import api_keys

    with _database().open(Role.OWNER) as connection:
        told, made = api_keys.add(connection, subject, grants, days)
    emit({"key": told, **_document(made)}, as_json, lambda: click.echo(told))


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The keys there are, also those expired or revoked; none can be shown again.

    \b
    Examples:
      diaba db key list
      diaba db key list --json
    """
    from gis.store import api_keys

    with _database().open(Role.OWNER) as connection:
        found = api_keys.listed(connection)

    def text() -> None:
        for one in found:
            state = f"revoked {one.revoked:%Y-%m-%d}" if one.revoked else f"until {one.expires:%Y-%m-%d}"
            click.echo(f"{one.prefix}  {state}  {one.subject}  {' '.join(one.grants)}")

    emit({"keys": [_document(one) for one in found]}, as_json, text)


@command.command()
@click.argument("prefix")
@json_option
def revoke(prefix: str, as_json: bool) -> None:
    """Make a key worthless, within seconds. PREFIX is its middle part, as `list` shows it.

    \b
    Examples:
      diaba db key revoke 0123456789ab
    """
    from gis.store import api_keys

    with _database().open(Role.OWNER) as connection:
        found = api_keys.revoke(connection, prefix)
    emit(_document(found), as_json, lambda: click.echo(f"{found.prefix} of {found.subject} is revoked"))


def _database() -> Database:
    from gis.store.database import Database

    return Database.of(existing_city(), Settings.from_environment(), start=True)


def _document(one: ApiKey) -> dict[str, object]:
    return {**asdict(one), "grants": list(one.grants)}
