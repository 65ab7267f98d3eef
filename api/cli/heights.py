"""Where the commands that draw upon the ground get it from: point files, or a DTM that is there already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyproj import CRS

from api.cli.common import tracked
from gis.errors import BadParameter

if TYPE_CHECKING:
    from gis.grid import Grid
    from gis.raster import Raster

RASTERS = frozenset({".tif", ".tiff"})
"""Endings of files taken for a DTM."""


def is_raster(sources: Sequence[Path | str]) -> bool:
    """Whether the one source is a GeoTIFF.

    Raises:
        BadParameter: there is a GeoTIFF among several sources.
    """
    found = [path for path in sources if Path(path).suffix.lower() in RASTERS]
    if found and len(sources) > 1:
        raise BadParameter("IN", str(found[0]), "give one DTM alone, or point files alone")
    return bool(found)


def ground(
    sources: Sequence[Path | str], resolution: float, margin: float, crs: CRS | None, keep_classes: bool
) -> tuple[Raster, CRS]:
    """Heights of the ground with a margin around the files, and their CRS, compound where it is known.

    Args:
        sources: point files, or one GeoTIFF, which is taken as it is: its own resolution, no margin.
        resolution: metres.
        margin: metres of ground beyond the files' bounds, as far as it is known there.
        crs: of files that do not say their own.
        keep_classes: trust the classes in the files.

    Raises:
        BadParameter: the raster would not fit into memory.
        DiabaError: a file cannot be read.
    """
    if is_raster(sources):
        return _read(Path(sources[0]))
    from lidar.blocks import grid_over, look_at, raster_over
    from lidar.terrain import dtm

    survey = look_at(sources, crs)
    grid = grid_over(survey.bounds, resolution).buffered(margin)
    return raster_over(survey, grid, dtm, keep_classes=keep_classes, tracked=by_blocks), survey.crs


def by_blocks(blocks: list[Grid]) -> Iterable[Grid]:
    """The blocks, with a progress bar."""
    return tracked("terrain", blocks, len(blocks))


def _read(path: Path) -> tuple[Raster, CRS]:
    import rasterio

    from gis.crs import normalise
    from gis.raster import read_raster

    raster = read_raster(path)
    with rasterio.open(path) as source:
        return raster, normalise(source.crs.to_wkt())


def terrain_of(sources: Sequence[Path]) -> tuple[Raster, CRS]:
    """One terrain of one or more GeoTIFFs of one CRS and cell size, with the bands that all have, and its CRS.

    Raises:
        BadParameter: their cells differ in size or CRS.
        UnreadableFile: one of them is no raster.
    """
    from gis.grid import Grid
    from gis.raster import read_over

    first, crs = _read(Path(sources[0]))
    if len(sources) == 1:
        return first, crs
    bounds = first.grid.bounds
    for path in sources[1:]:
        other, _ = _read(Path(path))
        if (other.grid.resolution, other.grid.crs) != (first.grid.resolution, first.grid.crs):
            raise BadParameter("IN", str(path), f"its cells differ from those of {sources[0]} in size or CRS")
        bounds = bounds.union(other.grid.bounds)
    return read_over([Path(path) for path in sources], Grid.covering(bounds, first.grid.resolution)), crs
