from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from gis.errors import BadGeometry, BadParameter
from lidar.scheduler import TileFailed, run


def squared(tile: int) -> int:
    return tile * tile


def eventful(tile: str, folder: Path) -> tuple[str, str | None]:
    """One tile whose worker is killed the first time, one refused, one with a bug."""
    mark = folder / f"{tile}.killed"
    if tile == "killed" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if tile == "refused":
        raise BadGeometry("house 7", "its outline is empty")
    if tile == "bug":
        raise KeyError("no such thing")
    return tile, os.environ.get("NUMBA_NUM_THREADS")


def children() -> set[int]:
    found = set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended while we looked
            if "resource_tracker" not in " ".join(process.cmdline()):
                found.add(process.pid)
    return found


def test_a_worker_killed_in_mid_tile_costs_nothing_but_time(tmp_path: Path) -> None:
    before = children()
    tiles = ["a", "killed", "refused", "bug", "b", "c"]
    results = dict(run(tiles, partial(eventful, folder=tmp_path), workers=2))
    assert (tmp_path / "killed.killed").exists()
    assert {t: results[t] for t in ("a", "killed", "b", "c")} == {
        t: (t, str(max((os.cpu_count() or 1) // 2, 1))) for t in ("a", "killed", "b", "c")
    }
    assert isinstance(results["refused"], BadGeometry)
    assert results["refused"].record == "house 7"
    assert isinstance(results["bug"], TileFailed)
    assert "KeyError" in str(results["bug"])
    time.sleep(0.2)
    assert children() <= before


PROGRAM = """
import os

import numba

from lidar.morphology import compiled
from lidar.scheduler import run


@numba.njit
def doubled(number):
    return 2 * number


def work(tile):
    before = numba.get_num_threads()
    return before, doubled(tile), numba.get_num_threads()


if __name__ == "__main__":
    print(sorted(run([3, 4], work, workers=os.cpu_count())))
"""


def test_a_program_that_imports_numba_first_has_workers_of_as_many_threads_as_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, tmp_path / "program.py"], capture_output=True, text=True, timeout=240)
    assert done.stdout.strip() == "[(3, (1, 6, 1)), (4, (1, 8, 1))]", done.stderr


def test_tiles_are_taken_as_results_are_taken_and_closing_ends_all() -> None:
    before = children()
    taken = []

    def tiles() -> object:
        for tile in range(1_000_000):
            taken.append(tile)
            yield tile

    stream = run(tiles(), squared, workers=1)  # type: ignore[arg-type]
    for _ in range(10):
        tile, result = next(stream)
        assert result == tile * tile
    assert len(taken) < 20
    stream.close()  # type: ignore[attr-defined]
    time.sleep(0.2)
    assert children() <= before


def test_in_this_process_the_same_comes_out(tmp_path: Path) -> None:
    (tmp_path / "killed.killed").touch()
    results = dict(run(["a", "refused", "bug", "killed"], partial(eventful, folder=tmp_path), scheduler="synchronous"))
    assert isinstance(results["refused"], BadGeometry)
    assert isinstance(results["bug"], TileFailed)
    assert results["killed"][0] == "killed"  # type: ignore[index]


def test_nobody_at_the_address_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lidar.scheduler.CONNECT_SECONDS", 1)
    with pytest.raises(BadParameter, match="no dask scheduler answers"):
        list(run([1], squared, scheduler="tcp://127.0.0.1:9"))


def test_no_worker_is_no_way_to_work() -> None:
    with pytest.raises(BadParameter):
        list(run([1], squared, workers=0))
