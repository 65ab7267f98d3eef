"""Hollows and runoff against slow ways to find them and bowls whose volume is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from gis.errors import BadParameter
from lidar.ponds import drained_area, find_ponds
from lidar.priority_flood import SEED

from .test_flood import raster


def filled(z: NDArray[np.float32]) -> NDArray[np.float32]:
    """Planchon and Darboux (2002): water everywhere, that sinks until it cannot."""
    w = np.full(np.add(z.shape, 2), -np.inf)
    w[1:-1, 1:-1] = np.inf
    edge = np.ones(z.shape, dtype=bool)
    edge[1:-1, 1:-1] = False
    w[1:-1, 1:-1][edge] = z[edge]
    while True:
        lowest = np.min([np.roll(w, (a, b), (0, 1)) for a in (-1, 0, 1) for b in (-1, 0, 1)], axis=0)[1:-1, 1:-1]
        sunk = np.maximum(z, np.where(edge, z, lowest))
        if (sunk == w[1:-1, 1:-1]).all():
            return sunk.astype(np.float32)
        w[1:-1, 1:-1] = sunk


def hilly(seed: int, size: int = 60) -> NDArray[np.float32]:
    return (4 * gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 3)).astype(np.float32)


def test_depths_are_those_of_water_that_sank() -> None:
    z = hilly(1)
    found = find_ponds(raster(z))
    np.testing.assert_allclose(found.depth, filled(z) - z, atol=1e-6)
    assert sum(pond.volume for pond in found.ponds) == pytest.approx(float((filled(z) - z).sum()) * 0.25, rel=1e-5)


def test_a_bowl_has_its_volume_and_spills_at_its_lip() -> None:
    x, y = np.meshgrid(np.arange(-40, 41) * 0.5, np.arange(-40, 41) * 0.5)
    radius = np.hypot(x, y)
    z = np.minimum(radius**2 / 50, 2.0) + np.where(radius > 10, (radius - 10) * -0.01, 0)
    z[40, 57:] = np.minimum(z[40, 57:], 1.5)  # a notch in the lip, to the east
    terrain = raster(z)
    (pond,) = find_ponds(terrain, least_depth=0.2).ponds
    assert pond.level == pytest.approx(1.5)
    assert pond.depth == pytest.approx(1.5)
    # A paraboloid: half of the cylinder around it.
    assert pond.volume == pytest.approx(np.pi * (50 * 1.5) * 1.5 / 2, rel=0.02)
    assert (pond.x, pond.y) == (terrain.grid.west + 20.25, terrain.grid.north - 20.25)
    assert pond.spill_y == pond.y
    assert pond.spill_x > pond.x + 8


def test_a_pond_whose_outlet_is_open_water_is_none() -> None:
    z = hilly(2)
    before = find_ponds(raster(z)).ponds[0]
    outlets = np.zeros(z.shape, dtype=bool)
    grid = raster(z).grid
    row, column = grid.cells(np.array([before.x]), np.array([before.y]))
    outlets[row[0], column[0]] = True
    after = find_ponds(raster(z), outlets)
    assert after.depth[row[0], column[0]] == 0
    assert sum(pond.volume for pond in after.ponds) < sum(pond.volume for pond in find_ponds(raster(z)).ponds)


def test_small_and_shallow_ponds_are_left_out_when_asked_for() -> None:
    found = find_ponds(raster(hilly(3)), least_depth=0.3, least_area=5.0)
    assert found.ponds
    assert all(pond.depth > 0.3 and pond.area >= 5.0 for pond in found.ponds)


def test_all_rain_leaves_by_the_outlets() -> None:
    z = hilly(4)
    z[20:25, 20:30] = np.nan
    terrain = raster(z)
    flooded = find_ponds(terrain).flooded
    drained = drained_area(terrain, flooded)
    assert drained[flooded.way == SEED].sum() == pytest.approx(np.isfinite(z).sum() * 0.25)
    assert np.nanmin(drained) == 0.25
    np.testing.assert_array_equal(np.isnan(drained), np.isnan(z))


def test_a_valley_gathers_its_slopes() -> None:
    y, x = np.mgrid[0:21, 0:41]
    z = np.abs(y - 10) * 0.5 + (40 - x) * 0.01
    terrain = raster(z)
    drained = drained_area(terrain, find_ponds(terrain).flooded)
    # Down the valley each cell has all columns behind it, but for the rows on the edge that run off there.
    np.testing.assert_allclose(np.diff(drained[10, 2:39]), drained[10, 20] - drained[10, 19])
    assert drained[10, 39] > 0.9 * (38 * 19 * 0.25)


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(BadParameter, match="least_depth"):
        find_ponds(raster(hilly(1)), least_depth=-1)
    with pytest.raises(BadParameter, match="outlets"):
        find_ponds(raster(hilly(1)), np.zeros((2, 2), dtype=bool))
