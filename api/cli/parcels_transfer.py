"""`diaba parcels transfer`: a sale, inheritance, gift, division, mortgage or discharge, from a JSON document."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.common import emit, existing_city, json_option


@click.command("transfer")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@json_option
def command(file: Path, dry_run: bool, as_json: bool) -> None:
    """Record a transfer of rights, a mortgage or its discharge: all of it or nothing.

    FILE is a JSON document: kind (sale, inheritance, gift, division, mortgage, discharge), unit, type, day, from, to,
    source. docs/office.md shows each.

    \b
    Examples:
      diaba parcels transfer sale.json --dry-run
      diaba parcels transfer sale.json --json
    """
    from api.cli.rights_answers import right_document
    from gis.access.roles import Role
    from gis.land.transfer_document import read_document
    from gis.settings import Settings
    from gis.store import transfers
    from gis.store.database import Database

    told = read_document(file)
    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.WRITER) as connection:
        done = transfers.carry_out(connection, told)
        if dry_run:
            connection.rollback()
    document = {
        "recorded": not dry_run,
        "changes": [
            {"party": one.party, "since": one.start, "to": one.end, "share": str(one.share)} for one in done.changes
        ],
        "mortgage": right_document(done.mortgage) if done.mortgage else None,
        "discharged": list(done.discharged),
    }

    def text() -> None:
        click.echo("would change (nothing is recorded):" if dry_run else "recorded:")
        for one in done.changes:
            until = f" to {one.end}" if one.end else ""
            click.echo(f"  {one.party} holds {one.share or 'nothing'} from {one.start}{until}")
        if done.mortgage and done.mortgage.mortgage:
            rank = done.mortgage.mortgage.rank
            click.echo(
                f"  mortgage {done.mortgage.id} of {done.mortgage.party}, rank {rank}, from {done.mortgage.start}"
            )
        for mortgage in done.discharged:
            click.echo(f"  mortgage {mortgage} ends")

    emit(document, as_json, text)
