from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy import ndimage

from lidar.morphology import EMPTY, lowest_points, lowest_points_again, opening, share_around, sight_lines


@pytest.fixture
def surface() -> np.ndarray:
    generator = np.random.default_rng(1)
    return generator.normal(size=(301, 257)).astype(np.float32)


@pytest.mark.parametrize("radius", [1, 2, 7, 18, 200])
def test_opening_equals_the_filters_of_scipy(surface: np.ndarray, radius: int) -> None:
    eroded = ndimage.minimum_filter(surface, 2 * radius + 1, mode="constant", cval=np.inf)
    expected = ndimage.maximum_filter(eroded, 2 * radius + 1, mode="constant", cval=-np.inf)
    np.testing.assert_array_equal(opening(surface, radius), expected)


def test_opening_of_an_opening_changes_nothing(surface: np.ndarray) -> None:
    once = opening(surface, 3)
    np.testing.assert_array_equal(opening(once, 3), once)


def test_empty_cells_do_not_take_part_in_an_opening(surface: np.ndarray) -> None:
    holes = surface.copy()
    holes[::3, ::2] = EMPTY
    opened = opening(holes, 4)
    valid = holes != EMPTY
    assert np.all(opened[valid] <= holes[valid])
    assert np.all(np.isfinite(opened))


def test_two_threads_give_what_one_gives(surface: np.ndarray) -> None:
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = opening(surface, 5)
        numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
        np.testing.assert_array_equal(opening(surface, 5), one)
    finally:
        numba.set_num_threads(before)


def test_a_cell_holds_its_lowest_point_whatever_the_order() -> None:
    generator = np.random.default_rng(2)
    n = 5000
    x, y = generator.uniform(0, 20, n), generator.uniform(0, 20, n)
    z = generator.integers(0, 5, n).astype(np.float64)
    shuffled = generator.permutation(n)
    used = np.ones(n, dtype=bool)
    height, index = lowest_points(y.astype(np.int32), x.astype(np.int32), x, y, z, used, 20, 20)
    _, again = lowest_points(
        y[shuffled].astype(np.int32), x[shuffled].astype(np.int32), x[shuffled], y[shuffled], z[shuffled], used, 20, 20
    )
    np.testing.assert_array_equal(index, np.where(again >= 0, shuffled[again], -1))
    for cell in range(20):
        inside = (y.astype(int) == cell) & (x.astype(int) == 3)
        assert height[cell, 3] == z[inside].min()


def test_share_around_is_the_mean_of_the_window() -> None:
    occupied = np.random.default_rng(4).random((30, 41)) < 0.3
    expected = ndimage.uniform_filter(occupied.astype(float), 7, mode="constant")
    np.testing.assert_allclose(share_around(occupied, 3), expected, atol=1e-6)


def test_from_a_roof_all_ways_lead_over_an_edge_and_from_a_terrace_half_of_them_to_the_ground() -> None:
    surface = np.zeros((60, 60), dtype=np.float32)
    surface[20:30, 20:30] = 6.0
    ground = surface == 0
    attached, edges = sight_lines(surface, ground, 1.2, 25)
    assert (attached[25, 25], edges[25, 25]) == (0, 8)
    terrace = np.zeros((60, 60), dtype=np.float32)
    terrace[:, :30] = 6.0
    ground = np.ones_like(terrace, dtype=bool)
    ground[:, 20:30] = False
    attached, edges = sight_lines(terrace, ground, 1.2, 25)
    assert attached[30, 25] >= 3
    assert edges[30, 25] == 3


def walked(surface: np.ndarray, ground: np.ndarray, r: int, c: int, step: float, reach: int) -> tuple[int, int]:
    """One cell's eight ways, step by step."""
    attached = edges = 0
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
        length = np.float32(np.hypot(down, right))
        here = (r, c)
        for _ in range(int(reach / length)):
            there = (here[0] + down, here[1] + right)
            if not (0 <= there[0] < surface.shape[0] and 0 <= there[1] < surface.shape[1]):
                break
            if EMPTY in (surface[here], surface[there]):
                break
            drop = surface[here] - surface[there]
            if drop > np.float32(step) * length:
                edges += 1
                break
            if drop < -np.float32(step) * length:
                break
            if ground[there]:
                attached += 1
                break
            here = there
    return attached, edges


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_sight_lines_are_those_walked_one_by_one(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """On a grid large enough for threads, at the rows where their bands meet and at the borders."""
    random = np.random.default_rng(5)
    surface = np.cumsum(random.normal(0, 0.4, (300, 260)), axis=0).astype(np.float32)
    surface[random.random(surface.shape) < 0.02] = EMPTY
    ground = random.random(surface.shape) < 0.03
    monkeypatch.setattr("lidar.morphology.numba.get_num_threads", lambda: threads)
    attached, edges = sight_lines(surface, ground, 1.0, 25)
    rows = [0, 1, *range(95, 105), *range(145, 155), *range(195, 205), 298, 299]
    for r in rows:
        for c in (0, 1, 7, 100, 131, 258, 259):
            assert (attached[r, c], edges[r, c]) == walked(surface, ground, r, c, 1.0, 25)


def test_lowest_points_found_anew_are_those_found_at_once() -> None:
    random = np.random.default_rng(6)
    n = 100_000
    x, y = random.uniform(0, 60, (2, n))
    z = random.normal(size=n).round(1)
    row, column = y.astype(np.int32), x.astype(np.int32)
    used = np.ones(n, dtype=bool)
    height, index = lowest_points(row, column, x, y, z, used, 60, 60)
    within = random.random((60, 60)) < 0.2
    used[index[within]] = False
    lowest_points_again(within, row, column, x, y, z, used, height, index)
    expected = lowest_points(row, column, x, y, z, used, 60, 60)
    np.testing.assert_array_equal(height, expected[0])
    np.testing.assert_array_equal(index, expected[1])
