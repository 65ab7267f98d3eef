"""`diaba lidar terrain`: a raster of the terrain, the surface, or the height above ground."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pyproj import CRS

from api.cli.common import PointFile, crs_option, emit, engine_option, json_option, png_option

if TYPE_CHECKING:
    from gis.raster import Raster

LABELS = {"dtm": "terrain (DTM)", "dsm": "surface (DSM)", "ndsm": "height above ground (nDSM)"}


@click.command("terrain")
@click.argument("sources", metavar="IN…", nargs=-1, required=True, type=PointFile())
@click.argument("target", metavar="OUT.tif", type=click.Path(path_type=Path))
@click.option("--product", type=click.Choice(list(LABELS)), default="dtm", show_default=True)
@click.option("--resolution", type=float, default=0.5, show_default=True, help="Cell size in metres.")
@click.option("--keep-classes", is_flag=True, help="Trust the classes in the files instead of classifying anew.")
@engine_option
@png_option
@crs_option
@json_option
def command(
    sources: tuple[Path | str, ...],
    target: Path,
    product: str,
    resolution: float,
    keep_classes: bool,
    engine: str,
    png: Path | None,
    crs: CRS | None,
    as_json: bool,
) -> None:
    """Make a Cloud Optimized GeoTIFF of the terrain, the surface or the height above ground.

    \b
    Examples:
      diaba lidar terrain tile.laz dtm.tif
      diaba lidar terrain a.laz b.laz dsm.tif --product dsm --resolution 1
      diaba lidar terrain tile.laz dtm.tif --png shade.png
      diaba lidar terrain tile.laz dtm.tif --engine pdal
      diaba lidar terrain https://example.org/tile.copc.laz dtm.tif
    """
    from gis.errors import BadParameter
    from gis.grid import Grid
    from gis.raster import read_raster, write_cog
    from lidar.read import read_many

    started = time.perf_counter()
    if engine == "pdal" and any(isinstance(source, str) for source in sources):
        raise BadParameter("engine", engine, "it reads files, not addresses; download them, or leave --engine out")
    points = read_many(list(sources), crs=crs)
    grid = Grid.covering(points.bounds, resolution)
    if engine == "pdal":
        from lidar.pdal import terrain_with_pdal

        terrain_with_pdal(list(sources), target, product=product, grid=grid, crs=points.crs, keep_classes=keep_classes)
        raster = read_raster(target)
    else:
        from lidar.pipeline import classified
        from lidar.terrain import rasterise

        terrain = rasterise(points if keep_classes else classified(points), grid)
        raster = getattr(terrain, product)
        write_cog(raster, target, name=product, crs=points.crs)
    if png is not None:
        draw(raster, png)
    document = _document(raster, target, product, engine, time.perf_counter() - started)

    def text() -> None:
        low, high = document["z_min"], document["z_max"]
        click.echo(
            f"{LABELS[product]}: {grid.columns} × {grid.rows} cells of {resolution:g} m, "
            f"{low:.2f} to {high:.2f} m, {document['empty']:.1%} empty, {document['seconds']:.1f} s → {target}"
        )

    emit(document, as_json, text)


def _document(raster: Raster, target: Path, product: str, engine: str, seconds: float) -> dict[str, float | str | int]:
    import numpy as np

    filled = raster.values[~np.isnan(raster.values)]
    return {
        "file": str(target),
        "product": product,
        "engine": engine,
        "rows": raster.grid.rows,
        "columns": raster.grid.columns,
        "resolution": raster.grid.resolution,
        "z_min": float(filled.min()) if filled.size else float("nan"),
        "z_max": float(filled.max()) if filled.size else float("nan"),
        "empty": 1.0 - filled.size / raster.values.size,
        "seconds": seconds,
    }


def draw(raster: Raster, path: Path) -> None:
    """Write a hill shade of a raster as PNG."""
    import matplotlib.image

    from gis.files import written_whole
    from lidar.hillshade import hillshade

    with written_whole(path) as part:
        matplotlib.image.imsave(part, hillshade(raster), cmap="gray", vmin=0, vmax=255, format="png")
