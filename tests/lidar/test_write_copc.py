from __future__ import annotations

import json
import subprocess
from pathlib import Path

import laspy
import numpy as np
import pytest
from laspy.copc import Bounds

from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.errors import BadParameter
from lidar import write_copc as module
from lidar.pdal import find_pdal
from lidar.point_cloud import PointCloud
from lidar.read import read, read_header
from lidar.write_copc import write_copc, write_points

CRS = normalise("EPSG:9210+5727")


def cloud(n: int = 40_000, seed: int = 1) -> PointCloud:
    """A slope of 300 × 200 m under all that a point may carry, with points that lie on one another."""
    random = np.random.default_rng(seed)
    x, y = np.round(random.uniform(0, 300, n), 3), np.round(random.uniform(0, 200, n), 3)
    z = np.round(5 + 0.02 * x + random.uniform(0, 12, n) ** 2 / 10, 3)
    x[: n // 10], y[: n // 10], z[: n // 10] = 12.5, 30.25, 4.125
    return PointCloud.from_xyz(
        603_000 + x,
        1_191_000 + y,
        z,
        CRS,
        classification=random.integers(1, 7, n).astype(np.uint8),
        intensity=random.integers(0, 65_535, n).astype(np.uint16),
        return_number=random.integers(1, 4, n).astype(np.uint8),
        number_of_returns=np.full(n, 4, dtype=np.uint8),
        point_source_id=random.integers(1, 5, n).astype(np.uint16),
        gps_time=3e8 + np.sort(random.uniform(0, 900, n)),
    )


def as_rows(points: PointCloud) -> np.ndarray:
    """The points as a set, in steps of the file."""
    columns = dict(points.columns())
    for axis in "xyz":
        columns[axis] = np.rint(columns[axis] * 1000).astype(np.int64)
    columns["scan_angle"] = np.rint(columns["scan_angle"] / 0.006)
    rows = np.rec.fromarrays(list(columns.values()), names=list(columns))
    return np.sort(rows, order=list(columns))


@pytest.fixture(scope="module")
def small_voxels() -> object:
    """An octree with several levels in few points."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LEAF_POINTS", 1000)
        patch.setattr(module, "GRID_BITS", 3)
        yield


@pytest.mark.usefixtures("small_voxels")
def test_what_is_written_is_read_back_point_for_point(tmp_path: Path) -> None:
    points = cloud()
    path = tmp_path / "a.copc.laz"
    write_copc(points, path)
    assert read_header(path).is_copc
    assert np.array_equal(as_rows(read(path)), as_rows(points))


@pytest.mark.usefixtures("small_voxels")
def test_the_bytes_do_not_depend_on_the_order_of_the_points(tmp_path: Path) -> None:
    points = cloud()
    write_copc(points, tmp_path / "a.copc.laz")
    for seed in range(3):
        shuffled = points.subset(np.random.default_rng(seed).permutation(len(points)))
        write_copc(shuffled, tmp_path / "b.copc.laz")
        assert (tmp_path / "a.copc.laz").read_bytes() == (tmp_path / "b.copc.laz").read_bytes()


@pytest.mark.usefixtures("small_voxels")
def test_laspy_finds_a_rectangle_and_a_resolution_through_the_octree(tmp_path: Path) -> None:
    points = cloud()
    path = tmp_path / "a.copc.laz"
    write_copc(points, path)
    with laspy.CopcReader.open(path) as reader:
        entries = reader.root_page.entries
        assert max(key.level for key in entries) >= 3
        assert sum(entry.point_count for entry in entries.values()) == len(points)
        assert len(reader.query()) == len(points)
        found = reader.query(bounds=Bounds(np.array([603_050, 1_191_020]), np.array([603_090, 1_191_100])))
        info = reader.copc_info
        assert (info.gps_min, info.gps_max) == (points.gps_time.min(), points.gps_time.max())
        thinned = reader.query(level=0)
        for key, entry in entries.items():
            if key.level < 3 and entry.point_count:
                side = 2 * info.halfsize / 2**key.level
                inside = reader.query(level=key.level)
                low = info.center - info.halfsize + np.array([key.x, key.y, key.z]) * side
                places = np.c_[inside.x, inside.y, inside.z]
                assert np.all((places >= low - 1e-4) & (places < low + side + 1e-4), axis=1).sum() >= entry.point_count
    inside = (points.x >= 603_050) & (points.x <= 603_090) & (points.y >= 1_191_020) & (points.y <= 1_191_100)
    assert len(found) == inside.sum()
    cells = np.unique(np.floor((np.c_[thinned.x, thinned.y, thinned.z] - reader.header.mins) / info.spacing), axis=0)
    assert len(cells) == len(thinned), "the root keeps one point a cell"


@pytest.mark.usefixtures("small_voxels")
def test_a_rectangle_read_from_it_is_the_rectangle_of_the_whole(tmp_path: Path) -> None:
    points = cloud()
    write_copc(points, tmp_path / "a.copc.laz")
    window = BoundingBox(603_010, 1_191_025, 603_055.5, 1_191_070, CRS)
    inside = (points.x >= 603_010) & (points.x <= 603_055.5) & (points.y >= 1_191_025) & (points.y <= 1_191_070)
    assert np.array_equal(as_rows(read(tmp_path / "a.copc.laz", bounds=window)), as_rows(points.subset(inside)))


@pytest.mark.usefixtures("small_voxels")
def test_pdal_reads_the_same_points(tmp_path: Path, pdal: Path) -> None:
    points = cloud()
    path, out = tmp_path / "a.copc.laz", tmp_path / "out.txt"
    write_copc(points, path)
    text = {
        "type": "writers.text",
        "filename": str(out),
        "order": "X:3,Y:3,Z:3,Classification:0",
        "keep_unspecified": False,
    }
    # PDAL 2.2 knows LAZ alone; COPC is LAZ with chunks of their own sizes, in which it must find every point.
    document = tmp_path / "pipeline.json"
    document.write_text(json.dumps([{"type": "readers.las", "filename": str(path)}, text]))
    program = find_pdal()
    subprocess.run([str(program.path), "pipeline", str(document)], check=True, env=dict(program.environment))
    rows = np.loadtxt(out, delimiter=",", skiprows=1)
    expected = np.c_[points.x, points.y, points.z, points.classification]
    order = np.lexsort(np.rint(rows * 1000).T)
    assert np.allclose(rows[order], expected[np.lexsort(np.rint(expected * 1000).T)], atol=1e-4)


def test_extra_columns_are_kept(tmp_path: Path) -> None:
    points = cloud(5000)
    ordinal = np.arange(5000, dtype=np.uint32)
    write_copc(points, tmp_path / "a.copc.laz", extra={"ordinal": ordinal})
    las = laspy.read(tmp_path / "a.copc.laz")
    assert np.array_equal(np.sort(las["ordinal"]), ordinal)
    assert np.array_equal(np.asarray(las.gps_time), points.gps_time[np.asarray(las["ordinal"])])


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_points_make_a_file(n: int, tmp_path: Path) -> None:
    points = cloud(100).subset(slice(0, n))
    write_copc(points, tmp_path / "a.copc.laz")
    assert read_header(tmp_path / "a.copc.laz").point_count == n
    assert len(read(tmp_path / "a.copc.laz")) == n


def test_a_million_points_at_one_place_make_a_file(tmp_path: Path) -> None:
    n = 1_000_000
    times = np.random.default_rng(1).uniform(0, 1e5, n)
    points = PointCloud.from_xyz(np.full(n, 603e3), np.full(n, 1191e3), np.full(n, 2.0), CRS, gps_time=times)
    write_copc(points, tmp_path / "a.copc.laz")
    assert len(read(tmp_path / "a.copc.laz")) == n


def test_points_hundreds_of_kilometres_apart_make_a_file(tmp_path: Path) -> None:
    points = PointCloud.from_xyz(np.array([0.0, 9e5]), np.array([0.0, 1e6]), np.array([0.0, 1.0]), CRS)
    write_copc(points, tmp_path / "a.copc.laz")
    assert sorted(read(tmp_path / "a.copc.laz").x) == [0.0, 9e5]


def test_the_ending_says_what_is_written(tmp_path: Path) -> None:
    points = cloud(100)
    for name, is_copc, compressed in (("a.copc.laz", True, True), ("a.laz", False, True), ("a.las", False, False)):
        write_points(points, tmp_path / name)
        header = read_header(tmp_path / name)
        assert (header.is_copc, header.is_compressed) == (is_copc, compressed)
    with pytest.raises(BadParameter):
        write_points(points, tmp_path / "a.txt")
    with pytest.raises(BadParameter):
        write_copc(points, tmp_path / "a.laz")
