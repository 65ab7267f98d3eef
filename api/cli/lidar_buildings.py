"""`diaba lidar buildings`: 3D models of the buildings in point files."""

from __future__ import annotations

import time
from pathlib import Path

import click
from pyproj import CRS

from api.cli.common import crs_option, emit, json_option
from gis.errors import UnreadableFile


@click.command("buildings")
@click.argument("sources", metavar="IN…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT.city.jsonl", type=click.Path(path_type=Path))
@click.option("--footprints", type=click.Path(path_type=Path), help="Building outlines; without them they are derived.")
@click.option("--lod", type=click.Choice(["1.2"]), default="1.2", show_default=True, help="Level of detail.")
@click.option("--keep-classes", is_flag=True, help="Trust the classes in the files instead of classifying anew.")
@crs_option
@json_option
def command(
    sources: tuple[Path, ...],
    target: Path,
    footprints: Path | None,
    lod: str,
    keep_classes: bool,
    crs: CRS | None,
    as_json: bool,
) -> None:
    """Reconstruct buildings as closed solids, written as CityJSONSeq 2.0.

    \b
    Examples:
      diaba lidar buildings tile.laz out.city.jsonl --footprints houses.gpkg
      diaba lidar buildings ahn3_1.laz ahn3_2.laz out.city.jsonl --footprints bag.geojson --crs EPSG:7415
      diaba lidar buildings tile.laz out.city.jsonl
    """
    from collections import Counter

    from gis.city_model.cityjson import write_cityjsonseq
    from gis.grid import Grid
    from lidar.derive_footprints import derive_footprints
    from lidar.footprints import read_footprints_for
    from lidar.pipeline import RESOLUTION, classified
    from lidar.read import read_many
    from lidar.reconstruct import reconstruct_all
    from lidar.terrain import rasterise

    started = time.perf_counter()
    points = read_many(list(sources), crs=crs)
    if len(points) == 0:
        raise UnreadableFile(", ".join(map(str, sources)), "it holds no points")
    known = read_footprints_for(footprints, points.crs, crs) if footprints else None
    points = points if keep_classes else classified(points)
    terrain = rasterise(points, Grid.covering(points.bounds, RESOLUTION))
    outlines = derive_footprints(points, terrain) if known is None else known
    buildings = reconstruct_all(outlines, points, terrain)
    write_cityjsonseq(buildings, target, points.crs)
    reasons = Counter(building.reason.value for building in buildings)
    problems = [str(problem) for problem in known.problems] if known else []
    document = {
        "file": str(target),
        "buildings": len(buildings),
        "with_solid": sum(building.solid is not None for building in buildings),
        "reasons": dict(sorted(reasons.items())),
        "problems": problems,
        "lod": lod,
        "seconds": time.perf_counter() - started,
    }

    def text() -> None:
        for problem in problems:
            click.echo(f"footprint {problem}", err=True)
        click.echo(
            f"{document['buildings']} buildings, {document['with_solid']} with a solid, "
            f"{document['seconds']:.1f} s → {target}"
        )

    emit(document, as_json, text)
