"""A mask of cells to a polygon: traced, turned into its own direction, with right angles where the cells say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import atan2, ceil, cos, hypot, pi, sin, sqrt

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from shapely import Polygon, affinity

from lidar.outline_edges import settled
from lidar.outline_rings import lines_of, right_angled, ring_of, traced
from lidar.roof_cells import quantiles

SIMPLE = 0.75
"""m: how far a free outline may leave the cells."""
RIGHT_ANGLED = 0.55
"""Strength of the common direction (0 none, 1 all walls) from which right angles are tried."""
BESIDE_PARAPET = 0.25
"""Quantile of a cell's points that is its roof: a parapet may take up half of the cell."""
SURE = 10.0
"""m: a side of this length counts fully for the direction."""
LEVEL = 0.15
"""Slope below which a roof tells no direction."""
BEYOND = 0.4
"""m beyond a side where it is looked whether a neighbour stands there."""
AGREEMENT = 0.80
"""Least intersection over union with the cells for a right-angled outline to stand."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A house's outline, and what it is worth."""

    polygon: Polygon
    """In the CRS."""
    sigma_xy: float
    """m: standard deviation of the place of its sides, the mean square by their squared lengths, as an area's is."""
    confidence: float
    """0 to 1: the share of its outer ring's length that the points support: of a free side the rows of points that end
    at it, of a side shared with a neighbour the rows in which a wall shows."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of roof cells, turned so that most of its walls run along rows and columns."""

    direction: float
    """Radians from the CRS' axes to the block's, within an eighth of a turn either way."""
    strength: float
    """How common the direction is to its walls, 0 to 1."""
    centre: tuple[float, float]
    """x and y in the CRS of the turned frame's middle."""
    cell: float
    """m: side of a coarse cell; a fine one is half."""
    fine: NDArray[np.bool_]
    """(2 m, 2 n) which fine cells of the turned frame belong to it, the block's north at the top."""

    @classmethod
    def of(
        cls,
        mask: NDArray[np.bool_],
        cell: float,
        origin: tuple[float, float],
        height: NDArray[np.float64] | None = None,
    ) -> Block | None:
        """The block of a mask's largest part; None for an empty one.

        Args:
            mask: (rows, columns), north first, with empty cells all round.
            cell: m.
            origin: x and y of the upper-left corner.
            height: (rows, columns) m, roofs, NaN where unknown: their slopes and steps show the direction too.
        """
        part = traced(mask, cell, origin)
        if part is None:
            return None
        votes = _outline_votes(part)
        if height is not None:
            votes = (votes[0] + (roofs := _roof_votes(height, cell))[0], votes[1] + roofs[1])
        direction, strength = atan2(votes[0].imag, votes[0].real) / 4.0, abs(votes[0]) / max(votes[1], 1e-9)
        rows, columns = mask.shape
        centre = (origin[0] + columns * cell / 2.0, origin[1] - rows * cell / 2.0)
        east, north = (shapely.get_coordinates(part) - centre).T
        wide = ceil(np.abs(east * cos(direction) + north * sin(direction)).max() / cell) + 2
        high = ceil(np.abs(north * cos(direction) - east * sin(direction)).max() / cell) + 2
        across, up = np.meshgrid(
            (np.arange(-2 * wide, 2 * wide) + 0.5) * cell / 2.0, (np.arange(2 * high, -2 * high, -1) - 0.5) * cell / 2.0
        )
        x = centre[0] + across * cos(direction) - up * sin(direction)
        y = centre[1] + across * sin(direction) + up * cos(direction)
        soft = ndimage.uniform_filter(mask.astype(np.float32), 3)
        place = [(origin[1] - y) / cell - 0.5, (x - origin[0]) / cell - 0.5]
        return cls(direction, strength, centre, cell, ndimage.map_coordinates(soft, place, order=1, cval=0.0) >= 0.5)

    def _turned(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions along the block's axes, metres from its middle."""
        east, north = x - self.centre[0], y - self.centre[1]
        return (
            east * cos(self.direction) + north * sin(self.direction),
            north * cos(self.direction) - east * sin(self.direction),
        )

    def heights(
        self, x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(m, n) each coarse cell's roof and highest point; of cells without points the nearest one's; NaN outside.

        Args:
            x: of roof points in and around the block, metres, in the CRS.
            y: the same.
            z: the same.
        """
        m, n = self.fine.shape[0] // 2, self.fine.shape[1] // 2
        inside = self.fine.reshape(m, 2, n, 2).sum(axis=(1, 3)) >= 2
        across, up = self._turned(x, y)
        column = np.floor(across / self.cell).astype(np.int64) + n // 2
        row = m // 2 - 1 - np.floor(up / self.cell).astype(np.int64)
        within = (row >= 0) & (row < m) & (column >= 0) & (column < n)
        index = (row * n + column)[within]
        counts = np.bincount(index, minlength=m * n)
        height = quantiles(index, z[within], np.ones(len(index), dtype=bool), counts, BESIDE_PARAPET).reshape(m, n)
        top = np.full(m * n, -np.inf)
        np.maximum.at(top, index, z[within])
        known = (counts > 0).reshape(m, n)
        if not known.any():
            return np.full((m, n), np.nan), np.full((m, n), np.nan)
        nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
        filled, highest = height[tuple(nearest)], top.reshape(m, n)[tuple(nearest)]
        return np.where(inside, filled, np.nan), np.where(inside, highest, np.nan)

    def outlines(
        self,
        label: NDArray[np.int64],
        shown: NDArray[np.float64],
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        z: NDArray[np.float64],
    ) -> list[Outline]:
        """The outline of each house, in the CRS.

        Args:
            label: (m, n) number of each coarse cell's house, 0 outside.
            shown: by that number, the share of its border with others at which a wall shows.
            x: of roof points in and around the block, metres, in the CRS.
            y: the same.
            z: the same.
        """
        if not label.any():
            return []
        nearest = ndimage.distance_transform_edt(label == 0, return_distances=False, return_indices=True)
        owner = np.where(self.fine, label[tuple(nearest)].repeat(2, axis=0).repeat(2, axis=1), 0)
        across, up = self._turned(x, y)
        side, rows, columns = self.cell / 2.0, *owner.shape
        row, column = rows // 2 - 1 - np.floor(up / side).astype(np.int64), np.floor(across / side).astype(np.int64)
        column += columns // 2
        within = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        across, up, height, of = across[within], up[within], z[within], owner[row[within], column[within]]
        order = np.argsort(of, kind="stable")
        starts = np.searchsorted(of[order], np.arange(owner.max() + 2))
        spacing = 1.0 / sqrt(max(len(of) / max(np.count_nonzero(owner) * side * side, 1e-9), 0.1))
        found = []
        for number, place in enumerate(ndimage.find_objects(owner), start=1):
            if place is None:
                continue
            mask = np.pad(owner[place] == number, 1)
            own = order[starts[number] : starts[number + 1]]
            outline = self._outline(
                owner,
                number,
                mask,
                (place[0].start - 1, place[1].start - 1),
                (across[own], up[own], height[own]),
                spacing,
                float(shown[number]),
            )
            if outline is not None:
                found.append(outline)
        return found

    def _outline(
        self,
        owner: NDArray[np.int64],
        number: int,
        mask: NDArray[np.bool_],
        corner: tuple[int, int],
        points: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
        spacing: float,
        shown: float,
    ) -> Outline | None:
        side, high, wide = self.cell / 2.0, self.fine.shape[0] / 2.0, self.fine.shape[1] / 2.0
        west, north = (corner[1] - wide) * side, (high - corner[0]) * side
        part = traced(mask, side, (west, north))
        if part is None:
            return None

        def is_free(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
            row = np.clip(np.floor(high - y / side).astype(np.int64), 0, owner.shape[0] - 1)
            column = np.clip(np.floor(x / side + wide).astype(np.int64), 0, owner.shape[1] - 1)
            behind = owner[row, column]
            return bool(2 * np.count_nonzero((behind != 0) & (behind != number)) < len(behind))

        made = right_angled(part) if self.strength >= RIGHT_ANGLED else None
        if made is not None and _overlap(made, part) >= AGREEMENT:
            found = _at_the_points(made, is_free, points, spacing)
        else:
            plain = part.simplify(SIMPLE)
            plain = plain if isinstance(plain, Polygon) and plain.is_valid and not plain.is_empty else part
            free = _free_sides(plain, is_free)
            found = _Sides(plain, free, np.full(len(free), np.nan), np.zeros(len(free)))
        ring = np.diff(shapely.get_coordinates(found.polygon.exterior), axis=0)
        length = np.hypot(ring[:, 0], ring[:, 1])
        # A side along cells ends anywhere in its last cell, and the roof somewhere beyond its last point.
        sigma = np.where(np.isfinite(found.sigma), found.sigma, hypot(self.cell / sqrt(3.0), spacing / sqrt(12.0)))
        support = np.where(found.free, found.support, shown)
        turned = affinity.rotate(found.polygon, self.direction * 180.0 / pi, origin=(0, 0))
        return Outline(
            affinity.translate(turned, *self.centre),
            float(sqrt((length**2 @ sigma**2) / (length @ length))),
            float(length @ support / length.sum()),
        )


@dataclass(frozen=True, slots=True)
class _Sides:
    """An outline in the block's frame, and of each side of its outer ring, in the ring's order, what is known of it."""

    polygon: Polygon
    free: NDArray[np.bool_]
    """Whether there is no neighbour behind it."""
    sigma: NDArray[np.float64]
    """m: standard deviation of its place; NaN where it lies along cells."""
    support: NDArray[np.float64]
    """Share of its rows of points that end at it; 0 where it lies along cells."""


def _overlap(a: Polygon, b: Polygon) -> float:
    """Intersection over union."""
    common = float(a.intersection(b).area)
    return common / (float(a.area) + float(b.area) - common)


def _outline_votes(part: Polygon) -> tuple[complex, float]:
    """Sum and weight of the directions of the long sides, each four times its angle, by metres.

    Each side of the simplified outline votes with the line fitted through the cell edges' midpoints along it; long
    sides, whose direction is sure, count more.
    """
    ring = shapely.get_coordinates(part.exterior)
    steps = shapely.get_coordinates(part.exterior.segmentize(0.5))[:-1]
    passed = np.rint(np.abs(np.diff(ring, axis=0)).sum(axis=1) / 0.5).astype(np.int64).cumsum().tolist()
    place = dict(zip(map(tuple, ring[:-1].tolist()), [0, *passed[:-1]], strict=True))
    at = [place[(x, y)] for x, y in shapely.get_coordinates(part.exterior.simplify(SIMPLE))[:-1].tolist()]
    total, weight = 0j, 0.0
    for first, last in zip(at, at[1:] + at[:1], strict=True):
        run = np.arange(first, last + 1 if last > first else last + 1 + len(steps)) % len(steps)
        side = steps[run]
        middle = (side[1:] + side[:-1]) / 2.0
        length = hypot(*(side[-1] - side[0]))
        if length < 2.0:
            continue
        inner = middle[1:-1] if len(middle) > 6 else middle
        spread = inner - inner.mean(axis=0)
        angle = 0.5 * atan2(
            2.0 * float(spread[:, 0] @ spread[:, 1]), float((spread**2) @ (1, -1) @ np.ones(len(spread)))
        )
        vote = length * min(length / SURE, 1.0)
        total += vote * complex(cos(4 * angle), sin(4 * angle))
        weight += vote
    return total, weight


def _roof_votes(height: NDArray[np.float64], cell: float) -> tuple[complex, float]:
    """The same of the roofs' slopes and steps: each cell that is not level votes with the way it falls."""
    known = np.isfinite(height)
    if not known.any():
        return 0j, 0.0
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    even = ndimage.median_filter(height[tuple(nearest)], 3)
    east, south = ndimage.sobel(even, axis=1) / (8 * cell), ndimage.sobel(even, axis=0) / (8 * cell)
    steep = np.hypot(east, south)
    inner = ndimage.binary_erosion(known, np.ones((3, 3)), iterations=2) & (steep > LEVEL)
    weights = np.minimum(steep[inner], 1.0) * cell
    angle = 4.0 * np.arctan2(-south[inner], east[inner])
    return complex(float(weights @ np.cos(angle)), float(weights @ np.sin(angle))), float(weights.sum())


def _at_the_points(
    outline: Polygon,
    is_free: Callable[[NDArray[np.float64], NDArray[np.float64]], bool],
    points: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    spacing: float,
) -> _Sides:
    """A right-angled outline with its outer sides where the roof's points end; the same if that would spoil it."""
    lines = lines_of(shapely.get_coordinates(outline.exterior)[:-1])
    ring = Polygon(ring_of(lines), [hole.coords for hole in outline.interiors])
    # Of the ring of lines, the k-th side lies on the line after the k-th.
    free = _free_sides(ring, is_free)
    moved, sigma, support = settled(lines, np.roll(free, 1), *points, spacing)
    made = Polygon(ring_of(moved), [hole.coords for hole in ring.interiors])
    if made.is_valid and made.area >= outline.area / 2.0:
        return _Sides(made, free, np.roll(sigma, -1), np.roll(support, -1))
    return _Sides(ring, free, np.full(len(lines), np.nan), np.zeros(len(lines)))


def _free_sides(
    outline: Polygon, is_free: Callable[[NDArray[np.float64], NDArray[np.float64]], bool]
) -> NDArray[np.bool_]:
    """Of each side of the outer ring, whether no neighbour stands just beyond it."""
    ring = shapely.get_coordinates(outline.exterior)
    step = np.diff(ring, axis=0)
    length = np.hypot(step[:, 0], step[:, 1])
    out = np.column_stack([step[:, 1], -step[:, 0]]) / np.maximum(length, 1e-9)[:, None]
    out = out if outline.exterior.is_ccw else -out
    free = np.zeros(len(step), dtype=bool)
    for i in range(len(step)):
        n = max(ceil(length[i] / 0.5), 1)
        along = (np.arange(n) + 0.5)[:, None] / n
        places = ring[i] + along * step[i] + BEYOND * out[i]
        free[i] = is_free(places[:, 0], places[:, 1])
    return free
