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
    assert "strips" not in codes(report_of(points, tmp_path))
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


OFFSETS = {"scale": 131, "max_z": 211, "min_z": 219, "max_x": 179, "min_x": 187, "by_return": 255}
"""Bytes of the LAS 1.4 header (R15, table 3)."""
LIES: dict[str, tuple[str, str, tuple[float, ...], str, str]] = {
    "bounds too small": ("max_x", "<d", (603_020.0,), "bounds", "the header says"),
    "heights too low": ("max_z", "<d", (1.95,), "bounds", "z runs from"),
    "bounds too wide": ("max_z", "<2d", (500.0, -500.0), "wide-bounds", "wider than the points'"),
    "returns by number": ("by_return", "<2Q", (15_000, 1_000), "returns", "points by return"),
    "scale too coarse": ("scale", "<3d", (0.05, 0.001, 0.001), "scale", "x comes in steps of 0.05 m"),
    "scale too fine": ("scale", "<3d", (0.001, 0.001, 1e-6), "scale", "finer than any scanner"),
    "scale of feet": ("scale", "<3d", (0.003_048, 0.001, 0.001), "bounds", "x runs from"),
}


@pytest.mark.parametrize("name", LIES)
def test_each_lie_of_a_header_is_named(name: str, tmp_path: Path) -> None:
    field, form, values, code, words = LIES[name]
    write_laz(survey(), tmp_path / "tile.laz")
    raw = bytearray((tmp_path / "tile.laz").read_bytes())
    struct.pack_into(form, raw, OFFSETS[field], *(int(v) if "Q" in form else v for v in values))
    (tmp_path / "tile.laz").write_bytes(raw)
    found = [problem.text for problem in inspect(tmp_path / "tile.laz").problems if problem.code == code]
    assert any(words in text for text in found), found


def test_coordinates_rounded_beyond_the_scale_are_named(tmp_path: Path) -> None:
    points = survey()
    rounded = PointCloud(**{**points.columns(), "y": np.round(points.y * 2) / 2}, crs=CITY)
    (found,) = [problem for problem in report_of(rounded, tmp_path).problems if problem.code == "rounded"]
    assert "y was rounded to 0.5 m" in found.text


def test_classes_outside_of_the_standard_are_named(tmp_path: Path) -> None:
    points = survey()
    classes = points.classification.copy()
    classes[:50], classes[50:70], classes[70:90] = 40, 66, 208
    report = report_of(PointCloud(**{**points.columns(), "classification": classes}, crs=CITY), tmp_path)
    texts = {problem.code: problem.text for problem in report.problems}
    assert texts["reserved-classes"].startswith("class 40 is reserved")
    assert texts["private-classes"].startswith("classes 66, 208 are the producer's own")
    assert not {"reserved-classes", "private-classes"} & codes(report_of(survey(), tmp_path), "note")


def test_a_large_void_in_a_dense_survey_is_named_with_its_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    n = 250_000
    x, y = rng.uniform(0, 160, n), rng.uniform(0, 160, n)
    points = PointCloud.from_xyz(603_000 + x, 1_192_000 + y, 2 + rng.normal(0, 0.02, n), CITY)
    kept = ~((np.abs(x - 100) < 12) & (np.abs(y - 60) < 12))
    (found,) = [p for p in report_of(points.subset(kept), tmp_path).problems if p.code in {"void", "voids"}]
    assert found.severity == "note"
    place = [float(part.replace(",", "")) for part in found.text.split(" at ")[1].split(":")[0].split(", ")]
    assert place == pytest.approx([603_100, 1_192_060], abs=2)
    assert not {"void", "voids"} & codes(report_of(points, tmp_path), "note", "warning")


@pytest.mark.parametrize("density", [0.004, 0.05, 0.3, 1.0, 20.0])
def test_no_density_makes_voids_of_its_own(density: float, tmp_path: Path) -> None:
    """Points thrown at random over a square have no gaps but by chance."""
    rng = np.random.default_rng(17)
    n = 20_000
    side = (n / density) ** 0.5
    points = PointCloud.from_xyz(
        603_000 + rng.uniform(0, side, n), 1_150_000 + rng.uniform(0, side, n), rng.normal(2, 0.02, n), CITY
    )
    report = report_of(points, tmp_path)
    assert not {"void", "voids"} & codes(report, "note", "warning")
    assert report.density is not None
    assert report.density.mean == pytest.approx(density, rel=0.06)


FALSE = ("strips", "bounds", "returns", "noise", "outside-area", "degrees", "heights", "format", "height-unit")
"""Findings that none of the real surveys of good name deserves."""


@pytest.mark.shared_data
@pytest.mark.parametrize("folder", ["ign_six_tiles", "ign_footprints", "ign_bridge", "delft_north", "amsterdam_a"])
def test_good_surveys_raise_no_false_alarm(folder: str, shared_data: Path) -> None:
    for file in sorted((shared_data / folder).glob("*.laz")):
        own = inspect(file)
        report = own if own.crs is not None else inspect(file, normalise(2154 if "ign" in folder else 28992))
        assert not set(FALSE) & codes(report), (file, report.problems)


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
