"""Land under water against connected components, dikes made by hand, and chance itself."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from gis.crs import normalise
from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.flood import inundate, open_water, outer_water, sources_in, water_areas

CRS = normalise("EPSG:9210")


def raster(values: NDArray[np.float64], sigma: float | None = None, resolution: float = 0.5) -> Raster:
    cells = np.asarray(values, dtype=np.float32)
    bands = {} if sigma is None else {"sigma": np.full(cells.shape, sigma, dtype=np.float32)}
    return Raster(cells, Grid(CRS, resolution, 1_206_000, 2_382_000, cells.shape[1], cells.shape[0]), bands)


def rough(seed: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    return 3 * gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2) + 1


@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 8]), st.floats(-1, 3))
@settings(max_examples=40, deadline=None)
def test_water_is_what_is_low_and_connected_to_a_source(seed: int, neighbours: int, level: float) -> None:
    random = np.random.default_rng(seed)
    z = raster(rough(seed, (25, 31))).values
    z[random.random(z.shape) < 0.05] = np.nan
    sources = random.random(z.shape) < 0.02
    found = inundate(raster(z), level, sources=sources, neighbours=neighbours)
    low = z <= np.float32(level)
    parts, _ = label(low, structure=np.ones((3, 3)) if neighbours == 8 else None)
    reached = np.unique(parts[sources & low])
    expected = np.isin(parts, reached[reached > 0])
    np.testing.assert_array_equal(found.threshold <= np.float32(level), expected)
    np.testing.assert_allclose(found.depth[expected], (np.float32(level) - z)[expected], atol=1e-6)
    assert (found.depth[~expected & np.isfinite(z)] == 0).all()


def test_a_raster_of_equal_levels_is_the_level() -> None:
    terrain = raster(rough(5, (40, 50)), 0.1)
    one = inundate(terrain, 0.8, sigma_level=0.05)
    many = inundate(terrain, raster(np.full((40, 50), 0.8)), sigma_level=0.05)
    np.testing.assert_allclose(many.depth, one.depth, atol=1e-6)
    np.testing.assert_allclose(many.threshold, one.threshold, atol=1e-6)
    np.testing.assert_allclose(many.probability, one.probability, atol=1e-5)


def test_sloping_water_reaches_less_where_it_is_lower() -> None:
    terrain = raster(np.full((20, 100), 1.0))
    fall = np.broadcast_to(np.linspace(2.0, 0.0, 100), (20, 100))
    found = inundate(terrain, raster(fall))
    np.testing.assert_array_equal(found.depth > 0, fall.astype(np.float32) > 1.0)
    assert found.depth[0, 0] == pytest.approx(1.0)


def diked(sigma: float | None = None) -> tuple[Raster, NDArray[np.bool_]]:
    """A river at 0.2 m in the west, a dike of 2.0 m with one cell of 1.5 m, land at 0.5 m behind it."""
    z = np.full((30, 60), 0.5)
    z[:, :10] = 0.2
    z[:, 20:23] = 2.0
    z[12, 20:23] = 1.5
    z[:, -1] = 5.0
    z[0], z[-1] = 5.0, 5.0
    sources = np.zeros(z.shape, dtype=bool)
    sources[1:-1, :10] = True
    return raster(z, sigma), sources


def test_land_behind_a_dike_is_dry_until_water_stands_over_its_lowest_place() -> None:
    terrain, sources = diked()
    behind = (slice(1, -1), slice(23, -1))
    assert (inundate(terrain, 1.4, sources=sources).depth[behind] == 0).all()
    over = inundate(terrain, 1.6, sources=sources)
    np.testing.assert_allclose(over.depth[behind], 1.1, atol=1e-6)
    np.testing.assert_allclose(over.threshold[behind], 1.5, atol=1e-6)


def test_probability_is_how_often_water_comes_when_dike_and_level_are_drawn_anew() -> None:
    terrain, sources = diked()
    # Only the gap in the dike is unsure; all cells of it alike.
    sigma = np.zeros(terrain.grid.shape, dtype=np.float32)
    sigma[12, 20:23] = 0.15
    unsure = Raster(terrain.values, terrain.grid, {"sigma": sigma})
    told = inundate(unsure, 1.4, sigma_level=0.1, sources=sources).probability[15, 40]
    random = np.random.default_rng(1)
    came = 0
    for _ in range(400):
        z = terrain.values.copy()
        z[12, 20:23] += np.float32(random.normal(0, 0.15))
        level = 1.4 + random.normal(0, 0.1)
        came += bool(inundate(raster(z), level, sources=sources).depth[15, 40] > 0)
    assert told == pytest.approx(came / 400, abs=4 * (0.29 * 0.71 / 400) ** 0.5)


def test_without_uncertainty_probability_is_yes_or_no() -> None:
    found = inundate(raster(rough(2, (30, 30))), 1.0)
    np.testing.assert_array_equal(found.probability, (found.threshold <= 1.0).astype(np.float32))


def test_open_water_is_level_and_large_and_the_outer_one_runs_off_the_map() -> None:
    random = np.random.default_rng(4)
    z = rough(4, (80, 80)) + random.normal(0, 0.02, (80, 80)) + 2
    z[:, :15] = 0.4
    z[40:70, 40:70] = 0.7
    z[5:10, 40:45] = 1.0  # 6 m²: a tank
    found = open_water(raster(z))
    assert found[:, :15].all()
    assert found[40:70, 40:70].all()
    assert found.sum() < 15 * 80 + 30 * 30 + 60
    outer = outer_water(raster(z))
    assert outer[:, :15].all()
    assert not outer[40:70, 40:70].any()


def test_where_no_water_runs_off_the_map_its_edges_are_open() -> None:
    outer = outer_water(raster(rough(4, (30, 30)) + np.random.default_rng(4).normal(0, 0.02, (30, 30))))
    assert outer.sum() == 4 * 29


def test_areas_hold_the_water() -> None:
    terrain = raster(rough(9, (60, 70)))
    found = inundate(terrain, 1.0)
    areas = water_areas(found)
    assert sum(area.area for area, _, _ in areas) == pytest.approx(found.area)
    assert sum(volume for _, _, volume in areas) == pytest.approx(found.volume, rel=1e-5)
    x, y = np.meshgrid(*terrain.grid.centres())
    whole = shapely.union_all([area for area, _, _ in areas])
    np.testing.assert_array_equal(shapely.contains_xy(whole, x, y), found.depth > 0)
    assert [area.area for area, _, _ in areas] == sorted((area.area for area, _, _ in areas), reverse=True)
    assert all(area.area >= 20 for area, _, _ in water_areas(found, least_area=20))


def test_bad_input_is_refused_in_a_line() -> None:
    terrain = raster(np.zeros((10, 10)))
    with pytest.raises(BadParameter, match="another grid"):
        inundate(terrain, raster(np.zeros((10, 10)), resolution=1.0))
    with pytest.raises(BadParameter, match="datum"):
        inundate(terrain, float("nan"))
    with pytest.raises(BadParameter, match="sigma_level"):
        inundate(terrain, 1.0, sigma_level=-0.1)
    with pytest.raises(BadParameter, match="shape"):
        inundate(terrain, 1.0, sources=np.zeros((3, 3), dtype=bool))
    with pytest.raises(BadParameter, match="touches the known terrain"):
        sources_in(terrain, [shapely.box(0, 0, 1, 1)])
