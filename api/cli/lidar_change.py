"""`diaba lidar change`: earth moved between two terrains."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from api.cli.common import emit, json_option, png_option, rectangle


@click.command("change")
@click.argument("earlier", metavar="A.tif", type=click.Path(path_type=Path))
@click.argument("later", metavar="B.tif", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT.tif", type=click.Path(path_type=Path))
@click.option("--area", metavar="X0,Y0,X1,Y1", help="Volumes of this rectangle only, in the terrains' CRS.")
@click.option(
    "--false-alarm-rate",
    type=click.FloatRange(1e-6, 0.5),
    default=0.01,
    show_default=True,
    help="Accepted share of unchanged cells that are taken for changed.",
)
@click.option("--smallest", type=click.FloatRange(min=0), help="m² of the smallest patch that counts.  [default: 4]")
@click.option("--as-they-lie", is_flag=True, help="Do not take out by how much all of one survey lies higher.")
@png_option
@json_option
def command(
    earlier: Path,
    later: Path,
    target: Path,
    area: str | None,
    false_alarm_rate: float,
    smallest: float | None,
    as_they_lie: bool,
    png: Path | None,
    as_json: bool,
) -> None:
    """Volumes of cut and fill between the terrain A and the later terrain B, each with its σ, and their difference.

    OUT has three bands: the difference (m, B minus A), its σ, and 1 where it is beyond the level of detection. Needs no
    store.

    \b
    Examples:
      diaba lidar change dtm-2025.tif dtm-2027.tif change.tif
      diaba lidar change dtm-2025.tif dtm-2027.tif change.tif --png change.png
      diaba lidar change dtm-2025.tif dtm-2027.tif change.tif --area 603000,1191000,603100,1191100 --json
    """
    from api.cli.heights import terrain_of
    from gis.raster import write_cog
    from lidar.change.earth import PATCH_LEAST, earth_moved
    from lidar.change.registration import Registration

    started = time.perf_counter()
    (first, crs), (second, _) = terrain_of([earlier]), terrain_of([later])
    box = None if area is None else rectangle(area, first.grid.crs).polygon
    moved = earth_moved(
        first,
        second,
        box,
        registration=Registration() if as_they_lie else None,
        false_alarm_rate=false_alarm_rate,
        patch_least=PATCH_LEAST if smallest is None else smallest,
    )
    write_cog(moved.difference, target, name="change", crs=crs, unit="m")
    if png is not None:
        from api.cli.picture import draw

        draw(moved.difference, "change", png)
    document = {"file": str(target), **moved.figures, "seconds": time.perf_counter() - started}
    emit(document, as_json, lambda: _print(document))


def _print(document: dict[str, Any]) -> None:
    for name, label in (("cut", "cut"), ("fill", "fill"), ("net", "net"), ("net_of_all", "net, all cells")):
        one = document[name]
        click.echo(f"{label:15} {one['m3']:12,.1f} ± {one['sigma']:,.1f} m³  over {one['area_m2']:,.0f} m²")
    click.echo(
        f"level of detection {document['level_of_detection_m']:.2f} m; the later survey lay "
        f"{document['offset_m']:+.3f} ± {document['sigma_offset_m']:.3f} m higher, taken out; errors go together over "
        f"{document['errors']['range_m']:.0f} m → {document['file']}"
    )
