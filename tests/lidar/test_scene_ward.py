"""Wards of any seed hold together, and what is planted in them is exactly what differs."""

from collections import Counter
from datetime import date
from functools import cache

import numpy as np
import pytest
from shapely import STRtree

from lidar.scene.differences import true_differences
from lidar.scene.permits import permit_no
from lidar.scene.planting import DIFFERENCES, LOOK_ALIKES
from lidar.scene.recipe import read_recipe
from lidar.scene.rules import balcony, density_pct, most_floors, rear_setback
from lidar.scene.solids import faults
from lidar.scene.ward import Ward, make_ward

SEEDS = range(12)


@cache
def ward(seed: int) -> Ward:
    return make_ward(read_recipe("alley"), seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_seed_has_enough_of_each_difference_and_look_alike(seed: int) -> None:
    document = true_differences(ward(seed).plan, ward(seed).stock)
    planted = Counter(row["kind"] for row in document["differences"] if row["planted"])
    assert all(planted[kind] >= (3 if kind == "no_permit" else 2) for kind in DIFFERENCES)
    alike = Counter(row["kind"] for row in document["look_alikes"])
    assert all(alike[kind] >= 1 for kind in LOOK_ALIKES)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_building_differs_only_where_that_was_planted(seed: int) -> None:
    """The truth is measured from geometry, not copied from what was planned."""
    made = ward(seed)
    planted = {standing.uid: standing.difference for standing in made.stock if standing.difference}
    found: dict[str, set[str]] = {}
    for row in true_differences(made.plan, made.stock)["differences"]:
        found.setdefault(row["building_uid"], set()).add(row["kind"])
    assert set(found) == set(planted)
    assert all(kind in found[uid] for uid, kind in planted.items())


@pytest.mark.parametrize("seed", SEEDS)
def test_every_solid_is_closed_and_every_plan_valid(seed: int) -> None:
    for standing in ward(seed).stock:
        assert faults(standing.structure.solid) == []
        assert standing.footprint.is_valid
        assert not standing.footprint.is_empty


@pytest.mark.parametrize("seed", SEEDS)
def test_parcels_do_not_overlap_and_keep_off_the_streets(seed: int) -> None:
    plan = ward(seed).plan
    polygons = [plot.polygon for plot in plan.plots]
    tree = STRtree(polygons)
    for first, second in zip(*tree.query(polygons, predicate="intersects"), strict=True):
        if first < second:
            assert polygons[first].intersection(polygons[second]).area < 0.2
    streets = STRtree([street.area for street in plan.streets])
    for k, index in zip(*streets.query(polygons, predicate="intersects"), strict=True):
        assert polygons[k].intersection(plan.streets[index].area).area < 0.05 * polygons[k].area


@pytest.mark.parametrize("seed", SEEDS)
def test_buildings_do_not_stand_in_each_other(seed: int) -> None:
    footprints = [standing.footprint for standing in ward(seed).stock]
    tree = STRtree(footprints)
    for first, second in zip(*tree.query(footprints, predicate="intersects"), strict=True):
        if first < second:
            assert footprints[first].intersection(footprints[second]).area < 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_every_ward_has_most_kinds_of_buildings_roofs_and_land(seed: int) -> None:
    made = ward(seed)
    kinds = {standing.built.kind for standing in made.stock}
    assert {"house", "shop", "villa", "tower", "apartments", "school", "market", "pagoda"} <= kinds
    roofs = {standing.structure.roof for standing in made.stock}
    assert {"parapet", "flat", "gabled", "hipped", "shed", "stepped", "saw-tooth", "tiers", "terraces"} <= roofs
    terrain = made.terrain
    assert terrain.water.any()
    assert terrain.pit.any()
    assert terrain.bank.any()
    assert len(made.decks) == 2
    assert float(terrain.heights.max() - np.median(terrain.heights)) > 3.0


@pytest.mark.parametrize("seed", SEEDS)
def test_permits_are_dated_consistently_and_refer_to_what_exists(seed: int) -> None:
    made = ward(seed)
    permits = {row["permit_no"]: row for row in made.registers.layers["permits"]}
    parcels = {row["uid"] for row in made.registers.layers["parcels"]}
    assert len(permits) == len(made.registers.layers["permits"])
    for row in permits.values():
        assert date.fromisoformat(row["issued"]) < date(2025, 3, 8)
        assert row["expires"] is None or row["expires"] > row["issued"]
        assert (row["status"] == "superseded") == (row["superseded_by"] is not None)
        assert row["superseded_by"] is None or permits[row["superseded_by"]]["type"] == "renovation"
        assert row["parcel_uid"].split("-2003")[0] in parcels
        assert row["ground_area_m2"] == pytest.approx(row["geom"].area, abs=0.06)
    for standing in made.stock:
        assert (permit_no(standing.plot) in permits) == (standing.difference != "no_permit")


@pytest.mark.parametrize("seed", SEEDS)
def test_what_stands_keeps_to_its_permit_in_height_unless_planted(seed: int) -> None:
    made = ward(seed)
    permits = {row["permit_no"]: row for row in made.registers.layers["permits"]}
    for standing in made.stock:
        permit = permits.get(permit_no(standing.plot))
        if permit is None:
            continue
        top = standing.structure.main_top - standing.structure.ground
        if standing.difference == "storeys":
            assert top > permit["height_m"] + 2.5
        else:
            assert top <= permit["height_m"] + 0.01


def test_base_map_is_off_by_its_sigma() -> None:
    made = ward(1)
    truth = {standing.uid: standing.footprint for standing in made.stock}
    shifts = []
    for row in made.registers.layers["footprints"]:
        if row["uid"] in truth:
            true, mapped = truth[row["uid"]].centroid, row["geom"].centroid
            shifts += [mapped.x - true.x, mapped.y - true.y]
    assert 0.08 < float(np.std(shifts)) < 0.2
    assert len(made.registers.layers["footprints"]) < len(made.stock)


@pytest.mark.parametrize(
    ("area", "percent"), [(40.0, 100.0), (50.0, 100.0), (75.0, 95.0), (100.0, 90.0), (250.0, 65.0), (900.0, 50.0)]
)
def test_density_is_linear_between_the_rows_of_the_table(area: float, percent: float) -> None:
    assert density_pct(area) == pytest.approx(percent)


def test_floors_setbacks_and_balconies_follow_the_annex() -> None:
    assert [most_floors(width) for width in (2.0, 3.5, 6.0, 16.0, 25.0)] == [3, 3, 4, 5, 6]
    assert [rear_setback(60, depth) for depth in (8.0, 9.0, 16.0)] == [0.0, 1.0, 2.0]
    assert rear_setback(45, 20) == 0.0
    assert [balcony(width) for width in (6.9, 7.0, 12.0, 20.0)] == [0.0, 0.9, 1.2, 1.4]


@pytest.mark.parametrize("seed", SEEDS)
def test_zones_allow_what_was_permitted_on_sites(seed: int) -> None:
    made = ward(seed)
    zones = {int(row["uid"].split("-")[1]) - 1: row for row in made.registers.layers["planning_zones"]}
    for standing in made.stock:
        plot = made.plan.plots[standing.plot]
        zone = zones[plot.block]
        assert standing.permitted.floors <= zone["floors_max"]
        if plot.kind not in ("house", "shop", "villa"):
            assert standing.footprint.area <= zone["density_pct"] / 100 * plot.polygon.area
