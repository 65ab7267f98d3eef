"""The main job, through the command line, on the small recipe and on files nobody here made."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
KEYS = {
    "points",
    "points_per_s",
    "area_m2",
    "ground.total_error",
    "dtm.rmse_open_m",
    "dtm.rmse_all_m",
    "buildings.count",
    "buildings.height_rmse_m",
    "parcels.count",
    "permits.count",
    "differences.planted",
    "differences.found",
    "differences.false",
    "seconds",
}


def run(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DIABA_HOME": str(home)}
    for name in ("DIABA_DATABASE_URL", "DIABA_CITY"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "api.cli.main", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo")
    yield folder
    run(folder, "db", "stop")


def demo(home: Path, *arguments: str) -> dict[str, Any]:
    done = run(home, "demo", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def value(summary: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        summary = summary[part]
    return summary


@pytest.fixture(scope="module")
def alley(home: Path) -> dict[str, Any]:
    return demo(home, "--recipe", "alley", "--seed", "11")


def test_the_summary_has_every_promised_key(alley: dict[str, Any]) -> None:
    assert all(value(alley, key) is not None for key in KEYS)


def test_the_simulated_district_is_measured_within_the_goals(alley: dict[str, Any]) -> None:
    assert value(alley, "ground.total_error") <= 0.05
    assert value(alley, "dtm.rmse_open_m") <= 0.15
    assert value(alley, "buildings.height_rmse_m") <= 0.30


def test_planted_buildings_without_a_permit_are_found(alley: dict[str, Any]) -> None:
    counts = alley["differences"]["by_kind"]["no_permit"]
    assert counts["planted"] >= 3
    assert counts["found"] >= 0.9 * counts["planted"]


def test_a_map_is_drawn(alley: dict[str, Any]) -> None:
    assert Path(alley["map"]).read_bytes().startswith(b"\x89PNG")


def test_the_demo_can_be_repeated_and_says_the_same(home: Path, alley: dict[str, Any]) -> None:
    again = demo(home, "--recipe", "alley", "--seed", "11")
    changing = {"seconds", "points_per_s"}
    assert {k: v for k, v in again.items() if k not in changing} == {
        k: v for k, v in alley.items() if k not in changing
    }


def test_the_demos_city_is_what_later_commands_use(home: Path, alley: dict[str, Any]) -> None:
    done = run(home, "compliance", "run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["flagged"] == len(json.loads(done.stdout)["differences"])


@pytest.mark.parametrize("notebook", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_planners_notebook_runs_from_a_clean_kernel(notebook: Path, home: Path, alley: dict[str, Any]) -> None:
    content = nbformat.read(notebook, as_version=4)
    assert all(not cell.get("outputs") for cell in content.cells), "committed with outputs"
    environment = {**os.environ, "DIABA_HOME": str(home), "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    NotebookClient(content, timeout=300, kernel_name="python3").execute(env=environment)
    pictures = [o for cell in content.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) >= 3


REAL = {
    "delft_north/ahn3_1.laz": "EPSG:7415",
    "amsterdam_a/ahn_2386_9702.laz": "EPSG:7415",
    "ign_footprints/870000_6618000.subset.postValidation.laz": None,
    "lidr/Topography.laz": None,
    "pdal/autzen_trim.laz": None,
    "isprs/samp11.laz": None,
}
"""File → the CRS to give for it, None where it says its own."""


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "crs"), REAL.items())
def test_a_real_file_runs_to_the_end(name: str, crs: str | None, home: Path, shared_data: Path) -> None:
    given = ("--crs", crs) if crs else ()
    summary = demo(home, "--lidar", str(shared_data / name), *given)
    assert summary["points"] > 1000
    assert summary["area_m2"] > 0


@pytest.mark.shared_data
def test_a_file_without_a_crs_is_asked_about(home: Path, shared_data: Path) -> None:
    done = run(home, "demo", "--lidar", str(shared_data / "delft_north/ahn3_1.laz"))
    assert done.returncode == 3
    assert "--crs" in done.stderr
    assert "28992" in done.stderr or "7415" in done.stderr
    assert done.stdout == ""
