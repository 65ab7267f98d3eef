"""`diaba parcels use`: parcels change their land use, whole or in part."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from api.cli.parcels_change import carry_out, change_options, order_of
from api.cli.times import DayType


@click.command("use")
@click.argument("uids", metavar="UID…", nargs=-1, required=True)
@click.option("--to", "land_use", required=True, metavar="CODE", help="The new land use, e.g. ODT, CLN, TMD.")
@click.option("--area", type=float, metavar="M2", help="Of a part alone, m²; the rest keeps its use.")
@click.option("--from", "before", metavar="CODE", help="The use the part had, of a parcel with several.")
@click.option("--term", type=DayType(), metavar="DAY", help="Last day of the part's term; without it for long.")
@click.option("--origin", metavar="TEXT", help="How the part came to its use, e.g. allocated or leased by the State.")
@change_options
def command(
    uids: tuple[str, ...],
    land_use: str,
    area: float | None,
    before: str | None,
    term: date | None,
    origin: str | None,
    as_json: bool,
    **told: Any,
) -> None:
    """Change the land use of parcels (chuyển mục đích sử dụng đất), of each whole or, with --area, of a part of one.

    A parcel with several uses keeps the area of each; together they are its area by the papers, or as measured where
    no paper states it.

    \b
    Examples:
      diaba parcels use p-000001 --to ODT --legal-ref "QĐ 45/2026"
      diaba parcels use p-000001 --to CLN --area 40 --term 2075-12-31
    """
    from gis.errors import BadParameter
    from gis.land.land_use import portion
    from gis.store import land_changes

    if not (land_use.isalpha() and land_use.isupper() and len(land_use) == 3):
        raise BadParameter("to", land_use, "a land use is a code of three capital letters, such as ODT")
    order = order_of(told, uids)
    if area is None:
        if before or term or origin:
            raise click.UsageError("--from, --term and --origin are of a part: give its --area")
        carry_out(order, lambda connection: land_changes.change_use(connection, uids, land_use, order), as_json)
        return
    if len(uids) != 1:
        raise click.UsageError("--area is of one parcel")
    after = portion(land_use, area, term, origin)
    carry_out(
        order,
        lambda connection: land_changes.change_use_of_part(connection, uids[0], before, after, order),
        as_json,
    )
