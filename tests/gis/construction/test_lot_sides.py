"""Front, rear and flanks of lots of every shape, told as a person reads the drawing."""

from __future__ import annotations

import math

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Polygon, affinity, box

from gis.construction.lot_sides import LotSides, sides_of
from gis.construction.proposal import Road


def road(name: str, width: float, *corners: tuple[float, float]) -> Road:
    return Road(name, LineString(corners), width)


SOUTH = road("south", 12, (-50, -6), (50, -6))
WEST = road("west", 5, (-2.5, -50), (-2.5, 50))
NORTH = road("north", 8, (-50, 24), (50, 24))
LOT = box(0, 0, 5, 20)


def lengths(sides: LotSides) -> dict[str, float]:
    return {
        "front": round(sum(front.edges.length for front in sides.fronts), 3),
        "rear": round(sides.rear.length, 3),
        "flanks": round(sides.flanks.length, 3),
    }


def test_a_tube_lot_has_a_front_a_rear_and_two_flanks() -> None:
    sides = sides_of(LOT, [SOUTH])
    assert lengths(sides) == {"front": 5, "rear": 5, "flanks": 40}
    assert (sides.depth, sides.fronts[0].frontage) == (20.0, 5.0)


@pytest.mark.parametrize(
    ("roads", "fronts", "expected"),
    [
        ([SOUTH, WEST], ["south", "west"], {"front": 25, "rear": 5, "flanks": 20}),
        ([WEST, SOUTH], ["south", "west"], {"front": 25, "rear": 5, "flanks": 20}),
        ([SOUTH, NORTH], ["south", "north"], {"front": 10, "rear": 0, "flanks": 40}),
        ([WEST], ["west"], {"front": 20, "rear": 20, "flanks": 10}),
        ([], [], {"front": 0, "rear": 0, "flanks": 50}),
    ],
)
def test_the_widest_road_makes_the_main_front(roads: list[Road], fronts: list[str], expected: dict[str, float]) -> None:
    sides = sides_of(LOT, roads)
    assert [front.road.name for front in sides.fronts] == fronts
    assert lengths(sides) == expected


def test_a_road_further_off_is_a_front_only_where_none_is_nearer() -> None:
    behind = road("behind", 6, (-50, 30), (50, 30))  # its red line lies 7 m behind the lot
    assert [f.road.name for f in sides_of(LOT, [behind]).fronts] == ["behind"]
    assert [f.road.name for f in sides_of(LOT, [behind, SOUTH]).fronts] == ["south"]
    far = road("far", 6, (-50, 40), (50, 40))  # 17 m
    assert sides_of(LOT, [far]).fronts == ()


def test_a_road_that_ends_beside_the_lot_is_its_front() -> None:
    stub = road("stub", 4, (-30, -2), (1, -2))
    assert lengths(sides_of(LOT, [stub])) == {"front": 5, "rear": 5, "flanks": 40}


def test_a_jog_of_the_front_is_front_and_a_neighbours_corner_is_not() -> None:
    jog = Polygon([(0, 0), (3, 0), (3, 1), (6, 1), (6, 15), (0, 15)])
    sides = sides_of(jog, [SOUTH])
    assert (lengths(sides)["front"], sides.fronts[0].frontage, sides.depth) == (6, 6.0, 15.0)
    flag = Polygon([(0, 0), (3, 0), (3, 8), (6, 8), (6, 15), (0, 15)])
    sides = sides_of(flag, [SOUTH])
    assert (lengths(sides)["front"], sides.fronts[0].frontage, sides.depth) == (3, 3.0, 15.0)


def test_an_edge_behind_the_lot_s_own_land_is_no_front() -> None:
    # A bay opens to the north; its inner edge looks at the north road over the bay, the outer ones are front.
    bay = Polygon([(0, 0), (10, 0), (10, 20), (7, 20), (7, 10), (3, 10), (3, 20), (0, 20)])
    sides = sides_of(bay, [NORTH])
    assert lengths(sides)["front"] == 6


def test_a_cut_corner_between_two_fronts_belongs_to_neither() -> None:
    cut = Polygon([(3, 0), (5, 0), (5, 20), (0, 20), (0, 3)])
    sides = sides_of(cut, [SOUTH, WEST])
    assert lengths(sides) == {"front": 2 + 17, "rear": 5, "flanks": 20}


def test_a_slanted_rear_is_rear_and_a_hole_is_a_flank() -> None:
    slanted = Polygon([(0, 0), (5, 0), (5, 17), (0, 20)], [[(2, 5), (3, 5), (3, 6), (2, 6)]])
    sides = sides_of(slanted, [SOUTH])
    assert lengths(sides) == {"front": 5, "rear": round(math.hypot(5, 3), 3), "flanks": 37 + 4}
    assert sides.depth == 20.0


def test_extra_corners_on_a_side_change_nothing() -> None:
    fine = LOT.segmentize(0.7)
    assert lengths(sides_of(fine, [SOUTH, WEST])) == lengths(sides_of(LOT, [SOUTH, WEST]))


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 360), st.floats(3, 30), st.floats(5, 60), st.floats(2, 40), st.booleans())
def test_any_rectangle_turned_any_way_has_its_sides_by_construction(
    angle: float, w: float, d: float, width: float, clockwise: bool
) -> None:
    def turn(shape: shapely.Geometry) -> shapely.Geometry:
        return affinity.translate(affinity.rotate(shape, angle, (0, 0)), 602_000, 1_190_000)

    corners = [(0, 0), (w, 0), (w, d), (0, d)]
    lot = turn(Polygon(corners[::-1] if clockwise else corners))
    sides = sides_of(lot, [Road("r", turn(LineString([(-9, -width / 2), (w + 9, -width / 2)])), width)])
    assert sides.depth == pytest.approx(d, abs=0.001)
    assert sides.fronts[0].frontage == pytest.approx(w, abs=0.001)
    assert sides.rear.distance(turn(LineString([(0, d), (w, d)]))) < 1e-6
    assert sides.rear.length == pytest.approx(w, abs=1e-6)
    assert sides.flanks.length == pytest.approx(2 * d, abs=1e-6)
