"""Flooding a city in tiles, exactly: every tile is looked at twice, whatever the water does between them.

No buffer around a tile does it: whether a cell is reached depends on a way that may lead through the whole city. After
Barnes (2016), "Parallel priority-flood depression filling for trillion cell digital elevation models on desktops or
clusters", Computers & Geosciences 96: each tile says at which level water from one cell of its edge gets to another;
these few figures of all tiles make a graph, in which the lowest ways from outside are found; then each tile is finished
by itself. The result is the same bits as that of one raster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from gis.errors import BadParameter
from lidar.morphology import compiled
from lidar.priority_flood import SEED, STEPS, priority_flood

Key = tuple[int, int]
"""Row and column of a tile, rows from north to south."""
Heights = NDArray[np.float32]
Read = Callable[[Key], tuple[Heights, NDArray[np.bool_]]]
"""The heights of a tile, and its cells where water comes in."""
OUTSIDE = 0
"""Number of where the water comes from, the same in all tiles."""


@dataclass(frozen=True, slots=True)
class TileBorder:
    """What the other tiles must know of one: small, however large the tile is.

    Each cell of its edge has a number from 1, in the order of `edge_cells`; one that water comes in at has `OUTSIDE`.
    """

    shape: tuple[int, int]
    numbers: NDArray[np.int64]
    """(n,) number of each cell of the edge; −1 where no height is known."""
    levels: NDArray[np.float32]
    """(n,) its height."""
    pairs: NDArray[np.int64]
    """(m, 2) two numbers whose waters meet, …"""
    passes: NDArray[np.float32]
    """(m,) … and the lowest level at which they do."""


def flood_in_tiles(read: Read, keys: Sequence[Key], *, neighbours: int = 8) -> Iterator[tuple[Key, Heights]]:
    """From which level on water reaches each cell, tile by tile; each is read twice and one is held at a time.

    Args:
        read: gives a tile's cells, without overlap; tiles beside each other have as many rows, those above each other
            as many columns. A tile that is not among the keys is a wall.
        keys: of all tiles.
        neighbours: 8 or 4.

    Raises:
        BadParameter: tiles beside each other do not fit.
    """
    borders = {key: border_of(*read(key), neighbours=neighbours) for key in keys}
    levels = join(borders, neighbours=neighbours)
    for key in keys:
        yield key, finished(*read(key), levels[key], neighbours=neighbours)


def border_of(heights: Heights, sources: NDArray[np.bool_], *, neighbours: int = 8) -> TileBorder:
    """What other tiles must know of this one."""
    level, labels = _labelled(heights, sources, neighbours)
    edge = edge_cells(heights.shape)
    found: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    for row, column in STEPS[:neighbours].tolist():
        if row < 0 or (row == 0 and column < 0):
            continue  # each pair once
        a, b = _beside(level, row, column)
        one, other = _beside(labels, row, column)
        meet = (one != other) & (one >= 0) & (other >= 0)
        ends = np.sort(np.column_stack([one[meet], other[meet]]).astype(np.int64), axis=1)
        found.append((ends, np.maximum(a[meet], b[meet])))
    pairs, passes = _lowest(np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found]))
    return TileBorder(
        (heights.shape[0], heights.shape[1]), labels.ravel()[edge].astype(np.int64), level.ravel()[edge], pairs, passes
    )


def join(borders: Mapping[Key, TileBorder], *, neighbours: int = 8) -> dict[Key, NDArray[np.float32]]:
    """Of each tile: from which level on water from outside reaches each numbered cell of its edge (n + 1,).

    At place 0 is −inf, the level of `OUTSIDE`; inf where water never comes.

    Raises:
        BadParameter: tiles beside each other do not fit.
    """
    first, total = {}, 1
    for key in sorted(borders):
        first[key] = total
        total += len(borders[key].numbers)
    ends = [np.empty((0, 2), dtype=np.int64)]
    passes = [np.empty(0, dtype=np.float32)]
    for key, border in borders.items():
        # Place 0 stays, the others are moved to where the tile's numbers begin.
        ends.append(np.where(border.pairs > 0, border.pairs + (first[key] - 1), 0))
        passes.append(border.passes)
        for beside, here, there in _seams(key, borders, neighbours):
            other = borders[beside]
            one, two = border.numbers[here], other.numbers[there]
            known = (one >= 0) & (two >= 0)
            both = np.column_stack(
                [np.where(one > 0, one + first[key] - 1, 0), np.where(two > 0, two + first[beside] - 1, 0)]
            )
            ends.append(both[known])
            passes.append(np.maximum(border.levels[here], other.levels[there])[known])
    reached = _lowest_ways(*_lowest(np.sort(np.concatenate(ends), axis=1), np.concatenate(passes)), total)
    return {
        key: np.concatenate(([-np.inf], reached[first[key] : first[key] + len(border.numbers)])).astype(np.float32)
        for key, border in borders.items()
    }


def finished(
    heights: Heights, sources: NDArray[np.bool_], levels: NDArray[np.float32], *, neighbours: int = 8
) -> Heights:
    """(rows, columns) from which level on water reaches each cell of a tile; NaN where it never does."""
    level, labels = _labelled(heights, sources, neighbours)
    reached = np.where(labels >= 0, np.maximum(level, levels[np.maximum(labels, 0)]), np.float32(np.nan))
    return np.where(np.isinf(reached), np.float32(np.nan), reached)


def edge_cells(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Flat indices of the cells of a raster's edge, each once, in rising order."""
    inner = np.ones(shape, dtype=bool)
    inner[1:-1, 1:-1] = False
    return np.flatnonzero(inner)


def _labelled(heights: Heights, sources: NDArray[np.bool_], neighbours: int) -> tuple[Heights, NDArray[np.int64]]:
    """Levels as if water came in at all edges too, and from which of their cells it came; −1 where unknown."""
    edge = edge_cells(heights.shape)
    seeds = sources.copy()
    seeds.ravel()[edge] = True
    flooded = priority_flood(heights, seeds, neighbours=neighbours)
    labels = np.full(heights.shape, -1, dtype=np.int64)
    labels.ravel()[edge] = np.arange(1, len(edge) + 1)
    labels[sources] = OUTSIDE
    labels[np.isnan(heights)] = -1
    _follow(flooded.way.ravel(), labels.ravel(), STEPS @ np.array([heights.shape[1], 1]))
    return flooded.level, labels


@compiled
def _follow(way: Any, labels: Any, offsets: Any) -> None:
    """Give each cell the label of the seed its way leads to, in place."""
    for cell in range(way.size):
        seed = cell
        while labels[seed] < 0 and way[seed] < SEED:
            seed += offsets[way[seed]]
        found = labels[seed]
        seed = cell
        while labels[seed] < 0 and way[seed] < SEED:
            labels[seed] = found
            seed += offsets[way[seed]]


def _beside(values: NDArray[Any], row: int, column: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The cells that have a neighbour at that step, and these neighbours; the step goes down, or to the right."""
    rows, columns = values.shape
    left, right = max(-column, 0), columns - max(column, 0)
    return values[: rows - row, left:right], values[row:, left + column : right + column]


def _lowest(pairs: NDArray[np.int64], passes: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each pair once, with its lowest pass."""
    if len(pairs) == 0:
        return pairs, passes
    order = np.lexsort((passes, pairs[:, 1], pairs[:, 0]))
    pairs, passes = pairs[order], passes[order]
    new = np.concatenate(([True], (pairs[1:] != pairs[:-1]).any(axis=1)))
    return pairs[new], passes[new]


def _seams(
    key: Key, borders: Mapping[Key, TileBorder], neighbours: int
) -> Iterator[tuple[Key, NDArray[np.int64], NDArray[np.int64]]]:
    """Tiles to the right and below with the cells that touch: their places among the edge cells of each."""
    row, column = key
    rows, columns = borders[key].shape
    place = _places(borders[key].shape)
    for beside in ((row, column + 1), (row + 1, column), (row + 1, column + 1), (row + 1, column - 1)):
        if beside not in borders or (neighbours == 4 and beside[0] != row and beside[1] != column):
            continue
        there = borders[beside].shape
        if (beside[0] == row and there[0] != rows) or (beside[1] == column and there[1] != columns):
            raise BadParameter("tiles", f"{key} and {beside}", f"their sides differ: {(rows, columns)} and {there}")
        other = _places(there)
        if beside == (row, column + 1):
            yield from _along(beside, place[:, -1], other[:, 0], neighbours)
        elif beside == (row + 1, column):
            yield from _along(beside, place[-1], other[0], neighbours)
        else:
            right = beside[1] > column
            yield beside, place[-1:, -1 if right else 0], other[:1, 0 if right else -1]


def _along(
    beside: Key, here: NDArray[np.int64], there: NDArray[np.int64], neighbours: int
) -> Iterator[tuple[Key, NDArray[np.int64], NDArray[np.int64]]]:
    yield beside, here, there
    if neighbours == 8:
        yield beside, here[1:], there[:-1]
        yield beside, here[:-1], there[1:]


def _places(shape: tuple[int, int]) -> NDArray[np.int64]:
    """(rows, columns) place of each edge cell among the edge cells; −1 inside."""
    found = np.full(shape, -1, dtype=np.int64)
    edge = edge_cells(shape)
    found.ravel()[edge] = np.arange(len(edge))
    return found


def _lowest_ways(pairs: NDArray[np.int64], passes: NDArray[np.float32], total: int) -> NDArray[np.float32]:
    """(total,) the least highest pass on the way from `OUTSIDE` to each number; those of a least spanning tree are."""
    reached = np.full(total, np.inf, dtype=np.float32)
    reached[OUTSIDE] = -np.inf
    if len(pairs) == 0:
        return reached
    # Sparse matrices take 0 for no edge and may not be negative: ranks instead of heights.
    heights, ranks = np.unique(passes, return_inverse=True)
    graph = coo_matrix((ranks + 1.0, (pairs[:, 0], pairs[:, 1])), shape=(total, total)).tocsr()
    tree = minimum_spanning_tree(graph)
    order, before = breadth_first_order(tree, OUTSIDE, directed=False)
    edges = tree.tocoo()
    child = np.where(before[edges.col] == edges.row, edges.col, edges.row)
    own = np.full(total, np.inf, dtype=np.float32)
    own[child] = heights[edges.data.astype(np.int64) - 1]
    _spread(order.astype(np.int64), before.astype(np.int64), own, reached)
    return reached


@compiled
def _spread(order: Any, before: Any, own: Any, reached: Any) -> None:
    """Down the tree: what is reached from a place is no lower than the place and than the pass between, in place."""
    for k in range(1, order.size):
        reached[order[k]] = max(reached[before[order[k]]], own[order[k]])
