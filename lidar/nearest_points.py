"""The nearest points of each point of a roof, by a grid of cells that hold four points on average."""

from __future__ import annotations

from typing import Any

import numpy as np

from lidar.morphology import compiled

WIDER = 1.6
"""Times the square of the distance that was enough at the point before: what is looked at first."""


@compiled
def neighbours(points: Any, wanted: Any) -> Any:
    """(n, wanted) the nearest points in space, the nearest first, -1 where there are no more; and (n,) room in mm.

    Points are (n, 3) mm, a few tens of kilometres apart at most. Room is the side of the square that a point has to
    itself, from the circle round the nearest eight as the map sees it; its median over the points is their spacing.
    """
    n = points.shape[0]
    low, high = points[0].copy(), points[0].copy()
    for i in range(n):
        for d in range(3):
            low[d], high[d] = min(low[d], points[i, d]), max(high[d], points[i, d])
    area = max(float(high[0] - low[0]) * float(high[1] - low[1]), 1e6)
    side = np.int64(max(np.sqrt(4.0 * area / n), 1.0))
    columns, rows = (high[0] - low[0]) // side + 1, (high[1] - low[1]) // side + 1
    start = np.zeros(rows * columns + 1, dtype=np.int64)
    cell = np.empty(n, dtype=np.int64)
    for i in range(n):
        cell[i] = (points[i, 1] - low[1]) // side * columns + (points[i, 0] - low[0]) // side
        start[cell[i] + 1] += 1
    for c in range(rows * columns):
        start[c + 1] += start[c]
    cursor, member = start[:-1].copy(), np.empty(n, dtype=np.int64)
    # Cell by cell: what is looked at together lies together. Whole millimetres and their squares are exact as floats.
    place = np.empty((n, 3))
    for i in range(n):
        at = cursor[cell[i]]
        member[at] = i
        for d in range(3):
            place[at, d] = float(points[i, d] - low[d])
        cursor[cell[i]] += 1
    near = np.full((n, wanted), -1, dtype=np.int32)
    best, nearest = np.empty(wanted + 1), np.empty(wanted + 1, dtype=np.int64)
    room = np.empty(n)
    guess = np.inf
    for own in range(n):
        i = member[own]
        row, column = cell[i] // columns, cell[i] % columns
        x, y, z = place[own, 0], place[own, 1], place[own, 2]
        # Where the own cell has too few points the eight around it are looked through at once.
        inner = 1 if start[cell[i] + 1] - start[cell[i]] <= wanted else 0
        ring, seen, found, bound = inner, -1, 0, guess
        while True:
            if found < wanted and seen >= wanted:  # the point before was in a denser place
                ring, seen, found, bound = inner, -1, 0, 2.0 * bound
            elif found == wanted and ring > inner:
                # Nothing in this ring or beyond can be nearer than its inner edge.
                west, south = x - column * side, y - row * side
                clear = min(min(west, side - west), min(south, side - south)) + (ring - 1) * side
                if clear >= 0.0 and clear * clear >= bound:
                    break
            if ring > rows and ring > columns:
                break
            for r in range(max(row - ring, 0), min(row + ring, rows - 1) + 1):
                # A stretch of the row, or, where the ring is hollow, its first and its last column.
                filled = ring == inner or r == row - ring or r == row + ring
                for left in (column - ring, column + ring):
                    right = min(column + ring if filled else left, columns - 1)
                    left = max(left, 0)
                    if left > right:
                        continue
                    seen += start[r * columns + right + 1] - start[r * columns + left]
                    for at in range(start[r * columns + left], start[r * columns + right + 1]):
                        dx, dy, dz = place[at, 0] - x, place[at, 1] - y, place[at, 2] - z
                        away = dx * dx + dy * dy + dz * dz
                        if away > bound or at == own:
                            continue
                        j = member[at]
                        k = found
                        while k > 0 and (best[k - 1] > away or (best[k - 1] == away and nearest[k - 1] > j)):
                            best[k], nearest[k] = best[k - 1], nearest[k - 1]
                            k -= 1
                        best[k], nearest[k] = away, j
                        found = min(found + 1, wanted)
                        if found == wanted:
                            bound = best[wanted - 1]
                    if filled:
                        break
            ring += 1
        for k in range(found):
            near[i, k] = nearest[k]
        guess = max(WIDER * bound, 1.0)
        eighth = near[i, min(found, 8) - 1]
        dx, dy = float(points[eighth, 0] - points[i, 0]), float(points[eighth, 1] - points[i, 1])
        room[i] = np.sqrt(np.pi * (dx * dx + dy * dy) / (min(found, 8) + 0.5))
    return near, room
