"""`diaba parcels renumber`: a parcel gets another sheet and parcel number."""

from __future__ import annotations

from typing import Any

import click

from api.cli.parcels_change import carry_out, change_options, order_of


@click.command("renumber")
@click.argument("uid")
@click.option("--sheet", required=True, metavar="NUMBER", help="The new map sheet.")
@click.option("--parcel", required=True, metavar="NUMBER", help="The new parcel number.")
@change_options
def command(uid: str, sheet: str, parcel: str, as_json: bool, **told: Any) -> None:
    """Give a parcel another sheet and parcel number; the ones before stay beside them as the old numbers.

    \b
    Examples:
      diaba parcels renumber p-000001 --sheet 13 --parcel 45
    """
    from gis.store import land_changes

    order = order_of(told, [uid])
    carry_out(order, lambda connection: land_changes.renumber(connection, {uid: (sheet, parcel)}, order), as_json)
