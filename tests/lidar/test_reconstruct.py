from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon, Point, Polygon, affinity, box

from gis.city_model.building import Building, Reason
from gis.crs import normalise
from gis.grid import Grid
from lidar import reconstruct
from lidar.building_attributes import with_party_walls
from lidar.footprints import Footprints, read_footprints
from lidar.point_cloud import Class, PointCloud
from lidar.read import read_many
from lidar.reconstruct import reconstruct_all
from lidar.terrain import rasterise
from lidar.validate import defects

from .buildings_samples import CRS, level_terrain, scanned

EXTENT = (0.0, 0.0, 60.0, 60.0)
GROUND = 2.0


def one(outline: Polygon, points: PointCloud, height: float = GROUND) -> Building:
    return reconstruct_all(Footprints.of([("b", outline)], CRS), points, level_terrain(*EXTENT, height))[0]


def test_a_flat_roof_gets_its_height_and_a_small_sigma() -> None:
    outline = box(10, 10, 14, 25)
    made = one(outline, scanned(EXTENT, [(outline, 12.5)]))
    assert made.reason is Reason.NONE
    assert (made.lod, sorted(made.coarser)) == ("2.2", ["1.2", "1.3"])
    assert made.height == pytest.approx(10.5, abs=0.05)
    assert 0.05 < made.sigma_height < 0.15
    assert made.ground_height == pytest.approx(GROUND, abs=1e-3)


def test_a_derived_outline_says_how_far_points_support_it_and_a_known_one_does_not() -> None:
    outline = box(10, 10, 20, 25)
    points = scanned(EXTENT, [(outline, 9.0)])
    outlines = Footprints.of([("known", outline), ("derived", outline)], CRS)
    outlines = replace(outlines, derived=np.array([False, True]), confidence=np.array([1.0, 0.654]))
    known, derived = reconstruct_all(outlines, points, level_terrain(*EXTENT))
    assert "footprint_confidence" not in known.attributes
    assert derived.attributes["footprint_confidence"] == 0.654


def test_a_sloping_roof_gets_the_percentiles_of_its_surface() -> None:
    outline = box(10, 10, 20, 30)
    made = one(outline, scanned(EXTENT, [(outline, lambda x, _y: 10 + (x - 10) * 0.5)]))
    assert made.roof_height_70p == pytest.approx(13.5, abs=0.1)
    assert made.roof_height_50p == pytest.approx(12.5, abs=0.1)
    assert made.roof_height_min == pytest.approx(10.0, abs=0.35)
    assert made.roof_height_max == pytest.approx(15.0, abs=0.3)


def test_sigma_covers_the_error_over_many_surveys() -> None:
    outline = box(10, 10, 14, 25)
    truth = 10 + 4 * 0.7 * 0.5
    errors, sigmas = [], []
    for seed in range(60):
        moved = affinity.translate(outline, *np.random.default_rng(seed).normal(0, 0.15, 2))
        roof = scanned(EXTENT, [(outline, lambda x, _y: 10 + (x - 10) * 0.5)], seed=seed, density=6)
        made = one(moved, roof)
        errors.append(made.roof_height_70p - truth)
        sigmas.append(made.sigma_height)
    assert np.mean(np.abs(errors) < 2 * np.array(sigmas)) > 0.9
    assert np.median(sigmas) < 6 * np.std(errors)


def test_strip_overlap_on_half_of_the_roof_does_not_move_its_percentiles() -> None:
    outline = box(10, 10, 20, 30)
    single = scanned(EXTENT, [(outline, lambda x, _y: 10 + (x - 10) * 0.5)])
    low = scanned((10, 10, 14, 30), [(outline, lambda x, _y: 10 + (x - 10) * 0.5)], density=60, seed=9)
    both = PointCloud.concatenated([single, low])
    assert one(outline, both).roof_height_70p == pytest.approx(one(outline, single).roof_height_70p, abs=0.08)


def test_a_point_five_hundred_metres_up_changes_nothing() -> None:
    outline = box(10, 10, 14, 25)
    points = scanned(EXTENT, [(outline, 12.5)])
    bird = PointCloud.from_xyz(np.array([12.0]), np.array([15.0]), np.array([512.0]), CRS,
                               classification=np.array([6], dtype=np.uint8))  # fmt: skip
    made = one(outline, PointCloud.concatenated([points, bird]))
    assert made.roof_height_max == one(outline, points).roof_height_max
    assert made.height == one(outline, points).height


def test_trees_over_a_roof_do_not_count() -> None:
    outline = box(10, 10, 14, 25)
    roof = scanned(EXTENT, [(outline, 12.5)])
    crown = scanned((10, 10, 14, 25), [(outline, lambda x, y: 15 + 3 * np.sin(7 * x) * np.cos(9 * y))], seed=5)
    crown = crown.with_classification(np.full(len(crown), Class.HIGH_VEGETATION, dtype=np.uint8))
    assert one(outline, PointCloud.concatenated([roof, crown])).height == pytest.approx(10.5, abs=0.05)


def test_points_nobody_classified_still_give_the_roof() -> None:
    outline = box(10, 10, 20, 30)
    roof = scanned(EXTENT, [(outline, 12.5)])
    crown = scanned((10, 10, 20, 14), [(outline, lambda x, y: 15 + 3 * np.sin(7 * x) * np.cos(9 * y))], seed=5)
    both = PointCloud.concatenated([roof, crown])
    bare = both.with_classification(np.where(both.classification == Class.GROUND, 2, 1).astype(np.uint8))
    assert one(outline, bare).height == pytest.approx(10.5, abs=0.1)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_under_five_roof_points_there_is_no_height(count: int) -> None:
    outline = box(10, 10, 14, 25)
    ground = scanned(EXTENT, [])
    where = np.linspace(11, 24, count)
    roof = PointCloud.from_xyz(np.full(count, 12.0), where, np.full(count, 9.0), CRS,
                               classification=np.full(count, 6, dtype=np.uint8))  # fmt: skip
    made = one(outline, PointCloud.concatenated([ground, roof]))
    assert (made.reason, made.lod, made.solid) == (Reason.FEW_POINTS, "0", None)
    assert np.isnan(made.height)
    assert np.isnan(made.sigma_height)


def test_five_and_twenty_points_give_a_height() -> None:
    outline = box(10, 10, 14, 25)
    for count in (5, 20):
        where = np.linspace(11, 24, count)
        roof = PointCloud.from_xyz(np.full(count, 12.0), where, np.full(count, 9.0), CRS,
                                   classification=np.full(count, 6, dtype=np.uint8))  # fmt: skip
        made = one(outline, roof)
        assert made.height == pytest.approx(7.0)
        assert made.point_count == count


def test_without_points_or_terrain_the_reason_says_so() -> None:
    points = scanned(EXTENT, [(box(10, 10, 14, 25), 12.5)])
    outside = one(box(200, 200, 210, 210), points)
    assert outside.reason is Reason.NO_POINTS
    bare = level_terrain(*EXTENT)
    bare.dtm.values[:] = np.nan
    made = reconstruct_all(Footprints.of([("b", box(10, 10, 14, 25))], CRS), points, bare)[0]
    assert made.reason is Reason.NO_TERRAIN


def star(corners: int, radius: float) -> Polygon:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    wave = radius * (1 + 0.05 * np.sin(90 * angles))
    return Polygon(np.column_stack([30 + wave * np.cos(angles), 30 + wave * np.sin(angles)]))


AWKWARD = {
    "triangle": Polygon([(10, 10), (20, 10), (10, 20)]),
    "court": Point(30, 30).buffer(20).difference(Point(30, 30).buffer(8)),
    "touching court": Polygon(box(10, 10, 30, 30).exterior, [[(10, 20), (20, 15), (20, 25)]]),
    "ten thousand corners": star(10_000, 20),
    "self-crossing": Polygon([(10, 10), (20, 20), (20, 10), (10, 20)]),
    "hair-thin": box(10, 10, 40, 10.05),
    "spike": Polygon([(10, 10), (20, 10), (20, 20), (15, 20), (15, 50), (15.0005, 20), (10, 20)]),
    "two parts": MultiPolygon([box(5, 5, 15, 15), box(20, 20, 40, 40)]),
    "wider than the points": box(-200, -200, 200, 200),
}


def test_a_hall_of_ten_hectares_is_modelled() -> None:
    hall = box(0, 0, 400, 250)
    extent = (-5.0, -5.0, 405.0, 255.0)
    points = scanned(extent, [(hall, 9.0), (box(200, 0, 400, 250), 14.0)], density=1.5)
    made = reconstruct_all(Footprints.of([("hall", hall)], CRS), points, level_terrain(*extent))[0]
    assert (made.lod, made.reason) == ("2.2", Reason.NONE)
    assert float(made.attributes["volume_lod22_m3"]) == pytest.approx(50_000 * (7.0 + 12.0), rel=0.002)


def test_an_outline_on_water_has_no_model() -> None:
    points = scanned(EXTENT, [(box(10, 10, 20, 20), 2.0)])
    wet = points.with_classification(np.full(len(points), Class.WATER, dtype=np.uint8))
    made = one(box(10, 10, 20, 20), wet)
    assert (made.lod, made.solid, made.reason) == ("0", None, Reason.FEW_POINTS)


def test_two_buildings_of_one_outline_are_the_same() -> None:
    outline = box(10, 10, 14, 25)
    points = scanned(EXTENT, [(outline, lambda x, _y: 10 + (x - 10) * 0.5)])
    twice = Footprints.of([("one", outline), ("other", outline)], CRS)
    first, second = reconstruct_all(twice, points, level_terrain(*EXTENT))
    assert first.solid is not None
    assert second.solid is not None
    np.testing.assert_array_equal(first.solid.vertices, second.solid.vertices)
    assert (first.attributes, first.solid.faces) == (second.attributes, second.solid.faces)


def test_a_corner_given_twice_changes_nothing() -> None:
    outline = box(10, 10, 14, 25)
    points = scanned(EXTENT, [(outline, 12.5)])
    twice = Polygon([xy for xy in outline.exterior.coords[:-1] for _ in range(2)])
    made, plain = one(twice, points), one(outline, points)
    assert made.solid is not None
    assert plain.solid is not None
    assert defects(made.solid) == ()
    assert made.lod == "2.2"
    assert made.height == plain.height


@pytest.mark.parametrize("step", ["attributes_of", "no_data_radius", "_sound"])
def test_a_fault_in_any_step_of_one_building_stops_no_other(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    outlines = {"sound": box(10, 10, 14, 25), "faulty": box(30, 10, 34, 25)}
    points = scanned(EXTENT, [(outline, 12.5) for outline in outlines.values()])
    genuine, calls = getattr(reconstruct, step), []

    def second_time(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise ZeroDivisionError
        return genuine(*arguments)

    monkeypatch.setattr(reconstruct, step, second_time)
    made = {
        one.uid: one for one in reconstruct_all(Footprints.of(outlines.items(), CRS), points, level_terrain(*EXTENT))
    }
    assert (made["sound"].lod, made["sound"].reason) == ("2.2", Reason.NONE)
    assert made["faulty"].reason is Reason.FAILED
    assert made["faulty"].height == pytest.approx(10.5, abs=0.05)


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_outlines_give_valid_solids_or_a_reason(name: str) -> None:
    footprints = Footprints.of([(name, AWKWARD[name])], CRS)
    points = scanned(EXTENT, [(box(0, 0, 60, 60), 12.0)])
    for made in reconstruct_all(footprints, points, level_terrain(*EXTENT)):
        assert made.solid is not None or made.reason is not Reason.NONE
        assert (made.lod == "2.2") == (made.reason is Reason.NONE)
        assert made.solid is None or defects(made.solid) == ()
    assert len(footprints) > 0


def test_a_building_does_not_depend_on_order_tile_or_company() -> None:
    random = np.random.default_rng(3)
    outlines = [(f"b{i}", box(x, y, x + 6, y + 9)) for i, (x, y) in enumerate(random.uniform(0, 50, (40, 2)))]
    points = scanned((-5, -5, 65, 65), [(b, 5.0 + i % 7) for i, (_, b) in enumerate(outlines)])
    terrain = level_terrain(-5, -5, 65, 65)
    whole = {b.uid: b for b in reconstruct_all(Footprints.of(outlines, CRS), points, terrain)}
    mixed = points.subset(random.permutation(len(points)))
    for uid, outline in reversed(outlines[:12]):
        west, south, east, north = outline.bounds
        near = mixed.subset((mixed.x > west - 2) & (mixed.x < east + 2) & (mixed.y > south - 3) & (mixed.y < north + 3))
        alone = reconstruct_all(Footprints.of([(uid, outline)], CRS), near, terrain)[0]
        for name in ("height", "sigma_height", "roof_height_min", "roof_height_max", "point_count", "no_data_fraction"):
            assert getattr(alone, name) == getattr(whole[uid], name), name


@pytest.mark.shared_data
def test_heights_in_delft_agree_with_the_reference_model(shared_data: Path) -> None:
    folder = shared_data / "delft_north"
    points = read_many([folder / "ahn3_1.laz", folder / "ahn3_2.laz"], crs=normalise("EPSG:28992+5709"))
    footprints = read_footprints(folder / "footprints.geojson")
    terrain = rasterise(points, Grid.covering(points.bounds, 0.5))
    reference = {}
    for line in (folder / "reference_lod22.city.jsonl").read_text().splitlines()[1:]:
        for uid, thing in json.loads(line)["CityObjects"].items():
            if thing["type"] == "Building":
                reference[uid] = thing["attributes"]
    made = reconstruct_all(footprints, points, terrain)
    assert {b.reason for b in made} == {Reason.NONE}
    assert all(b.solid is not None and defects(b.solid) == () for b in made)
    roof = np.array([b.roof_height_70p - reference[b.uid]["h_dak_70p"] for b in made])
    ground = np.array([b.ground_height - reference[b.uid]["h_maaiveld"] for b in made])
    assert np.sqrt(np.mean(roof**2)) < 0.20
    assert np.sqrt(np.mean(ground**2)) < 0.20
    assert shapely.area([b.footprint for b in made]) == pytest.approx([b.area for b in made], abs=0.01)


def test_a_fault_in_one_building_leaves_its_block_and_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    outlines = {"sound": box(10, 10, 14, 25), "faulty": box(30, 10, 34, 25)}
    points = scanned(EXTENT, [(outline, 12.5) for outline in outlines.values()])
    genuine = reconstruct.detailed_models

    def faulty(polygon: Polygon, *rest: Any) -> Any:
        if polygon.bounds[0] == 30:
            raise ZeroDivisionError
        return genuine(polygon, *rest)

    monkeypatch.setattr(reconstruct, "detailed_models", faulty)
    footprints = Footprints.of(outlines.items(), CRS)
    made = {one.uid: one for one in reconstruct_all(footprints, points, level_terrain(*EXTENT))}
    assert (made["sound"].lod, made["sound"].reason) == ("2.2", Reason.NONE)
    assert (made["faulty"].lod, made["faulty"].reason) == ("1.2", Reason.FAILED)
    assert made["faulty"].solid is not None
    assert defects(made["faulty"].solid) == ()


def test_walls_of_a_row_are_parted_into_shared_and_outer_ones() -> None:
    outlines = {"one": box(10, 10, 14, 25), "two": box(14, 10, 18, 25)}
    points = scanned(EXTENT, [(outlines["one"], 8.0), (outlines["two"], 12.0)])
    footprints = Footprints.of(outlines.items(), CRS)
    row = with_party_walls(reconstruct_all(footprints, points, level_terrain(*EXTENT)))
    for one in row:
        shared, outer = one.attributes["area_party_wall_m2"], one.attributes["area_outer_wall_m2"]
        assert shared == pytest.approx(15 * (8.0 - GROUND), abs=2.0)
        assert float(shared) + float(outer) == pytest.approx(float(one.attributes["area_wall_m2"]), abs=0.02)
