"""How high water must rise to reach each cell: the lowest way to it from where water comes in, over all ways there are.

Barnes, Lehman and Mulla (2014), "Priority-flood: an optimal depression-filling and watershed-labeling algorithm for
digital elevation models", Computers & Geosciences 62; made shorter by Zhou, Sun and Fu (2016), "An efficient variant of
the Priority-Flood algorithm", Computers & Geosciences 90: what lies uphill of a cell that was reached needs no queue.
Seeded at a map's edges it fills depressions; seeded at the sea it tells from which level on the sea reaches a cell,
past every dike. Cells have eight neighbours unless four are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadParameter
from lidar.morphology import compiled

STEPS = np.array([(0, 1), (-1, 0), (0, -1), (1, 0), (-1, 1), (-1, -1), (1, -1), (1, 1)], dtype=np.int64)
"""(8, 2) rows and columns to a neighbour; the first four share an edge with the cell."""
SEED, UNKNOWN, UNREACHED = 8, 254, 255
"""Ways of cells that water comes in at, of cells without height, and of cells that no water reaches."""
CELLS_MOST = 2**31
"""Cells of one raster: they are counted in 32 bits."""


@dataclass(frozen=True, slots=True)
class Flooded:
    """What the flood found of (rows, columns) cells."""

    level: NDArray[np.float32]
    """From which level on water reaches the cell, ≥ its height; NaN where it never does, or nothing is known."""
    way: NDArray[np.uint8]
    """Towards which neighbour (index of `STEPS`) the water came from, never to a higher level; `SEED`, `UNKNOWN` or
    `UNREACHED`.

    Followed from any cell, the ways end at a seed.
    """


def priority_flood(
    heights: NDArray[np.float32], seeds: NDArray[np.bool_] | None = None, *, neighbours: int = 8
) -> Flooded:
    """Flood a surface from its seeds.

    Args:
        heights: (rows, columns) metres; NaN is a wall that no water passes.
        seeds: where water comes in. Without them at every known cell on the edge of what is known, so that whatever
            flows off the map or into a hole of it is gone.
        neighbours: 8, or 4 for water that does not pass between two cells that touch at a corner.

    Raises:
        BadParameter: shapes differ, or the number of neighbours is another.
    """
    if neighbours not in (4, 8):
        raise BadParameter("neighbours", neighbours, "a cell has 4 or 8 neighbours")
    if heights.ndim != 2 or heights.size >= CELLS_MOST:
        raise BadParameter("heights", heights.shape, "a raster of at most 2³¹ cells is flooded at once")
    if seeds is None:
        seeds = rim(heights)
    if seeds.shape != heights.shape:
        raise BadParameter("seeds", seeds.shape, f"the heights have the shape {heights.shape}")
    # A rim of cells without height spares the question whether a neighbour lies on the map.
    surface = np.pad(np.asarray(heights, dtype=np.float32), 1, constant_values=np.nan)
    way = np.full(surface.shape, UNREACHED, dtype=np.uint8)
    way[1:-1, 1:-1][seeds] = SEED
    offsets = STEPS[:neighbours] @ np.array([surface.shape[1], 1])
    _flood(surface.ravel(), way.ravel(), offsets)
    level = np.where(way == UNREACHED, np.float32(np.nan), surface)
    return Flooded(np.ascontiguousarray(level[1:-1, 1:-1]), np.ascontiguousarray(way[1:-1, 1:-1]))


def rim(heights: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Known cells that lie on the raster's edge or beside a cell without height."""
    known: NDArray[np.bool_] = np.isfinite(heights)
    inner = np.zeros_like(known)
    inner[1:-1, 1:-1] = True
    for row, column in STEPS.tolist():
        inner[1:-1, 1:-1] &= known[1 + row : known.shape[0] - 1 + row, 1 + column : known.shape[1] - 1 + column]
    return known & ~inner


@compiled
def sortable(height: Any) -> Any:
    """A float32 as a whole number of 32 bits in the same order; −0 is 0."""
    bits = np.float32(height + np.float32(0.0)).view(np.uint32)
    return bits ^ np.uint32(0xFFFFFFFF) if bits >> np.uint32(31) else bits ^ np.uint32(0x80000000)


@compiled
def _sift_down(heap: Any, size: Any, key: Any) -> None:
    """Put a key where the root was; four children a node, which lie in one line of the cache."""
    node = 0
    while True:
        first = 4 * node + 1
        if first >= size:
            break
        least = first
        for child in range(first + 1, min(first + 4, size)):
            if heap[child] < heap[least]:
                least = child
        if heap[least] >= key:
            break
        heap[node] = heap[least]
        node = least
    heap[node] = key


@compiled
def _sift_up(heap: Any, node: Any, key: Any) -> None:
    while node > 0:
        parent = (node - 1) >> 2
        if heap[parent] <= key:
            break
        heap[node] = heap[parent]
        node = parent
    heap[node] = key


@compiled
def _flood(level: Any, way: Any, offsets: Any) -> None:
    """Raise heights to levels and write the ways, in place, from the cells whose way is `SEED`; both flat, with a rim.

    Keys of the heap are the height in the upper, the cell in the lower 32 bits: one comparison, and ties by place.
    """
    cells, turns = level.size, offsets.size
    heap = np.empty(cells, dtype=np.uint64)
    uphill, pool = np.empty(cells, dtype=np.uint32), np.empty(cells, dtype=np.uint32)
    size = 0
    for seed in range(cells):
        if np.isnan(level[seed]):
            way[seed] = UNKNOWN
        elif way[seed] == SEED:
            _sift_up(heap, size, np.uint64(sortable(level[seed])) << np.uint64(32) | np.uint64(seed))
            size += 1
    while size > 0:
        pool[0] = np.uint32(heap[0] & np.uint64(0xFFFFFFFF))
        size -= 1
        if size > 0:
            _sift_down(heap, size, heap[size])
        here = level[pool[0]]
        filled, served, climbing = 1, 0, 0
        # All that lies below the cell fills to its level, …
        while served < filled:
            cell = np.int64(pool[served])
            served += 1
            for turn in range(turns):
                other = np.uint64(cell + offsets[turn])
                if way[other] != UNREACHED:
                    continue
                # Steps 0…3 and 4…7 turn by quarters: the opposite one is two further.
                way[other] = (turn & 4) | ((turn + 2) & 3)
                if level[other] <= here:
                    level[other] = here
                    pool[filled] = other
                    filled += 1
                else:
                    uphill[climbing] = other
                    climbing += 1
        # … and what lies uphill of all this has its own height, whatever comes later.
        while climbing > 0:
            climbing -= 1
            cell = np.int64(uphill[climbing])
            height, waits = level[cell], False
            for turn in range(turns):
                other = np.uint64(cell + offsets[turn])
                if way[other] != UNREACHED:
                    continue
                if level[other] > height:
                    way[other] = (turn & 4) | ((turn + 2) & 3)
                    uphill[climbing] = other
                    climbing += 1
                elif not waits:
                    waits = _is_first(level, way, np.int64(other), offsets)
            if waits:
                _sift_up(heap, size, np.uint64(sortable(height)) << np.uint64(32) | np.uint64(cell))
                size += 1


@compiled
def _is_first(level: Any, way: Any, cell: Any, offsets: Any) -> Any:
    """Whether no cell that was reached lies below this one: such a one will reach it, lower than from above."""
    height = level[cell]
    for turn in range(offsets.size):
        other = np.uint64(cell + offsets[turn])
        if way[other] != UNREACHED and level[other] < height:
            return False
    return True
