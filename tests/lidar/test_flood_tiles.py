"""A flood in tiles is the flood of the whole, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import BadParameter
from lidar.flood_tiles import flood_in_tiles
from lidar.priority_flood import priority_flood


@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 8]))
@settings(max_examples=60, deadline=None)
def test_tiles_of_any_cut_give_the_bits_of_the_whole(seed: int, neighbours: int) -> None:
    random = np.random.default_rng(seed)
    shape = random.integers(2, 30, 2)
    heights = random.integers(-4, 5, shape).astype(np.float32)
    heights[random.random(shape) < 0.15] = np.nan
    sources = random.random(shape) < random.choice([0.0, 0.01, 0.1])
    rows, columns = (np.unique(np.concatenate(([0, n], random.integers(1, n + 1, 2)))) for n in shape)

    def read(key):  # type: ignore[no-untyped-def]
        window = (slice(*rows[key[0] : key[0] + 2]), slice(*columns[key[1] : key[1] + 2]))
        return heights[window], sources[window]

    keys = [(r, c) for r in range(len(rows) - 1) for c in range(len(columns) - 1)]
    joined = np.full(shape, -99, dtype=np.float32)
    for (r, c), level in flood_in_tiles(read, keys, neighbours=neighbours):
        joined[rows[r] : rows[r + 1], columns[c] : columns[c + 1]] = level
    np.testing.assert_array_equal(joined, priority_flood(heights, sources, neighbours=neighbours).level)


def test_tiles_that_do_not_fit_are_refused() -> None:
    shapes = {(0, 0): (4, 4), (0, 1): (5, 4)}

    def read(key):  # type: ignore[no-untyped-def]
        return np.zeros(shapes[key], dtype=np.float32), np.ones(shapes[key], dtype=bool)

    with pytest.raises(BadParameter, match="sides differ"):
        list(flood_in_tiles(read, list(shapes)))
