"""The planes of a roof from its points: region growing in a fixed order, on sums of whole millimetres.

After Rabbani, van den Heuvel & Vosselman (2006), "Segmentation of point clouds using smoothness constraint": regions
grow from where the roof is flattest over neighbours that lie on the plane found so far; planes follow their points by
incremental sums (Poppinga et al. 2008). Then points at the borders choose anew among the planes beside them, pieces of
one plane are joined, and what is too small for a part of a roof is given up. Points are put in the order of their
coordinates first and sums are of whole numbers: the order in which points come changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar import moments
from lidar.morphology import compiled

Integers = NDArray[np.int64]

NEIGHBOURS = 12
"""Nearest points, in space, that a point's own plane is fitted to and that a region grows over."""
FEWEST = 6
"""Points a plane needs."""
SMALLEST = 0.6
"""m²: nothing smaller is a plane of a roof; dormers and stair heads are larger."""
LEAST_NOISE, MOST_NOISE = 10.0, 120.0
"""mm: what a survey's points scatter about a roof, at least and at most."""
BASE, SPREAD = 30.0, 2.5
"""mm, and in standard deviations: how far a point may lie off a plane of its own (tiles, corrugation; noise)."""
TURN = 0.90
"""Cosine of 26°: the most that a point's own normal may lean from its plane's."""
UNSURE = 2.0
"""Times the noise: points whose surroundings are rougher lie at an edge, their own normal says nothing."""
UPRIGHT = 0.26
"""Least vertical part of a plane's normal, 75°: mansards reach it, steeper ones are walls."""
FEW = 6
"""Nearest points that a point's own plane is fitted to where more of them do not lie on one: small parts of a roof."""
NARROW = 0.2
"""m, standard deviation across its length: parts less than 0.7 m wide are parapets and gutters, of unsure slope."""
FEW_MORE = 1.1
"""By how much the scatter of so few about their plane is the less, at the share below (χ² of 4 and of 10 degrees)."""
SMOOTH_SHARE = 0.4
"""Share of points that surely lie amid a plane: the noise is what these scatter at most."""
AGREE = 1.0
"""Price of a neighbour under another label, in units of half a squared deviation: what decides between planes that are
as near."""
ROUNDS = 4
"""Times that points choose among the planes around them."""
JOINT, LEAN = 1.25, 0.9925
"""Two planes are one if both together scatter no more than this times the worse, and lean from each other by 7° at most
(cosine)."""
BEND = 0.02
"""Difference of slope from which two planes have a line where they meet."""
NONE = -1


@dataclass(frozen=True, slots=True)
class RoofPlanes:
    """k planes of a roof of n points."""

    label: Integers
    """(n,) plane of each point, -1 for none."""
    planes: NDArray[np.float64]
    """(k, 3) a, b, c of z = a + b x + c y, metres from the points' origin."""
    scatter: NDArray[np.float64]
    """(k,) m, standard deviation of each plane's points about it."""
    noise: float
    """m, what points scatter about their own surroundings."""
    spacing: float
    """m between neighbouring points."""

    def __len__(self) -> int:
        return len(self.planes)


def roof_planes(xyz: NDArray[np.float64]) -> RoofPlanes:
    """Find the planes of one roof, the largest first.

    Args:
        xyz: (n, 3) m, from an origin near the roof.
    """
    whole = np.rint(xyz * 1000.0).astype(np.int64)
    order = np.lexsort((whole[:, 2], whole[:, 1], whole[:, 0]))
    points = np.ascontiguousarray(whole[order])
    if len(points) < FEWEST:
        return RoofPlanes(np.full(len(points), NONE), np.empty((0, 3)), np.empty(0), LEAST_NOISE / 1000.0, 1.0)
    near, room = neighbours(points, NEIGHBOURS)
    spacing = max(float(np.median(room)), 1.0)
    normals, thickness = _own_planes(points, near, NEIGHBOURS)
    few_normals, few_thickness = _own_planes(points, near, FEW)
    smooth = min(_smooth(thickness), FEW_MORE * _smooth(few_thickness))
    noise = float(np.clip(smooth, LEAST_NOISE, MOST_NOISE))
    better = (thickness > UNSURE * noise) & (few_thickness <= UNSURE * noise)
    normals[better], thickness[better] = few_normals[better], few_thickness[better]
    tolerance = BASE + SPREAD * noise
    fewest = max(FEWEST, int(np.ceil(SMALLEST * 1e6 / spacing**2)))
    seeds = np.lexsort((np.arange(len(points)), thickness.astype(np.int64)))
    label, count = _grown(points, near, normals, thickness, seeds, tolerance, noise, fewest)
    label, count = _joined(points, near, label, count, noise)
    for _ in range(ROUNDS):
        label = _chosen(points, near, label, count, tolerance, noise)
        label, count = _joined(points, near, label, count, noise)
    label, planes, scatter = _finished(points, label, count, fewest)
    back = np.empty(len(points), dtype=np.int64)
    back[order] = label
    return RoofPlanes(back, planes, scatter, noise / 1000.0, spacing / 1000.0)


@compiled
def neighbours(points: Any, wanted: Any) -> Any:
    """(n, wanted) the nearest points in space, the nearest first, -1 where there are no more; and (n,) room in mm.

    Room is the side of the square that a point has to itself, from the circle round the nearest eight as the map sees
    it; its median over the points is their spacing.
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
    for i in range(n):
        member[cursor[cell[i]]] = i
        cursor[cell[i]] += 1
    near = np.full((n, wanted), -1, dtype=np.int64)
    best = np.empty(wanted, dtype=np.int64)
    room = np.empty(n)
    for i in range(n):
        row, column = cell[i] // columns, cell[i] % columns
        found, ring = 0, np.int64(0)
        while True:
            if found == wanted and ring > 0:
                # Nothing in this ring or beyond can be nearer than its inner edge.
                west, south = points[i, 0] - low[0] - column * side, points[i, 1] - low[1] - row * side
                clear = min(min(west, side - west), min(south, side - south)) + (ring - 1) * side
                if clear >= 0 and clear * clear >= best[wanted - 1]:
                    break
            if ring > rows and ring > columns:
                break
            for r in range(row - ring, row + ring + 1):
                if r < 0 or r >= rows:
                    continue
                step = 1 if r in (row - ring, row + ring) else 2 * ring
                for c in range(column - ring, column + ring + 1, step):
                    if c < 0 or c >= columns:
                        continue
                    for k in range(start[r * columns + c], start[r * columns + c + 1]):
                        j = member[k]
                        if j == i:
                            continue
                        dx, dy, dz = (
                            points[j, 0] - points[i, 0],
                            points[j, 1] - points[i, 1],
                            points[j, 2] - points[i, 2],
                        )
                        away = dx * dx + dy * dy + dz * dz
                        if found == wanted and (away, j) >= (best[wanted - 1], near[i, wanted - 1]):
                            continue
                        at = min(found, wanted - 1)
                        while at > 0 and (best[at - 1], near[i, at - 1]) > (away, j):
                            best[at], near[i, at] = best[at - 1], near[i, at - 1]
                            at -= 1
                        best[at], near[i, at] = away, j
                        found = min(found + 1, wanted)
            ring += 1
        last = min(found, 8) - 1
        dx, dy = float(points[near[i, last], 0] - points[i, 0]), float(points[near[i, last], 1] - points[i, 1])
        room[i] = np.sqrt(np.pi * (dx * dx + dy * dy) / (last + 1.5))
    return near, room


def _smooth(thickness: NDArray[np.float64]) -> float:
    at = int(SMOOTH_SHARE * len(thickness))
    return float(np.partition(thickness, at)[at])


@compiled
def _own_planes(points: Any, near: Any, wanted: Any) -> Any:
    """(n, 3) normal of the plane through each point and its nearest, and (n,) their standard deviation in mm."""
    n = points.shape[0]
    normals, thickness = np.zeros((n, 3)), np.full(n, np.inf)
    sums = np.zeros(moments.MOMENTS, dtype=np.int64)
    for i in range(n):
        sums[:] = 0
        moments.add_point(sums, 0, 0, 0)
        for k in range(wanted):
            j = near[i, k]
            if j >= 0:
                moments.add_point(
                    sums, points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
                )
        if sums[moments.N] < 4:
            continue
        u, v, w, _, least, _ = moments.flattest_plane(sums, np.inf)
        sign = 1.0 if w >= 0.0 else -1.0
        normals[i, 0], normals[i, 1], normals[i, 2] = sign * u, sign * v, sign * w
        thickness[i] = min(np.sqrt(least * sums[moments.N] / (sums[moments.N] - 3.0)), 1e9)
    return normals, thickness


@compiled
def _grown(
    points: Any, near: Any, normals: Any, thickness: Any, seeds: Any, tolerance: Any, noise: Any, fewest: Any
) -> Any:
    """(n,) region of each point, -1 for none, and how many there are."""
    n = points.shape[0]
    label = np.full(n, -1, dtype=np.int64)
    visited = np.full(n, -1, dtype=np.int64)
    queue = np.empty(n, dtype=np.int64)
    sums = np.zeros(moments.MOMENTS, dtype=np.int64)
    count, trial = 0, 0
    for seed in seeds:
        if label[seed] >= 0 or thickness[seed] > 2.0 * tolerance or abs(normals[seed, 2]) < UPRIGHT:
            continue
        trial += 1
        ox, oy, oz = points[seed, 0], points[seed, 1], points[seed, 2]
        u, v, w, offset = normals[seed, 0], normals[seed, 1], normals[seed, 2], 0.0
        sums[:] = 0
        head, tail, next_fit = 0, 1, 8
        queue[0], visited[seed] = seed, trial
        moments.add_point(sums, 0, 0, 0)
        while head < tail:
            p = queue[head]
            head += 1
            for k in range(near.shape[1]):
                q = near[p, k]
                if q < 0 or label[q] >= 0 or visited[q] == trial:
                    continue
                x, y, z = points[q, 0] - ox, points[q, 1] - oy, points[q, 2] - oz
                if abs(u * x + v * y + w * z - offset) > tolerance:
                    continue
                turn = u * normals[q, 0] + v * normals[q, 1] + w * normals[q, 2]
                if turn < TURN and thickness[q] < UNSURE * noise:
                    continue
                visited[q] = trial
                queue[tail] = q
                tail += 1
                moments.add_point(sums, x, y, z)
                if tail >= next_fit:
                    next_fit = tail + tail // 3 + 1
                    u, v, w, offset, _, middle = moments.flattest_plane(sums, np.inf)
                    if w < 0.0:
                        u, v, w, offset = -u, -v, -w, -offset
        if tail < fewest:
            continue
        u, v, w, offset, _, middle = moments.flattest_plane(sums, np.inf)
        if middle < (1000.0 * NARROW) ** 2:
            continue
        kept = 0
        for k in range(tail):
            q = queue[k]
            away = u * (points[q, 0] - ox) + v * (points[q, 1] - oy) + w * (points[q, 2] - oz) - offset
            kept += abs(away) <= tolerance
        if kept < fewest:
            continue
        for k in range(tail):
            q = queue[k]
            away = u * (points[q, 0] - ox) + v * (points[q, 1] - oy) + w * (points[q, 2] - oz) - offset
            if abs(away) <= tolerance:
                label[q] = count
        count += 1
    return label, count


@compiled
def _sums_of(points: Any, label: Any, count: Any) -> Any:
    """(count, MOMENTS) sums of each label's points, about the first point."""
    sums = np.zeros((count, moments.MOMENTS), dtype=np.int64)
    for i in range(points.shape[0]):
        if label[i] >= 0:
            moments.add_point(
                sums[label[i]], points[i, 0] - points[0, 0], points[i, 1] - points[0, 1], points[i, 2] - points[0, 2]
            )
    return sums


@compiled
def _planes_of(sums: Any) -> Any:
    """(count, 4) unit normal and offset of each label's plane; NaN where there are too few points."""
    planes = np.full((sums.shape[0], 4), np.nan)
    for k in range(sums.shape[0]):
        if sums[k, moments.N] >= 3:
            u, v, w, offset, _, _ = moments.flattest_plane(sums[k], np.inf)
            sign = 1.0 if w >= 0.0 else -1.0
            planes[k, 0], planes[k, 1], planes[k, 2], planes[k, 3] = sign * u, sign * v, sign * w, sign * offset
    return planes


@compiled
def _chosen(points: Any, near: Any, label: Any, count: Any, tolerance: Any, noise: Any) -> Any:
    """(n,) each point's label chosen anew among its own and its neighbours', all at once."""
    n = points.shape[0]
    planes = _planes_of(_sums_of(points, label, count))
    made = label.copy()
    for i in range(n):
        x, y, z = points[i, 0] - points[0, 0], points[i, 1] - points[0, 1], points[i, 2] - points[0, 2]
        best, least = -1, np.inf
        for k in range(-1, near.shape[1]):
            candidate = label[i] if k < 0 else (label[near[i, k]] if near[i, k] >= 0 else -1)
            if candidate < 0 or candidate == best:
                continue
            away = abs(
                planes[candidate, 0] * x + planes[candidate, 1] * y + planes[candidate, 2] * z - planes[candidate, 3]
            )
            if not away <= tolerance:
                continue
            others = 0
            for m in range(near.shape[1]):
                if near[i, m] >= 0 and label[near[i, m]] >= 0 and label[near[i, m]] != candidate:
                    others += 1
            price = (away / noise) ** 2 / 2.0 + AGREE * others
            if price < least or (price == least and candidate < best):
                best, least = candidate, price
        made[i] = best
    return made


@compiled
def _joined(points: Any, near: Any, label: Any, count: Any, noise: Any) -> Any:
    """Labels after pieces of one plane that touch are made one, the best fit first; and how many are left."""
    label = label.copy()
    sums = _sums_of(points, label, count)
    touch = np.zeros((count, count), dtype=np.int64)
    for i in range(points.shape[0]):
        for k in range(near.shape[1]):
            j = near[i, k]
            if j >= 0 and label[i] >= 0 and label[j] >= 0 and label[i] != label[j]:
                touch[label[i], label[j]] += 1
                touch[label[j], label[i]] += 1
    both = np.zeros(moments.MOMENTS, dtype=np.int64)
    into = np.arange(count)
    while True:
        planes = _planes_of(sums)
        best, first, second = np.inf, -1, -1
        for a in range(count):
            for b in range(a + 1, count):
                if touch[a, b] == 0 or sums[a, moments.N] < 3 or sums[b, moments.N] < 3:
                    continue
                lean = planes[a, 0] * planes[b, 0] + planes[a, 1] * planes[b, 1] + planes[a, 2] * planes[b, 2]
                if lean < LEAN:
                    continue
                both[:] = sums[a]
                both += sums[b]
                _, _, _, _, least, _ = moments.flattest_plane(both, np.inf)
                _, _, _, _, of_a, _ = moments.flattest_plane(sums[a], np.inf)
                _, _, _, _, of_b, _ = moments.flattest_plane(sums[b], np.inf)
                worse = np.sqrt(least) / max(JOINT * noise, JOINT * np.sqrt(max(of_a, of_b)))
                if worse <= 1.0 and worse < best:
                    best, first, second = worse, a, b
        if first < 0:
            break
        sums[first] += sums[second]
        sums[second] = 0
        for k in range(count):
            touch[first, k] += touch[second, k]
            touch[k, first] += touch[k, second]
            touch[second, k] = touch[k, second] = 0
        touch[first, first] = 0
        for k in range(count):
            if into[k] == second:
                into[k] = first
    number = np.full(count, -1, dtype=np.int64)
    left = 0
    for k in range(count):
        if sums[k, moments.N] > 0:
            number[k] = left
            left += 1
    for i in range(points.shape[0]):
        if label[i] >= 0:
            label[i] = number[into[label[i]]]
    return label, left


def _finished(
    points: Integers, label: Integers, count: int, fewest: int
) -> tuple[Integers, NDArray[np.float64], NDArray[np.float64]]:
    """Labels by size, with the planes as heights over x and y; walls and what is too small are given up."""
    sums = _sums_of(points, label, count)
    fitted = _planes_of(sums)
    broad = [moments.flattest_plane(own, np.inf)[5] >= (1000.0 * NARROW) ** 2 for own in sums]
    good = (sums[:, moments.N] >= fewest) & (np.abs(fitted[:, 2]) >= UPRIGHT) & np.array(broad, dtype=bool)
    order = [k for k in np.argsort(-sums[:, moments.N], kind="stable") if good[k]]
    number = np.full(count + 1, NONE)
    number[order] = np.arange(len(order))
    label = number[label]
    planes, scatter = np.empty((len(order), 3)), np.empty(len(order))
    x0, y0, z0 = points[0] / 1000.0
    for at, k in enumerate(order):
        u, v, w, offset, least, _ = moments.flattest_plane(sums[k], np.inf)
        b, c = -u / w, -v / w
        planes[at] = z0 + offset / 1000.0 / w - b * x0 - c * y0, b, c
        scatter[at] = np.sqrt(least) / 1000.0
    return label, planes, scatter
