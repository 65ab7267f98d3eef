"""`diaba lidar accuracy` as a user calls it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from api.cli.main import run
from gis.crs import normalise
from lidar.point_cloud import PointCloud
from lidar.write import write_laz


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """Level ground at 2 m, measured 0.04 m too high, with 40 check points, one of them off the survey."""
    rng = np.random.default_rng(1)
    x, y = 603_000 + rng.uniform(0, 30, 3_000), 1_191_000 + rng.uniform(0, 30, 3_000)
    z = 2.04 + rng.normal(0, 0.01, 3_000)
    classes = np.full(3_000, 2, dtype=np.uint8)
    write_laz(PointCloud.from_xyz(x, y, z, normalise("EPSG:9210+5727"), classification=classes), tmp_path / "tile.laz")
    rows = [(f"P{i}", 603_005 + 0.5 * i, 1_191_010 + 0.2 * i, 2.0, "open", 0.005) for i in range(39)]
    with (tmp_path / "points.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("name", "x", "y", "z", "cover", "sigma"))
        writer.writerows([*rows, ("far", 604_000, 1_191_010, 2.0, "open", 0.005)])
    return tmp_path


def accuracy(folder: Path, *options: str) -> int:
    return run(["lidar", "accuracy", str(folder / "tile.laz"), "--checkpoints", str(folder / "points.csv"), *options])


def test_a_person_gets_the_figures_and_what_limits_them(survey: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert accuracy(survey, "--target", "0.05") == 0
    told = capsys.readouterr().out
    for piece in ("NVA", "+0.040", "5-cm class", "met", "not assessable: far: outside of the survey", "find its cause"):
        assert piece in told


def test_json_is_one_document(survey: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert accuracy(survey, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["nva"]["mean"] == pytest.approx(0.04, abs=0.004)
    assert (document["assessed"], document["not_assessable"]) == (39, {"far": "outside of the survey"})
    assert document["vva"] is None


def test_residuals_and_page_are_written(survey: Path) -> None:
    assert accuracy(survey, "--csv", str(survey / "r.csv"), "--html", str(survey / "r.html")) == 0
    with (survey / "r.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 40
    assert float(rows[0]["error"]) == pytest.approx(0.04, abs=0.02)
    page = (survey / "r.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 2
    assert "http://" not in page
    assert "https://" not in page


def test_a_name_cannot_break_out_of_the_page(survey: Path) -> None:
    table = survey / "points.csv"
    table.write_text(table.read_text().replace("far", "<script>alert(1)</script>"))
    assert accuracy(survey, "--html", str(survey / "r.html")) == 0
    assert "<script>" not in (survey / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (("--checkpoints-crs", "EPSG:9210+3855"), 3, "bring one of them"),
        (("--column", "z=nowhere"), 3, "no column 'nowhere'"),
        (("--column", "x=y", "--column", "y=x"), 3, "swapped"),
        (("--column", "depth=z"), 2, "depth=z"),
        (("--reach", "-1"), 3, "reach"),
        (("--target", "0"), 3, "target"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    options: tuple[str, ...], code: int, why: str, survey: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert accuracy(survey, *options, "--html", str(survey / "r.html")) == code
    told = capsys.readouterr()
    assert why in told.err
    assert code == 2 or len(told.err.splitlines()) == 1
    assert not (survey / "r.html").exists()
