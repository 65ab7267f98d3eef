"""Light wells and shafts in a roof: gaps between its points that chance does not leave, with returns from far below.

A tube house is lit by a well of 2 by 2 m that is open to near the ground. Few pulses reach its floor, so that it is no
plane of points; but the roof has a gap there, and what returns from the gap comes from well below the roof. Wells are
taken for rectangles, the largest without a point of the roof.
"""

from __future__ import annotations

from dataclasses import replace
from math import log, pi, sqrt
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from shapely import MultiLineString

from lidar.distance import distance_to
from lidar.fused import along
from lidar.morphology import compiled
from lidar.plane_cells import cells_inside
from lidar.point_order import median
from lidar.roof_boxes import SHORTEST
from lidar.roof_heights import SHRINK, quantiles_by
from lidar.roof_lines import wall_directions
from lidar.roof_planes import NONE, RoofPlanes

Outline = MultiLineString | NDArray[np.object_]
"""One, as shapely says of what it makes."""
CHANCE = 1e-4
"""Probability of an empty disc of the radius from which a gap is one, were points strewn at random."""
CELL = 0.35
"""Side of a cell in points' spacings."""
WIDEST = 8.0
"""m from a gap's middle that it is followed."""
PLAINLY = 1.1
"""Times larger that a gap must be for another direction than that of the longest wall."""
BESIDE = 2.0
"""Spacings round a gap in which the roof beside it is looked for."""
SMALLEST, LARGEST = 1.0, 60.0
"""m²: smaller shafts are chimneys, larger ones are parts that were not seen."""
COVERED = 0.5
"""Share of a gap that a plane's own points cover, or of its midst that others a storey below the roof at most do, from
which it is a part of the roof, not a gap."""
FLOOR = 9.0
"""m²: planes of fewer points than cover so much may be a well's floor or wall."""
BELOW, STOREY = 1.0, 3.5
"""m below the roof around it that at least a quarter of a gap's points lie, and the lowest: through a skylight pulses
come to the floor of a room, not farther."""
LONG = 2.5
"""Radii of the largest circle in a gap, from its middle, in which a well's deep points are looked for."""
EVIDENCE = 2
"""Points below, at least."""
FLAT = 0.2
"""m: points of one floor lie within it."""


def with_wells(
    edges: NDArray[np.float64], xyz: NDArray[np.float64], roof: RoofPlanes
) -> tuple[NDArray[np.float64], RoofPlanes]:
    """The points and planes of a roof with those of its wells: a level plane and points strewn over each gap.

    Args:
        edges: (e, 4) m, both ends of the footprint's edges, the inside on the left.
        xyz: (n, 3) m, by rising x: the points that `roof` labels, with those from below the roof, which have no label.
        roof: its planes, at least one.

    Returns:
        (n + m, 3) points and their planes; the same as given where there is no well. A well's floor is at its lowest
        point, or at the middle of the lowest few that lie on one level.
    """
    counts = np.bincount(roof.label + 1, minlength=len(roof) + 1)[1:]
    # What may be a well's floor or wall: few points, a storey below most of the roof.
    middles = quantiles_by(roof.label, np.ascontiguousarray(xyz[:, 2]), len(roof), 0.5)
    low_down = middles < median(xyz[roof.label >= 0, 2]) - STOREY  # False where there is none
    small = np.append((counts * roof.spacing**2 < FLOOR) & low_down, True)[roof.label]  # last: points without a plane
    on_roof = ~small
    # Beside the outline the house's own outer wall is seen: it tells of no well, however few points the roof has there.
    deep = _deep(xyz, small, roof.planes, float(xyz[on_roof, 2].max(initial=-np.inf)))
    if len(deep) == 0:
        return xyz, roof
    outline = shapely.multilinestrings(np.asarray(shapely.linestrings(edges.reshape(-1, 2, 2))))
    deep = deep[_off(outline, deep)]
    if len(deep) == 0:
        return xyz, roof
    cell = CELL * roof.spacing
    radius = sqrt(-log(CHANCE) / pi) * roof.spacing
    low = edges[:, :2].min(axis=0) - cell
    columns, rows = (np.ceil((edges[:, :2].max(axis=0) - low) / cell).astype(int) + 1).tolist()
    inside = cells_inside(edges, low[0], low[1], cell, rows, columns)
    # A gap at the eaves is outside as much as inside: there the outline counts as if it were a row of points.
    clear = distance_to(_covered(xyz, on_roof, low[0], low[1], cell, inside))[1:-1, 1:-1] * cell
    wide = clear >= radius
    if not wide.any():
        return xyz, roof
    pieces, _ = ndimage.label(wide)
    solid = np.concatenate([xyz[on_roof, :2], _along(edges, cell)])
    solid = solid[np.argsort(solid[:, 0], kind="stable")]
    directions = wall_directions(edges)
    deep = deep[np.argsort(deep[:, 0], kind="stable")]
    label = roof.label.copy()
    added, labels = [], []
    floors: list[list[float]] = []
    for at_row, at_column in _widest_places(pieces, clear):
        middle = low + (np.array([at_column, at_row]) + 0.5) * cell
        reach = LONG * clear[at_row, at_column]
        first, last = np.searchsorted(deep[:, 0], (middle[0] - 1.01 * reach, middle[0] + 1.01 * reach))
        if not (np.hypot(*(deep[first:last] - middle).T) <= reach).any():
            continue
        run, gap = _largest_gap(solid[_strip(solid, middle[0], WIDEST)], middle, directions)
        sides = gap[1] - gap[0]
        area = float(sides[0] * sides[1])
        near = _strip(xyz, middle[0], float(np.abs(gap).sum()) + 2 * BESIDE * roof.spacing)
        local = (xyz[near, :2] - middle) @ np.column_stack([run, (-run[1], run[0])])
        inner = ((local > gap[0]) & (local < gap[1])).all(axis=1)
        within, inner = near[inner], local[inner]
        ring = near[((local > gap[0] - BESIDE * roof.spacing) & (local < gap[1] + BESIDE * roof.spacing)).all(axis=1)]
        ring = ring[on_roof[ring]]
        beside = roof.label[ring]
        if not SMALLEST <= area <= LARGEST or sides.min() < SHORTEST or len(beside) == 0:
            continue
        if (roof.label[within] >= 0).sum() * roof.spacing**2 >= COVERED * area:
            continue
        p, q, r = roof.planes[np.unique(beside)].T[:, :, None]
        level = (p + q * xyz[within, 0] + r * xyz[within, 1]).min(axis=0)
        # Beyond their edge planes are drawn out, but not above the points beside.
        depth = np.minimum(level, xyz[ring, 2].max()) - xyz[within, 2]
        below = ((depth > BELOW) & _off(outline, xyz[within])).sum()
        if below < EVIDENCE or 4 * below < len(within) or depth.max() < STOREY:
            continue
        # Points near the roof's height are of a well's walls at its sides; in its midst they are of a roof.
        midst = np.maximum(sides - 2 * roof.spacing, 0.0)
        amid = (np.minimum(inner - gap[0], gap[1] - inner) >= roof.spacing).all(axis=1)
        if (amid & (depth < STOREY)).sum() * roof.spacing**2 > COVERED * midst.prod():
            continue
        fallen = np.sort(xyz[within, 2])
        floor = fallen[fallen <= fallen[0] + FLAT]
        # The edge is nearer than the first point behind it, by the mean gap that points leave in a strip so long; the
        # border is later put half-way between the points strewn here and that first point.
        room = np.minimum(2 * roof.spacing**2 / sides[::-1], sides / 4)
        u, v = (np.linspace(a, b, int((b - a) / cell) + 2) for a, b in zip(gap[0] + room, gap[1] - room, strict=True))
        grid = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
        height = round(float(floor[(len(floor) - 1) // 2]), 3)
        xy = middle + grid @ np.array([run, (-run[1], run[0])])
        label[within] = NONE
        added.append(np.column_stack([xy, np.full(len(xy), height)]))
        labels.append(np.full(len(xy), len(roof) + len(floors)))
        floors.append([height, 0.0, 0.0])
    if not added:
        return xyz, roof
    return np.concatenate([xyz, *added]), replace(
        roof,
        label=np.concatenate([label, *labels]),
        planes=np.concatenate([roof.planes, floors]),
        scatter=np.concatenate([roof.scatter, np.full(len(floors), roof.noise)]),
    )


def _strip(xyz: NDArray[np.float64], x: float, reach: float) -> NDArray[np.int64]:
    """Those of points by rising x that are no farther east or west of a place, and a little more."""
    first, last = np.searchsorted(xyz[:, 0], (x - 1.01 * reach, x + 1.01 * reach))
    return np.arange(first, last)


def _off(outline: Outline, xyz: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) points farther from the outline than its own wall is seen."""
    return np.asarray(shapely.distance(outline, shapely.points(xyz[:, :2])) > SHRINK, dtype=bool)


@compiled
def _covered(xyz: Any, on_roof: Any, west: Any, south: Any, cell: Any, inside: Any) -> Any:
    """(rows + 2, columns + 2) the cells that hold a point of the roof, or lie outside, with those around the grid."""
    rows, columns = inside.shape
    covered = np.ones((rows + 2, columns + 2), dtype=np.bool_)
    covered[1:-1, 1:-1] = ~inside
    for i in range(xyz.shape[0]):
        if on_roof[i]:
            column = min(max(np.int64(np.floor((xyz[i, 0] - west) / cell)), 0), columns - 1)
            row = min(max(np.int64(np.floor((xyz[i, 1] - south) / cell)), 0), rows - 1)
            covered[row + 1, column + 1] = True
    return covered


@compiled
def _deep(xyz: Any, small: Any, planes: Any, highest: Any) -> Any:
    """(n, 2) places of points a storey below the highest plane there, or the highest point: without one, no well.

    Of the points that may be a well's alone.
    """
    found, count = np.empty((xyz.shape[0], 2)), 0
    for i in range(xyz.shape[0]):
        if not small[i]:
            continue
        top = -np.inf
        for k in range(planes.shape[0]):
            top = max(top, planes[k, 0] + along(xyz[i, 1], xyz[i, 0], planes[k, 2], planes[k, 1]))
        if min(top, highest) - xyz[i, 2] >= STOREY:
            found[count] = xyz[i, :2]
            count += 1
    return found[:count]


def _widest_places(pieces: NDArray[np.int32], clear: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Row and column where each piece is farthest from all that bounds it, the first of those."""
    at = np.flatnonzero(pieces)
    piece = pieces.reshape(-1)[at]
    order = np.lexsort((-clear.reshape(-1)[at], piece))
    first = np.searchsorted(piece[order], np.arange(1, piece.max() + 1))
    return [divmod(int(place), clear.shape[1]) for place in at[order[first]]]


def _along(edges: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """(n, 2) places along the outline."""
    run = edges[:, 2:] - edges[:, :2]
    count = np.ceil(np.hypot(run[:, 0], run[:, 1]) / step).astype(int)
    return np.concatenate([a + np.arange(n)[:, None] / n * r for a, n, r in zip(edges[:, :2], count, run, strict=True)])


def _largest_gap(
    xy: NDArray[np.float64], middle: NDArray[np.float64], directions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest rectangle round a place that holds no point: direction, and (2, 2) its least and greatest extent."""
    best = 0.0, np.zeros(2), np.zeros((2, 2))
    near = (xy - middle)[np.abs(xy - middle).max(axis=1) <= WIDEST]
    for angle in directions:
        run = np.array([np.cos(angle), np.sin(angle)])
        u, v = near @ run, near @ (-run[1], run[0])
        (top, west_t, east_t), (bottom, west_b, east_b) = _narrowing(u, v), _narrowing(u, -v)
        west, east = np.maximum.outer(west_t, west_b), np.minimum.outer(east_t, east_b)
        area = np.add.outer(top, bottom) * (east - west)
        i, j = np.unravel_index(np.argmax(area), area.shape)
        if area[i, j] > PLAINLY * best[0]:
            best = float(area[i, j]), run, np.array([[west[i, j], -bottom[j]], [east[i, j], top[i]]])
    return best[1], best[2]


def _narrowing(u: NDArray[np.float64], v: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Heights that a rectangle over the u-axis may reach, and how far west and east it then does."""
    over = np.flatnonzero(v >= 0)
    order = over[np.lexsort((u[over], v[over]))]
    u, v = u[order], v[order]
    west = np.maximum.accumulate(np.append(-WIDEST, np.where(u <= 0, u, -WIDEST)))
    east = np.minimum.accumulate(np.append(WIDEST, np.where(u > 0, u, WIDEST)))
    # Of heights with the same extent only the greatest can bound the largest: few are left, of thousands of points.
    last = np.append((np.diff(west) != 0) | (np.diff(east) != 0), True)
    return np.append(v, WIDEST)[last], west[last], east[last]
