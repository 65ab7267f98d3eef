"""`diaba parcels rights`: who holds what in a parcel, on any day, as known at any moment."""

from __future__ import annotations

from datetime import date, datetime

import click

from api.cli.common import emit, existing_city, json_option
from api.cli.times import as_of_option, known_at_option


@click.command("rights")
@click.argument("uid")
@as_of_option
@known_at_option
@json_option
def command(uid: str, as_of: date | None, known_at: datetime | None, as_json: bool) -> None:
    """Who holds what share of a parcel, since when, by which paper. It names people: the writer's login is needed.

    \b
    Examples:
      diaba parcels rights p-000001
      diaba parcels rights p-000001 --as-of 2014-06-30 --known-at 2015-01-01 --json
    """
    from api.cli.rights_answers import extract_document
    from gis.access.roles import Role
    from gis.settings import Settings
    from gis.store import extracts
    from gis.store.database import Database

    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.WRITER) as connection:
        found = extracts.extract(connection, uid, as_of, known_at=known_at)
    whole = extract_document(found)
    document = {"parcel": uid, **{name: whole[name] for name in ("as_of", "known_at", "units", "rights", "groups")}}

    def text() -> None:
        for line in found.rights_lines():
            click.echo(line)

    emit(document, as_json, text)
