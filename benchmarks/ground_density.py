"""Ground and terrain of a simulated ward flown at several densities, ours beside PDAL's ground filters.

The truth is exact: every return knows what it hit, and the terrain is known under everything. All engines classify the
same points; PDAL's classes are turned into terrain by our own raster, so that the table compares ground filters. Errors
are counted over all returns but those from water, which a ground filter may take for either. Nothing is chosen after
the result.

    .venv/bin/python benchmarks/ground_density.py [--recipe ward] [--seed 11] [--densities 2,4,8,16]
                                                  [--engines native,smrf,pmf,csf]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from api.demo.truth import score_terrain
from gis.errors import DiabaError
from gis.grid import Grid
from lidar.accuracy import ground_errors
from lidar.ground import classify_ground
from lidar.noise import mark_noise
from lidar.pdal import classify_with_pdal
from lidar.pipeline import classified
from lidar.point_cloud import Class, PointCloud
from lidar.read import read, read_many
from lidar.scene.make import make_scene
from lidar.scene.recipe import read_recipe
from lidar.terrain import dtm
from lidar.write import write_laz

RESOLUTION = 0.5
COVERS = ("open", "under_trees", "alley", "bank", "under_buildings", "all")
NATIVE, FILTER = "native", "native filter"


def engines_of(names: str) -> list[str]:
    """`native` stands for the whole classification and, beside the peers' filters, for the ground filter alone."""
    return [each for name in names.split(",") for each in ((NATIVE, FILTER) if name == NATIVE else (name,))]


def made_by(engine: str, points: PointCloud) -> PointCloud:
    """The same points, in the same order, under the engine's classes."""
    if engine == NATIVE:
        return classified(points)
    if engine == FILTER:
        return classify_ground(mark_noise(points))
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.laz", Path(folder) / "out.laz"
        write_laz(points, source)
        classify_with_pdal(source, target, engine)
        made = read(target)
    places, returned = (np.lexsort((c.z, c.y, c.x, c.return_number, c.gps_time)) for c in (points, made))
    classes = np.empty(len(points), dtype=np.uint8)
    classes[places] = made.classification[returned]
    return points.with_classification(classes)


def rows(scene: Path, engines: list[str]) -> Iterator[str]:
    truth = read_many(sorted((scene / "truth").rglob("*.laz")))
    grid = Grid.covering(truth.bounds, RESOLUTION)
    unlabelled = truth.with_classification(np.zeros(len(truth), dtype=np.uint8))
    is_ground, dry = truth.classification == Class.GROUND, truth.classification != Class.WATER
    for engine in engines:
        try:
            made = made_by(engine, unlabelled)
        except DiabaError as error:
            yield f"{engine:14} failed: {' '.join(str(error).split())[:90]}"
            continue
        errors = ground_errors((made.classification == Class.GROUND)[dry], is_ground[dry])
        covers = score_terrain([dtm(made, grid)], scene / "truth" / "dtm.tif", scene / "truth" / "land_cover.tif")
        rates = " ".join(f"{100 * rate:6.2f}" for rate in (errors.total, errors.type_i, errors.type_ii, errors.kappa))
        heights = " ".join(f"{covers[name]['rmse_m']:8.3f}" if name in covers else f"{'–':>8}" for name in COVERS)
        yield f"{engine:14} {rates} {heights}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="ward", help="of the simulated city")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--densities", default="2,4,8,16", help="first returns per m²")
    parser.add_argument("--engines", default="native,smrf,pmf,csf")
    options = parser.parse_args()
    engines = engines_of(options.engines)
    print(f"recipe {options.recipe}, seed {options.seed}; total error, type I, type II, kappa in %; DTM RMSE in metres")
    header = " ".join(f"{name:>6}" for name in ("total", "I", "II", "kappa"))
    covers = " ".join(f"{name.replace('under_', 'u. ')[:8]:>8}" for name in COVERS)
    for density in (float(part) for part in options.densities.split(",")):
        with TemporaryDirectory(prefix="diaba-density-") as folder:
            made = make_scene(Path(folder), read_recipe(options.recipe), options.seed, density=density)
            print(f"\n{density:g} points/m²: {made['counts']['points']:,} points")
            print(f"{'engine':14} {header} {covers}", flush=True)
            for row in rows(Path(folder), engines):
                print(row, flush=True)


if __name__ == "__main__":
    main()
