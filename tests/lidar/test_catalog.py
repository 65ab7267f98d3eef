from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.errors import BadCrs, BadParameter, MissingCrs, UnreadableFile
from lidar.catalog import scan, tiles_over
from lidar.point_cloud import PointCloud
from lidar.tile import LARGEST_BUFFER
from lidar.write import write_laz

CRS = normalise("EPSG:9210+5727")


def laz(path: Path, west: float, south: float, size: float = 100.0, crs: str = "EPSG:9210+5727") -> Path:
    random = np.random.default_rng(int(west + south))
    x = np.append(random.uniform(west, west + size, 200), [west, west + size])
    y = np.append(random.uniform(south, south + size, 200), [south, south + size])
    write_laz(PointCloud.from_xyz(x, y, np.zeros(202), normalise(crs)), path)
    return path


def test_bad_files_are_named_with_their_reason_and_stop_no_other(tmp_path: Path) -> None:
    good = laz(tmp_path / "a.laz", 603000, 1191000)
    truncated = tmp_path / "b.laz"
    truncated.write_bytes(good.read_bytes()[:300])
    renamed = tmp_path / "c.laz"
    renamed.write_text("x,y,z")
    shutil.copy(good, tmp_path / "d.laz")
    (tmp_path / "notes.txt").write_text("not a point cloud")
    records = scan([tmp_path, tmp_path / "missing.laz"], CRS)
    assert [r.path.name for r in records] == ["a.laz", "b.laz", "c.laz", "d.laz", "missing.laz"]
    assert [r.usable for r in records] == [True, False, False, False, False]
    assert all(isinstance(r.problem, UnreadableFile) and str(r.path) in str(r.problem) for r in records[1:])
    assert "a.laz" in str(records[3].problem)
    assert records[0].sha256 == hashlib.sha256(good.read_bytes()).hexdigest()


def test_a_file_without_a_crs_needs_one(shared_data: Path) -> None:
    path = shared_data / "amsterdam_a" / "ahn_2386_9702.laz"
    assert isinstance(scan([path])[0].problem, MissingCrs)
    assert scan([path], normalise(28992))[0].usable


def test_tiles_lie_on_multiples_of_their_size_and_know_the_files_around(tmp_path: Path) -> None:
    paths = [laz(tmp_path / f"{i}.laz", 603000 + 100 * i, 1191000, 99.9) for i in range(12)]
    tiles = tiles_over(scan(paths), 250, 50)
    assert [t.key for t in tiles] == [f"x{x}_y1191000_250" for x in range(603000, 604200, 250)]
    assert all(t.bounds.min_x % 250 == 0 and t.bounds.width == 250 for t in tiles)
    assert paths[0] in tiles[0].paths
    assert paths[11] not in tiles[0].paths
    reach = 603250 + LARGEST_BUFFER
    assert {p for i, p in enumerate(paths) if 603000 + 100 * i <= reach} == set(tiles[0].paths)


def test_an_area_chooses_tiles(tmp_path: Path) -> None:
    records = scan([laz(tmp_path / "a.laz", 603000, 1191000, 499)])
    assert len(tiles_over(records, 100, 50)) == 25
    area = BoundingBox(603010, 1191010, 603190, 1191090, normalise(9210))
    assert [t.key for t in tiles_over(records, 100, 50, area)] == ["x603000_y1191000_100", "x603100_y1191000_100"]
    assert len(tiles_over(records, 100, 50, area.to(4326))) >= 2


def test_files_in_two_crs_are_two_surveys(tmp_path: Path) -> None:
    records = scan(
        [laz(tmp_path / "a.laz", 603000, 1191000), laz(tmp_path / "b.laz", 603000, 1191000, 50, "EPSG:32648")]
    )
    with pytest.raises(BadCrs):
        tiles_over(records, 100, 50)


@pytest.mark.parametrize(("size", "buffer"), [(0, 10), (-5, 10), (float("nan"), 10), (100, -1), (100, 1e6)])
def test_sizes_that_make_no_sense_are_refused(size: float, buffer: float) -> None:
    with pytest.raises(BadParameter):
        tiles_over([], size, buffer)
