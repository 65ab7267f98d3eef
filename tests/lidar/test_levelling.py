"""Earth for lots against volumes known by hand, and σ against errors drawn anew."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from shapely import Polygon, affinity, box

from gis.errors import BadGeometry, BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.correlated_error import fit_errors, mean_variance
from lidar.levelling import covered, level_lots
from lidar.terrain import SYSTEMATIC

from .test_flood import raster

SOUTH_WEST = (603000.0, 1191000.0)


def lot(x: float, y: float, wide: float, deep: float, turn: float = 0.0) -> Polygon:
    return affinity.rotate(box(x, y, x + wide, y + deep), turn)


def sloping() -> Raster:
    """50 m × 50 m, rising by 2 cm a metre eastwards from 1 m."""
    grid = Grid(raster(np.zeros((2, 2))).grid.crs, 0.5, 1_206_000, 2_382_000, 100, 100)
    x, _ = np.meshgrid(*grid.centres())
    heights = (1.0 + 0.02 * (x - SOUTH_WEST[0])).astype(np.float32)
    return Raster(heights, grid, {"sigma": np.full(grid.shape, 0.08, dtype=np.float32)})


@pytest.mark.parametrize("turn", [0.0, 17.0, 45.0])
def test_volumes_on_a_slope_are_those_of_wedges(turn: float) -> None:
    shape = lot(603015.3, 1191010.7, 18.0, 5.0, turn)
    (found,) = level_lots(sloping(), [("a", shape)], 1.5)
    # By Riemann sums over places of a centimetre.
    west, south, east, north = shape.bounds
    x, y = np.meshgrid(np.arange(west, east, 0.05) + 0.025, np.arange(south, north, 0.05) + 0.025)
    from shapely import contains_xy

    z = 1.0 + 0.02 * (x[contains_xy(shape, x, y)] - SOUTH_WEST[0])
    part = shape.area / len(z)
    assert found.fill == pytest.approx(np.maximum(1.5 - z, 0).sum() * part, rel=0.03, abs=0.05)
    assert found.cut == pytest.approx(np.maximum(z - 1.5, 0).sum() * part, rel=0.03, abs=0.05)
    assert found.ground == pytest.approx(z.mean(), abs=0.003)
    assert found.share_below == pytest.approx((z < 1.5).mean(), abs=0.03)
    assert found.net == pytest.approx((1.5 - z.mean()) * shape.area, abs=0.3)


def test_sigma_is_the_spread_of_volumes_when_errors_are_drawn_anew() -> None:
    terrain, shape = sloping(), lot(603010, 1191010, 20, 12)
    random = np.random.default_rng(3)
    volumes, own = [], (0.08**2 - SYSTEMATIC**2) ** 0.5
    # Errors whose covariance is that of a moving mean: it ends at twice the radius, as a spherical one does.
    for _ in range(300):
        noise = gaussian_filter(random.normal(size=(100, 100)), 1.9)
        noise *= own / 0.148
        wrong = terrain.values + noise + random.normal(0, SYSTEMATIC)
        raised = Raster(wrong.astype(np.float32), terrain.grid)
        volumes.append(level_lots(raised, [("a", shape)], 3.0)[0].fill)
    (told,) = level_lots(terrain, [("a", shape)], 3.0)
    assert told.sigma_fill == pytest.approx(np.std(volumes), rel=0.3)
    assert told.sigma_net == pytest.approx(told.sigma_fill, rel=0.02)


def test_a_lot_half_known_tells_of_the_known_half() -> None:
    terrain = sloping()
    values = terrain.values.copy()
    values[:, 40:] = np.nan
    shape = lot(603010, 1191010, 20, 10)
    (found,) = level_lots(Raster(values, terrain.grid, terrain.bands), [("a", shape)], 2.0)
    assert found.known == pytest.approx(0.5, abs=0.01)
    assert found.fill == pytest.approx((2.0 - 1.3) * 100, rel=0.02)
    (nothing,) = level_lots(terrain, [("b", lot(604000, 1191010, 5, 5))], 2.0)
    assert nothing.known == 0
    assert np.isnan(nothing.fill)


def test_cells_are_counted_by_the_share_a_lot_covers() -> None:
    grid = sloping().grid
    shape = lot(603010.13, 1191010.21, 7.3, 4.4, 33)
    found = covered(shape, grid)
    assert found is not None
    assert found[1].sum() * 0.25 == pytest.approx(shape.area, rel=0.01)


def test_probability_follows_the_distance_from_the_level() -> None:
    terrain, shape = sloping(), lot(603020, 1191010, 10, 10)
    chances = [level_lots(terrain, [("a", shape)], level)[0].probability_below for level in (1.3, 1.5, 1.7)]
    assert chances[0] < 1e-3
    assert chances[1] == pytest.approx(0.5, abs=0.02)
    assert chances[2] > 1 - 1e-3


def test_variance_of_a_mean_is_that_of_the_integral() -> None:
    # Over a disc by drawing places: the mean covariance of its centre with it (Rolstad et al. 2009, equation 8).
    random = np.random.default_rng(0)
    for reach, radius in ((4.0, 1.5), (4.0, 4.0), (4.0, 20.0)):
        distance = radius * np.sqrt(random.random(400_000)) / reach
        covariance = np.where(distance < 1, 1 - 1.5 * distance + 0.5 * distance**3, 0)
        assert mean_variance(np.pi * radius**2, reach) == pytest.approx(covariance.mean(), rel=0.02)


def test_a_fitted_model_tells_single_from_shared_errors() -> None:
    random = np.random.default_rng(5)
    shared = gaussian_filter(random.normal(size=(400, 400)), 4)
    both = 0.8 * shared / shared.std() + 0.6 * random.normal(size=(400, 400))
    model = fit_errors(both.astype(np.float32), 0.5)
    assert model.total == pytest.approx(1.0, rel=0.05)
    assert model.shared == pytest.approx(0.8, rel=0.1)
    # Of a Gaussian kernel of 4 cells the covariance has fallen to a fiftieth at 16 cells.
    assert 4.0 < model.range < 9.0
    alone = fit_errors(random.normal(size=(300, 300)).astype(np.float32), 0.5)
    assert alone.shared < 0.2


def test_bad_lots_and_levels_are_refused() -> None:
    bow = Polygon([(603000, 1191000), (603010, 1191010), (603010, 1191000), (603000, 1191010)])
    with pytest.raises(BadGeometry, match="lot x"):
        level_lots(sloping(), [("x", bow)], 1.0)
    with pytest.raises(BadParameter, match="datum"):
        level_lots(sloping(), [], float("inf"))
    with pytest.raises(BadParameter, match="sigma_level"):
        level_lots(sloping(), [], 1.0, sigma_level=-1)
