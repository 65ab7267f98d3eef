"""`diaba parcels import`: parcels of files, checked against the register, then all of them or nothing."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pyproj import CRS

from api.cli.common import EXIT_BAD_INPUT, CrsType, emit, existing_city, json_option, progress

if TYPE_CHECKING:
    from gis.land.exchange.record import Incoming, Reading
    from gis.land.exchange.report import ImportReport

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
    they are change nothing, so the same file may be imported again.

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
    from gis.store import parcel_import
    from gis.store.database import Database

    city = existing_city()
    reading = Reading(
        None if crs is None else horizontal(crs), layer, _pairs("map", names), _pairs("set", constants), encoding
    )
    day = date.today() if valid_from is None else valid_from.date()
    with progress("Parcels", None) as advance:
        incoming = _read(files, reading, advance)
        database = Database.of(city, Settings.from_environment(), start=True)
        with database.open(Role.WRITER) as connection:
            checked = parcel_import.check(
                connection, incoming, valid_from=day, scale=scale, step=lambda _: advance(1, _steps(files))
            )
            found = checked.report
            written = not dry_run and not found.errors
            if written:
                parcel_import.save(connection, checked)
            advance(1)
    if report is not None:
        write_report(report, found, horizontal(city.crs))
    emit({**found.document(), "written": written}, as_json, lambda: _show(found, written, dry_run, report))
    if found.errors:
        ctx.exit(EXIT_BAD_INPUT)


def _steps(files: tuple[Path, ...]) -> int:
    """Files to read, four parts of the check, and the writing."""
    return len(files) + 5


def _read(files: tuple[Path, ...], reading: Reading, advance: Any) -> list[Incoming]:
    from gis.land.exchange.files import read

    incoming = []
    for path in files:
        incoming.append(read(path, reading))
        advance(1, _steps(files))
    return incoming


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


def _show(found: ImportReport, written: bool, dry_run: bool, report: Path | None) -> None:
    for problem in found.problems[:SHOWN]:
        click.echo(f"{problem.severity:7} {problem.kind}: {problem.record}: {problem.en}")
    if len(found.problems) > SHOWN:
        where = f"all are in {report}" if report else "--report FILE.gpkg or --json has all"
        click.echo(f"… and {len(found.problems) - SHOWN} more; {where}")
    click.echo(
        f"{len(found.records)} parcels: {found.new} new, {found.changed} changed, {found.unchanged} known as they are; "
        f"{len(found.errors)} errors, {len(found.warnings)} warnings"
    )
    if written and not found.new and not found.changed:
        click.echo("nothing had to be written")
        return
    done = "written" if written else "nothing is written" + (" (dry run)" if dry_run else ": correct the errors first")
    click.echo(done)
