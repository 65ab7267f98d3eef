"""`diaba parcels adjust`: neighbours move their common boundary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from pyproj import CRS

from api.cli.parcels_change import (
    carry_out,
    change_options,
    cut_of,
    into_option,
    line_option,
    order_of,
    survey_crs_option,
    zone_option,
)


@click.command("adjust")
@click.argument("uids", metavar="UID…", nargs=-1, required=True)
@line_option
@into_option
@zone_option
@survey_crs_option
@change_options
def command(
    uids: tuple[str, ...], line: Path | None, into: Path | None, crs: CRS | None, as_json: bool, **told: Any
) -> None:
    """Move the common boundary of neighbours: all their land together stays, each stays the parcel it is.

    With --line each parcel gets the piece that has most of it; with --into each part names its parcel as `uid`.

    \b
    Examples:
      diaba parcels adjust p-000001 p-000002 --line line.geojson --dry-run
      diaba parcels adjust p-000001 p-000002 --into parts.geojson --legal-ref "QĐ 12/2026"
    """
    from gis.errors import BadInput
    from gis.store import land_changes

    order = order_of(told, uids)
    cut = cut_of(line, into, crs)
    if isinstance(cut, list):
        named = {part.uid: part for part in cut}
        if len(named) != len(cut) or set(named) != set(uids):
            raise BadInput(f"{into}: each part must name its parcel as uid, one for each of {', '.join(uids)}")
        cut = [named[uid] for uid in uids]
    carry_out(order, lambda connection: land_changes.adjust(connection, uids, cut, order), as_json)
