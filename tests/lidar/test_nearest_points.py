"""The nearest points of each point, against a search through all of them."""

import numpy as np
import pytest

from lidar.nearest_points import neighbours


@pytest.mark.parametrize("count", [6, 12, 13, 14, 200])
@pytest.mark.parametrize("kind", ["strewn", "on a lattice", "in two clumps", "on a wall"])
def test_the_nearest_are_those_of_a_search(kind: str, count: int) -> None:
    random = np.random.default_rng(count)
    places = random.uniform(0, 8000, (count, 3))
    places[:, 2] /= 10
    if kind == "on a lattice":
        places = np.floor(places / 500) * 500 + (111, 222, 0)  # as far from the edges of cells as it may happen
    elif kind == "in two clumps":
        places[: count // 2] = places[: count // 2] / 100 + 50_000
    elif kind == "on a wall":
        places[:, 0] = 0
    points = np.rint(places).astype(np.int64)
    near, _ = neighbours(points, 12)
    away = ((points[:, None] - points[None]) ** 2).sum(axis=2).astype(float)
    np.fill_diagonal(away, np.inf)
    wanted = min(12, count - 1)
    found = np.take_along_axis(away, near[:, :wanted].astype(np.int64), axis=1)
    np.testing.assert_array_equal(found, np.sort(away, axis=1)[:, :wanted])
    assert (near[:, wanted:] == -1).all()
    ties = found[:, 1:] == found[:, :-1]
    assert (near[:, 1:wanted][ties] > near[:, : wanted - 1][ties]).all()


def test_the_middle_room_is_the_square_a_point_has_to_itself() -> None:
    places = np.random.default_rng(1).uniform(0, 20_000, (6400, 3)) * (1, 1, 0)
    _, room = neighbours(np.rint(places).astype(np.int64), 12)
    assert np.median(room) == pytest.approx(250, rel=0.05)
