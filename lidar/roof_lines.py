"""Where a roof's planes may end: lines in which two planes meet, and straight steps between them.

Cells of the footprint take the plane of the nearest point, or, in wide gaps, of the lower roof that a higher one hides;
along the borders between cells of two planes lies either the line in which the planes meet, known to the millimetre, or
a step, whose line is put between the points on both sides in one of the directions that the building has.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.fused import along
from lidar.morphology import compiled
from lidar.plane_cells import cells_inside, contacts, plane_cells
from lidar.roof_boxes import SHORTEST, box_sides
from lidar.roof_planes import BEND, RoofPlanes

CELL_SPACINGS, LEAST_CELL, MOST_CELL = 0.7, 0.15, 0.6
"""Side of a cell in points' spacings, and its bounds in m."""
DOUBT = 0.03
"""m: how far planes may be off in height; by as much over the bend their line may be off sideways."""
MOST_DOUBT = 0.8
"""m: no more is made of it."""
CROSSES = 2.0
"""Tangent of the angle, 63°, from which a ridge is across a side rather than along it."""
GAP = 2.5
"""m: pieces of a line farther apart than this are two."""
AGAIN = 6
"""Lines looked for in one border, at most."""
OWN_DIRECTION = 0.15
"""Share by which a line must be longer in a direction that nothing else in the building has."""
AT_OUTLINE = 0.40
"""m: a step this near to the outline, along it, is the outline."""
TOGETHER, PARALLEL = 0.25, 0.07
"""m, radians (4°): steps this near and parallel are one."""
BEYOND = 1.2
"""m by which a line is drawn out at both ends, at least; half of its length if that is more."""


def border_lines(
    xy: NDArray[np.float64], roof: RoofPlanes, edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Lines to part a footprint by, and what cells say of the planes' places.

    Args:
        xy: (n, 2) m, the points that `roof` labels.
        roof: its planes.
        edges: (e, 4) m, x and y of both ends of the footprint's edges, the inside on the left.

    Returns:
        (l, 4) m, both ends of each line, ridges first; (rows, columns) plane of each cell, -1 outside of the footprint;
        (3,) west and south of the cells, and their side, in m.
    """
    cell = float(np.clip(CELL_SPACINGS * roof.spacing, LEAST_CELL, MOST_CELL))
    west, south = edges[:, [0, 2]].min() - cell, edges[:, [1, 3]].min() - cell
    columns = ceil((edges[:, [0, 2]].max() - west) / cell) + 1
    rows = ceil((edges[:, [1, 3]].max() - south) / cell) + 1
    frame = np.array([west, south, cell])
    inside = cells_inside(edges, west, south, cell, rows, columns)
    label = plane_cells(xy, roof, frame, inside)
    directions = wall_directions(edges)
    boxes = box_sides(label, xy, directions, roof, frame)
    lines = _all_lines(contacts(label, west, south, cell), boxes, directions, roof, edges, cell)
    return lines, label, frame


def _all_lines(
    touching: NDArray[np.float64],
    boxes: list[tuple[int, tuple[float, ...]]],
    directions: NDArray[np.float64],
    roof: RoofPlanes,
    edges: NDArray[np.float64],
    cell: float,
) -> NDArray[np.float64]:
    """Ridges as they are, then steps that are neither ridges nor the outline, near ones made one."""
    ridges: list[tuple[float, ...]] = []
    steps: list[tuple[float, ...]] = []
    borders: list[list[NDArray[np.float64]]] = [[] for _ in range(len(roof))]
    touching = touching[np.lexsort(touching.T[::-1])]
    new = np.flatnonzero((touching[1:, :2] != touching[:-1, :2]).any(axis=1)) + 1
    for first, last in pairwise([0, *new.tolist(), len(touching)] if len(touching) else []):
        a, b = touching[first, :2].astype(np.int64).tolist()
        places = touching[first:last, 2:]
        difference = roof.planes[a] - roof.planes[b]
        on_ridge = _ridges(places, difference, roof.spacing, cell, ridges)
        border = np.zeros((len(places), 4))
        border[:, :2] = places
        border[on_ridge, 2:] = difference[1:]
        for plane in (a, b):
            borders[plane].append(border)
        left = places[~on_ridge]
        if len(left):
            own = [float(np.arctan2(q, p)) % (np.pi / 2) for _, p, q in roof.planes[[a, b]] if hypot(p, q) > 5 * BEND]
            _steps(left, np.concatenate([directions, own]), roof.spacing, cell, steps)
    of_plane = {plane: np.concatenate(borders[plane]) for plane in {plane for plane, _ in boxes} if borders[plane]}
    steps += [side for plane, side in boxes if plane in of_plane and _follows(of_plane[plane], side, cell)]
    kept = _single_steps(steps, ridges, edges)
    return _drawn_out(np.concatenate([np.array(ridges, dtype=np.float64).reshape(-1, 4), kept]))


def _follows(border: NDArray[np.float64], side: tuple[float, ...], cell: float) -> bool:
    """Whether a border runs along at least half of a side, that of a ridge left out unless it crosses the side.

    At a corner between a step and a ridge both are seen in the same few cells, and those are counted as the ridge's.

    Args:
        border: (n, 4) x, y of its places, and across which way a ridge runs there; 0, 0 where there is none.
        side: x and y of both ends.
        cell: m between places.
    """
    ax, ay, bx, by = side
    length = max(hypot(bx - ax, by - ay), 1e-9)
    near = _beside(border, ax, ay, (bx - ax) / length, (by - ay) / length, length, 1.5 * cell)
    return bool(2 * near * cell >= length)


@compiled
def _beside(border: Any, x: Any, y: Any, run_x: Any, run_y: Any, length: Any, reach: Any) -> Any:
    """How many places of a border, as of `_follows`, lie along a side that begins at a place."""
    count = 0
    for k in range(border.shape[0]):
        dx, dy = border[k, 0] - x, border[k, 1] - y
        t = along(dx, dy, run_x, run_y)
        if abs(along(dx, dy, -run_y, run_x)) <= reach and t > 0 and t < length:
            p, q = border[k, 2], border[k, 3]
            count += CROSSES * abs(along(p, q, -run_y, run_x)) <= abs(along(p, q, run_x, run_y))
    return count


def wall_directions(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outline's directions within a quarter turn, the one with most wall first, those that differ by 4° or more."""
    run = edges[:, 2:] - edges[:, :2]
    angle, length = np.arctan2(run[:, 1], run[:, 0]) % (np.pi / 2), np.hypot(run[:, 0], run[:, 1])
    found: list[float] = []
    for k in np.lexsort((angle, -np.round(length, 3))):
        if length[k] < 1.0 and found:
            break
        turn = (angle - angle[k] + np.pi / 4) % (np.pi / 2) - np.pi / 4
        if all(_apart(float(angle[k]), other) > PARALLEL for other in found):
            near = np.abs(turn) <= PARALLEL
            mean = np.sum(turn[near] * length[near]) / np.sum(length[near])
            found.append(float(angle[k] + mean) % (np.pi / 2))
        if len(found) == 4:
            break
    return np.array(found)


def _apart(a: float, b: float) -> float:
    """Between directions within a quarter turn."""
    return abs((a - b + np.pi / 4) % (np.pi / 2) - np.pi / 4)


def _ridges(
    places: NDArray[np.float64],
    difference: NDArray[np.float64],
    spacing: float,
    cell: float,
    ridges: list[tuple[float, ...]],
) -> NDArray[np.bool_]:
    """Add the pieces of the line where two planes meet that their border follows; (n,) the places that do."""
    p, q, r = difference.tolist()
    bend = hypot(q, r)
    if bend < BEND:
        return np.zeros(len(places), dtype=bool)
    normal, offset = (q / bend, r / bend), -p / bend
    reach = 0.75 * spacing + cell + min(DOUBT / bend, MOST_DOUBT)
    near, ends = _on_line(places, *normal, offset, reach, cell, max(SHORTEST, 2 * spacing))
    ridges += map(tuple, ends.tolist())
    return np.asarray(near)


@compiled
def _on_line(places: Any, nx: Any, ny: Any, offset: Any, reach: Any, cell: Any, least: Any) -> Any:
    """(n,) which places are near a line, and (k, 4) both ends of the pieces they form that are long enough."""
    near = np.empty(places.shape[0], dtype=np.bool_)
    runs = np.empty(places.shape[0])
    count = 0
    for k in range(places.shape[0]):
        near[k] = abs(along(places[k, 0], places[k, 1], nx, ny) - offset) <= reach
        if near[k]:
            runs[count] = along(places[k, 0], places[k, 1], -ny, nx)
            count += 1
    return near, _pieces(runs[:count], nx, ny, -ny, nx, offset, cell, least)


@compiled
def _pieces(runs: Any, nx: Any, ny: Any, run_x: Any, run_y: Any, offset: Any, cell: Any, least: Any) -> Any:
    """(k, 4) both ends of the pieces, long enough, that places along a line form, which lies along its normal."""
    ordered = np.sort(runs)
    found = np.empty((ordered.shape[0], 4))
    count, first = 0, 0
    for k in range(1, ordered.shape[0] + 1):
        if k == ordered.shape[0] or ordered[k] - ordered[k - 1] > GAP:
            low, high = ordered[first] - cell / 2, ordered[k - 1] + cell / 2
            if high - low >= least:
                found[count, 0], found[count, 1] = offset * nx + low * run_x, offset * ny + low * run_y
                found[count, 2], found[count, 3] = offset * nx + high * run_x, offset * ny + high * run_y
                count += 1
            first = k
    return found[:count]


def _steps(
    places: NDArray[np.float64],
    directions: NDArray[np.float64],
    spacing: float,
    cell: float,
    steps: list[tuple[float, ...]],
) -> None:
    """Add straight pieces that a border is made of, the longest first."""
    width = max(0.75 * spacing, cell) + 0.5 * cell
    least = max(SHORTEST, 2 * spacing)
    known = [(np.sin(angle), np.cos(angle)) for angle in (*directions, *directions + np.pi / 2)]
    for _ in range(AGAIN):
        if len(places) * cell < least:
            return
        angles = np.array(known + [(np.sin(angle), np.cos(angle)) for angle in _free_direction(places)])
        ends, places = _longest(places, angles, len(known), width, cell, least)
        if len(ends) == 0:
            return
        steps += map(tuple, ends.tolist())


def _free_direction(places: NDArray[np.float64]) -> list[float]:
    """Of the places themselves."""
    if len(places) < 4:
        return []
    x, y = (places - np.add.reduce(places) / len(places)).T
    squares = np.add.reduce(x * x) - np.add.reduce(y * y)
    return [0.5 * float(np.arctan2(2 * np.add.reduce(x * y), squares))]


@compiled
def _longest(places: Any, angles: Any, known: Any, width: Any, cell: Any, least: Any) -> Any:
    """(k, 4) both ends of the pieces of the strip that most of a border lies in, and the places beyond it.

    Args:
        places: (n, 2) m.
        angles: (a, 2) sine and cosine of the directions that the strip may have.
        known: so many of them first are directions that others in the building have.
        width: m, of the strip.
        cell: m between places.
        least: m, of a piece.
    """
    n = places.shape[0]
    across, runs = np.empty(n), np.empty(n)
    best, offset, chosen = -1.0, 0.0, 0
    for number in range(angles.shape[0]):
        sine, cosine = angles[number, 0], angles[number, 1]
        for k in range(n):
            across[k] = along(places[k, 0], places[k, 1], -sine, cosine)
            runs[k] = along(places[k, 0], places[k, 1], cosine, sine)
        length, middle = _best_offset(across, runs, width, cell)
        if number >= known:
            length *= 1.0 - OWN_DIRECTION
        if length > best + 1e-9:
            best, offset, chosen = length, middle, number
    sine, cosine = angles[chosen, 0], angles[chosen, 1]
    near, count = np.empty(n), 0
    for k in range(n):
        across[k] = along(places[k, 0], places[k, 1], -sine, cosine)
        if abs(across[k] - offset) <= width / 2 + 1e-9:
            near[count] = across[k] - offset
            runs[count] = along(places[k, 0], places[k, 1], cosine, sine)
            count += 1
    ordered = np.sort(near[:count])
    middle = ordered[count // 2] if count % 2 else (ordered[count // 2 - 1] + ordered[count // 2]) / 2.0
    offset += middle
    ends = _pieces(runs[:count], -sine, cosine, cosine, sine, offset, cell, least)
    left, count = np.empty((n, 2)), 0
    for k in range(n):
        if not abs(across[k] - offset) <= width:
            left[count] = places[k]
            count += 1
    return ends, left[:count]


@compiled
def _best_offset(across: Any, along: Any, width: Any, cell: Any) -> Any:
    """The most cells of length that a strip of the width covers, in m, and the strip's middle."""
    order = np.argsort(across, kind="mergesort")
    n = order.shape[0]
    low = along.min()
    size = int((along.max() - low) / cell) + 2
    best, middle = 0.0, across[order[0]]
    held = np.zeros(size, dtype=np.int64)
    covered, first = 0, 0
    for last in range(n):
        slot = int((along[order[last]] - low) / cell)
        held[slot] += 1
        covered += held[slot] == 1
        while across[order[last]] - across[order[first]] > width:
            slot = int((along[order[first]] - low) / cell)
            held[slot] -= 1
            covered -= held[slot] == 0
            first += 1
        if covered * cell > best + 1e-9:
            best, middle = covered * cell, (across[order[first]] + across[order[last]]) / 2.0
    return best, middle


def _single_steps(
    steps: list[tuple[float, ...]], ridges: list[tuple[float, ...]], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Steps, the longest first, without those along the outline, a ridge or a longer step."""
    if not steps:
        return np.empty((0, 4))
    steps = sorted(steps, key=lambda s: (-round(hypot(s[2] - s[0], s[3] - s[1]), 3), s))
    found = _kept(np.array(steps), np.array(ridges, dtype=np.float64).reshape(-1, 4), np.ascontiguousarray(edges))
    return np.asarray(found)


@compiled
def _kept(steps: Any, ridges: Any, edges: Any) -> Any:
    kept, count = np.empty_like(steps), 0
    for k in range(steps.shape[0]):
        step = steps[k]
        known = False
        for e in range(edges.shape[0]):
            known = known or _covers(edges[e], step, AT_OUTLINE)
        for r in range(ridges.shape[0]):
            known = known or _covers(ridges[r], step, TOGETHER)
        twin = 0
        while twin < count and not known and not _collinear(kept[twin], step):
            twin += 1
        if known:
            continue
        kept[twin] = step if twin == count else _spanning(kept[twin], step)
        count = max(count, twin + 1)
    return kept[:count].copy()


@compiled
def _across(line: Any, step: Any) -> Any:
    """Of a step's ends: distances from a line, and places along it as shares of its length."""
    ax, ay, bx, by = line[0], line[1], line[2], line[3]
    length = max(hypot(bx - ax, by - ay), 1e-9)
    ux, uy = (bx - ax) / length, (by - ay) / length
    return (
        abs(ux * (step[1] - ay) - uy * (step[0] - ax)),
        abs(ux * (step[3] - ay) - uy * (step[2] - ax)),
        (ux * (step[0] - ax) + uy * (step[1] - ay)) / length,
        (ux * (step[2] - ax) + uy * (step[3] - ay)) / length,
    )


@compiled
def _covers(line: Any, step: Any, reach: Any) -> Any:
    """Whether a step lies along a line, within its ends, give or take a metre."""
    one, other, first, last = _across(line, step)
    room = 1.0 / max(hypot(line[2] - line[0], line[3] - line[1]), 1e-9)
    return max(one, other) <= reach and min(first, last) >= -room and max(first, last) <= 1.0 + room


@compiled
def _collinear(line: Any, step: Any) -> Any:
    one, other, first, last = _across(line, step)
    length = hypot(step[2] - step[0], step[3] - step[1])
    gap = max(min(first, last) - 1.0, -max(first, last), 0.0) * hypot(line[2] - line[0], line[3] - line[1])
    return max(one, other) <= TOGETHER + PARALLEL * length / 2 and min(one, other) <= TOGETHER and gap <= GAP


@compiled
def _spanning(line: Any, step: Any) -> Any:
    """The line drawn out over a step's ends."""
    ax, ay, bx, by = line[0], line[1], line[2], line[3]
    _, _, first, last = _across(line, step)
    low, high = min(first, last, 0.0), max(first, last, 1.0)
    return np.array([ax + low * (bx - ax), ay + low * (by - ay), ax + high * (bx - ax), ay + high * (by - ay)])


def _drawn_out(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each line longer at both ends, so that it meets what it should."""
    run = lines[:, 2:] - lines[:, :2]
    length = np.maximum(np.hypot(run[:, 0], run[:, 1]), 1e-9)
    more = (np.maximum(BEYOND, 0.5 * length) / length)[:, None] * run
    return np.concatenate([lines[:, :2] - more, lines[:, 2:] + more], axis=1)
