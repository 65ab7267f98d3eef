"""`diaba lidar build` killed at random moments: started again to the end, it made what an undisturbed run makes."""

import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from .builds import contents, diaba, finish, prepared

KILLS = 10
SEED = 20260101
BUILD = ["lidar", "build", "--epoch", "survey", "--tile-size", "100", "--workers", "2"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scene") / "alley"
    finish(diaba(folder.parent, "scene", "make", str(folder), "--recipe", "alley", "--seed", "3", "--density", "2"))
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_build_killed_ten_times_ends_like_an_undisturbed_one(scene: Path, tmp_path: Path) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for home in (calm, killed):
        prepared(home, scene / "lidar")
    try:
        started = time.monotonic()
        finish(diaba(calm, *BUILD, stdout=subprocess.DEVNULL))
        whole = time.monotonic() - started
        moments = random.Random(SEED)  # noqa: S311  moments, not secrets
        for _ in range(KILLS):
            process = diaba(killed, *BUILD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0.05, 0.9) * whole)
            process.send_signal(signal.SIGKILL)
            process.wait()
        finish(diaba(killed, *BUILD, stdout=subprocess.DEVNULL))
        expected_rows, expected_pixels = contents(calm)
        rows, pixels = contents(killed)
        assert rows == expected_rows
        assert rows["build_tile"], "nothing was built"
        assert {row[2] for row in rows["build_tile"]} == {"done"}
        assert pixels.keys() == expected_pixels.keys()
        for name, values in pixels.items():
            np.testing.assert_array_equal(values, expected_pixels[name], err_msg=name)
        leftovers = [path for path in killed.rglob("*.part*") if path.is_file()]
        assert leftovers == []
    finally:
        for home in (calm, killed):
            finish(diaba(home, "db", "stop", stdout=subprocess.DEVNULL))
