"""An outline parted into faces: their areas, holes, and lines that end in the open."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lidar.subdivision import Subdivision, subdivide
from tests.lidar.roof_shapes import segments

SQUARE = segments([(0, 0), (10, 0), (10, 6), (0, 6)])
COURT = segments([(4, 2), (4, 4), (6, 4), (6, 2)])
NO_LINE = np.empty((0, 4), dtype=np.int64)


def _parted(outline: NDArray[np.int64], lines: NDArray[np.int64]) -> Subdivision:
    parts = subdivide(np.concatenate([outline, lines]), np.arange(len(outline) + len(lines)) < len(outline))
    assert parts is not None
    return parts


def _line(*ends: float) -> NDArray[np.int64]:
    return np.rint(np.array([ends]) * 10_000).astype(np.int64)


def test_an_outline_alone_is_one_face() -> None:
    assert _parted(SQUARE, NO_LINE).area.tolist() == [60.0]


def test_a_hole_is_no_face() -> None:
    parts = _parted(np.concatenate([SQUARE, COURT]), NO_LINE)
    assert parts.area.tolist() == [56.0]
    assert (parts.face == -1).sum() == 8


def test_a_line_that_ends_in_the_open_parts_nothing() -> None:
    assert _parted(SQUARE, _line(-1, 3, 5, 3)).area.tolist() == [60.0]


def test_a_ring_of_lines_inside_makes_a_hole_in_the_face_around_it() -> None:
    parts = _parted(SQUARE, segments([(3, 2), (5, 2), (5, 4), (3, 4)]))
    assert sorted(parts.area.tolist()) == [4.0, 56.0]


def test_a_line_through_a_court_parts_what_is_around_it() -> None:
    parts = _parted(np.concatenate([SQUARE, COURT]), _line(-1, 3, 11, 3))
    assert sorted(parts.area.tolist()) == [28.0, 28.0]


ends = st.integers(-10_000, 110_000)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(ends, ends, ends, ends), min_size=1, max_size=9))
def test_faces_are_those_that_polygonizing_finds(drawn: list[tuple[int, int, int, int]]) -> None:
    parts = _parted(np.concatenate([SQUARE, COURT]), np.array(drawn, dtype=np.int64).reshape(-1, 4))
    edges = shapely.linestrings(parts.vertices[parts.edges])
    found = shapely.get_parts(shapely.polygonize(edges))
    whole = shapely.difference(shapely.box(0, 0, 100_000, 60_000), shapely.box(40_000, 20_000, 60_000, 40_000))
    found = found[shapely.contains(whole, shapely.point_on_surface(found))]
    assert parts.area.sum() == pytest.approx(56.0, abs=0.005)
    assert np.sort(parts.area) == pytest.approx(np.sort(shapely.area(found)) / 1e8, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(ends, ends, ends, ends), min_size=1, max_size=7))
def test_the_next_half_edge_begins_where_one_ends_and_bounds_the_same_face(
    drawn: list[tuple[int, int, int, int]],
) -> None:
    parts = _parted(SQUARE, np.array(drawn, dtype=np.int64).reshape(-1, 4))
    half = np.arange(len(parts.face))
    begin, end = parts.edges[half >> 1, half & 1], parts.edges[half >> 1, 1 - (half & 1)]
    assert (begin[parts.following] == end).all()
    assert (parts.face[parts.following] == parts.face).all()
