"""Wires and poles of a street with houses and trees; the truth is how the points were made."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pyproj import CRS

from lidar.classify import REACH, classify
from lidar.ground import classify_ground
from lidar.point_cloud import Class, PointCloud

RD = CRS.from_epsg(28992)
STREET, HOUSE, TREE, WIRE, POLE = range(5)
SPAN, TOP, SAG = 38.0, 12.0, 0.7


def part(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], kind: int) -> NDArray[np.float64]:
    return np.column_stack([x, y, z, np.full(len(x), kind)])


def street(density: float = 8.0, seed: int = 1, sag: float = SAG) -> tuple[PointCloud, NDArray[np.int64]]:
    """160 × 60 m: a street to the east with three wires on poles 38 m apart, houses on one side and trees."""
    rng = np.random.default_rng(seed)
    n = int(160 * 60 * density)
    x, y = rng.uniform(0, 160, n), rng.uniform(0, 60, n)
    roof = (y > 36) & (y < 48) & (x % 20 < 16)
    height = np.where(roof, 9.0 - 0.5 * np.abs(y - 42), 0.0)
    parts = [part(x, y, 5 + height + rng.normal(0, 0.02, n), STREET)]
    parts[0][roof, 3] = HOUSE
    for centre in np.arange(10, 160, 15):
        m = int(25 * density)
        direction, radius = rng.normal(size=(m, 3)), 2.5 * rng.uniform(0, 1, m) ** (1 / 3)
        ball = direction / np.linalg.norm(direction, axis=1, keepdims=True) * radius[:, None]
        parts.append(part(centre + ball[:, 0], 18 + ball[:, 1], 10 + ball[:, 2], TREE))
    for out in (-0.8, 0.0, 0.8):
        m = int(160 * density * 0.12)
        s = rng.uniform(0, 160, m)
        t = (s % SPAN) / SPAN
        z = 5 + TOP - 4 * sag * t * (1 - t) + rng.normal(0, 0.02, m)
        parts.append(part(s, 28.0 + out + rng.normal(0, 0.02, m), z, WIRE))
    for pole in np.arange(0, 160, SPAN):
        m = int(2.5 * density)
        parts.append(part(pole + rng.normal(0, 0.08, m), 28 + rng.normal(0, 0.08, m), 5 + rng.uniform(2, TOP, m), POLE))
    points = np.concatenate(parts)
    kind = points[:, 3].astype(np.int64)
    returns = np.where(np.isin(kind, (TREE, WIRE)), 2, 1).astype(np.uint8)
    cloud = PointCloud.from_xyz(*points[:, :3].T, RD, number_of_returns=returns, return_number=np.ones_like(returns))
    return classify_ground(cloud), kind


@pytest.mark.parametrize("density", [8.0, 16.0])
def test_wires_over_a_street_are_wires_and_nothing_else_is(density: float) -> None:
    points, kind = street(density)
    classes = classify(points).classification
    wire = classes == Class.WIRE_CONDUCTOR
    assert np.mean(wire[kind == WIRE]) > 0.8
    assert np.mean(np.isin(kind[wire], (WIRE, POLE))) > 0.98
    assert not np.any(wire[(kind == HOUSE) | (kind == STREET)])


def test_the_poles_that_carry_wires_are_towers() -> None:
    points, kind = street()
    tower = classify(points).classification == Class.TOWER
    assert np.mean(tower[(kind == POLE) & (points.z > 5 + TOP / 2)]) > 0.6
    assert np.mean(np.isin(kind[tower], (POLE, WIRE))) > 0.95


def test_without_wires_no_pole_is_a_tower_and_no_tree_a_wire() -> None:
    points, kind = street()
    bare = points.subset(kind != WIRE)
    assert not np.any(np.isin(classify(bare).classification, (Class.WIRE_CONDUCTOR, Class.TOWER)))


def test_an_eave_a_ridge_and_a_crane_of_single_returns_are_no_wires() -> None:
    points, _ = street()
    solid = PointCloud.from_xyz(points.x, points.y, points.z, RD, classification=points.classification)
    assert not np.any(classify(solid).classification == Class.WIRE_CONDUCTOR)


def test_a_survey_too_thin_for_wires_finds_none() -> None:
    points, _ = street(density=0.7)
    assert not np.any(classify(points).classification == Class.WIRE_CONDUCTOR)


def test_wires_do_not_depend_on_the_order_of_points_nor_on_tiles() -> None:
    points, _ = street()
    whole = classify(points)
    shuffled = np.random.default_rng(3).permutation(len(points))
    near, inside = points.x < 60.3 + REACH, points.x < 60.3
    mixed, part = classify(points.subset(shuffled)), classify(points.subset(near))
    for name in ("classification", "confidence"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(whole, name)[shuffled])
        np.testing.assert_array_equal(getattr(part, name)[inside[near]], getattr(whole, name)[inside])
