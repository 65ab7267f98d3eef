"""`diaba parcels grant`: the first rights in parcels that had none, from a JSON document."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.common import emit, json_option


@click.command("grant")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Tell what would be recorded, and record nothing.")
@json_option
def command(file: Path, dry_run: bool, as_json: bool) -> None:
    """Record the first rights in parcels, as of an import: unit, holders, paper, certificate; all of it or nothing.

    FILE is a JSON document: parcels, day, rights (type, share, party), source; it may have unit, until, certificate.
    docs/office.md shows one. What comes later is told by `diaba parcels transfer`.

    \b
    Examples:
      diaba parcels grant first.json --dry-run
      diaba parcels grant first.json --json
    """
    from api.cli.parcels_change import database
    from api.cli.rights_answers import certificate_document, right_document
    from gis.access.roles import Role
    from gis.land.first_rights import read_first_rights
    from gis.store import first_rights

    told = read_first_rights(file)
    with database().open(Role.WRITER) as connection:
        done = first_rights.grant(connection, told)
        if dry_run:
            connection.rollback()
    document = {
        "recorded": not dry_run,
        "since": told.day,
        "to": told.until,
        "unit": {"uid": done.unit.uid, "parcels": list(done.unit.parcels)},
        "rights": [right_document(right) for right in done.rights],
        "certificate": certificate_document(done.certificate) if done.certificate else None,
    }

    def text() -> None:
        click.echo("would record (nothing is recorded):" if dry_run else "recorded:")
        until = f" to {told.until}" if told.until else ""
        click.echo(f"  unit {done.unit.uid}: {', '.join(done.unit.parcels)}")
        for right in done.rights:
            click.echo(f"  {right.party} holds {right.share} ({right.type}) from {told.day}{until}")
        if done.certificate:
            click.echo(f"  certificate {done.certificate.serial} issued {done.certificate.issued}")

    emit(document, as_json, text)
