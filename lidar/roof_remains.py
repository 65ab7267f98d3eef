"""Remains of wide roofs among the ground: patches that no opening was wide enough to cut off.

An opening cuts a roof off where its window sees past the roof; of a hall wider than the window, or at the end of the
survey, a patch is left. What tells it from ground is what lies about it: on foot one gets from it to what was cut off,
hardly to any other ground, and its surroundings fall off as often as they rise. Ground between buildings rises to
them, and a terrace leads to other ground. Flat and pitched roofs are walked over by steps of two heights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import Height, compiled, in_threads

STEPS = (0.35, 0.5)
"""Rise over run (19°, 27°) that is walked: roofs falling to a gutter, and pitched ones."""
LARGEST = 30
"""Cells that a patch extends over in either direction, at most."""
SMALLEST = 20
"""Cells of a patch; the planes take smaller ones away."""
WALK = 12
"""Cells walked from a patch to learn what it belongs to."""
OTHER_GROUND = 0.15
"""Ground found on that walk, as a share of the patch, above which it is ground too."""
CUT_OFF = 0.4
"""Cells found that were cut off, as a share of the patch, from which it may be what is left of them."""
FALLS = 0.8
"""Edges down for each edge up, about what was walked over, from which it stands above its surroundings."""
REACH_CELLS = LARGEST + WALK + 1
"""Cells of context the result depends on."""


def roof_remains(surface: Height, ground: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(rows, columns) true for ground that is what is left of a roof.

    Args:
        surface: (rows, columns) metres, lowest points, gaps filled; +inf where nothing is known.
        ground: the same shape, what the openings left.
    """
    found = np.zeros((len(STEPS), *ground.shape), dtype=np.bool_)
    in_threads(_find_all, len(STEPS), ground.size * 8, surface, ground, np.array(STEPS, dtype=np.float32), found)
    return np.asarray(found.any(axis=0))


@compiled
def _find_all(
    first: int, last: int, surface: Height, ground: NDArray[np.bool_], steps: Height, found: NDArray[np.bool_]
) -> None:
    for k in range(first, last):
        _find(surface, ground, steps[k], found[k])


@compiled
def _find(surface: Height, ground: NDArray[np.bool_], step: np.float32, found: NDArray[np.bool_]) -> None:
    rows, columns = surface.shape
    patch = np.zeros((rows, columns), dtype=np.int32)
    walked = np.zeros((rows, columns), dtype=np.int32)
    queue = np.empty(rows * columns, dtype=np.int32)
    number = 0
    for r in range(rows):
        for c in range(columns):
            if not ground[r, c] or patch[r, c] or not np.isfinite(surface[r, c]):
                continue
            number += 1
            size, extent = _fill(surface, ground, step, r, c, number, patch, queue)
            if size < SMALLEST or extent > LARGEST:
                continue
            cells = _walk_on(surface, step, size, number, walked, queue)
            cut_off = other = falls = rises = 0
            for k in range(cells):
                i, j = queue[k] // columns, queue[k] % columns
                cut_off += not ground[i, j]
                other += ground[i, j] and patch[i, j] != number
                for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                    m, n = i + down, j + right
                    if not (0 <= m < rows and 0 <= n < columns) or walked[m, n] == number:
                        continue
                    if np.isfinite(surface[m, n]):
                        falls += surface[i, j] - surface[m, n] > step
                        rises += surface[m, n] - surface[i, j] > step
            if other <= OTHER_GROUND * size and cut_off >= CUT_OFF * size and falls >= FALLS * rises:
                for k in range(size):
                    found[queue[k] // columns, queue[k] % columns] = True


@compiled
def _fill(
    surface: Height,
    ground: NDArray[np.bool_],
    step: np.float32,
    r: int,
    c: int,
    number: int,
    patch: NDArray[np.int32],
    queue: NDArray[np.int32],
) -> Any:
    """Number the ground that is reached from a cell on foot, into `queue`; how many cells, over how many a side."""
    rows, columns = surface.shape
    top, bottom, left, right = r, r, c, c
    queue[0], size, done = r * columns + c, 1, 0
    patch[r, c] = number
    while done < size:
        i, j = queue[done] // columns, queue[done] % columns
        done += 1
        top, bottom, left, right = min(top, i), max(bottom, i), min(left, j), max(right, j)
        for m in range(max(0, i - 1), min(rows, i + 2)):
            for n in range(max(0, j - 1), min(columns, j + 2)):
                if ground[m, n] and patch[m, n] == 0 and _walkable(surface, step, i, j, m, n):
                    patch[m, n] = number
                    queue[size] = m * columns + n
                    size += 1
    return size, max(bottom - top, right - left) + 1


@compiled
def _walk_on(
    surface: Height, step: np.float32, size: int, number: int, walked: NDArray[np.int32], queue: NDArray[np.int32]
) -> int:
    """Append to a patch's cells all that is reached from them on foot, ground or not; how many there are in all."""
    rows, columns = surface.shape
    for k in range(size):
        walked[queue[k] // columns, queue[k] % columns] = number
    first, last = 0, size
    for _ in range(WALK):
        for k in range(first, last):
            i, j = queue[k] // columns, queue[k] % columns
            for m in range(max(0, i - 1), min(rows, i + 2)):
                for n in range(max(0, j - 1), min(columns, j + 2)):
                    if walked[m, n] != number and _walkable(surface, step, i, j, m, n):
                        walked[m, n] = number
                        queue[size] = m * columns + n
                        size += 1
        first, last = last, size
    return size


@compiled
def _walkable(surface: Height, step: np.float32, i: int, j: int, m: int, n: int) -> bool:
    length = np.float32(1.4142135) if i != m and j != n else np.float32(1.0)
    return bool(abs(surface[m, n] - surface[i, j]) <= step * length)
