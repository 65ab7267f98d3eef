"""Reading is held against laspy, an independent reader of the same formats."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np
import pytest
from pyproj import CRS

from gis.bounds import BoundingBox
from gis.crs import horizontal, name_of, normalise, transformer, vertical
from gis.errors import BadCrs, BadParameter, MissingCrs
from lidar.las.crs import guess_crs, in_metres
from lidar.point_cloud import PointCloud
from lidar.read import ATTRIBUTES, read, read_header, read_many
from lidar.write import write_laz

pytestmark = pytest.mark.shared_data

DUTCH = normalise(28992)
LONE_STAR_CRS = normalise(26913)
"""The file's header says geocentric, which its coordinates are not."""


def say(path: Path) -> CRS | None:
    """The CRS of the folders whose files do not say it."""
    if "lone-star" in path.name:
        return LONE_STAR_CRS
    if "water" in path.name:
        return normalise(2154)
    return {"delft_north": DUTCH, "amsterdam_a": DUTCH, "trondheim_roofs": normalise(25832)}.get(path.parent.name)


def by_laspy(path: Path) -> dict[str, np.ndarray]:
    las = laspy.read(path)
    kept = np.asarray(las.withheld) == 0
    scan = las.scan_angle * np.float32(0.006) if las.point_format.id >= 6 else las.scan_angle_rank
    columns = {
        "x": las.x,
        "y": las.y,
        "z": las.z,
        "classification": las.classification,
        "intensity": las.intensity,
        "return_number": las.return_number,
        "number_of_returns": las.number_of_returns,
        "point_source_id": las.point_source_id,
        "gps_time": las.gps_time if "gps_time" in las.point_format.dimension_names else np.zeros(len(las.x)),
        "scan_angle": scan,
    }
    found = {name: np.asarray(column)[kept] for name, column in columns.items()}
    # A point without returns is a single one.
    found["return_number"] = np.maximum(found["return_number"], 1)
    total = found["number_of_returns"]
    found["number_of_returns"] = np.where(total == 0, found["return_number"], total)
    return found


def test_every_real_file_reads_as_laspy_reads_it(shared_data: Path) -> None:
    files = sorted(shared_data.glob("**/*.laz"))
    assert files
    for file in files:
        ours, theirs = read(file, crs=say(file)), by_laspy(file)
        foot = 0.3048 if "autzen" in file.name else 1.0
        for name, column in theirs.items():
            expected = column * foot if name in "xyz" else column
            np.testing.assert_allclose(getattr(ours, name), expected, rtol=0, atol=1e-6, err_msg=f"{file} {name}")


def test_the_metre_system_a_file_in_feet_is_read_into_may_be_said_back(shared_data: Path) -> None:
    file = shared_data / "pdal/autzen_trim.laz"
    once = read(file)
    again = read(file, crs=once.crs)
    assert again.crs == once.crs
    np.testing.assert_array_equal(again.x, once.x)
    np.testing.assert_array_equal(again.z, once.z)
    with pytest.raises(BadCrs, match="leave --crs out"):
        read(file, crs=normalise(2991))


@pytest.mark.parametrize("ending", [".las", ".laz"])
@pytest.mark.parametrize(
    ("version", "point_format"),
    [("1.1", 0), ("1.1", 1), ("1.2", 2), ("1.2", 3), ("1.3", 4), ("1.3", 5)]
    + [("1.4", number) for number in range(11)],
)
def test_every_point_of_a_file_of_many_chunks_is_read_by_one_thread_as_by_several(
    version: str, point_format: int, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three chunks of 50,000 points and a part of a fourth, every column as laspy reads it."""
    rng = np.random.default_rng(point_format)
    n = 170_001
    las = laspy.LasData(laspy.LasHeader(version=version, point_format=point_format))
    if point_format >= 6:
        las.header.add_crs(normalise(9210))
    las.x, las.y = 600_000 + np.cumsum(rng.normal(0, 0.2, n)), 1_100_000 + rng.uniform(0, 50, n)
    las.z = rng.normal(5, 2, n)
    las.intensity = rng.integers(0, 65_536, n)
    las.return_number, las.number_of_returns = rng.integers(1, 4, n), rng.integers(3, 6, n)
    las.classification = rng.integers(0, 20, n)
    las.withheld = rng.integers(0, 20, n) == 0
    las.point_source_id = np.sort(rng.integers(0, 9, n))
    if "gps_time" in las.point_format.dimension_names:
        las.gps_time = 3e8 + np.cumsum(rng.exponential(1e-5, n))
    if "red" in las.point_format.dimension_names:
        las.red, las.green, las.blue = rng.integers(0, 65_536, (3, n))
    las.write(tmp_path / f"tile{ending}")
    expected = by_laspy(tmp_path / f"tile{ending}")
    for threads in (1, 2):
        monkeypatch.setattr("numba.get_num_threads", lambda threads=threads: threads)
        points = read(tmp_path / f"tile{ending}", crs=normalise(9210))
        for name, column in expected.items():
            np.testing.assert_allclose(getattr(points, name), column, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("version", "point_format"),
    [("1.1", 0), ("1.2", 0), ("1.2", 1), ("1.2", 2), ("1.2", 3), ("1.3", 4), ("1.3", 5)]
    + [("1.4", number) for number in range(11)],
)
@pytest.mark.parametrize("ending", [".las", ".laz"])
def test_every_point_format_reads(version: str, point_format: int, ending: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(point_format)
    n = 700
    header = laspy.LasHeader(version=version, point_format=point_format)
    header.scales, header.offsets = np.array([0.01, 0.001, 0.25]), np.array([600_000.0, 1_100_000.0, -10.0])
    header.add_extra_dim(laspy.ExtraBytesParams("reflectance", np.float32))
    if point_format >= 6:
        header.add_crs(normalise(9210))
    las = laspy.LasData(header)
    las.x, las.y = rng.uniform(600_000, 600_100, n), rng.uniform(1_100_000, 1_100_100, n)
    las.z = rng.uniform(-5, 60, n)
    las.intensity = rng.integers(0, 65_536, n)
    las.return_number, las.number_of_returns = rng.integers(1, 3, n), np.full(n, 2)
    las.classification = rng.integers(0, 32 if point_format < 6 else 200, n)
    las.withheld = rng.integers(0, 2, n)
    las.point_source_id = rng.integers(0, 65_536, n)
    las.reflectance = rng.normal(size=n)
    if point_format not in (0, 2):
        las.gps_time = rng.uniform(0, 1e8, n)
    if point_format >= 6:
        las.scan_angle = rng.integers(-30_000, 30_000, n)
    else:
        las.scan_angle_rank = rng.integers(-90, 90, n)
    file = tmp_path / f"tile{ending}"
    las.write(file)
    points = read(file, crs=normalise(9210))
    for name, column in by_laspy(file).items():
        np.testing.assert_allclose(getattr(points, name), column, rtol=0, atol=1e-6, err_msg=name)
    assert read_header(file).extra_dims == ("reflectance",)
    assert read_header(file).version == version


@pytest.mark.parametrize(("point_format", "ending"), [(1, "las"), (3, "laz"), (6, "las"), (6, "laz"), (7, "laz")])
def test_attributes_not_asked_for_are_zero_and_all_else_is_as_laspy_reads_it(
    point_format: int, ending: str, tmp_path: Path
) -> None:
    header = laspy.LasHeader(point_format=point_format, version="1.4")
    header.scales = np.array([0.01, 0.01, 0.01])
    header.add_crs(CRS("EPSG:28992"))
    data, random = laspy.LasData(header), np.random.default_rng(3)
    data.x, data.y, data.z = 85_000 + random.random(500), 446_000 + random.random(500), random.random(500)
    data.classification = random.integers(0, 20, 500, dtype=np.uint8)
    data.return_number, data.number_of_returns = np.ones(500, np.uint8), random.integers(1, 4, 500, dtype=np.uint8)
    data.intensity, data.point_source_id = random.integers(1, 60_000, 500), random.integers(1, 9, 500)
    data.gps_time = 1e6 + np.arange(500.0)
    data["scan_angle" if point_format >= 6 else "scan_angle_rank"] = random.integers(1, 20, 500)
    path = tmp_path / f"points.{ending}"
    data.write(str(path))
    expected = laspy.read(path)
    for attributes in (frozenset[str](), frozenset({"intensity"}), frozenset({"gps_time", "point_source_id"})):
        points = read(path, attributes=attributes)
        for name in ("x", "y", "z", "classification", "return_number", "number_of_returns", *sorted(attributes)):
            np.testing.assert_array_equal(getattr(points, name), np.asarray(getattr(expected, name)), name)
        assert not any(getattr(points, name).any() for name in ATTRIBUTES - attributes)
    assert read(path).scan_angle.all()


def test_a_las_1_0_file_reads(tmp_path: Path) -> None:
    header = laspy.LasHeader(version="1.1", point_format=1)
    las = laspy.LasData(header)
    las.x, las.y, las.z = np.arange(5.0), np.arange(5.0), np.arange(5.0)
    las.write(tmp_path / "old.las")
    raw = bytearray((tmp_path / "old.las").read_bytes())
    raw[25] = 0
    (tmp_path / "old.las").write_bytes(raw)
    assert read_header(tmp_path / "old.las").version == "1.0"
    assert read(tmp_path / "old.las", crs=DUTCH).x.tolist() == [0, 1, 2, 3, 4]


def test_bounds_keep_what_lies_inside_and_on_the_edge(shared_data: Path) -> None:
    file = shared_data / "isprs/samp11.laz"
    whole = read(file)
    box = BoundingBox(float(whole.x[100]), 5_403_600.0, 512_790.0, 5_403_700.0, whole.crs)
    part = read(file, bounds=box)
    inside = (whole.x >= box.min_x) & (whole.x <= box.max_x) & (whole.y >= box.min_y) & (whole.y <= box.max_y)
    assert 0 < len(part) < len(whole)
    assert_equal(part, whole.subset(inside))


def test_bounds_in_another_crs_are_carried_over(shared_data: Path) -> None:
    file = shared_data / "isprs/samp11.laz"
    box = read(file).bounds.buffered(-20)
    assert len(read(file, bounds=box.to(4326))) >= len(read(file, bounds=box)) > 0


def test_the_octree_gives_the_points_that_reading_everything_gives(shared_data: Path) -> None:
    file = shared_data / "pdal/lone-star.copc.laz"
    whole = read(file, crs=LONE_STAR_CRS)
    box = BoundingBox(515_380.0, 4_918_350.0, 515_384.0, 4_918_354.0, LONE_STAR_CRS)
    inside = (whole.x >= box.min_x) & (whole.x <= box.max_x) & (whole.y >= box.min_y) & (whole.y <= box.max_y)
    assert_equal(read(file, crs=LONE_STAR_CRS, bounds=box), whole.subset(inside))


def test_bounds_beside_a_file_give_no_points(shared_data: Path) -> None:
    for name, crs in (("isprs/samp11.laz", None), ("pdal/lone-star.copc.laz", LONE_STAR_CRS)):
        far = BoundingBox(1.0, 1.0, 2.0, 2.0, normalise(32632) if crs is None else crs)
        assert len(read(shared_data / name, crs=crs, bounds=far)) == 0


def test_several_files_are_read_in_their_order(shared_data: Path) -> None:
    files = sorted((shared_data / "delft_north").glob("*.laz"))
    together = read_many(files, crs=DUTCH)
    assert len(together) == 292_086 + 91_852
    assert_equal(together.subset(slice(292_086, None)), read(files[1], crs=DUTCH))


def test_files_of_two_crs_are_not_mixed(shared_data: Path) -> None:
    with pytest.raises(BadCrs, match=r"samp11.laz.*EPSG:32632.*EPSG:2154|EPSG:2154.*EPSG:32632"):
        read_many(
            [shared_data / "ign_bridge/test_semis_2023_0299_6802_LA93_IGN69.laz", shared_data / "isprs/samp11.laz"]
        )
    with pytest.raises(BadParameter):
        read_many([])


def test_a_missing_crs_is_asked_for_with_candidates(shared_data: Path) -> None:
    file = shared_data / "delft_north/ahn3_1.laz"
    with pytest.raises(MissingCrs, match="EPSG:7415") as caught:
        read(file)
    assert "ahn3_1.laz" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert read(file, crs=DUTCH).crs == DUTCH


def test_a_crs_that_contradicts_the_header_is_refused(shared_data: Path) -> None:
    with pytest.raises(BadCrs, match=r"EPSG:32632.*EPSG:28992"):
        read(shared_data / "isprs/samp11.laz", crs=DUTCH)


def test_a_vertical_datum_may_be_added_but_not_changed(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "isprs/samp11.laz"
    both = normalise("EPSG:32632+7837")
    assert name_of(read(file, crs=both).crs) == "EPSG:32632+7837"
    write_laz(read(file, crs=both), tmp_path / "with_heights.laz")
    assert name_of(read(tmp_path / "with_heights.laz", crs=normalise(32632)).crs) == "EPSG:32632+7837"
    with pytest.raises(BadCrs, match="7837"):
        read(tmp_path / "with_heights.laz", crs=normalise("EPSG:32632+5773"))


def test_feet_become_metres_in_the_same_place(shared_data: Path) -> None:
    file = shared_data / "pdal/autzen_trim.laz"
    points, feet = read(file), laspy.read(file)
    assert horizontal(points.crs).axis_info[0].unit_name == "metre"
    ours = transformer(points.crs, 4326).transform(points.x[:100], points.y[:100])
    theirs = transformer(2994, 4326).transform(np.asarray(feet.x[:100]), np.asarray(feet.y[:100]))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)
    np.testing.assert_allclose(points.z, np.asarray(feet.z) * 0.3048, atol=1e-9)


@pytest.mark.parametrize("code", ["EPSG:2263", "EPSG:2263+6360", "EPSG:6340+6360", "EPSG:2994+8228", "EPSG:3089"])
def test_the_twin_in_metres_is_the_same_place_to_a_millimetre(code: str) -> None:
    crs = normalise(code)
    metric, across, up = in_metres(crs)
    area = horizontal(crs).area_of_use
    assert area is not None
    longitude, latitude = np.linspace(area.west, area.east, 9), np.linspace(area.south, area.north, 9)
    geographic = horizontal(crs).geodetic_crs
    x, y = transformer(geographic, crs).transform(longitude, latitude)
    there = transformer(geographic, metric).transform(longitude, latitude)
    np.testing.assert_allclose((np.array(x) * across, np.array(y) * across), there, rtol=0, atol=0.001)
    assert in_metres(metric) == (metric, 1.0, 1.0)
    height = vertical(crs)
    assert up == (across if height is None else height.axis_info[0].unit_conversion_factor)


def test_degrees_are_refused_with_a_way_out(tmp_path: Path) -> None:
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = np.array([1e-7, 1e-7, 0.001]), np.array([106.0, 10.0, 0.0])
    header.add_crs(normalise(4326))
    las = laspy.LasData(header)
    las.x, las.y, las.z = np.linspace(106.6, 106.7, 50), np.linspace(10.7, 10.8, 50), np.zeros(50)
    las.write(tmp_path / "degrees.laz")
    with pytest.raises(BadCrs, match=r"degrees.*PDAL pipeline"):
        read(tmp_path / "degrees.laz")


def test_geotiff_keys_give_the_crs_gdal_sees(shared_data: Path) -> None:
    assert read_header(shared_data / "ign_six_tiles/test_data_77055_627755_LA93_IGN69.laz").crs == normalise(2154)
    assert read_header(shared_data / "lidr/Topography.laz").crs == normalise(2949)


def test_guesses_are_only_for_the_hint() -> None:
    assert guess_crs((85_000, 447_000, 86_000, 448_000))[0][0] == "EPSG:7415"
    assert guess_crs((650_000, 6_860_000, 651_000, 6_861_000))[0][0] == "EPSG:2154+5720"
    assert "EPSG:9210+5727" in [code for code, _ in guess_crs((598_000, 1_190_000, 603_000, 1_195_000))]
    assert guess_crs((106.6, 10.7, 106.7, 10.8))[0][0] == "EPSG:4326"
    assert guess_crs((9e6, 9e6, 9e6, 9e6)) == []


def assert_equal(first: PointCloud, second: PointCloud) -> None:
    for name, column in first.columns().items():
        np.testing.assert_array_equal(column, getattr(second, name), err_msg=name)
