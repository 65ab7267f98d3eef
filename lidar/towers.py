"""Poles and masts: tall, narrow, with nothing beside their upper half but the wires that hang on to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from lidar.cells import UNIT, Cells, Floats, Mask, around
from lidar.morphology import compiled, dilation, in_threads
from lidar.wires import Wires, offset

POLE = (0.7, 1.2, 3.0, 4.0)
"""Metres: a pole's radius; from where to where about it a crown or a house would have points; least height."""
MAST = (3.2, 4.8, 7.0, 15.0)
"""The same of a lattice mast with its legs and cross-arms."""
CARRIED = 1.5
"""Metres that wires hang over the top of what carries them, at most; none hang lower than the middle of it."""
ATTACHED_FEWEST = 2
"""Points of such wires, no farther than the ring."""
POLE_FEWEST = 3
"""Points of a pole."""
RING_SHARE = 0.34
"""Points of the ring in the upper half for each of the pole there."""
REACH = MAST[2]
"""Metres that it adds to what it is given: wires that hang on to a pole."""


def towers(cells: Cells, wires: Wires) -> Mask:
    """(k,) true for points of what carries wires.

    Args:
        cells: where the k points lie.
        wires: what is found of the k points.
    """
    tower = np.zeros(cells.points, dtype=np.bool_)
    if not wires.wire.any():
        return tower
    count = cells.number(wires.wire)
    rows, columns = cells.shape
    for shape in (POLE, MAST):
        near = (around(count, int(shape[2]) + 1) >= ATTACHED_FEWEST) & (_span(cells, wires, shape[0]) >= shape[3])
        in_threads(_carry, rows, cells.points * 4, cells, rows, columns, near, *wires, shape, tower)
    return tower


def _span(cells: Cells, wires: Wires, radius: float) -> Floats:
    """Metres from the lowest to the highest of the high points about each cell that are no wires."""
    standing = wires.high & ~wires.wire
    reach = int(radius) + 1
    return np.asarray(dilation(cells.highest(standing), reach) + dilation(-cells.lowest(standing), reach))


@compiled
def _carry(
    first: int,
    last: int,
    cells: Any,
    rows: int,
    columns: int,
    near: Any,
    wire: Any,
    high: Any,
    free: Any,
    shape: tuple[float, float, float, float],
    tower: Any,
) -> None:
    for r in range(first, last):
        for c in range(columns):
            if near[r, c]:
                for p in range(cells.begin[r * columns + c], cells.begin[r * columns + c + 1]):
                    if free[p] and not wire[p] and not tower[p]:
                        tower[p] = _is_carrier(p, r, c, cells, rows, columns, wire, high, shape)


@compiled
def _is_carrier(
    p: int,
    r: int,
    c: int,
    cells: Any,
    rows: int,
    columns: int,
    wire: Any,
    high: Any,
    shape: tuple[float, float, float, float],
) -> bool:
    """Whether a point is of something upright with nothing beside it or its upper half but wires that hang on to it."""
    radius, inner, outer, height = shape
    begin, w = cells.begin, cells.w
    bottom, top, total = w[p], w[p], 0
    reach = int(radius) + 1
    for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
        for j in range(max(c - reach, 0), min(c + reach + 1, columns)):
            for q in range(begin[i * columns + j], begin[i * columns + j + 1]):
                if wire[q] or not high[q]:
                    continue
                dx, dy = offset(cells, p, q, c, j, r, i)
                if dx * dx + dy * dy <= radius * radius:
                    bottom, top, total = min(bottom, w[q]), max(top, w[q]), total + 1
    if total < POLE_FEWEST or top - bottom < height * UNIT:
        return False
    middle = (bottom + top) / 2
    attached, ring, own, most = 0, 0, 0, RING_SHARE * total
    reach = int(outer) + 1
    for i in range(max(r - reach, 0), min(r + reach + 1, rows)):
        for j in range(max(c - reach, 0), min(c + reach + 1, columns)):
            for q in range(begin[i * columns + j], begin[i * columns + j + 1]):
                if not high[q]:
                    continue
                dx, dy = offset(cells, p, q, c, j, r, i)
                square = dx * dx + dy * dy
                if square > outer * outer:
                    continue
                upper = middle <= w[q] <= top + CARRIED * UNIT
                if wire[q]:
                    attached += upper
                elif square <= radius * radius:
                    own += upper
                elif square > inner * inner:
                    ring += upper or abs(w[q] - w[p]) <= CARRIED * UNIT
            if ring > most:
                return False
    return attached >= ATTACHED_FEWEST and ring <= RING_SHARE * own
