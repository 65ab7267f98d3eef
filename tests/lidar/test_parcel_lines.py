"""Derived outlines parted at parcel lines."""

import numpy as np
import pytest
import shapely
import shapely.affinity
from shapely import Polygon, box

from gis.crs import normalise
from lidar.footprints import Footprints
from lidar.parcel_lines import parted_at_parcels

CRS = normalise(9210)
ROW = np.array([box(4 * i, 0, 4 * i + 4, 20) for i in range(6)], dtype=object)
"""Lots of tube houses, side by side."""


def derived(*polygons: Polygon) -> Footprints:
    n = len(polygons)
    shapes = np.empty(n, dtype=object)
    shapes[:] = polygons
    return Footprints(tuple(f"d{i}" for i in range(n)), shapes, CRS, "derived", derived=np.ones(n, dtype=bool))


def parts(*polygons: Polygon) -> list[Polygon]:
    return sorted(parted_at_parcels(derived(*polygons), ROW).polygons, key=lambda part: float(part.bounds[0]))


def test_a_roof_over_six_lots_is_six_houses() -> None:
    houses = parts(box(0, 0, 24, 15))
    assert [house.area for house in houses] == pytest.approx([60.0] * 6)
    assert all(house.within(lot) for house, lot in zip(houses, ROW, strict=True))


def test_all_parts_together_are_the_outline_without_overlap() -> None:
    outline = box(-0.6, -0.7, 24.9, 15.3)
    houses = parts(outline)
    assert len(houses) == 6
    assert shapely.union_all(houses).symmetric_difference(outline).area < 1e-6
    assert sum(house.area for house in houses) == pytest.approx(outline.area)


def test_a_wall_a_little_over_the_line_stays_with_its_house() -> None:
    assert parts(box(0, 0, 5.5, 15)) == [box(0, 0, 5.5, 15)]


def test_a_house_on_one_lot_is_as_it_was() -> None:
    given = derived(box(0.5, 1, 3.5, 12))
    assert parted_at_parcels(given, ROW) is not given
    assert parted_at_parcels(given, ROW).uids == given.uids
    assert parted_at_parcels(given, ROW).polygons[0] == given.polygons[0]


def test_known_outlines_are_never_cut() -> None:
    known = Footprints.of([("k", box(0, 0, 24, 15))], CRS)
    assert parted_at_parcels(known, ROW) is known


def test_a_corner_on_the_neighbours_lot_too_small_for_a_house_is_not_cut_off() -> None:
    assert len(parts(box(0, 0, 4, 15).union(box(4, 0, 6.5, 3)))) == 1


def test_courtyards_stay_open() -> None:
    outline = box(0, 0, 8, 15).difference(box(3, 5, 5, 8))
    houses = parts(outline)
    assert [house.area for house in houses] == pytest.approx([57.0, 57.0])


def test_what_lies_on_the_street_stays_with_the_house_behind_it() -> None:
    first, second = parts(box(0, -1, 8, 15))
    assert first.bounds == (0, -1, 4, 15)
    assert second.bounds == (4, -1, 8, 15)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_outline_its_parts_are_the_outline(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform((0, 0), (24, 20), (random.integers(4, 12), 2))
    outline = shapely.MultiPoint(corners).convex_hull.union(box(*random.uniform(0, 10, 2), *random.uniform(11, 20, 2)))
    outline = outline if outline.geom_type == "Polygon" else outline.convex_hull
    lots = np.array([shapely.affinity.rotate(lot, random.uniform(-2, 2)) for lot in ROW], dtype=object)
    made = parted_at_parcels(derived(outline), lots)
    assert shapely.union_all(made.polygons).symmetric_difference(outline).area < 0.05
    assert sum(part.area for part in made.polygons) == pytest.approx(outline.area, abs=0.05)
    assert all(part.is_valid and part.geom_type == "Polygon" for part in made.polygons)


def test_the_order_of_parcels_and_of_outlines_does_not_matter() -> None:
    outlines = [box(0, 0, 12, 15), box(12, 2, 24, 14)]
    names = []
    for turned in (1, -1):
        made = parted_at_parcels(derived(*outlines[::turned]), ROW[::turned])
        names.append(sorted(zip(made.uids, (p.normalize().wkb for p in made.polygons), strict=True)))
    assert names[0] == names[1]
    assert len(names[0]) == 6


def test_parts_are_worth_what_the_outline_was() -> None:
    given = derived(box(0, 0, 8, 15))
    given.sigma_xy[:], given.confidence[:] = 0.3, 0.4
    made = parted_at_parcels(given, ROW)
    assert made.sigma_xy.tolist() == [0.3, 0.3]
    assert made.confidence.tolist() == [0.4, 0.4]
    assert made.derived.all()
