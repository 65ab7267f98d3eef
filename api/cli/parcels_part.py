"""`diaba parcels part`: some parcels of a unit become a unit of their own."""

from __future__ import annotations

from datetime import date

import click

from api.cli.common import emit, json_option
from api.cli.parcels_change import database
from api.cli.times import DayType


@click.command("part")
@click.argument("unit")
@click.argument("parcels", metavar="PARCEL…", nargs=-1, required=True)
@click.option("--into", metavar="NAME", help="The new unit's name; that of the parcel where there is one.")
@click.option("--valid-from", type=DayType(), metavar="DAY", help="First day of the new unit; today by default.")
@click.option("--dry-run", is_flag=True, help="Say what it would do, and write nothing.")
@json_option
def command(
    unit: str, parcels: tuple[str, ...], into: str | None, valid_from: date | None, dry_run: bool, as_json: bool
) -> None:
    """Part parcels from a unit: the same rights hold over both, and each may be transferred alone from then on.

    After a split the parcel's unit holds all pieces; so this comes before one of them is sold. A mortgaged unit is not
    parted. Certificates that name the whole are told: they are to be replaced.

    \b
    Examples:
      diaba parcels part p-000002 p-000002~2 --dry-run
      diaba parcels part farm-7 p-000012 p-000013 --into farm-7-east --valid-from 2026-03-01
    """
    from api.cli.rights_answers import right_document
    from gis.access.roles import Role
    from gis.store import unit_parting

    day = valid_from or date.today()
    with database().open(Role.WRITER) as connection:
        done = unit_parting.part(connection, unit, parcels, day, into)
        if dry_run:
            connection.rollback()
    document = {
        "recorded": not dry_run,
        "since": day,
        "units": [{"uid": one.uid, "parcels": list(one.parcels)} for one in (done.kept, done.new)],
        "rights": [right_document(right) for right in done.rights],
        "certificates_to_replace": list(done.certificates),
    }

    def text() -> None:
        click.echo("dry run, nothing is written:" if dry_run else f"recorded, from {day}:")
        for one in (done.kept, done.new):
            click.echo(f"  unit {one.uid}: {', '.join(one.parcels)}")
        for right in done.rights:
            click.echo(f"  {right.party} holds {right.share} ({right.type}) in {done.new.uid}")
        for serial in done.certificates:
            click.echo(f"  note: certificate {serial} names the whole of before; replace it")

    emit(document, as_json, text)
