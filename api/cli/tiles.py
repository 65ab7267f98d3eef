"""`diaba tiles`: vector tiles into a file, and what stands for parcels and buildings far away made anew."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path

import click

from api.cli.common import emit, existing_city, json_option, progress, rectangle
from api.cli.times import as_of_option, known_at_option

ZOOM_MOST = 22


class ZoomType(click.ParamType[range]):
    """Zoom levels on the command line: 12-16, or one."""

    name = "zoom"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """Parse them, as wrong usage when they cannot be."""
        if isinstance(value, range):
            return value
        match = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", str(value), re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= ZOOM_MOST:
            self.fail(f"{value!r}: give zoom levels such as 8-16, at most {ZOOM_MOST}", param, ctx)
        return range(first, last + 1)


@click.group()
def command() -> None:
    """Vector tiles of the city.

    \b
    Examples:
      diaba tiles export city.pmtiles
      diaba tiles generalise
    """


@command.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--zoom", "zooms", type=ZoomType(), default="8-16", show_default=True, help="Zoom levels.")
@click.option("--bbox", metavar="W,S,E,N", help="Tiles that meet this rectangle in degrees; else the whole city.")
@click.option("--layer", "layers", multiple=True, metavar="NAME", help="A layer; may be repeated. All without it.")
@as_of_option
@known_at_option
@json_option
def export(
    out: Path,
    zooms: range,
    bbox: str | None,
    layers: tuple[str, ...],
    as_of: date | None,
    known_at: datetime | None,
    as_json: bool,
) -> None:
    """Write tiles into one PMTiles archive, the same as the service gives.

    The archive is of one state of the register. It holds no tile where nothing is.

    \b
    Examples:
      diaba tiles export city.pmtiles
      diaba tiles export q7.pmtiles --zoom 12-17 --bbox 106.69,10.72,106.75,10.76
      diaba tiles export lots.pmtiles --layer parcels --layer blocks --zoom 13-16 --as-of 2020-01-01
    """
    from api.settings import ServiceSettings
    from api.tile_export import export as write
    from api.tile_export import tiles_over
    from gis.access.roles import Role
    from gis.crs import WGS84, normalise
    from gis.errors import BadParameter, NotFound
    from gis.settings import Settings
    from gis.store.collections import Moment
    from gis.store.coverage import extent
    from gis.store.database import Database
    from gis.store.tile_layers import LAYERS
    from gis.store.tiles import TileQuery, hold_still

    if out.suffix.lower() != ".pmtiles":
        raise BadParameter("OUT", out.name, "the ending is .pmtiles")
    if unknown := [name for name in layers if name not in LAYERS]:
        raise BadParameter("layer", unknown[0], f"layers are {', '.join(LAYERS)}")
    wanted = tuple(name for name in LAYERS if not layers or name in layers)
    limits = ServiceSettings.from_environment()
    city = existing_city()
    moment = Moment(as_of, known_at=known_at)
    asked = TileQuery(0, 0, 0, wanted, moment, limits.tile_buffer, limits.features_per_layer)
    area = None if bbox is None else rectangle(bbox, normalise(WGS84), "bbox")
    # Who is given the file may give it to anybody.
    with Database.of(city, Settings.from_environment(), start=True).as_public().open(Role.READER) as connection:
        hold_still(connection)
        if area is None:
            area = extent(connection, city.crs, [one.extent_of for one in LAYERS.values() if one.extent_of])
        if area is None:
            raise NotFound("tiles", "as nothing is stored yet")
        with progress(out.name, len(tiles_over(area, zooms))) as advance:
            done = write(connection, city, out, asked, area, zooms, advance)
    document = {"file": str(out), "zoom": [zooms[0], zooms[-1]], "layers": list(wanted), **asdict(done)}
    emit(document, as_json, lambda: click.echo(f"{out}: {done.tiles} tiles, {done.bytes / 1e6:.1f} MB"))


@command.command()
@click.option("--all", "everything", is_flag=True, help="All of the city, not only what is due.")
@json_option
def generalise(everything: bool, as_json: bool) -> None:
    """Make blocks, wards and built-up areas anew where a parcel or building begins or ends by the calendar alone.

    Changes of the registers need none of it: each does it in its own transaction. Run it once a day after midnight.

    \b
    Examples:
      diaba tiles generalise
      diaba tiles generalise --all
    """
    from gis.access.roles import Role
    from gis.settings import Settings
    from gis.store.database import Database
    from gis.store.tiles import generalise as make

    city = existing_city()
    with Database.of(city, Settings.from_environment(), start=True).open(Role.WRITER) as connection:
        cells = make(connection, everything=everything)
    emit({"cells": cells}, as_json, lambda: click.echo(f"{cells} cells of 512 m made anew"))
