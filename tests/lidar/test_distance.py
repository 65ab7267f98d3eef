"""Distances on a grid, against SciPy's exact transform and a search by hand."""

import numpy as np
import pytest
from scipy import ndimage

from lidar.distance import distance_to, nearest_to


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.9])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (37, 53), (120, 90)])
def test_distances_are_exactly_those_of_scipy(shape: tuple[int, int], share: float) -> None:
    random = np.random.default_rng(int(share * 1000) + shape[0])
    for _ in range(5):
        cells = random.random(shape) < share
        cells[random.integers(shape[0]), random.integers(shape[1])] = True
        np.testing.assert_array_equal(distance_to(cells), ndimage.distance_transform_edt(~cells))


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.9])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (37, 53), (120, 90)])
def test_of_cells_as_near_the_nearest_is_scipys(shape: tuple[int, int], share: float) -> None:
    random = np.random.default_rng(int(share * 1000) + shape[0])
    for _ in range(5):
        cells = random.random(shape) < share
        cells[random.integers(shape[0]), random.integers(shape[1])] = True
        away, (row, column) = ndimage.distance_transform_edt(~cells, return_indices=True)
        squared, number = nearest_to(cells)
        np.testing.assert_array_equal(np.sqrt(squared), away)
        np.testing.assert_array_equal(number, row * shape[1] + column)


def test_every_cell_is_as_far_as_the_nearest_by_search() -> None:
    cells = np.zeros((9, 11), dtype=bool)
    cells[[0, 7, 8], [10, 1, 2]] = True
    rows, columns = np.nonzero(cells)
    for (r, c), found in np.ndenumerate(distance_to(cells)):
        assert found == np.sqrt(((rows - r) ** 2 + (columns - c) ** 2).min())


def test_where_there_is_nothing_it_is_infinitely_far() -> None:
    assert np.isinf(distance_to(np.zeros((4, 5), dtype=bool))).all()
