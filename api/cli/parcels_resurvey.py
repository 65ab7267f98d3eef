"""`diaba parcels resurvey`: parcels get the outlines of a new survey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from pyproj import CRS

from api.cli.parcels_change import carry_out, change_options, cut_of, order_of, survey_crs_option


@click.command("resurvey")
@click.argument("parts", metavar="PARTS.geojson", type=click.Path(path_type=Path))
@survey_crs_option
@change_options
def command(parts: Path, crs: CRS | None, as_json: bool, **told: Any) -> None:
    """Give parcels the outlines of a new survey; each part names its parcel as `uid`.

    Their land may be another than before. Outlines that overlap a neighbour, or leave land along one to nobody, are
    refused: survey both in one change.

    \b
    Examples:
      diaba parcels resurvey survey.geojson --dry-run
      diaba parcels resurvey survey.geojson --valid-from 2026-03-01 --legal-ref "survey 26/2026"
    """
    from gis.errors import BadInput
    from gis.store import land_changes

    cut = cut_of(None, parts, crs)
    listed = cut if isinstance(cut, list) else []
    outlines = {part.uid: part for part in listed if part.uid}
    if len(outlines) != len(listed):
        raise BadInput(f"{parts}: each part must name its parcel as uid, each parcel once")
    order = order_of(told, list(outlines))
    carry_out(order, lambda connection: land_changes.resurvey(connection, outlines, order), as_json)
