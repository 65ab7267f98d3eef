"""The measured city against the permitted city, on cases small enough to work out by hand."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom
from shapely import LineString, Polygon, box
from shapely.affinity import translate

from gis.construction.compliance import (
    ComplianceParameters,
    Difference,
    Kind,
    Observation,
    Parcel,
    Permit,
    Zone,
    differences,
)
from gis.construction.compliance.adjust import adjusted
from gis.construction.compliance.heights import too_high
from gis.construction.compliance.place import Placed
from gis.construction.compliance.resolvable import Survey, detectable
from gis.construction.compliance.storeys import STOREY, STOREY_SIGMA, storeys_of
from gis.construction.compliance.walls import farthest_beyond, outside_of, walls_of
from gis.construction.proposal import Road

ROAD = Road("South Street", LineString([(-50, -5), (100, -5)]), 8.0)
"""Runs along the south of the parcels, whose fronts lie on y = 0."""
PARCEL = Parcel("p1", box(0, 0, 5, 20))
NEIGHBOUR = Parcel("p2", box(5, 0, 10, 20))
PERMIT = Permit("GP1", "p1", box(0, 2, 5, 18), height=13.6, floors=4, setback_front=2.0)
HOUSE = Observation("b1", box(0, 2, 5, 18), height=13.6, sigma_height=0.1, sigma_outline=0.15, known=True)


def found(house: Observation, *, permits: tuple[Permit, ...] = (PERMIT,)) -> list[Difference]:
    return differences([house], permits, [PARCEL, NEIGHBOUR], [ROAD])


def kinds(house: Observation, *, permits: tuple[Permit, ...] = (PERMIT,)) -> list[Kind]:
    return [difference.kind for difference in found(house, permits=permits)]


def test_a_house_as_permitted_is_not_flagged() -> None:
    assert found(HOUSE) == []


def test_a_house_without_any_permit_is_flagged_with_its_area() -> None:
    (difference,) = found(HOUSE, permits=())
    assert (difference.kind, difference.parcel_uid, difference.permit_no) == (Kind.NO_PERMIT, "p1", None)
    assert difference.delta == pytest.approx(80.0)
    assert difference.confidence > 0.999


def test_a_permit_on_the_neighbouring_parcel_does_not_cover_this_house() -> None:
    elsewhere = replace(PERMIT, parcel_uid="p2", footprint=translate(HOUSE.footprint, 5, 0))
    assert kinds(HOUSE, permits=(elsewhere,)) == [Kind.NO_PERMIT]


def test_a_storey_too_many_is_flagged_and_counted() -> None:
    (difference,) = found(replace(HOUSE, height=17.0))
    assert difference.kind is Kind.STOREYS
    assert difference.delta == pytest.approx(3.4)
    assert difference.evidence["storeys_over_estimate"] == 1.0


def test_a_parapet_is_no_storey() -> None:
    assert kinds(replace(HOUSE, height=14.9)) == []


def test_a_height_the_survey_cannot_resolve_is_not_flagged() -> None:
    assert kinds(replace(HOUSE, height=17.0, sigma_height=1.0)) == []


def test_an_unknown_height_flags_nothing() -> None:
    assert kinds(replace(HOUSE, height=float("nan"))) == []


def test_a_small_outline_from_points_on_no_parcel_is_not_flagged_a_large_one_is() -> None:
    awning, hall = (replace(HOUSE, footprint=box(40, 0, 40 + size, size), known=False) for size in (4, 12))
    assert found(awning, permits=()) == []
    assert kinds(hall, permits=()) == [Kind.NO_PERMIT]


@pytest.mark.parametrize("height", [float("nan"), 0.3])
def test_a_house_on_the_map_that_stands_no_more_needs_no_permit(height: float) -> None:
    assert found(replace(HOUSE, height=height), permits=()) == []


def test_a_house_over_its_permitted_footprint_is_flagged_with_the_area_outside() -> None:
    (difference,) = found(replace(HOUSE, footprint=box(0, 2, 5, 19.8)))
    assert difference.kind is Kind.FOOTPRINT
    assert difference.delta == pytest.approx(9.0)


def test_a_wall_over_the_parcel_line_is_flagged_with_its_reach() -> None:
    footprint, line = found(replace(HOUSE, footprint=box(0, 2, 6.2, 18)))
    assert (footprint.kind, line.kind) == (Kind.FOOTPRINT, Kind.PARCEL_LINE)
    assert line.actual == pytest.approx(1.2)


def test_a_front_built_into_the_setback_is_flagged() -> None:
    assert Kind.SETBACK in kinds(replace(HOUSE, footprint=box(0, 0.2, 5, 18)))


def test_outlines_within_their_standard_deviation_are_not_flagged() -> None:
    assert kinds(replace(HOUSE, footprint=box(-0.2, 1.8, 5.2, 18.2))) == []


def test_an_outline_over_two_houses_is_held_against_each_parcel() -> None:
    row = replace(HOUSE, footprint=box(0, 2, 10, 18), known=False)
    (difference,) = found(row)
    assert (difference.kind, difference.parcel_uid) == (Kind.NO_PERMIT, "p2")


def test_what_adjoins_a_permitted_house_on_its_parcel_is_an_extension() -> None:
    permit = replace(PERMIT, footprint=box(0, 2, 5, 15))
    (difference,) = found(replace(HOUSE, footprint=box(0, 15, 5, 19), known=False, height=3.0), permits=(permit,))
    assert (difference.kind, difference.permit_no) == (Kind.FOOTPRINT, "GP1")


def test_the_result_does_not_depend_on_the_order_of_the_input() -> None:
    houses = [replace(HOUSE, uid=f"b{i}", footprint=translate(HOUSE.footprint, 5.0 * i, 0)) for i in range(5)]
    forward = differences(houses, [PERMIT], [PARCEL, NEIGHBOUR], [ROAD])
    backward = differences(houses[::-1], [PERMIT], [NEIGHBOUR, PARCEL], [ROAD])
    assert forward == backward


ZONE = Zone("z1", box(-20, -20, 40, 40), floors=4, height=20.0, density=90.0, far=4.0, decision="12/QĐ")
NAN = float("nan")


def in_zone(house: Observation, permits: tuple[Permit, ...] = (PERMIT,), zone: Zone = ZONE) -> list[Difference]:
    return [one for one in differences([house], permits, [PARCEL], [], zones=[zone]) if one.kind is Kind.ZONE]


def test_a_wall_in_the_reserve_of_a_road_is_flagged_with_the_road() -> None:
    wide = replace(ROAD, reserve_width=13.0)  # its red line lies at y = 1.5
    house = replace(HOUSE, footprint=box(0, 0.4, 5, 18))
    permit = replace(PERMIT, footprint=house.footprint, setback_front=NAN)
    (difference,) = differences([house], [permit], [PARCEL], [wide])
    assert (difference.kind, difference.evidence["citation"]) == (Kind.RESERVE, "South Street")
    assert difference.delta == pytest.approx(1.1)


def test_a_corner_that_touches_a_line_is_no_wall_beyond_it() -> None:
    corner = Polygon([(0, 2), (5.6, 2), (5, 4), (5, 18), (0, 18)])
    assert kinds(replace(HOUSE, footprint=corner)) == []


def test_the_front_of_a_house_between_two_streets_is_the_one_its_drawing_keeps_off() -> None:
    north = Road("North Street", LineString([(-50, 24), (100, 24)]), 20.0)  # wider: the main front by its roads
    into = replace(HOUSE, footprint=box(0, 0.2, 5, 18))
    permit = replace(PERMIT, footprint=box(0, 2, 5, 19))
    found = differences([into], [permit], [PARCEL], [ROAD, north])
    assert [one.evidence["side"] for one in found if one.kind is Kind.SETBACK] == ["front"]


def test_a_drawing_nearer_to_the_street_than_its_text_is_what_was_permitted() -> None:
    drawn = replace(PERMIT, footprint=box(0, 1.6, 5, 18))
    assert kinds(replace(HOUSE, footprint=box(0, 1.4, 5, 18)), permits=(drawn,)) == []


def test_the_rear_setback_is_held_too() -> None:
    drawn = replace(PERMIT, footprint=box(0, 2, 5, 17), setback_rear=3.0)
    rear = [d for d in found(replace(HOUSE, footprint=box(0, 2, 5, 19)), permits=(drawn,)) if d.kind is Kind.SETBACK]
    assert [(d.evidence["side"], round(d.delta, 6)) for d in rear] == [("rear", 2.0)]


@pytest.mark.parametrize(
    "roads",
    [
        [],
        [Road("Behind", LineString([(-50, 25), (100, 25)]), 8.0)],
        [Road("Aside", LineString([(-4, -50), (-4, 90)]), 8.0)],
    ],
    ids=["no road", "behind", "aside"],
)
def test_where_the_alley_is_in_no_register_the_drawing_tells_the_front(roads: list[Road]) -> None:
    permit = replace(PERMIT, footprint=box(0, 2.02, 5, 18.7))
    into = replace(HOUSE, footprint=box(0, 0.2, 5, 18.7))
    found = [one for one in differences([into], [permit], [PARCEL], roads) if one.kind is Kind.SETBACK]
    assert [(one.evidence["side"], round(one.delta, 6)) for one in found] == [("front", 1.8)]
    assert differences([replace(HOUSE, footprint=box(0, 2.02, 5, 18.7))], [permit], [PARCEL], roads) == []


def test_a_drawing_that_keeps_the_setback_from_several_sides_tells_no_front() -> None:
    permit = replace(PERMIT, footprint=box(0, 2, 5, 18))
    into = replace(HOUSE, footprint=box(0, 0.2, 5, 18))
    assert [one.kind for one in differences([into], [permit], [PARCEL], [])] == [Kind.FOOTPRINT]


def test_what_was_put_on_top_has_storeys_as_usual_however_high_the_permitted_ones() -> None:
    told = storeys_of(16.5, 0.2, (10.1, 2))  # 4.9 m each, and 6.4 m on top of them: two more
    assert told.likeliest == 4
    assert told.more_than(3) > 0.9
    assert storeys_of(10.1, 0.2, (10.1, 2)).likeliest == 2
    lower = storeys_of(10.3, 0.2, (13.6, 4))  # of storeys as permitted: three
    assert lower.likeliest == 3


def test_storeys_are_told_with_a_probability_that_agrees_with_a_simulation() -> None:
    rng = np.random.default_rng(3)
    number = rng.integers(1, 15, 200_000)
    height = number * rng.normal(STOREY, STOREY_SIGMA, len(number)) + rng.normal(0.3, 0.3, len(number))
    seen = np.abs(height + rng.normal(0, 0.2, len(number)) - 17.0) < 0.1
    told = storeys_of(17.0, 0.2)
    assert told.more_than(4) == pytest.approx((number[seen] > 4).mean(), abs=0.02)
    assert told.mean == pytest.approx(number[seen].mean(), abs=0.05)
    assert told.probability.sum() == pytest.approx(1.0)


def test_a_permit_without_a_height_is_held_by_the_probability_of_more_storeys() -> None:
    permit = replace(PERMIT, height=NAN)
    assert kinds(replace(HOUSE, height=15.0), permits=(permit,)) == []
    (difference,) = found(replace(HOUSE, height=27.0), permits=(permit,))
    assert (difference.kind, difference.unit) == (Kind.STOREYS, "storeys")
    assert difference.confidence >= 0.99


def test_floors_over_the_zone_are_flagged_unless_a_permit_grants_them() -> None:
    tall = replace(HOUSE, height=24.1)
    floors = replace(ZONE, height=NAN, density=NAN, far=NAN)
    (difference,) = in_zone(tall, permits=(), zone=floors)
    assert (difference.evidence["limit"], difference.evidence["citation"]) == ("floors", "12/QĐ")
    assert in_zone(tall, permits=(replace(PERMIT, height=24.0, floors=7, floor_area=560.0),), zone=floors) == []


def test_high_storeys_that_a_permit_states_are_not_taken_for_more() -> None:
    assert in_zone(replace(HOUSE, height=17.2), permits=(replace(PERMIT, height=17.2, floors=4),)) == []


def test_the_lot_s_density_counts_all_its_buildings() -> None:
    shed = replace(HOUSE, uid="b2", footprint=box(0, 0, 5, 2), height=3.0)
    zone = replace(ZONE, density=70.0, far=NAN, floors=NAN, height=NAN)
    found = differences([HOUSE, shed], [], [PARCEL], [], zones=[zone])
    (difference,) = [one for one in found if one.kind is Kind.ZONE]
    assert (difference.building_uid, difference.evidence["limit"]) == ("b1", "density")
    assert difference.actual == pytest.approx(90.0)


def test_what_differs_at_some_buildings_is_the_same_when_only_they_are_asked_for() -> None:
    half = replace(HOUSE, uid="b2", footprint=box(0, 18.5, 5, 20), height=3.5)
    dense = replace(ZONE, density=60.0)
    other = replace(HOUSE, uid="b3", footprint=box(5, 2, 10.6, 18))
    everything = differences([HOUSE, half, other], (), [PARCEL, NEIGHBOUR], [ROAD], zones=[dense])
    assert {one.kind for one in everything} >= {Kind.ZONE, Kind.NO_PERMIT, Kind.PARCEL_LINE}
    for uid in ("b1", "b2", "b3"):
        alone = differences([HOUSE, half, other], (), [PARCEL, NEIGHBOUR], [ROAD], zones=[dense], only={uid})
        assert alone == [one for one in everything if one.building_uid == uid]


def test_ground_below_the_levelling_height_is_flagged_by_how_much_is_missing() -> None:
    permit = replace(PERMIT, ground_level=2.5)
    low = replace(HOUSE, ground=1.8, sigma_ground=0.05)
    (difference,) = found(low, permits=(permit,))
    assert (difference.kind, round(difference.delta, 6)) == (Kind.GROUND_LEVEL, 0.7)
    assert found(replace(low, ground=2.25), permits=(permit,)) == []
    assert found(replace(low, sigma_ground=0.4), permits=(permit,)) == []


def test_a_house_on_the_map_where_ground_is_seen_is_demolished() -> None:
    gone = replace(HOUSE, height=NAN, ground_share=0.95)
    (difference,) = found(gone)
    assert (difference.kind, difference.permit_no, difference.actual) == (Kind.DEMOLISHED, "GP1", 95.0)
    assert found(replace(gone, ground_share=0.3)) == []
    assert found(replace(gone, known=False)) == []


def test_a_crown_over_an_empty_plot_is_no_building() -> None:
    assert found(replace(HOUSE, roof_share=0.07, ground_share=0.1), permits=()) == []


def test_a_house_stands_after_its_notice_only_once_the_day_is_past() -> None:
    notice = Permit(
        "DN1", "p1", None, NAN, 0, NAN, type="demolition_notice", issued=date(2024, 1, 1), expires=date(2024, 6, 1)
    )
    late, early = (replace(HOUSE, surveyed=day) for day in (date(2024, 6, 2), date(2024, 6, 1)))
    (difference,) = found(late, permits=(PERMIT, notice))
    assert (difference.kind, difference.permit_no) == (Kind.STANDING, "DN1")
    assert found(early, permits=(PERMIT, notice)) == []


def test_a_temporary_house_stands_until_its_permit_ends() -> None:
    temporary = replace(PERMIT, type="temporary", expires=date(2024, 6, 1))
    assert kinds(replace(HOUSE, surveyed=date(2024, 5, 1)), permits=(temporary,)) == []
    assert kinds(replace(HOUSE, surveyed=date(2024, 7, 1)), permits=(temporary,)) == [Kind.STANDING]


def test_less_than_permitted_is_unfinished_once_the_day_is_past() -> None:
    permit = replace(PERMIT, expires=date(2024, 6, 1))
    low = replace(HOUSE, height=6.8, top=7.0, surveyed=date(2024, 7, 1))
    (difference,) = found(low, permits=(permit,))
    assert (difference.kind, difference.evidence["due"]) == (Kind.UNFINISHED, "2024-06-01")
    assert found(replace(low, surveyed=date(2024, 5, 1)), permits=(permit,)) == []
    assert found(replace(low, top=13.0), permits=(permit,)) == []


def test_the_later_of_two_permits_for_the_same_walls_holds() -> None:
    first = replace(PERMIT, permit_no="GP9", height=10.2, issued=date(2010, 1, 1))
    assert kinds(HOUSE, permits=(first, replace(PERMIT, issued=date(2019, 1, 1)))) == []


def test_a_stair_head_that_makes_the_height_unsure_upwards_hides_no_storey() -> None:
    high = replace(HOUSE, height=17.0, sigma_height=1.2)
    assert kinds(high) == []
    assert kinds(replace(high, sigma_below=0.1, sigma_ground=0.05)) == [Kind.STOREYS]


def measured_walls(out: float, sigma: float = 0.15) -> NDArray[np.float64]:
    return np.array([(out, sigma)] * 4)


def test_a_wall_known_twice_is_known_better() -> None:
    alone = walls_of(HOUSE, HOUSE.footprint)
    both = walls_of(replace(HOUSE, wall_offsets=measured_walls(0.1)), HOUSE.footprint)
    assert both.sigma == pytest.approx(alone.sigma / 2**0.5)
    hulls = [Polygon(walls.ends.reshape(-1, 2)).convex_hull.bounds for walls in (alone, both)]
    assert np.array(hulls[1]) - hulls[0] == pytest.approx([-0.05, -0.05, 0.05, 0.05])


def test_a_roof_that_hangs_over_moves_no_wall() -> None:
    eaves = walls_of(replace(HOUSE, wall_offsets=measured_walls(0.6)), HOUSE.footprint)
    assert eaves.ends == pytest.approx(walls_of(HOUSE, HOUSE.footprint).ends)
    assert not eaves.measured.any()


def test_what_all_walls_of_a_survey_have_in_common_is_taken_off() -> None:
    rng = np.random.default_rng(1)
    walls = [np.column_stack([0.2 + rng.normal(0, 0.3, 4), np.full(4, 0.13)]) for _ in range(400)]
    seen = adjusted([replace(HOUSE, uid=str(n), wall_offsets=one) for n, one in enumerate(walls)])
    left = np.concatenate([one.wall_offsets for one in seen if one.wall_offsets is not None])
    assert np.median(left[:, 0]) == pytest.approx(0.0, abs=1e-9)
    # Map and points say 0.2 m together, and 0.3 m is what they scatter: both are enlarged by as much.
    assert seen[0].sigma_outline == pytest.approx(0.15 * 0.3 / np.hypot(0.15, 0.13), rel=0.06)


def test_of_a_few_walls_nothing_in_common_can_be_told_and_the_map_s_are_kept() -> None:
    few = [replace(HOUSE, uid=str(n), wall_offsets=measured_walls(0.1)) for n in range(5)]
    assert [one.wall_offsets for one in adjusted(few)] == [None] * 5


@pytest.mark.parametrize("rate", [0.01, 0.1])
@pytest.mark.parametrize("inflated", [1.0, 1.6])
def test_just_legal_heights_are_flagged_at_the_chosen_rate_and_not_if_sigma_is_wrong(
    rate: float, inflated: float
) -> None:
    parameters = ComplianceParameters(false_alarm_rate=rate)
    rng = np.random.default_rng(5)
    at_the_limit = PERMIT.height + parameters.height_tolerance
    n = 2000
    flagged = 0
    for error in rng.normal(0, 0.3, n):
        house = replace(HOUSE, height=at_the_limit + error, sigma_height=0.3 * inflated)
        flagged += too_high(Placed(house, PARCEL, house.footprint, PERMIT), parameters) is not None
    low, high = binom.interval(0.999, n, rate)
    assert (low <= flagged <= high) == (inflated == 1.0)


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_just_legal_walls_are_flagged_at_the_chosen_rate_all_four_together(rate: float) -> None:
    parameters = ComplianceParameters(false_alarm_rate=rate)
    rng = np.random.default_rng(8)
    limit = outside_of(box(0, 0, 5, 16))
    n, tolerance = 1000, parameters.outline_tolerance
    flagged = 0
    for west, south, east, north in rng.normal(0, 0.15, (n, 4)):
        shape = box(-tolerance - west, -tolerance - south, 5 + tolerance + east, 16 + tolerance + north)
        beyond = farthest_beyond(walls_of(replace(HOUSE, footprint=shape), shape), limit)
        flagged += beyond is not None and beyond.exceeds(tolerance, parameters)
    low, high = binom.interval(0.999, n, rate)
    assert low <= flagged <= high


def test_what_is_called_resolvable_is_found_in_95_of_100() -> None:
    parameters = ComplianceParameters()
    rng = np.random.default_rng(2)
    size = detectable(parameters.height_tolerance, 0.3, parameters.k)
    n = 1500
    flagged = sum(
        too_high(Placed(replace(HOUSE, height=PERMIT.height + size + e), PARCEL, HOUSE.footprint, PERMIT), parameters)
        is not None
        for e in rng.normal(0, 0.3, n)
    )
    # HOUSE states 0.1 m; with the σ that the errors have, 95 of 100 are found.
    exact = sum(
        too_high(
            Placed(replace(HOUSE, height=PERMIT.height + size + e, sigma_height=0.3), PARCEL, HOUSE.footprint, PERMIT),
            parameters,
        )
        is not None
        for e in rng.normal(0, 0.3, n)
    )
    low, high = binom.interval(0.999, n, 0.95)
    assert low <= exact <= high < flagged


def test_a_denser_survey_resolves_smaller_differences() -> None:
    parameters = ComplianceParameters()
    walls = [
        Survey(density).wall_detectable(0.15, 4.0, parameters, known=True, measured=True, walls=4)
        for density in (2, 4, 8, 16)
    ]
    heights = [Survey(density).height_detectable(50.0, 36.0, parameters) for density in (2, 4, 8, 16)]
    assert walls == sorted(walls, reverse=True)
    assert heights == sorted(heights, reverse=True)
