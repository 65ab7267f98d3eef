"""`diaba parcels merge`: neighbours become one parcel (hợp thửa)."""

from __future__ import annotations

from typing import Any

import click

from api.cli.parcels_change import carry_out, change_options, order_of


@click.command("merge")
@click.argument("uids", metavar="UID…", nargs=-1, required=True)
@click.option("--uid", "new_uid", metavar="UID", help="Of the new parcel; made from the first one's by default.")
@click.option("--parcel-no", metavar="NUMBER", help="Of the new parcel; the sheet's next free one by default.")
@change_options
def command(uids: tuple[str, ...], new_uid: str | None, parcel_no: str | None, as_json: bool, **told: Any) -> None:
    """Make one parcel of neighbours; they end. Where they differ, the first one's ward, sheet, use and address stay.

    \b
    Examples:
      diaba parcels merge p-000001 p-000002
      diaba parcels merge p-000001 p-000002 p-000003 --valid-from 2026-03-01 --dry-run
    """
    from gis.store import land_changes

    order = order_of(told, uids)
    new = {name: value for name, value in (("uid", new_uid), ("parcel_no", parcel_no)) if value}
    carry_out(order, lambda connection: land_changes.merge(connection, uids, order, told=new), as_json)
