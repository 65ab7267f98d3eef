"""Slope, aspect and hillshade against Horn's formulas written out cell by cell, and on surfaces of known shape."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pyproj import CRS

from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.hillshade import aspect, hillshade, slope

VN = CRS.from_epsg(9210)


def raster(values: np.ndarray, resolution: float = 2.0) -> Raster:
    rows, columns = values.shape
    return Raster(values.astype(np.float32), Grid(VN, resolution, 300_000, 600_000, columns, rows))


def tilted(east: float, north: float) -> Raster:
    column, row = np.meshgrid(np.arange(6), np.arange(5))
    return raster(2.0 * (east * column - north * row))


@pytest.mark.parametrize(
    ("east", "north", "towards"),
    [(-1, 0, 90), (1, 0, 270), (0, -1, 0), (0, 1, 180), (-0.5, 0.5, 135), (0.1, -0.1, 315)],
)
def test_a_plane_faces_where_it_falls(east: float, north: float, towards: float) -> None:
    inner = (slice(1, -1), slice(1, -1))
    difference = (aspect(tilted(east, north))[inner] - towards + 180) % 360 - 180
    assert np.abs(difference).max() < 1e-3
    assert slope(tilted(east, north))[inner] == pytest.approx(
        math.degrees(math.atan(math.hypot(east, north))), abs=1e-4
    )


def test_shade_is_gdals_formula_cell_by_cell() -> None:
    """`gdaldem hillshade`: 1 + 254 · (sin alt · cos slope + cos alt · sin slope · cos(az − aspect)), not below 1."""
    values = np.random.default_rng(5).uniform(0, 3, (9, 11))
    shaded = hillshade(raster(values), azimuth=300, altitude=35)
    z = values.astype(np.float32).astype(np.float64)
    for r in range(1, 8):
        for c in range(1, 10):
            w = z[r - 1 : r + 2, c - 1 : c + 2]
            dx = ((w[0, 2] + 2 * w[1, 2] + w[2, 2]) - (w[0, 0] + 2 * w[1, 0] + w[2, 0])) / 16
            dy = ((w[2, 0] + 2 * w[2, 1] + w[2, 2]) - (w[0, 0] + 2 * w[0, 1] + w[0, 2])) / 16
            steep, facing = math.atan(math.hypot(dx, dy)), math.atan2(dy, -dx)
            sun, angle = math.radians(35), math.radians(360 - 300 + 90)
            lit = math.sin(sun) * math.cos(steep) + math.cos(sun) * math.sin(steep) * math.cos(angle - facing)
            assert abs(int(shaded[r, c]) - (1 + 254 * max(lit, 0))) <= 0.5 + 1e-6


def test_no_height_gives_no_shade_slope_or_aspect() -> None:
    values = np.zeros((7, 7))
    values[3, 3] = np.nan
    assert (hillshade(raster(values))[2:5, 2:5] == 0).all()
    assert np.isnan(slope(raster(values))[2:5, 2:5]).all()
    assert np.isnan(aspect(raster(np.zeros((5, 5))))).all()


def test_a_sun_below_the_horizon_is_refused() -> None:
    with pytest.raises(BadParameter, match="altitude"):
        hillshade(tilted(0, 0), altitude=-5)
