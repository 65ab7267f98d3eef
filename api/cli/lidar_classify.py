"""`diaba lidar classify`: classes for the points of one file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pyproj import CRS

from api.cli.common import PointFile, crs_option, emit, engine_option, json_option, png_option, progress
from gis.errors import BadParameter

if TYPE_CHECKING:
    from lidar.point_cloud import PointCloud

STEPS = 5
"""Reading, noise, ground, classes, writing."""
LARGEST_CODE = 255


class Classes(click.ParamType[frozenset[int]]):
    """Class codes on the command line: 6,9,17."""

    name = "classes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[int]:
        """Parse them, as wrong usage when they cannot be."""
        if isinstance(value, frozenset):
            return value
        codes = [part.strip() for part in str(value).split(",")]
        if not all(code.isascii() and code.isdigit() and int(code) <= LARGEST_CODE for code in codes):
            self.fail(f"{value!r} is no list of class codes, 0 to {LARGEST_CODE}, such as 6,9,17", param, ctx)
        return frozenset(int(code) for code in codes)


@click.command("classify")
@click.argument("source", metavar="IN", type=PointFile())
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@engine_option
@click.option(
    "--method",
    type=click.Choice(["smrf", "pmf", "csf"]),
    default="smrf",
    show_default=True,
    help="Which of PDAL's ground filters, with --engine pdal.",
)
@click.option(
    "--keep-classes",
    type=Classes(),
    metavar="CODES",
    help="Points that come in with these classes keep them, and serve the others'.",
)
@click.option("--input-class", is_flag=True, help="Store the class a point came in with in the extra byte input_class.")
@click.option("--footprints", type=click.Path(path_type=Path), help="Known outlines, that help to find the buildings.")
@png_option
@crs_option
@json_option
def command(
    source: Path | str,
    target: Path,
    engine: str,
    method: str,
    keep_classes: frozenset[int] | None,
    input_class: bool,
    footprints: Path | None,
    png: Path | None,
    crs: CRS | None,
    as_json: bool,
) -> None:
    """Give each point its class and say how sure it is. IN may be an http(s) address.

    Ground (2), low, medium and high vegetation (3, 4, 5), building (6), noise (7, 18), water (9), wire (14),
    tower (15), bridge deck (17); what is none of these is unclassified (1). The extra byte `confidence` says in
    percent how sure a class is. The engine pdal finds ground and noise only, and says nothing of confidence.

    From LAZ of the point formats 6 to 8 into LAZ, all else the file holds (colours, flags, extra bytes) is kept as it
    is. Anything else is written anew as point format 6, in metres.

    \b
    Examples:
      diaba lidar classify tile.laz classified.laz
      diaba lidar classify tile.laz classified.copc.laz --png classes.png
      diaba lidar classify tile.laz classified.laz --footprints houses.gpkg
      diaba lidar classify tile.laz classified.laz --keep-classes 6,9,17 --input-class
      diaba lidar classify tile.laz smrf.laz --engine pdal
      diaba lidar classify ahn3.laz out.laz --crs EPSG:7415
    """
    if engine == "pdal" and (keep_classes or input_class or footprints):
        raise click.UsageError("--keep-classes, --input-class and --footprints are for --engine native")
    if engine == "pdal" and isinstance(source, str):
        raise BadParameter("engine", engine, "it reads files, not addresses; download them, or leave --engine out")
    import numpy as np

    from lidar.point_cloud import Class
    from lidar.read import read

    started = time.perf_counter()
    if engine == "pdal":
        from lidar.pdal import classify_with_pdal

        read_points = read(source, crs=crs)  # the same checks of the input for both engines
        classify_with_pdal(Path(source), target, method=method, crs=read_points.crs)
        points = read(target, crs=crs)
    else:
        with progress("classify", STEPS) as advance:
            points = _native(source, target, keep_classes or frozenset(), input_class, footprints, crs, advance)
    if png is not None:
        draw(points, png)
    codes, counts = np.unique(points.classification, return_counts=True)
    known = {member.value: member.name.lower() for member in Class}
    classes = {known.get(int(code), str(code)): int(count) for code, count in zip(codes, counts, strict=True)}
    sure = {
        known.get(int(code), str(code)): float(points.confidence[points.classification == code].mean())
        for code in codes
        if points.confidence.any()
    }
    seconds = time.perf_counter() - started
    document = {"file": str(target), "engine": engine, "points": len(points), "classes": classes, "seconds": seconds}

    def text() -> None:
        for name, count in classes.items():
            rated = f"  sure {sure[name]:3.0f} %" if name in sure else ""
            click.echo(f"{name:20} {count:12,d}  {count / max(len(points), 1):6.1%}{rated}")
        click.echo(f"{len(points):,} points in {seconds:.1f} s → {target}")

    emit({**document, "mean_confidence_percent": sure} if sure else document, as_json, text)


def _native(
    source: Path | str,
    target: Path,
    keep: frozenset[int],
    input_class: bool,
    footprints: Path | None,
    crs: CRS | None,
    advance: Callable[[int], None],
) -> PointCloud:
    """Classify a file with the project's own engine; a step of the progress after each of `STEPS`."""
    from lidar.footprints import read_footprints_for
    from lidar.known import Known
    from lidar.las.records import INPUT_CLASS
    from lidar.pipeline import classified
    from lidar.reclass import read_to_reclass
    from lidar.write_copc import write_points

    points, original = read_to_reclass(source, target, crs)
    outlines = read_footprints_for(footprints, points.crs, crs) if footprints else None
    advance(1)
    made = classified(points, Known.of(points, keep, outlines), on_step=lambda: advance(1))
    extra = {INPUT_CLASS: points.classification} if input_class else None
    if original is None:
        write_points(made, target, extra=extra)
    else:
        original.write(made, target, extra=extra)
    advance(1)
    return made


def draw(points: PointCloud, path: Path) -> None:
    """Write the classes seen from above as PNG, with their names beside it."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    from gis.files import written_whole
    from lidar.class_picture import COLOURS, OTHER, class_picture
    from lidar.point_cloud import NOISE, Class

    if len(points) == 0:
        raise BadParameter("points", 0, "there is nothing to draw")
    picture = class_picture(points)
    rows, columns = picture.grid.shape
    size = 10 / max(rows, columns)
    figure = Figure(figsize=(max(columns * size, 4) + 2.6, max(rows * size, 4)), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    grid = picture.grid
    axes.imshow(picture.colours, extent=(grid.west, grid.east, grid.south, grid.north), interpolation="nearest")
    axes.ticklabel_format(style="plain", useOffset=False)
    axes.tick_params(labelsize=7)
    present = sorted(set(points.classification.tolist()) - set(NOISE))
    names = {member.value: member.name.replace("_", " ").capitalize() for member in Class}
    patches = [
        Patch(color="#{:02x}{:02x}{:02x}".format(*COLOURS.get(code, OTHER)), label=f"{code}  {names.get(code, '')}")
        for code in present
    ]
    axes.legend(handles=patches, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    with written_whole(path) as part:
        figure.savefig(part, format="png")
