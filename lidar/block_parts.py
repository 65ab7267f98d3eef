"""The parts of a block between its walls, and which of them are houses: slivers and rooms go to a neighbour."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

SMALLEST = 8.0
"""m²: no house is smaller."""
ROOM = 30.0
"""m²: what is smaller, behind walls too short to be party walls, is a room of the house beside it."""
FULL = 0.7
"""Share of their common box that a room and its house fill; plots between skewed lines lean."""
SHORTEST = 6.0
"""m: a line below this is no party wall: a stair head's side, a dormer, a terrace's edge."""
NARROWEST = 2.0
"""m: no house is narrower than this, so no two walls are nearer."""


def parts_between(inside: NDArray[np.bool_], upright: NDArray[np.bool_], level: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Connected cells that no wall parts, by drawing cells twice as fine with the walls between them."""
    rows, columns = inside.shape
    fine = np.zeros((2 * rows + 1, 2 * columns + 1), dtype=bool)
    fine[1::2, 1::2] = inside
    fine[1::2, 2:-1:2] = inside[:, 1:] & inside[:, :-1] & ~upright[:, 1:]
    fine[2:-1:2, 1::2] = inside[1:] & inside[:-1] & ~level[1:]
    # Where a wall steps sideways from one row to the next, the cells at the step do not touch.
    shifted = upright[1:, 1:-1] & upright[:-1, 2:] & ~upright[:-1, 1:-1] & ~upright[1:, 2:]
    fine[2:-1:2, 3:-2:2] &= ~shifted
    shifted = upright[:-1, 1:-1] & upright[1:, 2:] & ~upright[1:, 1:-1] & ~upright[:-1, 2:]
    fine[2:-1:2, 3:-2:2] &= ~shifted
    shifted = level[1:-1, 1:] & level[2:, :-1] & ~level[1:-1, :-1] & ~level[2:, 1:]
    fine[3:-2:2, 2:-1:2] &= ~shifted
    shifted = level[1:-1, :-1] & level[2:, 1:] & ~level[1:-1, 1:] & ~level[2:, :-1]
    fine[3:-2:2, 2:-1:2] &= ~shifted
    label, _ = ndimage.label(fine)
    return np.asarray(label[1::2, 1::2], dtype=np.int64)


def without_slivers(label: NDArray[np.int64], cell: float) -> NDArray[np.int64]:
    """Give what cannot be a house by itself to a neighbour, the smallest first.

    What is too narrow or too small goes to the neighbour it shares most border with. A room (a stair head, a terrace,
    a light well's surround) whose border with a neighbour is too short for a party wall goes to the one it completes
    to the fullest rectangle.
    """
    label = label.copy()
    settled: set[int] = set()
    while True:
        sizes = np.bincount(label.ravel())
        waiting = [int(k) for k in np.argsort(sizes[1:], kind="stable") + 1 if sizes[k] and int(k) not in settled]
        waiting = [k for k in waiting if sizes[k] * cell * cell < ROOM or _is_narrow(label, k, cell)]
        if not waiting:
            return label
        part = waiting[0]
        borders = _borders(label, part)
        if sizes[part] * cell * cell < SMALLEST or _is_narrow(label, part, cell):
            into = max(borders, key=lambda k: (borders[k], -k), default=0)
        else:
            short = [k for k, cells in borders.items() if cells * cell < SHORTEST]
            fullness = {k: _fullness(label, part, k) for k in short}
            into = max(fullness, key=lambda k: (fullness[k], -k), default=0)
            into = into if into and fullness[into] >= FULL else part
        if into == part:
            settled.add(part)
        else:
            label[label == part] = into
            settled.discard(into)


def _borders(label: NDArray[np.int64], part: int) -> dict[int, int]:
    """How many cell edges a part shares with each of its neighbours."""
    padded = np.pad(label, 1)
    mask = label == part
    sides = (padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1])
    counts = np.bincount(np.concatenate([side[mask] for side in sides]))
    return {int(k): int(counts[k]) for k in np.flatnonzero(counts) if k not in (0, part)}


def _fullness(label: NDArray[np.int64], part: int, other: int) -> float:
    """Share of their common box that two parts fill."""
    both = (label == part) | (label == other)
    rows, columns = np.flatnonzero(both.any(axis=1)), np.flatnonzero(both.any(axis=0))
    return float(both.sum() / ((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)))


@njit(cache=True, nogil=True)
def _is_narrow(label, part, cell):  # type: ignore[no-untyped-def]
    """Whether no circle of the least width lies in a part: twice the way from a cell of it to the nearest other."""
    rows, columns = label.shape
    reach = int((NARROWEST / cell + 0.5) / 2.0) + 1
    for r in range(rows):
        for c in range(columns):
            if label[r, c] != part:
                continue
            holds = True
            for dr in range(-reach, reach + 1):
                for dc in range(-reach, reach + 1):
                    if (2.0 * np.sqrt(dr * dr + dc * dc) - 0.5) * cell >= NARROWEST:
                        continue
                    at, to = r + dr, c + dc
                    if at < 0 or to < 0 or at >= rows or to >= columns or label[at, to] != part:
                        holds = False
                        break
                if not holds:
                    break
            if holds:
                return False
    return True
