"""Building outlines from points, where no map knows them: regions of roof cells, split at walls, with right angles."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gis.grid import Grid
from lidar.footprints import Footprints
from lidar.outline import outline_of
from lidar.party_walls import REACH, party_walls
from lidar.point_cloud import Class, PointCloud

if TYPE_CHECKING:
    from lidar.terrain import Terrain

CELL = 0.5
"""m: side of the cells regions are made of, aligned to the CRS."""
LOWEST = 2.0
"""m above ground: nothing below is a building."""
WALL_STEP = 1.2
"""m: roofs that differ by more from cell to cell are apart, until they are found to be one building's."""
SMALLEST = 8.0
"""m²: a building's least area."""
CRUMB = 2.0
"""m²: a region below this is part of the one it shares most of its border with."""
ON_ROOF_SHARE, ON_ROOF_BORDER = 0.35, 0.5
"""A region below this share of its neighbour's area, more than this share of whose border is with it, stands on it
(a stair head, a tank, a lift house) or is a recess in it."""
TERRACE_SHARE, TERRACE_BORDER = 0.4, 7.0
"""A smaller region behind a step no longer than this many metres is the same building's terrace or wing; walls
between houses in a row are longer."""
BLOCK = 32.0
"""m: blocks whose density says how far gaps between points are closed."""
WIDEST_GAP = 5
"""Cells."""
SIGMA_XY = 0.30
"""m: planimetric standard deviation of a derived outline."""


@dataclass(frozen=True, slots=True)
class _Regions:
    """Roof cells by region: -1 where there is none, else 0 to count - 1."""

    label: NDArray[np.int64]
    count: int


def derive_footprints(points: PointCloud, terrain: Terrain) -> Footprints:
    """Outlines of the buildings in the terrain's extent.

    1. A 0.5 m cell is roof when at least half of its points (vegetation and noise aside) are of class building, or
       unclassified ones more than 2 m up beside such a cell and level with it. Gaps are closed as far as the points'
       spacing there allows.
    2. Neighbouring roof cells belong together unless their heights differ by more than 1.2 m. Crumbs, what stands on
       a roof, and terraces behind a short step are joined to their building; a long step is a wall between two.
    3. Each region's outline is traced and fitted with right angles in its own direction where the cells say so.

    All of it is local, on cells aligned to the CRS, so that it does not depend on the extent: an outline that does,
    because it or a neighbour reaches the extent's edge, is marked as not `complete`.

    Args:
        points: classified, reaching over the whole extent.
        terrain: its `dtm`'s grid is the extent.

    Returns:
        Outlines in the terrain's CRS, from south to north; uids are made of the position in decimetres.
    """
    extent = terrain.dtm.grid
    grid = Grid.covering(extent.bounds, CELL)
    height, top, solid = _roof_cells(points, terrain, grid)
    regions = _joined(_regions(height, solid, party_walls(height, top, solid, CELL)), height)
    return _outlines(regions, grid)


def _roof_cells(
    points: PointCloud, terrain: Terrain, grid: Grid
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """(rows, columns) height of each roof cell, its highest point, and whether it is one."""
    inside = (points.x >= grid.west) & (points.x < grid.east) & (points.y > grid.south) & (points.y < grid.north)
    kind = points.classification
    ignored = np.isin(
        kind,
        (Class.LOW_VEGETATION, Class.MEDIUM_VEGETATION, Class.HIGH_VEGETATION, Class.LOW_NOISE, Class.HIGH_NOISE,
         Class.WIRE_CONDUCTOR, Class.TOWER, Class.BRIDGE_DECK),
    )  # fmt: skip
    chosen = np.flatnonzero(inside & ~ignored)
    x, y, z = points.x[chosen], points.y[chosen], points.z[chosen]
    above = z - terrain.dtm.at(x, y)
    roof = (kind[chosen] == Class.BUILDING) & ~(above < LOWEST)
    maybe = (above >= LOWEST) & ~roof & (points.return_number[chosen] >= points.number_of_returns[chosen])
    row, column = grid.cells(x, y)
    cell = row * grid.columns + column
    if not roof.any():
        roof, maybe = _flat_and_high(cell, z, maybe, grid.rows * grid.columns), np.zeros_like(maybe)
    cells = grid.rows * grid.columns
    of_roof = np.bincount(cell[roof], minlength=cells)
    of_maybe = np.bincount(cell[maybe], minlength=cells)
    of_all = np.bincount(cell, minlength=cells)
    height = _medians(cell, z, roof, of_roof)
    solid = (of_roof > 0) & (2 * (of_roof + of_maybe) >= of_all)
    shape = grid.shape
    height, solid, known = height.reshape(shape), solid.reshape(shape), (of_all > 0).reshape(shape)
    height[~solid] = np.nan
    edge = ((of_maybe > 0) & (2 * of_maybe >= of_all)).reshape(shape) & ~solid
    _grow(height, solid, edge, _medians(cell, z, maybe, of_maybe).reshape(shape))
    _close_gaps(height, solid, known, _gap_cells(of_all.reshape(shape), grid))
    top = np.full(cells, -np.inf)
    np.maximum.at(top, cell[roof | maybe], z[roof | maybe])
    return height, np.fmax(top.reshape(shape), height), solid


def _flat_and_high(
    cell: NDArray[np.int64], z: NDArray[np.float64], high: NDArray[np.bool_], cells: int
) -> NDArray[np.bool_]:
    """Of points nobody classified, the high ones in cells where these spread less than half a metre."""
    low, top = np.full(cells, np.inf), np.full(cells, -np.inf)
    np.minimum.at(low, cell[high], z[high])
    np.maximum.at(top, cell[high], z[high])
    flat: NDArray[np.bool_] = top - low < 0.5
    return np.asarray(high & flat[cell], dtype=bool)


@njit(cache=True, nogil=True)
def _medians(cell, z, chosen, counts):  # type: ignore[no-untyped-def]
    """The lower median of the chosen points' heights in each cell; NaN without any."""
    starts = np.zeros(counts.shape[0] + 1, dtype=np.int64)
    for c in range(counts.shape[0]):
        starts[c + 1] = starts[c] + counts[c]
    values = np.empty(starts[-1])
    cursor = starts[:-1].copy()
    for i in range(cell.shape[0]):
        if chosen[i]:
            values[cursor[cell[i]]] = z[i]
            cursor[cell[i]] += 1
    medians = np.full(counts.shape[0], np.nan)
    for c in range(counts.shape[0]):
        if counts[c] > 0:
            own = np.sort(values[starts[c] : starts[c + 1]])
            medians[c] = own[(counts[c] - 1) // 2]
    return medians


@njit(cache=True, nogil=True)
def _grow(height, solid, edge, edge_height):  # type: ignore[no-untyped-def]
    """Add cells of unclassified points beside a roof cell and level with it, one cell deep."""
    rows, columns = solid.shape
    before = solid.copy()
    for r in range(1, rows - 1):
        for c in range(1, columns - 1):
            if not edge[r, c]:
                continue
            for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                if before[r + dr, c + dc] and abs(height[r + dr, c + dc] - edge_height[r, c]) < 0.5:
                    solid[r, c] = True
                    height[r, c] = edge_height[r, c]
                    break


def _gap_cells(counts: NDArray[np.int64], grid: Grid) -> NDArray[np.int64]:
    """(rows, columns) how many cells wide a gap is closed: 1.2 times the points' spacing in the aligned 32 m block."""
    side = int(BLOCK / CELL)
    row = (np.arange(grid.first_row + grid.rows - 1, grid.first_row - 1, -1)) // side
    column = np.arange(grid.first_column, grid.first_column + grid.columns) // side
    row, column = row - row.min(), column - column.min()
    block = row[:, None] * (column.max() + 1) + column[None, :]
    seen = counts > 0
    filled = np.bincount(block.ravel(), seen.ravel(), minlength=int(block.max()) + 1)
    total = np.bincount(block.ravel(), counts.ravel(), minlength=int(block.max()) + 1)
    # Density where the points are: blocks half outside of the survey, or over water, are as dense as the rest.
    mean = total / np.maximum(filled, 1)
    spacing = 1.0 / np.sqrt(np.maximum(mean, 1e-3)) * np.where(mean < 1.5, 2.0, 1.0)
    gaps: NDArray[np.int64] = np.clip(np.ceil(1.2 * spacing), 1, WIDEST_GAP).astype(np.int64)
    return np.asarray(gaps[block], dtype=np.int64)


@njit(cache=True, nogil=True)
def _close_gaps(height, solid, known, reach):  # type: ignore[no-untyped-def]
    """Let empty cells join their neighbours when most of those are roof, one ring a pass."""
    rows, columns = solid.shape
    for step in range(1, WIDEST_GAP + 1):
        roof, told = solid.copy(), known.copy()
        for r in range(1, rows - 1):
            for c in range(1, columns - 1):
                if told[r, c] or reach[r, c] < step:
                    continue
                yes, no, top = 0, 0, -np.inf
                for dr in range(-1, 2):
                    for dc in range(-1, 2):
                        if roof[r + dr, c + dc]:
                            yes += 1
                            top = max(top, height[r + dr, c + dc])
                        elif told[r + dr, c + dc]:
                            no += 1
                if yes + no >= 3:
                    known[r, c] = True
                    if yes > no:
                        solid[r, c] = True
                        height[r, c] = top


def _links(height: NDArray[np.float64], label: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Flat indices of all pairs of neighbouring cells that are both roof."""
    index = np.arange(label.size).reshape(label.shape)
    solid = label >= 0
    across, down = solid[:, :-1] & solid[:, 1:], solid[:-1] & solid[1:]
    first = np.concatenate([index[:, :-1][across], index[:-1][down]])
    second = np.concatenate([index[:, 1:][across], index[1:][down]])
    return first, second


def _regions(height: NDArray[np.float64], solid: NDArray[np.bool_], wall: NDArray[np.bool_]) -> _Regions:
    """Roof cells whose heights follow from one to the next without a wall between; walls go to the nearer side."""
    open_roof = solid & ~wall
    first, second = _links(height, np.where(open_roof, 0, -1))
    flat = height.ravel()
    level = np.abs(flat[first] - flat[second]) <= WALL_STEP
    regions = _components(open_roof, first[level], second[level])
    label = regions.label.copy()
    _share_out(label, solid, height)
    return _Regions(label, regions.count)


@njit(cache=True, nogil=True)
def _share_out(label, solid, height):  # type: ignore[no-untyped-def]
    """Give wall cells to the region beside them nearest in height, ring by ring."""
    rows, columns = solid.shape
    for _ in range(4):
        before = label.copy()
        for r in range(1, rows - 1):
            for c in range(1, columns - 1):
                if before[r, c] >= 0 or not solid[r, c]:
                    continue
                nearest = np.inf
                for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                    if before[r + dr, c + dc] >= 0 and abs(height[r + dr, c + dc] - height[r, c]) < nearest:
                        nearest = abs(height[r + dr, c + dc] - height[r, c])
                        label[r, c] = before[r + dr, c + dc]


def _components(solid: NDArray[np.bool_], first: NDArray[np.int64], second: NDArray[np.int64]) -> _Regions:
    """Number the connected roof cells."""
    cells = np.flatnonzero(solid)
    place = np.full(solid.size, -1, dtype=np.int64)
    place[cells] = np.arange(len(cells))
    graph = coo_array((np.ones(len(first), dtype=bool), (place[first], place[second])), shape=(len(cells), len(cells)))
    count, own = connected_components(graph, directed=False) if len(cells) else (0, np.empty(0, dtype=np.int32))
    label = np.full(solid.size, -1, dtype=np.int64)
    label[cells] = own
    return _Regions(label.reshape(solid.shape), int(count))


def _joined(regions: _Regions, height: NDArray[np.float64]) -> _Regions:
    """Join regions that are one building. Each pair is decided by itself, so the order does not matter."""
    label, count = regions.label, regions.count
    if count == 0:
        return regions
    area = np.bincount(label[label >= 0], minlength=count) * CELL * CELL
    first, second = _links(height, label)
    a, b = label.ravel()[first], label.ravel()[second]
    a, b = a[a != b], b[a != b]
    pairs, cells = np.unique(np.sort(np.column_stack([a, b]), axis=1), axis=0, return_counts=True)
    if len(pairs) == 0:
        return regions
    border = cells * CELL
    perimeter = _perimeters(label, count)
    small = np.where(area[pairs[:, 0]] <= area[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    large = pairs.sum(axis=1) - small
    share = area[small] / area[large]
    widest = np.zeros(count)
    np.maximum.at(widest, small, border)
    crumb = (area[small] < CRUMB) & (border == widest[small])
    on_roof = (share < ON_ROOF_SHARE) & (border > ON_ROOF_BORDER * perimeter[small])
    terrace = (share < TERRACE_SHARE) & (border <= TERRACE_BORDER) & (border >= 0.18 * perimeter[small])
    same = crumb | on_roof | terrace
    graph = coo_array((np.ones(int(same.sum()), dtype=bool), (small[same], large[same])), shape=(count, count))
    groups, of_region = connected_components(graph, directed=False)
    return _Regions(np.where(label >= 0, of_region[label], -1), int(groups))


def _perimeters(label: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(count,) m of cell edges between each region and whatever is not it."""
    padded = np.pad(label, 1, constant_values=-1)
    total = np.zeros(count)
    for shifted in (padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]):
        edge = (label >= 0) & (label != shifted)
        total += np.bincount(label[edge], minlength=count)
    return total * CELL


def _unfinished(regions: _Regions) -> NDArray[np.bool_]:
    """(count,) whether a region, or one it touches, reaches the extent's edge."""
    label, count = regions.label, regions.count
    depth = WIDEST_GAP + ceil(REACH / CELL)
    cut = np.zeros(count + 1, dtype=bool)
    for strip in (label[:depth], label[-depth:], label[:, :depth], label[:, -depth:]):
        cut[strip.ravel()] = True
    near = cut.copy()
    for a, b in ((label[:, :-1], label[:, 1:]), (label[:-1], label[1:])):
        near[a[cut[b] & (b >= 0)]] = True
        near[b[cut[a] & (a >= 0)]] = True
    return near[:count]


def _outlines(regions: _Regions, grid: Grid) -> Footprints:
    """Trace each region that is large enough."""
    label, count = regions.label, regions.count
    area = np.bincount(label[label >= 0], minlength=count) * CELL * CELL
    unfinished = _unfinished(regions) if count else np.zeros(0, dtype=bool)
    boxes = _boxes(label, count)
    polygons, complete = [], []
    pad = ceil(1.0 / CELL)
    for region in np.flatnonzero(area >= SMALLEST):
        top, bottom, left, right = boxes[region]
        mask = np.pad(label[top : bottom + 1, left : right + 1] == region, pad)
        origin = (grid.west + (left - pad) * CELL, grid.north - (top - pad) * CELL)
        polygon = outline_of(mask, CELL, origin)
        if polygon is not None and polygon.area >= SMALLEST:
            polygons.append(polygon)
            complete.append(not unfinished[region])
    shapes = np.empty(len(polygons), dtype=object)
    shapes[:] = polygons
    places = shapely.get_coordinates(shapely.point_on_surface(shapes)).reshape(-1, 2)
    order = np.lexsort((places[:, 0], places[:, 1]))
    names = [f"d-{x * 10:.0f}-{y * 10:.0f}" for x, y in places[order]]
    return Footprints(
        tuple(names),
        shapes[order],
        grid.crs,
        "derived from points",
        sigma_xy=np.full(len(names), SIGMA_XY),
        derived=np.ones(len(names), dtype=bool),
        complete=np.asarray(complete, dtype=bool)[order],
    )


@njit(cache=True, nogil=True)
def _boxes(label, count):  # type: ignore[no-untyped-def]
    """(count, 4) first and last row, first and last column of each region."""
    boxes = np.empty((count, 4), dtype=np.int64)
    boxes[:, 0] = boxes[:, 2] = np.iinfo(np.int64).max
    boxes[:, 1] = boxes[:, 3] = -1
    for r in range(label.shape[0]):
        for c in range(label.shape[1]):
            k = label[r, c]
            if k >= 0:
                boxes[k, 0], boxes[k, 1] = min(boxes[k, 0], r), max(boxes[k, 1], r)
                boxes[k, 2], boxes[k, 3] = min(boxes[k, 2], c), max(boxes[k, 3], c)
    return boxes
