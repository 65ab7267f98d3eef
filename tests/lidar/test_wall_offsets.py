"""Walls of given outlines against points strewn over roofs of known extent."""

import numpy as np
import pytest
from numpy.typing import NDArray
from shapely import Polygon, affinity, box

from lidar.wall_offsets import wall_offsets

ROOF, DENSITY = 9.0, 8.0


def strewn(west: float, south: float, east: float, north: float, z: float, seed: int = 1) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    n = int((east - west) * (north - south) * DENSITY)
    return np.column_stack([rng.uniform(west, east, n), rng.uniform(south, north, n), np.full(n, z)])


def offsets(outline: Polygon, points: NDArray[np.float64]) -> NDArray[np.float64]:
    (found,) = wall_offsets(np.array([outline], dtype=object), *np.ascontiguousarray(points.T))
    return found


def test_each_side_is_told_how_far_out_the_roof_ends() -> None:
    drawn = box(0, 0, 5, 16)  # counter-clockwise from the south-east corner: east, north, west, south
    found = offsets(drawn, strewn(-0.3, 0.4, 5.0, 16.5, ROOF))
    assert found[:, 0] == pytest.approx([0.0, 0.5, 0.3, -0.4], abs=0.2)
    assert np.all((found[:, 1] > 0.1) & (found[:, 1] < 0.25))


def test_the_sides_are_those_of_the_ring_whichever_way_it_turns() -> None:
    points = strewn(-0.3, 0.4, 5.0, 16.5, ROOF)
    there, back = offsets(box(0, 0, 5, 16), points), offsets(Polygon(box(0, 0, 5, 16).exterior.coords[::-1]), points)
    assert there == pytest.approx(back[::-1], abs=0.15)


def test_errors_are_what_sigma_says() -> None:
    rng, away = np.random.default_rng(4), []
    for seed in range(60):
        turn, dx, dy = rng.uniform(0, 360), rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2)
        roof = affinity.translate(box(0, 0, 5, 16), dx, dy)
        points = strewn(*roof.bounds, ROOF, seed)
        angle = np.radians(turn)
        x, y = points[:, 0] * np.cos(angle) - points[:, 1] * np.sin(angle), points[:, 0] * np.sin(angle)
        turned = np.column_stack([x, y + points[:, 1] * np.cos(angle), points[:, 2]])
        found = offsets(affinity.rotate(box(0, 0, 5, 16), turn, origin=(0, 0)), turned)
        away.append((found[:, 0] - [dx, dy, -dx, -dy]) / found[:, 1])
    # No error in common was made: the σ stated contains one of 0.10 m.
    assert np.abs(np.concatenate(away)).max() < 3.0


def test_a_wall_shared_with_a_neighbour_is_not_measured_and_one_above_a_lower_roof_is() -> None:
    house, beside = strewn(0, 0, 5, 16, ROOF), strewn(5, 0, 10, 16, ROOF, 2)
    assert np.isnan(offsets(box(0, 0, 5, 16), np.concatenate([house, beside]))[0]).all()
    lower = beside - (0, 0, 4)
    assert offsets(box(0, 0, 5, 16), np.concatenate([house, lower]))[0, 0] == pytest.approx(0.0, abs=0.2)


def test_a_balcony_below_the_roof_moves_no_wall() -> None:
    house, balcony = strewn(0, 0, 5, 16, ROOF), strewn(0, -1.4, 5, 0, ROOF - 2.3, 3)
    south = offsets(box(0, 0, 5, 16), np.concatenate([house, balcony]))[3]
    assert south[0] == pytest.approx(0.0, abs=0.2)


def test_nothing_is_said_where_nothing_is_seen() -> None:
    assert np.isnan(offsets(box(0, 0, 5, 16), np.empty((0, 3)))).all()
    assert np.isnan(offsets(box(0, 0, 1.5, 1.5), strewn(0, 0, 1.5, 1.5, ROOF))).all()
