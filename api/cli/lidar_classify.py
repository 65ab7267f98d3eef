"""`diaba lidar classify`: classes for the points of one file."""

from __future__ import annotations

import time
from pathlib import Path

import click
from pyproj import CRS

from api.cli.common import crs_option, emit, engine_option, json_option


@click.command("classify")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@engine_option
@click.option(
    "--method",
    type=click.Choice(["smrf", "pmf"]),
    default="smrf",
    show_default=True,
    help="Which of PDAL's ground filters, with --engine pdal.",
)
@crs_option
@json_option
def command(source: Path, target: Path, engine: str, method: str, crs: CRS | None, as_json: bool) -> None:
    """Classify points: ground (2), noise (7, 18), building (6), vegetation (3, 4, 5).

    The engine pdal finds ground and noise only.

    \b
    Examples:
      diaba lidar classify tile.laz classified.laz
      diaba lidar classify tile.laz smrf.laz --engine pdal
      diaba lidar classify ahn3.laz out.laz --crs EPSG:7415
    """
    import numpy as np

    from lidar.point_cloud import Class
    from lidar.read import read

    started = time.perf_counter()
    if engine == "pdal":
        from lidar.pdal import classify_with_pdal

        read_points = read(source, crs=crs)  # the same checks of the input for both engines
        classify_with_pdal(source, target, method=method, crs=read_points.crs)
        points = read(target, crs=crs)
    else:
        from lidar.pipeline import classified
        from lidar.write import write_laz

        points = classified(read(source, crs=crs))
        write_laz(points, target)
    codes, counts = np.unique(points.classification, return_counts=True)
    known = {member.value: member.name.lower() for member in Class}
    classes = {known.get(int(code), str(code)): int(count) for code, count in zip(codes, counts, strict=True)}
    seconds = time.perf_counter() - started
    document = {"file": str(target), "engine": engine, "points": len(points), "classes": classes, "seconds": seconds}

    def text() -> None:
        for name, count in classes.items():
            click.echo(f"{name:20} {count:12,d}  {count / max(len(points), 1):6.1%}")
        click.echo(f"{len(points):,} points in {seconds:.1f} s → {target}")

    emit(document, as_json, text)
