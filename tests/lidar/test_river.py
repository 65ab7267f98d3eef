"""Rivers that fall: against a plain search for the best falling levels, and what must not be touched."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from pyproj import CRS
from scipy.optimize import minimize
from shapely.geometry import LineString

from gis.errors import BadParameter, MissingCrs, UnreadableFile
from gis.grid import Grid
from gis.raster import Raster
from lidar.river import STATION, let_fall, read_rivers

CITY = CRS.from_epsg(9210)
GRID = Grid(CITY, 2.0, 301_000, 595_000, 200, 60)


def stream(seed: int = 3) -> tuple[Raster, LineString, np.ndarray]:
    """Water 40 m wide that falls to the east by 0.5 m in 400 m, measured in strips that differ by decimetres."""
    x, y = GRID.centres()
    across, along = np.meshgrid(y - y.mean(), x - GRID.west, indexing="ij")
    wet = np.abs(across) < 20
    truth = np.where(wet, 1.0 - along / 800, 3.0)
    strips = np.random.default_rng(seed).normal(0, 0.1, 8)[np.floor(along / 50).astype(int)]
    heights = np.where(wet, truth + strips, truth).astype(np.float32)
    bands = {"sigma": np.full(GRID.shape, 0.05, np.float32), "water": wet.astype(np.float32)}
    middle = LineString([(GRID.west - 10, y.mean()), (GRID.east + 10, y.mean())])
    return Raster(heights, GRID, bands), middle, truth


def test_water_falls_towards_the_lower_end_however_the_line_was_drawn() -> None:
    dtm, line, truth = stream()
    made = let_fall(dtm, [line])
    wet = dtm.bands["water"] == 1
    profile = made.values[30]
    assert (np.diff(profile) <= 0).all()
    # a projection on falling levels, one of which is the truth, comes nearer to it
    assert np.std((made.values - truth)[wet]) < 0.8 * np.std((dtm.values - truth)[wet])
    np.testing.assert_allclose(let_fall(dtm, [line.reverse()]).values, made.values, atol=0.02)


def test_levels_are_the_closest_that_fall() -> None:
    dtm, line, _ = stream(seed=8)
    stations = int(GRID.columns * GRID.resolution / STATION)
    mean = dtm.values[30].astype(np.float64).reshape(stations, -1).mean(axis=1)
    start = np.minimum.accumulate(mean)
    best = minimize(
        lambda level: ((level - mean) ** 2).sum(),
        start,
        jac=lambda level: 2 * (level - mean),
        constraints={"type": "ineq", "fun": lambda level: -np.diff(level)},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    made = let_fall(dtm, [line]).values[30].astype(np.float64).reshape(stations, -1)
    np.testing.assert_allclose(made[:, 2], best.x, atol=2e-3)


def test_land_and_other_water_stay_and_moved_levels_are_less_certain() -> None:
    dtm, line, _ = stream()
    made = let_fall(dtm, [line])
    dry = dtm.bands["water"] == 0
    np.testing.assert_array_equal(made.values[dry], dtm.values[dry])
    moved = np.abs(made.values - dtm.values)
    np.testing.assert_allclose(made.bands["sigma"], np.hypot(0.05, moved), rtol=1e-5)
    assert "water" not in made.bands
    far = LineString([(GRID.west, GRID.north + 500), (GRID.east, GRID.north + 500)])
    np.testing.assert_array_equal(let_fall(dtm, [far]).values, dtm.values)


def test_a_terrain_that_does_not_know_its_water_is_refused() -> None:
    dtm, line, _ = stream()
    with pytest.raises(BadParameter, match="where water is"):
        let_fall(Raster(dtm.values, GRID), [line])


def test_lines_come_in_the_terrains_crs(tmp_path: Path) -> None:
    _, line, _ = stream()
    frame = gpd.GeoDataFrame(geometry=[line], crs=CITY)
    frame.to_file(tmp_path / "rivers.gpkg")
    frame.to_crs(5899).to_file(tmp_path / "other.gpkg")
    (same,) = read_rivers(tmp_path / "rivers.gpkg", CITY)
    (moved,) = read_rivers(tmp_path / "other.gpkg", CITY)
    assert same.equals_exact(line, 1e-6)
    assert moved.hausdorff_distance(line) < 0.01


def test_what_holds_no_river_is_refused(tmp_path: Path) -> None:
    _, line, _ = stream()
    gpd.GeoDataFrame(geometry=[line.buffer(1)], crs=CITY).to_file(tmp_path / "areas.gpkg")
    gpd.GeoDataFrame(geometry=[line]).to_file(tmp_path / "nowhere.shp")
    (tmp_path / "text.gpkg").write_text("no lines")
    for name, error in (("areas.gpkg", UnreadableFile), ("text.gpkg", UnreadableFile), ("none.gpkg", UnreadableFile)):
        with pytest.raises(error):
            read_rivers(tmp_path / name, CITY)
    with pytest.raises(MissingCrs):
        read_rivers(tmp_path / "nowhere.shp", CITY)
