"""`diaba parcels find`: parcels by number, address or place, at any date."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click
from pyproj import CRS

from api.cli.common import CrsType, emit, existing_city, json_option
from api.cli.times import as_of_option, known_at_option
from gis.errors import BadParameter

if TYPE_CHECKING:
    from gis.store.parcel_search import Found, FoundParcel, When


@click.command("find")
@click.argument("text", required=False)
@click.option("--sheet", metavar="S", help="Number of the map sheet, old or new; with --parcel.")
@click.option("--parcel", metavar="P", help="Number of the parcel on its sheet, old or new.")
@click.option("--ward", metavar="CODE", help="Only in this ward; with --sheet and --parcel.")
@click.option("--at", metavar="X,Y", help="At this place: easting,northing or longitude,latitude.")
@click.option("--crs", type=CrsType(), metavar="EPSG", help="CRS of --at; the city's by default.")
@as_of_option
@known_at_option
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Parcels at most.")
@json_option
def command(
    text: str | None,
    sheet: str | None,
    parcel: str | None,
    ward: str | None,
    at: str | None,
    crs: CRS | None,
    as_of: date | None,
    known_at: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find parcels by a number ("12/345", "tờ 12 thửa 345"), words of an address with or without accents, or a place.

    \b
    Examples:
      diaba parcels find "12 nguyen trai"
      diaba parcels find --sheet 12 --parcel 345 --as-of 2015-01-01
      diaba parcels find --at 106.70,10.77 --crs EPSG:4326
    """
    from gis.access.roles import Role
    from gis.settings import Settings
    from gis.store import parcel_search
    from gis.store.database import Database
    from gis.store.parcel_search import When

    if (text is not None) + (sheet is not None or parcel is not None) + (at is not None) != 1:
        raise click.UsageError("give either TEXT, or --sheet and --parcel, or --at")
    if (sheet is None) != (parcel is None):
        raise click.UsageError("--sheet and --parcel go together")
    city = existing_city()
    when = When(as_of, known_at)
    with Database.of(city, Settings.from_environment(), start=True).open(Role.READER) as connection:
        if text is not None:
            found = parcel_search.find(connection, text, when, limit=limit)
        elif sheet is not None and parcel is not None:
            found = parcel_search.find_by_number(connection, sheet, parcel, when, ward=ward, limit=limit)
        else:
            found = parcel_search.find_at(connection, *_place(at or ""), crs, when, limit=limit)
    emit(_document(found, when), as_json, lambda: _show(found))


def _place(at: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in at.split(","))
    except ValueError:
        raise BadParameter("at", at[:40], "give two numbers: x,y") from None
    return x, y


def _document(found: Found, when: When) -> dict[str, Any]:
    return {
        "as_of": when.as_of,
        "known_at": when.known_at,
        "has_more": found.has_more,
        "parcels": [{"found_by": str(one.by), **one.attributes, "centre": _centre(one)} for one in found.parcels],
    }


def _centre(one: FoundParcel) -> list[float]:
    point = one.shape.representative_point()
    return [round(point.x, 3), round(point.y, 3)]


def _show(found: Found) -> None:
    for one in found.parcels:
        told = one.attributes
        old = f" (old {told['old_sheet_no']}/{told['old_parcel_no']})" if told["old_parcel_no"] else ""
        x, y = _centre(one)
        click.echo(
            f"{told['uid']}  sheet {told['sheet_no']} parcel {told['parcel_no']}{old}  {told['area_measured']:.1f} m²  "
            f"{told['address'] or '–'}  at {x:.1f},{y:.1f}  by {one.by}"
        )
    if found.has_more:
        click.echo("… and more: say more of the address, or give --limit")
    if not found.parcels:
        click.echo("no parcel")
