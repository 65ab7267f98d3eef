from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np
import pytest
from pyproj import CRS

from gis.grid import Grid
from gis.raster import Raster
from lidar.classify import REACH, classify, height_above_ground
from lidar.ground import classify_ground
from lidar.point_cloud import Class, PointCloud


@pytest.fixture(scope="module")
def village() -> PointCloud:
    """A plain with a gable roof (x 20–32, y 20–36), a crown of leaves about (60, 30) and a hedge; ground is known."""
    generator = np.random.default_rng(7)
    x, y = generator.uniform(0, 90, (2, 60_000))
    z = generator.normal(5.0, 0.03, len(x))
    classes = np.full(len(x), Class.GROUND, dtype=np.uint8)
    several = np.ones(len(x), dtype=np.uint8)
    roof = (x > 20) & (x < 32) & (y > 20) & (y < 36)
    z[roof] = 5 + 8 - 0.6 * np.abs(x[roof] - 26) + generator.normal(0, 0.03, roof.sum())
    crown = np.hypot(x - 60, y - 30) < 6
    z[crown] = 5 + generator.uniform(2.5, 9, crown.sum())
    several[crown] = generator.integers(1, 4, crown.sum())
    hedge = (x > 10) & (x < 12) & (y > 50) & (y < 80)
    z[hedge] = 5 + generator.uniform(0.7, 1.4, hedge.sum())
    classes[roof | crown | hedge] = Class.UNCLASSIFIED
    return PointCloud.from_xyz(x, y, z, CRS(9210), classification=classes, number_of_returns=several)


def test_a_roof_is_a_building_and_a_crown_is_high_vegetation(village: PointCloud) -> None:
    classes = classify(village).classification
    x, y, above = village.x, village.y, village.classification == Class.UNCLASSIFIED
    assert (classes[above & (x > 20) & (x < 32) & (y > 20) & (y < 36)] == Class.BUILDING).mean() > 0.99
    assert (classes[above & (np.hypot(x - 60, y - 30) < 6)] == Class.HIGH_VEGETATION).mean() > 0.97
    assert (classes[above & (x < 12)] == Class.MEDIUM_VEGETATION).mean() > 0.99


def test_ground_and_noise_stay_what_they_are(village: PointCloud) -> None:
    before = village.classification.copy()
    before[:3], before[3:5] = Class.LOW_NOISE, Class.HIGH_NOISE
    after = classify(village.with_classification(before)).classification
    fixed = np.isin(before, (Class.GROUND, Class.LOW_NOISE, Class.HIGH_NOISE))
    np.testing.assert_array_equal(after[fixed], before[fixed])


def test_a_given_terrain_is_where_heights_are_counted_from(village: PointCloud) -> None:
    class FlatTerrain:
        dtm = Raster(
            np.full((100, 100), 5.0, np.float32),
            Grid(CRS(9210), resolution=1, first_column=-5, first_row=-5, columns=100, rows=100),
        )

    same = classify(village, FlatTerrain()).classification == classify(village).classification
    assert same.mean() > 0.999


def test_height_is_counted_from_the_slope_below() -> None:
    x, y = np.random.default_rng(8).uniform(0, 100, (2, 20_000))
    z = 0.2 * x
    classes = np.full(len(x), Class.GROUND, dtype=np.uint8)
    z[:100] += 4.0
    classes[:100] = Class.UNCLASSIFIED
    points = PointCloud.from_xyz(x, y, z, CRS(9210), classification=classes)
    np.testing.assert_allclose(height_above_ground(points)[:100], 4.0, atol=0.3)


def test_far_from_any_ground_the_height_is_unknown(village: PointCloud) -> None:
    x, y, z = np.array([0.0, 1.0, 500.0]), np.array([0.0, 0.0, 500.0]), np.array([0.0, 0.0, 9.0])
    classes = np.array([2, 2, 1], dtype=np.uint8)
    assert classify(PointCloud.from_xyz(x, y, z, CRS(9210), classification=classes)).classification[2] == 1


def test_tiles_with_a_buffer_give_exactly_the_untiled_classes(village: PointCloud) -> None:
    whole = classify(village).classification
    for west in range(0, 90, 30):
        inside = (village.x >= west) & (village.x < west + 30)
        near = (village.x >= west - REACH) & (village.x < west + 30 + REACH)
        tiled = classify(village.subset(near)).classification
        np.testing.assert_array_equal(tiled[inside[near]], whole[inside])


def test_no_point_has_no_class(village: PointCloud) -> None:
    assert len(classify(village.subset(slice(0, 0)))) == 0


@pytest.mark.shared_data
def test_buildings_of_delft_are_found(shared_data: Path) -> None:
    cloud = laspy.read(shared_data / "delft_north" / "ahn3_1.laz")
    points = PointCloud.from_xyz(
        np.asarray(cloud.x),
        np.asarray(cloud.y),
        np.asarray(cloud.z),
        CRS(28992),
        return_number=np.asarray(cloud.return_number, dtype=np.uint8),
        number_of_returns=np.asarray(cloud.number_of_returns, dtype=np.uint8),
    )
    found = classify(classify_ground(points)).classification == Class.BUILDING
    true = np.asarray(cloud.classification) == Class.BUILDING
    assert (found & true).sum() / found.sum() > 0.95
    assert (found & true).sum() / true.sum() > 0.75
