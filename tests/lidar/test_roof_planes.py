"""Planes found in points strewn over roofs of known shape."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from shapely import Polygon, box

from lidar.roof_planes import RoofPlanes, roof_planes
from tests.lidar import roof_shapes as shapes

HIP = box(0, 0, 12, 8)
SHIFT = np.array([4.0, -7.0, 100.0])


def _height_error(found: RoofPlanes, xyz: NDArray[np.float64], height: shapes.Height) -> float:
    """Greatest error of a labelled point's plane at that point, among the 99 % best, against the exact roof."""
    on = found.label >= 0
    a, b, c = found.planes[found.label[on]].T
    x, y = xyz[on, 0], xyz[on, 1]
    return float(np.percentile(np.abs(a + b * x + c * y - height(x, y)), 99))


@pytest.mark.parametrize(
    ("outline", "height", "count"),
    [
        (HIP, shapes.hip, 4),
        (box(0, 0, 10, 10), shapes.pyramid, 4),
        (box(0, 0, 20, 12), shapes.saw_tooth, 4),
        (box(0, 0, 12, 8), shapes.two_levels, 2),
        (Polygon([(0, 0), (12, 0), (12, 6), (6, 6), (6, 12), (0, 12)]), shapes.l_shaped_hip, 6),
    ],
)
@pytest.mark.parametrize("density", [4.0, 8.0, 20.0])
def test_a_roof_has_as_many_planes_as_it_was_made_of(
    outline: Polygon, height: shapes.Height, count: int, density: float
) -> None:
    xyz = shapes.strewn(outline, height, density)
    found = roof_planes(xyz)
    assert len(found) == count
    assert (found.label >= 0).mean() > 0.95
    assert _height_error(found, xyz, height) < 0.10


def test_the_spacing_is_that_of_the_points() -> None:
    found = roof_planes(shapes.strewn(HIP, shapes.hip, 9.0))
    assert found.spacing == pytest.approx(1 / 3, rel=0.15)


def test_the_noise_is_that_of_the_points_across_their_planes() -> None:
    quiet, loud = (roof_planes(shapes.strewn(HIP, shapes.hip, 12.0, noise)).noise for noise in (0.02, 0.06))
    assert quiet == pytest.approx(0.02 * np.sqrt(0.5), rel=0.2)
    assert loud == pytest.approx(0.06 * np.sqrt(0.5), rel=0.2)


def test_neither_order_nor_whole_metres_change_what_is_found() -> None:
    xyz = np.round(shapes.strewn(HIP, shapes.hip), 3)
    order = np.random.default_rng(1).permutation(len(xyz))
    one, shuffled, shifted = roof_planes(xyz), roof_planes(xyz[order]), roof_planes(xyz + SHIFT)
    assert (one.label[order] == shuffled.label).all()
    assert (one.planes == shuffled.planes).all()
    assert (one.label == shifted.label).all()
    assert shifted.planes[:, 1:] == pytest.approx(one.planes[:, 1:], abs=1e-12)


def test_stray_points_above_a_roof_make_no_plane() -> None:
    xyz = shapes.strewn(HIP, shapes.hip)
    rng = np.random.default_rng(2)
    stray = np.column_stack([rng.uniform(0, 12, 25), rng.uniform(0, 8, 25), rng.uniform(10.5, 14.0, 25)])
    found = roof_planes(np.concatenate([xyz, stray]))
    assert len(found) == 4
    # A slope drawn out beyond its ridge may pass through one or two by chance.
    assert (found.label[len(xyz) :] >= 0).sum() <= 2


def test_points_on_walls_make_no_plane() -> None:
    xyz = shapes.strewn(HIP, shapes.hip)
    rng = np.random.default_rng(3)
    wall = np.column_stack([rng.uniform(0, 12, 60), rng.normal(0.05, 0.02, 60), rng.uniform(0, 6, 60)])
    found = roof_planes(np.concatenate([xyz, wall]))
    assert len(found) == 4


@pytest.mark.parametrize("density", [2.0, 8.0])
def test_a_stair_head_of_four_square_metres_is_a_plane_of_its_own(density: float) -> None:
    def height(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where((np.abs(x - 5) < 1) & (np.abs(y - 4) < 1), 11.5, 9.0)

    found = roof_planes(shapes.strewn(HIP, height, density))
    assert sorted(np.round(found.planes[:, 0]).tolist()) in ([9.0, 11.0], [9.0, 12.0])


@pytest.mark.parametrize("count", [0, 1, 5])
def test_fewer_points_than_a_plane_needs_are_no_plane(count: int) -> None:
    found = roof_planes(shapes.strewn(HIP, shapes.hip)[:count])
    assert len(found) == 0
    assert found.label.tolist() == [-1] * count


def test_points_at_one_place_are_no_plane() -> None:
    assert len(roof_planes(np.zeros((40, 3)))) == 0
