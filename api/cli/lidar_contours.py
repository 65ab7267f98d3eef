"""`diaba lidar contours`: lines of equal height and their labels as a GeoPackage."""

from __future__ import annotations

import time
from pathlib import Path

import click
from pyproj import CRS

from api.cli.common import crs_option, emit, json_option
from api.cli.heights import ground


@click.command("contours")
@click.argument("sources", metavar="IN…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT.gpkg", type=click.Path(path_type=Path))
@click.option("--interval", type=float, default=0.5, show_default=True, help="Metres between two lines.")
@click.option(
    "--smooth",
    type=float,
    default=2.0,
    show_default=True,
    help="Metres over which the ground is evened before lines are drawn; 0 for the ground as it is. No line moves by "
    "more than a quarter of the interval in height.",
)
@click.option("--shortest-ring", type=float, default=15.0, show_default=True, help="Metres; shorter ones are dropped.")
@click.option("--resolution", type=float, default=1.0, show_default=True, help="Cell size of the ground, metres.")
@click.option("--keep-classes", is_flag=True, help="Trust the classes in the files instead of classifying anew.")
@crs_option
@json_option
def command(
    sources: tuple[Path, ...],
    target: Path,
    interval: float,
    smooth: float,
    shortest_ring: float,
    resolution: float,
    keep_classes: bool,
    crs: CRS | None,
    as_json: bool,
) -> None:
    """Draw contour lines of the ground, out of point files or of a DTM that is there already.

    Heights are multiples of the interval; every fifth line is an index contour and has labels. No line crosses another
    or a place where the ground is not known. The GeoPackage has the layers `contours` (height, is_index, length,
    vertical_datum) and `contour_labels` (height, rotation in degrees clockwise), in the horizontal CRS of the input.

    \b
    Examples:
      diaba lidar contours tile.laz contours.gpkg
      diaba lidar contours survey/ contours.gpkg --interval 0.25 --resolution 0.5
      diaba lidar contours dtm.tif contours.gpkg --interval 1 --smooth 0
    """
    from gis.errors import UnreadableFile
    from lidar.contour_labels import place_labels
    from lidar.contours import contours
    from lidar.write_contours import write_contours

    started = time.perf_counter()
    if target.suffix.lower() != ".gpkg":
        raise UnreadableFile(target, "contours are written as GeoPackage: let the name end in .gpkg")
    dtm, full = ground(sources, resolution, 0.0, crs, keep_classes)
    lines = contours(dtm, interval, smoothing=smooth, shortest_ring=shortest_ring)
    labels = place_labels(lines)
    write_contours(lines, labels, target, full)
    length = float(lines.lengths.sum())
    document = {
        "file": str(target),
        "interval": interval,
        "resolution": dtm.grid.resolution,
        "lines": len(lines),
        "index_lines": int(lines.is_index.sum()),
        "labels": len(labels),
        "length": length,
        "lowest": float(lines.heights.min()) if len(lines) else None,
        "highest": float(lines.heights.max()) if len(lines) else None,
        "seconds": time.perf_counter() - started,
    }

    def text() -> None:
        if not len(lines):
            click.echo(f"contours: no line, no step of {interval:g} m is reached; say a smaller --interval → {target}")
            return
        click.echo(
            f"contours: {len(lines):,} lines, {length / 1000:,.1f} km, {lines.heights.min():g} to "
            f"{lines.heights.max():g} m by {interval:g} m, {len(labels):,} labels, {document['seconds']:.1f} s"
            f" → {target}"
        )

    emit(document, as_json, text)
