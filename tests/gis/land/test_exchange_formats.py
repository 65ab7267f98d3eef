"""Files of parcels: what goes out comes back, and others read it too."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from xml.etree import ElementTree

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from gis.crs import normalise, transformer
from gis.errors import BadInput, UnreadableFile
from gis.land.exchange import files, interchange
from gis.land.exchange.problems import Kind
from gis.land.exchange.record import FIELDS, SHORT_NAMES, ParcelRecord, Reading, attributes
from tests.gis.exchange_samples import sample_records

CITY = normalise(9210)
WITH_SHAPES = [ending for ending in files.ENDINGS if ending != ".csv"]


@pytest.mark.parametrize("ending", files.ENDINGS)
def test_what_is_written_comes_back_value_for_value(ending: str, tmp_path: Path) -> None:
    sent = sample_records()
    files.write(tmp_path / f"lots{ending}", sent, CITY)
    got = files.read(tmp_path / f"lots{ending}", Reading())
    assert got.problems == ()
    assert [attributes(record) for record in got.records] == [attributes(record) for record in sent]
    assert got.columns == frozenset(FIELDS)
    assert (got.crs == CITY) == (ending not in (".csv", ".dxf"))


@pytest.mark.parametrize("ending", WITH_SHAPES)
def test_outlines_come_back_to_the_last_bit(ending: str, tmp_path: Path) -> None:
    sent = sample_records()
    files.write(tmp_path / f"lots{ending}", sent, CITY)
    got = files.read(tmp_path / f"lots{ending}", Reading())
    for one, other in zip(sent, got.records, strict=True):
        assert one.shape is not None
        assert other.shape is not None
        assert one.shape.normalize().equals_exact(other.shape.normalize(), 0.0), one.name


@pytest.mark.parametrize("ending", [".geojson", ".gml", ".xml", ".shp", ".gpkg"])
@pytest.mark.parametrize("code", [4326, 4756, 3405])
def test_another_crs_keeps_the_millimetre(ending: str, code: int, tmp_path: Path) -> None:
    there = transformer(CITY, code)
    sent = [
        ParcelRecord(
            record.source,
            shapely.transform(record.shape, lambda xy: np.column_stack(there.transform(xy[:, 0], xy[:, 1]))),
            uid=record.uid,
        )
        for record in sample_records()
    ]
    files.write(tmp_path / f"lots{ending}", sent, normalise(code))
    got = files.read(tmp_path / f"lots{ending}", Reading())
    assert got.crs is not None
    assert got.crs.to_epsg() == code
    back = transformer(code, CITY)
    for record, original in zip(got.records, sample_records(), strict=True):
        moved = shapely.transform(record.shape, lambda xy: np.column_stack(back.transform(xy[:, 0], xy[:, 1])))
        assert shapely.hausdorff_distance(moved.boundary, original.shape.boundary) < 0.001


@pytest.mark.parametrize("ending", [".gpkg", ".shp", ".geojson"])
def test_geopandas_reads_the_same(ending: str, tmp_path: Path) -> None:
    sent = sample_records()
    files.write(tmp_path / f"lots{ending}", sent, CITY)
    frame = geopandas.read_file(tmp_path / f"lots{ending}")
    assert frame.crs.to_epsg() == 9210
    assert frame.geometry.area.tolist() == pytest.approx([record.shape.area for record in sent])
    for name in ("uid", "old_sheet_no", "address"):
        column = SHORT_NAMES.get(name, name) if ending == ".shp" else name
        told = [None if pd.isna(value) else value for value in frame[column]]
        assert told == [getattr(record, name) for record in sent]


def test_ogr_reads_our_gml_with_its_own_reader(tmp_path: Path) -> None:
    sent = sample_records()
    files.write(tmp_path / "lots.gml", sent, CITY)
    frame = pyogrio.read_dataframe(tmp_path / "lots.gml", layer="CadastralParcel")
    assert frame.crs.to_epsg() == 9210
    assert frame.geometry.area.tolist() == pytest.approx([record.shape.area for record in sent])
    assert frame["nationalCadastralReference"].tolist() == [record.uid for record in sent]
    assert frame["label"].astype(str).tolist() == [record.parcel_no for record in sent]


def test_degrees_in_gml_are_north_first_as_ogr_reads_them(tmp_path: Path) -> None:
    lot = ParcelRecord("lot", shapely.box(106.69, 10.77, 106.7, 10.78), uid="p-1")
    files.write(tmp_path / "lot.gml", [lot], normalise(4326))
    assert "<gml:posList>10.77 106.7 10.78 106.7" in (tmp_path / "lot.gml").read_text()
    frame = pyogrio.read_dataframe(tmp_path / "lot.gml")
    assert frame.total_bounds.tolist() == [106.69, 10.77, 106.7, 10.78]


def test_ogr_sees_closed_boundaries_and_texts_in_our_drawing(tmp_path: Path) -> None:
    sent = sample_records()
    files.write(tmp_path / "lots.dxf", sent, CITY)
    frame = pyogrio.read_dataframe(tmp_path / "lots.dxf")
    rings = frame[frame.Layer == "PARCEL"].geometry
    assert rings.is_ring.all()
    outer = [shapely.Polygon(record.shape.exterior).area for record in sent]
    assert [shapely.Polygon(ring).area for ring in rings] == pytest.approx(outer)
    assert frame[frame.Layer == "PARCEL_NO"].Text.tolist() == [record.parcel_no for record in sent]


def test_a_spreadsheet_reads_our_table(tmp_path: Path) -> None:
    sent = sample_records()
    files.write(tmp_path / "lots.csv", sent, CITY)
    with (tmp_path / "lots.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["address"] for row in rows] == [record.address or "" for record in sent]
    assert list(rows[0]) == list(FIELDS)


def test_our_xml_has_the_elements_of_its_schema_in_its_order(checkout: Path, tmp_path: Path) -> None:
    files.write(tmp_path / "lots.xml", sample_records(), CITY)
    schema = ElementTree.parse(checkout / "data" / "exchange" / "parcels.xsd")  # noqa: S314  our own file
    xs = "{http://www.w3.org/2001/XMLSchema}"
    parcel = next(t for t in schema.iter(f"{xs}complexType") if t.get("name") == "ThuaDat")
    order = [str(element.get("name")) for element in parcel.iter(f"{xs}element")]
    assert order == [*interchange.ELEMENTS.values(), "hinhThe"]
    pattern = next(p for p in schema.iter(f"{xs}pattern")).get("value")
    assert pattern is not None
    root = ElementTree.parse(tmp_path / "lots.xml").getroot()  # noqa: S314  made above
    assert root.attrib == {"crs": "EPSG:9210"}
    for element in root:
        names = [child.tag.rsplit("}", 1)[1] for child in element]
        assert names == sorted(names, key=order.index)
        for ring in element.iter():
            if "vong" in ring.tag:
                assert all(re.fullmatch(pattern, pair) for pair in (ring.text or "").split())


def test_the_example_in_the_schemas_page_can_be_read(checkout: Path, tmp_path: Path) -> None:
    page = (checkout / "data" / "exchange" / "README.md").read_text(encoding="utf-8")
    (tmp_path / "one.xml").write_text(page.split("```xml\n")[1].split("```")[0], encoding="utf-8")
    got = files.read(tmp_path / "one.xml", Reading())
    assert got.problems == ()
    assert got.records[0].address == "12 Đường Nguyễn Trãi"
    assert got.records[0].shape.area == 100.0


def test_a_text_longer_than_dbase_holds_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    files.write(tmp_path / "lots.shp", sample_records()[:2], CITY)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    long = ParcelRecord("lot", sample_records()[0].shape, uid="p-1", address="Đ" * 200)
    with pytest.raises(BadInput, match="address of lot"):
        files.write(tmp_path / "lots.shp", [long], CITY)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_columns_are_found_by_their_vietnamese_names_and_by_the_callers(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(
        {"SO_TO": [12, 12], "SoThuTuThua": [1, 2], "Địa chỉ": ["1 Lê Lợi", None], "loai": ["ODT", "CLN"]},
        geometry=[record.shape for record in sample_records()[:2]],
        crs=CITY,
    )
    pyogrio.write_dataframe(frame, tmp_path / "x.gpkg", layer="thua")
    got = files.read(tmp_path / "x.gpkg", Reading(names={"land_use": "LOAI"}, constants={"ward_code": "26734"}))
    assert [record.number for record in got.records] == [("26734", "12", "1"), ("26734", "12", "2")]
    assert [record.address for record in got.records] == ["1 Lê Lợi", None]
    assert [record.land_use for record in got.records] == ["ODT", "CLN"]
    with pytest.raises(UnreadableFile, match="no column 'no such'"):
        files.read(tmp_path / "x.gpkg", Reading(names={"address": "no such"}))


def test_labels_of_other_peoples_drawings_give_the_numbers(tmp_path: Path) -> None:
    rings = [record.shape.exterior for record in sample_records()[:3]]
    points = [record.shape.representative_point() for record in sample_records()[:3]]
    frame = geopandas.GeoDataFrame({"Layer": ["10"] * 3, "Text": [None] * 3}, geometry=rings)
    pyogrio.write_dataframe(frame, tmp_path / "ogr.dxf")
    drawn = (tmp_path / "ogr.dxf").read_text()
    texts = [
        f"  0\nTEXT\n  8\nLABEL\n 10\n{point.x}\n 20\n{point.y}\n 40\n1.0\n  1\n{label}\n"
        for point, label in zip(points, ("12/7", "t\\U+1EDD 12, th\\U+1EEDa 8", "nhà kho"), strict=True)
    ]
    head, tail = drawn.split("ENTITIES\n", 1)
    (tmp_path / "ogr.dxf").write_text(f"{head}ENTITIES\n{''.join(texts)}{tail}", encoding="utf-8")
    got = files.read(tmp_path / "ogr.dxf", Reading(layer="10"))
    assert [record.number for record in got.records] == [("", "12", "7"), ("", "12", "8"), None]
    assert {problem.kind for problem in got.problems} == set[Kind]()


def test_bare_numbers_in_a_drawing_of_one_sheet_need_the_sheet_to_be_told(tmp_path: Path) -> None:
    bare = [ParcelRecord("lot", record.shape, parcel_no=record.parcel_no) for record in sample_records()[:3]]
    files.write(tmp_path / "sheet.dxf", bare, CITY)
    drawn = (tmp_path / "sheet.dxf").read_text().replace("PARCEL_NO", "NHAN")
    (tmp_path / "sheet.dxf").write_text(drawn)
    assert [record.number for record in files.read(tmp_path / "sheet.dxf", Reading()).records] == [None] * 3
    got = files.read(tmp_path / "sheet.dxf", Reading(constants={"sheet_no": "12"}))
    assert [record.number for record in got.records] == [("", "12", "1"), ("", "12", "2"), ("", "12", "3")]
