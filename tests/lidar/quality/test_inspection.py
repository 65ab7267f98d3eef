"""What `inspect` must see, in files that are wrong in a known way and in real ones."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS

from gis.crs import horizontal, normalise
from lidar.point_cloud import PointCloud
from lidar.quality.inspection import inspect
from lidar.quality.report import QualityReport
from lidar.quality.strips import strip_differences, strip_overlaps
from lidar.read import read
from lidar.write import write_laz

CITY = normalise("EPSG:9210+5727")


def survey(crs: CRS = CITY, west: float = 603_000, south: float = 1_192_000, factor: float = 1.0) -> PointCloud:
    """10 points/m² over 40 × 40 m in two strips, with GPS times and classes; lengths divided by `factor`."""
    rng = np.random.default_rng(4)
    n = 16_000
    x, y = rng.uniform(0, 40, n), rng.uniform(0, 40, n)
    return PointCloud.from_xyz(
        west + x / factor,
        south + y / factor,
        2 + rng.normal(0, 0.02, n),
        crs,
        classification=np.full(n, 2, dtype=np.uint8),
        point_source_id=rng.choice([11, 12], n).astype(np.uint16),
        gps_time=rng.uniform(4.0e8, 4.0e8 + 60, n),
    )


def report_of(points: PointCloud, folder: Path) -> QualityReport:
    write_laz(points, folder / "tile.laz")
    return inspect(folder / "tile.laz")


def codes(report: QualityReport, *severities: str) -> set[str]:
    return {problem.code for problem in report.problems if problem.severity in (severities or ("error", "warning"))}


def test_a_sound_file_has_no_problems(tmp_path: Path) -> None:
    report = report_of(survey(), tmp_path)
    assert codes(report) == set()
    assert report.density is not None
    assert report.density.mean == pytest.approx(10, rel=0.03)
    assert report.density.covered_area == pytest.approx(1_600, rel=0.03)
    assert report.density.void_share == 0
    assert report.classes == {2: 16_000}
    assert report.returns == {1: 16_000}
    assert set(report.strips) == {11, 12}


def test_percentiles_are_those_of_plain_counting(tmp_path: Path) -> None:
    points = survey()
    counted = np.histogram2d(points.x, points.y, bins=40, range=((603_000, 603_040), (1_192_000, 1_192_040)))[0]
    density = report_of(points, tmp_path).density
    assert density is not None
    for share, value in density.percentiles.items():
        assert value == pytest.approx(np.percentile(counted, share), abs=1)


def test_a_gap_is_measured(tmp_path: Path) -> None:
    points = survey()
    hole = (np.abs(points.x - 603_020) < 6) & (np.abs(points.y - 1_192_020) < 6)
    report = report_of(points.subset(~hole), tmp_path)
    assert report.density is not None
    assert report.density.largest_void == pytest.approx(144, abs=2)
    assert "voids" in codes(report)


def test_strips_that_differ_in_height_are_named(tmp_path: Path) -> None:
    points = survey()
    lifted = points.z + np.where(points.point_source_id == 12, 0.18, 0)
    report = report_of(PointCloud(**{**points.columns(), "z": lifted}, crs=CITY), tmp_path)
    assert "strips" in codes(report)
    assert report.sample is not None
    (overlap,) = report.sample.overlaps
    assert (overlap.first, overlap.second) == (11, 12)
    assert overlap.mean == pytest.approx(0.18, abs=0.003)
    assert overlap.rms == pytest.approx(0.18, abs=0.01)


def test_strips_are_told_apart_by_time_where_the_file_numbers_none() -> None:
    points = survey()
    later = np.where(points.point_source_id == 12, 1_000.0, 0.0)
    columns = {
        **points.columns(),
        "gps_time": points.gps_time / 10 + later,
        "point_source_id": later.astype(np.uint16) * 0,
    }
    overlaps = strip_overlaps(strip_differences(PointCloud(**columns, crs=CITY)))
    assert [overlap.cells > 1_000 for overlap in overlaps] == [True]


def test_duplicates_and_noise_are_counted(tmp_path: Path) -> None:
    points = survey()
    stray = points.subset(np.arange(20))
    below = PointCloud(**{**stray.columns(), "z": stray.z - np.linspace(3, 12, 20)}, crs=CITY)
    report = report_of(PointCloud.concatenated([points, points.subset(slice(0, 100)), below]), tmp_path)
    assert report.sample is not None
    assert report.sample.duplicates == 100
    assert report.sample.low_noise >= 17
    assert {"duplicates", "noise"} <= codes(report)


@pytest.mark.parametrize(
    ("crs", "west", "south", "code", "words"),
    [
        ("EPSG:2154", 650_000 / 0.3048, 6_860_000 / 0.3048, "outside-area", "the numbers are feet"),
        ("EPSG:2263", 300_000.0, 61_000.0, "outside-area", "numbers are metres"),
        ("EPSG:28992", 447_500.0, 85_000.0, "outside-area", "axes are swapped"),
        ("EPSG:9210+5727", 106.7, 10.7, "degrees", "look like degrees"),
        ("EPSG:32648", 685_000.0, 1_191_000.0, "not-vn2000", "225 m"),
    ],
)
def test_slips_of_unit_axis_and_datum_are_named(
    crs: str, west: float, south: float, code: str, words: str, tmp_path: Path
) -> None:
    factor = 2_000.0 if code == "degrees" else 1.0
    report = report_of(survey(normalise(crs), west, south, factor), tmp_path)
    (found,) = [problem for problem in report.problems if problem.code == code]
    assert words in found.text


def test_a_header_that_lies_is_reported_without_refusing(tmp_path: Path) -> None:
    write_laz(survey(), tmp_path / "tile.laz")
    raw = bytearray((tmp_path / "tile.laz").read_bytes())
    struct.pack_into("<d", raw, 179, 603_020.0)
    struct.pack_into("<2Q", raw, 255, 15_000, 1_000)
    (tmp_path / "tile.laz").write_bytes(raw)
    report = inspect(tmp_path / "tile.laz")
    assert {"bounds", "returns"} <= codes(report)


def test_a_file_without_crs_is_reported_on_in_metres(shared_data: Path) -> None:
    report = inspect(shared_data / "delft_north/ahn3_1.laz")
    assert report.crs is None
    assert "crs" in codes(report, "error")
    assert report.density is not None
    assert report.density.mean == pytest.approx(11.4, abs=0.3)
    assert inspect(shared_data / "delft_north/ahn3_1.laz", normalise(28992)).crs == "EPSG:28992"


@pytest.mark.shared_data
def test_every_real_file_is_inspected(shared_data: Path) -> None:
    for file in sorted(shared_data.glob("**/*.laz")):
        report = inspect(file)
        document = json.loads(json.dumps(report.to_dict()))
        assert document["point_count"] == sum(report.classes.values()) + report.withheld
        known = report.crs is not None and horizontal(report.crs).is_projected
        assert known == ("crs" not in codes(report, "error")), file
        assert "outside-area" not in codes(report, "error"), file


def test_an_empty_file_is_reported_as_empty(tmp_path: Path) -> None:
    report = report_of(survey().subset(slice(0, 0)), tmp_path)
    assert codes(report) == {"empty"}
    assert report.density is None


def test_withheld_points_are_counted_apart(tmp_path: Path) -> None:
    import laspy

    write_laz(survey(), tmp_path / "tile.laz")
    las = laspy.read(tmp_path / "tile.laz")
    las.withheld = np.arange(len(las.x)) % 4 == 0
    las.write(tmp_path / "withheld.laz")
    report = inspect(tmp_path / "withheld.laz")
    assert (report.withheld, report.classes) == (4_000, {2: 12_000})
    assert len(read(tmp_path / "withheld.laz")) == 12_000
