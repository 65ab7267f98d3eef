"""Flooding a surface against the slowest way to do it, and what must hold of every surface."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from gis.errors import BadParameter
from lidar.priority_flood import SEED, STEPS, UNKNOWN, UNREACHED, priority_flood, rim


def lowest_way(heights: NDArray[np.float32], seeds: NDArray[np.bool_], neighbours: int) -> NDArray[np.float32]:
    """Dijkstra's way of least highest point, cell by cell."""
    level = np.full(heights.shape, np.inf)
    queue = [(float(heights[r, c]), r, c) for r, c in np.argwhere(seeds & np.isfinite(heights)).tolist()]
    for z, r, c in queue:
        level[r, c] = z
    heapq.heapify(queue)
    while queue:
        z, r, c = heapq.heappop(queue)
        if z > level[r, c]:
            continue
        for i, j in ((r + a, c + b) for a, b in STEPS[:neighbours].tolist()):
            if 0 <= i < heights.shape[0] and 0 <= j < heights.shape[1] and np.isfinite(heights[i, j]):
                there = max(z, float(heights[i, j]))
                if there < level[i, j]:
                    level[i, j] = there
                    heapq.heappush(queue, (there, i, j))
    return np.where(np.isinf(level), np.nan, level).astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 14), st.sampled_from([4, 8]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_levels_are_those_of_the_lowest_way_over_all_ways(
    seed: int, rows: int, columns: int, neighbours: int, inner: bool
) -> None:
    random = np.random.default_rng(seed)
    # Few heights: many ties, flats and pits; negative ones and zeros of both signs too.
    heights = random.integers(-3, 4, (rows, columns)).astype(np.float32) * random.choice([-0.5, 1.0])
    heights[random.random((rows, columns)) < 0.1] = np.nan
    seeds = random.random((rows, columns)) < 0.15 if inner else rim(heights)
    found = priority_flood(heights, seeds, neighbours=neighbours)
    np.testing.assert_array_equal(found.level, lowest_way(heights, seeds, neighbours))


def test_ways_lead_to_a_seed_and_never_up() -> None:
    random = np.random.default_rng(3)
    heights = (gaussian_filter(random.normal(size=(60, 80)), 2) * 5).astype(np.float32)
    heights[20:24, 30:50] = np.nan
    found = priority_flood(heights)
    assert (found.way[np.isnan(heights)] == UNKNOWN).all()
    assert not (found.way == UNREACHED).any()
    for r, c in np.argwhere(np.isfinite(heights)).tolist():
        for _ in range(heights.size):
            way = found.way[r, c]
            if way == SEED:
                break
            i, j = r + STEPS[way, 0], c + STEPS[way, 1]
            assert found.level[i, j] <= found.level[r, c]
            r, c = i, j
        else:
            pytest.fail("a way that does not end")


def test_cells_without_height_are_walls() -> None:
    heights = np.ones((9, 9), dtype=np.float32)
    heights[3, :] = np.nan
    seeds = np.zeros((9, 9), dtype=bool)
    seeds[0, 0] = seeds[3, 3] = True
    found = priority_flood(heights, seeds)
    assert np.isfinite(found.level[:3]).all()
    assert np.isnan(found.level[3:]).all()
    assert (found.way[4:] == UNREACHED).all()


def test_rim_is_the_edge_and_whatever_touches_a_hole() -> None:
    heights = np.zeros((7, 8), dtype=np.float32)
    heights[3, 4] = np.nan
    expected = np.ones((7, 8), dtype=bool)
    expected[1:-1, 1:-1] = False
    expected[2:5, 3:6] = True
    expected[3, 4] = False
    np.testing.assert_array_equal(rim(heights), expected)


def test_arguments_that_make_no_sense_are_refused() -> None:
    heights = np.zeros((3, 3), dtype=np.float32)
    with pytest.raises(BadParameter, match="4 or 8"):
        priority_flood(heights, neighbours=6)
    with pytest.raises(BadParameter, match="shape"):
        priority_flood(heights, np.zeros((2, 3), dtype=bool))
