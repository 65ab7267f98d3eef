"""Bad input on the command line: exit 3, one clear line, bounded memory, nothing left behind."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gis.crs import normalise
from lidar.point_cloud import PointCloud
from lidar.write import write_laz

MEMORY_LIMIT_KB = 4 * 1024 * 1024
"""Address space a command may take on a bad file of some kilobytes; the libraries alone map about 2 GB."""

# Offsets in the LAS 1.4 header (ASPRS LAS 1.4 R15, table 3).
LEGACY_COUNT, SCALE_X, MAX_X, COUNT = 107, 131, 179, 247


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 40, (2, 20_000))
    cloud = PointCloud.from_xyz(603_000 + x, 1_191_000 + y, 2 + 0.01 * x, normalise("EPSG:9210+5727"))
    path = tmp_path_factory.mktemp("good") / "good.laz"
    write_laz(cloud, path)
    return path


def truncated(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(len(data) * share)]


def overwritten(offset: int, form: str, value: float) -> Callable[[bytes], bytes]:
    return lambda data: data[:offset] + struct.pack(form, value) + data[offset + struct.calcsize(form) :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated at 10 %": truncated(0.10),
    "truncated at 50 %": truncated(0.50),
    "truncated at 99 %": truncated(0.99),
    "empty": lambda _: b"",
    "text renamed": lambda _: b"x,y,z\n1,2,3\n" * 100,
    "NaN bounds": overwritten(MAX_X, "<d", float("nan")),
    "zero scale": overwritten(SCALE_X, "<d", 0.0),
    "2^31 points": overwritten(COUNT, "<Q", 2**31),
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "inspect": ("lidar", "inspect", "IN"),
    "classify": ("lidar", "classify", "IN", "OUT/out.laz"),
    "terrain": ("lidar", "terrain", "IN", "OUT/out.tif"),
    "buildings": ("lidar", "buildings", "IN", "OUT/out.city.jsonl"),
}


def run(command: tuple[str, ...], source: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    out.mkdir(exist_ok=True)
    arguments = [
        part.replace("OUT", str(out)).replace("IN", str(source)) if part != "inspect" else part for part in command
    ]
    line = f'ulimit -v {MEMORY_LIMIT_KB}; exec "$0" "$@"'
    # One thread each: every thread of a pool reserves address space of its own.
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    return subprocess.run(
        ["bash", "-c", line, sys.executable, "-m", "api.cli.main", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def assert_refused(done: "subprocess.CompletedProcess[str]", out: Path, *words: str) -> None:
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 3, done.stderr
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert all(word in lines[0] for word in words), lines[0]
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_in_one_line(damage: str, good: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.laz"
    bad.write_bytes(DAMAGE[damage](good.read_bytes()))
    out = tmp_path / "out"
    assert_refused(run(COMMANDS["classify"], bad, out), out, "bad.laz")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_a_truncated_file(name: str, good: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.laz"
    bad.write_bytes(truncated(0.5)(good.read_bytes()))
    out = tmp_path / "out"
    assert_refused(run(COMMANDS[name], bad, out), out, "bad.laz")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert_refused(run(COMMANDS[name], tmp_path / "nowhere.laz", out), out, "nowhere.laz")


def test_good_input_fits_into_the_same_memory(good: Path, tmp_path: Path) -> None:
    done = run(COMMANDS["classify"], good, tmp_path / "out")
    assert done.returncode == 0, done.stderr
