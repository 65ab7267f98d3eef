"""Check points out of every kind of file, the surface at them, and the figures of ASPRS, against other programs."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.interpolate import LinearNDInterpolator

from gis.crs import normalise, transformer
from gis.errors import BadCrs, BadInput, UnreadableFile
from gis.grid import Grid
from gis.raster import Raster, write_cog
from lidar.point_cloud import PointCloud
from lidar.quality.checkpoint_accuracy import vertical_accuracy
from lidar.quality.checkpoints import CheckPoints, check_axes, read_check_points
from lidar.quality.ground_height import NO_GROUND, NO_TRIANGLE, OUTSIDE, GroundPoints, HeightRaster, heights_between
from lidar.quality.standards import check_points_required, land_cover_groups, plain_word
from lidar.quality.vertical_accuracy import assess, groups_of, statistics
from lidar.write import write_laz

CITY = normalise("EPSG:9210+5727")
EAST, NORTH, SIDE = 603_000.0, 1_191_000.0, 40.0


def height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 2.0 + 0.05 * (x - EAST) + 0.4 * np.sin((y - NORTH) / 6)


def survey(density: float = 4.0, noise: float = 0.0, lift: float = 0.0) -> PointCloud:
    """Ground under a layer of leaves, over 40 × 40 m."""
    rng = np.random.default_rng(3)
    n = int(density * SIDE**2)
    x, y = EAST + rng.uniform(0, SIDE, n), NORTH + rng.uniform(0, SIDE, n)
    classes = rng.choice([2, 5], n, p=[0.7, 0.3]).astype(np.uint8)
    z = height(x, y) + lift + rng.normal(0, noise, n) + np.where(classes == 5, 6.0, 0.0)
    return PointCloud.from_xyz(x, y, z, CITY, classification=classes)


def places(n: int, seed: int = 5, margin: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return EAST + rng.uniform(margin, SIDE - margin, n), NORTH + rng.uniform(margin, SIDE - margin, n)


def check_points(x: np.ndarray, y: np.ndarray, z: np.ndarray, cover: str = "open", sigma: float = 0.01) -> CheckPoints:
    n = len(x)
    ids = tuple(f"P{i}" for i in range(n))
    return CheckPoints(ids, x, y, z, (cover,) * n, np.full(n, sigma), CITY, "points.csv")


def test_the_surface_is_scipys_triangulation_of_all_ground_points() -> None:
    points, (x, y) = survey(), places(60)
    ground = points.of_class(2)
    whole = LinearNDInterpolator(np.column_stack([ground.x - EAST, ground.y - NORTH]), ground.z)
    found = heights_between(GroundPoints.near(points, x, y, 5.0), x, y)
    assert [height for height, _ in found] == pytest.approx(whole(x - EAST, y - NORTH).tolist(), abs=1e-6)


def test_the_order_of_points_and_files_does_not_show() -> None:
    points, (x, y) = survey(), places(30)
    shuffled = points.subset(np.random.default_rng(0).permutation(len(points)))
    half = points.x < EAST + 20
    split = GroundPoints.joined([GroundPoints.near(points.subset(part), x, y, 5.0) for part in (~half, half)])
    first = heights_between(GroundPoints.near(points, x, y, 5.0), x, y)
    assert heights_between(GroundPoints.near(shuffled, x, y, 5.0), x, y) == first
    assert heights_between(split, x, y) == first


def test_a_place_off_the_ground_says_why() -> None:
    points = survey()
    gap = points.subset(np.hypot(points.x - EAST - 20, points.y - NORTH - 20) > 8)
    x, y = np.array([EAST + 20, EAST - 1.0]), np.array([NORTH + 20, NORTH + 20])
    ground = GroundPoints.near(gap, x, y, 5.0)
    assert [why for _, why in heights_between(ground, x, y)] == [NO_GROUND, NO_TRIANGLE]


def test_points_in_a_line_make_no_surface() -> None:
    step = np.arange(50.0)
    line = PointCloud.from_xyz(EAST + step, NORTH + step, step, CITY, classification=np.full(50, 2, dtype=np.uint8))
    x, y = np.array([EAST + 20.2]), np.array([NORTH + 20.0])
    assert [why for _, why in heights_between(GroundPoints.near(line, x, y, 5.0), x, y)] == [NO_TRIANGLE]


def test_a_raster_is_read_between_its_cells(tmp_path: Path) -> None:
    grid = Grid(normalise(9210), 0.5, int(EAST * 2), int(NORTH * 2), 80, 80)
    east, north = (axis.ravel() for axis in np.meshgrid(*grid.centres()))
    plane = (1.0 + 0.1 * (east - EAST) - 0.2 * (north - NORTH)).reshape(grid.shape).astype(np.float32)
    plane[:10, :10] = np.nan
    write_cog(Raster(plane, grid), tmp_path / "dtm.tif", name="dtm", crs=CITY)
    x, y = np.array([EAST + 20.13, EAST + 1.0, EAST - 3.0]), np.array([NORTH + 7.77, NORTH + 38.0, NORTH])
    (inside, _), (_, hole), (_, outside) = HeightRaster.of(tmp_path / "dtm.tif").heights(x, y)
    assert inside == pytest.approx(1.0 + 2.013 - 1.554, abs=1e-5)
    assert (hole, outside) == ("the raster has no height there", OUTSIDE)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, st.integers(4, 60), elements=st.floats(-1, 1)))
def test_the_figures_are_those_of_their_definitions(errors: np.ndarray) -> None:
    found = statistics(errors)
    assert found is not None
    n, mean = len(errors), sum(errors) / len(errors)
    assert found.rmse == pytest.approx(sqrt(sum(e * e for e in errors) / n))
    assert found.mean == pytest.approx(mean, abs=1e-12)
    std = sqrt(sum((e - mean) ** 2 for e in errors) / (n - 1))
    assert found.std == pytest.approx(std, abs=1e-12)
    assert found.at_95 == pytest.approx(1.96 * found.rmse)
    assert found.low <= found.median <= found.high
    if std > 1e-6:
        skew = n / ((n - 1) * (n - 2)) * sum(((e - mean) / std) ** 3 for e in errors)
        tail = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3)) * sum(((e - mean) / std) ** 4 for e in errors)
        assert found.skewness == pytest.approx(skew, rel=1e-6, abs=1e-6)
        assert found.kurtosis == pytest.approx(tail - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)), rel=1e-6, abs=1e-6)


def test_the_interval_of_an_rmse_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(8)
    tried = [statistics(rng.normal(0, 0.1, 30)) for _ in range(400)]
    held = sum(found is not None and found.rmse_interval[0] <= 0.1 <= found.rmse_interval[1] for found in tried)
    assert 0.92 <= held / 400 <= 0.98


def test_the_check_points_own_error_counts_as_edition_2_has_it(tmp_path: Path) -> None:
    x, y = places(40)
    surface = [(value, "") for value in height(x, y) + np.tile([0.06, -0.06], 20)]
    report = assess(check_points(x, y, height(x, y), sigma=0.03), surface, SIDE**2)
    assert report.nva is not None
    assert report.nva.accuracy == pytest.approx(sqrt(0.06**2 + 0.03**2))
    assert report.vertical_class == 0.10
    unstated = assess(check_points(x, y, height(x, y), sigma=np.nan), surface, SIDE**2)
    assert unstated.nva is not None
    assert unstated.nva.accuracy == pytest.approx(0.06)
    assert any("state their σ" in note for note in unstated.notes)


def test_a_survey_is_measured_by_land_cover_and_a_blunder_is_kept(tmp_path: Path) -> None:
    write_laz(survey(noise=0.03, lift=0.10), tmp_path / "tile.laz")
    x, y = places(60)
    z = height(x, y)
    z[7] -= 3.0
    cover = ("open",) * 35 + ("Rừng",) * 25
    points = CheckPoints(tuple(f"P{i}" for i in range(60)), x, y, z, cover, np.full(60, 0.01), CITY, "points.csv")
    report = vertical_accuracy([tmp_path / "tile.laz"], points, target=0.05)
    assert report.nva is not None
    assert report.vva is not None
    assert (report.nva.count, report.vva.count) == (35, 25)
    assert [one.id for one in report.outliers] == ["P7"]
    assert report.nva.high == pytest.approx(3.1, abs=0.1)
    assert report.without_outliers["NVA"].mean == pytest.approx(0.10, abs=0.02)
    assert report.vva.mean == pytest.approx(0.10, abs=0.02)
    assert report.meets_target is False
    assert any(note.startswith("VVA: 25 check points, 30 are asked for") for note in report.notes)
    assert any(note.startswith("VVA: a mean error") for note in report.notes)


def test_what_lies_outside_is_named_not_dropped(tmp_path: Path) -> None:
    write_laz(survey(), tmp_path / "tile.laz")
    x, y = places(30)
    x[3] = EAST - 500
    report = vertical_accuracy([tmp_path / "tile.laz"], check_points(x, y, height(x, y)))
    assert [(one.id, one.why_not) for one in report.not_assessable] == [("P3", OUTSIDE)]
    assert len(report.residuals) == 30


def test_an_unclassified_survey_says_what_to_do(tmp_path: Path) -> None:
    points = survey()
    write_laz(points.with_classification(np.ones(len(points), dtype=np.uint8)), tmp_path / "tile.laz")
    x, y = places(5)
    with pytest.raises(UnreadableFile, match="diaba lidar classify"):
        vertical_accuracy([tmp_path / "tile.laz"], check_points(x, y, height(x, y)))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_is_read_by_the_names_of_its_columns(separator: str, tmp_path: Path) -> None:
    rows = ["Tên điểm", "Easting", "Northing", "Cao độ", "Lớp phủ", "Sigma_Z"]
    values = ["A1", "603010.5", "1191020.25", "2.345", "Cỏ thấp", "0.012"]
    file = tmp_path / "points.csv"
    file.write_text(separator.join(rows) + "\n" + separator.join(values) + "\n", encoding="utf-8-sig")
    points = read_check_points(file)
    assert (points.ids, points.land_cover, points.crs) == (("A1",), ("Cỏ thấp",), None)
    assert [points.x[0], points.y[0], points.z[0], points.sigma[0]] == [603010.5, 1191020.25, 2.345, 0.012]
    assert groups_of(points.land_cover) == ("NVA",)


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp"])
def test_a_vector_file_in_degrees_comes_into_the_surveys_crs(ending: str, tmp_path: Path) -> None:
    x, y = places(6)
    longitude, latitude = transformer(9210, 4326).transform(x, y)
    frame = geopandas.GeoDataFrame(
        {"name": list("abcdef"), "elev": height(x, y), "cover": ["open"] * 6},
        geometry=shapely.points(longitude, latitude),
        crs=4326,
    )
    frame.to_file(tmp_path / f"points.{ending}")
    points = read_check_points(tmp_path / f"points.{ending}").to(CITY)
    assert points.ids == tuple("abcdef")
    assert points.x == pytest.approx(x, abs=0.002)
    assert points.y == pytest.approx(y, abs=0.002)
    assert points.z == pytest.approx(height(x, y), abs=1e-6)


def test_heights_in_feet_become_metres(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("x,y,z\n300000,61000,100\n")
    points = read_check_points(tmp_path / "points.csv", "EPSG:2263+6360")
    assert points.z[0] == pytest.approx(30.48006096)


def test_another_vertical_datum_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("x,y,z\n603010,1191010,2\n")
    with pytest.raises(BadCrs, match="bring one of them"):
        read_check_points(tmp_path / "points.csv", "EPSG:9210+3855").to(CITY)
    with pytest.raises(BadCrs, match="ellipsoid"):
        read_check_points(tmp_path / "points.csv", "EPSG:4979").to(CITY)


def test_degrees_without_a_datum_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("lon,lat,height\n106.7,10.7,2\n")
    with pytest.raises(BadCrs, match="225 m"):
        read_check_points(tmp_path / "points.csv")
    assert read_check_points(tmp_path / "points.csv", 4326).to(CITY).x[0] == pytest.approx(603_000, abs=40_000)


def test_a_northing_called_x_is_found_out(tmp_path: Path) -> None:
    x, y = places(8)
    with pytest.raises(BadInput, match="--column x=NAME"):
        check_axes(check_points(y, x, height(x, y)), (EAST, NORTH, EAST + SIDE, NORTH + SIDE))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column of x"),
        ("a,b\n1,2\n", "no column of x among a, b"),
        ("x,y\n1,2\n", "no column of z"),
        ("x,y,z\n1,2,nothing\n", "holds no check point"),
        ("x,y,z\n", "holds no check point"),
        ("x,y,z\n1,2\n", "holds no check point"),
    ],
)
def test_a_table_without_check_points_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(text)
    with pytest.raises(UnreadableFile, match=why):
        read_check_points(tmp_path / "points.csv")


def test_a_record_without_a_height_is_reported(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("id,x,y,z\nA,1,2,3\nB,1,2,\n")
    points = read_check_points(tmp_path / "points.csv")
    assert points.ids == ("A",)
    assert [problem.split(":")[0] for problem in points.problems] == ["B"]


def test_files_that_are_no_points_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)))
    (tmp_path / "bytes.gpkg").write_bytes(bytes(range(256)))
    geopandas.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=9210).to_file(tmp_path / "areas.gpkg")
    for name, why in (
        ("bytes.csv", "UTF-8"),
        ("bytes.gpkg", "vector file"),
        ("areas.gpkg", "no points"),
        ("none.csv", "no such file"),
    ):
        with pytest.raises(UnreadableFile, match=why):
            read_check_points(tmp_path / name)


def test_an_unknown_land_cover_is_asked_about() -> None:
    with pytest.raises(BadInput, match="--vva WORD"):
        groups_of(["open", "lunar"])
    assert groups_of(["lunar", "Tall_Weeds"], {"Lunar": "NVA"}) == ("NVA", "VVA")


def test_the_tables_of_the_standards_hold_together() -> None:
    assert [check_points_required(area * 1e6) for area in (1, 1000, 1001, 9500, 99_999)] == [30, 30, 40, 120, 120]
    assert all(plain_word(word) == word for word in land_cover_groups())
