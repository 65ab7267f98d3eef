"""`diaba lidar inspect` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli.main import run

pytestmark = pytest.mark.shared_data


def test_a_person_gets_the_figures_and_the_problems(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lidar", "inspect", str(shared_data / "delft_north/ahn3_1.laz")]) == 0
    told = capsys.readouterr().out
    for piece in ("292,086", "11.4", "LAZ 1.2", "EPSG:7415", "strips 44266/57139"):
        assert piece in told


def test_json_is_one_document_and_nothing_else(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(shared_data / "isprs/samp11.laz"), str(shared_data / "pdal/autzen_trim.laz")]
    assert run(["lidar", "inspect", *files, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["crs"], first["point_count"]) == ("EPSG:32632", 38_010)
    assert first["density"]["mean"] == pytest.approx(0.93, abs=0.02)
    assert {problem["code"] for problem in second["problems"]} >= {"feet", "no-vertical-crs"}


def test_a_given_crs_settles_what_the_file_leaves_open(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(shared_data / "delft_north/ahn3_2.laz")
    assert run(["lidar", "inspect", file, "--crs", "EPSG:7415", "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert report["crs"] == "EPSG:7415"
    assert [problem for problem in report["problems"] if problem["severity"] == "error"] == []


def test_a_file_that_cannot_be_read_is_named_after_the_others(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.laz").write_text("not points")
    files = [str(tmp_path / "text.laz"), str(tmp_path), str(shared_data / "isprs/samp21.laz")]
    assert run(["lidar", "inspect", *files]) == 3
    told = capsys.readouterr()
    assert "12,960" in told.out
    assert told.err == f"diaba: {tmp_path / 'text.laz'}: is no LAS or LAZ file: it does not begin with LASF\n"


def test_a_folder_stands_for_its_files(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lidar", "inspect", str(tmp_path)]) == 3
    assert "no LAS or LAZ file is there" in capsys.readouterr().err
    for name in ("samp21.laz", "samp31.laz"):
        (tmp_path / name).write_bytes((shared_data / "isprs" / name).read_bytes())
    assert run(["lidar", "inspect", str(tmp_path), "--json"]) == 0
    assert [each["point_count"] for each in json.loads(capsys.readouterr().out)] == [12_960, 28_862]


def test_wrong_usage_is_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lidar", "inspect"]) == 2
    assert run(["lidar", "inspect", "x.laz", "--crs", "EPSG:1"]) == 2
    assert run(["lidar", "nothing"]) == 2
    assert "Traceback" not in capsys.readouterr().err
