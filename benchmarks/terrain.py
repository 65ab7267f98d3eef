"""The ground model beside its peers on the same points: time, peak memory, error, empty cells.

`python benchmarks/terrain.py [--points 3000000] [--density 8]` simulates a town whose ground is known: gentle relief,
kerbs, banks, walls, and holes of 5–60 m under buildings, measured with 3 cm of noise. Each engine works in a process
of its own, on points held in memory (PDAL: in a LAS file). Peers: startinpy (TIN, Laplace), SciPy's linear
interpolation, and PDAL's writers.gdal; one that is not installed is named and left out (`pip install startinpy`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from _measure import MIB, in_child, measured, report
from _town import CITY, EAST, NORTH, ground, ground_points, under_building

from gis.bounds import BoundingBox
from gis.errors import DiabaError
from gis.grid import Grid
from gis.raster import Raster, read_raster
from lidar.pdal import find_pdal
from lidar.pdal_program import run_program
from lidar.point_cloud import PointCloud
from lidar.read import read
from lidar.surface_accuracy import surface_rmse
from lidar.terrain import dtm
from lidar.write import write_laz

RESOLUTION = 0.5
POINTS, MADE = "points.las", "made.npy"
Engine = Callable[[PointCloud, Grid, Path], Raster]


def diaba(points: PointCloud, grid: Grid, folder: Path) -> Raster:
    return dtm(points, grid)


def startin(method: str) -> Engine:
    def make(points: PointCloud, grid: Grid, folder: Path) -> Raster:
        triangulation = import_module("startinpy").DT()
        corner = np.array([grid.west, grid.south, 0.0])
        triangulation.insert(np.c_[points.x, points.y, points.z] - corner, insertionstrategy="AsIs")
        x, y = np.meshgrid(*grid.centres())
        places = np.c_[x.ravel() - grid.west, y.ravel() - grid.south]
        heights = triangulation.interpolate({"method": method}, places, strict=False)
        return Raster(np.asarray(heights, dtype=np.float32).reshape(grid.shape), grid)

    return make


def scipy_linear(points: PointCloud, grid: Grid, folder: Path) -> Raster:
    interpolator = import_module("scipy.interpolate").LinearNDInterpolator
    x, y = np.meshgrid(*grid.centres())
    interpolant = interpolator(np.c_[points.x - grid.west, points.y - grid.south], points.z)
    return Raster(interpolant(x - grid.west, y - grid.south).astype(np.float32), grid)


def pdal_idw(points: PointCloud, grid: Grid, folder: Path) -> Raster:
    target, document = folder / "dtm.tif", folder / "pipeline.json"
    writer = {
        "type": "writers.gdal",
        "filename": str(target),
        "resolution": grid.resolution,
        "origin_x": grid.west,
        "origin_y": grid.south,
        "width": grid.columns,
        "height": grid.rows,
        "output_type": "idw",
        "window_size": 8,
        "nodata": -9999,
    }
    document.write_text(json.dumps([str(folder / POINTS), writer]))
    done = run_program(find_pdal(), ["pipeline", str(document)], 3600.0)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return Raster(read_raster(target).values, grid)


ENGINES: dict[str, Engine] = {
    "diaba": diaba,
    "startinpy TIN": startin("TIN"),
    "startinpy Laplace": startin("Laplace"),
    "PDAL idw": pdal_idw,
    "SciPy linear": scipy_linear,
}


def missing(engine: str) -> str | None:
    """Why an engine cannot take part."""
    if engine.startswith("startinpy") and find_spec("startinpy") is None:
        return "startinpy is not installed"
    if engine.startswith("PDAL"):
        try:
            find_pdal()
        except DiabaError as error:
            return str(error)
    return None


def grid_of(size: float) -> Grid:
    return Grid.covering(BoundingBox(EAST, NORTH, EAST + size, NORTH + size, CITY), RESOLUTION)


def work(engine: str, folder: Path, size: float) -> None:
    """In the child: make the raster, keep it, report what it took."""
    points, grid = read(folder / POINTS), grid_of(size)
    dtm(points.subset(slice(0, 5000)), grid_of(20))  # numba compiles once
    seconds, peak, made = measured(lambda: ENGINES[engine](points, grid, folder))
    np.save(folder / MADE, made.values)
    report(seconds=seconds, peak=peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=3_000_000)
    parser.add_argument("--density", type=float, default=8.0, help="points per m² where ground is seen")
    parser.add_argument("--engines", default=",".join(ENGINES), help="those to run, by name")
    for name in ("--work", "--folder", "--size"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.work, Path(chosen.folder), float(chosen.size))
        return
    points, size = ground_points(chosen.points, chosen.density)
    grid = grid_of(size)
    x, y = np.meshgrid(*grid.centres())
    truth = Raster(ground(x - EAST, y - NORTH).astype(np.float32), grid)
    hidden = under_building(x - EAST, y - NORTH)
    print(f"{len(points):,} ground points, {grid.rows} × {grid.columns} cells of {RESOLUTION} m; ratios to diaba")
    print(
        f"{'':18} {'time s':>8} {'ratio':>7} {'Mpoint/s':>9} {'MiB':>7} {'B/point':>8} {'RMSE m':>8} {'ratio':>7} "
        f"{'seen':>8} {'hidden':>8} {'empty %':>8}"
    )
    ours: tuple[float, float] | None = None
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_laz(points, folder / POINTS)
        for engine in chosen.engines.split(","):
            why = missing(engine)
            found = {"failure": why} if why else in_child(__file__, engine, folder, "--size", str(size))
            if "failure" in found:
                print(f"{engine:18} left out: {found['failure']}", flush=True)
                continue
            made = Raster(np.load(folder / MADE), grid)
            rmse = surface_rmse(made, truth).rmse
            ours = ours or (found["seconds"], rmse)
            seen, covered = surface_rmse(made, truth, ~hidden).rmse, surface_rmse(made, truth, hidden).rmse
            print(
                f"{engine:18} {found['seconds']:8.2f} {found['seconds'] / ours[0]:7.2f} "
                f"{len(points) / found['seconds'] / 1e6:9.2f} {found['peak'] / MIB:7.0f} "
                f"{found['peak'] / len(points):8.0f} {rmse:8.4f} {rmse / ours[1]:7.2f} {seen:8.4f} {covered:8.4f} "
                f"{100 * float(np.isnan(made.values).mean()):8.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
