"""`diaba parcels use`: parcels change their land use."""

from __future__ import annotations

from typing import Any

import click

from api.cli.parcels_change import carry_out, change_options, order_of


@click.command("use")
@click.argument("uids", metavar="UID…", nargs=-1, required=True)
@click.option("--to", "land_use", required=True, metavar="CODE", help="The new land use, e.g. ODT, CLN, TMD.")
@change_options
def command(uids: tuple[str, ...], land_use: str, as_json: bool, **told: Any) -> None:
    """Change the land use of parcels (chuyển mục đích sử dụng đất).

    \b
    Examples:
      diaba parcels use p-000001 --to ODT --legal-ref "QĐ 45/2026"
    """
    from gis.errors import BadParameter
    from gis.store import land_changes

    if not (land_use.isalpha() and land_use.isupper() and len(land_use) == 3):
        raise BadParameter("to", land_use, "a land use is a code of three capital letters, such as ODT")
    order = order_of(told, uids)
    carry_out(order, lambda connection: land_changes.change_use(connection, uids, land_use, order), as_json)
