from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import shapely
from cjio import cityjson as cjio_model
from shapely import Point, Polygon, box

from gis.city_model.building import Building, Reason, Solid
from gis.city_model.cityjson import (
    crs_of,
    read_cityjson,
    reference_system,
    to_cityjson,
    write_cityjson,
    write_cityjsonseq,
)
from gis.crs import name_of, normalise
from gis.errors import BadCrs, UnreadableFile
from lidar.reconstruct import block
from lidar.validate import defects, signed_volume
from tests.gis.city_model.roof_samples import houses

CRS = normalise("EPSG:9210+5727")


def building(uid: str, outline: Polygon, height: float = 10.5, reason: Reason = Reason.NONE) -> Building:
    known = reason is Reason.NONE
    nan = float("nan")
    return Building(
        uid=uid, footprint=outline, ground_height=2.125, roof_height_min=3.0 if known else nan,
        roof_height_50p=4.0 if known else nan, roof_height_70p=2.125 + height if known else nan,
        roof_height_max=15.0 if known else nan, height=height if known else nan, sigma_height=0.11 if known else nan,
        area=round(outline.area, 3), sigma_area=1.5, lod="1.2" if known else "0",
        solid=block(outline, 2.125, 2.125 + height) if known else None, point_count=420, point_density=7.0,
        no_data_fraction=0.02, reason=reason, attributes={"footprint_source": "known", "storeys": 3},
    )  # fmt: skip


COURT = shapely.set_precision(Point(603050, 1191050).buffer(20).difference(Point(603050, 1191050).buffer(8)), 0.001)
BUILDINGS = (
    building("nhà-1", box(603000, 1191000, 603004, 1191015)),
    building("court", COURT, 7.25),
    building("unknown", box(603020, 1191000, 603024, 1191015), reason=Reason.FEW_POINTS),
)


def same(a: Building, b: Building) -> bool:
    values = ("uid", "height", "sigma_height", "roof_height_min", "lod", "reason", "point_count", "area")
    alike = all(getattr(a, n) == getattr(b, n) or (getattr(a, n) != getattr(a, n)) for n in values)
    return alike and a.attributes == b.attributes and shapely.equals(a.footprint, b.footprint)


@pytest.mark.parametrize("ending", [".city.json", ".city.jsonl"])
def test_what_is_written_is_read_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"b{ending}"
    (write_cityjsonseq if ending.endswith("l") else write_cityjson)(BUILDINGS, path, CRS)
    read, crs = read_cityjson(path)
    assert name_of(crs) == "EPSG:9210+5727"
    assert len(read) == 3
    for before, after in zip(BUILDINGS, read, strict=True):
        assert same(before, after)
        assert (before.solid is None) == (after.solid is None)
        if before.solid is not None and after.solid is not None:
            assert defects(after.solid) == ()
            assert signed_volume(after.solid) == pytest.approx(signed_volume(before.solid), rel=1e-6)
            assert [f.surface for f in before.solid.faces] == [f.surface for f in after.solid.faces]


@pytest.mark.parametrize("ending", [".city.json", ".city.jsonl"])
def test_all_models_come_back_to_the_bit(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"b{ending}"
    (write_cityjsonseq if ending.endswith("l") else write_cityjson)(houses(), path, CRS)
    read, _ = read_cityjson(path)
    for before, after in zip(houses(), read, strict=True):
        assert same(replace(before, attributes={"footprint_source": "known", "planes": 4}), after)
        assert list(before.models) == list(after.models) == (["1.2", "1.3", "2.2"] if before.solid else [])
        assert (before.lod, list(before.coarser)) == (after.lod, list(after.coarser))
        for lod, solid in before.models.items():
            again = after.models[lod]
            assert [f.surface for f in solid.faces] == [f.surface for f in again.faces]
            assert corners(solid) == corners(again)
            assert defects(again) == ()


def corners(solid: Solid) -> list[list[list[list[float]]]]:
    return [[solid.vertices[list(ring)].tolist() for ring in face.rings] for face in solid.faces]


def test_each_model_has_its_level_of_detail_and_semantics_for_every_face() -> None:
    document = to_cityjson(houses(), CRS)
    geometry = document["CityObjects"]["court-3"]["geometry"]
    assert [(g["type"], g["lod"]) for g in geometry] == [
        ("MultiSurface", "0"), ("Solid", "1.2"), ("Solid", "1.3"), ("Solid", "2.2"),
    ]  # fmt: skip
    for solid in geometry[1:]:
        (shell,), (values,) = solid["boundaries"], solid["semantics"]["values"]
        assert len(shell) == len(values)
        named = [solid["semantics"]["surfaces"][value]["type"] for value in values]
        assert set(named) == {"GroundSurface", "WallSurface", "RoofSurface"}


def test_faces_stay_planar_to_a_millimetre_when_written() -> None:
    document = to_cityjson(houses(), CRS)
    assert document["transform"]["scale"] == [0.0001] * 3
    for building in read_back(document):
        assert all(defects(solid) == () for solid in building.models.values())


def read_back(document: dict[str, Any]) -> tuple[Building, ...]:
    with tempfile.NamedTemporaryFile(suffix=".city.json") as handle:
        handle.write(orjson.dumps(document))
        handle.flush()
        return read_cityjson(handle.name)[0]


def test_the_parts_of_a_building_are_joined() -> None:
    document = to_cityjson(BUILDINGS[:1], CRS)
    whole = document["CityObjects"]["nhà-1"]
    (footprint, solid) = whole["geometry"]
    part = {"type": "BuildingPart", "parents": ["nhà-1"], "geometry": [solid]}
    whole |= {"geometry": [footprint], "children": ["a", "b"]}
    document["CityObjects"] |= {"a": part, "b": part}
    (building,) = read_back(orjson.loads(orjson.dumps(document)))
    assert building.solid is not None
    assert BUILDINGS[0].solid is not None
    assert signed_volume(building.solid) == pytest.approx(2 * signed_volume(BUILDINGS[0].solid))


def test_without_a_transform_vertices_are_metres() -> None:
    document = orjson.loads(orjson.dumps(to_cityjson(BUILDINGS[:1], CRS)))
    transform = document.pop("transform")
    scaled = np.array(document["vertices"]) * transform["scale"] + transform["translate"]
    document |= {"version": "1.0", "vertices": scaled.tolist()}
    (building,) = read_back(document)
    assert same(building, BUILDINGS[0])


def test_a_coarser_model_is_the_best_one_below_a_level() -> None:
    building = houses()[0]
    assert list(building.at_most("2.2").models) == ["1.2", "1.3", "2.2"]
    assert (building.at_most("1.3").lod, list(building.at_most("1.3").coarser)) == ("1.3", ["1.2"])
    assert building.at_most("1.2").solid is building.coarser["1.2"]
    assert (building.at_most("1.0").lod, building.at_most("1.0").solid) == ("0", None)


def test_cjio_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    path = tmp_path / "b.city.json"
    write_cityjson([*BUILDINGS, *houses()], path, CRS)
    with path.open() as handle:
        model = cjio_model.reader(handle)
    assert (model.get_version(), len(model.j["CityObjects"])) == ("2.0", 3 + len(houses()))
    extent = list(model.calculate_bbox())
    before = json.dumps(model.j["vertices"])
    assert extent == pytest.approx(model.j["metadata"]["geographicalExtent"], abs=1e-3)
    assert model.remove_duplicate_vertices() == 0
    assert model.remove_orphan_vertices() == 0
    assert json.dumps(model.j["vertices"]) == before


def test_cjio_joins_the_sequence_into_the_same_model(tmp_path: Path) -> None:
    path = tmp_path / "b.city.jsonl"
    write_cityjsonseq(BUILDINGS, path, CRS)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(BUILDINGS)
    model = cjio_model.CityJSON(j=json.loads(lines[0]))
    for line in lines[1:]:
        feature = json.loads(line)
        assert feature["type"] == "CityJSONFeature"
        assert feature["id"] in feature["CityObjects"]
        model.add_cityjsonfeature(feature)
    whole = to_cityjson(BUILDINGS, CRS)
    assert set(model.j["CityObjects"]) == set(whole["CityObjects"])
    assert len(model.j["vertices"]) == len(whole["vertices"])


def test_vertices_are_integers_and_each_position_is_written_once() -> None:
    document = orjson.loads(orjson.dumps(to_cityjson(BUILDINGS, CRS)))
    vertices = document["vertices"]
    assert all(isinstance(v, int) and 0 <= v < 100_000_000 for vertex in vertices for v in vertex)
    assert len({tuple(v) for v in vertices}) == len(vertices)


def test_unknown_values_are_left_out_rather_than_invented() -> None:
    attributes = to_cityjson(BUILDINGS, CRS)["CityObjects"]["unknown"]["attributes"]
    assert "height_m" not in attributes
    assert attributes["reason"] == "few_points"
    assert attributes["ground_height_m"] == 2.125


@pytest.mark.parametrize("crs", ["EPSG:9210+5727", "EPSG:28992", "EPSG:7415", "EPSG:9210"])
def test_a_crs_is_named_by_its_ogc_address_and_found_again(crs: str) -> None:
    assert crs_of(reference_system(crs)) == normalise(crs)


def test_older_files_name_their_crs_by_urn() -> None:
    assert crs_of("urn:ogc:def:crs:EPSG::7415") == normalise(7415)


def test_a_crs_without_a_number_is_refused() -> None:
    with pytest.raises(BadCrs):
        reference_system("+proj=tmerc +lon_0=105.75 +ellps=WGS84")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"type":"CityJSON"}\n{"a":', b'{"metadata":{"referenceSystem":"x"}}', b"\xff\xfe"],
)
def test_what_is_no_cityjson_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.city.jsonl"
    path.write_bytes(content)
    with pytest.raises((UnreadableFile, BadCrs)) as error:
        read_cityjson(path)
    assert "\n" not in str(error.value)


def test_no_buildings_still_make_a_file(tmp_path: Path) -> None:
    path = tmp_path / "none.city.jsonl"
    write_cityjsonseq([], path, CRS)
    assert read_cityjson(path) == ((), CRS)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "b.city.jsonl"
    write_cityjsonseq(BUILDINGS[:1], path, CRS)
    before = path.read_bytes()
    broken = building("x", box(0, 0, 1, 1))
    object.__setattr__(broken, "attributes", {"unwritable": np.random.default_rng()})
    with pytest.raises(TypeError):
        write_cityjsonseq([broken], path, CRS)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.shared_data
def test_a_reference_model_is_read(shared_data: Path) -> None:
    buildings, crs = read_cityjson(shared_data / "delft_north" / "reference_lod22.city.jsonl")
    assert (len(buildings), crs) == (10, normalise(7415))
    assert {b.lod for b in buildings} == {"2.2"}
    assert all(b.solid is not None and signed_volume(b.solid) > 100 for b in buildings)


@pytest.mark.shared_data
def test_every_model_of_3dbag_comes_back_as_it_was(shared_data: Path, tmp_path: Path) -> None:
    buildings, crs = read_cityjson(shared_data / "cityjson" / "tile_901_trimmed.jsonl")
    assert (len(buildings), crs) == (52, normalise(7415))
    assert all(list(b.models) == ["1.2", "1.3", "2.2"] for b in buildings)
    write_cityjsonseq(buildings, tmp_path / "b.city.jsonl", crs)
    again, _ = read_cityjson(tmp_path / "b.city.jsonl")
    for before, after in zip(buildings, again, strict=True):
        assert {lod: corners(solid) for lod, solid in before.models.items()} == {
            lod: corners(solid) for lod, solid in after.models.items()
        }
