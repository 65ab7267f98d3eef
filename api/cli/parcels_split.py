"""`diaba parcels split`: one parcel becomes several (tách thửa)."""

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


@click.command("split")
@click.argument("uid")
@line_option
@into_option
@click.option(
    "--small-into",
    metavar="UID",
    help="The neighbour that takes, in the same change, the pieces below the minimum (Land Law 2024 art. 220).",
)
@zone_option
@survey_crs_option
@change_options
def command(
    uid: str,
    line: Path | None,
    into: Path | None,
    small_into: str | None,
    crs: CRS | None,
    as_json: bool,
    **told: Any,
) -> None:
    """Cut a parcel by a line or into given parts; it ends, the pieces begin as new parcels.

    The files are in the city's CRS unless they or --crs say otherwise. Pieces below the city's minima are refused,
    neighbours get the new points on their boundaries, what the millimetre grid changes of the area is told.

    \b
    Examples:
      diaba parcels split p-000001 --line line.geojson --dry-run
      diaba parcels split p-000001 --into parts.geojson --valid-from 2026-03-01 --dossier 26.734.0001
      diaba parcels split p-000001 --line line.geojson --small-into p-000002
    """
    from gis.store import land_changes

    order = order_of(told, [uid, *([small_into] if small_into else [])])
    cut = cut_of(line, into, crs)
    carry_out(order, lambda connection: land_changes.split(connection, uid, cut, order, small_into=small_into), as_json)
