"""Solids made of plans of cells are closed, flat-faced and of the right volume."""

from math import cos, sin

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon

from gis.city_model.building import Surface
from lidar.scene import roofs
from lidar.scene.roof_heights import roof_heights
from lidar.scene.shapes import Axes, Ring
from lidar.scene.solids import Cell, build_solid, faults, level, volume

AXES = Axes(123.4, 567.8, cos(0.37), sin(0.37))
HOUSE: Ring = [AXES.to_world(*p) for p in ((0, 0), (4.1, 0.3), (4.3, 15.2), (-0.2, 14.6))]
HALL: Ring = AXES.rectangle(0, 0, 31, 18)

PLANS = {
    "flat": roofs.flat(HOUSE, 10.0),
    "parapet with stair head and tank": roofs.with_fixtures(
        roofs.parapet(HOUSE, 10.0, 0.9), [(AXES.rectangle(0.6, 5, 3, 9), 12.6), (AXES.rectangle(1, 11, 2, 12.4), 12.0)]
    ),
    "light well": roofs.with_well(roofs.parapet(HOUSE, 10.0, 0.9), AXES.rectangle(1, 9, 3, 11), 2.0),
    "gable along": roofs.gable(HOUSE, AXES, 9.0, 0.6),
    "gable across": roofs.gable(HOUSE, AXES, 9.0, 0.3, "u"),
    "hip": roofs.hip(HOUSE, AXES, 9.0, 0.5),
    "shed": roofs.shed(HOUSE, AXES, 9.0, 0.1),
    "saw-tooth": roofs.saw_tooth(HALL, AXES, 6.0, 0.4, 5),
    "stepped": roofs.stepped(HOUSE, AXES, [3.5, 11.0], [10.0, 13.0, 9.0]),
    "terraces": roofs.terraces(HALL, [2.0, 2.0], [15.0, 40.0, 50.0]),
    "tiers": roofs.tiers(Axes(100, 100, cos(0.4), sin(0.4)), (20, 16), [4.0, 7.0, 10.0], 3.0, 0.5),
    "dormer": roofs.with_dormer(roofs.hip(HALL, AXES, 9.0, 0.7), AXES, 0.7, 2.0, 3.0, 1.2),
    "courtyard": [Cell(HALL, level(12.0), (AXES.rectangle(6, 6, 25, 12),))],
}


@pytest.mark.parametrize("name", sorted(PLANS))
def test_each_kind_of_roof_gives_a_closed_solid(name: str) -> None:
    assert faults(build_solid(PLANS[name], 1.5)) == []


@pytest.mark.parametrize("name", sorted(PLANS))
def test_volume_is_that_of_the_prisms_under_the_cells(name: str) -> None:
    prisms = 0.0
    for cell in PLANS[name]:
        polygon = Polygon(cell.ring, cell.holes)
        prisms += polygon.area * (cell.height_at(polygon.centroid.x, polygon.centroid.y) - 1.5)
    assert volume(build_solid(PLANS[name], 1.5)) == pytest.approx(prisms, rel=1e-3)


@pytest.mark.parametrize("name", sorted(PLANS))
def test_roof_percentiles_agree_with_random_sampling(name: str) -> None:
    rng = np.random.default_rng(0)
    heights = []
    for cell in PLANS[name]:
        polygon = Polygon(cell.ring, cell.holes)
        west, south, east, north = polygon.bounds
        count = int(400 * (east - west) * (north - south))
        x, y = rng.uniform(west, east, count), rng.uniform(south, north, count)
        inside = shapely.contains_xy(polygon, x, y)
        a, b, c = cell.plane
        heights.append(a * x[inside] + b * y[inside] + c)
    z = np.concatenate(heights)
    found = roof_heights(build_solid(PLANS[name], 1.5))
    assert found.p70 == pytest.approx(float(np.quantile(z, 0.7)), abs=0.03)
    assert found.median == pytest.approx(float(np.quantile(z, 0.5)), abs=0.03)


def test_dormer_and_fixtures_are_there() -> None:
    assert len(PLANS["dormer"]) == 5
    assert len(PLANS["parapet with stair head and tank"]) == 4
    assert len(PLANS["light well"]) == 3


def test_ground_face_of_a_courtyard_has_a_hole() -> None:
    solid = build_solid(PLANS["courtyard"], 1.5)
    ground = [face for face in solid.faces if face.surface is Surface.GROUND]
    assert [len(face.rings) for face in ground] == [2]


def test_slopes_that_cross_along_an_edge_make_walls_on_both_sides() -> None:
    left, right = AXES.rectangle(0, 0, 4, 10), AXES.rectangle(4, 0, 8, 10)
    gx, gy = -AXES.uy, AXES.ux
    x, y = AXES.to_world(4, 5)
    cells = [
        Cell(left, roofs.through(x, y, 8, 0.2 * gx, 0.2 * gy)),
        Cell(right, roofs.through(x, y, 8, -0.2 * gx, -0.2 * gy)),
    ]
    assert faults(build_solid(cells, 0.0)) == []


@settings(max_examples=60, deadline=None)
@given(
    angle=st.floats(0, 6.28),
    front=st.floats(3, 6),
    depth=st.floats(8, 22),
    skew=st.floats(-0.6, 0.6),
    slope=st.floats(0.05, 0.9),
    kind=st.sampled_from(["gable", "hip", "shed", "stepped", "parapet", "saw"]),
)
def test_any_house_shape_gives_a_closed_solid(
    angle: float, front: float, depth: float, skew: float, slope: float, kind: str
) -> None:
    axes = Axes(517.3, 88.1, cos(angle), sin(angle))
    ring = [axes.to_world(*p) for p in ((0, 0), (front, skew), (front - skew / 2, depth + skew), (skew / 3, depth))]
    cells = {
        "gable": lambda: roofs.gable(ring, axes, 9.0, slope),
        "hip": lambda: roofs.hip(ring, axes, 9.0, slope),
        "shed": lambda: roofs.shed(ring, axes, 9.0, slope),
        "stepped": lambda: roofs.stepped(ring, axes, [3.5], [7.0, 10.0]),
        "parapet": lambda: roofs.parapet(ring, 9.0, 0.8),
        "saw": lambda: roofs.saw_tooth(ring, axes, 6.0, slope, 3),
    }[kind]()
    assert faults(build_solid(cells, 1.2)) == []
