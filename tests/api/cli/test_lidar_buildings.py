"""`diaba lidar buildings` on files: every format, an area, levels of detail, bad footprints."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import trimesh
from cjio import cityjson
from click.testing import CliRunner, Result
from shapely import Polygon, box
from shapely.affinity import translate

from api.cli.main import diaba
from gis.city_model.cityjson import read_cityjson
from gis.city_model.write import write_buildings
from gis.crs import normalise
from lidar.point_cloud import Class, PointCloud
from lidar.validate import signed_volume
from lidar.write import write_laz

CRS = normalise("EPSG:9210+5727")
EAST, NORTH, SIZE = 600_000.0, 1_190_000.0, 60
STREET_HOUSE = box(7.5, 14, 17.5, 26)
HOUSES = {"west": box(10, 25, 22, 35), "east": box(38, 25, 50, 35)}


@pytest.fixture(scope="module")
def tile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two houses of 6 m on level ground, 8 points/m², classified."""
    random = np.random.default_rng(1)
    x, y = random.uniform(0, SIZE, (2, 8 * SIZE * SIZE))
    house = (np.abs(y - 30) < 5) & ((np.abs(x - 16) < 6) | (np.abs(x - 44) < 6))
    code = np.where(house, Class.BUILDING, Class.GROUND).astype(np.uint8)
    path = tmp_path_factory.mktemp("tile") / "tile.laz"
    write_laz(PointCloud.from_xyz(EAST + x, NORTH + y, 2 + 6.0 * house, CRS, classification=code), path)
    return path


@pytest.fixture(scope="module")
def footprints(tile: Path) -> Path:
    """Both houses, and outlines that cannot be used."""
    bad = {
        "no area": Polygon([(5, 5), (6, 6), (7, 7)]),
        "nowhere": box(900, 900, 910, 910),
        "meadow": box(20, 2, 30, 8),
    }
    shapes = {**HOUSES, **bad}
    moved = [translate(shape, EAST, NORTH) for shape in shapes.values()]
    path = tile.with_name("footprints.gpkg")
    gpd.GeoDataFrame({"uid": list(shapes)}, geometry=moved, crs="EPSG:9210").to_file(path)
    return path


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Eight houses of 6 m in a street, and a map that lies a metre off."""
    random = np.random.default_rng(2)
    x, y = random.uniform(0, 200, 8 * 200 * 40), random.uniform(0, 40, 8 * 200 * 40)
    house = (np.abs(y - 20) < 6) & (np.abs(x % 25 - 12.5) < 5)
    code = np.where(house, Class.BUILDING, Class.GROUND).astype(np.uint8)
    folder = tmp_path_factory.mktemp("street")
    tile, path = folder / "street.laz", folder / "shifted.gpkg"
    write_laz(PointCloud.from_xyz(EAST + x, NORTH + y, 2 + 6.0 * house, CRS, classification=code), tile)
    moved = [translate(STREET_HOUSE, EAST + 25 * i + 0.8, NORTH - 0.6) for i in range(8)]
    gpd.GeoDataFrame({"uid": [str(i) for i in range(8)]}, geometry=moved, crs="EPSG:9210").to_file(path)
    return tile, path


def run(*words: object) -> Result:
    return CliRunner().invoke(diaba, ["lidar", "buildings", *map(str, words)])


def test_bad_footprints_have_a_reason_and_stop_nothing(tile: Path, footprints: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.city.jsonl"
    done = run(tile, target, "--footprints", footprints, "--keep-classes", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["buildings"], told["with_solid"]) == (4, 2)
    assert sum(told["lods"].values()) == sum(told["reasons"].values()) == 4
    assert told["lods"]["0"] == 2
    assert any("no area" in problem for problem in told["problems"])
    assert told["ms_per_building"] > 0
    found = {building.uid: building for building in read_cityjson(target)[0]}
    assert set(found) == {"west", "east", "nowhere", "meadow"}
    assert found["west"].height == pytest.approx(6.0, abs=0.05)
    assert found["nowhere"].solid is None


def test_a_shifted_map_is_told_and_models_stand_where_the_points_are(street: tuple[Path, Path], tmp_path: Path) -> None:
    tile, shifted = street
    target, as_given = tmp_path / "out.city.jsonl", tmp_path / "as_given.city.jsonl"
    told = json.loads(run(tile, target, "--footprints", shifted, "--keep-classes", "--json").stdout)["footprints"]
    assert {key: told[key] for key in ("matched", "shifted", "changed", "missing", "extra")} == {
        "matched": 8, "shifted": 0, "changed": 0, "missing": 0, "extra": 0,
    }  # fmt: skip
    (block,) = told["blocks"]
    assert block["corner"] == [600_000.0, 1_190_000.0]
    assert (block["dx_m"], block["dy_m"]) == pytest.approx((-0.8, 0.6), abs=0.15)
    for building in read_cityjson(target)[0]:
        outline, solid = translate(STREET_HOUSE, EAST + 25 * int(building.uid), NORTH), building.solid
        assert building.footprint.symmetric_difference(translate(outline, 0.8, -0.6)).area < 0.1, "the map's own"
        assert solid is not None
        place = box(*solid.vertices[:, :2].min(axis=0), *solid.vertices[:, :2].max(axis=0))
        assert place.symmetric_difference(outline).area < 0.15 * outline.length
        assert building.attributes["footprint_finding"] == "matched"
        assert building.attributes["footprint_shift_m"] == pytest.approx(1.0, abs=0.15)
        assert 0 < float(building.attributes["footprint_shift_sigma_m"]) < 0.2
    done = run(tile, as_given, "--footprints", shifted, "--keep-classes", "--as-given", "--json")
    assert json.loads(done.stdout)["footprints"] is None
    first = next(building for building in read_cityjson(as_given)[0] if building.uid == "0")
    assert first.solid is not None
    assert first.solid.vertices[:, 0].min() == pytest.approx(EAST + 8.3, abs=0.001)
    assert "footprint_finding" not in first.attributes
    person = run(tile, target, "--footprints", shifted, "--keep-classes")
    assert "8 matched" in person.stdout
    assert "the map lies 1.0" in person.stdout or "the map lies 0.9" in person.stdout


def test_a_person_reads_the_levels_reached_and_the_reasons(tile: Path, footprints: Path, tmp_path: Path) -> None:
    done = run(tile, tmp_path / "out.glb", "--footprints", footprints, "--keep-classes", "--lod", "1.2")
    assert done.exit_code == 0, done.output
    assert "LoD 1.2              2   50.0%" in done.stdout
    assert "no model             2   50.0%" in done.stdout
    assert "4 buildings" in done.stdout
    assert "no area" in done.stderr
    assert "outlines: 2 matched, 0 changed, 0 shifted, 1 missing, 0 extra, 1 unseen" in done.stdout


def test_each_building_is_shown_in_a_line_of_its_own(tile: Path, footprints: Path, tmp_path: Path) -> None:
    done = run(tile, tmp_path / "out.glb", "--footprints", footprints, "--keep-classes")
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.split()}
    uid, lod, height, _, _, planes, square, upright = rows["west"]
    assert (uid, lod, height, planes) == ("west", "2.2", "6.00", "1")
    assert float(square) <= float(upright) < 0.01
    assert rows["nowhere"][1] == "none"
    assert rows["nowhere"][-1] == "no_points"


def test_the_time_of_each_building_is_told_when_asked(tile: Path, footprints: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.city.jsonl"
    rows = json.loads(run(tile, target, "--footprints", footprints, "--keep-classes", "--times", "--json").stdout)
    assert all(row["seconds"] >= 0 for row in rows["each"])
    assert sum(row["seconds"] for row in rows["each"]) > 0
    assert all("seconds" in building.attributes for building in read_cityjson(target)[0])
    told = run(tile, target, "--footprints", footprints, "--keep-classes", "--times").stdout.splitlines()
    assert "ms  reason" in told[0]
    untimed = json.loads(run(tile, target, "--footprints", footprints, "--keep-classes", "--json").stdout)
    assert all(row["seconds"] is None for row in untimed["each"])


def test_derived_outlines_are_parted_at_parcel_lines(tile: Path, tmp_path: Path) -> None:
    target, cadastre = tmp_path / "out.city.jsonl", tmp_path / "cadastre.gpkg"
    lots = [translate(box(*sides), EAST, NORTH) for sides in ((9, 20, 16, 40), (16, 20, 23, 40), (30, 20, 51, 40))]
    gpd.GeoDataFrame({"uid": ["a", "b", "c"]}, geometry=lots, crs="EPSG:9210").to_file(cadastre)
    assert run(tile, target, "--keep-classes", "--parcels", cadastre).exit_code == 0
    west, middle, east = sorted(read_cityjson(target)[0], key=lambda building: building.footprint.centroid.x)
    assert west.footprint.bounds[2] == pytest.approx(EAST + 16, abs=0.001)
    assert middle.footprint.bounds[0] == pytest.approx(EAST + 16, abs=0.001)
    assert west.footprint.area == pytest.approx(60, abs=5)
    assert east.footprint.area == pytest.approx(120, abs=10)
    assert {building.lod for building in (west, middle, east)} == {"2.2"}


def test_of_many_buildings_those_are_shown_that_fell_short(
    tile: Path, footprints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.cli.lidar_buildings.MOST_ROWS", 3)
    done = run(tile, tmp_path / "out.glb", "--footprints", footprints, "--keep-classes")
    first = {line.split()[0] for line in done.stdout.splitlines() if line.split()}
    assert {"nowhere", "meadow"} <= first
    assert "west" not in first
    assert "… and 2 more" in done.stdout


@pytest.mark.shared_data
def test_a_real_block_is_made_in_full_detail_and_others_read_it(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "delft_north"
    outlines = folder / "footprints.geojson"
    target = tmp_path / "delft.city.json"
    done = run(*sorted(folder.glob("*.laz")), target, "--footprints", outlines, "--crs", "EPSG:7415", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["lods"], told["reasons"]) == ({"2.2": 10}, {"none": 10})
    assert max(row["rmse_planes_m"] for row in told["each"]) <= 0.14
    document = cityjson.CityJSON(j=json.loads(target.read_text()))
    assert (document.number_city_objects_level1(), document.get_epsg()) == (10, 7415)
    buildings, crs = read_cityjson(target)
    volume = sum(signed_volume(building.solid) for building in buildings if building.solid)
    assert volume > 0
    for ending in (".glb", ".obj"):
        write_buildings(buildings, mesh := target.with_suffix(ending), crs)
        shell = trimesh.load_scene(mesh).to_geometry()
        shell.merge_vertices(merge_norm=True, merge_tex=True)  # glTF keeps roofs, walls and ground apart
        assert shell.is_volume
        assert shell.volume == pytest.approx(volume, rel=1e-3)
    write_buildings(buildings, table := target.with_suffix(".gpkg"), crs)
    faces = gpd.read_file(table, layer="roof_surfaces")
    assert len(gpd.read_file(table, layer="footprints")) == 10
    assert faces.area.sum() == pytest.approx(gpd.read_file(outlines).area.sum(), rel=1e-3)


def test_an_area_gives_the_same_buildings_as_the_whole(tile: Path, footprints: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.city.jsonl", tmp_path / "part.city.jsonl"
    assert run(tile, whole, "--footprints", footprints, "--keep-classes").exit_code == 0
    area = f"{EAST + 30},{NORTH + 20},{EAST + 60},{NORTH + 40}"
    assert run(tile, part, "--footprints", footprints, "--keep-classes", "--area", area).exit_code == 0
    (east,) = read_cityjson(part)[0]
    (same,) = [building for building in read_cityjson(whole)[0] if building.uid == "east"]
    assert east.uid == "east"
    assert (east.height, east.lod, east.sigma_height) == (same.height, same.lod, same.sigma_height)
    assert east.solid is not None
    assert same.solid is not None
    assert sorted(east.solid.vertices.tolist()) == sorted(same.solid.vertices.tolist())


@pytest.mark.parametrize("ending", [".city.json", ".obj", ".glb", ".gpkg"])
def test_the_ending_says_the_format(tile: Path, footprints: Path, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"out{ending}"
    done = run(tile, target, "--footprints", footprints, "--keep-classes", "--lod", "1.2")
    assert done.exit_code == 0, done.output
    if ending == ".city.json":
        assert {b.lod for b in read_cityjson(target)[0]} == {"0", "1.2"}
    elif ending == ".gpkg":
        assert len(gpd.read_file(target, layer="footprints")) == 4
        assert len(gpd.read_file(target, layer="roof_surfaces")) == 2
    else:
        assert trimesh.load_scene(target).to_geometry().volume == pytest.approx(2 * 120 * 6.0, rel=0.01)


def test_a_bad_ending_or_area_is_said_before_the_work(tile: Path, tmp_path: Path) -> None:
    bad = run(tile, tmp_path / "out.shp")
    assert ".city.jsonl, .obj, .glb, .gpkg" in str(bad.exception)
    wrong = run(tile, tmp_path / "out.glb", "--area", "1,2,3")
    assert "x0,y0,x1,y1" in str(wrong.exception)
    assert list(tmp_path.iterdir()) == []
