"""Cost per point of building a city, as the city grows; from it, the time a whole city takes.

`python benchmarks/scale.py [--points FOLDER] [--side 1000] [--factors 1 4 16] [--tile 1000] [--workers 2]` lays a
simulated ward (recipe `ward`, 1 km²; or the LAZ files of FOLDER that lie in a square of that side, in whole multiples
of it) side by side, as copies moved by whole sides, and makes all products of so many of them, through the catalogue
and the scheduler that `diaba lidar build` uses, all but the store. Making 16 km² anew would take longer than measuring
them, and streets of other wards cost what these do. Around what is built lie further copies, so that tiles at its edge
read as much around them as those inside do: what is compared is the city's size, not its rim.

Time is the processors', summed up over the workers: on a machine that others use the clock would measure them. A
worker makes its first tile twice and the second time counts, so that loading compiled code is not part of it. The
memory is the highest of any worker and of the process that gives out the work.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass
from functools import partial
from math import ceil, isqrt
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.grid import Grid
from gis.raster import write_cog
from lidar.catalog import scan, tiles_over
from lidar.pipeline import DEFAULT_BUFFER, RESOLUTION, process_tile
from lidar.point_cloud import PointCloud
from lidar.read import read
from lidar.scene.make import make_scene
from lidar.scene.recipe import read_recipe
from lidar.scheduler import run
from lidar.tile import LARGEST_BUFFER, Tile
from lidar.write import write_laz
from lidar.write_copc import write_points

CITY_KM2, CITY_DENSITY = 2095.0, 8.0
"""The city before 2025, and first returns per m² of the flight to come."""
CORES = (2, 16, 160)
MIB = 1024 * 1024


@dataclass(frozen=True)
class Cost:
    """Of one tile."""

    own: int
    """Points of its own."""
    cpu: float
    """s of the worker's processors, all its threads."""
    peak: int
    """Bytes, the worker's highest so far."""


_warm = False
"""Whether this process has made a tile before."""


def work(tile: Tile, folder: Path) -> Cost:
    """Make and write a tile's products."""
    global _warm
    if not _warm:
        _warm = True
        work(tile, folder)
    began = time.process_time()
    made = process_tile(tile, None, Grid.covering(tile.bounds, RESOLUTION))
    for name in ("dtm", "dsm", "ndsm"):
        write_cog(getattr(made.terrain, name), folder / f"{tile.key}_{name}.tif", name=name)
    write_points(made.points, folder / f"{tile.key}.copc.laz")
    for path in folder.glob(f"{tile.key}*"):
        path.unlink()
    return Cost(
        len(made.points), time.process_time() - began, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )


def laid_out(ward: list[Path], length: float, side: int, folder: Path) -> BoundingBox:
    """Copies of a square that fill a square of `side` of them and what is read around it; the bounds of the latter."""
    apron = ceil(LARGEST_BUFFER / length)
    corner = read(ward[0]).bounds
    west, south = (np.floor(value / length) * length for value in (corner.min_x, corner.min_y))
    square = BoundingBox(west, south, west + length, south + length, horizontal(corner.crs))
    bounds = BoundingBox(west, south, west + side * length, south + side * length, square.crs)
    seen = bounds.buffered(LARGEST_BUFFER)
    for path in ward:
        points = read(path)
        if not square.polygon.buffer(0.5).contains(points.bounds.polygon):
            continue
        for i in range(-apron, side + apron):
            for j in range(-apron, side + apron):
                columns = {**points.columns(), "x": points.x + i * length, "y": points.y + j * length}
                copy = PointCloud(**columns, crs=points.crs)
                if copy.bounds.intersects(seen):
                    write_laz(copy, folder / f"{path.stem}_{i}_{j}.laz")
    return bounds


def cost_of(ward: list[Path], length: float, factor: int, size: float, workers: int) -> tuple[float, int]:
    """CPU s per point of a city of so many wards, and its points; printed as well."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        bounds = laid_out(ward, length, isqrt(factor), folder)
        tiles = tiles_over(scan([folder]), size, DEFAULT_BUFFER, bounds.buffered(-1.0))
        began = time.perf_counter()
        costs = []
        for tile, cost in run(tiles, partial(work, folder=folder), workers=workers):
            if not isinstance(cost, Cost):
                raise SystemExit(f"{tile.key}: {cost}")
            costs.append(cost)
        clock = time.perf_counter() - began
    points, cpu = sum(c.own for c in costs), sum(c.cpu for c in costs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{factor:6} {len(tiles):6} {points:12,} {cpu * 1e6 / points:10.2f} {clock * 1e6 / points:10.2f} "
        f"{max(c.peak for c in costs) / MIB:12.0f} {peak / MIB:12.0f}",
        flush=True,
    )
    return cpu / points, points


def estimate(per_point: float, exponent: float, largest: int, overlap: float) -> None:
    """The whole city on paper."""
    points = CITY_KM2 * 1e6 * CITY_DENSITY
    print(
        f"\nEstimate, not measured: {CITY_KM2:,.0f} km² at {CITY_DENSITY:g} points/m², {points / 1e9:.1f} billion "
        f"points, at {per_point * 1e6:.2f} µs of a core of this machine each.\n"
        "It assumes that a point costs what it costs here (tiles do not know of each other), that all cores are busy "
        "and the\ndisks keep up with them, and a city as dense with houses as this ward. "
        f"Each tile reads {overlap:.1f} × its own points."
    )
    for cores in CORES:
        hours = per_point * points / cores / 3600
        grown = hours * (points / largest) ** (exponent - 1)
        print(f"  {cores:4} cores: {hours:8.1f} h; with the exponent fitted, {grown:8.1f} h")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=Path, help="folder of the LAZ files of a square kilometre")
    parser.add_argument("--side", type=float, default=1000.0, help="m of the square that is laid side by side")
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 4, 16], help="squares: 1, 4, 9, 16 …")
    parser.add_argument("--tile", type=float, default=1000.0, help="m, side of a tile")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    with TemporaryDirectory() as name:
        source = chosen.points
        if source is None:
            make_scene(Path(name), read_recipe("ward"), 7, density=CITY_DENSITY)
            source = Path(name) / "lidar"
        ward = sorted(source.glob("*.laz"))
        print("factor  tiles       points  CPU µs/pt clock µs/pt worker MiB   parent MiB")
        found = [cost_of(ward, chosen.side, factor, chosen.tile, chosen.workers) for factor in chosen.factors]
    per_point, points = np.array([cost for cost, _ in found]), np.array([count for _, count in found], dtype=np.float64)
    exponent = float(np.polyfit(np.log(points), np.log(per_point * points), 1)[0]) if len(found) > 1 else 1.0
    print(f"cost per point, highest / lowest {per_point.max() / per_point.min():.3f}; exponent {exponent:.4f}")
    overlap = (1 + 2 * DEFAULT_BUFFER / chosen.tile) ** 2
    estimate(float(per_point[-1]), exponent, int(points[-1]), overlap)


if __name__ == "__main__":
    main()
