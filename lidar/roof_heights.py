"""The heights of roofs from the points inside outlines, by order statistics over cells aligned to the CRS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from lidar.morphology import in_threads
from lidar.point_cloud import Class, PointCloud
from lidar.point_index import MOST_CELLS, Membership, points_in_polygons

ROOF_CELL = 0.5
"""m: roof heights are taken once a cell, so that overlapping strips do not count double."""
LOWEST_ROOF = 1.5
"""m above the ground: nothing below is a roof."""
SHRINK = 0.3
"""m: points nearer than this to the outline may be of a wall, of the neighbour or of the eaves."""
FEWEST_POINTS = 5
"""Roof points below which no height is given."""
BLOCK_PERCENTILE = 70.0
LONELY_GAP = 3.0
"""m: a few points this far above all others (a bird, an aerial, multipath) are not the roof's top."""
LONELY_SHARE = 0.01
"""Share of the roof's points that may be such."""

ROW = 2**27
"""Cells are numbered `row · ROW + column`; wider than any projected CRS."""
_ROOF, _OPEN, _GROUND, _IGNORED = 1, 2, 3, 0
_KIND = np.full(256, _OPEN, dtype=np.uint8)
_KIND[[Class.GROUND, Class.WATER]] = _GROUND
_KIND[
    [
        Class.LOW_VEGETATION,
        Class.MEDIUM_VEGETATION,
        Class.HIGH_VEGETATION,
        Class.LOW_NOISE,
        Class.HIGH_NOISE,
        Class.WIRE_CONDUCTOR,
        Class.TOWER,
        Class.BRIDGE_DECK,
    ]
] = _IGNORED


@dataclass(frozen=True, slots=True)
class RoofHeights:
    """What the points inside one outline say of its roof; NaN where they say nothing."""

    minimum: float
    median: float
    p70: float
    maximum: float
    sigma_p70: float
    """Standard deviation of `p70`, m."""
    points: int
    """Roof points."""
    no_data: float
    """Share of the outline's cells without any point."""
    ground: float
    """Share of the outline's cells with points that hold ground and no roof."""
    sigma_below: float = float("nan")
    """Of `p70` downwards alone, m: the roof's own heights below it, none of what stands on the roof."""


def roof_heights(
    polygons: NDArray[np.object_],
    sigma_xy: NDArray[np.float64],
    points: PointCloud,
    on_roof: NDArray[np.bool_],
    ground: NDArray[np.float64],
) -> list[RoofHeights]:
    """What the points say of each roof; how they are chosen is told at `reconstruct_all`.

    Args:
        polygons: (m,) valid outlines.
        sigma_xy: (m,) m, their planimetric standard deviation.
        points: classified.
        on_roof: (n,) which points lie on roofs.
        ground: (m,) m, the ground's height at each outline; NaN where unknown.
    """
    inner = shapely.buffer(polygons, -SHRINK, join_style="mitre")
    thin = shapely.area(inner) < 0.4 * shapely.area(polygons)
    inside = points_in_polygons(points.x, points.y, polygons)
    core = points_in_polygons(points.x, points.y, np.where(thin, polygons, inner))
    last = points.return_number >= points.number_of_returns
    cells = _cells_inside(polygons)
    edge_share = shapely.length(polygons) * sigma_xy / np.maximum(shapely.area(polygons), 1e-9)
    table = np.empty((len(polygons), 9))
    in_threads(
        _roof_statistics, len(polygons), len(inside.points),
        points.x, points.y, points.z, np.where(on_roof, np.uint8(_ROOF), _KIND[points.classification]), last,
        inside.offsets, inside.points, core.offsets, core.points, cells.offsets, cells.points, ground, edge_share,
        table,
    )  # fmt: skip
    return [
        RoofHeights(low, median, p70, high, sigma, int(count), no_data, ground_share, below)
        for low, median, p70, high, sigma, count, no_data, ground_share, below in table.tolist()
    ]


def _cells_inside(polygons: NDArray[np.object_]) -> Membership:
    """The numbers of the 0.5 m cells whose centre lies in each polygon."""
    boxes = np.floor(shapely.bounds(polygons) / ROOF_CELL).astype(np.int64)
    west, south = boxes[:, :2].min(axis=0)
    east, north = boxes[:, 2:].max(axis=0)
    if (north - south + 1) * (east - west + 1) <= MOST_CELLS:
        wanted = np.zeros((north - south + 1, east - west + 1), dtype=bool)
        for left, low, right, high in boxes - (west, south, west, south):
            wanted[low : high + 1, left : right + 1] = True
        row, column = np.nonzero(wanted)
        row, column = row + south, column + west
    else:
        spans = [np.mgrid[low : high + 1, left : right + 1].reshape(2, -1) for left, low, right, high in boxes]
        row, column = np.unique(np.concatenate(spans, axis=1), axis=1)
    centres = points_in_polygons((column + 0.5) * ROOF_CELL, (row + 0.5) * ROOF_CELL, polygons)
    return Membership(centres.offsets, (row * ROW + column)[centres.points])


@njit(cache=True, nogil=True)
def quantile(ordered, q):  # type: ignore[no-untyped-def]
    """Linear interpolation between order statistics; q is held within 0 and 1."""
    place = min(max(q, 0.0), 1.0) * (ordered.shape[0] - 1)
    low = int(np.floor(place))
    high = min(low + 1, ordered.shape[0] - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


@njit(cache=True, nogil=True)
def quantiles_by(label, values, count, q):  # type: ignore[no-untyped-def]
    """(count,) a quantile of the values under each label from 0; NaN where there are none."""
    starts = np.zeros(count + 1, dtype=np.int64)
    for k in label:
        if k >= 0:
            starts[k + 1] += 1
    for k in range(count):
        starts[k + 1] += starts[k]
    grouped = np.empty(starts[count])
    cursor = starts[:-1].copy()
    for i in range(label.shape[0]):
        if label[i] >= 0:
            grouped[cursor[label[i]]] = values[i]
            cursor[label[i]] += 1
    found = np.full(count, np.nan)
    for k in range(count):
        if starts[k + 1] > starts[k]:
            found[k] = _quantile_of(grouped[starts[k] : starts[k + 1]], q)
    return found


@njit(cache=True, nogil=True)
def _quantile_of(values: Any, q: Any) -> Any:
    """What `quantile` finds, of values in any order, which are partly put in order on the way."""
    place = min(max(q, 0.0), 1.0) * (values.shape[0] - 1)
    wanted = int(np.floor(place))
    low, high = 0, values.shape[0] - 1
    while low < high:  # Hoare (1961), "Algorithm 65: Find"
        middle = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < middle:
                i += 1
            while middle < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    following = values[wanted]
    if wanted + 1 < values.shape[0]:
        following = values[wanted + 1 :].min()
    return values[wanted] + (place - wanted) * (following - values[wanted])


@njit(cache=True, nogil=True)
def in_order(values):  # type: ignore[no-untyped-def]
    """The values from the least to the greatest; compiled here once instead of in each function that sorts."""
    return np.sort(values)


@njit(cache=True, nogil=True)
def _grouping(cells):  # type: ignore[no-untyped-def]
    """The order that puts cells of one number together, each in the order they came; compiled once, as `in_order`."""
    return np.argsort(cells, kind="mergesort")


@njit(cache=True, nogil=True)
def _cells_of(x, y, chosen):  # type: ignore[no-untyped-def]
    """(k,) number of the 0.5 m cell of each chosen point; cells are aligned to the CRS, not to the tile."""
    cells = np.empty(chosen.shape[0], dtype=np.int64)
    for k in range(chosen.shape[0]):
        i = chosen[k]
        cells[k] = np.int64(np.floor(y[i] / ROOF_CELL)) * ROW + np.int64(np.floor(x[i] / ROOF_CELL))
    return cells


@njit(cache=True, nogil=True)
def _distinct(cells):  # type: ignore[no-untyped-def]
    """The cells in the order of their numbers, each once."""
    order = _grouping(cells)
    found, count = np.empty_like(cells), 0
    for k in order:
        if count == 0 or cells[k] != found[count - 1]:
            found[count] = cells[k]
            count += 1
    return found[:count]


@njit(cache=True, nogil=True)
def _picked(points, kind, z, floor, lowest, highest):  # type: ignore[no-untyped-def]
    """Those of the points whose kind is one from the lowest to the highest, above a floor."""
    found, count = np.empty_like(points), 0
    for i in points:
        if lowest <= kind[i] <= highest and z[i] > floor:
            found[count] = i
            count += 1
    return found[:count]


@njit(cache=True, nogil=True)
def _cell_medians(cells, z, points):  # type: ignore[no-untyped-def]
    """The median of each cell's heights, sorted."""
    order = _grouping(cells)
    heights = np.empty(cells.shape[0])
    for k in range(order.shape[0]):
        heights[k] = z[points[order[k]]]
    medians = np.empty(cells.shape[0])
    count, first = 0, 0
    for k in range(1, order.shape[0] + 1):
        if k == order.shape[0] or cells[order[k]] != cells[order[first]]:
            medians[count] = quantile(in_order(heights[first:k]), 0.5)
            count += 1
            first = k
    return in_order(medians[:count])


@njit(cache=True, nogil=True)
def _flat(points, cells, z, most):  # type: ignore[no-untyped-def]
    """Those of the points whose cell spreads less than `most` metres."""
    order = _grouping(cells)
    flat = np.zeros(cells.shape[0], dtype=np.bool_)
    first = 0
    for k in range(1, order.shape[0] + 1):
        if k == order.shape[0] or cells[order[k]] != cells[order[first]]:
            low = high = z[points[order[first]]]
            for j in range(first, k):
                here = z[points[order[j]]]
                low, high = min(low, here), max(high, here)
            for j in range(first, k):
                flat[order[j]] = high - low < most
            first = k
    found, count = np.empty_like(points), 0
    for k in range(points.shape[0]):
        if flat[k]:
            found[count] = points[k]
            count += 1
    return found[:count]


@njit(cache=True, nogil=True)
def _shared(numbers, ordered):  # type: ignore[no-untyped-def]
    """How many of the numbers are among the sorted ones."""
    count = 0
    for number in numbers:
        at = np.searchsorted(ordered, number)
        if at < ordered.shape[0] and ordered[at] == number:
            count += 1
    return count


@njit(cache=True, nogil=True)
def _without_lonely(ordered):  # type: ignore[no-untyped-def]
    """How many of the sorted heights remain when a few far above all others are left out."""
    most = max(1, int(LONELY_SHARE * ordered.shape[0]))
    for left_out in range(1, min(most, ordered.shape[0] - 1) + 1):
        if ordered[ordered.shape[0] - left_out] - ordered[ordered.shape[0] - left_out - 1] > LONELY_GAP:
            return ordered.shape[0] - left_out
    return ordered.shape[0]


@njit(cache=True, nogil=True)
def _roof_statistics(  # type: ignore[no-untyped-def]
    begin,
    end,
    x,
    y,
    z,
    kind,
    last,
    inside_offsets,
    inside_points,
    core_offsets,
    core_points,
    cell_offsets,
    cell_numbers,
    ground,
    edge_share,
    table,
):
    """Fill the rows of a table whose columns are those of `RoofHeights`."""
    for i in range(begin, end):
        table[i, :5] = np.nan
        table[i, 5:8] = 0.0
        table[i, 8] = np.nan
        every = inside_points[inside_offsets[i] : inside_offsets[i + 1]]
        cells = cell_numbers[cell_offsets[i] : cell_offsets[i + 1]]
        table[i, 6] = 1.0
        if every.shape[0] == 0:
            continue
        floor = ground[i] + LOWEST_ROOF if np.isfinite(ground[i]) else -np.inf
        seen = _distinct(_cells_of(x, y, every))
        empty = cells.shape[0] - _shared(cells, seen)
        table[i, 6] = min(empty / max(cells.shape[0], 1), 0.9999)
        roof_cells = _distinct(_cells_of(x, y, _picked(every, kind, z, floor, _ROOF, _ROOF)))
        covered = roof_cells.shape[0]
        core = core_points[core_offsets[i] : core_offsets[i + 1]]
        if covered >= 0.2 * seen.shape[0] and covered >= FEWEST_POINTS:
            chosen = _picked(core, kind, z, floor, _ROOF, _ROOF)
        else:
            chosen = _picked(core, kind, z, floor, _ROOF, _OPEN)
            count = 0
            for k in chosen:
                if last[k]:
                    chosen[count] = k
                    count += 1
            chosen = chosen[:count]
            chosen = _flat(chosen, _cells_of(x, y, chosen), z, 0.5)
            roof_cells = _distinct(_cells_of(x, y, _picked(every, kind, z, floor, _ROOF, _OPEN)))
        grounded = _distinct(_cells_of(x, y, _picked(every, kind, z, -np.inf, _GROUND, _GROUND)))
        table[i, 7] = (grounded.shape[0] - _shared(grounded, roof_cells)) / seen.shape[0]
        if chosen.shape[0] == 0:
            continue
        heights = np.empty(chosen.shape[0])
        for k in range(chosen.shape[0]):
            heights[k] = z[chosen[k]]
        ordered = in_order(heights)
        top = ordered[_without_lonely(ordered) - 1]
        count = 0
        for k in chosen:
            if z[k] <= top:
                chosen[count] = k
                count += 1
        chosen = chosen[:count]
        table[i, 5] = count
        if count < FEWEST_POINTS:
            continue
        medians = _cell_medians(_cells_of(x, y, chosen), z, chosen)
        p = BLOCK_PERCENTILE / 100.0
        variance = p * (1.0 - p)
        hidden = max(table[i, 6] - np.exp(-every.shape[0] / max(cells.shape[0], 1)), 0.0)
        delta = np.sqrt(variance / medians.shape[0] + edge_share[i] ** 2 + variance * hidden**2)
        table[i, 0] = medians[0]
        table[i, 1] = quantile(medians, 0.5)
        table[i, 2] = quantile(medians, p)
        table[i, 3] = top
        table[i, 4] = (quantile(medians, p + delta) - quantile(medians, p - delta)) / 2.0
        table[i, 8] = quantile(medians, p) - quantile(medians, p - delta)
