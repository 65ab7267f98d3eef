"""`diaba lidar build`: the catalogue's tiles to products in the store."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import click

from api.cli.common import EXIT_FAILED, emit, existing_city, json_option, progress, rectangle

SPEED_PERIOD = 3600.0
"""s: a tile takes minutes, and tiles end in bursts."""


@click.command("build")
@click.option("--epoch", metavar="NAME", help="Which survey; the only one there is by default.")
@click.option("--area", metavar="X0,Y0,X1,Y1", help="Only tiles that touch this rectangle, in the city's CRS.")
@click.option("--scheduler", "address", metavar="URL", help="A dask.distributed scheduler, e.g. tcp://host:8786.")
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Local processes.")
@click.option("--resolution", type=float, default=0.5, show_default=True, help="Cell size in metres.")
@click.option("--tile-size", type=float, default=1000.0, show_default=True, help="Metres.")
@click.option(
    "--parcel-lines",
    is_flag=True,
    help="Part outlines derived from points at the register's parcel lines too; a parcel that changes later makes the "
    "tiles around it anew.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    epoch: str | None,
    area: str | None,
    address: str | None,
    workers: int,
    resolution: float,
    tile_size: float,
    parcel_lines: bool,
    as_json: bool,
) -> None:
    """Turn a survey into terrain and buildings, tile by tile. Stopped at any moment, it goes on where it was.

    \b
    Examples:
      diaba lidar build
      diaba lidar build --parcel-lines
      diaba lidar build --epoch 2014 --area 603000,1191000,604000,1192000
      diaba lidar build --scheduler tcp://127.0.0.1:8786
    """
    from api.build import BuildParameters, build
    from api.survey import only_epoch
    from gis.crs import horizontal
    from gis.settings import Settings
    from gis.store.database import Database

    city = existing_city()
    database = Database.of(city, Settings.from_environment(), start=True)
    bounds = None if area is None else rectangle(area, horizontal(city.crs))
    with progress("tiles", None, period=SPEED_PERIOD) as advance:
        remaining = Remaining()

        def on_tile(done: int, total: int, key: str) -> None:
            advance(1 if done else 0, total)
            if not sys.stderr.isatty():
                click.echo(remaining.line(done, total, key), err=True)

        summary = build(
            database,
            city,
            epoch or only_epoch(database),
            area=bounds,
            scheduler_address=address,
            workers=workers,
            parameters=BuildParameters(tile_size, resolution, parcel_lines),
            on_tile=on_tile,
        )
    document = {
        "tiles_done": summary.done,
        "tiles_unchanged": summary.unchanged,
        "tiles_failed": dict(summary.failed),
        "points": summary.points,
        "points_per_s": round(summary.points / summary.seconds) if summary.points else 0,
        "buildings": summary.buildings,
        "seconds": summary.seconds,
    }

    def text() -> None:
        rows = [
            ("tiles made", f"{summary.done:,}"),
            ("tiles up to date", f"{summary.unchanged:,}"),
            ("tiles failed", f"{len(summary.failed):,}"),
            ("points", f"{summary.points:,}"),
            ("points/s", f"{document['points_per_s']:,}"),
            ("buildings", f"{summary.buildings:,}"),
            ("time", f"{timedelta(seconds=round(summary.seconds))}"),
        ]
        for name, value in rows:
            click.echo(f"{name:<17}{value:>15}")
        for key, reason in sorted(summary.failed.items()):
            click.echo(f"failed {key}: {reason}", err=True)

    emit(document, as_json, text)
    if summary.failed:
        ctx.exit(EXIT_FAILED)


class Remaining:
    """How far a build is, in lines for a log, where there is no terminal to draw on."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def line(self, done: int, total: int, key: str) -> str:
        """Of tiles done so far; the time left is told from the mean of those."""
        if not done:
            return f"{total} tiles to make"
        left = timedelta(seconds=round((time.monotonic() - self._started) / done * (total - done)))
        return f"tile {done} of {total}, {key}; time left {left}"
