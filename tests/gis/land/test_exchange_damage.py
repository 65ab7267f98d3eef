"""Damaged files of each format: what is wrong is told by record and reason, or in one line of the whole file."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely import LineString, MultiPolygon, Polygon, box

from gis.crs import normalise
from gis.errors import BadInput, BadParameter, UnreadableFile
from gis.land.exchange import files
from gis.land.exchange.problems import Kind, Problem
from gis.land.exchange.record import ParcelRecord, Reading
from gis.land.exchange.shapes import single
from tests.gis.exchange_samples import EAST, NORTH, sample_records

CITY = normalise(9210)


def write(path: Path, records: list[ParcelRecord] | None = None) -> Path:
    files.write(path, sample_records() if records is None else records, CITY)
    return path


def problems(path: Path, reading: Reading | None = None) -> list[Problem]:
    """Those of reading, and those of the outlines."""
    got = files.read(path, reading or Reading())
    outlines = [single(record.name, record.shape)[1] for record in got.records] if got.has_shapes else []
    return [*got.problems, *(problem for problem in outlines if problem is not None)]


def refused(path: Path, reading: Reading | None = None) -> str:
    with pytest.raises(BadInput) as raised:
        files.read(path, reading or Reading())
    said = str(raised.value)
    assert "\n" not in said
    assert path.name in said
    return said


def told(found: list[Problem]) -> list[tuple[Kind, str]]:
    return [(problem.kind, problem.record) for problem in found]


def test_a_shapefile_without_its_table_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "lots.shp")
    (tmp_path / "lots.dbf").unlink()
    assert "lots.dbf, which holds numbers and addresses, is missing" in refused(path)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_shapefile_is_refused_with_both_sizes(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "lots.shp")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    said = refused(path)
    assert f"its header says {len(whole)} bytes, there are {int(share * len(whole))}" in said


def test_a_truncated_table_of_a_shapefile_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "lots.shp")
    table = tmp_path / "lots.dbf"
    table.write_bytes(table.read_bytes()[:-2000])
    said = refused(path)
    assert "lots.dbf" in said
    assert "22 records" in said


def test_a_shapefile_in_an_old_encoding_is_asked_about_and_then_read(tmp_path: Path) -> None:
    path = write(tmp_path / "lots.shp", [replace(sample_records()[0], address="x" * 30)])
    (tmp_path / "lots.cpg").unlink()
    # Lots of what is in use was written with .Vn or VNI fonts: bytes of a Western code page.
    for encoding, raw in (
        ("tcvn3", b"12 \xa7\xad\xeang Nguy\xd4n Tr\xb7i"),
        ("vni", "12 Ñöôøng Nguyeãn Traõi".encode("cp1252")),
        ("cp1258", "12 Đươ\u0300ng Nguyê\u0303n Tra\u0303i".encode("cp1258")),
    ):
        table = bytearray((tmp_path / "lots.dbf").read_bytes())
        start = table.index(b"x" * 30)
        table[start : start + 30] = raw.ljust(30)
        old = tmp_path / encoding / "lots.shp"
        old.parent.mkdir()
        for name in ("lots.shp", "lots.shx", "lots.prj"):
            (old.parent / name).write_bytes((tmp_path / name).read_bytes())
        (old.parent / "lots.dbf").write_bytes(bytes(table))
        said = refused(old)
        assert "record 1, column address: the text is not utf-8" in said
        assert f"{encoding} '12 Đường Nguyễn Trãi'" in said
        got = files.read(old, Reading(encoding=encoding))
        assert got.records[0].address == "12 Đường Nguyễn Trãi"
    with pytest.raises(BadParameter, match="unknown"):
        files.read(path, Reading(encoding="klingon"))


def test_geojson_cut_off_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "lots.geojson")
    path.write_text(path.read_text(encoding="utf-8")[:-3000], encoding="utf-8")
    assert "lots.geojson" in refused(path)


def _geojson(path: Path, spoil: Callable[[list[dict[str, Any]]], object]) -> Path:
    document = json.loads(write(path).read_text(encoding="utf-8"))
    spoil(document["features"])
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def _coordinates(features: list[dict[str, Any]], place: int, rings: object) -> None:
    features[place]["geometry"]["coordinates"] = rings


BOW_TIE = [[[EAST, NORTH], [EAST + 5, NORTH + 5], [EAST + 5, NORTH], [EAST, NORTH + 5], [EAST, NORTH]]]
GEOJSON: dict[str, tuple[Callable[[list[dict[str, Any]]], object], list[tuple[Kind, str]]]] = {
    "a bow tie": (lambda f: _coordinates(f, 4, BOW_TIE), [(Kind.INVALID_RING, "record 5 (12/5)")]),
    "two corners": (
        lambda f: _coordinates(f, 2, [[[EAST, NORTH], [EAST + 5, NORTH], [EAST, NORTH]]]),
        [(Kind.INVALID_RING, "record 3 (12/3)")],
    ),
    "an open ring": (
        lambda f: _coordinates(f, 2, [BOW_TIE[0][:-1]]),
        [(Kind.INVALID_RING, "record 3 (12/3)"), (Kind.NO_GEOMETRY, "record 3 (12/3)")],
    ),
    "no geometry": (lambda f: f[1].update(geometry=None), [(Kind.NO_GEOMETRY, "record 2 (12/2)")]),
    "a line": (
        lambda f: f[1].update(geometry={"type": "LineString", "coordinates": BOW_TIE[0]}),
        [(Kind.SEVERAL_PARTS, "record 2 (12/2)")],
    ),
    "two parts": (
        lambda f: f[1].update(
            geometry={"type": "MultiPolygon", "coordinates": [f[1]["geometry"]["coordinates"], BOW_TIE]}
        ),
        [(Kind.SEVERAL_PARTS, "record 2 (12/2)")],
    ),
    "an area that is none": (
        lambda f: [feature["properties"].update(area_legal="nhỏ") for feature in f[6:7]],
        [(Kind.BAD_VALUE, "record 7")],
    ),
    "a day that is none": (
        lambda f: f[6]["properties"].update(valid_from="hôm qua"),
        [(Kind.BAD_VALUE, "record 7")],
    ),
    "an end before its start": (
        lambda f: f[6]["properties"].update(valid_to="1999-01-01"),
        [(Kind.BAD_VALUE, "record 7 (12/7)")],
    ),
    "a control character": (
        lambda f: f[6]["properties"].update(address="a\x07b"),
        [(Kind.BAD_VALUE, "record 7")],
    ),
}


@pytest.mark.parametrize("case", GEOJSON)
def test_each_spoilt_feature_is_named_with_its_reason(tmp_path: Path, case: str) -> None:
    spoil, expected = GEOJSON[case]
    found = problems(_geojson(tmp_path / "lots.geojson", spoil))
    assert told(found) == [(kind, f"lots.geojson, {record}") for kind, record in expected]
    assert all(problem.en and problem.vi and problem.en != problem.vi for problem in found)


def _drawing(path: Path, *entities: str) -> Path:
    text = write(path).read_text(encoding="ascii")
    head, tail = text.split("ENTITIES\n", 1)
    path.write_text(f"{head}ENTITIES\n{''.join(entities)}{tail}", encoding="ascii")
    return path


def _line(*corners: tuple[float, float]) -> str:
    points = "".join(f"0\nVERTEX\n8\nPARCEL\n10\n{x}\n20\n{y}\n" for x, y in corners)
    return f"0\nPOLYLINE\n8\nPARCEL\n66\n1\n70\n0\n{points}0\nSEQEND\n8\nPARCEL\n"


def _text(layer: str, text: str, x: float, y: float) -> str:
    return f"0\nTEXT\n8\n{layer}\n10\n{x}\n20\n{y}\n40\n1.0\n1\n{text}\n"


def test_an_open_boundary_in_a_drawing_is_told_with_its_gap(tmp_path: Path) -> None:
    west = EAST + 200
    drawn = _line((west, NORTH), (west + 5, NORTH), (west + 5, NORTH + 9), (west, NORTH + 9), (west, NORTH + 0.04))
    found = problems(_drawing(tmp_path / "lots.dxf", drawn))
    assert told(found) == [(Kind.OPEN_BOUNDARY, "lots.dxf, boundary 1")]
    assert found[0].facts["distance_m"] == pytest.approx(0.04)
    assert isinstance(found[0].shape, LineString)


def test_a_boundary_whose_ends_meet_needs_no_mark_that_it_is_closed(tmp_path: Path) -> None:
    west = EAST + 200
    corners = [(west, NORTH), (west + 5, NORTH), (west + 5, NORTH + 9), (west, NORTH + 9), (west, NORTH)]
    path = _drawing(tmp_path / "lots.dxf", _line(*corners), _text("LABEL", "13/1", west + 1, NORTH + 1))
    got = files.read(path, Reading())
    assert got.problems == ()
    assert got.records[0].number == ("", "13", "1")
    assert got.records[0].shape.equals(Polygon(corners))


def test_two_labels_in_one_parcel_and_one_in_none_are_told(tmp_path: Path) -> None:
    path = _drawing(
        tmp_path / "lots.dxf",
        _text("PARCEL_NO", "77", EAST + 1, NORTH + 1),
        _text("PARCEL_NO", "78", EAST - 50, NORTH - 50),
        _text("0", "ranh QH", EAST - 60, NORTH - 50),
    )
    found = problems(path)
    assert told(found) == [
        (Kind.LABEL_OUTSIDE, "text '78'"),
        (Kind.SEVERAL_LABELS, "lots.dxf, boundary 4 (12/77)"),
    ]
    assert "'77', '1'" in found[1].en


def test_a_drawing_of_nothing_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "lots.dxf", [])
    assert "no boundaries" in refused(path)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha" * 10}">' for n in range(10))


@pytest.mark.parametrize("ending", [".gml", ".xml"])
@pytest.mark.parametrize(
    "kind",
    [
        f"<!DOCTYPE x [{LAUGHS}]>",
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://localhost:1/x.dtd">',
        "<!DOCTYPE x>",
    ],
    ids=["laughs", "file", "address", "bare"],
)
def test_a_document_type_is_refused_before_anything_is_expanded(tmp_path: Path, ending: str, kind: str) -> None:
    path = write(tmp_path / f"lots{ending}")
    text = path.read_text(encoding="utf-8").replace('"UTF-8"?>', f'"UTF-8"?>\n{kind}', 1)
    path.write_text(text.replace("Nguyễn", "&l9;"), encoding="utf-8")
    assert "line 2: it has a document type or an entity" in refused(path)


@pytest.mark.parametrize("ending", [".gml", ".xml"])
def test_xml_cut_off_is_refused_with_its_line(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"lots{ending}")
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:60]), encoding="utf-8")
    assert "line 60: not well-formed XML" in refused(path)


@pytest.mark.parametrize("ending", [".gml", ".xml"])
def test_xml_of_another_kind_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"lots{ending}"
    path.write_text("<a><b>1</b></a>")
    assert "it has no cp:CadastralParcel" in refused(path) or "its root is not" in refused(path)


def test_xml_that_nests_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lots.xml"
    path.write_text("<a>" * 100_000)
    assert "elements nest more than" in refused(path)


@pytest.mark.parametrize(
    ("ending", "last"), [(".gml", " 603005.0 1191000.0</gml:posList>"), (".xml", " 603005.0,1191000.0</vongNgoai>")]
)
def test_spoilt_rings_in_gml_and_xml_are_told_of_their_parcels(tmp_path: Path, ending: str, last: str) -> None:
    path = write(tmp_path / f"lots{ending}")
    text = path.read_text(encoding="utf-8")
    assert last in text
    path.write_text(text.replace(last, last[last.index("<") :], 1), encoding="utf-8")
    found = problems(path)
    assert [problem.kind for problem in found] == [Kind.OPEN_BOUNDARY, Kind.NO_GEOMETRY]
    assert "parcel 1 in line" in found[0].record
    assert found[0].facts["distance_m"] == pytest.approx(5.0)
    path.write_text(text.replace("603000.0", "6o3", 1), encoding="utf-8")
    assert told(problems(path))[0][0] is Kind.INVALID_RING


def test_rows_of_a_table_with_another_number_of_columns_are_refused_by_line(tmp_path: Path) -> None:
    path = write(tmp_path / "lots.csv")
    path.write_text("sheet_no,parcel_no,address\n12,1,a\n12,2\n", encoding="utf-8")
    assert "line 3: 2 columns, the first line has 3" in refused(path)
    path.write_text("address,land_use\na,b\n", encoding="utf-8")
    assert "names neither uid nor sheet_no and parcel_no" in refused(path)
    path.write_text('sheet_no,parcel_no\n12,"1\n12,2\n', encoding="utf-8")
    assert "lots.csv" in refused(path)
    path.write_bytes(b"sheet_no,parcel_no,address\n12,1,a\n12,2," + b"\xa7\xad\xeang\n")
    said = refused(path)
    assert "line 3: the text is not utf-8" in said
    assert "tcvn3 '12,2,Đường'" in said
    path.write_bytes(b"sheet_no,parcel_no\n12,\x001\n")
    assert "NUL" in refused(path)


@pytest.mark.parametrize("ending", files.ENDINGS)
def test_files_of_another_kind_or_none_are_refused(tmp_path: Path, ending: str) -> None:
    for content in (b"", b"\x89PNG\r\n\x1a\n" + bytes(200), b"<OGRVRTDataSource></OGRVRTDataSource>"):
        path = tmp_path / f"odd{ending}"
        path.write_bytes(content)
        assert refused(path)
    assert "no such file" in refused(tmp_path / f"none{ending}")


@pytest.mark.parametrize("ending", files.ENDINGS)
def test_noise_in_a_file_never_ends_in_another_error(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"lots{ending}")
    whole = path.read_bytes()
    random = np.random.default_rng(1836)
    for place in random.integers(0, len(whole), 25):
        spoilt = bytearray(whole)
        spoilt[place : place + 16] = random.bytes(16)
        path.write_bytes(bytes(spoilt))
        with suppress(BadInput):
            assert all(problem.en and problem.vi for problem in problems(path))


def test_a_shapefile_says_its_length_in_its_header(tmp_path: Path) -> None:
    path = write(tmp_path / "lots.shp")
    assert 2 * struct.unpack(">i", path.read_bytes()[24:28])[0] == path.stat().st_size


def test_one_part_of_many_is_a_parcel() -> None:
    lot = box(0, 0, 5, 20)
    assert single("x", MultiPolygon([lot])) == (lot, None)
    assert isinstance(single("x", MultiPolygon([lot, box(9, 0, 10, 1)]))[1], Problem)
    assert single("x", None)[1] == Problem(Kind.NO_GEOMETRY, "x")


def test_a_name_that_tells_no_format_is_refused() -> None:
    with pytest.raises(BadParameter, match=r"\.gpkg \.shp"):
        files.read(Path("lots.dwg"), Reading())


def test_a_layer_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = write(tmp_path / "lots.gpkg")
    with pytest.raises(UnreadableFile, match="no layer 'thua'; there are parcels"):
        files.read(path, Reading(layer="thua"))
