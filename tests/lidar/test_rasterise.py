"""Bins and planes against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lidar.bins import BIN, COUNT, LEVELS, MEAN_X, MEAN_Y, MEAN_Z, QUANTUM, bin_points
from lidar.rasterise import fit_planes

EAST, NORTH = 600_000.0, 1_190_000.0


def scattered(n: int, size: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x, y = random.uniform(0, size, n) + EAST, random.uniform(0, size, n) + NORTH
    return x, y, random.uniform(-5, 900, n)


@pytest.mark.parametrize("level", range(LEVELS))
def test_each_bin_holds_the_count_and_means_of_its_points(level: int) -> None:
    x, y, z = scattered(3000, 24.0, seed=1)
    bins = bin_points(x, y, z, np.ones(len(x), dtype=bool), (EAST, NORTH, EAST + 24, NORTH + 24))
    first, rows, columns = bins.layout[level]
    size = BIN * 2**level
    for row in range(rows):
        for column in range(columns):
            here = (np.floor(x / size) == round(bins.west / size) + column) & (
                np.floor(y / size) == round(bins.south / size) + row
            )
            moments = bins.moments[:, first + row * columns + column]
            assert moments[COUNT] == here.sum()
            if here.any():
                centre = np.array([bins.west + (column + 0.5) * size, bins.south + (row + 0.5) * size, 0.0])
                mean = np.array([x[here].mean(), y[here].mean(), z[here].mean()]) - centre
                assert moments[[MEAN_X, MEAN_Y, MEAN_Z]] == pytest.approx(mean, abs=QUANTUM)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 400), st.integers(0, 2**31))
def test_the_order_of_the_points_changes_no_bit(n: int, seed: int) -> None:
    x, y, z = scattered(n, 9.0, seed)
    bounds = (EAST, NORTH, EAST + 9, NORTH + 9)
    shuffled = np.random.default_rng(seed).permutation(n)
    once = bin_points(x, y, z, np.ones(n, dtype=bool), bounds)
    again = bin_points(x[shuffled], y[shuffled], z[shuffled], np.ones(n, dtype=bool), bounds)
    assert np.array_equal(once.moments, again.moments)


def test_points_not_chosen_not_finite_or_outside_are_left_out() -> None:
    x = np.array([0.1, 0.2, np.nan, 0.3, 900.0])
    y = np.array([0.1, 0.2, 0.1, 0.3, 0.1])
    z = np.array([1.0, 5.0, 1.0, np.inf, 1.0])
    chosen = np.array([True, False, True, True, True])
    bins = bin_points(x, y, z, chosen, (0.0, 0.0, 8.0, 8.0))
    assert bins.moments[COUNT, : int(bins.layout[1, 0])].sum() == 1
    assert bins.moments[MEAN_Z, 0] == 1.0


def test_a_plane_without_noise_is_found_exactly() -> None:
    x, y, _ = scattered(4000, 30.0, seed=3)
    z = 10.0 + 0.3 * (x - EAST) - 0.2 * (y - NORTH)
    bins = bin_points(x, y, z, np.ones(len(x), dtype=bool), (EAST, NORTH, EAST + 30, NORTH + 30))
    height, sigma = np.full((2, 40, 40), np.nan, dtype=np.float32)
    known = np.zeros((40, 40), dtype=np.uint8)
    centre = 5 + (np.arange(40) + 0.5) * 0.5
    u, v = EAST + centre - bins.west, NORTH + 30 - centre - bins.south
    fit_planes(bins, u, v, height, sigma, known)
    truth = 10.0 + 0.3 * centre[None, :] - 0.2 * (30 - centre)[:, None]
    assert known.mean() > 0.95
    assert np.abs(height - truth)[known > 0].max() < 3 * QUANTUM
