"""The moments behind the ground's planes against sums in Python's own unbounded integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lidar.local_plane import BLOCK, HALO, SIDES, Cells, Planes, fit_planes
from lidar.tent_sums import (
    HIGHEST,
    LARGEST_RADIUS,
    MOMENTS,
    PARTS,
    centred,
    gather,
    next_row,
    sectors,
    start_columns,
    sum_row,
    sum_sectors,
    sum_window,
    window_counts,
)


def terrain(rows: int, columns: int, seed: int, level: float = 0.0, relief: float = 5.0) -> Cells:
    random = np.random.default_rng(seed)
    offset_x, offset_y = random.uniform(-0.5, 0.5, (2, rows, columns)).astype(np.float32)
    height = level + relief * np.cumsum(random.normal(0, 0.1, (rows, columns)), axis=1)
    return Cells(height.astype(np.float32), offset_x, offset_y)


def whole(value: np.float32) -> int:
    return int(np.floor(float(value) * PARTS + 0.5))


def by_hand(cells: Cells, chosen: np.ndarray, row: int, column: int, radius: int) -> list[int]:
    """The ten sums of a window in integers that cannot overflow, places from the window's centre."""
    sums = [0] * MOMENTS
    for i in range(max(0, row - radius), min(chosen.shape[0], row + radius + 1)):
        for j in range(max(0, column - radius), min(chosen.shape[1], column + radius + 1)):
            z = cells.height[i, j]
            if not chosen[i, j] or abs(z) > HIGHEST:
                continue
            w = (radius + 1 - abs(i - row)) * (radius + 1 - abs(j - column))
            x = (j - column) * PARTS + whole(cells.offset_x[i, j])
            y = (i - row) * PARTS + whole(cells.offset_y[i, j])
            h = whole(z)
            terms = (1, x, y, h, x * x, x * y, y * y, x * h, y * h, h * h)
            sums = [total + w * term for total, term in zip(sums, terms, strict=True)]
    return sums


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    share=st.floats(0.05, 1.0),
    radius=st.integers(1, LARGEST_RADIUS),
    level=st.sampled_from([0.0, -430.0, 8_848.0, HIGHEST, -HIGHEST]),
)
def test_running_and_single_sums_are_those_of_unbounded_integers(
    seed: int, share: float, radius: int, level: float
) -> None:
    rows, columns = 9, 11
    cells = terrain(rows, columns, seed, level, relief=50.0)
    chosen = np.random.default_rng(seed).random((rows, columns)) < share
    steps = np.empty((4, rows + 2 * HALO, columns + 2 * HALO), dtype=np.int32)
    gather(*cells, chosen, -HALO, -HALO, steps)
    count = np.empty((rows, columns), dtype=np.int32)
    window_counts(steps, HALO, radius, count)
    change, tents = np.empty((2, MOMENTS, columns + 2 * HALO), dtype=np.int64)
    of_row, single = np.empty((MOMENTS, columns), dtype=np.int64), np.empty(MOMENTS, dtype=np.int64)
    sector, parts = sectors(SIDES, LARGEST_RADIUS)
    of_parts = np.empty((parts.shape[1], MOMENTS + 1), dtype=np.int64)
    start_columns(steps, HALO, radius, change, tents)
    for row in range(rows):
        if row > 0:
            next_row(steps, HALO + row - 1, radius, change, tents)
        sum_row(tents, HALO, radius, of_row)
        for column in range(columns):
            expected = by_hand(cells, chosen, row, column, radius)
            running = np.ascontiguousarray(of_row[:, column])
            centred(running, (HALO + column) * PARTS, (HALO + row) * PARTS)
            sum_window(steps, HALO + row, HALO + column, radius, single)
            sum_sectors(steps, HALO + row, HALO + column, radius, sector, of_parts)
            assert running.tolist() == expected
            assert single.tolist() == expected
            assert of_parts.sum(axis=0).tolist() == [*expected, count[row, column]]


def test_half_windows_are_made_of_sectors() -> None:
    sector, parts = sectors(SIDES, 3)
    for (east, north), own in zip(SIDES, parts, strict=True):
        half = [[i * north + j * east > 0 for j in range(-3, 4)] for i in range(-3, 4)]
        assert own[sector].tolist() == half


def test_the_highest_ground_in_the_widest_window_does_not_overflow() -> None:
    edge = 2 * LARGEST_RADIUS + 1
    corner = np.full((edge, edge), 0.5, dtype=np.float32)
    cells = Cells(np.full((edge, edge), HIGHEST, dtype=np.float32), corner, corner)
    everywhere = np.ones((edge, edge), dtype=bool)
    planes = fit_planes(cells, everywhere, everywhere, (LARGEST_RADIUS,), 6)
    assert planes.height == pytest.approx(np.full((edge, edge), HIGHEST), abs=0.01)
    assert planes.spread.max() < 1e-5
    assert max(by_hand(cells, everywhere, LARGEST_RADIUS, LARGEST_RADIUS, LARGEST_RADIUS)) < 2**62


def least_squares(cells: Cells, chosen: np.ndarray, row: int, column: int, radius: int) -> tuple[float, float]:
    """Height at the centre and spread of the weighted plane, by NumPy; the ridge as two more observations."""
    rows, columns = np.nonzero(chosen)
    near = (np.abs(rows - row) <= radius) & (np.abs(columns - column) <= radius)
    rows, columns = rows[near], columns[near]
    size = radius + 1
    w = (1 - np.abs(rows - row) / size) * (1 - np.abs(columns - column) / size)
    x = (columns - column + cells.offset_x[rows, columns]) / size
    y = (rows - row + cells.offset_y[rows, columns]) / size
    z = cells.height[rows, columns].astype(np.float64)
    root, ridge = np.sqrt(w), np.sqrt(0.005 * w.sum())
    design = np.c_[root, root * x, root * y]
    design = np.r_[design, [[0, ridge, 0], [0, 0, ridge]]]
    solution = np.linalg.lstsq(design, np.r_[root * (z - z.mean()), 0, 0], rcond=None)[0]
    residual = z - z.mean() - solution[0] - solution[1] * x - solution[2] * y
    variance = (w * residual**2).sum() / w.sum() + 0.005 * (solution[1] ** 2 + solution[2] ** 2)
    return float(solution[0] + z.mean()), float(np.sqrt(variance))


@pytest.mark.parametrize("level", [0.0, 3_000.0])
def test_planes_are_those_of_weighted_least_squares(level: float) -> None:
    cells = terrain(60, 70, 3, level)
    chosen = np.random.default_rng(4).random((60, 70)) < 0.4
    planes = fit_planes(cells, chosen, np.ones_like(chosen), (6,), 6)
    for row, column in ((0, 0), (30, 40), (59, 69), (12, 69), (31, 3)):
        height, spread = least_squares(cells, chosen, row, column, 6)
        assert planes.height[row, column] == pytest.approx(height, abs=0.003)
        assert planes.spread[row, column] == pytest.approx(spread, abs=0.003)


def same(one: Planes, other: Planes) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


def test_a_part_of_the_grid_gives_the_same_planes_bit_for_bit() -> None:
    cells = terrain(3 * BLOCK, 2 * BLOCK + 7, 5, 120.0)
    random = np.random.default_rng(6)
    chosen = random.random(cells.height.shape) < 0.3
    everywhere = np.ones_like(chosen)
    whole_grid = fit_planes(cells, chosen, everywhere, (3, 6, 12), 6)
    part = (slice(41, 41 + BLOCK), slice(17, 17 + BLOCK))
    alone = fit_planes(Cells(*(a[part] for a in cells)), chosen[part], everywhere[part], (3, 6, 12), 6)
    inner = (slice(12, -12), slice(12, -12))
    assert same(Planes(*(a[part][inner] for a in whole_grid)), Planes(*(a[inner] for a in alone)))


def test_a_plane_is_the_same_whether_many_are_wanted_or_one() -> None:
    cells = terrain(BLOCK, BLOCK, 7)
    random = np.random.default_rng(8)
    chosen = random.random(cells.height.shape) < 0.5
    few = random.random(cells.height.shape) < 0.01
    many = fit_planes(cells, chosen, np.ones_like(chosen), (4, 8), 8)
    single = fit_planes(cells, chosen, few, (4, 8), 8)
    assert same(Planes(*(np.where(few, a, np.nan) for a in many)), single)


def test_one_and_two_threads_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = terrain(3 * BLOCK, 3 * BLOCK, 9)
    chosen = np.random.default_rng(10).random(cells.height.shape) < 0.5
    made = []
    for threads in (1, 2):
        monkeypatch.setattr("lidar.morphology.numba.get_num_threads", lambda threads=threads: threads)
        made.append(fit_planes(cells, chosen, ~chosen, (3, 6, 12), 6))
    assert same(*made)


def test_a_cell_beyond_any_ground_on_earth_is_in_no_window() -> None:
    cells = terrain(30, 30, 11)
    everywhere = np.ones((30, 30), dtype=bool)
    stray = everywhere.copy()
    stray[15, 15] = False
    without = fit_planes(cells, stray, everywhere, (4,), 6)
    cells.height[15, 15] = 2 * HIGHEST
    assert same(without, fit_planes(cells, everywhere, everywhere, (4,), 6))
