"""`diaba lidar add`: point files into the catalogue."""

from __future__ import annotations

from pathlib import Path

import click
from pyproj import CRS

from api.cli.common import crs_option, emit, existing_city, json_option, tracked


@click.command("add")
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--epoch", required=True, metavar="NAME", help="Name of the survey, e.g. 2014.")
@crs_option
@json_option
def command(files: tuple[Path, ...], epoch: str, crs: CRS | None, as_json: bool) -> None:
    """Check point files and enter them into the catalogue of an epoch. A bad file is named and nothing is entered.

    \b
    Examples:
      diaba lidar add survey/*.laz --epoch 2014
      diaba lidar add ahn3_1.laz ahn3_2.laz --epoch ahn3 --crs EPSG:7415
    """
    from api.survey import add_files
    from gis.settings import Settings
    from gis.store.database import Database

    city = existing_city()
    database = Database.of(city, Settings.from_environment(), start=True)
    added = add_files(database, city, list(tracked("checking", files, len(files))), epoch, crs=crs)
    points = sum(record.header.point_count for record in added if record.header is not None)
    emit(
        {"epoch": epoch, "files": len(added), "points": points},
        as_json,
        lambda: click.echo(f"{len(added)} files with {points:,} points in epoch {epoch}"),
    )
