"""What PDAL does for diaba: `--engine pdal`, and a second opinion in tests and benchmarks.

The one door to PDAL: `lidar.pdal_program` finds the program, `lidar.pdal_pipeline` runs documents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import CRS

from gis.bounds import BoundingBox
from gis.crs import CrsLike, horizontal, metres_per_unit, name_of, normalise, transformer
from gis.errors import BadCrs, BadInput, BadParameter, MissingCrs, ProgramFailed, UnreadableFile
from gis.files import written_whole
from gis.grid import Grid
from gis.raster import NODATA, Raster, write_cog
from gis.resources import resource
from lidar.pdal_pipeline import TIME_LIMIT, PipelineResult, load_pipeline, run_pipeline
from lidar.pdal_program import PdalProgram, find_pdal, version

__all__ = [
    "METHODS",
    "PRODUCTS",
    "Extent",
    "PdalProgram",
    "PipelineResult",
    "classify_with_pdal",
    "extent_of",
    "find_pdal",
    "load_pipeline",
    "reproject_with_pdal",
    "run_pipeline",
    "terrain_with_pdal",
    "version",
]

METHODS = ("smrf", "pmf", "csf")
"""Ground filters with a pipeline in data/pipelines."""

CSF_WORKS = (2, 3, 0)
"""Release of PDAL from which on its CSF is run: that of Debian 11's 2.2 fails on all inputs tried."""

PRODUCTS = ("dtm", "dsm", "ndsm")

DEFAULT_RESOLUTION = 0.5
"""Metres a cell, where neither a resolution nor a grid is given."""

_NONE = {"dtm": "there is no ground point (class 2; classify the points first)", "dsm": "there is no point but noise"}


@dataclass(frozen=True, slots=True)
class Extent:
    """What PDAL says about files before they are worked on."""

    bounds: BoundingBox
    crs: CRS
    """With its vertical part where the files have one."""
    point_count: int


def classify_with_pdal(
    in_path: Path | str,
    out_path: Path | str,
    method: str = "smrf",
    noise: bool = True,
    *,
    crs: CrsLike | None = None,
    time_limit: float = TIME_LIMIT,
) -> PipelineResult:
    """Classify ground (2) and the rest (1) by PDAL's SMRF, PMF or CSF, after noise (7) by its ELM and outlier filters.

    The file is written whole, as LAS 1.4 point format 6. `crs` is for files that do not say theirs.

    Raises:
        BadParameter: no such method.
        UnreadableFile: PDAL cannot read the input.
        ProgramFailed: PDAL failed, or its CSF is known to.
    """
    if method not in METHODS:
        raise BadParameter("method", method, f"choose one of {', '.join(METHODS)}")
    document = load_pipeline(resource("pipelines", f"ground_{method}{'_after_noise' if noise else ''}.json"))
    if method == "csf" and version() < CSF_WORKS:
        why = f"the CSF of release {'.'.join(map(str, version()))} takes all memory and dies (bad_alloc) on any points"
        raise ProgramFailed("pdal", f"{why}; use smrf or pmf, or a later PDAL")
    with written_whole(out_path) as part:
        return run_pipeline(_reading_as(document, crs), {"in": Path(in_path), "out": part}, time_limit=time_limit)


def reproject_with_pdal(
    in_path: Path | str, out_path: Path | str, target: CrsLike, *, crs: CrsLike | None = None
) -> PipelineResult:
    """Move points into another CRS by the one transformation the house has pinned; heights pass through.

    Raises:
        MissingCrs: the file does not say its CRS and `crs` is not given.
        BadCrs: no transformation is known.
        UnreadableFile, ProgramFailed: as for `classify_with_pdal`.
    """
    source, goal = extent_of([in_path], crs=crs).crs, normalise(target)
    parameters = {
        "in": Path(in_path),
        "operation": transformer(source, goal).definition,
        "crs": goal,
        "scale": 0.001 if horizontal(goal).is_projected else 1e-8,
    }
    with written_whole(out_path) as part:
        return run_pipeline(
            _reading_as(load_pipeline(resource("pipelines", "reproject.json")), crs), {**parameters, "out": part}
        )


def extent_of(paths: Sequence[Path | str], *, crs: CrsLike | None = None) -> Extent:
    """Bounds, CRS and number of points of files PDAL can read.

    Raises:
        MissingCrs: the files do not say their CRS and `crs` is not given.
        UnreadableFile, ProgramFailed: as for `classify_with_pdal`.
    """
    document = [
        {"type": "readers.las", "filename": "{in}"},
        {"type": "filters.merge"},
        {"type": "filters.info"},
        {"type": "writers.null"},
    ]
    said = run_pipeline(_reading_as(document, crs), {"in": [Path(path) for path in paths]}).metadata["filters.info"]
    if not said["num_points"]:
        raise UnreadableFile(paths[0], "it holds no points")
    wkt = said["srs"]["compoundwkt"]
    if not wkt:
        raise MissingCrs(paths[0])
    found, box = normalise(wkt), said["bbox"]
    bounds = BoundingBox(box["minx"], box["miny"], box["maxx"], box["maxy"], horizontal(found))
    return Extent(bounds, found, said["num_points"])


def terrain_with_pdal(
    paths: Sequence[Path | str],
    out_path: Path | str | None,
    product: str = "dtm",
    resolution: float | None = None,
    grid: Grid | None = None,
    *,
    crs: CrsLike | None = None,
    keep_classes: bool = True,
) -> Raster:
    """Rasterise points by PDAL, aligned like every other raster of the house, and write it as a COG.

    dtm: inverse-distance mean of the ground points; dsm: highest point that is no noise in the circle around a cell
    (PDAL's way; the house's own takes the cell alone); ndsm: dsm − dtm, not below 0.
    `grid` covers the points by default, at 0.5 m unless a resolution is given; `out_path` None writes no file.
    `keep_classes` False classifies all the points together first, by SMRF after noise.

    Raises:
        BadParameter: no such product, or the grid's resolution is another.
        BadInput: the points hold no ground for a dtm.
        UnreadableFile, MissingCrs, ProgramFailed: as for `extent_of`.
    """
    if product not in PRODUCTS:
        raise BadParameter("product", product, f"choose one of {', '.join(PRODUCTS)}")
    extent = extent_of(paths, crs=crs)
    if metres_per_unit(extent.crs) != 1.0:
        raise BadCrs(f"{extent.crs.name!r} is not in metres; reproject the points first")
    grid = grid or Grid.covering(extent.bounds, DEFAULT_RESOLUTION if resolution is None else resolution)
    if resolution is not None and grid.resolution != resolution:
        raise BadParameter("resolution", resolution, f"the grid's is {grid.resolution}")
    with TemporaryDirectory(prefix="diaba-pdal-") as folder:
        if not keep_classes:
            paths = [_classified_together(paths, Path(folder) / "classified.laz", crs)]
        surfaces = {name: _rasterised(paths, name, grid, crs) for name in ("dtm", "dsm") if product in (name, "ndsm")}
    values = surfaces[product] if product in surfaces else np.maximum(surfaces["dsm"] - surfaces["dtm"], 0)
    raster = Raster(values.astype(np.float32), grid)
    if out_path is not None:
        write_cog(raster, out_path, name=product, crs=extent.crs, engine="PDAL")
    return raster


def _classified_together(paths: Sequence[Path | str], out_path: Path, crs: CrsLike | None) -> Path:
    """Merge and classify, so that no seam of files is a border of the ground filter."""
    reader, *rest = _reading_as(load_pipeline(resource("pipelines", "ground_smrf_after_noise.json")), crs)
    run_pipeline([reader, {"type": "filters.merge"}, *rest], {"in": [Path(p) for p in paths], "out": out_path})
    return out_path


def _rasterised(paths: Sequence[Path | str], surface: str, grid: Grid, crs: CrsLike | None) -> NDArray[np.float64]:
    """(rows, columns) of the surface on the grid, NaN where PDAL found nothing near."""
    name, reach = {"dtm": ("dtm_idw.json", math.sqrt(2)), "dsm": ("dsm_max.json", math.sqrt(0.5))}[surface]
    with TemporaryDirectory(prefix="diaba-pdal-") as folder:
        made = Path(folder) / "surface.tif"
        parameters = {
            "in": [Path(path) for path in paths],
            "out": made,
            "resolution": grid.resolution,
            "origin_x": grid.west,
            "origin_y": grid.south,
            "width": grid.columns,
            "height": grid.rows,
            "radius": reach * grid.resolution,
        }
        run_pipeline(_reading_as(load_pipeline(resource("pipelines", name)), crs), parameters)
        with rasterio.open(made) as source:
            values = source.read(1)
            aligned = source.transform.almost_equals(grid.transform, precision=1e-6) and values.shape == grid.shape
    if not aligned:
        raise ProgramFailed("pdal", f"its raster of {values.shape} cells is not aligned to the grid of {grid.shape}")
    values = np.where(values == np.float32(NODATA), np.nan, values)
    if np.isnan(values).all():
        raise BadInput(f"{paths[0]}: {_NONE[surface]} in the grid")
    return values


def _reading_as(document: Mapping[str, Any] | Sequence[Any], crs: CrsLike | None) -> list[Any]:
    """The document's stages, with the CRS its readers take for files that do not say theirs."""
    stages = document["pipeline"] if isinstance(document, Mapping) else document
    if crs is None:
        return list(stages)
    said = {"default_srs": name_of(normalise(crs))}
    return [{**stage, **said} if stage.get("type", "").startswith("readers.") else stage for stage in stages]
