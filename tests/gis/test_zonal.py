"""Quantiles of a raster inside of polygons, against numpy cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import Point, Polygon, box, contains_xy

from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster
from gis.zonal import zonal_quantile

GRID = Grid.covering(BoundingBox(0.0, 0.0, 60.0, 40.0, normalise("EPSG:9210")), 0.5)


def raster() -> Raster:
    values = np.random.default_rng(5).normal(2.0, 0.5, GRID.shape).astype(np.float32)
    values[10:20, 10:60] = np.nan
    return Raster(values, GRID)


SHAPES = [
    box(1.1, 1.1, 9.3, 7.7),
    Point(30.02, 20.03).buffer(7),
    Polygon([(45, 5), (58, 9), (50, 30)]),
    box(55, 35, 70, 50),
]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.93, 1.0])
def test_it_is_numpys_quantile_of_the_cells_whose_centre_is_inside(share: float) -> None:
    given = raster()
    x, y = np.meshgrid(*GRID.centres())
    found = zonal_quantile(given, SHAPES, share)
    for shape, value in zip(SHAPES, found, strict=True):
        cells = given.values[contains_xy(shape, x, y)]
        assert value == pytest.approx(np.nanquantile(cells.astype(np.float64), share), abs=1e-6)


def test_a_polygon_without_cells_or_values_has_none() -> None:
    hole = box(*(6.0, 31.0, 28.0, 34.0))
    found = zonal_quantile(raster(), [box(100, 100, 110, 110), hole, Polygon(), SHAPES[0]])
    assert np.isnan(found).tolist() == [True, True, True, False]


def test_no_polygon_gives_no_value() -> None:
    assert zonal_quantile(raster(), []).shape == (0,)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_beyond_all_is_refused(share: float) -> None:
    with pytest.raises(BadParameter, match="share"):
        zonal_quantile(raster(), SHAPES, share)
