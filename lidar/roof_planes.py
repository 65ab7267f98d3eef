"""The planes of a roof from its points: region growing in a fixed order, on sums of whole millimetres.

After Rabbani, van den Heuvel & Vosselman (2006), "Segmentation of point clouds using smoothness constraint": regions
grow from where the roof is flattest over neighbours that lie on the plane found so far; planes follow their points by
incremental sums (Poppinga et al. 2008). Then points at the borders choose anew among the planes beside them, pieces of
one plane are joined, and what is too small for a part of a roof is given up. Points are put in the order of their
coordinates first and sums are of whole numbers: the order in which points come changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar import moments
from lidar.morphology import compiled
from lidar.nearest_points import neighbours
from lidar.point_order import median, order_of

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
    order = order_of(whole, np.zeros(len(whole), dtype=np.int64))
    points = whole[order]
    if len(points) < FEWEST:
        return RoofPlanes(np.full(len(points), NONE), np.empty((0, 3)), np.empty(0), LEAST_NOISE / 1000.0, 1.0)
    near, room = neighbours(points, NEIGHBOURS)
    spacing = max(median(room), 1.0)
    normals, thickness, few_normals, few_thickness = _own_planes(points, near)
    smooth = min(_smooth(thickness), FEW_MORE * _smooth(few_thickness))
    noise = min(max(smooth, LEAST_NOISE), MOST_NOISE)
    better = (thickness > UNSURE * noise) & (few_thickness <= UNSURE * noise)
    normals[better], thickness[better] = few_normals[better], few_thickness[better]
    tolerance = BASE + SPREAD * noise
    fewest = max(FEWEST, ceil(SMALLEST * 1e6 / spacing**2))
    seeds = _seeds(thickness, tolerance)
    label, count = _grown(points, near, normals, thickness, seeds, tolerance, noise, fewest)
    label, count = _settled(points, near, label, count, tolerance, noise)
    label, planes, scatter = _finished(points, label, count, fewest, points[0] / 1000.0)
    back = np.empty(len(points), dtype=np.int64)
    back[order] = label
    return RoofPlanes(back, planes, scatter, noise / 1000.0, spacing / 1000.0)


def _smooth(thickness: NDArray[np.float64]) -> float:
    at = int(SMOOTH_SHARE * len(thickness))
    return float(np.partition(thickness, at)[at])


@compiled
def _own_planes(points: Any, near: Any) -> Any:
    """(n, 3) normal of the plane through each point and its nearest, and (n,) their standard deviation in mm.

    Then the same of the `FEW` nearest alone.
    """
    n, wanted = near.shape
    normals, thickness = np.zeros((n, 3)), np.full(n, np.inf)
    few_normals, few_thickness = np.zeros((n, 3)), np.full(n, np.inf)
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
            if k == FEW - 1:
                _own_plane(sums, i, few_normals, few_thickness)
        _own_plane(sums, i, normals, thickness)
    return normals, thickness, few_normals, few_thickness


@compiled
def _own_plane(sums: Any, i: Any, normals: Any, thickness: Any) -> None:
    if sums[moments.N] < 4:
        return
    u, v, w, _, least, _ = moments.flattest_plane(sums, np.inf)
    sign = 1.0 if w >= 0.0 else -1.0
    normals[i, 0], normals[i, 1], normals[i, 2] = sign * u, sign * v, sign * w
    thickness[i] = min(np.sqrt(least * sums[moments.N] / (sums[moments.N] - 3.0)), 1e9)


@compiled
def _seeds(thickness: Any, tolerance: Any) -> Any:
    """Points from which a region may grow, the flattest first, to the millimetre."""
    most = 2.0 * tolerance
    start = np.zeros(int(most) + 2, dtype=np.int64)
    for flatness in thickness:
        if flatness <= most:
            start[int(flatness) + 1] += 1
    for k in range(start.shape[0] - 1):
        start[k + 1] += start[k]
    seeds = np.empty(start[-1], dtype=np.int64)
    for i in range(thickness.shape[0]):
        if thickness[i] <= most:
            seeds[start[int(thickness[i])]] = i
            start[int(thickness[i])] += 1
    return seeds


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
        if label[seed] >= 0 or abs(normals[seed, 2]) < UPRIGHT:
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
def _settled(points: Any, near: Any, label: Any, count: Any, tolerance: Any, noise: Any) -> Any:
    """(n,) labels after points have chosen among the planes around them and planes have joined, and their number."""
    label, count = _joined(points, near, label, count, noise)
    for _ in range(ROUNDS):
        before, of_before = label, count
        label = _chosen(points, near, label, count, tolerance, noise)
        label, count = _joined(points, near, label, count, noise)
        if count == of_before and np.array_equal(label, before):
            break
    return label, count


@compiled
def _chosen(points: Any, near: Any, label: Any, count: Any, tolerance: Any, noise: Any) -> Any:
    """(n,) each point's label chosen anew among its own and its neighbours', all at once."""
    n, wanted = near.shape
    planes = _planes_of(_sums_of(points, label, count))
    made = label.copy()
    around = np.empty(wanted + 1, dtype=np.int64)
    for i in range(n):
        x, y, z = points[i, 0] - points[0, 0], points[i, 1] - points[0, 1], points[i, 2] - points[0, 2]
        around[wanted] = label[i]
        for k in range(wanted):
            around[k] = label[near[i, k]] if near[i, k] >= 0 else -1
        best, least = -1, np.inf
        for k in range(-1, wanted):
            candidate = around[k]  # the last, its own, first
            if candidate < 0 or candidate == best:
                continue
            away = abs(
                planes[candidate, 0] * x + planes[candidate, 1] * y + planes[candidate, 2] * z - planes[candidate, 3]
            )
            if not away <= tolerance:
                continue
            others = 0
            for m in range(wanted):
                others += around[m] >= 0 and around[m] != candidate
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


@compiled
def _finished(points: Any, label: Any, count: Any, fewest: Any, origin: Any) -> Any:
    """Labels by size, with the planes as heights over x and y; walls and what is too small are given up.

    `origin` is the first point in metres. Planes are (k, 3), then (k,) m, the scatter of their points.
    """
    sums = _sums_of(points, label, count)
    order = np.argsort(-sums[:, moments.N], kind="mergesort")
    number = np.full(count, NONE)
    planes, scatter = np.empty((count, 3)), np.empty(count)
    kept = 0
    for k in order:
        if sums[k, moments.N] < fewest:
            break
        u, v, w, offset, least, middle = moments.flattest_plane(sums[k], np.inf)
        if abs(w) < UPRIGHT or middle < (1000.0 * NARROW) ** 2:
            continue
        b, c = -u / w, -v / w
        planes[kept, 0] = origin[2] + offset / 1000.0 / w - b * origin[0] - c * origin[1]
        planes[kept, 1], planes[kept, 2] = b, c
        scatter[kept] = np.sqrt(least) / 1000.0
        number[k] = kept
        kept += 1
    found = np.full(points.shape[0], NONE)
    for i in range(points.shape[0]):
        if label[i] >= 0:
            found[i] = number[label[i]]
    return found, planes[:kept].copy(), scatter[:kept].copy()
