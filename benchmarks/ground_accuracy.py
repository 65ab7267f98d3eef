"""Ground classification against hand-made labels: total error, type I, type II and kappa, ours beside PDAL's filters.

One parameter set for all files; nothing is chosen after the result. The files are the ISPRS WG III/3 samples
(Sithole & Vosselman 2004) found under DIABA_SHARED_DATA or ../shared/data, or those given on the command line.

    .venv/bin/python benchmarks/ground_accuracy.py [FILE…] [--engines native,smrf,pmf]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from gis.errors import DiabaError, MissingProgram
from lidar.accuracy import GroundErrors, ground_errors
from lidar.ground import classify_ground
from lidar.noise import mark_noise
from lidar.pdal import classify_with_pdal
from lidar.point_cloud import Class, PointCloud
from lidar.read import read
from lidar.write import write_laz

SHARED = Path(os.environ.get("DIABA_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ENGINES = ("native", "smrf", "pmf")


def native(points: PointCloud) -> PointCloud:
    return classify_ground(mark_noise(points))


def pdal(points: PointCloud, method: str) -> PointCloud:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.laz", Path(folder) / "out.laz"
        write_laz(points, source)
        classify_with_pdal(source, target, method)
        return read(target)


def errors(points: PointCloud, engine: str) -> GroundErrors:
    unlabelled = points.with_classification(np.zeros(len(points), dtype=np.uint8))
    made = native(unlabelled) if engine == "native" else pdal(unlabelled, engine)
    if len(made) != len(points):
        raise SystemExit(f"{engine} returned {len(made)} of {len(points)} points")
    order, back = (np.lexsort((cloud.z, cloud.y, cloud.x)) for cloud in (points, made))
    truth = points.classification[order] == Class.GROUND
    return ground_errors(made.classification[back] == Class.GROUND, truth)


def main(arguments: list[str]) -> None:
    engines = ENGINES
    if "--engines" in arguments:
        at = arguments.index("--engines")
        engines = tuple(arguments[at + 1].split(","))
        del arguments[at : at + 2]
    files = [Path(name) for name in arguments] or sorted((SHARED / "isprs").glob("*.laz"))
    if not files:
        raise SystemExit(f"no samples in {SHARED / 'isprs'}: set DIABA_SHARED_DATA or give files")
    print(f"{'file':12} {'points':>8} " + " ".join(f"{engine:>27}" for engine in engines))
    print(f"{'':12} {'':>8} " + " ".join(f"{'total   I      II    kappa':>27}" for _ in engines))
    results: dict[str, list[GroundErrors]] = {engine: [] for engine in engines}
    for path in files:
        points = read(path)
        cells = []
        for engine in engines:
            try:
                result = errors(points, engine)
            except MissingProgram as error:
                raise SystemExit(str(error)) from error
            except DiabaError as error:
                cells.append(f"{'failed':>27}")
                print(f"{path.name} {engine}: {error}", file=sys.stderr)
                continue
            results[engine].append(result)
            numbers = (result.total, result.type_i, result.type_ii, result.kappa)
            cells.append(" ".join(f"{100 * number:6.2f}" for number in numbers))
        print(f"{path.stem:12} {len(points):8d} " + " ".join(cells), flush=True)
    means = []
    for engine in engines:
        rows = [(r.total, r.type_i, r.type_ii, r.kappa) for r in results[engine]]
        means.append(" ".join(f"{100 * m:6.2f}" for m in np.mean(rows, axis=0)) if rows else f"{'–':>27}")
    print(f"{'mean':12} {'':>8} " + " ".join(means))


if __name__ == "__main__":
    main(sys.argv[1:])
