"""The ground model beside its peers on the same points: time, error, empty cells.

`python benchmarks/terrain.py [--points 3000000] [--density 8]` simulates a town whose ground is known: gentle relief,
kerbs, banks, walls, and holes of 5–60 m under buildings, measured with 3 cm of noise. Peers: startinpy (TIN, Laplace),
SciPy's linear interpolation, and PDAL's writers.gdal where a `pdal` is found.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import laspy
import numpy as np
import startinpy
from pyproj import CRS
from scipy.interpolate import LinearNDInterpolator

from gis.bounds import BoundingBox
from gis.grid import Grid
from gis.raster import Raster, read_raster
from lidar.point_cloud import Class, PointCloud
from lidar.surface_accuracy import surface_rmse
from lidar.terrain import dtm, rasterise

CITY = CRS.from_epsg(9210)
EAST, NORTH = 600_000.0, 1_190_000.0
NOISE = 0.03
RESOLUTION = 0.5


def ground(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Heights of the simulated town, metres; positions from its corner."""
    relief = 3.0 + 0.4 * np.sin(x / 60) * np.cos(y / 45) + 0.004 * x
    across = y % 280 + 0.5 * np.sin(x / 20)
    kerb = -0.15 * ((across % 70 > 62.5) & (across % 70 < 68.5))
    bank = 1.5 * (np.clip((across - 133) / 4, 0, 1) - np.clip((across - 203) / 4, 0, 1))
    wall = 0.8 * (((y + 4) // 280) % 2)
    return relief + kerb + bank + wall


def under_building(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether a building stands there: rows of four sizes, 5–60 m wide, 10 m of street between the rows."""
    hidden = np.zeros(np.shape(x), dtype=bool)
    for band, width in enumerate((5.0, 12.0, 25.0, 60.0)):
        pitch = 1.7 * width
        inside = ((y % 280) // 70 == band) & (y % 70 < 60)
        hidden |= inside & (x % pitch < width) & ((y % 70) % pitch < width)
    return hidden


def town(points: int, density: float) -> tuple[PointCloud, float]:
    """Ground points of the town, and its edge length."""
    random = np.random.default_rng(7)
    probe_x, probe_y = random.uniform(0, 840, (2, 200_000))
    size = 10 * round(np.sqrt(points / density / (1 - under_building(probe_x, probe_y).mean())) / 10)
    x, y = random.uniform(0, size, (2, int(density * size * size)))
    seen = ~under_building(x, y)
    x, y = x[seen], y[seen]
    flown = np.lexsort((x, np.floor(y)))  # in scan lines, as a file holds them; startinpy walks from point to point
    x, y = x[flown], y[flown]
    z = ground(x, y) + random.normal(0, NOISE, len(x))
    x, y = np.round(x + EAST, 3), np.round(y + NORTH, 3)
    return PointCloud.from_xyz(x, y, z, CITY, classification=np.full(len(x), Class.GROUND, dtype=np.uint8)), size


def startin(method: str) -> Callable[[PointCloud, Grid], Raster]:
    def make(points: PointCloud, grid: Grid) -> Raster:
        triangulation = startinpy.DT()
        corner = np.array([grid.west, grid.south, 0.0])
        triangulation.insert(np.c_[points.x, points.y, points.z] - corner, insertionstrategy="AsIs")
        x, y = np.meshgrid(*grid.centres())
        places = np.c_[x.ravel() - grid.west, y.ravel() - grid.south]
        heights = triangulation.interpolate({"method": method}, places, strict=False)
        return Raster(np.asarray(heights, dtype=np.float32).reshape(grid.shape), grid)

    return make


def scipy_linear(points: PointCloud, grid: Grid) -> Raster:
    x, y = np.meshgrid(*grid.centres())
    interpolant = LinearNDInterpolator(np.c_[points.x - grid.west, points.y - grid.south], points.z)
    return Raster(interpolant(x - grid.west, y - grid.south).astype(np.float32), grid)


def pdal_idw(program: Path) -> Callable[[PointCloud, Grid], Raster]:
    def make(points: PointCloud, grid: Grid) -> Raster:
        with TemporaryDirectory() as folder:
            source, target = Path(folder) / "points.las", Path(folder) / "dtm.tif"
            header = laspy.LasHeader(point_format=6, version="1.4")
            header.offsets, header.scales = [grid.west, grid.south, 0.0], [0.001] * 3
            header.add_crs(CITY)
            las = laspy.LasData(header)
            las.x, las.y, las.z = points.x, points.y, points.z
            las.write(source)
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
            pipeline = Path(folder) / "pipeline.json"
            pipeline.write_text(json.dumps([str(source), writer]))
            subprocess.run([str(program), "pipeline", str(pipeline)], check=True, capture_output=True)
            return Raster(read_raster(target).values, grid)

    return make


def peers() -> dict[str, Callable[[PointCloud, Grid], Raster]]:
    """What is installed to compare with."""
    found = {
        "startinpy TIN": startin("TIN"),
        "startinpy Laplace": startin("Laplace"),
        "SciPy linear": scipy_linear,
    }
    try:
        from lidar.pdal import find_pdal

        found["PDAL idw"] = pdal_idw(Path(find_pdal().path))
    except Exception as error:  # noqa: BLE001
        print(f"PDAL is left out: {error}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=3_000_000)
    parser.add_argument("--density", type=float, default=8.0, help="points per m² where ground is seen")
    chosen = parser.parse_args()
    points, size = town(chosen.points, chosen.density)
    grid = Grid.covering(BoundingBox(EAST, NORTH, EAST + size, NORTH + size, CITY), RESOLUTION)
    x, y = np.meshgrid(*grid.centres())
    truth = Raster(ground(x - EAST, y - NORTH).astype(np.float32), grid)
    hidden = under_building(x - EAST, y - NORTH)
    corner = BoundingBox(EAST, NORTH, EAST + 20, NORTH + 20, CITY)
    dtm(points.subset(slice(0, 5000)), Grid.covering(corner, RESOLUTION))  # numba compiles once
    print(f"{len(points):,} ground points, {grid.rows} × {grid.columns} cells of {RESOLUTION} m")
    print(f"{'':18} {'time s':>8} {'ratio':>7} {'RMSE m':>8} {'ratio':>7} {'seen':>8} {'hidden':>8} {'empty %':>8}")
    ours: tuple[float, float] | None = None
    for name, make in {"diaba": dtm, **peers()}.items():
        began = time.perf_counter()
        made = make(points, grid)
        taken = time.perf_counter() - began
        rmse = surface_rmse(made, truth).rmse
        ours = ours or (taken, rmse)
        seen, covered = surface_rmse(made, truth, ~hidden).rmse, surface_rmse(made, truth, hidden).rmse
        empty = 100 * float(np.isnan(made.values).mean())
        print(
            f"{name:18} {taken:8.2f} {taken / ours[0]:7.2f} {rmse:8.4f} {rmse / ours[1]:7.2f} "
            f"{seen:8.4f} {covered:8.4f} {empty:8.3f}"
        )
    began = time.perf_counter()
    rasterise(points, grid)
    print(f"{'DTM, DSM and nDSM':18} {time.perf_counter() - began:8.2f}")


if __name__ == "__main__":
    main()
