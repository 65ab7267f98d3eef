"""From LAZ to terrain beside mere decompression: time stage by stage, and peak memory, of tiles of two sizes.

`python benchmarks/chain.py [FILE…] [--rounds 3]` reads each file (or a simulated town of 3 and of 7.6 million points)
and makes DTM and DSM at 0.5 m of it; then classifies it wholly and writes it as LAZ. Ratios are to laspy reading the
same file with lazrs, in as many threads, in the same round; the least of the rounds counts. The surfaces ask for shape,
returns and classes alone (`read shape`), the classified file for all that is in it (`read`). Memory is what the work
holds at its peak above an idle process with everything imported and compiled, in a process of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import laspy
import numba
from _measure import MIB, in_child, measured, report
from _town import survey

from gis.grid import Grid
from lidar.classify import classify
from lidar.ground import classify_ground
from lidar.noise import mark_noise
from lidar.point_cloud import PointCloud
from lidar.read import read
from lidar.reclass import read_to_reclass
from lidar.terrain import dsm, dtm
from lidar.write import write_laz

RESOLUTION = 0.5
SIZES = (3_000_000, 7_600_000)
DENSITY = 8.0
SURFACES = ("read shape", "noise", "ground", "dtm", "dsm")
CLASSIFIED = ("read", *SURFACES[1:], "classify", "write")
CLASSIFIED_FILE = "classified.laz"
STAGES = ("read shape", *CLASSIFIED)


def decompress(path: Path) -> None:
    parallel = numba.get_num_threads() > 1
    laspy.read(path, laz_backend=laspy.LazBackend.LazrsParallel if parallel else laspy.LazBackend.Lazrs)


def chain(path: Path, folder: Path, whole: bool, spent: dict[str, float]) -> None:
    """The work; with the time of each stage."""

    def timed(stage: str, do: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        made = do()
        spent[stage] = time.perf_counter() - began
        return made

    points: PointCloud = timed("read shape", lambda: read(path, attributes=frozenset()))
    if whole:
        del points
        points, original = timed("read", lambda: read_to_reclass(path, folder / CLASSIFIED_FILE, None))
    points = timed("noise", lambda: mark_noise(points))
    points = timed("ground", lambda: classify_ground(points))
    grid = Grid.covering(points.bounds, RESOLUTION)
    surfaces = [timed("dtm", lambda: dtm(points, grid)), timed("dsm", lambda: dsm(points, grid))]
    if whole:
        points = timed("classify", lambda: classify(points))
        if original is None:
            timed("write", lambda: write_laz(points, folder / CLASSIFIED_FILE))
        else:
            timed("write", lambda: original.write(points, folder / CLASSIFIED_FILE))
    del surfaces


def work(task: str, folder: Path, path: Path, rounds: int) -> None:
    """In the child: times of some rounds, or the peak memory of one; after a round on a small piece."""
    small = folder / "small.laz"
    chain(small, folder, True, {})
    if task == "time":
        best: dict[str, float] = {}
        for _ in range(rounds):
            began = time.perf_counter()
            decompress(path)
            spent = {"lazrs": time.perf_counter() - began}
            chain(path, folder, True, spent)
            spent["surfaces"] = sum(spent[stage] for stage in SURFACES)
            spent["classified"] = sum(spent[stage] for stage in CLASSIFIED)
            spent["surfaces / lazrs"] = spent["surfaces"] / spent["lazrs"]
            spent["classified / lazrs"] = spent["classified"] / spent["lazrs"]
            best = {key: min(value, best.get(key, value)) for key, value in spent.items()}
        report(**best)
        return
    if task == "lazrs":
        _, peak, _ = measured(lambda: decompress(path))
    else:
        _, peak, _ = measured(lambda: chain(path, folder, task == "classified", {}))
    report(peak=peak)


def show(path: Path, count: int, folder: Path, rounds: int) -> None:
    """The table of one file."""
    more = ("--path", str(path), "--rounds", str(rounds))
    times = in_child(__file__, "time", folder, *more)
    if "failure" in times:
        print(f"{path.name}: {times['failure']}")
        return
    print(f"{path.name}: {count:,} points, {numba.get_num_threads()} threads; seconds, and ratio to lazrs")
    for stage in ("lazrs", *STAGES):
        print(f"  {stage:12} {times[stage]:8.3f} {times[stage] / times['lazrs']:7.2f}")
    print(f"  LAZ → DTM + DSM                {times['surfaces / lazrs']:5.2f} × lazrs")
    print(f"  … and the classified LAZ       {times['classified / lazrs']:5.2f} × lazrs")
    for task, name in (("lazrs", "lazrs"), ("surfaces", "LAZ → DTM + DSM"), ("classified", "… and classified LAZ")):
        peak = in_child(__file__, task, folder, *more)
        if "failure" in peak:
            print(f"  memory of {name}: {peak['failure']}")
        else:
            print(f"  memory of {name:22} {peak['peak'] / MIB:7.0f} MiB, {peak['peak'] / count:5.0f} bytes/point")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--rounds", type=int, default=3)
    for name in ("--work", "--folder", "--path"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.work, Path(chosen.folder), Path(chosen.path), chosen.rounds)
        return
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_laz(survey(40_000, DENSITY)[0], folder / "small.laz")
        for size in () if chosen.files else SIZES:
            points = survey(size, DENSITY)[0]
            path = folder / f"town_{size / 1e6:g}M.laz"
            write_laz(points, path)
            show(path, len(points), folder, chosen.rounds)
        for path in chosen.files:
            with laspy.open(path) as file:
                count = file.header.point_count
            show(path, count, folder, chosen.rounds)


if __name__ == "__main__":
    main()
