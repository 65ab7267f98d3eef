"""`diaba lidar classify` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import laspy
import numpy as np
import pytest
from click.testing import CliRunner, Result

from api.cli.main import diaba
from gis.crs import normalise
from gis.errors import DiabaError, ProgramFailed
from lidar import pdal
from lidar.point_cloud import Class, PointCloud
from lidar.write import write_laz


@pytest.fixture(scope="module")
def tile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slope of 1:50 with a house on it, 6 points/m², not classified."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 60, (2, 21_600))
    house = (np.abs(x - 30) < 6) & (np.abs(y - 30) < 5)
    path = tmp_path_factory.mktemp("tile") / "tile.laz"
    z = 2 + x / 50 + 6 * house + rng.normal(0, 0.02, len(x))
    write_laz(PointCloud.from_xyz(600_000 + x, 1_190_000 + y, z, normalise("EPSG:9210+5727")), path)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(diaba, ["lidar", "classify", *map(str, words)])


def test_classes_and_confidences_are_written_and_told(tile: Path, tmp_path: Path) -> None:
    done = run(tile, tmp_path / "out.laz", "--json")
    assert done.exit_code == 0, done.output
    told, written = json.loads(done.stdout), laspy.read(tmp_path / "out.laz")
    for code in (Class.GROUND, Class.BUILDING):
        mine = np.asarray(written.classification) == code
        assert told["classes"][code.name.lower()] == mine.sum() > 500
        mean = told["mean_confidence_percent"][code.name.lower()]
        np.testing.assert_allclose(mean, np.asarray(written["confidence"])[mine].mean())
        assert mean > 90


def test_a_name_that_ends_in_copc_gets_copc_with_the_same_points(tile: Path, tmp_path: Path) -> None:
    plain, octree = tmp_path / "out.laz", tmp_path / "out.copc.laz"
    assert run(tile, plain).exit_code == run(tile, octree).exit_code == 0
    with laspy.CopcReader.open(octree) as reader:
        made = reader.query()
    points = laspy.read(plain)
    assert len(made) == len(points) == 21_600
    columns = ("X", "Y", "Z", "classification", "confidence")
    mine, theirs = (np.sort(np.rec.fromarrays([np.asarray(p[c]) for c in columns])) for p in (made, points))
    np.testing.assert_array_equal(mine.tolist(), theirs.tolist())


def test_an_address_is_asked_for_over_the_web_and_not_looked_for_on_disk(tmp_path: Path) -> None:
    done = run("http://127.0.0.1:9/tile.laz", tmp_path / "out.laz")
    assert isinstance(done.exception, DiabaError)
    assert "http://127.0.0.1:9/tile.laz" in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_pdal_reads_no_address(tmp_path: Path) -> None:
    done = run("http://127.0.0.1:9/tile.laz", tmp_path / "out.laz", "--engine", "pdal")
    assert isinstance(done.exception, DiabaError)
    assert "addresses" in str(done.exception)


@pytest.mark.skipif(pdal.version() >= (2, 3, 0), reason="the CSF of a current PDAL works")
def test_the_csf_of_an_old_pdal_is_refused_in_one_clear_line(tile: Path, tmp_path: Path) -> None:
    done = run(tile, tmp_path / "out.laz", "--engine", "pdal", "--method", "csf")
    assert isinstance(done.exception, ProgramFailed)
    assert "use smrf or pmf" in str(done.exception)
    assert not list(tmp_path.iterdir())
