"""Sections hold the points of their strip, placed along the line, against the distance of each point by hand."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import LineString, Polygon, affinity, box

from gis.crs import normalise
from gis.errors import BadParameter
from lidar.point_cloud import PointCloud
from lidar.section import long_axis, section

CRS = normalise("EPSG:9210+5727")


def cloud() -> PointCloud:
    rng = np.random.default_rng(3)
    x, y, z = rng.uniform(0, 50, 5000), rng.uniform(0, 50, 5000), rng.uniform(0, 20, 5000)
    return PointCloud.from_xyz(x, y, z, CRS, classification=rng.integers(1, 7, 5000).astype(np.uint8))


def test_points_of_a_strip_lie_where_a_turned_frame_puts_them() -> None:
    points, line, width = cloud(), LineString([(10, 5), (40, 45)]), 4.0
    start, along = np.array([10.0, 5.0]), np.array([0.6, 0.8])
    offset = np.column_stack([points.x, points.y]) - start
    place, across = offset @ along, offset @ np.array([-0.8, 0.6])
    inside = (place >= 0) & (place <= 50) & (np.abs(across) <= width / 2)
    order = np.argsort(place[inside], kind="stable")
    found = section(points, line, width)
    np.testing.assert_allclose(found.along, place[inside][order], atol=1e-9)
    np.testing.assert_allclose(found.across, np.abs(across[inside][order]), atol=1e-9)
    np.testing.assert_array_equal(found.height, points.z[inside][order])
    np.testing.assert_array_equal(found.points.classification, points.classification[inside][order])


@pytest.mark.parametrize("angle", [0, 30, 90, 135, 271])
def test_the_long_axis_of_a_turned_house_runs_through_its_middle(angle: float) -> None:
    house = affinity.rotate(box(100, 200, 104, 218), angle)
    line = long_axis(house, beyond=3.0)
    assert line.length == pytest.approx(18 + 6)
    assert line.interpolate(0.5, normalized=True).distance(house.centroid) == pytest.approx(0, abs=1e-6)
    inside = line.intersection(house)
    assert inside.length == pytest.approx(18)
    assert inside.centroid.distance(house.exterior) == pytest.approx(2)
    assert line.coords[0] <= line.coords[1]


@pytest.mark.parametrize(("line", "width"), [(LineString([(1, 1), (1, 1)]), 2.0), (LineString([(0, 0), (9, 9)]), 0.0)])
def test_a_section_without_extent_is_refused(line: LineString, width: float) -> None:
    with pytest.raises(BadParameter):
        section(cloud(), line, width)


def test_an_outline_without_area_has_no_axis() -> None:
    with pytest.raises(BadParameter, match="area"):
        long_axis(Polygon())
