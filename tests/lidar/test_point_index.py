from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, Polygon, box

from lidar.point_index import points_in_polygons


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_points_inside_are_those_geos_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    x, y = random.uniform(-20, 20, 500), random.uniform(-20, 20, 500)
    polygons = np.empty(6, dtype=object)
    for i in range(6):
        angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 40)))
        radii = random.uniform(2, 15, len(angles))
        centre = random.uniform(-25, 25, 2)
        polygons[i] = shapely.make_valid(
            Polygon(centre + np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None])
        )
    holed = Point(0, 0).buffer(12).difference(Point(1, 1).buffer(6))
    polygons = np.array([*[p for p in polygons if p.geom_type == "Polygon"], holed], dtype=object)
    found = points_in_polygons(x, y, polygons)
    for i, polygon in enumerate(polygons):
        assert sorted(found.of(i)) == list(np.flatnonzero(shapely.contains_xy(polygon, x, y)))


def test_an_outline_of_ten_thousand_corners_is_no_slower_than_its_points() -> None:
    random = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 10_000, endpoint=False)
    wavy = Polygon(np.column_stack([np.cos(angles), np.sin(angles)]) * (180 + 5 * np.sin(80 * angles))[:, None])
    x, y = random.uniform(-200, 200, 300_000), random.uniform(-200, 200, 300_000)
    found = points_in_polygons(x, y, np.array([wavy], dtype=object))
    assert len(found.of(0)) == shapely.contains_xy(wavy, x, y).sum()


def test_points_far_apart_take_no_cell_each() -> None:
    x, y = np.array([0.5, 1e7]), np.array([0.5, 1e7])
    assert list(points_in_polygons(x, y, np.array([box(0, 0, 1, 1)], dtype=object)).of(0)) == [0]


def test_nothing_in_nothing() -> None:
    none = np.empty(0)
    assert len(points_in_polygons(none, none, np.array([box(0, 0, 1, 1)], dtype=object)).of(0)) == 0
    assert len(points_in_polygons(np.zeros(1), np.zeros(1), np.empty(0, dtype=object)).points) == 0
