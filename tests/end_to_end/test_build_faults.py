"""What goes wrong while a city is built: the build says so, and finished afterwards it is what an undisturbed one is.

After every fault each file that can be seen is whole: byte for byte that of the undisturbed build.
"""

from __future__ import annotations

import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import psutil
import pytest

from lidar.point_cloud import PointCloud
from lidar.read import read_many
from lidar.scene.make import make_scene
from lidar.scene.recipe import read_recipe
from lidar.write import write_laz

from .builds import contents, diaba, finish, prepared

BUILD = ["lidar", "build", "--epoch", "survey", "--tile-size", "200", "--workers", "2"]
COPIES = 5
"""Of a scene of 200 m in a row: the tiles at one end do not read the files at the other."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1 km × 50 m in five files."""
    folder = tmp_path_factory.mktemp("survey")
    make_scene(folder / "scene", read_recipe("alley"), 3, density=1.0)
    scene = read_many(sorted((folder / "scene" / "lidar").glob("*.laz")))
    # Not up to the edge: points on the line between two tiles would make more tiles than files.
    inner = (scene.x > 603_000.1) & (scene.x < 603_199.9) & (scene.y > 1_191_000.1) & (scene.y < 1_191_050.0)
    scene = scene.subset(inner)
    for i in range(COPIES):
        columns = {**scene.columns(), "x": scene.x + 200.0 * i}
        write_laz(PointCloud(**columns, crs=scene.crs), folder / "points" / f"{i}.laz")
    return folder / "points"


@pytest.fixture(scope="module")
def calm(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the undisturbed build."""
    home = tmp_path_factory.mktemp("calm")
    with stopped_after(home):
        prepared(home, survey)
        finish(diaba(home, *BUILD, stdout=subprocess.DEVNULL))
        assert len(files(home)) == 4 * COPIES
        yield home


@pytest.fixture
def home(tmp_path: Path, survey: Path) -> Iterator[Path]:
    """The home of a city that may suffer, with files of its own."""
    with stopped_after(tmp_path):
        shutil.copytree(survey, tmp_path / "points")
        prepared(tmp_path, tmp_path / "points")
        yield tmp_path


@contextmanager
def stopped_after(home: Path) -> Iterator[None]:
    try:
        yield
    finally:
        finish(diaba(home, "db", "stop", stdout=subprocess.DEVNULL))


def products(home: Path) -> Path:
    (city,) = (path.parent for path in home.rglob("products") if path.is_dir())
    return city / "products"


def files(home: Path) -> dict[str, bytes]:
    """The files of the products that can be seen."""
    folder = products(home) / "survey"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def assert_all_whole(home: Path, calm: Path) -> None:
    expected = files(calm)
    for name, content in files(home).items():
        assert content == expected[name], name


def assert_same_city(home: Path, calm: Path) -> None:
    rows, pixels = contents(home)
    expected_rows, expected_pixels = contents(calm)
    assert rows == expected_rows
    assert {row[2] for row in rows["build_tile"]} == {"done"}
    assert files(home) == files(calm)
    assert [path for path in products(home).rglob(".*") if path.is_file()] == []
    for name, values in pixels.items():
        np.testing.assert_array_equal(values, expected_pixels[name], err_msg=name)


def said(process: subprocess.Popen[bytes], until: str) -> list[str]:
    """What a build says up to a line that begins so."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line.decode())
        if lines[-1].startswith(until):
            return lines
    pytest.fail("".join(lines))


def rest(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """How it ends: exit code, and what it said."""
    _, errors = process.communicate(timeout=300)
    return process.returncode, errors.decode()


def disturbed(home: Path, *further: str, **options: object) -> subprocess.Popen[bytes]:
    return diaba(home, *BUILD, *further, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)


def test_a_worker_killed_in_mid_tile_changes_nothing(home: Path, calm: Path) -> None:
    process = disturbed(home)
    said(process, "tile 1 of 5")
    workers = [p for p in psutil.Process(process.pid).children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
    assert len(workers) == 2
    busiest = max(workers, key=lambda p: sum(p.cpu_times()[:2]))
    busiest.send_signal(signal.SIGKILL)
    assert_all_whole(home, calm)
    code, errors = rest(process)
    assert code == 0, errors
    assert_same_city(home, calm)


def test_a_scheduler_killed_and_started_again_is_given_the_rest(home: Path, calm: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    with cluster(home, port) as first:
        process = disturbed(home, "--scheduler", address)
        said(process, "tile 1 of 5")
        first[0].kill()
        first[0].wait()
        assert_all_whole(home, calm)
        with cluster(home, port):
            code, errors = rest(process)
            assert code == 0, errors
            assert_same_city(home, calm)


IMPATIENT = ("-c", "import lidar.scheduler as s, api.cli.main as m; s.RECONNECT_SECONDS = 3; m.main()")
"""Does not wait a minute for a scheduler it has lost."""


def test_a_scheduler_that_never_comes_back_ends_the_build_with_a_reason(home: Path, calm: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    with cluster(home, port) as started:
        process = disturbed(home, "--scheduler", address, program=IMPATIENT)
        said(process, "tile 1 of 5")
        for each in started:
            each.kill()
        code, errors = rest(process)
    assert code == 1, errors
    assert f"diaba: the dask scheduler {address} went away and did not answer for 3 s; start it" in errors
    assert "Traceback" not in errors
    assert_all_whole(home, calm)
    finish(diaba(home, *BUILD, stdout=subprocess.DEVNULL))
    assert_same_city(home, calm)


@contextmanager
def cluster(home: Path, port: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A scheduler and a worker as a user starts them."""
    program = str(Path(sys.executable).with_name("dask"))
    options = ["--local-directory", str(home / "dask"), "--nthreads", "1", "--no-dashboard"]
    quiet: dict[str, IO[bytes] | int] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [
        subprocess.Popen([program, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"], **quiet),
        subprocess.Popen([program, "worker", f"tcp://127.0.0.1:{port}", *options], **quiet),
    ]
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the scheduler does not listen"
                time.sleep(0.2)
        yield started
    finally:
        for process in started:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def test_a_full_disk_stops_the_tiles_that_do_not_fit_and_no_others(home: Path, calm: Path) -> None:
    needed = sum(len(content) for content in files(calm).values())
    folder = products(calm).relative_to(calm)
    (home / folder).mkdir(parents=True, exist_ok=True)
    with small_disk(home / folder, needed // 2) as disk:
        process = disturbed(home, preexec_fn=disk.limit)
        code, errors = rest(process)
        assert code == 1, errors
        failures = [line for line in errors.splitlines() if line.startswith("failed ")]
        assert failures
        assert all(disk.reason in line for line in failures), failures
        done = files(home)
        assert 0 < len(done) < 4 * COPIES
        assert len(done) == 4 * (COPIES - len(failures)), "a tile has all its files or none"
        assert_all_whole(home, calm)
        disk.enlarge(20 * needed)
        finish(diaba(home, *BUILD, stdout=subprocess.DEVNULL))
        assert_same_city(home, calm)


class SmallDisk:
    """A folder on a file system of its own; where none may be mounted, a limit on the size of any one file."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        self.mounted = shutil.which("mount") is not None and subprocess.run(mount, capture_output=True).returncode == 0
        self.reason = "No space left on device" if self.mounted else "File too large"
        self._most = size // COPIES // 2
        if not self.mounted:
            warnings.warn("no file system may be mounted here: RLIMIT_FSIZE is the limit instead", stacklevel=3)

    def limit(self) -> None:
        if not self.mounted:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._most, self._most))

    def enlarge(self, size: int) -> None:
        if self.mounted:
            subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    disk = SmallDisk(folder, size)
    try:
        yield disk
    finally:
        if disk.mounted:
            subprocess.run(["umount", str(disk.folder)], check=True)


def test_files_deleted_under_a_build_are_named_and_made_again(home: Path, calm: Path) -> None:
    lost = home / "points" / "4.laz"
    kept = lost.read_bytes()
    process = disturbed(home, "--workers", "1")
    said(process, "tile 1 of 5")
    first = next(path for path in (products(home) / "survey").rglob("dtm.tif"))
    first.unlink()
    lost.unlink()
    code, errors = rest(process)
    assert code == 1, errors
    failures = [line for line in errors.splitlines() if line.startswith("failed ")]
    assert 1 <= len(failures) <= 4, errors
    assert all("4.laz" in line for line in failures), failures
    assert_all_whole(home, calm)
    lost.write_bytes(kept)
    finish(diaba(home, *BUILD, stdout=subprocess.DEVNULL))
    assert_same_city(home, calm)
    process = diaba(home, *BUILD, "--json", stdout=subprocess.PIPE)
    assert b'"tiles_unchanged": 5' in process.communicate(timeout=300)[0]


def test_a_truncated_file_among_good_ones_costs_its_own_tiles(home: Path, calm: Path) -> None:
    bad = home / "points" / "4.laz"
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    process = disturbed(home)
    code, errors = rest(process)
    assert code == 1, errors
    failures = [line for line in errors.splitlines() if line.startswith("failed ")]
    assert {line.split()[1].split("_")[0] for line in failures} == {
        "x603200",
        "x603400",
        "x603600",
        "x603800",
    }, errors
    assert all("4.laz" in line for line in failures), failures
    assert len(files(home)) == 4
    assert_all_whole(home, calm)
    bad.write_bytes(whole)
    finish(diaba(home, *BUILD, stdout=subprocess.DEVNULL))
    assert_same_city(home, calm)


def test_tiles_in_another_order_and_one_after_the_other_are_the_same_bytes(home: Path, calm: Path) -> None:
    for area in ("603700,1191000,603900,1191100", "603300,1191000,603350,1191100"):
        finish(diaba(home, *BUILD, "--workers", "1", "--area", area, stdout=subprocess.DEVNULL))
    assert len(files(home)) == 4 * 3
    finish(diaba(home, *BUILD, "--workers", "1", stdout=subprocess.DEVNULL))
    assert_same_city(home, calm)


def test_only_tiles_near_a_file_that_changed_are_made_again(home: Path, calm: Path) -> None:
    finish(diaba(home, *BUILD, stdout=subprocess.DEVNULL))
    changed = home / "points" / "4.laz"
    points = read_many([changed])
    write_laz(points.subset(slice(0, len(points) - 1)), changed)
    finish(diaba(home, "lidar", "add", str(changed), "--epoch", "survey", stdout=subprocess.DEVNULL))
    process = diaba(home, *BUILD, "--json", stdout=subprocess.PIPE)
    report = process.communicate(timeout=300)[0]
    assert b'"tiles_done": 4' in report, report
    assert b'"tiles_unchanged": 1' in report, report
    unchanged = {name: content for name, content in files(home).items() if name.startswith("x603000")}
    assert unchanged == {name: content for name, content in files(calm).items() if name.startswith("x603000")}
    assert len(files(home)) == len(files(calm)), "what was made of the old file is gone"
