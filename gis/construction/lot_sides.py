"""Which sides of a lot are its front, its rear and its flanks: told from the roads beside it, by geometry alone.

An edge is front where it runs along a road that it faces. The front of a lot with several is the one on the widest
road; the rear lies opposite of it; what remains are flanks. A short edge that cuts the corner between two fronts is
neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, radians
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, MultiLineString, Polygon
from shapely.geometry.base import BaseGeometry

from gis.construction.proposal import Road

REACH: Final = 15.0
"""Metres between a lot's edge and the red line of the nearest road, up to which it is the lot's road at all."""
BESIDE: Final = 3.0
"""The same of any further road: nothing but a pavement or a survey's error lies between."""
SPREAD: Final = 2.0
"""Metres by which edges of one front may lie behind each other: jogs, not neighbours' lots."""
ALONG: Final = cos(radians(35.0))
"""An edge runs along a road up to this angle, …"""
FACING: Final = cos(radians(60.0))
"""… and faces it up to this one between its normal and the way to the road: roads are often drawn too short."""
OPPOSITE: Final = cos(radians(45.0))
"""A rear edge looks away from the front up to this angle."""
MOST_ROADS: Final = 12
"""Of more roads near a lot than any has, the nearest are looked at."""
CORNER_CUT: Final = 8.0
"""Metres an edge that cuts a corner has at most."""


@dataclass(frozen=True, slots=True)
class Front:
    """The edges of a lot along one road."""

    road: Road
    edges: MultiLineString
    frontage: float
    """Metres along the road, to the millimetre."""
    outward: NDArray[np.float64]
    """(2,) unit vector to the road."""


@dataclass(frozen=True, slots=True)
class LotSides:
    """A lot's edges by what they face."""

    fronts: tuple[Front, ...]
    """The main one first; empty where no road is near."""
    rear: MultiLineString
    flanks: MultiLineString
    depth: float | None
    """Metres from the main front to the farthest point behind it, to the millimetre; None without a front."""


@dataclass(frozen=True, slots=True)
class _Edge:
    line: LineString
    outward: NDArray[np.float64]


def sides_of(lot: Polygon, roads: Sequence[Road]) -> LotSides:
    """Sort a lot's edges.

    Args:
        lot: in metres.
        roads: in the lot's CRS, any number, near or far.
    """
    edges = _edges(lot)
    roads = _near(lot, roads)
    owner = _owners(lot, edges, roads)
    fronts = sorted(
        (
            _front(road, [edge for n, edge in enumerate(edges) if owner[n] == number])
            for number, road in enumerate(roads)
            if number in owner
        ),
        key=lambda front: (-front.road.reserve_width, -front.frontage),
    )
    holes = [LineString(ring.coords) for ring in lot.interiors]
    if not fronts:
        return LotSides((), MultiLineString(), MultiLineString([*(e.line for e in edges), *holes]), None)
    out = fronts[0].outward
    free = [n for n in range(len(edges)) if owner[n] is None and not _cuts_corner(edges, owner, n)]
    rear = [n for n in free if float(edges[n].outward @ out) <= -OPPOSITE]
    flanks = [edges[n].line for n in free if n not in rear]
    behind = shapely.get_coordinates(lot) @ -out
    depth = float(behind.max() - (shapely.get_coordinates(fronts[0].edges) @ -out).min())
    return LotSides(
        tuple(fronts),
        MultiLineString([edges[n].line for n in rear]),
        MultiLineString([*flanks, *holes]),
        round(depth, 3),
    )


def _near(lot: Polygon, roads: Sequence[Road]) -> list[Road]:
    gaps = [float(lot.distance(road.axis)) - road.reserve_width / 2.0 for road in roads]
    nearest = sorted(range(len(roads)), key=lambda n: gaps[n])[:MOST_ROADS]
    return [road for n, road in enumerate(roads) if n in nearest and gaps[n] <= REACH]


def _edges(lot: Polygon) -> list[_Edge]:
    ring = shapely.get_coordinates(shapely.orient_polygons(lot).exterior)
    edges = []
    for a, b in pairwise(ring):
        length = float(np.hypot(*(b - a)))
        if length > 0:
            edges.append(_Edge(LineString([a, b]), np.array([b[1] - a[1], a[0] - b[0]]) / length))
    return edges


def _owners(lot: Polygon, edges: Sequence[_Edge], roads: Sequence[Road]) -> list[int | None]:
    """The road each edge faces, by number; None where it faces none."""
    core = lot.buffer(-0.01)
    faced: dict[int, dict[int, float]] = {}
    for number, road in enumerate(roads):
        gaps = {
            n: float(edge.line.distance(road.axis)) - road.reserve_width / 2.0
            for n, edge in enumerate(edges)
            if _faces(edge, road.axis, core)
        }
        if gaps:
            faced[number] = gaps
    least = {number: min(gaps.values()) for number, gaps in faced.items()}
    nearest = min(least.values(), default=0.0)
    owners: list[int | None] = [None] * len(edges)
    best: dict[int, float] = {}
    for number, gaps in faced.items():
        within = BESIDE if least[number] > nearest + 1e-6 else REACH
        for n, gap in gaps.items():
            if gap <= min(within, least[number] + SPREAD) and gap < best.get(n, np.inf) - 1e-6:
                owners[n], best[n] = number, gap
    return owners


def _faces(edge: _Edge, axis: LineString, core: BaseGeometry) -> bool:
    """Whether an edge runs along a road and nothing of the lot lies between them."""
    middle = edge.line.interpolate(0.5, normalized=True)
    place = axis.project(middle)
    near = axis.interpolate(place)
    way = np.array([near.x - middle.x, near.y - middle.y])
    length = float(np.hypot(*way))
    before, after = axis.interpolate(max(place - 0.5, 0.0)), axis.interpolate(min(place + 0.5, axis.length))
    along = np.array([after.x - before.x, after.y - before.y])
    along /= float(np.hypot(*along))
    # The edge's own direction is its normal turned by a quarter.
    parallel = abs(float(along[0] * -edge.outward[1] + along[1] * edge.outward[0]))
    if parallel < ALONG:
        return False
    if length < 1e-6:
        return True
    return float(edge.outward @ way) / length >= FACING and not core.intersects(LineString([middle, near]))


def _front(road: Road, edges: Sequence[_Edge]) -> Front:
    lengths = np.array([edge.line.length for edge in edges])
    out = (np.array([edge.outward for edge in edges]) * lengths[:, None]).sum(axis=0)
    out /= float(np.hypot(*out))
    frontage = sum(length * float(edge.outward @ out) for length, edge in zip(lengths, edges, strict=True))
    return Front(road, MultiLineString([edge.line for edge in edges]), round(float(frontage), 3), out)


def _cuts_corner(edges: Sequence[_Edge], owner: Sequence[int | None], n: int) -> bool:
    before, after = owner[n - 1], owner[(n + 1) % len(edges)]
    return before is not None and after is not None and before != after and edges[n].line.length <= CORNER_CUT
