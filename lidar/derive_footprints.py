"""Building outlines from points, where no map knows them: blocks of roof cells, parted at walls, with right angles."""

from __future__ import annotations

from math import hypot, sqrt
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from scipy import ndimage

from gis.bounds import BoundingBox
from gis.grid import Grid
from lidar.footprints import Footprints
from lidar.outline import Block, Outline
from lidar.outline_edges import OUTWARD
from lidar.party_walls import houses
from lidar.point_cloud import PointCloud
from lidar.roof_cells import REACH_CELLS, roof_cells

if TYPE_CHECKING:
    from lidar.terrain import Terrain

CELL = 0.5
"""m: side of the cells blocks are made of, aligned to the CRS."""
SMALLEST = 8.0
"""m²: a building's least area."""
PAD = 3
"""Empty cells around a block."""


def derive_footprints(
    points: PointCloud, terrain: Terrain, known: Footprints | None = None, *, within: BoundingBox | None = None
) -> Footprints:
    """Outlines of the buildings in the terrain's extent, or of those that no known outline covers.

    1. Roof cells that touch are a block (`roof_cells`).
    2. Each block is turned into its own direction and parted into houses along party walls (`party_walls`).
    3. Each house's outline is traced in that direction and its short steps evened out, so that it has right angles
       where the cells say so; a free outline elsewhere.

    An outline's `sigma_xy` follows from its sides (`Outline`): those set by points are worth what the points scatter
    about them, those along cells what a cell is wide. Its `confidence` is the share of its length that points support;
    a wall missed, or taken for one, is not in `sigma_xy` but shows there.

    A block depends on its own points alone, on cells aligned to the CRS, not on the extent: outlines of a block that
    reaches the extent's edge are marked as not `complete`.

    Args:
        points: classified, reaching over the whole extent.
        terrain: its `dtm`'s grid is the extent.
        known: outlines whose cells are left out, so that a house missing between known ones stands alone.
        within: blocks that cannot touch it are left out; all others come out as they would without it.

    Returns:
        Outlines in the terrain's CRS, from south to north; uids are made of the position in decimetres.
    """
    grid = Grid.covering(terrain.dtm.grid.bounds, CELL)
    roof = roof_cells(points, terrain, grid)
    label, count = ndimage.label(roof.solid if known is None else roof.solid & ~_covered(known, grid))
    of_point = label.ravel()[roof.cell]
    order = np.argsort(of_point, kind="stable")
    starts = np.searchsorted(of_point[order], np.arange(count + 2))
    outlines: list[Outline] = []
    complete: list[bool] = []
    for number, place in enumerate(ndimage.find_objects(label), start=1):
        mask = label[place] == number
        if mask.sum() * CELL * CELL < SMALLEST or (within is not None and not _may_touch(place, grid, within)):
            continue
        own = order[starts[number] : starts[number + 1]]
        origin = (grid.west + (place[1].start - PAD) * CELL, grid.north - (place[0].start - PAD) * CELL)
        height = np.pad(np.where(mask, roof.height[place], np.nan), PAD, constant_values=np.nan)
        found = _houses(np.pad(mask, PAD), height, origin, roof.x[own], roof.y[own], roof.z[own])
        outlines.extend(found)
        inner = (slice(REACH_CELLS, grid.rows - REACH_CELLS), slice(REACH_CELLS, grid.columns - REACH_CELLS))
        whole = all(p.start >= i.start and p.stop <= i.stop for p, i in zip(place, inner, strict=True))
        complete.extend([whole] * len(found))
    return _named(outlines, complete, grid)


def _may_touch(place: tuple[slice, slice], grid: Grid, bounds: BoundingBox) -> bool:
    """Whether outlines of a block in those rows and columns may touch the bounds, turned in whatever direction."""
    west, east = (grid.west + at * CELL for at in (place[1].start, place[1].stop))
    north, south = (grid.north - at * CELL for at in (place[0].start, place[0].stop))
    # An outline stays in the box around the block in the block's own direction, whose corners lie no farther from the
    # middle than √2 times the block's farthest, but for how far a side may move out.
    reach = hypot(east - west, north - south) / sqrt(2.0) + OUTWARD + 2 * CELL
    x, y = (west + east) / 2.0, (south + north) / 2.0
    return hypot(max(bounds.min_x - x, x - bounds.max_x, 0.0), max(bounds.min_y - y, y - bounds.max_y, 0.0)) <= reach


def _covered(known: Footprints, grid: Grid) -> NDArray[np.bool_]:
    """(rows, columns) whether a known outline holds the cell's centre."""
    if len(known) == 0:
        return np.zeros(grid.shape, dtype=bool)
    outside = geometry_mask(list(known.to(grid.crs).polygons), out_shape=grid.shape, transform=grid.transform)
    return np.asarray(~outside, dtype=bool)


def _houses(
    mask: NDArray[np.bool_],
    height: NDArray[np.float64],
    origin: tuple[float, float],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
) -> list[Outline]:
    """The outlines of a block's houses, from its cells and its roof points."""
    block = Block.of(mask, CELL, origin, height)
    if block is None:
        return []
    label, shown = houses(*block.heights(x, y, z), CELL, len(z) / (np.count_nonzero(mask) * CELL**2))
    return [outline for outline in block.outlines(label, shown, x, y, z) if outline.polygon.area >= SMALLEST]


def _named(outlines: list[Outline], complete: list[bool], grid: Grid) -> Footprints:
    """The outlines from south to north, each under a uid made of its position."""
    shapes = np.empty(len(outlines), dtype=object)
    shapes[:] = [outline.polygon for outline in outlines]
    places = shapely.get_coordinates(shapely.point_on_surface(shapes)).reshape(-1, 2)
    order = np.lexsort((places[:, 0], places[:, 1]))
    names = [f"d-{x * 10:.0f}-{y * 10:.0f}" for x, y in places[order]]
    return Footprints(
        tuple(names),
        shapes[order],
        grid.crs,
        "derived from points",
        sigma_xy=np.array([outline.sigma_xy for outline in outlines])[order],
        derived=np.ones(len(names), dtype=bool),
        complete=np.asarray(complete, dtype=bool)[order],
        confidence=np.array([outline.confidence for outline in outlines])[order],
    )
