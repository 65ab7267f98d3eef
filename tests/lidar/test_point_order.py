"""Points in order, against NumPy's sort and median."""

import numpy as np
import pytest

from lidar.point_order import MOST_TOGETHER, median, order_of


@pytest.mark.parametrize("count", [0, 1, 2, 30, 500])
@pytest.mark.parametrize("step", [1e-6, 0.05, 1.0, 100.0])
def test_the_order_is_that_of_a_sort_by_all_keys(count: int, step: float) -> None:
    random = np.random.default_rng(count)
    places = np.round(random.uniform(-20, 20, (count, 3)) / step) * step  # the wider the step, the more are the same
    last = random.integers(-1, 3, count)
    for values in (places, np.rint(places * 1000).astype(np.int64)):
        np.testing.assert_array_equal(order_of(values, last), np.lexsort((last, *values.T[::-1])))


def test_many_points_in_one_strip_are_put_in_order_all_the_same() -> None:
    places = np.random.default_rng(1).uniform(0, 1e-9, (10 * MOST_TOGETHER, 3))
    places[0, 0] = 1.0
    none = np.zeros(len(places), dtype=np.int64)
    np.testing.assert_array_equal(order_of(places, none), np.lexsort(places.T[::-1]))


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_the_median_is_numpys(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    assert median(values) == np.median(values)
