"""What is checked of parcels that come in: each by itself, their numbers, and how they lie among each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from gis.land.exchange.problems import Kind, Problem
from gis.land.exchange.record import ParcelRecord

OVERLAP_WIDTH = 0.002
"""m, mean width from which two parcels overlap: twice the millimetre to which corners are written."""
GAP_WIDTH = 0.2
"""m; what is wider is no slip of a survey but a passage."""
GAP_AREA = 0.01
"""m² from which a gap is told."""
WEDGE = np.cos(np.radians(10.0))
"""Cosine of the angle below which two edges from one corner may enclose a gap."""
MAP_SCALE = 500
"""Denominator of the cadastral map's scale in the city."""
AREA_PER_SCALE = 0.0004
"""Tolerated difference of a parcel's area is this × the scale's denominator × √area (m²)."""
AREA_SOURCE = "0.0004·M·√S, M = {scale}; ? from memory of the rules for cadastral maps, to be checked"
Time = tuple[date | None, date | None]
"""First day, and first day after; None: since ever, for ever."""
_GRID = 1e4
"""Corners are the same where they agree in tenths of a millimetre."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Parcels of the register around those that come in."""

    uids: tuple[str, ...] = ()
    shapes: tuple[BaseGeometry, ...] = ()


def check_numbers(records: Sequence[ParcelRecord]) -> list[Problem]:
    """Records that have no number, or the uid or number of an earlier one."""
    problems: list[Problem] = []
    uids: dict[str, ParcelRecord] = {}
    numbers: dict[tuple[str, str, str], ParcelRecord] = {}
    for record in records:
        if record.uid is None and record.number is None:
            problems.append(Problem(Kind.NO_NUMBER, record.name, {}, record.shape))
        if record.uid is not None and uids.setdefault(record.uid, record) is not record:
            facts = {"uid": record.uid, "other": uids[record.uid].source}
            problems.append(Problem(Kind.DUPLICATE_UID, record.name, facts, record.shape))
        if record.number is not None and numbers.setdefault(record.number, record) is not record:
            facts = {"number": "/".join(record.number[1:]), "other": numbers[record.number].source}
            problems.append(Problem(Kind.DUPLICATE_NUMBER, record.name, facts, record.shape))
    return problems


def check_area(record: ParcelRecord, area: float, scale: int = MAP_SCALE) -> Problem | None:
    """Whether the outline's area (m²) differs from the legal one by more than a survey of the map's scale may."""
    legal = record.area_legal
    if legal is None:
        return None
    tolerance = AREA_PER_SCALE * scale * sqrt(max(legal, area))
    if abs(area - legal) <= tolerance:
        return None
    facts = {"area_m2": area, "legal_m2": legal, "delta_m2": area - legal, "tolerance_m2": tolerance}
    return Problem(Kind.AREA_DIFFERS, record.name, facts | {"source": AREA_SOURCE.format(scale=scale)}, record.shape)


class Neighbourhood:
    """How parcels that come in lie among each other and among the register's (metres), told part by part."""

    def __init__(
        self, names: Sequence[str], polygons: Sequence[Polygon], around: Placed, times: Sequence[Time] = ()
    ) -> None:
        """Parcels that come in, with their names for messages, and those of the register around them.

        Parcels that are never there on one day are not held against each other; `times` are those of the ones that come
        in, then those around them. Without any, all are of all days.
        """
        self._names, self._around, self._own = names, around, len(polygons)
        count = len(polygons) + len(around.shapes)
        ends = times or [(None, None)] * count
        self._first = np.array([-np.inf if start is None else start.toordinal() for start, _ in ends])
        self._after = np.array([np.inf if end is None else end.toordinal() for _, end in ends])
        self._shapes = np.array([*polygons, *around.shapes], dtype=object)
        self._tree = STRtree(self._shapes)
        self._edges: _OpenEdges | None = None

    def overlaps(self, part: slice) -> list[Problem]:
        """Pairs that share more than a line, the first a parcel of the part, the second any but an earlier one."""
        first, second = self._tree.query(self._shapes[part], predicate="intersects")
        first = first + part.start
        wanted = (first < second) & self._meet(first, second)
        first, second = first[wanted], second[wanted]
        common = shapely.intersection(self._shapes[first], self._shapes[second])
        areas, lengths = shapely.area(common), shapely.length(common)
        problems: list[Problem] = []
        for place in np.flatnonzero(2 * areas > OVERLAP_WIDTH * lengths):
            facts: dict[str, Any] = {"area_m2": float(areas[place])}
            name, other = self._names[first[place]], int(second[place])
            if other < self._own:
                problems.append(Problem(Kind.OVERLAP, name, facts | {"other": self._names[other]}, common[place]))
            else:
                facts = facts | {"uid": self._around.uids[other - self._own]}
                problems.append(Problem(Kind.OVERLAP_REGISTER, name, facts, common[place]))
        return problems

    def gaps(self, part: slice) -> list[Problem]:
        """Slivers of ground between neighbours, the first a parcel of the part, the second any but an earlier one."""
        if self._edges is None:
            self._edges = _OpenEdges.of(self._shapes)
        problems: list[Problem] = []
        for one, other in self._edges.near(part):
            if not self._meet(one, other):
                continue
            for gap in _between(self._shapes, self._tree, one, other):
                width = 2 * gap.area / gap.length
                uid = None if other < self._own else self._around.uids[other - self._own]
                name = self._names[other] if uid is None else f"the register's parcel {uid}"
                facts = {"area_m2": gap.area, "width_m": width, "other": name}
                problems.append(Problem(Kind.GAP, self._names[one], facts, gap))
        return problems

    def _meet(self, one: Any, other: Any) -> Any:
        """Whether two parcels, or each of two arrays of them, are there on one day."""
        return (self._first[one] < self._after[other]) & (self._first[other] < self._after[one])


@dataclass(frozen=True, slots=True)
class _OpenEdges:
    """Edges without a neighbour's edge on the very same corners."""

    starts: NDArray[np.float64]
    """(n, 2), metres."""
    ends: NDArray[np.float64]
    owners: NDArray[np.intp]
    """(n,), place of the parcel."""
    lines: NDArray[np.object_]
    tree: STRtree

    @classmethod
    def of(cls, shapes: NDArray[np.object_]) -> _OpenEdges:
        starts, ends, owners = _open_edges(shapes)
        lines = np.asarray(shapely.linestrings(np.stack([starts, ends], axis=1)), dtype=object)
        return cls(starts, ends, owners, lines, STRtree(lines))

    def near(self, part: slice) -> list[tuple[int, int]]:
        """Pairs of parcels with edges that are near each other but not the same; the first is of the part."""
        mine = np.flatnonzero((self.owners >= part.start) & (self.owners < part.stop))
        if len(mine) == 0:
            return []
        first, second = self.tree.query(self.lines[mine], predicate="dwithin", distance=GAP_WIDTH)
        first = mine[first]
        wanted = (self.owners[first] < self.owners[second]) & _may_enclose(self.starts, self.ends, first, second)
        return sorted(
            {(int(a), int(b)) for a, b in zip(self.owners[first[wanted]], self.owners[second[wanted]], strict=True)}
        )


def _open_edges(
    shapes: NDArray[np.object_],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Edges without a neighbour's edge on the very same corners: starts (n, 2), ends (n, 2), parcels (n,)."""
    rings, owners = shapely.get_rings(shapes, return_index=True)
    corners, ring_of = shapely.get_coordinates(rings, return_index=True)
    along = ring_of[1:] == ring_of[:-1]
    starts, ends, owner = corners[:-1][along], corners[1:][along], owners[ring_of[:-1][along]]
    low = np.rint(starts * _GRID).astype(np.int64)
    high = np.rint(ends * _GRID).astype(np.int64)
    turned = (low[:, 0] > high[:, 0]) | ((low[:, 0] == high[:, 0]) & (low[:, 1] > high[:, 1]))
    keys = np.where(turned[:, None], np.hstack([high, low]), np.hstack([low, high]))
    _, same, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    is_open = count[same.ravel()] == 1
    return starts[is_open], ends[is_open], owner[is_open]


def _may_enclose(
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
) -> NDArray[np.bool_]:
    """Whether two near edges may have a gap between them: not where they only meet in a corner at a wide angle."""
    found = np.ones(len(first), dtype=bool)
    for one, one_end in ((starts, ends), (ends, starts)):
        for other, other_end in ((starts, ends), (ends, starts)):
            meet = np.abs(one[first] - other[second]).max(axis=1, initial=0.0) < 1 / _GRID
            away, back = one_end[first] - one[first], other_end[second] - other[second]
            size = np.hypot(away[:, 0], away[:, 1]) * np.hypot(back[:, 0], back[:, 1])
            found &= ~meet | ((away * back).sum(axis=1) > WEDGE * size)
    return found


def _between(shapes: NDArray[np.object_], tree: STRtree, one: int, other: int) -> Iterable[BaseGeometry]:
    """The pieces of ground narrower than a gap between two parcels that no third one covers."""
    both = shapely.union(shapes[one], shapes[other])
    reach = GAP_WIDTH / 2
    closed = both.buffer(reach, join_style="mitre").buffer(-reach, join_style="mitre")
    left = shapely.difference(closed, both)
    if left.area < GAP_AREA:
        return []
    others = tree.query(left, predicate="intersects")
    left = shapely.difference(left, shapely.union_all(shapes[others]))
    pieces = [piece for piece in shapely.get_parts(left) if piece.area >= GAP_AREA]
    return [p for p in pieces if p.distance(shapes[one]) < 1e-6 and p.distance(shapes[other]) < 1e-6]
