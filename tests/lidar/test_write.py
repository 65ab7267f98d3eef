"""What is written is read back by us, by laspy, by GDAL and by PDAL."""

from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path

import laspy
import numpy as np
import pytest
import rasterio.crs
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.crs import horizontal, name_of, normalise
from gis.errors import BadParameter
from gis.files import sha256
from lidar.point_cloud import PointCloud
from lidar.quality.inspection import inspect
from lidar.read import read, read_header
from lidar.write import write_laz

CITY = normalise("EPSG:9210+5727")
ALL_CRS = ["EPSG:9210+5727", "EPSG:5899+5727", "EPSG:9210", "EPSG:7415", "EPSG:28992", "EPSG:5698", "EPSG:5972"]


@pytest.fixture
def points() -> PointCloud:
    """3,000 random points of a ward of Ho Chi Minh City, every column filled."""
    rng = np.random.default_rng(7)
    n = 3_000
    returns = rng.integers(1, 6, n).astype(np.uint8)
    return PointCloud.from_xyz(
        np.round(rng.uniform(603_000, 603_200, n), 3),
        np.round(rng.uniform(1_191_900, 1_192_100, n), 3),
        np.round(rng.uniform(-3, 80, n), 3),
        CITY,
        classification=rng.choice([1, 2, 3, 5, 6, 7, 9, 14, 18, 208], n).astype(np.uint8),
        intensity=rng.integers(0, 65_536, n).astype(np.uint16),
        return_number=np.minimum(returns, rng.integers(1, 6, n)).astype(np.uint8),
        number_of_returns=returns,
        point_source_id=rng.integers(0, 65_536, n).astype(np.uint16),
        gps_time=rng.uniform(4.0e8, 4.001e8, n),
        scan_angle=(rng.integers(-5_000, 5_000, n) * np.float32(0.006)).astype(np.float32),
    )


def test_all_columns_survive(points: PointCloud, tmp_path: Path) -> None:
    write_laz(points, tmp_path / "tile.laz")
    back = read(tmp_path / "tile.laz")
    assert back.crs == CITY
    for name, column in points.columns().items():
        np.testing.assert_allclose(getattr(back, name), column, rtol=0, atol=1e-6, err_msg=name)


def test_confidences_are_an_extra_byte_that_others_and_we_read(points: PointCloud, tmp_path: Path) -> None:
    sure = np.random.default_rng(3).integers(0, 101, len(points)).astype(np.uint8)
    rated = points.with_classification(points.classification, sure)
    write_laz(rated, tmp_path / "rated.laz", extra={"height": points.z.astype(np.float32)})
    np.testing.assert_array_equal(np.asarray(laspy.read(tmp_path / "rated.laz")["confidence"]), sure)
    np.testing.assert_array_equal(read(tmp_path / "rated.laz").confidence, sure)


def test_without_any_confidence_no_byte_is_spent_on_it(points: PointCloud, tmp_path: Path) -> None:
    write_laz(points, tmp_path / "plain.laz")
    assert read_header(tmp_path / "plain.laz").record_length == 30
    assert not read(tmp_path / "plain.laz").confidence.any()


def test_an_extra_dimension_named_confidence_of_another_type_is_left_alone(points: PointCloud, tmp_path: Path) -> None:
    write_laz(points, tmp_path / "other.laz", extra={"confidence": np.full(len(points), 0.5)})
    assert not read(tmp_path / "other.laz").confidence.any()


def test_what_was_read_and_written_again_is_the_same_file(points: PointCloud, tmp_path: Path) -> None:
    write_laz(points, tmp_path / "first.laz")
    write_laz(read(tmp_path / "first.laz"), tmp_path / "second.laz")
    assert sha256(tmp_path / "first.laz") == sha256(tmp_path / "second.laz")


def test_the_header_is_las_1_4_in_point_format_6(points: PointCloud, tmp_path: Path) -> None:
    write_laz(points, tmp_path / "tile.laz")
    header = read_header(tmp_path / "tile.laz")
    assert (header.version, header.point_format, header.record_length) == ("1.4", 6, 30)
    assert header.scales == (0.001, 0.001, 0.001)
    assert header.generating_software.startswith("diaba")
    assert header.creation_date == date(2024, 5, 18)
    report = inspect(tmp_path / "tile.laz")
    assert [problem.code for problem in report.problems if problem.code in ("bounds", "returns")] == []


@pytest.mark.parametrize("name", ALL_CRS)
def test_the_crs_survives(name: str, points: PointCloud, tmp_path: Path) -> None:
    crs = normalise(name)
    write_laz(PointCloud(**points.columns(), crs=crs), tmp_path / "tile.laz")
    assert read(tmp_path / "tile.laz").crs == crs
    assert name_of(read(tmp_path / "tile.laz").crs) == name


@pytest.mark.parametrize("name", ALL_CRS)
def test_laspy_and_gdal_understand_the_crs(name: str, points: PointCloud, tmp_path: Path) -> None:
    crs = normalise(name)
    write_laz(PointCloud(**points.columns(), crs=crs), tmp_path / "tile.laz")
    with laspy.open(tmp_path / "tile.laz") as file:
        theirs = file.header.parse_crs()
        wkt = file.header.vlrs.get("WktCoordinateSystemVlr")[0].string
    assert theirs is not None
    assert horizontal(theirs).to_epsg() == horizontal(crs).to_epsg()
    assert wkt.startswith(("COMPD_CS", "PROJCS"))
    by_gdal = normalise(rasterio.crs.CRS.from_wkt(wkt).to_wkt())
    assert horizontal(by_gdal).to_epsg() == horizontal(crs).to_epsg()


def test_pdal_reads_the_points_and_the_crs(points: PointCloud, tmp_path: Path, pdal: Path) -> None:
    write_laz(points, tmp_path / "tile.laz")
    command = [str(pdal), "info", "--metadata", "--stats", str(tmp_path / "tile.laz")]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=120).stdout)
    assert "VN-2000 / TM-3 105-45" in told["metadata"]["srs"]["horizontal"]
    assert "Hon Dau 1992" in told["metadata"]["srs"]["compoundwkt"]
    stats = {one["name"]: one for one in told["stats"]["statistic"]}
    assert stats["Z"]["count"] == len(points)
    for name, column in (("X", points.x), ("Y", points.y), ("Z", points.z), ("GpsTime", points.gps_time)):
        assert stats[name]["minimum"] == pytest.approx(column.min(), rel=1e-9, abs=1e-3)
        assert stats[name]["average"] == pytest.approx(column.mean(), rel=1e-9)
    assert stats["Classification"]["maximum"] == 208
    assert stats["ScanAngleRank"]["average"] == pytest.approx(points.scan_angle.mean(), abs=0.01)


def test_extra_columns_are_kept(points: PointCloud, tmp_path: Path) -> None:
    sigma = np.linspace(0, 1, len(points), dtype=np.float32)
    write_laz(points, tmp_path / "tile.laz", extra={"sigma": sigma, "is_edge": points.z > 10})
    las = laspy.read(tmp_path / "tile.laz")
    np.testing.assert_array_equal(las["sigma"], sigma)
    np.testing.assert_array_equal(np.asarray(las["is_edge"]), points.z > 10)
    assert read_header(tmp_path / "tile.laz").extra_dims == ("sigma", "is_edge")


def test_an_uncompressed_file_can_be_written(points: PointCloud, tmp_path: Path) -> None:
    write_laz(points, tmp_path / "tile.las")
    assert not read_header(tmp_path / "tile.las").is_compressed
    np.testing.assert_allclose(read(tmp_path / "tile.las").x, points.x, atol=1e-6)


def test_no_points_make_an_empty_file(points: PointCloud, tmp_path: Path) -> None:
    write_laz(points.subset(slice(0, 0)), tmp_path / "none.laz")
    assert len(read(tmp_path / "none.laz")) == 0
    assert read(tmp_path / "none.laz").crs == CITY


def test_what_cannot_be_stored_leaves_the_old_file_as_it_was(points: PointCloud, tmp_path: Path) -> None:
    file = tmp_path / "tile.laz"
    write_laz(points, file)
    before = sha256(file)
    broken = PointCloud(**{**points.columns(), "x": np.where(points.z > 0, points.x, np.nan)}, crs=CITY)
    far = PointCloud(**{**points.columns(), "x": np.where(points.z > 0, points.x, 1e9)}, crs=CITY)
    for wrong, extra in ((broken, None), (far, None), (points, {"a": np.zeros(2)}), (points, {"x" * 40: points.z})):
        with pytest.raises(BadParameter):
            write_laz(wrong, file, extra=extra)
    with pytest.raises(BadParameter, match="laz"):
        write_laz(points, tmp_path / "tile.txt")
    assert sha256(file) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["tile.laz"]


def test_a_writer_that_fails_midway_leaves_nothing(
    points: PointCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(laspy.LasWriter, "write_points", full)
    with pytest.raises(OSError, match="No space"):
        write_laz(points, tmp_path / "tile.laz")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(400_000, 700_000), st.floats(1_000_000, 1_300_000), st.floats(-200, 5_000)),
        min_size=1,
        max_size=40,
    )
)
def test_any_place_survives_to_half_a_millimetre(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[float, float, float]]
) -> None:
    x, y, z = (np.array(axis) for axis in zip(*places, strict=True))
    file = tmp_path_factory.mktemp("any") / "tile.laz"
    write_laz(PointCloud.from_xyz(x, y, z, CITY), file)
    back = read(file)
    for axis, values in zip("xyz", (x, y, z), strict=True):
        np.testing.assert_allclose(getattr(back, axis), values, rtol=0, atol=0.000501)
