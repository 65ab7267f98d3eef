"""`diaba parcels show`: a parcel on a day, as the register knew it at a moment."""

from __future__ import annotations

from datetime import date, datetime

import click

from api.cli.common import emit, json_option
from api.cli.parcels_change import change_told, database, number_of, parcel_told
from api.cli.times import as_of_option, known_at_option


@click.command("show")
@click.argument("uid")
@as_of_option
@known_at_option
@json_option
def command(uid: str, as_of: date | None, known_at: datetime | None, as_json: bool) -> None:
    """Show a parcel: its numbers, areas, use, times, the change that made it; with --json its outline too.

    \b
    Examples:
      diaba parcels show p-000001
      diaba parcels show p-000001 --as-of 2015-06-30 --known-at 2020-01-01T00:00:00+07:00 --json
    """
    import json

    import shapely

    from gis.access.roles import Role
    from gis.store import lineage

    with database().open(Role.READER) as connection:
        found = lineage.parcel_at(connection, uid, as_of, known_at=known_at)
        change = None if found.change is None else lineage.find_change(connection, found.change)
    parcel = parcel_told(found.parcel)
    document = parcel | {
        "recorded_from": found.recorded_from,
        "recorded_to": found.recorded_to,
        "change": None if change is None else change_told(change),
        "geometry": json.loads(shapely.to_geojson(found.parcel.polygon)),
    }

    def text() -> None:
        click.echo(f"{uid}, version {parcel['version']}")
        click.echo(f"  ward {parcel['ward_code'] or '–'}  sheet/parcel {number_of(parcel)}")
        if parcel["old_sheet_no"] or parcel["old_parcel_no"]:
            click.echo(f"  before {parcel['old_sheet_no'] or '–'}/{parcel['old_parcel_no'] or '–'}")
        legal = "–" if parcel["area_legal"] is None else f"{parcel['area_legal']:g} m²"
        click.echo(f"  area {parcel['area_measured']:.3f} m² measured, {legal} by the papers")
        click.echo(f"  use {parcel['land_use'] or '–'}  {parcel['address'] or ''}".rstrip())
        if found.parcel.land_uses:
            for portion in found.parcel.land_uses:
                click.echo(f"    {portion}")
        click.echo(f"  so from {parcel['valid_from'] or '…'} to {parcel['valid_to'] or '…'}")
        click.echo(f"  recorded {found.recorded_from.isoformat(timespec='seconds')}")
        if change is not None:
            papers = ", ".join(str(part) for part in (change.basis.legal_ref, change.basis.dossier) if part)
            click.echo(f"  by change {change.id}: {change.kind.value}{', ' + papers if papers else ''}")

    emit(document, as_json, text)
