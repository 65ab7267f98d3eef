"""The main job, through the command line, on the small recipe and on files nobody here made."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import geopandas
import laspy
import numpy as np
import pyogrio
import pytest
from nbformat.notebooknode import NotebookNode
from shapely import box, contains_xy, from_wkt, union_all

from gis.raster import read_raster
from gis.settings import Settings
from gis.store.database import Database
from tests.api.conftest import CityStore
from tests.api.programs import serving
from tests.end_to_end import notebooks

Ran: TypeAlias = tuple[NotebookNode, dict[str, Any]]
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


@pytest.fixture(scope="module")
def compared(home: Path, alley: dict[str, Any]) -> dict[str, Any]:
    """What a comparison of the demo's city says, after the demo's own."""
    done = run(home, "compliance", "run", "--json")
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_the_demos_city_is_what_later_commands_use(alley: dict[str, Any], compared: dict[str, Any]) -> None:
    assert compared["flagged"] == len(compared["differences"])
    # The demo's score is of the kinds that were planted; what follows from them is flagged as well.
    scored = alley["differences"]["by_kind"]
    assert sum(one["kind"] in scored for one in compared["differences"]) >= alley["differences"]["found"] > 0


@pytest.fixture(scope="module")
def ran(home: Path, alley: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ran]:
    """The notebook of a number, run once beside the demo's store: its cells, and what the probe found."""
    folder = tmp_path_factory.mktemp("notebooks")

    @cache
    def run_it(number: str) -> Ran:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DIABA_HOME", str(home))
            patch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
            for name in ("DIABA_DATABASE_URL", "DIABA_CITY"):
                patch.delenv(name, raising=False)
            return notebooks.run(numbered(number), folder)

    return run_it


def numbered(number: str) -> Path:
    return next(path for path in notebooks.NOTEBOOKS if path.name.startswith(f"{number}_"))


def scene(home: Path, name: str) -> Path:
    return home / "cities" / "demo" / "scene" / name


@pytest.mark.parametrize("number", sorted(notebooks.PROBES))
def test_a_notebook_runs_from_a_clean_kernel_and_shows_pictures(number: str, ran: Callable[[str], Ran]) -> None:
    content, _ = ran(number)
    assert len(notebooks.pictures(content)) >= 3
    assert notebooks.warned(content) == ""


def test_every_notebook_is_run() -> None:
    assert [path.name[0] for path in notebooks.NOTEBOOKS] == sorted(notebooks.PROBES)


def test_the_ward_at_a_glance_counts_all_there_is(
    home: Path, alley: dict[str, Any], compared: dict[str, Any], ran: Callable[[str], Ran]
) -> None:
    found = ran("1")[1]
    path = scene(home, "registers.gpkg")
    registered = {layer: pyogrio.read_info(path, layer=layer)["features"] for layer in ("parcels", "permits")}
    assert found == {"buildings": alley["buildings"]["count"], **registered, "flagged": compared["flagged"]}


def test_lots_are_as_deep_below_the_level_as_in_truth(home: Path, ran: Callable[[str], Ran]) -> None:
    found = ran("2")[1]
    lots = geopandas.read_file(scene(home, "registers.gpkg"), layer="parcels").set_index("uid").geometry
    true = read_raster(scene(home, "truth/dtm.tif"))
    x, y = (axis.ravel() for axis in np.meshgrid(*true.grid.centres()))
    middle = {uid: float(np.nanmedian(true.values.ravel()[contains_xy(lot, x, y)])) for uid, lot in lots.items()}
    off = np.array([found["ground"][uid] - middle[uid] for uid in middle])
    # Most of a lot is under its house, where the ground is taken from the street, lower by a step or two.
    assert np.nanmedian(np.abs(off)) < 0.15
    assert np.nanmax(np.abs(off)) < 0.5
    assert found["below"] == pytest.approx(
        {uid: found["level"] - height for uid, height in found["ground"].items() if height < found["level"]}
    )
    below = sum(height < found["level"] for height in middle.values())
    assert abs(len(found["below"]) - below) <= found["unsure"] + 1
    lowest = {uid: float(np.nanmin(true.values.ravel()[contains_xy(lots[uid], x, y)])) for uid in found["here"]}
    # The one low lot of this alley is a pit, behind ground that keeps still water out.
    assert set(found["reached"]) <= set(found["here"])
    assert all(lowest[uid] < found["level"] + 0.5 for uid in found["reached"])


def test_roofs_cover_what_buildings_cover(home: Path, ran: Callable[[str], Ran]) -> None:
    found = ran("3")[1]
    assert found["flat"] > found["tilted"] > 0
    true = geopandas.read_file(scene(home, "truth/buildings.gpkg"))
    covered = float(true.geometry.area.sum())
    # Tilted roofs have more area than the ground they cover, and not all buildings have a model.
    assert 0.85 * covered < found["flat"] + found["tilted"] < 1.2 * covered


def test_clocks_are_counted_as_numpy_counts_them(ran: Callable[[str], Ran]) -> None:
    found = ran("4")[1]
    # Days off of 2026 after July but weekends: National Day with the day shifted for it, and Culture Day.
    off = ["2026-08-31", "2026-09-01", "2026-09-02", "2026-11-24"]
    for filed, wait in found["waits"].items():
        if filed < "2026-07-01":
            assert wait == 15
        elif not "2026-08-12" <= filed <= "2026-08-21":
            # 22 August, a Saturday, was worked: numpy does not know of it.
            due = np.busday_offset(filed, 7, roll="backward", holidays=off)
            assert wait == (due - np.datetime64(filed)).astype(int), filed
    assert found["paused"] == "2026-09-14"
    assert [one["receipt"] for one in found["stand"]] == [f"DEMO-2026-{number:06d}" for number in range(1, 9)]
    assert {one["status"] for one in found["stand"]} >= {"issued", "granted", "refused", "withdrawn", "filed"}
    assert [one["clock"] for one in found["stand"] if one["status"] == "supplement_requested"] == ["stopped"]


def test_the_case_is_one_that_was_planted_and_its_points_show_it(home: Path, ran: Callable[[str], Ran]) -> None:
    found = ran("5")[1]
    planted = json.loads(scene(home, "truth/differences.json").read_text(encoding="utf-8"))["differences"]
    assert found["uid"] in {one["building_uid"] for one in planted if one["kind"] == "storeys"}
    along, z = np.array(found["along"]), np.array(found["z"])
    roof = z[(along > found["wall"][0] + 1) & (along < found["wall"][1] - 1) & (z > found["ground"] + 2)]
    assert len(roof) > 20
    assert np.median(roof) - found["ground"] == pytest.approx(found["measured"], abs=1.0)
    assert np.median(roof) - found["ground"] > found["limit"] + 1.6
    permits = geopandas.read_file(scene(home, "registers.gpkg"), layer="permits").set_index("permit_no")
    assert permits.loc[found["permit"], "height_m"] == found["limit"]


def test_buildings_from_points_alone_are_the_true_ones(home: Path, ran: Callable[[str], Ran]) -> None:
    found = ran("6")[1]
    true = geopandas.read_file(scene(home, "truth/buildings.gpkg"))
    inner = box(*found["box"]).buffer(-12)
    standing = union_all(true.geometry[true.intersects(inner)]).intersection(inner)
    derived = union_all([from_wkt(text) for text in found["outlines"]]).intersection(inner)
    assert derived.intersection(standing).area / derived.union(standing).area > 0.8


def test_a_notebook_says_the_same_through_a_service(home: Path, ran: Callable[[str], Ran], tmp_path: Path) -> None:
    # The one that asks most of the client: layers, models, points by ranges, cases, statistics, and a refusal.
    here, settings = ran("5")[1], Settings(home, None, None)
    city = settings.city("demo")
    store = CityStore(settings, city, Database.of(city, settings, start=True))
    with serving(store) as service, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIABA_CITY", service.url)
        patch.setenv("DIABA_HOME", str(tmp_path))
        patch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        _, found = notebooks.run(numbered("5"), tmp_path)
    # Which points are in a strip hangs on its millimetres.
    known = {name: value for name, value in here.items() if name not in ("along", "z")}
    assert {name: found[name] for name in known} == notebooks.nearly(known)
    assert len(found["along"]) == pytest.approx(len(here["along"]), rel=0.02)


REAL = {
    ("delft_north/ahn3_1.laz", "amsterdam_a/ahn_2386_9702.laz"): "EPSG:7415",
    ("ign_footprints/870000_6618000.subset.postValidation.laz",): None,
    ("lidr/Topography.laz",): None,
    ("pdal/autzen_trim.laz",): None,
    ("isprs/samp11.laz",): None,
}
"""Files of one city → the CRS to give for them, None where they say their own."""


@pytest.fixture(scope="module")
def once(home: Path, shared_data: Path) -> Callable[[tuple[str, ...]], dict[str, Any]]:
    """The summary of the demo on some of the real files, run once."""
    return cache(lambda names: real(home, shared_data, names))


def real(home: Path, folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    given = () if (crs := REAL[names]) is None else ("--crs", crs)
    return demo(home, "--lidar", *(str(folder / name) for name in names), *given)


@pytest.mark.shared_data
@pytest.mark.parametrize("names", REAL, ids=lambda names: names[0])
def test_real_files_run_to_the_end(
    names: tuple[str, ...], once: Callable[[tuple[str, ...]], dict[str, Any]], shared_data: Path
) -> None:
    summary = once(names)
    told = [laspy.open(shared_data / name).header for name in names]
    assert summary["points"] == sum(header.point_count for header in told)
    assert min(header.point_count for header in told) > 1000
    assert summary["area_m2"] > 0
    # Nothing is left of the district that was there before.
    assert summary["parcels"]["count"] == summary["permits"]["count"] == 0


@pytest.mark.shared_data
def test_the_demo_can_be_repeated_and_says_the_same(
    home: Path, once: Callable[[tuple[str, ...]], dict[str, Any]], shared_data: Path
) -> None:
    # The scene's bytes are the same for the same seed: tests/lidar/test_scene.py.
    names = ("isprs/samp11.laz",)
    first, again = once(names), real(home, shared_data, names)
    changing = {"seconds", "points_per_s"}
    assert {k: v for k, v in again.items() if k not in changing} == {
        k: v for k, v in first.items() if k not in changing
    }


@pytest.mark.shared_data
def test_a_file_without_a_crs_is_asked_about(home: Path, shared_data: Path) -> None:
    done = run(home, "demo", "--lidar", str(shared_data / "delft_north/ahn3_1.laz"))
    assert done.returncode == 3
    assert "--crs" in done.stderr
    assert "28992" in done.stderr or "7415" in done.stderr
    assert done.stdout == ""
