"""Footprints and points to buildings: LoD1.2 blocks with their heights and what these are worth.

Conventions are 3DBAG's (Peters et al. 2022, "Automated 3D reconstruction of LoD2.2 and LoD1.2 models for all 10
million buildings of the Netherlands"): the ground is the 5th percentile of the terrain at the outline, the block's
roof the 70th percentile of the roof.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numba import njit, prange
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Building, Face, Reason, Solid, Surface
from lidar.footprints import Footprints
from lidar.point_cloud import Class, PointCloud
from lidar.point_index import MOST_CELLS, Membership, points_in_polygons
from lidar.roof_points import roof_points
from lidar.validate import defects

if TYPE_CHECKING:
    from lidar.terrain import Terrain

MILLIMETRE = 0.001
"""m: coordinates and heights of a model are multiples of it."""
ROOF_CELL = 0.5
"""m: roof heights are taken once a cell, so that overlapping strips do not count double."""
LOWEST_ROOF = 1.5
"""m above the ground: nothing below is a roof."""
SHRINK = 0.3
"""m: points nearer than this to the outline may be of a wall, of the neighbour or of the eaves."""
FEWEST_POINTS = 5
"""Roof points below which no height is given."""
GROUND_STEP = 0.5
"""m between the places along the outline where the terrain is asked."""
GROUND_PERCENTILE = 5.0
BLOCK_PERCENTILE = 70.0
LONELY_GAP = 3.0
"""m: a few points this far above all others (a bird, an aerial, multipath) are not the roof's top."""
LONELY_SHARE = 0.01
"""Share of the roof's points that may be such."""
POINT_SIGMA = 0.05
"""m: height error that the points of one survey have in common (strip adjustment; AHN and the like state 0.05)."""
MEASURED, MEASURED_SHARE = 0.10, 0.2
"""m: terrain of a better σ was measured, not bridged; where less than this share of an outline has such, its best."""
TERRAIN_SIGMA = 0.10
"""m: standard deviation of a terrain model that states none."""

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


def reconstruct_all(footprints: Footprints, points: PointCloud, terrain: Terrain) -> tuple[Building, ...]:
    """One building a footprint, in their order; where there is no model, the building's `reason` says why.

    A building depends on its own outline and on what lies inside and at it, on nothing else: neither on the tile,
    nor on the order of points or of other outlines.

    **Roof points** are those of class building, and others that lie as smoothly (`roof_points`), inside the outline
    shrunk by 0.3 m. Where fewer than a fifth of the outline's cells has any (too few points to tell), last returns
    without a class in cells whose points spread less than 0.5 m. Only what is 1.5 m above the ground counts. Of each
    0.5 m cell the median is taken, percentiles are over cells.

    **σ of the height** is √(σ_roof² + σ_ground² + σ_common²):

    * σ_roof = (q(p + δ) − q(p − δ)) / 2, half the spread of the roof's own heights around the percentile p = 0.7,
      with δ² = p (1 − p) / n + (P σ_xy / A)² + p (1 − p) ν²: the sampling of n cells, the outline's planimetric σ_xy
      times its perimeter P over its area A, and the share ν of cells without points beyond what chance leaves empty
      at this density (e^−λ at λ points a cell): they may hide any height.
    * σ_ground: median of the terrain's σ at the outline (0.10 m where it states none), with half the distance
      between the 5th and 25th percentile of the terrain there.
    * σ_common = 0.05 m, what the points of one survey have in common.

    σ of the area is σ_xy √(Σ lᵢ²) over the outline's edges of length lᵢ, each shifted on its own.

    Args:
        footprints: outlines, in the points' horizontal CRS.
        points: classified; they cover the outlines.
        terrain: its `dtm` covers the outlines; band "sigma" is used if there.
    """
    if len(footprints) == 0:
        return ()
    polygons = shapely.set_precision(footprints.polygons, MILLIMETRE)
    whole = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
    whole &= ~shapely.is_empty(polygons)
    polygons = np.where(whole, polygons, footprints.polygons)
    ground, sigma_ground = _ground(polygons, terrain)
    heights = _roofs(polygons, footprints.sigma_xy, points, roof_points(points, terrain), ground)
    area, sigma_area = shapely.area(polygons), footprints.sigma_xy * _root_of_squared_edges(polygons)
    return tuple(
        _building(
            uid, polygon, float(ground[i]), float(sigma_ground[i]), heights[i], float(area[i]), float(sigma_area[i]),
            "derived" if footprints.derived[i] else "known",
        )
        for i, (uid, polygon) in enumerate(zip(footprints.uids, polygons, strict=True))
    )  # fmt: skip


def block(footprint: Polygon, ground: float, roof: float) -> Solid:
    """The prism over a polygon from the ground to a flat roof: LoD1.2.

    Holes become courtyards. Faces: the ground, the roof, then a wall an edge; outward normals.
    """
    rings = [shapely.get_coordinates(r)[:-1] for r in (footprint.exterior, *footprint.interiors)]
    rings = [ring if _turns_left(ring) == (number == 0) else ring[::-1] for number, ring in enumerate(rings)]
    xy = np.concatenate(rings)
    n = len(xy)
    vertices = np.concatenate([np.column_stack([xy, np.full(n, ground)]), np.column_stack([xy, np.full(n, roof)])])
    starts = np.cumsum([0] + [len(ring) for ring in rings])
    loops = [tuple(range(starts[k], starts[k + 1])) for k in range(len(rings))]
    faces = [
        Face(tuple(loop[::-1] for loop in loops), Surface.GROUND),
        Face(tuple(tuple(index + n for index in loop) for loop in loops), Surface.ROOF),
    ]
    for loop in loops:
        for a, b in zip(loop, loop[1:] + loop[:1], strict=True):
            faces.append(Face(((a, b, b + n, a + n),), Surface.WALL))
    return Solid(vertices, tuple(faces))


def _building(
    uid: str,
    polygon: Polygon,
    ground: float,
    sigma_ground: float,
    roof: RoofHeights,
    area: float,
    sigma_area: float,
    source: str,
) -> Building:
    """One building, with its solid if there can be one."""
    reason, solid = Reason.NONE, None
    if roof.no_data >= 1:
        reason = Reason.NO_POINTS
    elif not np.isfinite(ground):
        reason = Reason.NO_TERRAIN
    elif roof.points < FEWEST_POINTS:
        reason = Reason.FEW_POINTS
    if reason is Reason.NONE:
        solid = _valid_block(polygon, ground, _millimetres(roof.p70))
        reason = Reason.NONE if solid is not None else Reason.BAD_FOOTPRINT
    known = roof.points >= FEWEST_POINTS
    return Building(
        uid=uid,
        footprint=polygon,
        ground_height=ground,
        roof_height_min=_millimetres(roof.minimum) if known else np.nan,
        roof_height_50p=_millimetres(roof.median) if known else np.nan,
        roof_height_70p=_millimetres(roof.p70) if known else np.nan,
        roof_height_max=_millimetres(roof.maximum) if known else np.nan,
        height=_millimetres(_millimetres(roof.p70) - ground) if known else np.nan,
        sigma_height=_millimetres(sqrt(roof.sigma_p70**2 + sigma_ground**2 + POINT_SIGMA**2)) if known else np.nan,
        area=round(area, 3),
        sigma_area=round(sigma_area, 3),
        lod="0" if solid is None else "1.2",
        solid=solid,
        point_count=roof.points,
        point_density=round(roof.points / area, 3) if area > 0 else 0.0,
        no_data_fraction=round(roof.no_data, 4),
        reason=reason,
        attributes={"footprint_source": source, "ground_fraction": round(roof.ground, 4)},
    )


def _valid_block(polygon: Polygon, ground: float, roof: float) -> Solid | None:
    """The block if it is a valid solid; of an outline that touches itself, the block over it opened by a centimetre."""
    solid = block(polygon, ground, roof)
    if not defects(solid):
        return solid
    opened = shapely.set_precision(polygon.buffer(-0.01, join_style="mitre"), MILLIMETRE)
    if opened.geom_type != "Polygon" or opened.is_empty or opened.area < 0.9 * polygon.area:
        return None
    solid = block(opened, ground, roof)
    return None if defects(solid) else solid


def _millimetres(value: float) -> float:
    return round(float(value), 3)


def _turns_left(ring: NDArray[np.float64]) -> bool:
    x, y = (ring - ring[0]).T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) > 0


def _root_of_squared_edges(polygons: NDArray[np.object_]) -> NDArray[np.float64]:
    """(m,) √(Σ l²) over all edges of each polygon."""
    rings, owner = shapely.get_rings(polygons, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    squared = np.where(ring[1:] == ring[:-1], ((xy[1:] - xy[:-1]) ** 2).sum(axis=1), 0.0)
    return np.sqrt(np.bincount(owner[ring[:-1]], squared, minlength=len(polygons)))


def _ground(polygons: NDArray[np.object_], terrain: Terrain) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(m,) 5th percentile of the terrain at each outline, and its standard deviation; NaN where there is none."""
    outlines = shapely.segmentize(shapely.get_exterior_ring(polygons), GROUND_STEP)
    xy, owner = shapely.get_coordinates(outlines, return_index=True)
    height = terrain.dtm.at(xy[:, 0], xy[:, 1]).astype(np.float64)
    band = terrain.dtm.bands.get("sigma")
    sigma = (
        np.full(len(xy), TERRAIN_SIGMA)
        if band is None
        else type(terrain.dtm)(band, terrain.dtm.grid).at(xy[:, 0], xy[:, 1]).astype(np.float64)
    )
    starts = np.searchsorted(owner, np.arange(len(polygons) + 1))
    found: tuple[NDArray[np.float64], NDArray[np.float64]] = _border_statistics(
        height, np.where(np.isfinite(sigma), sigma, TERRAIN_SIGMA), starts
    )
    return found


@njit(cache=True, nogil=True)
def _border_statistics(height, sigma, starts):  # type: ignore[no-untyped-def]
    """The ground's percentile to the millimetre, and its standard deviation, for each outline."""
    m = starts.shape[0] - 1
    ground, spread = np.full(m, np.nan), np.full(m, np.nan)
    for i in range(m):
        found = height[starts[i] : starts[i + 1]]
        keep = np.isfinite(found)
        if not keep.any():
            continue
        own_sigma = np.sort(sigma[starts[i] : starts[i + 1]][keep])
        keep &= sigma[starts[i] : starts[i + 1]] <= max(MEASURED, _quantile(own_sigma, MEASURED_SHARE))
        ordered = np.sort(_evened(found[keep]))
        low = _quantile(ordered, GROUND_PERCENTILE / 100.0)
        ground[i] = np.round(low, 3)
        own = _quantile(np.sort(sigma[starts[i] : starts[i + 1]][keep]), 0.5)
        half = (_quantile(ordered, 0.25) - low) / 2.0
        spread[i] = np.sqrt(own * own + half * half)
    return ground, spread


@njit(cache=True, nogil=True)
def _evened(ring):  # type: ignore[no-untyped-def]
    """The median of each value and its two neighbours on either side, round the ring."""
    n = ring.shape[0]
    if n < 5:
        return ring
    even = np.empty(n)
    window = np.empty(5)
    for k in range(n):
        for j in range(5):
            window[j] = ring[(k + j - 2) % n]
        even[k] = np.sort(window)[2]
    return even


def _roofs(
    polygons: NDArray[np.object_],
    sigma_xy: NDArray[np.float64],
    points: PointCloud,
    on_roof: NDArray[np.bool_],
    ground: NDArray[np.float64],
) -> list[RoofHeights]:
    """What the points say of each roof."""
    inner = shapely.buffer(polygons, -SHRINK, join_style="mitre")
    thin = shapely.area(inner) < 0.4 * shapely.area(polygons)
    inside = points_in_polygons(points.x, points.y, polygons)
    core = points_in_polygons(points.x, points.y, np.where(thin, polygons, inner))
    last = points.return_number >= points.number_of_returns
    cells = _cells_inside(polygons)
    edge_share = shapely.length(polygons) * sigma_xy / np.maximum(shapely.area(polygons), 1e-9)
    table = _roof_statistics(
        points.x, points.y, points.z, np.where(on_roof, np.uint8(_ROOF), _KIND[points.classification]), last,
        inside.offsets, inside.points, core.offsets, core.points, cells.offsets, cells.points, ground, edge_share,
    )  # fmt: skip
    return [RoofHeights(a, b, c, d, e, int(n), empty, bare) for a, b, c, d, e, n, empty, bare in table.tolist()]


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
def _quantile(ordered, q):  # type: ignore[no-untyped-def]
    """Linear interpolation between order statistics; q is held within 0 and 1."""
    place = min(max(q, 0.0), 1.0) * (ordered.shape[0] - 1)
    low = int(np.floor(place))
    high = min(low + 1, ordered.shape[0] - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


@njit(cache=True, nogil=True)
def _cells_of(x, y, chosen):  # type: ignore[no-untyped-def]
    """(k,) number of the 0.5 m cell of each chosen point; cells are aligned to the CRS, not to the tile."""
    column = np.floor(x[chosen] / ROOF_CELL).astype(np.int64)
    row = np.floor(y[chosen] / ROOF_CELL).astype(np.int64)
    return row * ROW + column


@njit(cache=True, nogil=True)
def _cell_medians(cells, z):  # type: ignore[no-untyped-def]
    """The median of each cell's heights, sorted."""
    order = np.argsort(cells)
    medians = np.empty(cells.shape[0])
    count, first = 0, 0
    for k in range(1, order.shape[0] + 1):
        if k == order.shape[0] or cells[order[k]] != cells[order[first]]:
            medians[count] = _quantile(np.sort(z[order[first:k]]), 0.5)
            count += 1
            first = k
    return np.sort(medians[:count])


@njit(cache=True, nogil=True)
def _flat(cells, z, most):  # type: ignore[no-untyped-def]
    """(k,) whether the point's cell spreads less than `most` metres."""
    order = np.argsort(cells)
    flat = np.zeros(cells.shape[0], dtype=np.bool_)
    first = 0
    for k in range(1, order.shape[0] + 1):
        if k == order.shape[0] or cells[order[k]] != cells[order[first]]:
            low = high = z[order[first]]
            for j in range(first, k):
                low, high = min(low, z[order[j]]), max(high, z[order[j]])
            for j in range(first, k):
                flat[order[j]] = high - low < most
            first = k
    return flat


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


@njit(cache=True, nogil=True, parallel=True)
def _roof_statistics(  # type: ignore[no-untyped-def]
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
):
    """(m, 8) the columns of `RoofHeights`."""
    m = ground.shape[0]
    table = np.zeros((m, 8))
    table[:, :5] = np.nan
    for i in prange(m):
        every = inside_points[inside_offsets[i] : inside_offsets[i + 1]]
        cells = cell_numbers[cell_offsets[i] : cell_offsets[i + 1]]
        table[i, 6] = 1.0
        if every.shape[0] == 0:
            continue
        floor = ground[i] + LOWEST_ROOF if np.isfinite(ground[i]) else -np.inf
        every_cell = _cells_of(x, y, every)
        seen = np.unique(every_cell)
        empty = cells.shape[0] - _shared(cells, seen)
        table[i, 6] = min(empty / max(cells.shape[0], 1), 0.9999)
        is_roof = (kind[every] == _ROOF) & (z[every] > floor)
        covered = np.unique(every_cell[is_roof]).shape[0]
        core = core_points[core_offsets[i] : core_offsets[i + 1]]
        if covered >= 0.2 * seen.shape[0] and covered >= FEWEST_POINTS:
            chosen = core[(kind[core] == _ROOF) & (z[core] > floor)]
        else:
            open_points = core[(kind[core] != _IGNORED) & (kind[core] != _GROUND) & last[core] & (z[core] > floor)]
            chosen = open_points[_flat(_cells_of(x, y, open_points), z[open_points], 0.5)]
            is_roof = (kind[every] != _GROUND) & (kind[every] != _IGNORED) & (z[every] > floor)
        roof_cells = np.unique(every_cell[is_roof])
        grounded = np.unique(every_cell[kind[every] == _GROUND])
        table[i, 7] = (grounded.shape[0] - _shared(grounded, roof_cells)) / seen.shape[0]
        if chosen.shape[0] == 0:
            continue
        ordered = np.sort(z[chosen])
        kept = _without_lonely(ordered)
        top = ordered[kept - 1]
        chosen = chosen[z[chosen] <= top]
        table[i, 5] = chosen.shape[0]
        if chosen.shape[0] < FEWEST_POINTS:
            continue
        medians = _cell_medians(_cells_of(x, y, chosen), z[chosen])
        p = BLOCK_PERCENTILE / 100.0
        variance = p * (1.0 - p)
        hidden = max(table[i, 6] - np.exp(-every.shape[0] / max(cells.shape[0], 1)), 0.0)
        delta = np.sqrt(variance / medians.shape[0] + edge_share[i] ** 2 + variance * hidden**2)
        table[i, 0] = medians[0]
        table[i, 1] = _quantile(medians, 0.5)
        table[i, 2] = _quantile(medians, p)
        table[i, 3] = top
        table[i, 4] = (_quantile(medians, p + delta) - _quantile(medians, p - delta)) / 2.0
    return table
