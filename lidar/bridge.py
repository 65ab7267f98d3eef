"""Heights across holes in the ground (under buildings, bridges, dense crowns) from what stands around them.

On a lattice of 2 m each place in a hole looks in 32 directions for the nearest known ground and takes the heights
there weighted by one over the distance: the discrete mean value coordinates of Floater (2003, Computer Aided Geometric
Design 20). They reproduce a plane exactly, however the hole is shaped, are smooth inside, and ask only what is seen
from the place: no system of equations that would tie one end of the city to the other. The rim's height is the mean of
its 2 m, not one cell's. Between the lattice's places heights are interpolated, and a few steps of a membrane's
equation fit them to the cells of the rim, which the lattice knows by their means alone.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gis.grid import Grid
from lidar.bridge_lattice import DECK, gather_deck, gather_rim, leaps, look, rays
from lidar.morphology import compiled, in_threads

LATTICE = 2.0
"""Metres between the places that look around, or one cell where cells are larger."""
MAX_BRIDGE = 56.0
"""Metres: farthest known ground a ray asks. A hole wider than twice that keeps a core without height."""
MEMBRANE = 8.0
"""Metres over which the heights are fitted to the rim, as many steps as cells: narrow houses, sheds and roads are so
wide, and kerbs and ramps at their rims are narrower than the lattice sees."""
UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
"""Bits of the cells beside one."""
BRIDGE_REACH = MAX_BRIDGE + 2 * LATTICE + MEMBRANE
"""Metres: farthest known cell that changes a cell in a hole."""


def bridge(
    height: NDArray[np.float32],
    sigma: NDArray[np.float32],
    known: NDArray[np.uint8],
    deck: NDArray[np.float32] | None,
    outer: Grid,
    grid: Grid,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """Heights, σ and kind (`DRY`, `WET` or 0) of the cells of a grid: the known ones, and those across the holes.

    Args:
        height: (rows, columns) metres, of the outer grid.
        sigma: the same, 1σ.
        known: the same: `DRY`, `WET` or 0.
        deck: the same: height of the bridge above, −inf where there is none; or no bridge at all.
        outer: the grid and `BRIDGE_REACH` around it, as far as there are points.
        grid: of the result; NaN stays where nothing can be said.
    """
    ratio = max(1, round(LATTICE / outer.resolution))
    steps = int(np.ceil(MEMBRANE / outer.resolution)) if ratio > 1 else 0
    west, south = outer.first_column // ratio, outer.first_row // ratio
    shape = (
        (outer.first_row + outer.rows - 1) // ratio - south + 1,
        (outer.first_column + outer.columns - 1) // ratio - west + 1,
    )
    corner = (outer.first_row + outer.rows - 1 - south * ratio, outer.first_column - west * ratio)
    rim, kind, hole = np.empty((5, *shape), dtype=np.float32), np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    in_threads(gather_rim, shape[0], known.size, height, sigma, known, ratio, *corner, rim, kind, hole)
    rim[DECK] = -np.inf
    if deck is not None:
        in_threads(gather_deck, shape[0], known.size, deck, ratio, *corner, rim[DECK])
    longest = int(MAX_BRIDGE / (ratio * outer.resolution))
    free = leaps(kind, longest + 2)
    places, filled = np.full((2, *shape), np.nan, dtype=np.float32), np.zeros(shape, dtype=np.uint8)
    spacing = ratio * outer.resolution
    in_threads(look, shape[0], known.size, rim, kind, hole, free, longest, spacing, rays(longest), places, filled)
    inner = _inner(grid, outer, steps)
    window = inner.window_in(outer)
    z, s = height[window].copy(), sigma[window].copy()
    k = known[window].copy()
    place = (corner[0] - window[0].start, corner[1] + window[1].start)
    in_threads(_interpolate, z.shape[0], z.size, places, filled, ratio, *place, z, s, k)
    fixed = known[window] != 0
    z = _fitted_to_rim(z, k, fixed, steps)
    window = grid.window_in(inner)
    return z[window], s[window], k[window]


def _inner(grid: Grid, outer: Grid, cells: int) -> Grid:
    """The grid and so many cells around it, inside of the outer one."""
    column, row = max(grid.first_column - cells, outer.first_column), max(grid.first_row - cells, outer.first_row)
    east = min(grid.first_column + grid.columns + cells, outer.first_column + outer.columns)
    north = min(grid.first_row + grid.rows + cells, outer.first_row + outer.rows)
    return Grid(grid.crs, grid.resolution, column, row, east - column, north - row)


@compiled
def _interpolate(
    first: int, last: int, places: Any, filled: Any, ratio: int, top: int, left: int, height: Any, sigma: Any, kind: Any
) -> None:
    """Give the unknown cells what the four places about them say, of the kind of the nearest."""
    rows, columns = filled.shape
    for row in range(first, last):
        # the fraction from the remainder alone, so that it is the same wherever the lattice is counted from
        y = ((top - row) % ratio + 0.5) / ratio - 0.5
        r0 = int(np.floor(y))
        row_of = (top - row) // ratio
        for column in range(height.shape[1]):
            if kind[row, column]:
                continue
            x = ((column + left) % ratio + 0.5) / ratio - 0.5
            c0 = int(np.floor(x))
            column_of = (column + left) // ratio
            best, of = 0.0, 0
            for i in range(r0, r0 + 2):
                for j in range(c0, c0 + 2):
                    r, c = row_of + i, column_of + j
                    if 0 <= r < rows and 0 <= c < columns and filled[r, c]:
                        w = (1.0 - abs(y - i)) * (1.0 - abs(x - j))
                        if w > best:
                            best, of = w, filled[r, c]
            if of == 0:
                height[row, column] = sigma[row, column] = np.nan
                continue
            total = z = variance = z0 = 0.0
            for i in range(r0, r0 + 2):
                for j in range(c0, c0 + 2):
                    r, c = row_of + i, column_of + j
                    w = (1.0 - abs(y - i)) * (1.0 - abs(x - j))
                    if 0 <= r < rows and 0 <= c < columns and filled[r, c] == of and w > 0.0:
                        if total == 0.0:
                            z0 = float(places[0, r, c])
                        total += w
                        z += w * (places[0, r, c] - z0)
                        variance += w * places[1, r, c]
            height[row, column] = z0 + z / total
            sigma[row, column] = np.sqrt(variance / total)
            kind[row, column] = of


def _fitted_to_rim(height: Any, kind: Any, fixed: Any, steps: int) -> Any:
    """The heights after some steps towards a membrane's among the fixed cells.

    Chebyshev's semi-iterative form of Jacobi's (Golub & Varga 1961): of all methods that look one cell farther in each
    step it leaves the least of the errors in holes as many cells wide as there are steps.
    """
    radius = np.cos(np.pi / (steps + 1))
    before, weight = height.copy(), 1.0
    ties, spans = np.zeros(kind.shape, dtype=np.uint8), np.zeros((len(kind), 2), dtype=np.int64)
    in_threads(_tie, len(kind), kind.size, kind, fixed, ties, spans)
    for step in range(steps):
        in_threads(_relax, len(height), height.size, height, ties, spans, np.float32(weight), before)
        height, before = before, height
        weight = 1.0 / (1.0 - radius**2 * weight / (2.0 if step == 0 else 4.0))
    return height


@compiled
def _tie(first: int, last: int, kind: Any, fixed: Any, ties: Any, spans: Any) -> None:
    """Of the unknown cells, a bit for each of the four beside them that is of their kind; and where a row has some."""
    rows, columns = kind.shape
    for r in range(first, last):
        for c in range(columns):
            own = kind[r, c]
            if fixed[r, c] or own == 0:
                continue
            up, down = r > 0 and kind[r - 1, c] == own, r + 1 < rows and kind[r + 1, c] == own
            left, right = c > 0 and kind[r, c - 1] == own, c + 1 < columns and kind[r, c + 1] == own
            ties[r, c] = up * UP + down * DOWN + left * LEFT + right * RIGHT
            if ties[r, c]:
                spans[r, 0] = c if spans[r, 1] == 0 else spans[r, 0]
                spans[r, 1] = c + 1


@compiled
def _relax(first: int, last: int, height: Any, ties: Any, spans: Any, weight: Any, before: Any) -> None:
    """One step in the unknown cells, among those of one kind; it replaces what was `before` the heights at hand."""
    rows, columns = height.shape
    for r in range(first, last):
        begin, end = spans[r, 0], spans[r, 1]
        if begin == end:
            continue
        own, up, down = height[r], height[max(r - 1, 0)], height[min(r + 1, rows - 1)]
        e = columns - 1
        if begin == 0:
            _relax_cells(own[:1], up[:1], down[:1], own[:1], own[min(1, e) :], ties[r, :1], weight, before[r, :1])
        if end == columns and e > 0:
            _relax_cells(own[e:], up[e:], down[e:], own[e - 1 :], own[e:], ties[r, e:], weight, before[r, e:])
        a, b = max(begin, 1), max(min(end, e), 1)
        _relax_cells(
            own[a:b], up[a:b], down[a:b], own[a - 1 :], own[min(a + 1, e) :], ties[r, a:b], weight, before[r, a:b]
        )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _relax_cells(own: Any, up: Any, down: Any, left: Any, right: Any, ties: Any, weight: Any, before: Any) -> None:
    """Of a row; all selections, for the wide registers."""
    none, one = np.float32(0), np.float32(1)
    for c in range(own.shape[0]):
        z, tie = own[c], ties[c]
        above, below, west, east = up[c] - z, down[c] - z, left[c] - z, right[c] - z
        total = above if tie & UP else none
        total += below if tie & DOWN else none
        total += west if tie & LEFT else none
        total += east if tie & RIGHT else none
        n = (one if tie & UP else none) + (one if tie & DOWN else none)
        n += (one if tie & LEFT else none) + (one if tie & RIGHT else none)
        moved = before[c] + weight * (z + total / n - before[c])
        before[c] = moved if tie else before[c]
