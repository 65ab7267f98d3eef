"""`diaba parcels extract`: an extract of a parcel, for those who may see people."""

from __future__ import annotations

from datetime import date, datetime

import click

from api.cli.common import emit, existing_city, json_option
from api.cli.times import as_of_option, known_at_option


@click.command("extract")
@click.argument("uid")
@as_of_option
@known_at_option
@json_option
def command(uid: str, as_of: date | None, known_at: datetime | None, as_json: bool) -> None:
    """Who, what, where, since when, by which paper, and what the register believed when that day ended.

    It names people, and of identity numbers shows the last three digits: the writer's login is needed.

    \b
    Examples:
      diaba parcels extract p-000001
      diaba parcels extract p-000001 --as-of 2014-06-30 --json
    """
    from api.cli.rights_answers import extract_document
    from gis.access.roles import Role
    from gis.settings import Settings
    from gis.store import extracts
    from gis.store.database import Database

    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.WRITER) as connection:
        found = extracts.extract(connection, uid, as_of, known_at=known_at)

    def text() -> None:
        for line in found.lines():
            click.echo(line)

    emit(extract_document(found), as_json, text)
