from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely import Polygon, affinity, box

from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.grid import Grid
from lidar.derive_footprints import derive_footprints
from lidar.footprints import Footprints, read_footprints
from lidar.point_cloud import Class, PointCloud
from lidar.read import read_many
from lidar.terrain import rasterise

from .buildings_samples import level_terrain, scanned

EXTENT = (0.0, 0.0, 80.0, 80.0)


def overlap(a: Polygon, b: Polygon) -> float:
    common = a.intersection(b).area
    return float(common / (a.area + b.area - common))


def best_overlap(truth: Polygon, found: Footprints) -> float:
    return max((overlap(truth, p) for p in found.polygons), default=0.0)


def derived(roofs: list[tuple[Polygon, float]], **kwargs: float) -> Footprints:
    return derive_footprints(scanned(EXTENT, roofs, **kwargs), level_terrain(*EXTENT))  # type: ignore[arg-type]


@pytest.mark.parametrize("turn", [0, 7, 23, 45, 61, 88])
@pytest.mark.parametrize("density", [4.0, 16.0])
def test_a_house_is_found_with_right_angles_in_any_direction(turn: float, density: float) -> None:
    house = affinity.rotate(Polygon([(30, 30), (48, 30), (48, 40), (40, 40), (40, 46), (30, 46)]), turn)
    found = derived([(house, 9.0)], density=density)
    assert len(found) == 1
    assert overlap(house, found.polygons[0]) > 0.88
    corners = shapely.get_coordinates(found.polygons[0].exterior)[:-1]
    assert len(corners) == 6
    sides = np.roll(corners, -1, axis=0) - corners
    turns = np.degrees(np.arctan2(sides[:, 1], sides[:, 0])) % 90
    assert np.ptp((turns - turns[0] + 45) % 90) < 0.01


def test_a_row_of_houses_is_parted_at_their_steps() -> None:
    heights = [8.0, 11.2, 8.3, 14.6, 11.4, 8.1, 11.3, 7.9]
    row = [affinity.rotate(box(20 + 4.2 * i, 30, 24.2 + 4.2 * i, 45), 17, origin=(40, 40)) for i in range(8)]
    found = derived(list(zip(row, heights, strict=True)))
    assert len(found) == 8
    assert np.median([best_overlap(house, found) for house in row]) > 0.88
    assert min(best_overlap(house, found) for house in row) > 0.75


def test_a_stair_head_and_a_tank_stay_with_their_house() -> None:
    house = box(30, 30, 35, 48)
    found = derived([(house, 9.0), (box(31, 36, 34, 40), 11.6), (box(31.5, 44, 33, 45.5), 10.8)])
    assert len(found) == 1
    assert overlap(house, found.polygons[0]) > 0.9


def test_a_courtyard_stays_open() -> None:
    house = box(25, 25, 50, 50).difference(box(33, 33, 43, 43))
    found = derived([(house, 9.0)])
    assert len(found.polygons[0].interiors) == 1
    assert overlap(house, found.polygons[0]) > 0.9


def test_sheds_under_eight_square_metres_and_trees_are_none() -> None:
    tree = shapely.Point(60, 60).buffer(4)
    shed = box(30, 30, 32.5, 32.5)
    points = scanned(EXTENT, [(shed, 5.0), (tree, lambda x, y: 9 + 2 * np.sin(5 * x) * np.cos(4 * y))])
    crown = shapely.contains_xy(tree, points.x, points.y)
    points = points.with_classification(np.where(crown, Class.HIGH_VEGETATION, points.classification).astype(np.uint8))
    assert len(derive_footprints(points, level_terrain(*EXTENT))) == 0


def test_points_nobody_classified_give_houses_too() -> None:
    house = box(30, 30, 45, 42)
    points = scanned(EXTENT, [(house, 9.0)])
    points = points.with_classification(np.where(points.classification == 2, 2, 1).astype(np.uint8))
    found = derive_footprints(points, level_terrain(*EXTENT))
    assert len(found) == 1
    assert overlap(house, found.polygons[0]) > 0.88


def test_outlines_do_not_depend_on_the_extent_or_on_the_order_of_points() -> None:
    random = np.random.default_rng(4)
    roofs = []
    for x in range(4, 72, 17):
        for y in range(4, 72, 17):
            house = affinity.rotate(
                box(x, y, x + random.uniform(4, 11), y + random.uniform(5, 11)), random.uniform(0, 90)
            )
            roofs.append((house, float(random.uniform(6, 12))))
    points = scanned(EXTENT, roofs)
    whole = derive_footprints(points, level_terrain(*EXTENT))
    mixed = points.subset(random.permutation(len(points)))
    part = derive_footprints(mixed, level_terrain(11.0, 13.5, 70.0, 61.0))
    complete = part.subset(part.complete)
    known = dict(zip(whole.uids, whole.polygons, strict=True))
    assert len(complete) > 4
    assert all(shapely.equals_exact(known[u], p) for u, p in zip(complete.uids, complete.polygons, strict=True))
    inner = BoundingBox(30, 30, 50, 45, points.crs)
    assert set(part.within(inner).uids) == set(whole.within(inner).uids)


def test_blocks_that_touch_the_bounds_asked_for_come_out_the_same() -> None:
    random = np.random.default_rng(5)
    row = affinity.rotate(box(12, 30, 44, 36), 40, origin=(28, 33))
    roofs = [(row, 9.0)] + [
        (affinity.rotate(box(x, y, x + 7, y + 9), random.uniform(0, 90)), float(random.uniform(6, 12)))
        for x, y in ((4, 4), (60, 8), (40, 4), (60, 60), (8, 60), (44, 44), (64, 36))
    ]
    points = scanned(EXTENT, roofs)
    whole = derive_footprints(points, level_terrain(*EXTENT))
    for west in (5.0, 20.0, 45.0):
        bounds = BoundingBox(west, 22.0, west + 12.0, 30.0, points.crs)
        part = derive_footprints(points, level_terrain(*EXTENT), within=bounds)
        assert len(part) < len(whole), "nothing was left out"
        assert part.touching(bounds).uids == whole.touching(bounds).uids
        assert all(shapely.equals_exact(part.touching(bounds).polygons, whole.touching(bounds).polygons))


def test_a_house_at_the_extents_edge_is_marked() -> None:
    found = derived([(box(-5, 30, 12, 40), 9.0), (box(30, 30, 42, 40), 9.0)])
    assert sorted(found.complete) == [False, True]


def test_an_outlines_sides_lie_within_their_sigma_where_points_are_strewn() -> None:
    random = np.random.default_rng(11)
    house = [
        affinity.rotate(box(x, y, x + random.uniform(8, 12), y + random.uniform(8, 12)), random.uniform(0, 90))
        for x in range(4, 70, 18)
        for y in range(4, 70, 18)
    ]
    spread = []
    for density in (2.0, 8.0):
        found = derived([(outline, 9.0) for outline in house], density=density)
        assert len(found) == len(house)
        off = []
        for outline, sigma in zip(found.polygons, found.sigma_xy, strict=True):
            truth = max(house, key=lambda other: overlap(other, outline))
            corners = shapely.get_coordinates(truth.exterior)
            middles = shapely.points((corners[1:] + corners[:-1]) / 2.0)
            off.append(shapely.distance(middles, outline.exterior) / sigma)
        assert np.mean(np.concatenate(off) < 1.0) > 0.55
        assert np.mean(np.concatenate(off) < 2.0) > 0.85
        spread.append(float(np.median(found.sigma_xy)))
    assert spread[1] < 0.75 * spread[0], "more points say no more"


def test_a_house_that_points_show_is_surer_than_one_of_no_shape() -> None:
    house, round_one = box(20, 20, 34, 32), shapely.Point(60, 60).buffer(7)
    found = derived([(house, 9.0), (round_one, 9.0)])
    known = {overlap(house, p) > 0.5: c for p, c in zip(found.polygons, found.confidence, strict=True)}
    assert known[True] > 0.75
    assert 0.0 <= known[False] < 0.5


def test_a_wall_seen_supports_an_outline_and_a_wall_only_carried_on_does_not() -> None:
    row = [(box(20, 20, 27, 36), 9.0), (box(27, 20, 34, 36), 12.0)]
    part = [(box(20, 20, 27, 36), 9.0), (box(27, 20, 34, 30), 12.0), (box(27, 30, 34, 36), 9.0)]
    sure, unsure = (np.median(derived(roofs).confidence) for roofs in (row, part))
    assert sure > 0.75
    assert unsure < sure - 0.05


def test_nothing_is_derived_from_nothing() -> None:
    none = PointCloud.from_xyz(np.empty(0), np.empty(0), np.empty(0), normalise(9210))
    assert len(derive_footprints(none, level_terrain(*EXTENT))) == 0


@pytest.mark.shared_data
def test_outlines_in_amsterdam_cover_what_the_register_covers(shared_data: Path) -> None:
    points = read_many([shared_data / "amsterdam_a" / "ahn_2386_9702.laz"], crs=normalise(28992))
    known = read_footprints(shared_data / "amsterdam_a" / "bgt_buildings_demo.csv", crs=28992)
    grid = Grid.covering(points.bounds, 0.5)
    found = derive_footprints(points, rasterise(points, grid))
    window = grid.bounds.polygon
    mine, theirs = shapely.union_all(found.polygons), shapely.union_all(known.polygons).intersection(window)
    assert overlap(mine, theirs) > 0.7
    assert all(shapely.is_valid(found.polygons))
