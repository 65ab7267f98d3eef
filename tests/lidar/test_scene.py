"""A scene folder is whole, consistent with itself, and the same bytes for the same seed."""

import json
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import laspy
import numpy as np
import pyogrio
import pytest
import rasterio
from pyproj import CRS

from api.cli.main import run
from gis.files import sha256
from gis.raster import read_raster
from lidar.scene.make import make_scene
from lidar.scene.recipe import read_recipe

COLUMNS = {
    "parcels": "uid ward_code sheet_no parcel_no land_use area_legal address valid_from",
    "parties": "uid kind name id_no",
    "rights": "parcel_uid party_uid type share_num share_den valid_from",
    "roads": "uid name reserve_width_m valid_from",
    "planning_zones": "uid level land_use density_pct far floors_max height_max_m decision valid_from",
    "permits": "permit_no type status issued expires superseded_by parcel_uid use floors basements height_m "
    "ground_area_m2 gross_floor_area_m2 setback_front_m setback_rear_m ground_level_m",
    "footprints": "uid source survey_date",
}
BUILDING_COLUMNS = (
    "uid kind roof_type floors ground_height eave_height roof_height_min roof_height_50p roof_height_70p "
    "roof_height_max height status parcel_uid"
)


@pytest.fixture(scope="module")
def alley(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scene") / "alley"
    make_scene(out, read_recipe("alley"), 1)
    return out


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_seed_gives_same_bytes_with_any_number_of_threads(alley: Path, tmp_path: Path) -> None:
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        make_scene(tmp_path, read_recipe("alley"), 1)
    finally:
        numba.set_num_threads(before)
    assert files(tmp_path) == files(alley)


def test_folder_holds_all_files_of_the_contract(alley: Path) -> None:
    names = set(files(alley))
    assert {"scene.json", "registers.gpkg"} <= names
    truth = {"dtm.tif", "land_cover.tif", "buildings.gpkg", "buildings.city.jsonl", "differences.json"}
    assert {f"truth/{name}" for name in truth} <= names
    assert not [name for name in names if ".part" in name]


@pytest.mark.parametrize("layer", sorted(COLUMNS))
def test_register_layers_have_their_columns(alley: Path, layer: str) -> None:
    frame = pyogrio.read_dataframe(alley / "registers.gpkg", layer=layer)
    assert [c for c in frame.columns if c not in ("geom", "geometry")] == COLUMNS[layer].split()
    if layer not in ("parties", "rights"):
        assert frame.crs.to_epsg() == 9210
        assert frame.geometry.is_valid.all()


def test_invented_people_are_marked_as_such(alley: Path) -> None:
    names = pyogrio.read_dataframe(alley / "registers.gpkg", layer="parties")["name"]
    assert names.str.endswith("(hư cấu)").all()


def test_shares_of_each_parcel_add_up_to_one(alley: Path) -> None:
    rights = pyogrio.read_dataframe(alley / "registers.gpkg", layer="rights")
    shares = (rights["share_num"] / rights["share_den"]).groupby(rights["parcel_uid"]).sum()
    np.testing.assert_allclose(shares, 1.0)


def test_true_points_are_the_measured_points_in_the_same_order(alley: Path) -> None:
    tiles = sorted((alley / "lidar").glob("*.laz"))
    assert len(tiles) == 4
    for path in tiles:
        measured, truth = laspy.read(path), laspy.read(alley / "truth" / "points" / path.name)
        for name in ("X", "Y", "Z", "gps_time", "return_number", "number_of_returns", "intensity", "point_source_id"):
            np.testing.assert_array_equal(measured[name], truth[name])
        assert set(np.unique(measured.classification)) == {0}
        assert {2, 6} <= set(np.unique(truth.classification))


def test_tiles_are_las_1_4_in_the_compound_crs_and_abut_without_sharing_points(alley: Path) -> None:
    for path in (alley / "lidar").glob("*.laz"):
        header = laspy.open(path).header
        east, north = (float(part) for part in path.stem.split("_")[1:])
        assert (str(header.version), header.point_format.id) == ("1.4", 6)
        assert [part.to_epsg() for part in header.parse_crs().sub_crs_list] == [9210, 5727]
        assert east <= header.x_min <= header.x_max < east + 100
        assert north <= header.y_min <= header.y_max < north + 100


def test_rasters_cover_the_scene_on_the_city_s_grid(alley: Path) -> None:
    dtm, cover = read_raster(alley / "truth" / "dtm.tif"), read_raster(alley / "truth" / "land_cover.tif")
    assert dtm.grid == cover.grid
    assert (dtm.grid.west, dtm.grid.south, dtm.grid.shape) == (603000, 1191000, (400, 400))
    assert set(np.unique(cover.values)) == {1, 2, 3, 4, 5, 6, 7, 8}
    assert not np.isnan(dtm.values).any()
    with rasterio.open(alley / "truth" / "dtm.tif") as source:
        assert CRS(source.crs.to_wkt()).is_compound


def test_true_ground_points_lie_on_the_true_terrain(alley: Path) -> None:
    dtm = read_raster(alley / "truth" / "dtm.tif")
    gradient = np.hypot(*np.gradient(dtm.values, 0.5))
    offsets = []
    for path in (alley / "truth" / "points").glob("*.laz"):
        tile = laspy.read(path)
        ground = np.asarray(tile.classification) == 2
        x, y, z = (np.asarray(tile[axis])[ground] for axis in "xyz")
        row, column = dtm.grid.cells(x, y)
        level = gradient[row, column] < 0.02
        offsets.append((z - dtm.at(x, y))[level])
    offset = np.concatenate(offsets)
    assert len(offset) > 50_000
    assert abs(np.median(offset)) < 0.05
    assert np.std(offset) < 0.08


def test_roof_points_reach_the_true_roof_heights(alley: Path) -> None:
    buildings = gpd.read_file(alley / "truth" / "buildings.gpkg")
    tiles = [laspy.read(path) for path in sorted((alley / "truth" / "points").glob("*.laz"))]
    roof = [np.asarray(t.classification) == 6 for t in tiles]
    x, y, z = (np.concatenate([np.asarray(t[a])[m] for t, m in zip(tiles, roof, strict=True)]) for a in "xyz")
    points = gpd.GeoSeries(gpd.points_from_xy(x, y), crs=9210)
    errors = []
    for _, building in buildings[buildings.roof_type.isin(["flat", "gabled", "hipped", "shed"])].iterrows():
        inside = points.sindex.query(building.geometry.buffer(-0.6), predicate="contains")
        high = z[inside][z[inside] > building.eave_height - 0.5]
        if len(high) > 60:
            errors.append(np.quantile(high, 0.7) - building.roof_height_70p)
    assert len(errors) > 15
    assert abs(np.median(errors)) < 0.12


def test_differences_name_buildings_parcels_and_permits_that_exist(alley: Path) -> None:
    document = json.loads((alley / "truth" / "differences.json").read_text())
    buildings = gpd.read_file(alley / "truth" / "buildings.gpkg")
    assert list(buildings.columns[:-1]) == BUILDING_COLUMNS.split()
    permits = set(pyogrio.read_dataframe(alley / "registers.gpkg", layer="permits")["permit_no"])
    parcels = set(pyogrio.read_dataframe(alley / "registers.gpkg", layer="parcels")["uid"])
    for row in document["differences"] + document["look_alikes"]:
        assert row["building_uid"] in set(buildings.uid)
        assert row["parcel_uid"] in parcels
    for row in document["differences"]:
        assert row["permit_no"] is None if row["kind"] == "no_permit" else row["permit_no"] in permits


def test_city_model_is_read_by_cjio(alley: Path) -> None:
    program = "import sys; from cjio.cjio import cli; sys.argv = ['cjio', 'stdin', 'info']; cli()"
    with (alley / "truth" / "buildings.city.jsonl").open("rb") as model:
        told = subprocess.run(
            [sys.executable, "-c", program], stdin=model, capture_output=True, text=True, check=True
        ).stdout
    count = len(gpd.read_file(alley / "truth" / "buildings.gpkg"))
    assert "EPSG = 9210" in told
    assert f"Building ({count})" in told


def test_scanner_has_strips_returns_noise_and_times(alley: Path) -> None:
    tiles = [laspy.read(path) for path in sorted((alley / "truth" / "points").glob("*.laz"))]
    codes = np.concatenate([np.asarray(t.classification) for t in tiles])
    returns = np.concatenate([np.asarray(t.number_of_returns) for t in tiles])
    assert {1, 2, 3, 4, 5, 6, 7, 9, 14, 15, 17, 18} <= set(np.unique(codes))
    assert len({s for t in tiles for s in np.unique(t.point_source_id)}) >= 3
    assert returns.max() >= 4
    assert (returns[codes == 5] > 1).mean() > 0.4
    assert np.abs(np.concatenate([np.asarray(t.scan_angle) for t in tiles]) * 0.006).max() <= 25.01


def test_command_makes_a_scene_and_prints_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["scene", "make", str(tmp_path / "s"), "--recipe", "alley", "--seed", "3", "--density", "2", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document == json.loads((tmp_path / "s" / "scene.json").read_text())
    assert 1.0 < document["points_per_m2"] < 3.0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--recipe", "no-such-ward"], 3),
        (["--recipe", "missing.toml"], 3),
        (["--density", "0"], 2),
        (["--seed", "-1"], 2),
    ],
)
def test_command_says_what_is_wrong_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    assert run(["scene", "make", str(tmp_path / "s"), *arguments]) == code
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "s").exists()
