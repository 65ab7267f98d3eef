"""The measured city against the permitted city, on cases small enough to work out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from shapely import LineString, box
from shapely.affinity import translate

from gis.construction.compliance import (
    ComplianceParameters,
    Difference,
    Kind,
    Observation,
    Parcel,
    Permit,
    differences,
)
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
    elsewhere = replace(PERMIT, parcel_uid="p2", footprint=translate(PERMIT.footprint, 5, 0))
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


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_legal_houses_are_flagged_at_no_more_than_the_chosen_rate(rate: float) -> None:
    parameters = ComplianceParameters(false_alarm_rate=rate)
    rng = np.random.default_rng(5)
    at_the_limit = PERMIT.height + parameters.height_tolerance
    houses = [
        replace(HOUSE, uid=str(i), height=at_the_limit + error, sigma_height=0.3)
        for i, error in enumerate(rng.normal(0, 0.3, 1000))
    ]
    flagged = len(differences(houses, [PERMIT], [PARCEL], [ROAD], parameters)) / len(houses)
    assert flagged == pytest.approx(rate, abs=4 * (rate * (1 - rate) / len(houses)) ** 0.5)
