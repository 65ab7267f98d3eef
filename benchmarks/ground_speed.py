"""The ground filter beside its peers on the same points: points/s, peak memory, error.

`python benchmarks/ground_speed.py [FILE] [--points 3000000] [--density 8]` simulates a town with
roofs, trees, cars, low and high noise (`_town`), every return knowing what it hit. Each engine works in a process of
its own with its defaults (pysmrf with windows of 18 cells, as its paper and PDAL have them, instead of 5), on points
held in memory; PDAL reads a LAS file, and what reading and writing alone take is taken off. Peers: PDAL's smrf, pmf
and csf, plain and after its elm and outlier filters; `pip install cloth-simulation-filter` (CSF) and `pip install
pysmrf`. One that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from _measure import MIB, in_child, measured, report
from _town import survey

from gis.errors import DiabaError
from gis.resources import resource
from lidar.accuracy import ground_errors
from lidar.ground import classify_ground
from lidar.noise import mark_noise
from lidar.pdal import find_pdal, load_pipeline, run_pipeline
from lidar.point_cloud import Class, PointCloud
from lidar.read import read
from lidar.write import write_laz

POINTS, CLASSIFIED, MADE = "points.las", "classified.las", "ground.npy"
PDAL = tuple(f"PDAL {method}{after}" for after in ("", " after noise") for method in ("smrf", "pmf", "csf"))
MODULES = {"cloth-simulation-filter": "CSF", "pysmrf": "pysmrf"}


def diaba(points: PointCloud) -> np.ndarray:
    return classify_ground(mark_noise(points)).classification == Class.GROUND


def filter_alone(points: PointCloud) -> np.ndarray:
    return classify_ground(points).classification == Class.GROUND


def cloth(points: PointCloud) -> np.ndarray:
    csf = import_module("CSF")
    filter_ = csf.CSF()
    filter_.setPointCloud(np.c_[points.x - points.x.min(), points.y - points.y.min(), points.z])
    on_ground, off_ground = csf.VecInt(), csf.VecInt()
    filter_.do_filtering(on_ground, off_ground, False)
    mask = np.zeros(len(points), dtype=bool)
    mask[np.array(on_ground)] = True
    return mask


def pysmrf(points: PointCloud) -> np.ndarray:
    # its default window is 5 cells; that of the paper, and of PDAL, is 18
    found = import_module("pysmrf").classify(points.x, points.y, points.z, windows=18, workers=-1)
    return np.asarray(found.is_ground, dtype=bool)


IN_MEMORY: dict[str, Callable[[PointCloud], np.ndarray]] = {
    "diaba": diaba,
    "diaba, filter alone": filter_alone,
    "cloth-simulation-filter": cloth,
    "pysmrf": pysmrf,
}
ENGINES = ("diaba", "diaba, filter alone", *PDAL, "cloth-simulation-filter", "pysmrf")


def missing(engine: str) -> str | None:
    """Why an engine cannot take part."""
    if engine in MODULES and find_spec(MODULES[engine]) is None:
        return f"{engine} is not installed"
    if engine in PDAL:
        try:
            find_pdal()
        except DiabaError as error:
            return str(error)
    return None


def with_pdal(engine: str, folder: Path, points: PointCloud) -> tuple[float, int, np.ndarray]:
    """Seconds of the filters alone, peak memory of the process, and the ground in the order of the points."""
    _, method, *after = engine.split()
    name = f"ground_{method}{'_after_noise' if after else ''}.json"
    document = load_pipeline(resource("pipelines", name))
    files = {"in": folder / POINTS, "out": folder / CLASSIFIED}
    stages = document["pipeline"]
    stages[-1]["compression"] = "false"
    alone = {"pipeline": [stages[0], stages[-1]]}
    idle = min(measured(lambda: run_pipeline(alone, files))[0] for _ in range(2))
    seconds, peak, _ = measured(lambda: run_pipeline(document, files))
    made = read(files["out"])
    ground = np.empty(len(points), dtype=bool)
    places, returned = (np.lexsort((c.return_number, c.z, c.y, c.x)) for c in (points, made))
    ground[places] = made.classification[returned] == Class.GROUND
    return max(seconds - idle, 1e-3), peak, ground


def work(engine: str, folder: Path) -> None:
    """In the child: find the ground, keep it, report what it took."""
    points = read(folder / POINTS)
    points = points.with_classification(np.zeros(len(points), dtype=np.uint8))
    if engine in PDAL:
        seconds, peak, ground = with_pdal(engine, folder, points)
    else:
        if engine.startswith("diaba"):
            diaba(points.subset(slice(0, 20_000)))  # numba compiles once
        seconds, peak, ground = measured(lambda: IN_MEMORY[engine](points))
    np.save(folder / MADE, ground)
    report(seconds=seconds, peak=peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="points whose class 2 is true, instead of the simulated town")
    parser.add_argument("--points", type=int, default=3_000_000)
    parser.add_argument("--density", type=float, default=8.0, help="pulses per m²")
    parser.add_argument("--engines", default=";".join(ENGINES), help="those to run, by name, with ; between them")
    for name in ("--work", "--folder"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.work, Path(chosen.folder))
        return
    points = read(chosen.file) if chosen.file else survey(chosen.points, chosen.density)[0]
    truth = points.classification == Class.GROUND
    print(f"{len(points):,} points, {100 * truth.mean():.1f} % on the ground; ratios to diaba")
    print(
        f"{'':24} {'time s':>8} {'ratio':>7} {'Mpoint/s':>9} {'MiB':>7} {'B/point':>8} {'total %':>8} {'I %':>7} "
        f"{'II %':>7} {'kappa %':>8}"
    )
    ours: float | None = None
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_laz(points, folder / POINTS)
        for engine in chosen.engines.split(";"):
            why = missing(engine)
            found = {"failure": why} if why else in_child(__file__, engine, folder)
            if "failure" in found:
                print(f"{engine:24} left out: {found['failure']}", flush=True)
                continue
            ours = ours or found["seconds"]
            e = ground_errors(np.load(folder / MADE), truth)
            print(
                f"{engine:24} {found['seconds']:8.2f} {found['seconds'] / ours:7.2f} "
                f"{len(points) / found['seconds'] / 1e6:9.2f} {found['peak'] / MIB:7.0f} "
                f"{found['peak'] / len(points):8.0f} {100 * e.total:8.2f} {100 * e.type_i:7.2f} "
                f"{100 * e.type_ii:7.2f} {100 * e.kappa:8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
