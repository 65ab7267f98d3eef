from __future__ import annotations

import numpy as np
import pytest

from lidar.local_plane import Cells, Tolerance, fit_planes, fit_sides
from lidar.morphology import dilation


@pytest.fixture
def cells() -> Cells:
    """Points of one plane, anywhere in their cells."""
    generator = np.random.default_rng(6)
    offset_x, offset_y = generator.uniform(-0.5, 0.5, (2, 40, 50)).astype(np.float32)
    north, east = np.mgrid[0:40, 0:50]
    height = (100 + 0.3 * (east + offset_x) - 0.2 * (north + offset_y)).astype(np.float32)
    return Cells(height, offset_x, offset_y)


def test_a_plane_is_found_again_where_cells_lie_all_round(cells: Cells) -> None:
    everywhere = np.ones((40, 50), dtype=bool)
    planes = fit_planes(cells, everywhere, everywhere, (4,), 6)
    north, east = np.mgrid[0:40, 0:50]
    inner = (slice(5, -5), slice(5, -5))
    np.testing.assert_allclose(planes.height[inner], (100 + 0.3 * east - 0.2 * north)[inner], atol=0.02)
    np.testing.assert_allclose(planes.slope_x[inner], 0.3, atol=0.02)
    np.testing.assert_allclose(planes.slope_y[inner], -0.2, atol=0.02)


def test_too_few_cells_give_no_plane(cells: Cells) -> None:
    chosen = np.zeros((40, 50), dtype=bool)
    chosen[10, 10:15] = True
    planes = fit_planes(cells, chosen, np.ones_like(chosen), (3, 6), 6)
    assert np.isnan(planes.height).all()


def test_the_smallest_window_that_holds_enough_is_taken() -> None:
    height = np.zeros((41, 41), dtype=np.float32)
    height[:, 26:] = 10.0
    zero = np.zeros_like(height)
    chosen = np.ones_like(height, dtype=bool)
    planes = fit_planes(Cells(height, zero, zero), chosen, chosen, (3, 12), 6)
    assert planes.spread[20, 20] == pytest.approx(0.0, abs=1e-6)


def test_planes_fitted_again_where_cells_near_changed_are_those_fitted_everywhere(cells: Cells) -> None:
    generator = np.random.default_rng(8)
    wanted = generator.random((40, 50)) < 0.8
    before = generator.random((40, 50)) < 0.3
    after = before ^ (generator.random((40, 50)) < 0.002)
    planes = fit_planes(cells, before, wanted, (2, 4), 6)
    near = dilation((before != after).astype(np.float32), 4) > 0
    assert 0 < near.sum() < near.size
    again = fit_planes(cells, after, wanted & near, (2, 4), 6, fitted=planes)
    assert again is planes
    for found, expected in zip(again, fit_planes(cells, after, wanted, (2, 4), 6), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_on_the_edge_of_a_cliff_one_side_is_the_plateau() -> None:
    height = np.zeros((41, 41), dtype=np.float32)
    height[:, :20] = 10.0
    zero = np.zeros_like(height)
    chosen = np.ones_like(height, dtype=bool)
    tolerance = Tolerance(0.3, 0.5, 1.0)
    all_round = fit_planes(Cells(height, zero, zero), chosen, chosen, (6,), 6)
    side = fit_sides(Cells(height, zero, zero), chosen, chosen, 6, 6, tolerance, 0.5)
    assert all_round.spread[20, 19] > 1.0
    assert side.height[20, 19] == pytest.approx(10.0, abs=0.01)
    assert side.spread[20, 19] == pytest.approx(0.0, abs=0.01)
