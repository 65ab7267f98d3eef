"""Density and gap maps of surveys whose gaps are known, beside NumPy's own counting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.crs import normalise
from gis.grid import Grid
from lidar.blocks import grid_over, look_at
from lidar.density_map import Counts, count_points, density, find_gaps
from lidar.point_cloud import Class, PointCloud
from lidar.write import write_laz

CRS = normalise("EPSG:9210+5727")
EAST, NORTH = 600_000.0, 1_190_000.0


def counts(x: np.ndarray, y: np.ndarray, z: np.ndarray, size: int, cell: float) -> Counts:
    """Counted by NumPy."""
    cells = round(size / cell)
    grid = Grid(normalise(9210), cell, round(EAST / cell), round(NORTH / cell), cells, cells)
    row, column = grid.cells(EAST + x, NORTH + y)
    number, lowest = np.zeros(grid.shape, dtype=np.int32), np.full(grid.shape, np.inf, dtype=np.float32)
    np.add.at(number, (row, column), 1)
    np.minimum.at(lowest, (row, column), z.astype(np.float32))
    return Counts(grid, number, number, lowest)


def even(density: float, size: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.random.default_rng(seed).uniform(0, size, (2, int(density * size * size)))
    return x, y


def test_points_of_files_are_counted_as_numpy_counts_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x, y = even(5, 40)
    n = len(x)
    total = rng.integers(1, 4, n).astype(np.uint8)
    number = np.minimum(rng.integers(1, 4, n), total).astype(np.uint8)
    code = np.where(rng.uniform(size=n) < 0.1, Class.LOW_NOISE, Class.GROUND).astype(np.uint8)
    z = rng.uniform(0, 9, n)
    cloud = PointCloud.from_xyz(
        EAST + x, NORTH + y, z, CRS, classification=code, return_number=number, number_of_returns=total
    )
    half = x < 20
    write_laz(cloud.subset(half), tmp_path / "a.laz")
    write_laz(cloud.subset(~half), tmp_path / "b.laz")
    survey, done = look_at([tmp_path]), []
    found = count_points(survey, grid_over(survey.bounds, 2.0), done.append)
    assert sum(done) == n
    kept = code == Class.GROUND
    west, south = (np.floor((v.min() + o) / 2) * 2 for v, o in ((x, EAST), (y, NORTH)))
    edges = [np.arange(found.grid.rows + 1) * 2.0 + south, np.arange(found.grid.columns + 1) * 2.0 + west]
    rounded = [np.round(v, 3) for v in (NORTH + y, EAST + x)]
    expected, *_ = np.histogram2d(rounded[0][kept], rounded[1][kept], edges)
    assert np.array_equal(found.points[::-1], expected)
    last = kept & (number == total)
    assert np.array_equal(found.pulses[::-1], np.histogram2d(rounded[0][last], rounded[1][last], edges)[0])
    mean = density(found)
    assert np.nansum(mean.values) * 4 == kept.sum()
    assert np.nansum(mean.bands["pulses"]) * 4 == last.sum()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), mean=st.sampled_from([0.5, 2.0, 8.0, 30.0]))
def test_chance_makes_no_gaps(seed: int, mean: float) -> None:
    x, y = even(mean, 100, seed)
    assert find_gaps(counts(x, y, np.zeros(len(x)), 100, 0.5)).gaps == ()


@pytest.mark.parametrize("mean", [0.5, 2.0, 8.0, 30.0])
def test_a_pond_is_found_with_its_size_and_level_rim(mean: float) -> None:
    x, y = even(mean, 120)
    away = np.hypot(x - 50, y - 70)
    dry = away > 15
    z = np.maximum(away - 15, 0) * 0.02
    found = find_gaps(counts(x[dry], y[dry], z[dry], 120, 0.5))
    (gap,) = found.gaps
    assert gap.area == pytest.approx(np.pi * 15**2, rel=0.25 / np.sqrt(mean) + 0.1)
    assert gap.width == pytest.approx(30, abs=4 * found.spacing + 1)
    assert np.hypot(gap.x - EAST - 50, gap.y - NORTH - 70) < 2 * found.spacing + 1
    assert gap.level_rim
    assert (found.raster.values == 2).sum() * 0.25 == gap.area
    assert found.spacing == pytest.approx(1 / np.sqrt(mean), rel=0.1)


def test_a_shadow_between_walls_has_no_level_rim() -> None:
    x, y = even(8, 60)
    seen = ~((np.abs(x - 30) < 3) & (np.abs(y - 30) < 12))
    z = np.where(x < 30, 0.0, 12.0)
    (gap,) = find_gaps(counts(x[seen], y[seen], z[seen], 60, 0.5)).gaps
    assert not gap.level_rim


def test_outside_of_the_survey_is_no_gap_but_unknown() -> None:
    x, y = even(4, 80)
    inside = x + y < 80
    made = counts(x[inside], y[inside], np.zeros(inside.sum()), 80, 0.5)
    found = find_gaps(made)
    assert found.gaps == ()
    assert np.isnan(found.raster.values[0, -1])
    assert np.isnan(density(made).values[0, -1])
    assert np.isnan(found.raster.values).mean() == pytest.approx(0.5, abs=0.05)


def test_no_points_are_no_survey() -> None:
    none = np.empty(0)
    made = counts(none, none, none, 10, 1.0)
    assert np.isnan(density(made).values).all()
    assert np.isnan(find_gaps(made).raster.values).all()


def test_a_lake_is_the_largest_gap_of_real_data(shared_data: Path) -> None:
    survey = look_at([shared_data / "lidr" / "Topography.laz"])
    found = find_gaps(count_points(survey, grid_over(survey.bounds, 0.5)))
    assert found.gaps[0].area > 1000
    assert 1.0 < found.spacing < 1.5
