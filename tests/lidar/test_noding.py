"""Segments cut where they meet: nothing crosses, the outline stays, area is kept."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lidar.noding import noded
from tests.lidar.roof_shapes import segments

OUTLINE = segments([(0, 0), (12, 0), (12, 8), (7, 8), (7, 5), (0, 5)])
ends = st.integers(-20_000, 140_000)
lines = st.lists(st.tuples(ends, ends, ends, ends), min_size=1, max_size=9)


def _with(drawn: list[tuple[int, int, int, int]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    every = np.concatenate([OUTLINE, np.array(drawn, dtype=np.int64).reshape(-1, 4)])
    return every, np.arange(len(every)) < len(OUTLINE)


@settings(max_examples=80, deadline=None)
@given(lines)
def test_no_edge_crosses_another(drawn: list[tuple[int, int, int, int]]) -> None:
    made = noded(*_with(drawn))
    assert made is not None
    vertices, edges, _, _ = made
    pieces = shapely.linestrings(vertices[edges])
    for i, j in shapely.STRtree(pieces).query(pieces, predicate="intersects").T:
        if i < j:
            met = shapely.intersection(pieces[i], pieces[j])
            shared = set(edges[i].tolist()) & set(edges[j].tolist())
            assert met.geom_type == "Point"
            assert len(shared) == 1, (vertices[edges[i]], vertices[edges[j]])


@settings(max_examples=80, deadline=None)
@given(lines)
def test_the_outline_keeps_its_corners_and_its_area(drawn: list[tuple[int, int, int, int]]) -> None:
    made = noded(*_with(drawn))
    assert made is not None
    vertices, edges, rim, _ = made
    corners = {tuple(corner) for corner in vertices.tolist()}
    assert {tuple(corner) for corner in OUTLINE[:, :2].tolist()} <= corners
    border = shapely.linestrings(vertices[edges[rim != 0]])
    area = shapely.area(shapely.polygonize(border)) / 1e8
    # A vertex on an edge is rounded to 0.1 mm: with 60 m of outline, by less than 0.01 m².
    assert abs(area - (12 * 8 - 7 * 3)) < 0.01


@settings(max_examples=40, deadline=None)
@given(lines, st.randoms(use_true_random=False), st.integers(-5, 5), st.integers(-5, 5))
def test_neither_the_order_of_lines_nor_a_shift_by_whole_metres_changes_it(drawn, random, east, north) -> None:  # type: ignore[no-untyped-def]
    shuffled = drawn.copy()
    random.shuffle(shuffled)
    shift = np.array([east, north, east, north]) * 10_000
    one = noded(*_with(drawn))
    every, outline = _with(shuffled)
    other = noded(every + shift, outline)
    assert one is not None
    assert other is not None
    assert _places(one[0], one[1]) == _places(other[0] - shift[:2], other[1])


def _places(vertices: NDArray[np.int64], edges: NDArray[np.int64]) -> set[tuple[tuple[int, ...], ...]]:
    return {tuple(sorted(map(tuple, vertices[edge].tolist()))) for edge in edges}


def test_ends_within_two_centimetres_of_a_vertex_become_that_vertex() -> None:
    made = noded(*_with([(-1000, 150, 60_000, 30_000), (60_100, 30_100, 130_000, 30_000)]))
    assert made is not None
    vertices, edges, _, _ = made
    near = np.hypot(*(vertices - [60_050, 30_050]).T) < 300
    assert near.sum() == 1
    assert (edges == np.flatnonzero(near)[0]).sum() == 2
