"""Slope, aspect and hill shade against GDAL's, against Horn's formulas cell by cell, and on surfaces of known shape."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

import lidar.slope
from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster, write_cog
from lidar.hillshade import hillshade
from lidar.slope import aspect, gradients, slope
from tests.lidar.gdal_dem import dem

VN = CRS.from_epsg(9210)
INNER = (slice(1, -1), slice(1, -1))


def raster(values: np.ndarray, resolution: float = 2.0) -> Raster:
    rows, columns = values.shape
    return Raster(values.astype(np.float32), Grid(VN, resolution, 300_000, 600_000, columns, rows))


def tilted(east: float, north: float) -> Raster:
    column, row = np.meshgrid(np.arange(6), np.arange(5))
    return raster(2.0 * (east * column - north * row))


def hills(rows: int = 120, columns: int = 90) -> Raster:
    """Rough and smooth ground between 10 and 90 m, with a void and a level terrace."""
    rng = np.random.default_rng(7)
    v, u = np.mgrid[:rows, :columns]
    z = 50 + 30 * np.sin(u / 11) * np.cos(v / 17) + rng.normal(0, 0.4, (rows, columns))
    z[20:30, 40:60] = np.nan
    z[60:80, 10:30] = 44.0
    return raster(z, 0.5)


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Degrees between two directions."""
    return np.abs((one - other + 180) % 360 - 180)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dem") / "hills.tif"
    write_cog(hills(), path, name="dtm")
    return path


def test_slope_is_gdals(on_disk: Path, tmp_path: Path) -> None:
    theirs, ours = dem(on_disk, "slope", tmp_path / "slope.tif"), slope(hills())
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert np.nanmax(np.abs(ours - theirs)) < 0.01
    assert np.nanmax(theirs) > 45


def test_aspect_is_gdals(on_disk: Path, tmp_path: Path) -> None:
    theirs, ours = dem(on_disk, "aspect", tmp_path / "aspect.tif"), aspect(hills())
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert np.nanmax(apart(ours, theirs)) < 0.05


@pytest.mark.parametrize(("azimuth", "altitude"), [(315, 45), (90, 20), (180, 90)])
def test_hillshade_is_gdals(on_disk: Path, tmp_path: Path, azimuth: int, altitude: int) -> None:
    options = ("-az", str(azimuth), "-alt", str(altitude))
    theirs = np.nan_to_num(dem(on_disk, "hillshade", tmp_path / "shade.tif", *options))
    ours = hillshade(hills(), azimuth, altitude).astype(float)
    assert np.abs(ours - theirs).max() <= 1
    assert (ours != theirs).mean() < 0.01


@pytest.mark.parametrize(
    ("east", "north", "towards"),
    [(-1, 0, 90), (1, 0, 270), (0, -1, 0), (0, 1, 180), (-0.5, 0.5, 135), (0.1, -0.1, 315)],
)
def test_a_plane_faces_where_it_falls(east: float, north: float, towards: float) -> None:
    assert apart(aspect(tilted(east, north))[INNER], towards).max() < 1e-3
    assert slope(tilted(east, north))[INNER] == pytest.approx(
        math.degrees(math.atan(math.hypot(east, north))), abs=1e-4
    )


def test_shade_is_horns_formula_cell_by_cell() -> None:
    """1 + 254 · (sin alt · cos slope + cos alt · sin slope · cos(az − aspect)), not below 1."""
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
            assert abs(int(shaded[r, c]) - (1 + 254 * max(lit, 0))) <= 0.5 + 1e-4


def test_no_height_gives_no_shade_slope_or_aspect() -> None:
    values = np.zeros((7, 7))
    values[3, 3] = np.nan
    assert (hillshade(raster(values))[2:5, 2:5] == 0).all()
    assert np.isnan(slope(raster(values))[2:5, 2:5]).all()
    assert np.isnan(aspect(raster(np.zeros((5, 5))))).all()


def test_with_a_cell_all_round_a_tile_has_no_rim() -> None:
    whole, tile = hills(), Grid(VN, 0.5, 300_001, 600_010, 39, 50)
    part = Raster(slope(whole.cropped(tile.buffered(0.5))), tile.buffered(0.5)).cropped(tile)
    assert np.array_equal(part.values, Raster(slope(whole), whole.grid).cropped(tile).values, equal_nan=True)
    assert not np.isnan(part.values).any()


def test_many_threads_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = gradients(hills())
    monkeypatch.setattr(lidar.slope, "SMALL", 0)
    together = gradients(hills())
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(alone, together, strict=True))


@given(turn=st.integers(1, 3), seed=st.integers(0, 2**16))
def test_a_turned_surface_has_turned_aspects_and_the_same_slopes(turn: int, seed: int) -> None:
    z = np.random.default_rng(seed).uniform(0, 5, (6, 6))
    turned = np.rot90(z, turn)  # anticlockwise
    assert np.allclose(np.rot90(slope(raster(z)), turn)[INNER], slope(raster(turned))[INNER], atol=1e-3)
    expected = np.rot90(aspect(raster(z)), turn)[INNER] - 90 * turn
    assert apart(expected, aspect(raster(turned))[INNER]).max() < 0.05


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (9, 2)])
def test_a_raster_too_small_for_neighbours_has_no_slope(shape: tuple[int, int]) -> None:
    assert np.isnan(slope(raster(np.zeros(shape)))).all()


def test_a_sun_below_the_horizon_is_refused() -> None:
    with pytest.raises(BadParameter, match="altitude"):
        hillshade(tilted(0, 0), altitude=-5)
