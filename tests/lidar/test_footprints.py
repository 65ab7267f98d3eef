from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, Polygon, box

from gis.bounds import BoundingBox
from gis.crs import normalise, transformer
from gis.errors import BadCrs, BadParameter, MissingCrs, UnreadableFile
from lidar.footprints import Footprints, read_footprints, read_footprints_for

CRS = normalise(9210)
BOW_TIE = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])


def geojson(path: Path, features: list[tuple[dict[str, object], object]], code: int | None = 9210) -> Path:
    document: dict[str, object] = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": p, "geometry": g} for p, g in features],
    }
    if code:
        document["crs"] = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{code}"}}
    path.write_text(json.dumps(document))
    return path


def test_a_self_crossing_ring_becomes_its_two_halves_and_is_reported() -> None:
    made = Footprints.of([("a", BOW_TIE), ("b", box(20, 0, 30, 10))], CRS)
    assert made.uids == ("a", "a-2", "b")
    assert all(shapely.is_valid(made.polygons))
    assert shapely.area(made.polygons).sum() == pytest.approx(50 + 100)
    assert "Self-intersection" in str(made.problems[0])


def test_unusable_records_are_named_and_stop_no_other() -> None:
    records = [
        ("none", None),
        ("empty", Polygon()),
        ("line", shapely.LineString([(0, 0), (1, 1)])),
        ("flat", Polygon([(0, 0), (5, 0), (2, 0)])),
        ("nan", Polygon([(0, 0), (float("nan"), 0), (1, 1)])),
        ("tiny", box(0, 0, 0.1, 0.1)),
        ("good", box(0, 0, 5, 5)),
    ]
    made = Footprints.of(records, CRS)
    assert made.uids == ("good",)
    assert {p.record for p in made.problems} == {"none", "empty", "line", "flat", "nan", "tiny"}


def test_parts_are_numbered_by_falling_area() -> None:
    made = Footprints.of([("m", MultiPolygon([box(0, 0, 2, 2), box(10, 0, 15, 5)]))], CRS)
    assert made.uids == ("m", "m-2")
    assert list(shapely.area(made.polygons)) == [25, 4]


def test_the_same_record_twice_counts_once_and_a_uid_used_twice_gets_a_number() -> None:
    made = Footprints.of([("a", box(0, 0, 5, 5)), ("a", box(0, 0, 5, 5)), ("a", box(9, 0, 12, 5))], CRS)
    assert made.uids == ("a", "a-2")
    assert len(made.problems) == 2


def test_every_outline_belongs_to_exactly_one_tile() -> None:
    random = np.random.default_rng(1)
    outlines = [(str(i), box(x, y, x + 7, y + 4)) for i, (x, y) in enumerate(random.uniform(0, 93, (200, 2)))]
    outlines.append(("edge", box(45, 45, 55, 55)))
    made = Footprints.of(outlines, CRS)
    owned = [
        uid
        for x in range(0, 100, 50)
        for y in range(0, 100, 50)
        for uid in made.within(BoundingBox(x, y, x + 50, y + 50, CRS)).uids
    ]
    assert sorted(owned) == sorted(made.uids)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=3, max_size=12))
def test_any_ring_is_made_valid_or_reported(ring: list[tuple[float, float]]) -> None:
    made = Footprints.of([("r", Polygon(ring))], CRS)
    assert all(shapely.is_valid(made.polygons))
    assert all(p.geom_type == "Polygon" and p.area > 0 for p in made.polygons)
    assert len(made) > 0 or made.problems


def test_outlines_are_reprojected_at_the_door(tmp_path: Path) -> None:
    path = geojson(tmp_path / "f.geojson", [({"uid": "a"}, box(603000, 1191000, 603010, 1191005).__geo_interface__)])
    made = read_footprints(path, to="EPSG:32648")
    expected = transformer(9210, 32648).transform(603000, 1191000)
    assert made.crs == normalise(32648)
    nearest = Point(expected).distance(shapely.MultiPoint(shapely.get_coordinates(made.polygons[0])))
    assert nearest < 1e-6


def test_a_geojson_that_forgot_its_crs_is_asked_about(tmp_path: Path) -> None:
    path = geojson(tmp_path / "f.geojson", [({}, box(603000, 1191000, 603010, 1191005).__geo_interface__)], code=None)
    with pytest.raises(MissingCrs):
        read_footprints(path)
    assert read_footprints(path, crs="EPSG:9210+5727").crs == CRS


def test_a_crs_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    path = geojson(tmp_path / "f.geojson", [({}, box(603000, 1191000, 603010, 1191005).__geo_interface__)])
    with pytest.raises(BadCrs, match=r"28992"):
        read_footprints(path, crs=28992)


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"{]", b"a,b\n1,2\n", b"wkt\n"])
@pytest.mark.parametrize("ending", [".csv", ".geojson", ".gpkg", ".shp"])
def test_what_is_no_vector_file_is_refused_in_one_line(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"bad{ending}"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as error:
        read_footprints(path, crs=CRS)
    assert "\n" not in str(error.value)


def test_a_table_of_wkt_and_coordinate_lists_is_read_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(
        "id;wkt\n1;POLYGON((0 0,9 0,9 9,0 9,0 0))\n2;POLYGON((0 0,9\n3;[[20,0],[29,0],[29,9]]\n"
        "4;SRID=9210;\n5;MULTIPOLYGON(((40 0,49 0,49 9,40 0)))\n"
    )
    made = read_footprints(path, crs=CRS)
    assert made.uids == ("1", "3", "5")
    assert {p.record for p in made.problems} == {"2", "4"}


def test_a_layer_is_chosen_by_name(tmp_path: Path) -> None:
    path = tmp_path / "f.gpkg"
    for name, shape in (("roads", shapely.LineString([(0, 0), (9, 9)])), ("buildings", box(0, 0, 9, 9))):
        pyogrio.raw.write(
            path, shapely.to_wkb(np.array([shape])), [np.array([name])], ["uid"], layer=name, append=path.exists(),
            geometry_type=shape.geom_type, crs="EPSG:9210",
        )  # fmt: skip
    assert read_footprints(path).uids == ("buildings",)
    assert len(read_footprints(path, layer="roads")) == 0
    with pytest.raises(UnreadableFile):
        read_footprints(path, layer="houses")


def test_two_outlines_under_one_uid_cannot_be_made() -> None:
    with pytest.raises(BadParameter):
        Footprints(("a", "a"), np.array([box(0, 0, 1, 1), box(1, 1, 2, 2)], dtype=object), CRS, "test")


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "crs", "count", "area"),
    [
        ("delft_north/footprints.geojson", None, 10, 883.8),
        ("amsterdam_a/bag_buildings_demo.csv", 28992, 31, None),
        ("amsterdam_a/bgt_buildings_demo.csv", 28992, 31, None),
        ("ign_footprints/870000_6618000.subset.postIA.shp", None, 40, None),
    ],
)
def test_real_outlines_are_read(shared_data: Path, name: str, crs: int | None, count: int, area: float | None) -> None:
    made = read_footprints(shared_data / name, crs=crs)
    assert (len(made), made.problems) == (count, ())
    if area:
        assert shapely.area(made.polygons).sum() == pytest.approx(area, abs=0.1)


def test_outlines_that_say_no_crs_are_in_the_one_stated_for_such_input(tmp_path: Path) -> None:
    table = tmp_path / "houses.csv"
    table.write_text('id,wkt\na,"POLYGON ((85000 447000, 85010 447000, 85010 447010, 85000 447010, 85000 447000))"\n')
    with pytest.raises(MissingCrs):
        read_footprints_for(table, "EPSG:28992")
    (outline,) = read_footprints_for(table, "EPSG:28992", unstated="EPSG:7415").polygons
    assert outline.area == pytest.approx(100)
