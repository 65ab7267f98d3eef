from __future__ import annotations

import numpy as np
from shapely import box, contains_xy

from lidar.point_cloud import Class, PointCloud
from lidar.roof_points import roof_points

from .buildings_samples import level_terrain, scanned

EXTENT = (0.0, 0.0, 40.0, 40.0)
HOUSE = box(10, 10, 20, 25)


def under(code: int, points: PointCloud) -> PointCloud:
    """The same points, what was building under another class."""
    kind = np.where(points.classification == Class.BUILDING, code, points.classification)
    return points.with_classification(kind.astype(np.uint8))


def test_a_roof_classified_as_vegetation_is_still_one() -> None:
    points = under(Class.HIGH_VEGETATION, scanned(EXTENT, [(HOUSE, lambda x, _y: 8 + 0.5 * (x - 10))]))
    inner = contains_xy(HOUSE.buffer(-1), points.x, points.y)
    assert roof_points(points, level_terrain(*EXTENT))[inner].mean() > 0.95


def test_a_crown_is_none() -> None:
    crown = scanned(EXTENT, [(HOUSE, lambda x, y: 8 + 2 * np.sin(5 * x) * np.cos(4 * y))])
    assert roof_points(under(Class.UNCLASSIFIED, crown), level_terrain(*EXTENT)).mean() < 0.005


def test_what_is_low_or_of_another_class_is_none() -> None:
    for height, code in ((3.5, Class.UNCLASSIFIED), (9.0, Class.BRIDGE_DECK), (9.0, Class.WATER), (9.0, Class.GROUND)):
        points = under(code, scanned(EXTENT, [(HOUSE, height)]))
        assert not roof_points(points, level_terrain(*EXTENT)).any()


def test_the_answer_for_a_point_depends_on_what_is_near_alone() -> None:
    points = under(Class.UNCLASSIFIED, scanned(EXTENT, [(HOUSE, 9.0), (box(25, 5, 33, 30), 6.0)]))
    terrain = level_terrain(*EXTENT)
    near = (points.x > 5) & (points.x < 24)
    inner = (points.x > 8) & (points.x < 21)
    assert np.array_equal(roof_points(points, terrain)[inner], roof_points(points.subset(near), terrain)[inner[near]])
