"""Points in the order of their coordinates, and the middle of values: the same whichever order they come in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import compiled

MOST_TOGETHER = 64
"""Points in one strip of x up to which they are put in order by insertion."""


def order_of(places: NDArray[Any], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) the order by x, then y, z, a last number and place in the input.

    The same as `np.lexsort((last, z, y, x))`, in a time that grows with n alone where x differs.

    Args:
        places: (n, 3) finite.
        last: (n,) what tells places apart that are the same.
    """
    order: NDArray[np.int64]
    single, order = _in_strips(places, last)
    return order if single else np.lexsort((last, places[:, 2], places[:, 1], places[:, 0]))


def median(values: NDArray[np.float64]) -> float:
    """That of finite values, as `np.median` has it, whose care for others costs more than the work on a few."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    low, high = np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1].tolist()
    return float((low + high) / 2.0)


@compiled
def _in_strips(places: Any, last: Any) -> Any:
    """Whether no strip of x holds too many, and then the order."""
    n = places.shape[0]
    low, high = np.inf, -np.inf
    for i in range(n):
        low, high = min(low, float(places[i, 0])), max(high, float(places[i, 0]))
    scale = (n - 1) / (high - low) if high > low else 0.0
    strip = np.empty(n, dtype=np.int64)
    start = np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        strip[i] = min(np.int64((places[i, 0] - low) * scale), n - 1)
        start[strip[i] + 1] += 1
    for k in range(n):
        if start[k + 1] > MOST_TOGETHER:
            return False, strip
        start[k + 1] += start[k]
    order = np.empty(n, dtype=np.int64)
    count = np.zeros(n, dtype=np.int64)
    for i in range(n):
        first = start[strip[i]]
        k = first + count[strip[i]]
        count[strip[i]] += 1
        while k > first and _before(places, last, i, order[k - 1]):
            order[k] = order[k - 1]
            k -= 1
        order[k] = i
    return True, order


@compiled
def _before(places: Any, last: Any, i: Any, j: Any) -> Any:
    """Whether i comes before j, which stood before it."""
    for axis in range(3):
        if places[i, axis] != places[j, axis]:
            return places[i, axis] < places[j, axis]
    return last[i] < last[j]
