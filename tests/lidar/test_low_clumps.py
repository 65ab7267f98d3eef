"""Clumps below the ground, planted and looked for; and low places that are real."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lidar.ground import REACH, ground_mask
from lidar.low_clumps import BLOCK, REACH_CELLS, clump_limits
from lidar.read import read

Floats = NDArray[np.float64]


def flat(side: int = 120) -> NDArray[np.float32]:
    return np.random.default_rng(5).normal(2.0, 0.05, (side, side)).astype(np.float32)


def cells_below(height: NDArray[np.float32], limits: NDArray[np.float32] | None) -> NDArray[np.bool_]:
    if limits is None:
        return np.zeros(height.shape, dtype=bool)
    wide = np.repeat(np.repeat(limits, BLOCK, 0), BLOCK, 1)[: height.shape[0], : height.shape[1]]
    return np.asarray(height < wide)


def test_a_clump_is_found_whole_and_nothing_else() -> None:
    height = flat()
    height[50:56, 61:67] -= np.float32(5.0)
    clump = height < 0
    np.testing.assert_array_equal(cells_below(height, clump_limits(height, 0, 0)), clump)


def test_a_clump_counts_from_the_same_blocks_wherever_the_tile_begins() -> None:
    height = flat()
    height[50:56, 61:67] -= np.float32(5.0)
    height[20:24, 80:84] -= np.float32(9.0)
    whole = cells_below(height, clump_limits(height, 300, 900))
    assert whole.sum() == 52
    for r, c in ((1, 2), (5, 7), (8, 16)):
        part = np.ascontiguousarray(height[r:, c:])
        found = clump_limits(part, 300 + r, 900 + c)
        assert found is not None
        wide = np.repeat(np.repeat(found, BLOCK, 0), BLOCK, 1)[r % BLOCK :, c % BLOCK :]
        np.testing.assert_array_equal(part < wide[: part.shape[0], : part.shape[1]], whole[r:, c:])


def test_a_light_well_as_low_as_the_alley_stays() -> None:
    height = flat()
    height[10:110, 10:110] += np.float32(12.0)
    height[55:60, 55:60] = 2.0
    height[:, 75:78] = 2.0
    assert clump_limits(height, 0, 0) is None


def test_a_ditch_and_a_canal_stay() -> None:
    height = flat()
    height[:, 40:43] -= np.float32(3.0)
    height[80:95] -= np.float32(3.0)
    assert clump_limits(height, 0, 0) is None


def test_a_pit_with_a_ramp_stays() -> None:
    height = flat()
    height[50:58, 50:58] -= np.float32(4.0)
    height[50:53, 58:70] -= np.linspace(4, 0, 12, dtype=np.float32)
    assert clump_limits(height, 0, 0) is None


def planted(path: Path, count: int, seed: int) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """A sample with clumps of 15 points, 4 m wide, 6 m below its ground and 45 m apart; true for those points."""
    points, random = read(path), np.random.default_rng(seed)
    x, y, z = [points.x], [points.y], [points.z]
    places: list[int] = []
    for i in random.permutation(np.flatnonzero(points.classification == 2)):
        if all(np.hypot(points.x[i] - points.x[j], points.y[i] - points.y[j]) > 45 for j in places):
            places.append(int(i))
    for i in places[:count]:
        x.append(points.x[i] + random.uniform(-2, 2, 15))
        y.append(points.y[i] + random.uniform(-2, 2, 15))
        z.append(points.z[i] - 6 + random.normal(0, 0.5, 15))
    below = np.arange(len(points) + 15 * len(places[:count])) >= len(points)
    return np.concatenate(x), np.concatenate(y), np.concatenate(z), below


@pytest.mark.shared_data
@pytest.mark.parametrize("sample", ["samp21", "samp31", "samp42"])
def test_clumps_planted_in_a_survey_change_next_to_nothing(shared_data: Path, sample: str) -> None:
    x, y, z, below = planted(shared_data / "isprs" / f"{sample}.laz", 6, seed=4)
    clean = ground_mask(x[~below], y[~below], z[~below])
    found = ground_mask(x, y, z)
    assert found[below].mean() < 0.2  # one of six may be taken for ground
    assert (found[~below] != clean).mean() < 0.003


@pytest.mark.shared_data
def test_tiles_with_a_buffer_find_the_same_clumps(shared_data: Path) -> None:
    x, y, z, _ = planted(shared_data / "isprs" / "samp61.laz", 12, seed=9)
    whole = ground_mask(x, y, z)
    west, south = np.floor(x.min()), np.floor(y.min())
    for east, north in ((0, 0), (100, 100), (200, 0)):
        inside = (np.abs(x - west - east - 50) <= 50) & (np.abs(y - south - north - 50) <= 50)
        near = (np.abs(x - west - east - 50) <= 50 + REACH) & (np.abs(y - south - north - 50) <= 50 + REACH)
        np.testing.assert_array_equal(ground_mask(x[near], y[near], z[near])[inside[near]], whole[inside])
    assert REACH_CELLS < REACH
