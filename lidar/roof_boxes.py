"""Rectangles that dormers, stair heads and the like fill: their sides are too short to be found one by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lidar.roof_planes import SMALLEST, RoofPlanes

SHORTEST = 0.7
"""m: a border shorter than this (or than two spacings) is no line."""
FILLED = 0.6
"""Share of a rectangle that a piece of a plane must fill, or that it of the piece, to be bounded by its sides."""


def box_sides(
    label: NDArray[np.int64],
    xy: NDArray[np.float64],
    directions: NDArray[np.float64],
    roof: RoofPlanes,
    frame: NDArray[np.float64],
) -> list[tuple[int, tuple[float, ...]]]:
    """Plane and sides, x and y of both ends in m, of the rectangles that pieces of a plane fill.

    Args:
        label: (rows, columns) plane of each cell, -1 outside.
        xy: (n, 2) m, the points that `roof` labels.
        directions: of walls, within a quarter turn, the first of those that fit as well is taken.
        roof: its planes.
        frame: (3,) west and south of the cells, and their side, in m.
    """
    west, south, cell = frame
    least = max(SHORTEST, 2 * roof.spacing) / 2
    sides: list[tuple[int, tuple[float, ...]]] = []
    for plane in range(len(roof)):
        pieces, number = ndimage.label(label == plane)
        for piece in range(1, number + 1):
            row, column = np.nonzero(pieces == piece)
            if len(row) * cell**2 < SMALLEST:
                continue
            places = np.column_stack([west + (column + 0.5) * cell, south + (row + 0.5) * cell])
            best: tuple[float, float, tuple[float, float], tuple[float, float]] | None = None
            for angle in directions:
                run = np.array([np.cos(angle), np.sin(angle)])
                along, across = _extent(places @ run, cell), _extent(places @ (-run[1], run[0]), cell)
                if min(along[1] - along[0], across[1] - across[0]) < least:
                    continue
                unlike = abs(len(row) * cell**2 / ((along[1] - along[0]) * (across[1] - across[0])) - 1.0)
                if unlike <= 1.0 - FILLED and (best is None or unlike < best[0] - 1e-9):
                    best = unlike, float(angle), along, across
            if best is not None:
                own = _sides(*best[1:], xy, roof.label == plane, roof.label >= 0, 1.5 * cell)
                sides += [(plane, side) for side in own]
    return sides


def _sides(
    angle: float,
    along: tuple[float, float],
    across: tuple[float, float],
    xy: NDArray[np.float64],
    own: NDArray[np.bool_],
    on_plane: NDArray[np.bool_],
    reach: float,
) -> list[tuple[float, ...]]:
    """A rectangle's four sides, each put where it parts the plane's points from others best, within a reach."""
    run = np.array([np.cos(angle), np.sin(angle)])
    u, v = xy @ run, xy @ (-run[1], run[0])
    beside_u = on_plane & (v > across[0]) & (v < across[1])
    beside_v = on_plane & (u > along[0]) & (u < along[1])
    low = -_parting(-u[beside_u], own[beside_u], -along[0], reach)
    high = _parting(u[beside_u], own[beside_u], along[1], reach)
    left = -_parting(-v[beside_v], own[beside_v], -across[0], reach)
    right = _parting(v[beside_v], own[beside_v], across[1], reach)
    corners = [
        (a * run[0] - b * run[1], a * run[1] + b * run[0])
        for a, b in ((low, left), (high, left), (high, right), (low, right))
    ]
    return [(*a, *b) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)]


def _parting(at: NDArray[np.float64], own: NDArray[np.bool_], start: float, reach: float) -> float:
    """Where most of a plane's own points lie before it and others behind; the start where there are not both."""
    near = np.abs(at - start) <= reach
    order = np.lexsort((own[near], at[near]))
    at, own = at[near][order], own[near][order]
    if own.all() or not own.any():
        return start
    wrong = np.append(0, np.cumsum(~own)) + np.append(np.cumsum(own[::-1])[::-1], 0)
    bounds = np.concatenate([[start - reach], at, [start + reach]])
    width = np.where(wrong == wrong.min(), np.diff(bounds), -1.0)
    best = int(np.argmax(width))
    return float(bounds[best] + bounds[best + 1]) / 2.0


def _extent(across: NDArray[np.float64], cell: float) -> tuple[float, float]:
    """First and last of the strips, a cell wide, that hold at least half as much as is usual."""
    low = float(across.min()) - cell / 2
    held = np.bincount(((across - low) / cell).astype(np.int64))
    full = np.flatnonzero(2 * held >= np.median(held[held > 0]))
    return low + float(full[0]) * cell, low + float(full[-1] + 1) * cell
