"""Bridge decks: surfaces that carry on the ground at both ends and fall off on both sides.

From each cell lines are walked in eight axes. Across the deck, both ways, the surface breaks off to ground or water
below; an embankment slopes, a quay or terrace breaks off on one side. Along the deck, both ways, the surface goes on
until it is ground that does not break off: the abutments. A roof has none, a wall or dam does not end within sight.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

from lidar.cells import Cells, Floats, Mask, around
from lidar.morphology import compiled, in_threads

ACROSS = 10
"""Cells to each side within which the deck's edge lies: half of a road of four lanes."""
ALONG = 16
"""Cells to each end within which its abutment lies."""
ABUTMENT = 4
"""Cells of ground in a line that make an abutment: a roof has none but by mistake."""
DROP = 1.6
"""Metres the surface breaks off at an edge, from one cell to the next: a slope of 58°."""
DROP_GAP = 0.5
"""Metres more for each empty cell at the edge, in the deck's shadow or on water that returns nothing."""
GAP = 2
"""Empty cells that a line passes."""
STEP = 0.35
"""Metres a cell by which a deck rises or falls: kerbs, and the steepest ramps."""
LEAST = 5
"""Of the 9 cells about a deck's cell that are deck as well."""
MARGIN = 4
"""Cells beside a deck in which planes at its height are its own: its ends over the banks, a walkway."""
THICKNESS = 0.4
"""Metres about the deck's top in which its points lie."""
AXES = 8
REACH = ACROSS + ALONG + ABUTMENT + 1 + MARGIN + 1.0
"""Metres it adds to what it is given: lines, the cells about a deck's, and a cell's own width."""


def decks(z: NDArray[np.float64], ground: Mask, wet: Mask, flat: Mask, cells: Cells) -> Mask:
    """(n,) true for points on bridge decks.

    Args:
        z: (n,) metres.
        ground: (n,) what the ground filter found.
        wet: (n,) those of them on water.
        flat: (n,) other planar points: decks that the ground filter cut off look like roofs.
        cells: where the points lie.
    """
    none = np.zeros(len(z), dtype=np.bool_)
    solid = ground | flat
    top = cells.highest(solid, z)
    if not np.isfinite(top).any():
        return none
    floor = -cells.highest(ground, -z)
    below = minimum_filter(floor, 2 * ACROSS + 1, mode="nearest")
    wanted = np.isfinite(top) & (below <= top - np.float32(DROP))
    if not wanted.any():
        return none
    edged = np.zeros(top.shape, dtype=np.uint8)
    in_threads(_find_edges, top.shape[0], top.size * 8, top, floor, wanted, edged)
    deck = np.zeros(top.shape, dtype=np.bool_)
    firm = cells.count(ground) > cells.count(flat)
    in_threads(_find_ends, top.shape[0], top.size * 8, top, firm, edged, deck)
    deck &= around(deck.astype(np.int64), 1) >= LEAST
    if not deck.any():
        return none
    surface = _carried(np.where(deck, top, -np.inf).astype(np.float32))
    found = solid & (np.abs(z - surface.ravel()[cells.index]) <= THICKNESS)
    for _ in range(MARGIN - 1):
        surface = _carried(surface)
    found |= flat & (np.abs(z - surface.ravel()[cells.index]) <= THICKNESS)
    return np.asarray(found & ~wet)


def _carried(top: Floats) -> Floats:
    """The highest deck of the 3 × 3 cells about each."""
    padded = np.pad(top, 1, constant_values=-np.inf)
    best = top.copy()
    for i in range(3):
        for j in range(3):
            near = padded[i : i + top.shape[0], j : j + top.shape[1]]
            best = np.where(np.isfinite(top), top, np.maximum(best, near))
    return best


@compiled
def _edge(top: Any, floor: Any, r: int, c: int, dr: float, dc: float) -> bool:
    """Whether the surface breaks off on this line."""
    rows, columns = top.shape
    before, gap = top[r, c], 0
    for n in range(1, ACROSS + 1):
        i, j = r + int(np.rint(n * dr)), c + int(np.rint(n * dc))
        if i < 0 or j < 0 or i >= rows or j >= columns:
            return False
        here = top[i, j]
        if here == -np.inf:
            gap += 1
            if gap > GAP:
                return False
            continue
        change = here - before
        if change <= -(DROP + DROP_GAP * gap):
            return bool(np.isfinite(floor[i, j]))
        if abs(change) > STEP * (1 + gap):
            return False
        before, gap = here, 0
    return False


@compiled
def _find_edges(first: int, last: int, top: Any, floor: Any, wanted: Any, edged: Any) -> None:
    """Bit a of `edged`: the surface breaks off on both sides of axis a."""
    for r in range(first, last):
        for c in range(top.shape[1]):
            if not wanted[r, c]:
                continue
            for a in range(AXES):
                angle = np.pi * a / AXES
                dr, dc = np.cos(angle), -np.sin(angle)
                if _edge(top, floor, r, c, dr, dc) and _edge(top, floor, r, c, -dr, -dc):
                    edged[r, c] |= np.uint8(1 << a)


@compiled
def _end(top: Any, firm: Any, edged: Any, r: int, c: int, dr: float, dc: float) -> bool:
    """Whether this line leads to ground that does not break off."""
    rows, columns = top.shape
    before, gap, reached = top[r, c], 0, 0
    for n in range(1, ALONG + ABUTMENT + 1):
        i, j = r + int(np.rint(n * dr)), c + int(np.rint(n * dc))
        if i < 0 or j < 0 or i >= rows or j >= columns:
            return False
        here = top[i, j]
        if here == -np.inf:
            gap += 1
            if gap > GAP:
                return False
            continue
        if abs(here - before) > STEP * (1 + gap):
            return False
        if firm[i, j] and edged[i, j] == 0:
            reached += 1
            if reached == ABUTMENT:
                return True
        else:
            reached = 0
        before, gap = here, 0
    return False


@compiled
def _find_ends(first: int, last: int, top: Any, firm: Any, edged: Any, deck: Any) -> None:
    for r in range(first, last):
        for c in range(top.shape[1]):
            for a in range(AXES):
                if edged[r, c] & (1 << a):
                    angle = np.pi * a / AXES
                    dr, dc = np.sin(angle), np.cos(angle)
                    if _end(top, firm, edged, r, c, dr, dc) and _end(top, firm, edged, r, c, -dr, -dc):
                        deck[r, c] = True
                        break
