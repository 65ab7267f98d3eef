from __future__ import annotations

from pathlib import Path

import laspy
import numba
import numpy as np
import pytest
from numpy.typing import NDArray
from pyproj import CRS

from gis.errors import BadInput
from lidar.accuracy import ground_errors
from lidar.ground import REACH, GroundParameters, classify_ground, ground_mask
from lidar.point_cloud import PointCloud

PEERS = {
    "samp11": (9.09, 12.01),
    "samp21": (1.94, 3.42),
    "samp23": (6.16, 4.79),
    "samp31": (3.10, 1.61),
    "samp42": (2.99, 1.58),
    "samp51": (3.35, 3.08),
    "samp53": (7.34, 5.20),
    "samp61": (1.70, 1.49),
}
"""Total error in per cent of SMRF and of CSF on the ISPRS samples, each with its published set of parameters."""


def columns_of(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    cloud = laspy.read(path)
    return (
        np.asarray(cloud.x, dtype=np.float64),
        np.asarray(cloud.y, dtype=np.float64),
        np.asarray(cloud.z, dtype=np.float64),
        np.asarray(cloud.classification, dtype=np.uint8),
    )


@pytest.mark.shared_data
def test_errors_on_the_isprs_samples_are_below_those_of_the_peers(shared_data: Path) -> None:
    errors = {}
    for sample in PEERS:
        x, y, z, classes = columns_of(shared_data / "isprs" / f"{sample}.laz")
        errors[sample] = ground_errors(ground_mask(x, y, z), classes == 2)
    assert np.mean([e.total for e in errors.values()]) < 0.0300
    assert np.mean([e.kappa for e in errors.values()]) > 0.880
    for sample, peers in PEERS.items():
        assert 100 * errors[sample].total < min(peers) + 1.0, sample


@pytest.mark.shared_data
@pytest.mark.parametrize(("sample", "tile"), [("samp53", 90.0), ("samp53", 137.0), ("samp11", 60.0)])
def test_tiles_with_a_buffer_give_exactly_the_untiled_ground(shared_data: Path, sample: str, tile: float) -> None:
    x, y, z, _ = columns_of(shared_data / "isprs" / f"{sample}.laz")
    whole = ground_mask(x, y, z)
    for west in np.arange(x.min(), x.max() + tile, tile):
        for south in np.arange(y.min(), y.max() + tile, tile):
            inside = (x >= west) & (x < west + tile) & (y >= south) & (y < south + tile)
            near = (np.abs(x - west - tile / 2) <= tile / 2 + REACH) & (
                np.abs(y - south - tile / 2) <= tile / 2 + REACH
            )
            if inside.any():
                tiled = ground_mask(x[near], y[near], z[near])
                np.testing.assert_array_equal(tiled[inside[near]], whole[inside])


@pytest.mark.shared_data
def test_order_and_threads_do_not_matter(shared_data: Path) -> None:
    x, y, z, _ = columns_of(shared_data / "isprs" / "samp53.laz")
    whole = ground_mask(x, y, z)
    shuffled = np.random.default_rng(3).permutation(len(x))
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        np.testing.assert_array_equal(ground_mask(x[shuffled], y[shuffled], z[shuffled]), whole[shuffled])
    finally:
        numba.set_num_threads(before)


def test_hedges_of_a_foot_are_no_ground_where_points_lie_close() -> None:
    generator = np.random.default_rng(8)
    x, y = generator.uniform(0, 60, (2, 36_000))
    z = generator.normal(0, 0.02, 36_000)
    hedge = (np.abs(x - 30) < 1) & (generator.random(36_000) < 0.5)
    z[hedge] += 0.3
    ground = ground_mask(x, y, z)
    assert ground[hedge].mean() < 0.05
    assert ground[~hedge].mean() > 0.995


def test_rough_ground_is_kept_where_points_lie_far_apart() -> None:
    generator = np.random.default_rng(9)
    x, y = generator.uniform(0, 200, (2, 10_000))
    z = generator.uniform(-0.2, 0.2, 10_000)
    assert ground_mask(x, y, z).mean() > 0.97


def test_a_hill_in_the_corner_of_the_data_is_ground() -> None:
    x, y = (each.ravel() + 0.5 for each in np.meshgrid(np.arange(120.0), np.arange(120.0)))
    assert ground_mask(x, y, np.maximum(0.0, 20.0 - 0.4 * np.hypot(x, y))).mean() > 0.99


@pytest.mark.parametrize("density", [0.3, 1.0, 4.0])
def test_the_ragged_edge_of_a_quarry_is_ground_and_what_stands_beside_it_is_not(density: float) -> None:
    """The plateau goes on as it lies up to its last tooth; all that stands on it is higher than what lies around."""
    generator = np.random.default_rng(12)
    x, y = generator.uniform(0, 120, (2, int(120 * 120 * density)))
    teeth = generator.uniform(-1.5, 1.5, 81)[(y / 1.5).astype(int)]
    behind = 60 + 4 * np.sin(y / 5) + teeth - x
    z = np.where(behind > 0, 15 + 0.03 * x, 0.0) + generator.normal(0, 0.03, len(x))
    house = (np.abs(x - 40) < 5) & (np.abs(y - 60) < 8)
    shed = (behind > 3) & (behind < 7) & (np.abs(y - 20) < 3)
    car = (behind > 1) & (behind < 3) & (np.abs(y - 40) < 2)
    hedge = (behind > 4) & (behind < 5) & (y > 50) & (y < 75)
    wall = (behind > 2) & (behind < 2.5) & (y > 80)
    things = ((house, 6.0), (shed, 2.5), (car, 1.5), (hedge, 1.0), (wall, 1.2))
    for thing, height in things:
        z[thing] += height
    ground = ground_mask(x, y, z)
    edge = (behind > 0) & (behind < 5) & ~np.any([thing for thing, _ in things], axis=0)
    assert ground[edge].mean() > 0.9
    assert ground[behind <= 0].mean() > 0.99
    for thing, height in things:
        assert thing.sum() > 1
        assert ground[thing].mean() < 0.05, height


def test_no_point_has_no_ground() -> None:
    empty = np.zeros(0)
    assert ground_mask(empty, empty, empty).shape == (0,)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_points_are_answered(n: int) -> None:
    line = np.arange(n, dtype=np.float64)
    assert ground_mask(line, line, np.zeros(n)).shape == (n,)


def test_points_in_a_line_are_ground() -> None:
    x = np.linspace(0, 200, 1000)
    assert ground_mask(x, np.full(1000, 7.3), 0.1 * x).mean() > 0.95


def test_a_million_points_at_one_place_are_answered() -> None:
    here = np.full(1_000_000, 5.0)
    assert ground_mask(here, here, here).shape == (1_000_000,)


def test_points_absurdly_far_apart_are_refused() -> None:
    far = np.array([0.0, 1e7])
    with pytest.raises(BadInput, match="too far"):
        ground_mask(far, far, np.zeros(2))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_coordinate_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(BadInput, match="finite"):
        ground_mask(np.array([0.0, bad]), np.zeros(2), np.zeros(2))


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(BadInput):
        ground_mask(np.zeros(3), np.zeros(2), np.zeros(3))


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(BadInput):
        GroundParameters(slope=-1.0)


def test_noise_keeps_its_class_and_drags_nothing_down() -> None:
    generator = np.random.default_rng(5)
    x, y = generator.uniform(0, 60, (2, 20_000))
    z = generator.normal(0, 0.03, 20_000)
    classes = np.zeros(20_000, dtype=np.uint8)
    z[:5], classes[:5] = -30.0, 7
    z[5:9], classes[5:9] = 90.0, 18
    points = classify_ground(PointCloud.from_xyz(x, y, z, CRS(9210), classification=classes))
    np.testing.assert_array_equal(points.classification[:9], classes[:9])
    assert (points.classification[9:] == 2).mean() > 0.999
