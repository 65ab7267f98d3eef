"""Files given other classes are held against laspy and PDAL, which read them, and against files written anew."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import laspy
import numpy as np
import pytest
from pyproj import CRS

from gis.crs import normalise
from gis.errors import BadParameter, UnreadableFile
from lidar.las.header import parse_header
from lidar.las.laz_chunks import chunk_table, layer_lengths, laz_record, load
from lidar.las.laz_coding import byte_layer, class_layer
from lidar.las.laz_layered import CLASS
from lidar.pdal_program import find_pdal
from lidar.point_cloud import PointCloud
from lidar.read import read
from lidar.reclass import read_to_reclass

COUNT = 120_001
"""Points in three chunks, the last of one point more than two."""


def survey(path: Path, point_format: int = 7, count: int = COUNT, crs: CRS | None = None) -> laspy.LasData:
    """A file with something in every field, of one channel, and two extra bytes."""
    rng = np.random.default_rng(point_format)
    header = laspy.LasHeader(version="1.4", point_format=point_format)
    header.scales, header.offsets = np.array([0.01, 0.001, 0.25]), np.array([600_000.0, 1_100_000.0, -10.0])
    header.system_identifier = "a scanner"
    if point_format >= 6:
        header.add_crs(normalise("EPSG:9210+5727") if crs is None else crs)
    header.add_extra_dims([laspy.ExtraBytesParams("reflectance", np.float32), laspy.ExtraBytesParams("rank", np.uint8)])
    las = laspy.LasData(header)
    las.x, las.y = rng.uniform(600_000, 600_100, count), rng.uniform(1_100_000, 1_100_100, count)
    las.z = rng.uniform(-5, 60, count)
    las.intensity = rng.integers(0, 65_536, count)
    las.number_of_returns = rng.integers(1, 5, count)
    las.return_number = np.minimum(rng.integers(1, 5, count), np.asarray(las.number_of_returns))
    las.classification, las.user_data = (
        rng.integers(0, 256 if point_format >= 6 else 32, count),
        rng.integers(0, 256, count),
    )
    las.point_source_id, las.gps_time = rng.integers(0, 9, count), np.sort(rng.uniform(0, 1e8, count))
    las.reflectance, las.rank = rng.normal(size=count), rng.integers(0, 256, count)
    las["scan_angle" if point_format >= 6 else "scan_angle_rank"] = rng.integers(-90, 90, count)
    if point_format >= 6:
        las.overlap, las.synthetic = rng.integers(0, 2, (2, count))
    if point_format in (7, 8):
        las.red = rng.integers(0, 65_536, count)
    las.write(path)
    return las


def other(points: PointCloud) -> PointCloud:
    """The points with classes in runs, as they come, and confidences."""
    rng = np.random.default_rng(4)
    n = len(points)
    classes = np.repeat(rng.integers(0, 256, n // 7 + 1), 7)[:n].astype(np.uint8)
    return replace(points, classification=classes, confidence=rng.integers(1, 101, n).astype(np.uint8))


@pytest.mark.parametrize("point_format", [6, 7, 8])
def test_all_but_the_classes_stays_as_it_was(point_format: int, tmp_path: Path) -> None:
    before = survey(tmp_path / "in.laz", point_format)
    points, original = read_to_reclass(tmp_path / "in.laz", tmp_path / "out.laz", None)
    assert original is not None
    made = other(points)
    original.write(made, tmp_path / "out.laz", extra={"input_class": points.classification})
    for backend in (laspy.LazBackend.Lazrs, laspy.LazBackend.LazrsParallel):
        after = laspy.read(tmp_path / "out.laz", laz_backend=backend)
        np.testing.assert_array_equal(after.classification, made.classification)
        np.testing.assert_array_equal(after.confidence, made.confidence)
        np.testing.assert_array_equal(after.input_class, before.classification)
        for name in before.point_format.dimension_names:
            if name != "classification":
                np.testing.assert_array_equal(after[name], before[name], name)
    assert after.header.parse_crs() == before.header.parse_crs()
    assert after.header.system_identifier == "a scanner"
    assert after.header.generating_software.startswith("diaba")
    np.testing.assert_array_equal(after.header.scales, before.header.scales)
    again = read(tmp_path / "out.laz")
    np.testing.assert_array_equal(again.confidence, made.confidence)
    np.testing.assert_array_equal(again.x, points.x)


@pytest.mark.usefixtures("pdal")
def test_pdal_reads_what_was_written(tmp_path: Path) -> None:
    survey(tmp_path / "in.laz", 7)
    points, original = read_to_reclass(tmp_path / "in.laz", tmp_path / "out.laz", None)
    assert original is not None
    made = other(points)
    original.write(made, tmp_path / "out.laz")
    program = find_pdal()
    words = [program.path, "translate", tmp_path / "out.laz", tmp_path / "plain.las", "--writers.las.extra_dims=all"]
    words += ["--writers.las.minor_version=4", "--writers.las.dataformat_id=7"]
    subprocess.run(list(map(str, words)), env=dict(program.environment), check=True, capture_output=True)
    by_pdal = laspy.read(tmp_path / "plain.las")
    np.testing.assert_array_equal(by_pdal.classification, made.classification)
    np.testing.assert_array_equal(by_pdal.confidence, made.confidence)
    np.testing.assert_allclose(by_pdal["Reflectance"], laspy.read(tmp_path / "in.laz").reflectance)


def test_a_second_time_the_confidence_is_replaced_not_added(tmp_path: Path) -> None:
    survey(tmp_path / "in.laz", 6)
    for source, target in (("in.laz", "one.laz"), ("one.laz", "two.laz")):
        points, original = read_to_reclass(tmp_path / source, tmp_path / target, None)
        assert original is not None
        made = replace(other(points), confidence=points.confidence // 2 + 7)
        original.write(made, tmp_path / target)
    after = laspy.read(tmp_path / "two.laz")
    assert list(after.point_format.extra_dimension_names) == ["reflectance", "rank", "confidence"]
    np.testing.assert_array_equal(after.confidence, np.full(COUNT, 10))


def test_what_the_file_said_of_its_old_classes_does_not_stay_with_new_ones(tmp_path: Path) -> None:
    survey(tmp_path / "in.laz", 6, 500)
    points, original = read_to_reclass(tmp_path / "in.laz", tmp_path / "one.laz", None)
    assert original is not None
    original.write(other(points), tmp_path / "one.laz")
    points, original = read_to_reclass(tmp_path / "one.laz", tmp_path / "two.laz", None)
    assert original is not None
    assert points.confidence.all()
    original.write(replace(points, confidence=np.zeros_like(points.confidence)), tmp_path / "two.laz")
    assert not np.asarray(laspy.read(tmp_path / "two.laz").confidence).any()


@pytest.mark.parametrize("count", [1, 2, 50_000, 50_001])
def test_files_of_few_points_and_whole_chunks_come_out_whole(count: int, tmp_path: Path) -> None:
    survey(tmp_path / "in.laz", 6, count)
    points, original = read_to_reclass(tmp_path / "in.laz", tmp_path / "out.laz", None)
    assert original is not None
    made = other(points)
    original.write(made, tmp_path / "out.laz")
    np.testing.assert_array_equal(laspy.read(tmp_path / "out.laz").classification, made.classification)


def test_a_file_may_be_given_its_classes_in_place(tmp_path: Path) -> None:
    survey(tmp_path / "in.laz", 6)
    points, original = read_to_reclass(tmp_path / "in.laz", tmp_path / "in.laz", None)
    assert original is not None
    original.write(other(points), tmp_path / "in.laz")
    np.testing.assert_array_equal(read(tmp_path / "in.laz").classification, other(points).classification)


@pytest.mark.parametrize("kind", ["runs", "one", "noise", "two values"])
def test_the_coder_codes_as_laz_rs_does_to_the_byte(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    n = 60_000
    classes = {
        "runs": np.repeat(rng.integers(0, 20, n // 50), 50),
        "one": np.full(n, 6),
        "noise": rng.integers(0, 256, n),
        "two values": (np.arange(n) == n - 1) * 255,
    }[kind].astype(np.uint8)
    las = survey(tmp_path / "in.laz", 6, n)
    las.classification, las.rank = classes, classes[::-1].copy()
    las.write(tmp_path / "in.laz")
    with (tmp_path / "in.laz").open("rb") as handle:
        header = parse_header(handle, tmp_path / "in.laz")
        record, place = laz_record(header), 0
        for chunk in chunk_table(handle, header, record):
            data, own = load(handle, header, record, chunk), slice(place, place + chunk.point_count)
            lengths = layer_lengths(header, record, data)
            starts = header.record_length + 4 + 4 * len(lengths) + np.cumsum([0, *lengths])
            layers = [data[a:b] for a, b in pairwise(starts.tolist())]
            returns = np.asarray(las.return_number)[own], np.asarray(las.number_of_returns)[own]
            assert layers[CLASS] == class_layer(classes[own], *returns)
            assert layers[-1] == byte_layer(np.asarray(las.rank)[own])
            place = own.stop
    assert place == n


def test_files_that_need_more_than_other_classes_are_not_patched(tmp_path: Path) -> None:
    target = tmp_path / "out.laz"

    def original(source: Path, target: Path = target, crs: CRS | None = None) -> object:
        return read_to_reclass(source, target, crs)[1]

    plain = tmp_path / "plain.laz"
    las = survey(plain, 6, 500)
    assert original(plain) is not None
    assert original(plain, tmp_path / "out.copc.laz") is None
    assert original(plain, tmp_path / "out.las") is None
    las.write(tmp_path / "plain.las")
    assert original(tmp_path / "plain.las") is None
    survey(tmp_path / "old.laz", 3, 500)
    assert original(tmp_path / "old.laz", crs=normalise(9210)) is None
    survey(tmp_path / "feet.laz", 6, 500, CRS("EPSG:2994"))
    assert original(tmp_path / "feet.laz") is None
    las.add_extra_dim(laspy.ExtraBytesParams("input_class", np.uint16))
    las.write(tmp_path / "wide.laz")
    assert original(tmp_path / "wide.laz") is None
    for name, values in (("withheld", 1), ("scanner_channel", 2), ("return_number", 0)):
        odd = survey(tmp_path / "odd.laz", 6, 500)
        column = np.asarray(odd[name]).copy()
        column[7] = values
        odd[name] = column
        odd.write(tmp_path / "odd.laz")
        assert original(tmp_path / "odd.laz") is None, name


def test_one_channel_other_than_the_first_is_coded_too(tmp_path: Path) -> None:
    las = survey(tmp_path / "in.laz", 6)
    las.scanner_channel = np.full(COUNT, 3)
    las.write(tmp_path / "in.laz")
    points, original = read_to_reclass(tmp_path / "in.laz", tmp_path / "out.laz", None)
    assert original is not None
    original.write(other(points), tmp_path / "out.laz")
    after = laspy.read(tmp_path / "out.laz")
    np.testing.assert_array_equal(after.classification, other(points).classification)
    np.testing.assert_array_equal(after.confidence, other(points).confidence)


def test_other_points_than_the_file_has_are_refused_and_a_changed_file_is_noticed(tmp_path: Path) -> None:
    source, target = tmp_path / "in.laz", tmp_path / "out.laz"
    survey(source, 6)
    points, original = read_to_reclass(source, target, None)
    assert original is not None
    with pytest.raises(BadParameter, match="120001 points"):
        original.write(points.subset(np.arange(5)), target)
    source.write_bytes(source.read_bytes()[:200_000])
    with pytest.raises(UnreadableFile):
        original.write(points, target)
    assert not target.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["in.laz"]
