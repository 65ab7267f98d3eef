"""Parcels cut and joined on the millimetre grid, against whole-number arithmetic and GEOS' coverage checks."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, MultiLineString, Polygon, box

from gis.errors import BadGeometry
from gis.land import topology
from tests.gis.land_samples import adjoining, is_topology, lots, place, random_line, total
from tests.gis.store_samples import EAST, NORTH

turns = st.floats(0.0, math.pi)
seeds = st.integers(0, 2**32)


def _square(west: float, south: float, width: float = 20.0, depth: float = 20.0) -> Polygon:
    return box(EAST + west, NORTH + south, EAST + west + width, NORTH + south + depth)


def _exact(polygon: Polygon) -> Fraction:
    """Area by the shoelace in fractions of whole millimetres: no floating point after reading."""

    def ring(points: list[tuple[float, float]]) -> Fraction:
        whole = [(round(x * 1000), round(y * 1000)) for x, y in points]
        twice = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(whole, whole[1:] + whole[:1], strict=True))
        return Fraction(abs(twice), 2_000_000)

    rings = [list(r.coords)[:-1] for r in (polygon.exterior, *polygon.interiors)]
    return ring(rings[0]) - sum((ring(hole) for hole in rings[1:]), Fraction(0))


def _is_on_grid(polygon: Polygon) -> bool:
    corners = shapely.get_coordinates(polygon) * 1000
    return bool((np.abs(corners - np.rint(corners)) < 1e-5).all())


def _renode(outlines: dict[str, Polygon], changed: list[str], pieces: list[Polygon]) -> list[Polygon]:
    """The cadastre after a change: others with the new points on their boundary."""
    points = topology.outer_nodes(pieces)
    return [topology.noded(polygon, points) for uid, polygon in outlines.items() if uid not in changed] + pieces


@settings(max_examples=60, deadline=None)
@given(turns, seeds)
def test_a_split_conserves_area_to_the_half_square_millimetre_with_its_neighbours(turn: float, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  for tests
    outlines = lots(turn=turn)
    uid = chance.choice(sorted(outlines))
    pieces = list(topology.split(outlines[uid], random_line(chance, outlines[uid])))
    after = _renode(outlines, [uid], pieces)
    assert all(map(_is_on_grid, after))
    assert is_topology(after)
    # What a piece gains at a bent boundary a neighbour loses: only the outer edge may change the sum.
    whole = [shapely.get_geometry(shapely.coverage_union_all(list(some)), 0) for some in (outlines.values(), after)]
    assert sum(map(_exact, after)) - sum(map(_exact, outlines.values())) == _exact(whole[1]) - _exact(whole[0])
    assert abs(_exact(whole[1]) - _exact(whole[0])) < 0.001 * whole[0].length
    assert abs(sum(piece.area for piece in pieces) - outlines[uid].area) <= 0.001 * outlines[uid].length
    assert [topology.area(piece) for piece in pieces] == [pytest.approx(float(_exact(p)), abs=1e-9) for p in pieces]


@settings(max_examples=40, deadline=None)
@given(turns, seeds)
def test_split_and_merge_give_the_parcel_back_with_points_on_its_boundary(turn: float, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  for tests
    outlines = lots(turn=turn)
    uid = chance.choice(sorted(outlines))
    pieces = topology.split(outlines[uid], random_line(chance, outlines[uid]))
    try:
        whole = topology.merge(pieces)
    except BadGeometry:
        # A line may meet itself at a corner of the parcel: pieces that touch in a point only.
        assert shapely.union_all(list(pieces)).geom_type == "MultiPolygon"
        return
    assert _exact(whole) == sum(map(_exact, pieces))
    assert set(map(tuple, shapely.get_coordinates(outlines[uid]))) <= set(map(tuple, shapely.get_coordinates(whole)))
    assert is_topology(_renode(outlines, [uid], [whole]))


@settings(max_examples=40, deadline=None)
@given(turns, seeds)
def test_parts_from_another_program_are_drawn_to_the_boundary_without_gap_and_overlap(turn: float, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  for tests
    outlines = lots(turn=turn)
    uid = chance.choice(sorted(outlines))
    cut = topology.split(outlines[uid], random_line(chance, outlines[uid]))
    noise = np.random.default_rng(seed)

    def blurred(polygon: Polygon) -> Polygon:
        # Some tenths of a millimetre each corner its own way, as another program rounds.
        corners = shapely.get_coordinates(polygon)[:-1]
        return Polygon(corners + noise.uniform(-0.0003, 0.0003, corners.shape))

    pieces = list(topology.partition(outlines[uid], [blurred(piece) for piece in cut]))
    assert is_topology(_renode(outlines, [uid], pieces))
    for piece, told in zip(pieces, cut, strict=True):
        assert shapely.hausdorff_distance(piece, told) < 0.003


@settings(max_examples=12, deadline=None)
@given(turns, seeds)
def test_many_changes_one_after_another_keep_the_land_whole(turn: float, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  for tests
    outlines = lots(turn=turn)
    before, done = total(outlines.values()), 0
    for number in range(25):
        largest = max(outlines, key=lambda uid: outlines[uid].area)
        beside = adjoining(outlines, chance.choice(sorted(outlines)))
        try:
            if chance.random() < 0.5 or not beside:
                changed = [largest]
                pieces = list(topology.split(outlines[largest], random_line(chance, outlines[largest])))
            else:
                changed = [chance.choice(beside)]
                changed.append(chance.choice(adjoining(outlines, changed[0])))
                pieces = [topology.merge([outlines[uid] for uid in changed])]
            points = topology.outer_nodes(pieces)
            others = {uid: topology.noded(p, points) for uid, p in outlines.items() if uid not in changed}
        except BadGeometry:
            continue
        outlines = others | {f"n-{number}-{place}": piece for place, piece in enumerate(pieces)}
        done += 1
        assert is_topology(list(outlines.values()))
    assert done > 10
    assert abs(total(outlines.values()) - before) < 0.001 * 300


def test_a_point_on_a_slanting_boundary_is_on_both_sides() -> None:
    one = Polygon([place(0, 0), place(20, 7.001), place(20, 30), place(0, 30)])
    other = Polygon([place(0, 0), place(20, 7.001), place(20, -20), place(0, -20)])
    line = LineString([place(6.5, -1), place(6.5, 31)])
    pieces = topology.split(one, line)
    beside = topology.noded(other, topology.outer_nodes(pieces))
    # By hand: at x = 6.5 the boundary is at 6.5 · 7.001 / 20 = 2.275325, on the grid 2.275.
    assert place(6.5, 2.275) in set(beside.exterior.coords)
    assert all(place(6.5, 2.275) in set(piece.exterior.coords) for piece in pieces)
    # 20 m · 0.000325 m / 2 of land passes from one to the other.
    assert topology.area(beside) - topology.area(other) == pytest.approx(-0.00325, abs=1e-9)
    assert sum(map(topology.area, pieces)) - topology.area(one) == pytest.approx(0.00325, abs=1e-9)


def test_a_point_on_a_straight_boundary_changes_no_area() -> None:
    pieces = topology.split(_square(0, 0), LineString([place(7, -1), place(7, 21)]))
    beside = topology.noded(_square(0, 20), topology.outer_nodes(pieces))
    assert len(beside.exterior.coords) == 6
    assert topology.area(beside) == 400.0
    assert [topology.area(piece) for piece in pieces] == [140.0, 260.0]


def test_points_that_are_not_on_the_boundary_change_nothing() -> None:
    square = _square(0, 0)
    assert topology.noded(square, topology.nodes([_square(20.01, 0), _square(3, 3, 2, 2)])) is square


def test_a_parcel_around_another_keeps_its_hole() -> None:
    ring = Polygon(_square(0, 0).exterior, [_square(5, 5, 10, 10).exterior])
    pieces = topology.split(ring, LineString([place(10, -1), place(10, 21)]))
    assert [topology.area(piece) for piece in pieces] == [150.0, 150.0]
    inner = topology.noded(_square(5, 5, 10, 10), topology.outer_nodes(pieces))
    assert is_topology([*pieces, inner])
    assert topology.area(topology.merge(pieces)) == 300.0
    assert len(topology.merge(pieces).interiors) == 1


def test_two_lines_make_three_pieces_from_west_to_east() -> None:
    lines = MultiLineString([[place(x, -1), place(x, 21)] for x in (5, 12)])
    assert [topology.area(piece) for piece in topology.split(_square(0, 0), lines)] == [100.0, 140.0, 160.0]


def test_neighbours_without_common_points_are_joined_along_their_line() -> None:
    """One long lot beside two short ones: none of the three has the points of the others."""
    long, short, other = _square(0, 0, 20, 40), _square(20, 0, 10, 17), _square(20, 17, 10, 23)
    whole = topology.merge([long, short, other])
    assert topology.area(whole) == 800 + 170 + 230
    with pytest.raises(BadGeometry, match="do not adjoin"):
        topology.merge([long, _square(30, 0)])
    with pytest.raises(BadGeometry, match="do not adjoin"):
        topology.merge([_square(0, 0), _square(20, 20)])


def test_parcels_that_overlap_are_not_merged() -> None:
    with pytest.raises(BadGeometry, match=r"overlap of 2\.000 m²"):
        topology.merge([_square(0, 0), _square(19.9, 0)])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ([(30, 0), (30, 20)], "does not cross"),
        ([(0, -1), (0, 21)], "does not cross"),
        ([(10, -1), (10, 12)], "ends inside of the parcel near 603010.000 1191012.000"),
        ([(10, 5), (10, 12)], "ends inside"),
        ([(0.005, -1), (0.005, 21)], "nowhere wider than 1 cm"),
    ],
)
def test_a_line_that_cuts_nothing_is_refused(line: list[tuple[float, float]], why: str) -> None:
    with pytest.raises(BadGeometry, match=why):
        topology.split(_square(0, 0), LineString([place(x, y) for x, y in line]))


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([_square(0, 0, 10), _square(10, 0, 9)], "leave 20.000 m² of the parcel to nobody"),
        ([_square(0, 0, 11), _square(10, 0, 10)], "parts 1 and 2: they overlap by 20.000 m²"),
        ([_square(0, 0, 10), _square(10, 0, 11)], "part 2: it reaches out of the parcel by 20.000 m²"),
        ([_square(0, 0), _square(40, 0)], "reaches out of the parcel by 400.000 m²"),
    ],
)
def test_parts_that_do_not_fill_the_parcel_are_refused(parts: list[Polygon], why: str) -> None:
    with pytest.raises(BadGeometry, match=why):
        topology.partition(_square(0, 0), parts)


def test_overlaps_of_the_grid_s_size_are_none() -> None:
    assert topology.overlap(_square(0, 0), _square(19.999, 0)) == 0.0
    assert topology.overlap(_square(0, 0), _square(19.99, 0)) == pytest.approx(0.2, abs=1e-6)
    assert topology.overlap(_square(0, 0), _square(20, 0)) == 0.0
