"""Areas, volumes, walls and fits of buildings against figures worked out by hand."""

from __future__ import annotations

from math import hypot, sqrt

import numpy as np
import pytest
from shapely import Point, box

from gis.city_model.building import Solid
from lidar.building_attributes import attributes_of, no_data_radius, party_walls, quality_code, storeys, survey_days
from lidar.reconstruct import block
from lidar.roof_models import detailed_models

OUTLINE = box(10.0, 20.0, 18.0, 30.0)
GROUND = 1.0
NOTHING = np.empty((0, 3))


def attributes(height_at_ridge: float) -> dict[str, float | int | str]:
    """Of a gable 8 m wide and 10 m long with eaves at 7 m."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(10.1, 18, 0.25), np.arange(20.1, 30, 0.25)))
    slope = (height_at_ridge - 7.0) / 4.0
    xyz = np.column_stack([x, y, 7.0 + slope * (4.0 - np.abs(x - 14.0))])
    models = detailed_models(OUTLINE, xyz, NOTHING, GROUND, GROUND + 1.5)
    roof = float(np.percentile(xyz[:, 2], 70))
    solids: dict[str, Solid] = {"1.2": block(OUTLINE, GROUND, roof), **models.solids}
    return attributes_of(models, solids, xyz, GROUND, roof, (0.1, 2.0), OUTLINE.area)


def test_a_gable_has_the_areas_and_the_volume_of_geometry() -> None:
    found = attributes(10.0)
    assert found["roof_type"] == "sloped"
    assert (found["roof_faces"], found["roof_planes"]) == (2, 2)
    assert found["area_ground_m2"] == pytest.approx(80.0, abs=0.01)
    assert found["area_flat_roof_m2"] == 0
    assert found["area_sloped_roof_m2"] == pytest.approx(2 * 10 * hypot(4, 3), abs=0.05)
    assert found["area_wall_m2"] == pytest.approx(36 * 6 + 8 * 3, abs=0.1)
    assert found["volume_lod22_m3"] == pytest.approx(80 * (6 + 1.5), abs=0.3)
    assert (found["ridge_height_m"], found["eave_height_m"]) == pytest.approx((10.0, 7.0), abs=0.01)


def test_sigma_of_the_volume_joins_that_of_height_and_of_area() -> None:
    found = attributes(10.0)
    height = float(found["volume_lod22_m3"]) / 80.0
    assert found["sigma_volume_lod22_m3"] == pytest.approx(hypot(80 * 0.1, height * 2.0), abs=0.02)


def test_a_model_of_the_roof_fits_its_points_and_a_block_does_not() -> None:
    found = attributes(10.0)
    assert float(found["rmse_lod22_m"]) < 0.005
    assert float(found["rmse_planes_m"]) < 0.005
    # Uniform heights over 3 m about their 70th percentile.
    assert found["rmse_lod12_m"] == pytest.approx(3 * sqrt(1 / 12 + 0.2**2), abs=0.03)


def test_the_quality_code_follows_the_accuracy_of_levels_of_detail() -> None:
    assert [quality_code(error) for error in (0.0, 0.2, 0.21, 0.5, 1.9, 4.0, 5.1)] == [4, 4, 3, 3, 2, 1, 0]


def test_days_of_a_survey_are_told_from_times_of_a_known_day_alone() -> None:
    # 2014-03-05 12:00 is second 1,078,056,016 of GPS time; 2 days later the survey went on.
    times = 78_056_016.0 + np.array([0.0, 60.0, 2 * 86_400.0])
    assert survey_days(times) == {"survey_first_day": "2014-03-05", "survey_last_day": "2014-03-07"}
    assert survey_days(np.array([400_000.0, 400_060.0])) == {}
    assert survey_days(np.zeros(5)) == {}
    assert survey_days(np.append(times, 0.0)) == {}
    assert survey_days(np.empty(0)) == {}


def test_a_level_roof_is_flat() -> None:
    found = attributes(7.0)
    assert (found["roof_type"], found["roof_faces"], found["area_sloped_roof_m2"]) == ("flat", 1, 0)
    assert (found["storeys"], found["storeys_least"], found["storeys_most"]) == (2, 1, 3)


def test_a_shed_of_one_storey_has_one() -> None:
    assert storeys(2.2) == {"storeys": 1, "storeys_least": 1, "storeys_most": 1}


def test_neighbours_share_their_wall_up_to_the_lower_roof() -> None:
    polygons = np.array([box(0, 0, 4, 10), box(4, 0, 8, 10), box(8, 10, 12, 20), box(20, 0, 24, 10)])
    ground, roof = np.array([1.0, 1.5, 1.0, 1.0]), np.array([9.0, 13.0, 9.0, np.nan])
    shared = party_walls(polygons, ground, roof)
    assert shared[:2] == pytest.approx(10 * (9.0 - 1.5), abs=0.5)
    assert shared[2:].tolist() == [0.0, 0.0], "one touches in a corner, one not at all"


def test_the_largest_hole_in_the_data_is_found() -> None:
    x, y = (a.ravel() for a in np.meshgrid(np.arange(0.1, 20, 0.3), np.arange(0.1, 20, 0.3)))
    away = np.hypot(x - 10, y - 8) > 3.0
    assert no_data_radius(box(0, 0, 20, 20), np.column_stack([x, y])[away]) == pytest.approx(3.0, abs=0.4)
    assert no_data_radius(box(0, 0, 20, 20), np.column_stack([x, y])) < 0.3
    assert no_data_radius(Point(5, 5).buffer(4), np.empty((0, 2))) == pytest.approx(4.0, abs=0.4)
