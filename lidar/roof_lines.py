"""Where a roof's planes may end: lines in which two planes meet, and straight steps between them.

Cells of the footprint take the plane of the nearest point, or, in wide gaps, of the lower roof that a higher one hides;
along the borders between cells of two planes lies either the line in which the planes meet, known to the millimetre, or
a step, whose line is put between the points on both sides in one of the directions that the building has.
"""

from __future__ import annotations

from math import ceil, hypot, log, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lidar.distance import distance_to
from lidar.morphology import compiled
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
CHANCE = 1e-4
"""Probability of an empty disc of the radius from which a gap is one, were points strewn at random."""
HIDING, FIELD = 1.0, 0.58
"""m that a plane must rise above another to hide it, and how far it then does by height: the tangent of 30°, half of
the widest field of view."""
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
    label = _nearest_labels(xy, roof, frame, inside)
    contacts = _contacts(label, frame)
    lines = _all_lines(contacts, box_sides(label, xy, wall_directions(edges), roof, frame), roof, edges, cell)
    return lines, label, frame


@compiled
def cells_inside(edges: Any, west: Any, south: Any, cell: Any, rows: Any, columns: Any) -> Any:
    """(rows, columns) whether a cell's centre lies in the footprint."""
    inside = np.zeros((rows, columns), dtype=np.bool_)
    for r in range(rows):
        y = south + (r + 0.5) * cell
        for e in range(edges.shape[0]):
            ax, ay, bx, by = edges[e]
            if (ay > y) != (by > y):
                x = ax + (y - ay) * (bx - ax) / (by - ay)
                for c in range(max(int(np.ceil((x - west) / cell - 0.5)), 0), columns):
                    inside[r, c] = not inside[r, c]
    return inside


def _nearest_labels(
    xy: NDArray[np.float64], roof: RoofPlanes, frame: NDArray[np.float64], inside: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(rows, columns) the plane most of the points have in the nearest cell with any; -1 outside.

    In gaps that chance does not leave it is the plane that the others around hide (`_hidden`).
    """
    west, south, cell = frame
    column = np.floor((xy[:, 0] - west) / cell).astype(np.int64)
    row = np.floor((xy[:, 1] - south) / cell).astype(np.int64)
    kept = (roof.label >= 0) & (row >= 0) & (column >= 0) & (row < inside.shape[0]) & (column < inside.shape[1])
    most: NDArray[np.int64] = _most_frequent(
        row[kept] * inside.shape[1] + column[kept], roof.label[kept], inside.size, len(roof)
    )
    most = most.reshape(inside.shape)
    if not (most >= 0).any():
        return most
    away, near = ndimage.distance_transform_edt(most < 0, return_indices=True)
    label = np.where(inside, most[near[0], near[1]], -1)
    return _hidden(label, away * cell, roof, frame)


@compiled
def _most_frequent(cell: Any, label: Any, cells: Any, labels: Any) -> Any:
    """(cells,) the label that most of a cell's points have, the least of several; -1 without any."""
    most, count = np.full(cells, -1, dtype=np.int64), np.zeros(cells, dtype=np.int64)
    ordered = np.sort(cell * labels + label)
    first = 0
    for i in range(1, ordered.shape[0] + 1):
        if i == ordered.shape[0] or ordered[i] != ordered[first]:
            at = ordered[first] // labels
            if i - first > count[at]:
                most[at], count[at] = ordered[first] % labels, i - first
            first = i
    return most


def _hidden(
    label: NDArray[np.int64], away: NDArray[np.float64], roof: RoofPlanes, frame: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The cells' planes, with the lower one in gaps behind a higher.

    What lies behind a wall is not seen from one side: a gap between two levels is of the lower one, for the higher
    would have been seen. A wall hides no more than its height times the tangent of the widest angle looked at.

    Args:
        label: (rows, columns) plane of the nearest point, -1 outside.
        away: (rows, columns) m to the nearest cell with a point.
        roof: its planes.
        frame: (3,) west and south of the cells, and their side, in m.
    """
    west, south, cell = frame
    widest = sqrt(-log(CHANCE) / pi) * roof.spacing
    pieces, _ = ndimage.label((away > widest) & (label >= 0))
    reach = ceil(widest / cell) + 1
    found = label
    for piece, place in enumerate(ndimage.find_objects(pieces), start=1):
        low = [max(own.start - reach, 0) for own in place]
        window = tuple(slice(a, own.stop + reach) for a, own in zip(low, place, strict=True))
        gap = distance_to(pieces[window] == piece) * cell <= widest
        row, column = np.nonzero(gap & (label[window] >= 0))
        row, column = row + low[0], column + low[1]
        own = label[row, column]
        beside = np.unique(own)
        if len(beside) == 1:
            continue
        x, y = west + (column + 0.5) * cell, south + (row + 0.5) * cell
        p, q, r = roof.planes[beside].T[:, :, None]
        height = p + q * x + r * y
        rise = height[np.searchsorted(beside, own), np.arange(len(own))] - height.min(axis=0)
        hidden = (rise > HIDING) & (away[row, column] <= FIELD * rise) & (away[row, column] > 0)
        if found is label:
            found = label.copy()
        found[row[hidden], column[hidden]] = beside[height.argmin(axis=0)][hidden]
    return found


def _contacts(label: NDArray[np.int64], frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) plane, plane (the lower first), x, y of each side between cells of two planes."""
    west, south, cell = frame
    found = []
    for axis in (0, 1):
        one = label[:-1] if axis == 0 else label[:, :-1]
        other = label[1:] if axis == 0 else label[:, 1:]
        row, column = np.nonzero((one != other) & (one >= 0) & (other >= 0))
        a, b = one[row, column], other[row, column]
        x = west + (column + (0.5 if axis == 0 else 1.0)) * cell
        y = south + (row + (1.0 if axis == 0 else 0.5)) * cell
        found.append(np.column_stack([np.minimum(a, b), np.maximum(a, b), x, y]))
    return np.concatenate(found)


def _all_lines(
    contacts: NDArray[np.float64],
    boxes: list[tuple[int, tuple[float, ...]]],
    roof: RoofPlanes,
    edges: NDArray[np.float64],
    cell: float,
) -> NDArray[np.float64]:
    """Ridges as they are, then steps that are neither ridges nor the outline, near ones made one."""
    directions = wall_directions(edges)
    ridges: list[tuple[float, ...]] = []
    steps: list[tuple[float, ...]] = []
    borders: list[list[NDArray[np.float64]]] = [[] for _ in range(len(roof))]
    order = np.lexsort((contacts[:, 3], contacts[:, 2], contacts[:, 1], contacts[:, 0]))
    contacts = contacts[order]
    pairs, where = np.unique(contacts[:, :2].astype(np.int64), axis=0, return_index=True)
    ends = [*where[1:], len(contacts)]
    for (a, b), first, last in zip(pairs, where, ends[: len(pairs)], strict=True):
        places = contacts[first:last, 2:]
        on_ridge = _ridges(places, roof.planes[a] - roof.planes[b], roof.spacing, cell, ridges)
        across = np.where(on_ridge[:, None], roof.planes[a, 1:] - roof.planes[b, 1:], 0.0)
        for plane in (a, b):
            borders[plane].append(np.concatenate([places, across], axis=1))
        left = places[~on_ridge]
        if len(left):
            own = [float(np.arctan2(q, p)) % (np.pi / 2) for _, p, q in roof.planes[[a, b]] if hypot(p, q) > 5 * BEND]
            _steps(left, np.concatenate([directions, own]), roof.spacing, cell, steps)
    steps += [side for plane, side in boxes if borders[plane] and _follows(np.concatenate(borders[plane]), side, cell)]
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
    start, run = np.array(side[:2]), np.array(side[2:]) - side[:2]
    length = max(hypot(*run), 1e-9)
    run = run / length
    normal = np.array([-run[1], run[0]])
    along, across = (border[:, :2] - start) @ run, (border[:, :2] - start) @ normal
    ridge_along = CROSSES * np.abs(border[:, 2:] @ normal) > np.abs(border[:, 2:] @ run)
    near = (np.abs(across) <= 1.5 * cell) & (along > 0) & (along < length) & ~ridge_along
    return bool(2 * near.sum() * cell >= length)


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
    p, q, r = difference
    bend = hypot(q, r)
    if bend < BEND:
        return np.zeros(len(places), dtype=bool)
    normal = np.array([q, r]) / bend
    near = np.asarray(np.abs(places @ normal + p / bend) <= 0.75 * spacing + cell + min(DOUBT / bend, MOST_DOUBT))
    if not near.any():
        return near
    along = places[near] @ (-normal[1], normal[0])
    foot = -p / bend * normal
    run = np.array([-normal[1], normal[0]])
    for low, high in _runs(along, cell):
        if high - low >= max(SHORTEST, 2 * spacing):
            ridges.append((*(foot + low * run), *(foot + high * run)))
    return near


def _runs(along: NDArray[np.float64], cell: float) -> list[tuple[float, float]]:
    """First and last of the pieces that places along a line form."""
    ordered = np.sort(along)
    cuts = np.flatnonzero(np.diff(ordered) > GAP)
    low, high = ordered[np.append(0, cuts + 1)], ordered[np.append(cuts, len(ordered) - 1)]
    return [(float(a) - cell / 2, float(b) + cell / 2) for a, b in zip(low, high, strict=True)]


def _steps(
    places: NDArray[np.float64],
    directions: NDArray[np.float64],
    spacing: float,
    cell: float,
    steps: list[tuple[float, ...]],
) -> None:
    """Add straight pieces that a border is made of, the longest first."""
    width = max(0.75 * spacing, cell) + 0.5 * cell
    for _ in range(AGAIN):
        if len(places) * cell < max(SHORTEST, 2 * spacing):
            return
        best = (-1.0, 0.0, 0.0)
        free = _free_direction(places)
        for number, angle in enumerate([*directions, *directions + np.pi / 2, *free]):
            nx, ny = -np.sin(angle), np.cos(angle)
            length, offset = _best_offset(places @ (nx, ny), places @ (ny, -nx), width, cell)
            if number >= 2 * len(directions):
                length *= 1.0 - OWN_DIRECTION
            if length > best[0] + 1e-9:
                best = (length, offset, float(angle))
        _, offset, angle = best
        normal, run = np.array([-np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
        away = places @ normal - offset
        near = np.abs(away) <= width / 2 + 1e-9
        middle = offset + float(np.median(away[near]))
        found = False
        for low, high in _runs(places[near] @ run, cell):
            if high - low >= max(SHORTEST, 2 * spacing):
                steps.append((*(middle * normal + low * run), *(middle * normal + high * run)))
                found = True
        if not found:
            return
        places = places[~(np.abs(places @ normal - middle) <= width)]


def _free_direction(places: NDArray[np.float64]) -> list[float]:
    """Of the places themselves."""
    if len(places) < 4:
        return []
    x, y = (places - places.mean(axis=0)).T
    return [0.5 * float(np.arctan2(2 * (x * y).sum(), (x * x).sum() - (y * y).sum()))]


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
