"""`diaba parcels import`: parcels of files, checked against the register, then all of them or nothing."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pyproj import CRS

from api.cli.common import EXIT_BAD_INPUT, CrsType, emit, existing_city, json_option, progress

if TYPE_CHECKING:
    from gis.land.exchange.record import Incoming, Reading
    from gis.store.parcel_staging import Imported

CHECKS = 3
"""Steps of a check: place, match, neighbours."""
SHOWN = 20
"""Problems that are listed for a person; the report has all."""


@click.command("import")
@click.argument("files", type=click.Path(path_type=Path, dir_okay=False), nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--crs", type=CrsType(), metavar="EPSG", help="CRS of the coordinates, in place of what the files say of it."
)
@click.option("--layer", metavar="L", help="Which layer; of a drawing: the layer of the boundaries.")
@click.option(
    "--map",
    "names",
    metavar="FIELD=COLUMN",
    multiple=True,
    help="Which column holds an attribute; of a drawing: which layer its texts are on.",
)
@click.option(
    "--set", "constants", metavar="FIELD=VALUE", multiple=True, help="An attribute's value where the file has none."
)
@click.option("--encoding", metavar="NAME", help="Of a Shapefile's or CSV's texts: utf-8, cp1258, tcvn3, vni …")
@click.option(
    "--valid-from",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="Since when it is so, where a file does not say; today by default.",
)
@click.option(
    "--scale",
    type=click.IntRange(100, 25_000),
    default=500,
    show_default=True,
    help="Denominator of the map's scale, by which areas may differ.",
)
@click.option("--dry-run", is_flag=True, help="Check and report, write nothing.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write what was found as a GeoPackage.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[Path, ...],
    crs: CRS | None,
    layer: str | None,
    names: tuple[str, ...],
    constants: tuple[str, ...],
    encoding: str | None,
    valid_from: datetime | None,
    scale: int,
    dry_run: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Record the parcels of Shapefile, GeoPackage, GeoJSON, DXF, CSV, GML or exchange XML (.xml).

    Everything is checked first: outlines, numbers, overlaps, gaps, areas, and whether the coordinates are where the
    file says. An error stops the import and nothing is written; warnings do not. Parcels the register has already as
    they are change nothing, so the same file may be imported again. An import that was stopped continues where it
    stood when it is begun again with the same files and options.

    \b
    Examples:
      diaba parcels import lots.gpkg --dry-run --report lots-report.gpkg
      diaba parcels import sheet12.dxf --crs EPSG:9210 --set ward_code=26734
      diaba parcels import thua.shp --map sheet_no=SO_TO --map parcel_no=SO_THUA --encoding tcvn3
    """
    from gis.access.roles import Role
    from gis.crs import horizontal
    from gis.land.exchange.record import Reading
    from gis.land.exchange.report import write_report
    from gis.settings import Settings
    from gis.store import parcel_import, parcel_staging
    from gis.store.database import Database

    city = existing_city()
    reading = Reading(
        None if crs is None else horizontal(crs), layer, _pairs("map", names), _pairs("set", constants), encoding
    )
    day = None if valid_from is None else valid_from.date()
    with progress("Parcels", None) as advance:
        database = Database.of(city, Settings.from_environment(), start=True)
        if dry_run:
            incoming = _read(files, reading)
            with database.open(Role.WRITER) as connection:
                checked = parcel_import.check(
                    connection,
                    incoming,
                    valid_from=day or date.today(),
                    scale=scale,
                    step=lambda _: advance(1, CHECKS),
                )
            done = parcel_staging.Imported(checked.report, False, 0, 1, day or date.today())
        else:
            done = parcel_staging.run(
                database,
                files,
                reading,
                lambda: _read(files, reading),
                valid_from=day,
                scale=scale,
                advance=lambda total: advance(1, total),
            )
    found = done.report
    if report is not None:
        write_report(report, found, horizontal(city.crs))
    document = {**found.document(), "written": done.written, "blocks": done.blocks, "continued": done.continued}
    emit(document, as_json, lambda: _show(done, dry_run, report))
    if found.errors:
        ctx.exit(EXIT_BAD_INPUT)


def _read(files: tuple[Path, ...], reading: Reading) -> list[Incoming]:
    from gis.land.exchange.files import read

    return [read(path, reading) for path in files]


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    from gis.land.exchange.record import FIELDS

    pairs: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or name not in FIELDS or not value:
            raise click.BadParameter(
                f"{text!r}: give FIELD=…, FIELD one of {', '.join(FIELDS)}", param_hint=f"--{option}"
            )
        pairs[name] = value
    return pairs


def _show(done: Imported, dry_run: bool, report: Path | None) -> None:
    found = done.report
    for problem in found.problems[:SHOWN]:
        click.echo(f"{problem.severity:7} {problem.kind}: {problem.record}: {problem.en}")
    if len(found.problems) > SHOWN:
        where = f"all are in {report}" if report else "--report FILE.gpkg or --json has all"
        click.echo(f"… and {len(found.problems) - SHOWN} more; {where}")
    if done.continued:
        click.echo(
            f"continued: {done.continued} of {done.blocks} blocks were checked before; "
            f"{done.valid_from} is the day of what does not say one"
        )
    click.echo(
        f"{len(found.records)} parcels: {found.new} new, {found.changed} changed, {found.unchanged} known as they are; "
        f"{len(found.errors)} errors, {len(found.warnings)} warnings"
    )
    if done.written and not found.new and not found.changed:
        click.echo("nothing had to be written")
        return
    refused = " (dry run)" if dry_run else ": correct the errors first"
    click.echo("written" if done.written else f"nothing is written{refused}")
