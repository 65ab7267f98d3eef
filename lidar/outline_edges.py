"""Sides of an outline set by the roof's own points rather than by the cells they lie in."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

INWARD = 1.75
"""m: how far a side may move in: cells reach half a metre too far, balconies and awnings up to 1.4 m (QCVN 01:2021)."""
OUTWARD = 0.75
"""m: how far it may move out: a cell and a half."""
LEVEL = 1.5
"""m: half a storey; what lies lower before a wall is an awning, not the house."""
DEEPEST = 3.0
"""m: how far behind a side the roof is looked at to tell its level."""
FEWEST = 3
"""Rows of points a side needs to be moved."""
GAP_LAW = 0.2
"""Of the spacing: what the roof's end beyond the last point may be off for all rows of a side together; its median is
0.5 spacings where points lie in a lattice and ln 2, or 0.7, where they are strewn."""
PLACED = 0.10
"""m: standard deviation in plan that a survey's points have in common, half a beam's width included (ASPRS 2015: 0.10 m
and more for airborne lasers from 500 m up)."""


def settled(
    lines: NDArray[np.float64],
    free: NDArray[np.bool_],
    across: NDArray[np.float64],
    up: NDArray[np.float64],
    z: NDArray[np.float64],
    spacing: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The lines of an outline's sides, moved to where the roof's points end.

    Along a side, rows one spacing wide are looked at: the roof ends half a spacing beyond the last point that is not
    more than half a storey lower than the roof behind. The side lies in the middle of the rows' ends (their median).

    Args:
        lines: (k,) across, up, across, … of the sides of a ring with right angles, a side along the second axis first.
        free: (k,) whether there is no neighbour behind the side; the others stay.
        across: (n,) of the house's roof points, metres, in the frame of the lines.
        up: (n,) the same.
        z: (n,) heights, metres.
        spacing: m, of the points.

    Returns:
        The lines; the standard deviation of each that was moved, metres, NaN of the others: of a median, by the scatter
        of the rows' ends about it, and what the rows have in common (`GAP_LAW`, `PLACED`); the share of each side's
        rows that end within a spacing of it, 0 of those that were not moved.
    """
    found, sigma, support = _settled(lines, free, across, up, z, spacing)
    return found, sigma, support


@njit(cache=True, nogil=True)
def _settled(lines, free, across, up, z, spacing):  # type: ignore[no-untyped-def]
    n = lines.shape[0]
    found, sigma, support = lines.copy(), np.full(n, np.nan), np.zeros(n)
    turn = 0.0
    for i in range(0, n, 2):  # twice the area, from the sides along the second axis
        turn += 2.0 * lines[i] * (lines[(i + 1) % n] - lines[i - 1])
    heights = np.empty(z.shape[0])
    for i in range(n):
        start, end = lines[i - 1], lines[(i + 1) % n]
        if not free[i] or start == end:
            continue
        out = 1.0 if (end > start) == (turn > 0.0) else -1.0
        if i % 2 == 1:
            out = -out
        low, high = min(start, end), max(start, end)
        here, along = (across, up) if i % 2 == 0 else (up, across)
        rows = int((high - low) / spacing)
        if rows < FEWEST:
            continue
        count = 0
        for k in range(z.shape[0]):
            inward = (lines[i] - here[k]) * out
            if low <= along[k] < high and 1.0 <= inward < DEEPEST:
                heights[count] = z[k]
                count += 1
        if count < FEWEST:
            continue
        level = np.sort(heights[:count])[count // 2] - LEVEL
        last = np.full(rows, np.inf)
        for k in range(z.shape[0]):
            inward = (lines[i] - here[k]) * out
            if low <= along[k] < high and -OUTWARD <= inward <= INWARD and z[k] >= level:
                row = min(int((along[k] - low) / spacing), rows - 1)
                last[row] = min(last[row], inward)
        ends = np.sort(last[np.isfinite(last)])
        if ends.shape[0] >= max(FEWEST, rows // 2):
            m, middle = ends.shape[0], ends[ends.shape[0] // 2]
            found[i] = lines[i] - out * (middle - spacing / 2.0)
            # A normal's median scatters √(π/2) times as much as its mean.
            scatter = (ends[int(0.84 * (m - 1))] - ends[int(0.16 * (m - 1))]) / 2.0
            sigma[i] = np.sqrt(np.pi / 2.0 * scatter * scatter / m + (GAP_LAW * spacing) ** 2 + PLACED**2)
            support[i] = np.count_nonzero(np.abs(ends - middle) <= spacing) / rows
    return found, sigma, support
