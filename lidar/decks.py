"""Bridge decks: surfaces that carry on the ground at both ends and fall off on both sides.

From each cell lines are walked in 16 directions. Across the deck, both ways, the surface breaks off to ground or water
below; an embankment slopes, a quay or terrace breaks off on one side. Along the deck, both ways, the surface goes on
until it is ground that does not break off: the abutments. A roof has none, a wall or dam does not end within sight.
The ground filter may have kept a deck or cut it off: both are walked on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.cells import UNIT, Cells, Floats, Mask, around
from lidar.morphology import compiled, dilation, in_threads

ACROSS = 20
"""Cells to each side within which the deck's edge lies."""
ALONG = 26
"""Cells to each end within which its abutment lies."""
ABUTMENT = 3
"""Cells of ground in a line that make an abutment: a roof has none but by mistake."""
DROP = 1.6
"""Metres the surface breaks off at an edge, from one cell to the next: a slope of 58°."""
DROP_GAP = 1.4
"""Metres more for each empty cell at the edge, as a share of cells is empty by chance: 0.2 m at 2/m²."""
GAP = 6
"""Cells in a line that hold no echo, as water does, or something standing on the surface: a car, a parapet."""
STEP = 0.35
"""Metres by which a deck rises or falls to the next cell: kerbs, and the steepest ramps."""
RAMP = 0.1
"""Metres more for each cell between: the steepest ramps."""
VOID = 5
"""Empty cells in a line that are calm water: an edge, though its height is unseen."""
DENSITY = 2.0
"""Last returns/m² near, from which on a survey shows edges: in a thinner one a slope may lie between two points."""
FULL = 7
"""Of the 9 cells about one, that hold echoes at least, for the same reason."""
DENSITY_RADIUS = 7
"""Cells to each side of the window that the density is taken from."""
LEAST = 5
"""Of the 9 cells about a deck's cell that are deck as well."""
THICKNESS = 0.4
"""Metres about the deck's top in which its points lie."""
DIRECTIONS = 16
"""Of lines, 22.5° each: narrow decks lie askew to the grid, and bend."""
REACH = ACROSS + ALONG + ABUTMENT + 1 + 1 + 1.0
"""Metres of surroundings: lines, the cells about a deck's, and a cell's own width."""


class Decks(NamedTuple):
    """What is found of k points."""

    deck: Mask
    """(k,) points on decks."""
    agree: NDArray[np.uint8]
    """(rows, columns) decks among the 9 cells about each."""


def decks(cells: Cells, ground: Mask, rest: Mask, last: Mask) -> Decks:
    """Find the points on bridge decks.

    Args:
        cells: where the k points lie.
        ground: (k,) what the ground filter found.
        rest: (k,) points that are neither ground nor noise: decks that the ground filter cut off are among them.
        last: (k,) last returns.
    """
    none = np.zeros(cells.points, dtype=np.bool_)
    rows = cells.shape[0]
    top, floor = np.empty(cells.shape, dtype=np.float32), np.empty(cells.shape, dtype=np.float32)
    in_threads(_surface, rows, cells.points * 2, cells, ground, rest & last, top, floor)
    below = -dilation(-floor, ACROSS)
    echoes = cells.number(last)
    density = (around(echoes, DENSITY_RADIUS) / (2 * DENSITY_RADIUS + 1) ** 2).astype(np.float32)
    void = around(echoes, VOID // 2) == 0
    wanted = np.isfinite(top) & ((below <= top - np.float32(DROP)) | (around(void, ACROSS) > 0))
    wanted &= (
        (around(echoes > 0, 1) >= FULL)
        & (density >= DENSITY)
        & (dilation(cells.highest(ground), ALONG) >= top - np.float32(STEP + RAMP * ALONG))
    )
    if not wanted.any():
        return Decks(none, np.zeros(cells.shape, dtype=np.uint8))
    edged = np.zeros(top.shape, dtype=np.uint8)
    in_threads(_find_edges, rows, top.size * 8, _lines(ACROSS, True), top, floor, density, wanted, edged)
    deck = np.zeros(top.shape, dtype=np.bool_)
    in_threads(_find_ends, rows, top.size * 8, _lines(ALONG + ABUTMENT, False), top, np.isfinite(floor), edged, deck)
    agree = around(deck, 1).astype(np.uint8)
    deck &= agree >= LEAST
    if not deck.any():
        return Decks(none, agree)
    surface = dilation(np.where(deck, top, -np.inf).astype(np.float32), 1)
    surface[deck] = top[deck]
    in_threads(_claim, rows, cells.points, cells, ground | rest, surface, none)
    return Decks(none, agree)


@compiled
def _lines(longest: int, across: bool) -> Any:
    """(DIRECTIONS, longest + 1, 2) rows and columns by steps along each direction, or a right angle from it."""
    line = np.zeros((DIRECTIONS, longest + 1, 2), dtype=np.int64)
    for a in range(DIRECTIONS):
        angle = 2 * np.pi * a / DIRECTIONS
        down, right = np.sin(angle), np.cos(angle)
        if across:
            down, right = right, -down
        for n in range(longest + 1):
            line[a, n, 0], line[a, n, 1] = int(np.rint(n * down)), int(np.rint(n * right))
    return line


@compiled
def _surface(first: int, last: int, cells: Any, ground: Any, other: Any, top: Any, floor: Any) -> None:
    """The highest ground of each cell, or where other points are more the lowest of these; and the lowest ground."""
    columns = top.shape[1]
    for r in range(first, last):
        for c in range(columns):
            high, low, other_low = -np.inf, np.inf, np.inf
            others = 0
            for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                z = cells.w[p] / UNIT
                if ground[p]:
                    high, low = max(high, z), min(low, z)
                    others -= 1
                elif other[p]:
                    other_low = min(other_low, z)
                    others += 1
            if others > 0:
                high = other_low
            top[r, c], floor[r, c] = high, low


@compiled
def _claim(first: int, last: int, cells: Any, solid: Any, surface: Floats, deck: Any) -> None:
    columns = surface.shape[1]
    for r in range(first, last):
        for c in range(columns):
            if surface[r, c] > -np.inf:
                for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                    deck[p] = solid[p] and abs(cells.w[p] / UNIT - surface[r, c]) <= THICKNESS


@compiled
def _edge(line: Any, top: Any, floor: Any, drop_gap: float, r: int, c: int) -> bool:
    """Whether the surface breaks off on this line."""
    rows, columns = top.shape
    before, gap, void = top[r, c], 0, 0
    for n in range(1, ACROSS + 1):
        i, j = r + line[n, 0], c + line[n, 1]
        if i < 0 or j < 0 or i >= rows or j >= columns:
            return False
        change = top[i, j] - before
        if change == -np.inf:
            gap, void = gap + 1, void + 1
            if void == VOID:
                return True
        elif change <= -(DROP + drop_gap * void) and np.isfinite(floor[i, j]):
            return True
        elif change > STEP + RAMP * gap:
            gap, void = gap + 1, 0
        elif change < -(STEP + RAMP * gap):
            return False
        else:
            before, gap, void = top[i, j], 0, 0
        if gap > GAP:
            return False
    return False


@compiled
def _find_edges(first: int, last: int, lines: Any, top: Any, floor: Any, density: Any, wanted: Any, edged: Any) -> None:
    """Bit a of `edged`: the surface breaks off on both sides of axis a, or on one of them a step of direction off."""
    opposite = DIRECTIONS // 2
    drops = np.empty(DIRECTIONS, dtype=np.bool_)
    for r in range(first, last):
        for c in range(top.shape[1]):
            if not wanted[r, c]:
                continue
            drop_gap = DROP_GAP * np.exp(-density[r, c])
            for a in range(DIRECTIONS):
                drops[a] = _edge(lines[a], top, floor, drop_gap, r, c)
            for a in range(opposite):
                b = a + opposite
                if (drops[a] and (drops[b] or drops[b - 1] or drops[(b + 1) % DIRECTIONS])) or (
                    drops[b] and (drops[a - 1] or drops[a + 1])
                ):
                    edged[r, c] |= np.uint8(1 << a)


@compiled
def _end(line: Any, top: Any, firm: Any, edged: Any, r: int, c: int) -> bool:
    """Whether this line leads to ground that does not break off."""
    rows, columns = top.shape
    before, gap, reached = top[r, c], 0, 0
    for n in range(1, ALONG + ABUTMENT + 1):
        i, j = r + line[n, 0], c + line[n, 1]
        if i < 0 or j < 0 or i >= rows or j >= columns:
            return False
        change = top[i, j] - before
        if change == -np.inf or change > STEP + RAMP * gap:
            gap += 1
            if gap > GAP:
                return False
        elif change < -(STEP + RAMP * gap):
            return False
        else:
            if firm[i, j] and edged[i, j] == 0:
                reached += 1
                if reached == ABUTMENT:
                    return True
            else:
                reached = 0
            before, gap = top[i, j], 0
    return False


@compiled
def _find_ends(first: int, last: int, lines: Any, top: Any, firm: Any, edged: Any, deck: Any) -> None:
    """Cells from which ground is reached both ways along, by lines that may be a step of direction off."""
    opposite = DIRECTIONS // 2
    ends = np.empty(DIRECTIONS, dtype=np.bool_)
    for r in range(first, last):
        for c in range(top.shape[1]):
            if edged[r, c] == 0:
                continue
            for a in range(DIRECTIONS):
                ends[a] = _end(lines[a], top, firm, edged, r, c)
            for a in range(opposite):
                if edged[r, c] & (1 << a):
                    b = a + opposite
                    ahead = ends[a] or ends[a - 1] or ends[a + 1]
                    if ahead and (ends[b] or ends[b - 1] or ends[(b + 1) % DIRECTIONS]):
                        deck[r, c] = True
