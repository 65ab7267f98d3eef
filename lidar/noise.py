"""Noise: points clearly below the ground (multipath) and alone in the air (birds, clouds).

A point is a candidate when at most two others share its end of the column around it: the column's radius follows the
local point spacing, so that one rule serves 0.2 and 35 points/m². A low candidate is noise when it lies below the
ground on every line through it; a high one when nothing at its level is near, as along a wire. Every decision
depends on points within `REACH` and on cells aligned to whole metres: tiles with such a buffer give what the whole
gives.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import compiled, extremes, in_threads
from lidar.noise_cells import BLOCK, SPACING, sorted_cells
from lidar.point_cloud import NOISE, Class, PointCloud

REACH: Final = 30.0
"""Metres around a point within which everything lies that its class depends on."""
CONTEXT: Final = 20
"""Metres around a candidate in which ground and neighbours of its level are looked for."""
COMPANIONS: Final = 2
"""Others that a cluster of noise may have: multipath comes in ones to threes."""
LOW_RADIUS: Final = 3.2
"""Spacings; a circle of 32 expected points, where ground has companions and multipath has not."""
LOW_DEPTH: Final = (0.5, 1.0)
"""A low point lies at least so many metres, and so many spacings (slope), below its surroundings."""
HIGH_RADIUS: Final = (1.5, 5.0)
"""Metres and spacings; wires and antennas have a companion so near, birds have none."""
HIGH_GAP: Final = 4.0
"""Metres of empty air below a high point."""
LEVEL: Final = 0.25
"""Metres; hits on water lie within so much of one level."""
LONE_CELLS: Final = 4
"""Cells around a lone hit that may be as low as it is."""
LEVEL_CELLS: Final = 4
"""Cells of one level that make a surface of water."""
WIRE_SAG: Final = (1.0, 0.15)
"""Metres, and metres a metre: points of a wire stay within this of each other's height."""
WIRE_CELLS: Final = 3
"""Cells at its height that make a lone point part of a wire or a crown."""
TALLEST: Final = 150.0
"""Metres above ground; a lone point higher than this is a cloud, whatever is at its level."""
SECTORS: Final = 8
SUPPORT: Final = 30
"""Occupied cells of a metre that a judgement on a lone point needs around it; sparser clouds are left alone."""
CROWD: Final = 64
"""Points of a cell beyond which they are not compared one by one to find company."""
QUARTERS: Final = 4
"""Parts of a crowded cell on each side; the diagonal of one, 0.35 m, is shorter than the smallest `LOW_RADIUS`."""
TILE: Final = 1_000
"""Metres; larger clouds are worked through in squares of this size, with a buffer of `REACH`."""


def mark_noise(points: PointCloud) -> PointCloud:
    """The same points, low noise as class 7 and high noise as class 18; all other classes as they were."""
    classes = points.classification.copy()
    if len(points) and np.ptp(extremes(points.x, points.y), axis=0).max() <= 2 * TILE:
        found = _noise(points.x, points.y, points.z, points.return_number, points.number_of_returns)
        np.copyto(classes, found, where=found != 0)
        return points.with_classification(classes)
    for chosen, inner in _squares(points.x, points.y):
        near = points.subset(chosen)
        found = _noise(near.x, near.y, near.z, near.return_number, near.number_of_returns)
        hit = inner & (found != 0)
        classes[chosen[hit]] = found[hit]
    return points.with_classification(classes)


def remove_noise(points: PointCloud) -> PointCloud:
    """The points without noise: what `mark_noise` finds, and what came in as class 7 or 18."""
    return points.subset(~np.isin(mark_noise(points).classification, NOISE))


def _squares(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Indices of the points of each square with its buffer, and which of them lie in the square itself."""
    column, row = np.floor(x / TILE).astype(np.int64), np.floor(y / TILE).astype(np.int64)
    squares = []
    for square_column in np.unique(column):
        west = square_column * TILE
        strip = np.flatnonzero((x >= west - REACH) & (x <= west + TILE + REACH))
        for square_row in np.unique(row[strip][column[strip] == square_column]):
            south = square_row * TILE
            near = strip[(y[strip] >= south - REACH) & (y[strip] <= south + TILE + REACH)]
            squares.append((near, (column[near] == square_column) & (row[near] == square_row)))
    return squares


def _noise(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    number: NDArray[np.uint8],
    total: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """(n,) class 7 or 18 where a point is noise, 0 elsewhere; metres, return numbers and numbers of returns."""
    cells = sorted_cells(x, y, z, number >= total)
    found = np.zeros(len(x), dtype=np.uint8)
    in_threads(_search, cells.rows, len(x), cells, _RINGS, found)
    return found


def _rings() -> NDArray[np.int64]:
    """Cell offsets (row, column, squared metres to its nearest corner), the nearest first."""
    furthest = int(np.ceil(max(LOW_RADIUS, HIGH_RADIUS[1]) * SPACING[1])) + 1
    offsets = [
        (max(abs(r) - 1, 0) ** 2 + max(abs(c) - 1, 0) ** 2, r * r + c * c, r, c)
        for r in range(-furthest, furthest + 1)
        for c in range(-furthest, furthest + 1)
    ]
    return np.array([(r, c, gap) for gap, _, r, c in sorted(offsets)], dtype=np.int64)


_RINGS: Final = _rings()


@compiled
def _search(first_row: int, last_row: int, cells: Any, rings: Any, found: Any) -> None:
    """The class of the points in some rows of cells: 7 or 18, where they are noise."""
    x, y, z, start = cells.x, cells.y, cells.z, cells.start
    lowest = np.empty(QUARTERS * QUARTERS)
    for row in range(first_row, last_row):
        for column in range(cells.columns):
            cell = row * cells.columns + column
            first, end = start[cell], start[cell + 1]
            if first == end:
                continue
            radius, depth, _, gap = _reaches(cells.spacing[row // BLOCK, column // BLOCK])
            crowded = end - first > CROWD
            if crowded:
                lowest = _fourth_lowest(x[first:end], y[first:end], z[first:end])
            for i in range(first, end):
                # most points have company enough in their own cell
                if cells.fourth[cell] >= z[i] - gap:
                    if crowded and lowest[_quarter(x[i], y[i])] <= z[i] + depth:
                        continue
                    if not crowded and _has_company(x, y, z, i, first, end, radius * radius, z[i] + depth):
                        continue
                low, high = _ends(cells, rings, i, row, column)
                if low and _all_ends(cells, rings, i, row, column, True) and _below_ground(cells, i, row, column):
                    found[cells.order[i]] = Class.LOW_NOISE
                elif high and _all_ends(cells, rings, i, row, column, False) and _alone(cells, i, row, column):
                    found[cells.order[i]] = Class.HIGH_NOISE


@compiled
def _has_company(x: Any, y: Any, z: Any, i: int, first: int, end: int, square: float, bottom: float) -> bool:
    """Whether more than `COMPANIONS` other points of a cell are near a point and not above `bottom`."""
    others = -1
    for j in range(first, end):
        others += (z[j] <= bottom) & ((x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2 <= square)
        if others > COMPANIONS:
            return True
    return False


@compiled
def _fourth_lowest(x: Any, y: Any, z: Any) -> Any:
    """(16,) the fourth-lowest height in each quarter × quarter of a cell, all of whose points are near each other."""
    lowest = np.full((QUARTERS * QUARTERS, 4), np.inf)
    for i in range(len(x)):
        quarter = _quarter(x[i], y[i])
        height = z[i]
        for k in range(4):
            if height < lowest[quarter, k]:
                height, lowest[quarter, k] = lowest[quarter, k], height
    return lowest[:, 3].copy()


@compiled
def _quarter(x: float, y: float) -> int:
    """Which of the 4 × 4 parts of its cell a point is in."""
    column = min(int((x - np.floor(x)) * QUARTERS), QUARTERS - 1)
    return min(int((y - np.floor(y)) * QUARTERS), QUARTERS - 1) * QUARTERS + column


@compiled
def _reaches(spacing: float) -> Any:
    """For a local spacing, in metres: radius and depth of the low column, radius and gap of the high one."""
    wide = max(HIGH_RADIUS[0], HIGH_RADIUS[1] * spacing)
    return LOW_RADIUS * spacing, max(LOW_DEPTH[0], LOW_DEPTH[1] * spacing), wide, max(HIGH_GAP, wide)


@compiled
def _ends(cells: Any, rings: Any, i: int, row: int, column: int) -> Any:
    """Whether at most `COMPANIONS` others are as low as point i, and whether so few are as high, in its columns."""
    low_radius, depth, high_radius, gap = _reaches(cells.spacing[row // BLOCK, column // BLOCK])
    low_square, high_square = low_radius * low_radius, high_radius * high_radius
    bottom, top = cells.z[i] + depth, cells.z[i] - gap
    low, high = 0, 0
    for k in range(len(rings)):
        near = rings[k, 2]
        low_open, high_open = low <= COMPANIONS and near <= low_square, high <= COMPANIONS and near <= high_square
        if not (low_open or high_open):
            break
        r, c = row + rings[k, 0], column + rings[k, 1]
        if r < 0 or c < 0 or r >= cells.rows or c >= cells.columns:
            continue
        for j in range(cells.start[r * cells.columns + c], cells.start[r * cells.columns + c + 1]):
            if j == i:
                continue
            square = (cells.x[j] - cells.x[i]) ** 2 + (cells.y[j] - cells.y[i]) ** 2
            if square <= low_square and cells.z[j] <= bottom:
                low += 1
            if square <= high_square and cells.z[j] >= top:
                high += 1
            if low > COMPANIONS and high > COMPANIONS:
                return False, False
    return low <= COMPANIONS, high <= COMPANIONS


@compiled
def _all_ends(cells: Any, rings: Any, i: int, row: int, column: int, is_low: bool) -> bool:
    """Whether the companions of a candidate are candidates too: the top of a mast has one that stands on others."""
    low_radius, depth, high_radius, gap = _reaches(cells.spacing[row // BLOCK, column // BLOCK])
    radius = low_radius if is_low else high_radius
    for k in range(len(rings)):
        if rings[k, 2] > radius * radius:
            break
        r, c = row + rings[k, 0], column + rings[k, 1]
        if r < 0 or c < 0 or r >= cells.rows or c >= cells.columns:
            continue
        for j in range(cells.start[r * cells.columns + c], cells.start[r * cells.columns + c + 1]):
            if j == i or (cells.x[j] - cells.x[i]) ** 2 + (cells.y[j] - cells.y[i]) ** 2 > radius * radius:
                continue
            if is_low and cells.z[j] <= cells.z[i] + depth and not _ends(cells, rings, j, r, c)[0]:
                return False
            if not is_low and cells.z[j] >= cells.z[i] - gap and not _ends(cells, rings, j, r, c)[1]:
                return False
    return True


@compiled
def _below_ground(cells: Any, i: int, row: int, column: int) -> bool:
    """Whether the ground passes clearly above a point on every line through it.

    Ground in each of eight sectors is the third-lowest cell minimum there, so that two points of noise are borne; two
    opposite sectors are joined by a straight line. Several lone hits of one level are water, and no noise.
    """
    radius, depth, _, _ = _reaches(cells.spacing[row // BLOCK, column // BLOCK])
    z = cells.z[i]
    heights = np.full((SECTORS, 3), np.inf)
    distances = np.full((SECTORS, 3), np.inf)
    level = 0
    inner = (radius + 0.71) ** 2
    for r in range(max(row - CONTEXT, 0), min(row + CONTEXT + 1, cells.rows)):
        for c in range(max(column - CONTEXT, 0), min(column + CONTEXT + 1, cells.columns)):
            height = cells.lowest[r * cells.columns + c]
            if height == np.inf:
                continue
            dx, dy = cells.west + c + 0.5 - cells.x[i], cells.south + r + 0.5 - cells.y[i]
            square = dx * dx + dy * dy
            if square < inner or square > CONTEXT * CONTEXT:
                continue
            if abs(height - z) <= LEVEL and _is_lone_hit(cells, r, c, radius, depth):
                level += 1
            sector = _sector(dx, dy)
            if height < heights[sector, 2]:
                k = 2
                while k > 0 and height < heights[sector, k - 1]:
                    heights[sector, k] = heights[sector, k - 1]
                    distances[sector, k] = distances[sector, k - 1]
                    k -= 1
                heights[sector, k] = height
                distances[sector, k] = np.sqrt(square)
    return level < LEVEL_CELLS and _lines_pass_above(heights[:, 2], distances[:, 2], z, depth)


@compiled
def _lines_pass_above(heights: Any, distances: Any, z: float, depth: float) -> bool:
    """Whether all lines from sector to opposite sector pass above z; all sectors, where there is no such line."""
    lines, known = 0, 0
    least = np.inf
    for sector in range(SECTORS):
        if heights[sector] < np.inf:
            known += 1
            least = min(least, heights[sector])
    for a in range(SECTORS // 2):
        b = a + SECTORS // 2
        if heights[a] == np.inf or heights[b] == np.inf:
            continue
        lines += 1
        along = distances[a] / (distances[a] + distances[b])
        if heights[a] + along * (heights[b] - heights[a]) - z < depth:
            return False
    return lines > 0 or (known >= 3 and least - z >= depth)


@compiled
def _is_lone_hit(cells: Any, row: int, column: int, radius: float, depth: float) -> bool:
    """Whether few cells around are as low as this one: a hit on water between banks, not ground on a slope."""
    w = int(np.ceil(radius)) + 1
    bottom = cells.lowest[row * cells.columns + column] + depth
    as_low = -1
    for r in range(max(row - w, 0), min(row + w + 1, cells.rows)):
        for c in range(max(column - w, 0), min(column + w + 1, cells.columns)):
            as_low += cells.lowest[r * cells.columns + c] <= bottom
    return as_low <= LONE_CELLS


@compiled
def _sector(dx: float, dy: float) -> int:
    """Octant 0 to 7, counter-clockwise from east."""
    if dy >= 0:
        if dx > 0:
            return 0 if dy < dx else 1
        return 2 if -dx < dy else 3
    if dx < 0:
        return 4 if -dy < -dx else 5
    return 6 if dx < -dy else 7


@compiled
def _alone(cells: Any, i: int, row: int, column: int) -> bool:
    """Whether a point with empty air below belongs to nothing: no wire or crown goes on at its height nearby."""
    _, _, radius, _ = _reaches(cells.spacing[row // BLOCK, column // BLOCK])
    z = cells.z[i]
    at_height, support = 0, 0
    bottom = np.inf
    inner = (radius + 0.71) ** 2
    for r in range(max(row - CONTEXT, 0), min(row + CONTEXT + 1, cells.rows)):
        for c in range(max(column - CONTEXT, 0), min(column + CONTEXT + 1, cells.columns)):
            height = cells.highest[r * cells.columns + c]
            if height == -np.inf:
                continue
            dx, dy = cells.west + c + 0.5 - cells.x[i], cells.south + r + 0.5 - cells.y[i]
            square = dx * dx + dy * dy
            if square > CONTEXT * CONTEXT:
                continue
            bottom = min(bottom, cells.lowest[r * cells.columns + c])
            if square < inner:
                continue
            support += 1
            if abs(height - z) <= WIRE_SAG[0] + WIRE_SAG[1] * np.sqrt(square):
                at_height += 1
    return support >= SUPPORT and (at_height < WIRE_CELLS or z - bottom > TALLEST)
