"""The largest space that may be built in: a valid solid, worked by hand for plain lots, allowed in its every part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import Point, Polygon, box

from gis.city_model.building import Building, Surface
from gis.city_model.stepped import stepped_solid
from gis.construction.checks import Rule
from gis.construction.envelope import envelope
from gis.construction.rule_tables import city_rules
from gis.errors import BadGeometry, BadInput
from lidar.validate import defects, signed_volume
from tests.gis.construction.proposals import EAST, NORTH, document, judged


def space(**parts: Any) -> Building:
    return envelope(judged(document(**{"masses": [], **parts})), city_rules())


def volume(building: Building) -> float:
    assert building.solid is not None
    assert defects(building.solid) == ()
    return signed_volume(building.solid)


def test_a_tube_lot_s_space_is_the_one_worked_by_hand() -> None:
    # 5 × 20 m, L = 12: rear 2 m; at the line 17 m; behind 3.5 m up to below 22 m (table 2.7 asks 3 m from 19 m on, less
    # than the 3.5), then 4 m up to the top of 22.4 m.
    house = space()
    assert house.area == pytest.approx(5 * 18)
    assert (house.roof_height_min, house.height) == (17.0, 22.4)
    expected = 5 * 3.5 * 17 + 5 * 0.5 * 21.999 + 5 * 14 * 22.4
    assert volume(house) == pytest.approx(expected, rel=1e-6)
    assert house.attributes["allowed_gross_floor_area_m2"] == 450.0


def test_a_narrow_lot_has_no_bonus_floors() -> None:
    # 3.5 × 20 m = 70 m², L = 12: in all 19.0 m; 3.5 m back above 17 m; from 19 m on table 2.7 asks for 3 m.
    house = space(lot=(3.5, 20))
    assert house.height == 19.0
    assert volume(house) == pytest.approx(3.5 * (3.5 * 17 + 14.5 * 19), rel=1e-6)


def test_a_lane_below_3_5_m_has_one_height() -> None:
    house = space(lot=(5, 12), roads=[("south", 3.0)])
    # 60 m² and 12 m deep: rear 1 m; 11.6 m and no figure at the line.
    assert (house.area, house.height) == (pytest.approx(55), 11.6)
    assert volume(house) == pytest.approx(55 * 11.6, rel=1e-6)


def test_a_tower_steps_back_as_table_2_7_says() -> None:
    # Road of 12 m: 0 m below 19 m, 3 m below 22 m, 4 m below 28 m, 6 m above; up to 40 m.
    tower = space(lot=(30, 40), use="service", height_m=40)
    steps = [(37, 18.999), (36, 21.999), (34, 27.999)]
    expected = 30 * (3 * 18.999 + 1 * 21.999 + 2 * 27.999 + 34 * 40)
    assert len(steps) == 3
    assert volume(tower) == pytest.approx(expected, rel=1e-6)


def test_a_zone_caps_the_space() -> None:
    assert space(zones=[{"height_max_m": 9.5}]).height == 9.5
    assert space(lot=(10, 20), use="detached", zones=[{"height_max_m": 12}]).height == 12.0


def test_the_road_s_reserve_is_taken_off() -> None:
    proposal = document(masses=[])
    proposal["features"][1]["geometry"]["coordinates"] = [[EAST - 50, NORTH - 4], [EAST + 50, NORTH - 4]]
    house = envelope(judged(proposal), city_rules())
    assert house.area == pytest.approx(5 * 16)
    assert not house.footprint.intersects(box(EAST, NORTH, EAST + 5, NORTH + 1.99))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"lot": (3, 11.9)}, r"lot_area_m2 35\.7 m² is less than 36"),
        ({"lot": (2.9, 20)}, r"frontage 2\.9 m is less than 3"),
        ({"use": "detached"}, "nothing limits the height here"),
        ({"roads": []}, "nothing limits the height here"),
    ],
)
def test_where_there_is_no_space_it_says_why(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        space(**parts)


def test_setbacks_that_meet_end_the_space_below_its_top() -> None:
    # From 19 m on 3 m are kept free on both sides of 5 m: nothing is left there.
    thin = space(lot=(40, 5), use="service", height_m=40, roads=[("south", 12), ("north", 12)])
    assert (thin.area, thin.height) == (pytest.approx(200), 18.999)
    assert volume(thin) == pytest.approx(200 * 18.999, rel=1e-6)


@settings(deadline=None, max_examples=25)
@given(
    st.integers(30, 120).map(lambda n: n / 10),
    st.integers(100, 400).map(lambda n: n / 10),
    st.lists(st.sampled_from(["south", "west", "east", "north"]), min_size=1, max_size=2, unique=True),
    st.integers(20, 400).map(lambda n: n / 10),
    st.integers(20, 400).map(lambda n: n / 10),
)
def test_any_space_is_a_valid_solid_and_a_building_that_fills_it_is_allowed(
    w: float, d: float, sides: list[str], first: float, second: float
) -> None:
    lot: dict[str, Any] = {"lot": (w, d), "roads": list(zip(sides, (first, second), strict=False))}
    assume(all(c.verdict.value != "fail" for c in judged(document(masses=[], **lot)).checks))
    house = space(**lot)
    assert volume(house) > 0
    assert house.solid is not None
    # Every roof of the space as a mass of its own, one floor each: heights and setbacks hold.
    tops: dict[float, list[Polygon]] = {}
    for face in house.solid.faces:
        if face.surface is Surface.ROOF:
            rings = [house.solid.vertices[list(ring)] for ring in face.rings]
            part = Polygon(rings[0][:, :2], [ring[:, :2] for ring in rings[1:]])
            tops.setdefault(float(rings[0][0, 2]), []).append(part)
    proposal = document(**lot)
    proposal["features"] = proposal["features"][:-1]
    for height, parts in tops.items():
        for part in parts:
            if part.area >= 1.0:
                proposal["features"].append(
                    {
                        "type": "Feature",
                        "properties": {"role": "footprint", "floors": 1, "height_m": height, "use": "attached"},
                        "geometry": shapely.geometry.mapping(part),
                    }
                )
    held = (Rule.HEIGHT, Rule.HEIGHT_AT_BUILDING_LINE, Rule.SETBACK_FRONT, Rule.SETBACK_REAR, Rule.ROAD_RESERVE)
    for check in judged(proposal).checks:
        assert check.rule not in held or check.verdict.value != "fail", check


def test_steps_of_any_heights_make_a_valid_solid() -> None:
    rng = np.random.default_rng(7)
    for _ in range(40):
        steps = [(box(0, 0, 10, 10), 3.0)]
        for _ in range(int(rng.integers(1, 5))):
            x0, y0 = rng.uniform(0, 7, 2)
            x1, y1 = rng.uniform((x0 + 1, y0 + 1), 10)
            steps.append((box(*np.round((x0, y0, x1, y1), 2)), round(float(rng.uniform(3, 20)), 2)))
        solid = stepped_solid(steps)
        # Two steps that touch in a corner alone make an edge of four walls: that is what they are.
        assert {d.name for d in defects(solid)} <= {"NON_MANIFOLD_EDGE", "NON_MANIFOLD_VERTEX"}
        xy = (np.indices((200, 200)).reshape(2, -1).T + 0.5) / 20
        heights = np.max([np.where(shapely.contains_xy(area, *xy.T), z, 0.0) for area, z in steps], axis=0)
        assert signed_volume(solid) == pytest.approx(heights.mean() * 100, rel=0.02)


def test_a_step_in_the_middle_and_a_court_are_closed() -> None:
    court = box(0, 0, 10, 10).difference(box(4, 4, 6, 6))
    for steps, expected in (
        ([(box(0, 0, 10, 10), 3.0), (Point(5, 5).buffer(2, 2), 8.0)], 300 + 5 * Point(5, 5).buffer(2, 2).area),
        ([(court, 3.0)], 3 * 96),
    ):
        solid = stepped_solid(steps)
        assert defects(solid) == ()
        assert signed_volume(solid) == pytest.approx(expected, rel=1e-3)


def test_steps_that_make_no_one_solid_are_refused() -> None:
    with pytest.raises(BadGeometry, match="fall into parts"):
        stepped_solid([(box(0, 0, 1, 1), 3.0), (box(5, 5, 6, 6), 3.0)])
    with pytest.raises(BadGeometry, match="nothing is left"):
        stepped_solid([(box(0, 0, 1, 1), 0.0)])
