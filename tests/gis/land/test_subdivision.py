"""The minima of a split, by zone and day, with both sides of each breakpoint worked by hand."""

from __future__ import annotations

import csv
import itertools
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely import LineString, Polygon, box

from gis.errors import BadGeometry
from gis.land import draft, subdivision
from gis.land.draft import Names, Part
from gis.land.land_change import Draft
from gis.land.parcel import Parcel
from gis.land.subdivision import Road, Zone
from tests.gis.store_samples import EAST, NORTH

DAY = date(2025, 1, 1)
ROAD = Road(LineString([(EAST - 50, NORTH - 6), (EAST + 50, NORTH - 6)]), 12.0)


def _lot(width: float, depth: float, west: float = 0.0) -> Polygon:
    return box(EAST + west, NORTH, EAST + west + width, NORTH + depth)


def _parcel(polygon: Polygon, uid: str = "p", **told: Any) -> Parcel:
    facts: dict[str, Any] = {"ward_code": "26734", "sheet_no": "1", "parcel_no": "7", "land_use": "ODT"}
    return Parcel(uid, 1, polygon, date(2009, 3, 1), area_measured=polygon.area, **(facts | told))


def _names() -> Names:
    return Names((f"p~{n}" for n in itertools.count(1)), (str(n) for n in itertools.count(100)))


def _halves(first: float, second: float, depth: float) -> list[Part]:
    return [Part(_lot(first, depth)), Part(_lot(second, depth, first))]


def _split(first: float, second: float, depth: float, day: date = DAY, **told: Any) -> Draft:
    roads = told.pop("roads", [ROAD])
    zone = told.pop("zone", None)
    parent = _parcel(_lot(first + second, depth), **told)
    return draft.split(parent, _halves(first, second, depth), day, _names(), zone=zone, roads=roads)


@pytest.mark.parametrize(
    ("zone", "first", "depth", "wanting"),
    [
        # 36 m² and 3 m in inner districts.
        ("inner", 3.0, 12.0, []),
        ("inner", 3.0, 11.98, ["area 35.94 m², at least 36 m²"]),
        ("inner", 2.99, 20.0, ["frontage 2.99 m, at least 3 m"]),
        ("inner", 2.9, 12.0, ["area 34.80 m², at least 36 m²", "frontage 2.90 m, at least 3 m"]),
        # 50 m² and 4 m in outer urban ones.
        ("outer_urban", 4.0, 12.5, []),
        ("outer_urban", 4.0, 12.48, ["area 49.92 m², at least 50 m²"]),
        ("outer_urban", 3.98, 20.0, ["frontage 3.98 m, at least 4 m"]),
        # 80 m² and 5 m in the country.
        ("rural", 5.0, 16.0, []),
        ("rural", 5.0, 15.98, ["area 79.90 m², at least 80 m²"]),
        ("rural", 4.98, 20.0, ["frontage 4.98 m, at least 5 m"]),
    ],
)
def test_a_piece_below_the_minimum_is_a_problem(zone: str, first: float, depth: float, wanting: list[str]) -> None:
    drawn = _split(first, 30.0, depth, zone=Zone(zone))
    assert [problem.split(" (")[0] for problem in drawn.problems] == [f"p~1: {text}" for text in wanting]
    cited = ("QĐ 100/2024/QĐ-UBND", "from memory, not from a copy")
    assert all(part in problem for problem in drawn.problems for part in cited)
    assert len(drawn.checks) == 4


@pytest.mark.parametrize(
    ("day", "source"),
    [
        (date(2017, 12, 14), None),
        (date(2017, 12, 15), "QĐ 60/2017/QĐ-UBND"),
        (date(2024, 10, 30), "QĐ 60/2017/QĐ-UBND"),
        (date(2024, 10, 31), "QĐ 100/2024/QĐ-UBND"),
    ],
)
def test_the_decision_in_force_on_the_day_decides(day: date, source: str | None) -> None:
    drawn = _split(1.0, 30.0, 12.0, day)
    if source is None:
        assert drawn.problems == drawn.checks == ()
        assert "no minimum was checked" in drawn.notes[0]
    else:
        assert len(drawn.problems) == 2
        assert all(source in problem for problem in drawn.problems)


def test_every_zone_is_cited_and_its_doubt_kept() -> None:
    file = Path(subdivision.__file__).parents[2] / "data" / "land" / "split_zones.csv"
    for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines()):
        assert row["source"].startswith("QĐ "), row
        assert row["article"], row
        assert row["doubt"] or row["verified_by"], row


@pytest.mark.parametrize(("zone", "area", "front"), [("inner", 36, 3), ("outer_urban", 50, 4), ("rural", 80, 5)])
def test_the_minima_are_those_of_the_rules_with_their_doubt(zone: str, area: float, front: float) -> None:
    for day, source in ((date(2020, 1, 1), "QĐ 60/2017"), (date(2025, 1, 1), "QĐ 100/2024")):
        minimum = subdivision.minimum_for(subdivision.Zone(zone), day)
        assert minimum is not None
        assert (minimum.area_m2, minimum.frontage_m) == (area, front)
        assert minimum.citation.startswith(source)
        assert minimum.doubt
    assert subdivision.minimum_for(subdivision.Zone(zone), date(2010, 1, 1)) is None


@pytest.mark.parametrize(
    ("ward", "zone"),
    [
        ("26734", "inner"),  # Tân Định, district 1
        ("26764", "outer_urban"),  # Thạnh Xuân, district 12
        ("26830", "outer_urban"),  # Thủ Đức
        ("27466", "outer_urban"),  # district 7
        ("27559", "outer_urban"),  # the town Hóc Môn
        ("27562", "rural"),  # Tân Hiệp, Hóc Môn
        ("27667", "rural"),  # Cần Giờ
        ("99999", None),
        (None, None),
        ("x", None),
    ],
)
def test_the_zone_follows_from_the_ward(ward: str | None, zone: str | None) -> None:
    assert subdivision.zone_of(ward) == zone


def test_the_zones_know_all_wards_of_the_city(shared_data: Path) -> None:
    inner = {"Quận 1", "Quận 3", "Quận 4", "Quận 5", "Quận 6", "Quận 8", "Quận 10", "Quận 11", "Quận Gò Vấp"}
    inner |= {"Quận Bình Thạnh", "Quận Phú Nhuận", "Quận Tân Bình", "Quận Tân Phú"}
    with (shared_data / "admin" / "hcmc_wards_2024.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rural = row["district"].startswith("Huyện") and not row["ward"].startswith("Thị trấn")
            expected = "inner" if row["district"] in inner else "rural" if rural else "outer_urban"
            assert subdivision.zone_of(row["ward_code"]) == expected, row


def test_what_could_not_be_checked_is_said() -> None:
    assert "zone of ward unknown is not known" in _split(1.0, 30.0, 12.0, ward_code=None).notes[0]
    assert "for land use CLN none was checked" in _split(1.0, 30.0, 12.0, land_use="CLN").notes[0]
    no_road = _split(2.0, 30.0, 20.0, roads=[])
    assert no_road.problems == ()
    assert "no registered road passes" in no_road.notes[1]


def test_what_is_too_small_goes_to_a_neighbour_in_the_same_change() -> None:
    parent, neighbour = _parcel(_lot(10, 20)), _parcel(_lot(8, 20, -8), "q", parcel_no="8")
    alone = draft.split(parent, _halves(1.5, 8.5, 20), DAY, _names(), [neighbour], roads=[ROAD])
    assert len(alone.problems) == 2
    assert "Land Law 2024 (31/2024/QH15) art. 220" in alone.notes[-1]
    together = draft.split(
        parent, _halves(1.5, 8.5, 20), DAY, _names(), [neighbour], roads=[ROAD], small_into=neighbour
    )
    assert together.problems == ()
    assert [one.uid for one in together.parents] == ["p", "q"]
    assert [(one.uid, one.parcel_no, round(one.area_measured, 6)) for one in together.children] == [
        ("p~1", "100", 170.0),
        ("p~2", "101", 190.0),
    ]
    assert together.difference == 0.0
    far = _parcel(_lot(8, 20, 50), "far")
    with pytest.raises(BadGeometry, match="do not adjoin"):
        draft.split(parent, _halves(1.5, 8.5, 20), DAY, _names(), [far], roads=[ROAD], small_into=far)


def test_an_adjustment_may_not_make_a_small_parcel_smaller() -> None:
    small, large = _parcel(_lot(2.5, 14)), _parcel(_lot(10, 14, 2.5), "q", parcel_no="8")

    def moved(west: float) -> Draft:
        line = LineString([(EAST + west, NORTH - 1), (EAST + west, NORTH + 15)])
        return draft.adjust([small, large], line, DAY, roads=[ROAD])

    # 35 m² and 2.5 m are below 36 m² and 3 m: less is refused, more is not, be it still too little.
    assert [problem.split(" (")[0] for problem in moved(2.4).problems] == [
        "p: area 33.60 m², at least 36 m²",
        "p: frontage 2.40 m, at least 3 m",
    ]
    assert moved(2.6).problems == ()
    assert [check.holds for check in moved(2.6).checks] == [True, True, False, True]


def test_only_what_is_residential_has_these_minima() -> None:
    parts = [Part(_lot(1, 20), land_use="TMD"), Part(_lot(9, 20, 1))]
    drawn = draft.split(_parcel(_lot(10, 20)), parts, DAY, _names(), roads=[ROAD])
    assert {check.uid for check in drawn.checks} == {"p~2"}
    assert drawn.problems == ()
    assert drawn.notes[0] == "the minima are for residential land; for land use TMD none was checked"


def test_frontage_is_measured_along_the_road() -> None:
    assert subdivision.frontage(_lot(4, 20), [ROAD]) == pytest.approx(4.0)
    assert subdivision.frontage(box(EAST, NORTH + 5, EAST + 4, NORTH + 20), [ROAD]) == 0.0
    # A corner lot has two fronts; the longer counts.
    side = Road(LineString([(EAST - 6, NORTH), (EAST - 6, NORTH + 50)]), 12.0)
    assert subdivision.frontage(_lot(4, 20), [ROAD, side]) == pytest.approx(20.0)
    # A road that turns away: the part of a 3-4-5 slope within reach, along the road.
    slope = Polygon([(EAST, NORTH), (EAST + 4, NORTH + 3), (EAST + 4, NORTH + 20), (EAST, NORTH + 20)])
    assert subdivision.frontage(slope, [ROAD]) == pytest.approx(4 / 3)
