"""Outlines from points where the base map shows nothing."""

from dataclasses import replace

import numpy as np
import pytest
from shapely import Polygon, box

from gis.crs import normalise
from lidar.footprints import Footprints
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
