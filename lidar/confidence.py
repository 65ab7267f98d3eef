"""How sure a class is: the margin of the evidence it rests on, and how far the points about it agree.

A point's chance to be right is the product of two numbers from 0 to 1. The margin says how far its own evidence is
from where the class would change: the height over the soil's plane, the share of planar points, the steps to where
water shows itself. The agreement is the share of its kind's points in the 3 × 3 cells about it that have its class;
points on the surface (ground, water, decks, low plants) are compared with such, and things that stand on it with such.
The shape of both was read off a simulated ward where every return knows what it hit, and is the same for all data.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.cells import Cells
from lidar.morphology import compiled, in_threads
from lidar.point_cloud import Class

KINDS = 32
"""Classes below this code are told apart."""
SURE = 99
"""Percent: most that is said of a class that was found."""
GIVEN = 100
"""Percent: of a class that was given."""
TOLERANCE = 120.0
"""Millimetres over the soil's plane where ground ends and a tuft begins."""
UNTOLD = 0.8
"""Margin of ground too thin for a plane."""
EDGE = 0.5
"""Margin of water in the cells at its edge, which hold the bank as well."""
FLAT_CROWN = 0.7
"""Margin of vegetation whose points lie on a plane."""
SHRUB, TUFT = 0.6, 0.6
"""Margins of medium and low vegetation far from the heights that bound them: people, stalls and walls are so high."""
SOLID, LOOSE = 0.8, 0.2
"""Margins of what is unclassified since it is solid but no roof, and of what is so for want of evidence."""
NEAR_HIGH = 1.0
"""Metres over the lower bound of high vegetation where the bound does not matter any more."""

_GROUND, _WATER, _DECK, _LOW = int(Class.GROUND), int(Class.WATER), int(Class.BRIDGE_DECK), int(Class.LOW_VEGETATION)
_MEDIUM, _HIGH, _BUILDING = int(Class.MEDIUM_VEGETATION), int(Class.HIGH_VEGETATION), int(Class.BUILDING)
_WIRE, _TOWER = int(Class.WIRE_CONDUCTOR), int(Class.TOWER)
_NO_PLANE = -32768


class Evidence(NamedTuple):
    """Of k points in the order of cells, what their classes rest on."""

    height: NDArray[np.float32]
    """(k,) metres above the ground."""
    over: NDArray[np.int16]
    """(k,) millimetres over the soil's planes."""
    share: NDArray[np.uint8]
    """(k,) percent of the points about one that are planar and single."""
    flat: NDArray[np.bool_]
    """(k,) planar points."""
    steps: NDArray[np.uint8]
    """(rows, columns) from `water`."""
    agree: NDArray[np.uint8]
    """(rows, columns) from `decks`."""


def confidence(cells: Cells, classes: NDArray[np.uint8], evidence: Evidence) -> NDArray[np.uint8]:
    """(k,) percent: how sure the class of each point is.

    Args:
        cells: where the k points lie.
        classes: (k,) their final classes.
        evidence: what those rest on.
    """
    percent = np.zeros(cells.points, dtype=np.uint8)
    in_threads(_rate, cells.shape[0], cells.points * 4, cells, cells.shape[1], classes, evidence, percent)
    return percent


def noise_confidence(
    height: NDArray[np.float64], ground: NDArray[np.float32], top: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """(n,) percent for points of noise: how far they lie from what is none.

    Args:
        height: (n,) metres.
        ground: (n,) height of the ground below or above each; NaN where none is near.
        top: (n,) greatest height of a point near that is no noise; −inf where there is none.
    """
    apart = np.fmax(ground - height, height - top)
    return np.asarray(60 + 35 * np.clip(np.nan_to_num(apart, posinf=0, neginf=0) / 2, 0, 1), dtype=np.uint8)


@compiled
def _is_surface(code: int) -> bool:
    return code in (_GROUND, _WATER, _DECK, _LOW)


@compiled
def _rate(first: int, last: int, cells: Any, columns: int, classes: Any, evidence: Any, percent: Any) -> None:
    begin = cells.begin
    rows = (len(begin) - 1) // columns
    counts = np.zeros((3, columns, KINDS), dtype=np.int32)
    down, near = np.zeros(columns * KINDS, dtype=np.int32), np.zeros(KINDS, dtype=np.int32)
    for r in range(max(first - 1, 0), min(first + 1, rows)):
        _count_row(r, begin, columns, classes, counts[r % 3])
    for r in range(first, last):
        if r + 1 < rows:
            _count_row(r + 1, begin, columns, classes, counts[(r + 1) % 3])
        down[:] = 0
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            down += counts[i % 3].reshape(down.size)
        for c in range(columns):
            if begin[r * columns + c] == begin[r * columns + c + 1]:
                continue
            near[:] = 0
            for j in range(max(c - 1, 0), min(c + 2, columns)):
                for k in range(KINDS):
                    near[k] += down[j * KINDS + k]
            surface, standing = 0, 0
            for k in range(KINDS):
                if _is_surface(k):
                    surface += near[k]
                else:
                    standing += near[k]
            for p in range(begin[r * columns + c], begin[r * columns + c + 1]):
                code = classes[p] % KINDS
                agreement = near[code] / (surface if _is_surface(code) else standing)
                chance = _chance(
                    code,
                    agreement,
                    evidence.height[p],
                    evidence.over[p],
                    evidence.share[p] / 100,
                    evidence.flat[p],
                    evidence.steps[r, c],
                    evidence.agree[r, c],
                )
                percent[p] = min(max(int(np.rint(100 * chance)), 1), SURE)


@compiled
def _count_row(r: int, begin: Any, columns: int, classes: Any, counts: Any) -> None:
    for c in range(columns):
        counts[c, :] = 0
        for p in range(begin[r * columns + c], begin[r * columns + c + 1]):
            counts[c, classes[p] % KINDS] += 1


@compiled
def _chance(
    code: int, agreement: float, height: float, over: int, share: float, flat: bool, steps: int, agree: int
) -> float:
    """Margin times agreement, as the class has it."""
    if code == _GROUND:
        return agreement * (UNTOLD if over == _NO_PLANE else 1.0 - 0.5 * max(over / TOLERANCE, 0.0) ** 3)
    if code == _BUILDING:
        return agreement * (0.9 + 0.1 * share)
    if code == _HIGH:
        apart = 1.0 - (1.0 - agreement) ** 2  # crowns thin out over roofs: a few others about say little
        bound = min(0.3 + 0.7 * (height - 2.0) / NEAR_HIGH, 1.0)
        return apart * bound * (1.0 - share * share) * (FLAT_CROWN if flat else 1.0)
    if code == _MEDIUM:
        return SHRUB * (0.5 + 0.5 * agreement) * (1.0 - share) * (FLAT_CROWN if flat else 1.0)
    if code == _LOW:
        return TUFT * (0.7 + 0.3 * agreement)
    if code == _WATER:
        return agreement if steps > 0 else EDGE * agreement
    if code == _DECK:
        return 0.9 + 0.01 * agree
    if code == _WIRE:
        return 0.9 + 0.1 * agreement
    if code == _TOWER:
        return min(0.4 + 1.2 * agreement, 1.0)
    return SOLID if flat and share > 0.4 else LOOSE
