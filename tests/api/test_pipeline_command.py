"""`diaba lidar pipeline`."""

from __future__ import annotations

import json
from pathlib import Path

import laspy
import numpy as np
import pytest
from click.testing import CliRunner

from api.cli.pipeline import command
from gis.errors import BadParameter, UnreadableFile

pytestmark = pytest.mark.usefixtures("pdal")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three points as text."""
    path = tmp_path / "points.txt"
    path.write_text("X,Y,Z\n602001.5,1190000.5,1.5\n602002.5,1190001.5,2.5\n602003.5,1190002.5,3.5\n")
    return path


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_pipeline_of_the_house_is_called_by_name(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "points.laz"
    run("text_to_laz", "--in", table, "--out", out, "separator=,", "crs=EPSG:9210+5727")
    assert np.asarray(laspy.read(out).z).tolist() == pytest.approx([1.5, 2.5, 3.5])


def test_a_users_own_file_is_run_and_numbers_keep_their_type(table: Path, tmp_path: Path) -> None:
    own, out = tmp_path / "own.json", tmp_path / "thin.txt"
    stages = ["{in}", {"type": "filters.decimation", "step": "{step}"}, {"type": "writers.text", "filename": "{out}"}]
    own.write_text(json.dumps(stages))
    document = json.loads(run(own, "--in", table, "--out", out, "step=2", "--json"))
    assert len(out.read_text().splitlines()) == 1 + 2
    assert document["out"] == str(out)
    assert set(document["metadata"]) == {"readers.text", "filters.decimation", "writers.text"}


def test_a_failed_pipeline_leaves_the_old_file(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "points.laz"
    out.write_bytes(b"old")
    table.unlink()
    with pytest.raises(UnreadableFile, match=r"points\.txt"):
        run("text_to_laz", "--in", table, "--out", out, "separator=,", "crs=EPSG:9210")
    assert out.read_bytes() == b"old"


def test_an_unknown_name_says_where_pipelines_are() -> None:
    with pytest.raises(UnreadableFile, match="data/pipelines"):
        run("no_such_pipeline")


def test_a_parameter_without_a_value_is_refused() -> None:
    with pytest.raises(BadParameter, match="NAME=VALUE"):
        run("info", "resolution")
