from __future__ import annotations

import numpy as np
import pytest

from lidar.level_planes import fit_level_planes
from lidar.local_plane import Cells, Planes

CLIFF = 20.0
"""Metres between the upper and the lower ground."""


def fitted(height: np.ndarray, ground: np.ndarray, row: int, column: int, radii: tuple[int, ...] = (3, 6)) -> float:
    """Height of the plane at one cell, NaN if there is none."""
    zero = np.zeros(height.shape, dtype=np.float32)
    wanted = np.zeros(height.shape, dtype=bool)
    wanted[row, column] = True
    planes = Planes(*(np.full(height.shape, 77.0, dtype=np.float32) for _ in range(4)))
    found = fit_level_planes(Cells(height.astype(np.float32), zero, zero), ground, wanted, radii, 6, 0.5, planes)
    assert (planes.height[~found] == 77.0).all(), "where none is found all stays"
    return float(planes.height[row, column]) if found[row, column] else np.nan


def test_a_tooth_of_a_cliff_has_the_plane_of_the_ground_above() -> None:
    """No straight line through the tooth has the upper ground alone on one side."""
    north, east = np.mgrid[0:41, 0:41]
    upper = (east < 20) | ((np.abs(north - 20) <= 1) & (east < 23))
    height = np.where(upper, CLIFF + 0.1 * east, 0.0)
    ground = ~upper | (east < 20)
    assert fitted(height, ground, 20, 22) == pytest.approx(CLIFF + 0.1 * 22, abs=0.1)


def test_where_nothing_on_its_level_is_ground_there_is_no_plane() -> None:
    height, roof = np.zeros((41, 41)), np.zeros((41, 41), dtype=bool)
    roof[15:26, 15:26] = True
    height[roof] = 6.0
    assert np.isnan(fitted(height, ~roof, 20, 15))


def test_a_roof_that_meets_a_bank_has_no_plane_because_most_on_its_level_is_roof() -> None:
    north, east = np.mgrid[0:41, 0:41]
    roof = (np.abs(north - 20) <= 6) & (east >= 20) & (east < 32)
    height = np.where(east < 20, 6.0, np.where(roof, 6.0, 0.0))
    assert np.isnan(fitted(height, ~roof, 20, 23))


def test_the_window_grows_until_it_holds_enough() -> None:
    north, east = np.mgrid[0:41, 0:41]
    far = (np.abs(north - 20) == 5) & (np.abs(east - 20) <= 5)
    height, ground = np.where(far, 3.1, 0.0), np.ones((41, 41), dtype=bool)
    height[20, 20], ground[20, 20] = 3.0, False
    assert np.isnan(fitted(height, ground, 20, 20, (3,)))
    assert fitted(height, ground, 20, 20) == pytest.approx(3.1, abs=0.01)


def test_a_plane_of_rough_ground_is_not_kept() -> None:
    """Up and down within its level, but no surface."""
    north, east = np.mgrid[0:41, 0:41]
    far = np.maximum(np.abs(north - 20), np.abs(east - 20)) == 6
    height, ground = np.where(far, np.where((north + east) % 2 == 0, 1.5, -1.5), 0.0), far.copy()
    assert np.isnan(fitted(height, ground, 20, 20))
