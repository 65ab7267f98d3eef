from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lidar import party_walls

CELL = 0.5
SHAPE = (40, 64)


def block(profile: NDArray[np.float64], noise: float = 0.02) -> NDArray[np.float64]:
    """A block 15 m deep whose roof follows a profile across, with nothing round it."""
    height = np.full(SHAPE, np.nan)
    height[5:35, 2:62] = profile + np.random.default_rng(0).normal(0, noise, (30, 60))
    return height


def houses(height: NDArray[np.float64], top: NDArray[np.float64], cell: float) -> NDArray[np.int64]:
    """The number of each cell's house, at 8 points/m²."""
    return party_walls.houses(height, top, cell, 8.0)[0]


def parted(height: NDArray[np.float64], top: NDArray[np.float64] | None = None) -> list[int]:
    """Columns at which the block's houses begin, looked at in its middle row."""
    label = houses(height, height if top is None else top, CELL)
    assert ((label > 0) == np.isfinite(height)).all()
    middle = label[20, 2:62]
    return [0, *(np.flatnonzero(np.diff(middle)) + 1)]


def test_a_level_roof_is_one_house() -> None:
    assert parted(block(np.full(60, 9.0))) == [0]


@pytest.mark.parametrize("step", [0.25, 0.6, 3.3])
def test_a_step_is_a_wall_where_it_is(step: float) -> None:
    assert parted(block(np.repeat([9.0, 9.0 + step, 9.0], 20))) == [0, 20, 40]


def test_a_ridge_is_none() -> None:
    across = np.abs(np.arange(60) + 0.5 - 30) * CELL
    assert parted(block(14 - 0.6 * across)) == [0]


def test_a_valley_between_two_gables_is_a_wall() -> None:
    across = np.abs((np.arange(60) + 0.5) % 30 - 15) * CELL
    assert parted(block(12 - 0.6 * across)) == [0, 30]


def test_a_parapet_between_two_level_roofs_is_a_wall() -> None:
    height = block(np.full(60, 9.0))
    top = height.copy()
    top[5:35:1, 31] += np.where(np.random.default_rng(1).random(30) < 0.8, 1.1, 0.0)
    assert len(parted(height, top)) == 2


def test_a_wall_a_few_degrees_off_is_followed() -> None:
    height = block(np.full(60, 9.0))
    for row in range(5, 35):
        height[row, 2 + 28 + row // 7 : 62] += 2.0
    assert len(parted(height)) == 2


def test_a_stair_head_is_part_of_its_house() -> None:
    height = block(np.full(60, 9.0))
    height[15:22, 25:32] += 2.6
    assert parted(height) == [0]


def test_walls_are_found_along_rows_as_along_columns() -> None:
    height = block(np.repeat([9.0, 10.0, 9.0], 20))
    upright, level = houses(height, height, CELL), houses(height.T.copy(), height.T.copy(), CELL)
    assert len(np.unique(upright)) == len(np.unique(level)) == 4
    assert np.array_equal(upright > 0, level.T > 0)


def scanned_gables(slope: float, teeth: int, depth: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A row of gables 5 m wide with ridges across the row, in cells: the lower quartile and the highest of points."""
    random = np.random.default_rng(seed)
    rows, columns = depth, teeth * 10
    height, top = np.full((rows + 4, columns + 4), np.nan), np.full((rows + 4, columns + 4), np.nan)
    for r in range(rows):
        for c in range(columns):
            x = (c + random.random(max(random.poisson(2.0), 1))) * CELL
            z = 9.0 - slope * np.abs(x % 5.0 - 2.5) + random.normal(0, 0.02, len(x))
            height[r + 2, c + 2], top[r + 2, c + 2] = np.sort(z)[int((len(z) - 1) * 0.25)], z.max()
    return height, top


@pytest.mark.parametrize("slope", [0.7, 1.0, 1.3])
@pytest.mark.parametrize("seed", range(3))
def test_a_row_of_steep_gables_is_parted_at_its_valleys_and_not_along_the_row(slope: float, seed: int) -> None:
    height, top = scanned_gables(slope, 12, 22, seed)
    label = houses(height, top, CELL)
    assert len(np.unique(label[label > 0])) == 12
    begins = np.flatnonzero(np.diff(label[12, 2:122])) + 1
    assert np.abs(begins - 10 * np.arange(1, 12)).max() <= 1
    assert (label[5:20, 2:122] == label[12, 2:122]).mean() > 0.97


def test_a_long_step_along_a_row_does_not_hide_the_walls_between_its_houses() -> None:
    height = np.full((22, 124), np.nan)
    height[2:20, 2:122] = np.repeat([9.0, 9.6, 9.2, 9.9, 9.1, 9.7, 9.0, 9.5], 15)
    height[2:10, 2:122] += 1.5
    height += np.random.default_rng(2).normal(0, 0.02, height.shape)
    label = houses(height, height, CELL)
    assert {len(np.unique(label[row, 2:122])) for row in (5, 16)} == {8}
