"""Outlines from points where the base map shows nothing."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from shapely import Polygon, box

from gis.crs import normalise
from lidar.footprints import Footprints
from lidar.polygon_repair import grown
from lidar.supplement import supplement

CRS = normalise(9210)


def added(known: list[Polygon], derived: list[Polygon]) -> list[Polygon]:
    both = supplement(
        Footprints.of([(f"k{i}", p) for i, p in enumerate(known)], CRS),
        Footprints.of([(f"d{i}", p) for i, p in enumerate(derived)], CRS),
    )
    assert both.uids[: len(known)] == tuple(f"k{i}" for i in range(len(known)))
    return list(both.polygons[len(known) :])


def test_a_building_away_from_all_known_ones_is_added_as_it_is() -> None:
    new = box(20, 0, 30, 10)
    assert added([box(0, 0, 10, 10)], [new]) == [new]


def test_corners_a_hair_apart_grow_into_no_crossing_sides() -> None:
    """As a difference of outlines left them: as it comes from GEOS, the buffer crosses itself and fits no overlay."""
    corners = [
        (5.515055279, 7.2634906732), (5.5150552788, 7.2634906734), (7.7408799984, 7.162635636),
        (11.8534261739, 6.9762907745), (11.9384097193, 6.7797832678), (8.4022487819, 5.098237231),
        (8.0001141395, 5.3998184782), (6.4191488681, 6.5855648484), (6.419148868, 6.5855648473),
        (6.2944118836, 4.3389251337), (5.0463342651, 4.4082234583), (3.5221718249, 6.8651061575),
        (3.4376222482, 7.00139635), (3.4573516963, 7.3567279214),
    ]  # fmt: skip
    # Of coordinates as large as a city's.
    remainder = Polygon([(603_950 + x, 1_191_950 + y) for x, y in corners])
    assert not remainder.buffer(0.5, join_style="mitre").is_valid
    found = grown(remainder, 0.5)
    assert found.is_valid
    assert found.contains(remainder)
    assert found.area == pytest.approx(
        shapely.set_precision(remainder, 0.001).buffer(0.5, join_style="mitre").area, rel=0.01
    )


def test_a_known_building_seen_again_adds_nothing() -> None:
    assert added([box(0, 0, 10, 10)], [box(0.4, -0.3, 10.5, 10.2)]) == []


def test_the_one_house_of_a_row_that_the_map_lacks_is_what_is_added() -> None:
    row = [box(4 * i, 0, 4 * i + 4, 15) for i in range(6)]
    (house,) = added([*row[:3], *row[4:]], [box(0, 0, 24, 15)])
    assert house.area == pytest.approx(15 * 4)
    assert house.difference(row[3]).area < 0.01


def test_an_extension_is_added_without_the_house() -> None:
    (part,) = added([box(0, 0, 5, 10)], [box(0, 0, 5, 16)])
    assert part.difference(box(0, 10, 5, 16)).area < 0.01


def test_what_is_narrow_or_small_is_a_disagreement_of_outlines() -> None:
    assert added([box(0, 0, 10, 10)], [box(0, 0, 12.2, 10)]) == []
    assert added([box(0, 0, 10, 10)], [box(0, 0, 10, 10).union(box(10, 0, 13, 2.5))]) == []


def test_without_a_map_every_derived_outline_stays() -> None:
    assert len(added([], [box(0, 0, 5, 5), box(9, 0, 14, 5)])) == 2


def test_a_remainder_is_as_sure_as_the_outline_it_is_of() -> None:
    derived = Footprints.of([("far", box(50, 0, 60, 10)), ("row", box(0, 0, 24, 15))], CRS)
    derived = replace(derived, confidence=np.array([0.9, 0.4]), sigma_xy=np.array([0.1, 0.3]))
    both = supplement(Footprints.of([("known", box(0, 0, 12, 15))], CRS), derived)
    assert both.confidence.tolist() == [1.0, 0.9, 0.4]
    assert both.sigma_xy.tolist() == [0.15, 0.1, 0.3]
    assert both.to(32648).confidence.tolist() == both.confidence.tolist()
