"""Walls between houses that stand in one block, seen on the roofs: steps, parapets and valleys along straight lines."""

from __future__ import annotations

from math import ceil

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy import ndimage

REACH = 16.0
"""m: how far evidence of a wall may lie from it; the direction of the houses around is part of it."""
STEP = 0.15
"""m: a difference between two roofs at their common line; a survey's own steps between strips are below 0.1 m."""
VALLEY = 0.5
"""Change of slope at a line, hollow side up: two roofs of 14° or more that fall towards each other."""
PARAPET = 0.30
"""m: height of a parapet over the roofs beside it."""
PARAPET_SHARE = 0.5
"""Share of a line on which a parapet must be seen; it is thinner than the points are apart."""
SHORTEST = 5.0
"""m: a line below this is no party wall: a stair head's side, a dormer, a lift house."""

_NEAR, _SAMPLES = 0.75, 4
_HALF = 5
"""Half-length of the line looked along, in half metres: 2.5 m either way."""
_WINDOW = 12.0
"""m: directions are taken from walls within this distance along each axis."""


def party_walls(
    height: NDArray[np.float64], top: NDArray[np.float64], solid: NDArray[np.bool_], cell: float
) -> NDArray[np.bool_]:
    """(rows, columns) cells through which a wall runs that parts two roofs.

    At each roof cell the roofs on both sides of a line through it, 5 m long, in the two main directions of the
    buildings around, are carried on to the line from 0.75 to 2.25 m away. A wall is where they miss each other by a
    step, meet in a valley, or something narrow stands above both, and where that is more so than beside it.

    Args:
        height: (rows, columns) m, each cell's roof; any value where not solid.
        top: (rows, columns) m, the cell's highest point.
        solid: which cells are roof.
        cell: m.
    """
    angle = _directions(solid, cell)
    evidence = np.zeros((2, *solid.shape))
    _evidence(height, top, solid, angle, cell, evidence)
    wall = np.zeros(solid.shape, dtype=bool)
    _crests(evidence, solid, angle, wall)
    return _long(wall, cell)


def _directions(solid: NDArray[np.bool_], cell: float) -> NDArray[np.float64]:
    """(rows, columns) radians: the main direction of walls around each cell, modulo a right angle."""
    soft = ndimage.gaussian_filter(solid.astype(np.float64), 1.5, truncate=3.0)
    east, south = ndimage.sobel(soft, axis=1), ndimage.sobel(soft, axis=0)
    strength, turned = np.hypot(east, south), 4.0 * np.arctan2(-south, east)
    size = 2 * ceil(_WINDOW / cell) + 1
    real = ndimage.uniform_filter(strength * np.cos(turned), size, mode="constant")
    imaginary = ndimage.uniform_filter(strength * np.sin(turned), size, mode="constant")
    return np.asarray(np.arctan2(imaginary, real) / 4.0, dtype=np.float64)


@njit(cache=True, nogil=True)
def _side(height, solid, r, c, dr, dc, line):  # type: ignore[no-untyped-def]
    """Carry the roof on one side on to the line: whether it can be, its height there, its slope away from it."""
    n, sum_d, sum_z, sum_dd, sum_dz = 0, 0.0, 0.0, 0.0, 0.0
    for k in range(_SAMPLES):
        d = line + 0.5 * k
        row, column = int(np.round(r + dr * d)), int(np.round(c + dc * d))
        if row < 0 or column < 0 or row >= solid.shape[0] or column >= solid.shape[1] or not solid[row, column]:
            break
        z = height[row, column]
        n += 1
        sum_d += d
        sum_z += z
        sum_dd += d * d
        sum_dz += d * z
    if n < 3:
        return False, 0.0, 0.0
    slope = (n * sum_dz - sum_d * sum_z) / (n * sum_dd - sum_d * sum_d)
    return True, (sum_z - slope * sum_d) / n, slope


@njit(cache=True, nogil=True, parallel=True)
def _evidence(height, top, solid, angle, cell, evidence):  # type: ignore[no-untyped-def]
    """How much each cell looks like a wall across each of the two directions; 1 is enough."""
    rows, columns = solid.shape
    for r in prange(rows):
        steps, kinks = np.empty(2 * _HALF + 1), np.empty(2 * _HALF + 1)
        for c in range(columns):
            if not solid[r, c]:
                continue
            for way in range(2):
                turn = angle[r, c] + way * np.pi / 2.0
                # Across and along the wall, in cells a metre; rows run south.
                across_r, across_c = -np.sin(turn) / cell, np.cos(turn) / cell
                along_r, along_c = -np.cos(turn) / cell, -np.sin(turn) / cell
                count, high = 0, 0
                for k in range(-_HALF, _HALF + 1):
                    at_r, at_c = r + along_r * 0.5 * k, c + along_c * 0.5 * k
                    left, left_z, left_slope = _side(height, solid, at_r, at_c, -across_r, -across_c, _NEAR)
                    right, right_z, right_slope = _side(height, solid, at_r, at_c, across_r, across_c, _NEAR)
                    if not (left and right):
                        continue
                    steps[count] = right_z - left_z
                    kinks[count] = right_slope + left_slope
                    count += 1
                    row, column = int(np.round(at_r)), int(np.round(at_c))
                    if top[row, column] > max(left_z, right_z) + PARAPET:
                        high += 1
                if count < _HALF:
                    continue
                step = abs(np.median(steps[:count])) / STEP
                kink = np.median(kinks[:count]) / VALLEY
                evidence[way, r, c] = max(step, kink, high / count / PARAPET_SHARE)


@njit(cache=True, nogil=True)
def _crests(evidence, solid, angle, wall):  # type: ignore[no-untyped-def]
    """Cells whose evidence is enough and no less than that of the two beside them across the line."""
    rows, columns = solid.shape
    for way in range(2):
        for r in range(2, rows - 2):
            for c in range(2, columns - 2):
                own = evidence[way, r, c]
                if own < 1.0:
                    continue
                turn = angle[r, c] + way * np.pi / 2.0
                highest = True
                for d in (-2, -1, 1, 2):
                    row = int(np.round(r - np.sin(turn) * d))
                    column = int(np.round(c + np.cos(turn) * d))
                    other = evidence[way, row, column]
                    if other > own or (other == own and d < 0):
                        highest = False
                        break
                if highest:
                    wall[r, c] = True


def _long(wall: NDArray[np.bool_], cell: float) -> NDArray[np.bool_]:
    """The walls that, cell touching cell, go on for at least the shortest length."""
    label, count = ndimage.label(wall, structure=np.ones((3, 3)))
    keep = np.zeros(count + 1, dtype=bool)
    for number, place in enumerate(ndimage.find_objects(label), start=1):
        across, down = (part.stop - part.start for part in place)
        keep[number] = np.hypot(across, down) * cell >= SHORTEST
    return np.asarray(keep[label], dtype=bool)
