"""Heights of raster cells at the places of another map: bilinear, over several files at once, equal at every seam.

A net of exactly transformed nodes stands for the transformation: between nodes it is interpolated, as GDAL's
approximating transformer does. Nodes lie at multiples of `NET` on a lattice that is the same for the whole map, so
two neighbouring tiles compute the very same bits for a place that both look at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

NET = 16
"""Lattice steps between two nodes."""


class Accumulated:
    """What the files of one campaign say of (rows, columns) places: weighted sums, to which files are added in turn."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._total = np.zeros(shape, dtype=np.float64)
        self._weight = np.zeros(shape, dtype=np.float64)
        self._known = np.zeros(shape, dtype=np.bool_)

    def add(
        self,
        nodes: NDArray[np.float64],
        first: tuple[int, int],
        cells: NDArray[np.float32],
        nodata: float,
        corner: tuple[float, float],
        size: tuple[float, float],
    ) -> None:
        """Add a file's cells.

        Args:
            nodes: (node rows, node columns, 2) x and y of the net's nodes, in the file's CRS.
            first: lattice steps from the net's first node to the first place: rows, columns.
            cells: (rows, columns), north first.
            nodata: value of a cell that holds nothing (NaN counts as such too).
            corner: x of the west edge, y of the north edge.
            size: width and height of a cell, both positive.
        """
        _add(self._total, self._weight, self._known, nodes, *first, cells, np.float32(nodata), *corner, *size)

    def fill(self, heights: NDArray[np.float32]) -> None:
        """Write what is known where `heights` (rows, columns) is NaN: a place counts as known if its own cell is."""
        taken = self._known & np.isnan(heights)
        heights[taken] = (self._total[taken] / self._weight[taken]).astype(np.float32)


@njit(nogil=True, cache=True)
def _add(
    total: Any,
    weight: Any,
    known: Any,
    nodes: Any,
    first_row: int,
    first_column: int,
    cells: Any,
    nodata: Any,
    west: float,
    north: float,
    width: float,
    height: float,
) -> None:
    rows, columns = total.shape
    cell_rows, cell_columns = cells.shape
    for node_row in range(nodes.shape[0] - 1):
        top = max(0, node_row * NET - first_row)
        bottom = min(rows, (node_row + 1) * NET - first_row)
        for node_column in range(nodes.shape[1] - 1):
            left = max(0, node_column * NET - first_column)
            right = min(columns, (node_column + 1) * NET - first_column)
            x0, y0 = nodes[node_row, node_column]
            x1, y1 = nodes[node_row, node_column + 1]
            x2, y2 = nodes[node_row + 1, node_column]
            x3, y3 = nodes[node_row + 1, node_column + 1]
            beside = max(x0, x1, x2, x3) < west - width or min(x0, x1, x2, x3) > west + (cell_columns + 1) * width
            if beside or max(y0, y1, y2, y3) < north - (cell_rows + 1) * height or min(y0, y1, y2, y3) > north + height:
                continue
            for r in range(top, bottom):
                down = (r + first_row - node_row * NET) / NET
                for c in range(left, right):
                    along = (c + first_column - node_column * NET) / NET
                    # (1 − t) a + t b is a and b exactly at its ends, so that tiles agree on their common nodes.
                    upper, lower = (1 - along) * x0 + along * x1, (1 - along) * x2 + along * x3
                    column = ((1 - down) * upper + down * lower - west) / width - 0.5
                    upper, lower = (1 - along) * y0 + along * y1, (1 - along) * y2 + along * y3
                    row = (north - ((1 - down) * upper + down * lower)) / height - 0.5
                    if not (-1 <= column <= cell_columns and -1 <= row <= cell_rows):
                        continue
                    c0, r0 = int(np.floor(column)), int(np.floor(row))
                    own_row, own_column = int(np.floor(row + 0.5)), int(np.floor(column + 0.5))
                    for dr in range(2):
                        for dc in range(2):
                            rr, cc = r0 + dr, c0 + dc
                            if rr < 0 or cc < 0 or rr >= cell_rows or cc >= cell_columns:
                                continue
                            value = cells[rr, cc]
                            if value == nodata or np.isnan(value):
                                continue
                            share = abs(1 - dr - (row - r0)) * abs(1 - dc - (column - c0))
                            total[r, c] += share * value
                            weight[r, c] += share
                            if rr == own_row and cc == own_column:
                                known[r, c] = True
