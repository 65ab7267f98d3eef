"""`diaba parcels export`: the parcels of a day into a file."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click
from pyproj import CRS

from api.cli.common import CrsType, emit, existing_city, json_option, rectangle
from api.cli.times import as_of_option, known_at_option


@click.command("export")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@as_of_option
@known_at_option
@click.option("--area", metavar="X0,Y0,X1,Y1", help="Parcels whose rectangle meets this one, in the city's CRS.")
@click.option("--crs", type=CrsType(), metavar="EPSG", help="CRS of the file; the city's by default.")
@json_option
def command(
    out: Path, as_of: date | None, known_at: datetime | None, area: str | None, crs: CRS | None, as_json: bool
) -> None:
    """Write parcels as GeoPackage, Shapefile, GeoJSON, DXF, CSV, GML or exchange XML, by the ending of OUT.

    \b
    Examples:
      diaba parcels export lots.gpkg
      diaba parcels export lots.geojson --crs EPSG:4326 --area 602500,1190500,603500,1191500
      diaba parcels export lots-2015.shp --as-of 2015-01-01 --known-at 2016-06-30
    """
    from gis.access.roles import Role
    from gis.crs import horizontal, name_of
    from gis.land.exchange import files
    from gis.settings import Settings
    from gis.store import parcel_export
    from gis.store.database import Database

    files.ending(out)
    city = existing_city()
    flat = horizontal(city.crs)
    target = flat if crs is None else horizontal(crs)
    bounds = None if area is None else rectangle(area, flat)
    with Database.of(city, Settings.from_environment(), start=True).open(Role.READER) as connection:
        records = parcel_export.records(connection, as_of=as_of, known_at=known_at, bounds=bounds, crs=target)
    files.write(out, records, target)
    document = {"file": str(out), "parcels": len(records), "crs": name_of(target)}
    emit(document, as_json, lambda: click.echo(f"{out}: {len(records)} parcels in {name_of(target)}"))
