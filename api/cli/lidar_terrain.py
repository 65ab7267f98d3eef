"""`diaba lidar terrain`: a raster of the ground, of what stands on it, of its shape, or of how well it was measured."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pyproj import CRS

from api.cli.common import PointFile, crs_option, emit, engine_option, json_option, png_option, progress
from api.cli.heights import by_blocks, ground, is_raster
from api.cli.products import DERIVED, HEIGHTS, PRODUCTS
from gis.errors import BadParameter

if TYPE_CHECKING:
    from gis.raster import Raster
    from lidar.density_map import Counts

RESOLUTION = 0.5
"""m per cell, where nothing else is asked for."""
GAPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Made:
    """A product, and what else there is to say about it."""

    raster: Raster
    crs: CRS
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    sources: tuple[Path | str, ...]
    target: Path
    product: str
    resolution: float
    keep_classes: bool
    crs: CRS | None
    rivers: Path | None = None


@click.command("terrain")
@click.argument("sources", metavar="IN…", nargs=-1, required=True, type=PointFile())
@click.argument("target", metavar="OUT.tif", type=click.Path(path_type=Path))
@click.option("--product", type=click.Choice(list(PRODUCTS)), default="dtm", show_default=True)
@click.option("--resolution", type=float, help="Cell size in metres.  [default: 0.5; of density 1]")
@click.option("--keep-classes", is_flag=True, help="Trust the classes in the files instead of classifying anew.")
@click.option(
    "--rivers",
    type=click.Path(path_type=Path),
    help="Middle lines of rivers (any vector file): along each, the water of the dtm never rises downstream.",
)
@engine_option
@png_option
@crs_option
@json_option
def command(
    sources: tuple[Path | str, ...],
    target: Path,
    product: str,
    resolution: float | None,
    keep_classes: bool,
    rivers: Path | None,
    engine: str,
    png: Path | None,
    crs: CRS | None,
    as_json: bool,
) -> None:
    """Make a Cloud Optimized GeoTIFF of the terrain or of what can be derived from it.

    \b
    Products:
      dtm        the ground, metres; second band: its σ
      dsm        the highest first returns, metres
      ndsm       height of the surface above the ground, metres
      hillshade  the ground lit from the north-west, 1 (dark) to 255
      slope      of the ground, degrees from the horizontal
      aspect     degrees clockwise from north that the ground falls towards
      density    points a square metre; second band: last returns, that is pulses
      gaps       0 measured, 1 a gap where 16 points should be, 2 a gap with a level rim (mostly water)

    Hill shade, slope and aspect are also made of a DTM that is there already. Many and large files are worked on block
    by block; a whole city is made in tiles, by `diaba lidar add` and `diaba lidar build`.

    \b
    Examples:
      diaba lidar terrain tile.laz dtm.tif
      diaba lidar terrain tile.laz dtm.tif --png dtm.png
      diaba lidar terrain tile.laz dtm.tif --engine pdal
      diaba lidar terrain survey/ dtm.tif --rivers rivers.gpkg
      diaba lidar terrain https://example.org/tile.copc.laz dtm.tif
      diaba lidar terrain a.laz b.laz dsm.tif --product dsm --resolution 1
      diaba lidar terrain survey/ ndsm.tif --product ndsm --keep-classes
      diaba lidar terrain tile.laz shade.tif --product hillshade
      diaba lidar terrain dtm.tif slope.tif --product slope --png slope.png
      diaba lidar terrain dtm.tif aspect.tif --product aspect
      diaba lidar terrain survey/ density.tif --product density --resolution 2
      diaba lidar terrain survey/ gaps.tif --product gaps --json
    """
    from gis.raster import write_cog
    from lidar.density_map import DENSITY_RESOLUTION

    started = time.perf_counter()
    if engine == "pdal" and product not in HEIGHTS:
        raise BadParameter("engine", engine, f"PDAL makes {', '.join(HEIGHTS)} here; make {product} of its DTM")
    if engine == "pdal" and any(isinstance(source, str) for source in sources):
        raise BadParameter("engine", engine, "it reads files, not addresses; download them, or leave --engine out")
    if rivers is not None and (engine == "pdal" or product != "dtm"):
        raise BadParameter("rivers", str(rivers), "they shape the dtm of --engine native alone")
    if is_raster(sources) and product not in DERIVED:
        raise BadParameter("product", product, f"a DTM gives {', '.join(DERIVED)}; {product} is made of points")
    size = resolution if resolution is not None else DENSITY_RESOLUTION if product == "density" else RESOLUTION
    request = Request(sources, target, product, size, keep_classes, crs, rivers)
    kind = PRODUCTS[product]
    if engine == "pdal":
        made = _with_pdal(request)
    else:
        made = _derived(request) if product in DERIVED else (_heights if product in HEIGHTS else _coverage)(request)
        write_cog(made.raster, target, name=product, crs=made.crs, unit=kind.unit, overviews=kind.overviews)
    if png is not None:
        from api.cli.picture import draw

        draw(made.raster, product, png)
    document = _document(made, request, engine, time.perf_counter() - started)
    emit(document, as_json, lambda: _print(document, made.report))


def _heights(request: Request) -> Made:
    from lidar import terrain
    from lidar.blocks import grid_over, look_at, raster_over
    from lidar.river import let_fall, read_rivers

    survey = look_at(request.sources, request.crs)
    lines = None if request.rivers is None else read_rivers(request.rivers, survey.crs)
    dtm = terrain.dtm if lines is None else partial(terrain.dtm, with_water=True)
    make = {"dtm": dtm, "dsm": terrain.dsm, "ndsm": terrain.ndsm}[request.product]
    grid = grid_over(survey.bounds, request.resolution)
    raster = raster_over(survey, grid, make, keep_classes=request.keep_classes, tracked=by_blocks)
    return Made(raster if lines is None else let_fall(raster, lines), survey.crs)


def _derived(request: Request) -> Made:
    """Of the ground with a cell all round, so that the outermost cells have neighbours wherever there is ground."""
    import numpy as np

    from gis.crs import horizontal
    from gis.raster import Raster
    from lidar.hillshade import hillshade
    from lidar.slope import aspect, slope

    dtm, crs = ground(request.sources, request.resolution, request.resolution, request.crs, request.keep_classes)
    if request.product == "hillshade":
        shade = hillshade(dtm)
        values = np.where(shade == 0, np.float32(np.nan), shade.astype(np.float32))
    else:
        values = {"slope": slope, "aspect": aspect}[request.product](dtm)
    inner = dtm.grid if is_raster(request.sources) else dtm.grid.buffered(-request.resolution)
    return Made(Raster(values, dtm.grid).cropped(inner), horizontal(crs))


def _coverage(request: Request) -> Made:
    """Density or gaps: counted in one pass."""
    from gis.crs import horizontal
    from lidar.blocks import grid_over, look_at
    from lidar.density_map import count_points, density

    survey = look_at(request.sources, request.crs)
    with progress("points", survey.point_count) as advance:
        counts = count_points(survey, grid_over(survey.bounds, request.resolution), advance)
    if request.product == "density":
        return Made(density(counts), horizontal(survey.crs))
    return _gaps(counts, horizontal(survey.crs))


def _gaps(counts: Counts, crs: CRS) -> Made:
    from lidar.density_map import find_gaps

    found = find_gaps(counts)
    listed = [
        {
            "area": round(gap.area, 2),
            "width": round(gap.width, 2),
            "x": gap.x,
            "y": gap.y,
            "level_rim": gap.level_rim,
        }
        for gap in found.gaps
    ]
    report = {"spacing": round(found.spacing, 3), "least_width": round(found.least_width, 2), "gaps": listed}
    return Made(found.raster, crs, report)


def _with_pdal(request: Request) -> Made:
    from gis.raster import read_raster
    from lidar.blocks import grid_over, look_at
    from lidar.pdal import terrain_with_pdal

    survey = look_at(request.sources, request.crs)
    terrain_with_pdal(
        list(survey.paths),
        request.target,
        product=request.product,
        grid=grid_over(survey.bounds, request.resolution),
        crs=survey.crs,
        keep_classes=request.keep_classes,
    )
    return Made(read_raster(request.target), survey.crs)


def _document(made: Made, request: Request, engine: str, seconds: float) -> dict[str, Any]:
    import numpy as np

    values, grid = made.raster.values, made.raster.grid
    filled = values[~np.isnan(values)]
    return {
        "file": str(request.target),
        "product": request.product,
        "engine": engine,
        "rows": grid.rows,
        "columns": grid.columns,
        "resolution": grid.resolution,
        "unit": PRODUCTS[request.product].unit,
        "min": float(filled.min()) if filled.size else None,
        "max": float(filled.max()) if filled.size else None,
        "mean": float(filled.mean(dtype=np.float64)) if filled.size else None,
        "empty": 1.0 - filled.size / values.size,
        "seconds": seconds,
        **made.report,
    }


def _print(document: dict[str, Any], report: dict[str, Any]) -> None:
    kind = PRODUCTS[document["product"]]
    span = "nothing known"
    if document["min"] is not None:
        span = f"{document['min']:.2f} to {document['max']:.2f} {kind.unit}".rstrip()
    click.echo(
        f"{kind.label}: {document['columns']} × {document['rows']} cells of {document['resolution']:g} m, "
        f"{span}, {document['empty']:.1%} empty, {document['seconds']:.1f} s → {document['file']}"
    )
    if "gaps" not in report:
        return
    gaps = report["gaps"]
    click.echo(f"  {report['spacing']:.2f} m between pulses; a gap is {report['least_width']:.1f} m wide or more")
    click.echo(
        f"  {len(gaps)} gaps, {sum(gap['area'] for gap in gaps):,.0f} m² in all" + (", largest:" if gaps else "")
    )
    for gap in gaps[:GAPS_SHOWN]:
        rim = ", level rim (water?)" if gap["level_rim"] else ""
        click.echo(f"    {gap['area']:,.0f} m², {gap['width']:.1f} m wide, at {gap['x']:.1f} {gap['y']:.1f}{rim}")
