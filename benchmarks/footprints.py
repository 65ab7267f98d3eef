"""How well buildings are outlined from points alone, where no map knows them.

On a simulated city every outline is known, and it is measured twice: with the classes the chain finds, and with the
true ones; each time once more parted at the register's parcel lines. On labelled surveys (`--labelled`, `--known`) the
labels take the place of the truth. For each known building the derived outline of the largest intersection over union
(IoU) counts. Printed are the IoU's median, the share found (IoU of 0.5 and more), the share of row houses split right
(an outline of its own with an IoU of 0.7 and more), the outlines where no known building is (30 % and less of them
covered); of a simulated city also how honest σ and confidence are.

    .venv/bin/python benchmarks/footprints.py [--recipe ward] [--seed 11] [--density 8 2 1] [--window X0 Y0 X1 Y1]
    .venv/bin/python benchmarks/footprints.py --labelled FILE… --known OUTLINES [--crs EPSG:28992]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.grid import Grid
from lidar.derive_footprints import derive_footprints
from lidar.footprints import Footprints, read_footprints, read_footprints_for
from lidar.parcel_lines import parted_at_parcels
from lidar.pipeline import classified
from lidar.point_cloud import PointCloud
from lidar.read import read_many
from lidar.scene.make import make_scene
from lidar.scene.recipe import read_recipe
from lidar.terrain import rasterise

FOUND, RIGHT = 0.5, 0.7
"""IoU from which a building counts as found, and as outlined right."""
COVERED = 0.3
"""Share of a derived outline that known buildings must cover, or it is spurious."""
LONG_SIDE = 2.0
"""m: length of a true side from which its distance to the outline is asked."""
COMMON_WALL = 3.0
"""m: length of wall shared with a neighbour from which a building is one of a row."""


@dataclass(frozen=True)
class Match:
    """Known buildings and derived outlines held against each other."""

    best: NDArray[np.float64]
    """(known,) the largest IoU."""
    by: NDArray[np.int64]
    """(known,) the outline of it, -1 for none."""
    row: NDArray[np.bool_]
    """(known,) whether it shares walls."""
    covered: NDArray[np.float64]
    """(derived,) share that known buildings cover."""
    own: NDArray[np.float64]
    """(derived,) its largest IoU."""
    of: NDArray[np.int64]
    """(derived,) the known building of it."""

    @property
    def split(self) -> NDArray[np.bool_]:
        """(known,) whether it has an outline of its own that is right."""
        right = self.best >= RIGHT
        shared = np.bincount(self.by[right], minlength=max(len(self.own), 1)) > 1
        return np.asarray(right & ~shared[self.by], dtype=bool)


def matched(known: NDArray[np.object_], derived: NDArray[np.object_]) -> Match:
    """Each known building's best outline, and the reverse."""
    best, by = np.zeros(len(known)), np.full(len(known), -1)
    own, of, covered = np.zeros(len(derived)), np.full(len(derived), -1), np.zeros(len(derived))
    tree = shapely.STRtree(known)
    d, k = tree.query(derived, predicate="intersects")
    common = shapely.area(shapely.intersection(derived[d], known[k]))
    iou = common / (shapely.area(derived[d]) + shapely.area(known[k]) - common)
    np.add.at(covered, d, common)
    for i in np.argsort(iou, kind="stable"):
        best[k[i]], by[k[i]] = iou[i], d[i]
        own[d[i]], of[d[i]] = iou[i], k[i]
    a, b = tree.query(known, predicate="dwithin", distance=0.1)
    a, b = a[a != b], b[a != b]
    wall = shapely.area(shapely.intersection(shapely.buffer(known[a], 0.2), known[b])) / 0.2
    row = np.zeros(len(known), dtype=bool)
    row[a[wall >= COMMON_WALL]] = True
    return Match(best, by, row, covered / np.maximum(shapely.area(derived), 1e-9), own, of)


def lines(name: str, known: NDArray[np.object_], found: Footprints, window: shapely.Geometry) -> Iterator[str]:
    """What is printed of one run; only what lies wholly in the window counts."""
    match = matched(known, found.polygons)
    inside = shapely.within(known, window)
    mine = shapely.within(found.polygons, window)
    best, row = match.best[inside], match.row & inside
    spurious = mine & (match.covered < COVERED)
    yield (
        f"{name:14} {inside.sum():6,d} {len(found):6,d} {np.median(best):7.3f} {np.mean(best >= FOUND):7.1%} "
        f"{np.mean(best >= RIGHT):7.1%} {row.sum():6,d} {np.mean(match.split[row]) if row.any() else np.nan:7.1%} "
        f"{np.median(match.best[~match.row & inside]) if (~match.row & inside).any() else np.nan:7.3f} "
        f"{spurious.sum():5d}"
    )


def calibration(known: NDArray[np.object_], found: Footprints, window: shapely.Geometry) -> Iterator[str]:
    """How honest σ and confidence are, of outlines wholly in the window.

    Of those outlined right, the share of true sides of 2 m and more whose median distance to the outline is within one
    and two of its σ, and of areas within one and two of theirs; then the share outlined right by confidence.
    """
    match = matched(known, found.polygons)
    mine = shapely.within(found.polygons, window)
    sides, areas = [], []
    for j in np.flatnonzero(mine & (match.own >= RIGHT)):
        outline, truth = found.polygons[j], known[match.of[j]]
        edges = np.diff(shapely.get_coordinates(outline), axis=0)
        areas.append((outline.area - truth.area) / (found.sigma_xy[j] * np.sqrt((edges**2).sum())))
        corners = shapely.get_coordinates(truth.exterior)
        for start, end in pairwise(corners):
            length = float(np.hypot(*(end - start)))
            if length >= LONG_SIDE:
                places = start + (np.arange(0.5, length, 0.5) / length)[:, None] * (end - start)
                away = shapely.distance(shapely.points(places), outline.exterior)
                sides.append(float(np.median(away)) / found.sigma_xy[j])
    if not areas:
        return
    side, area = np.array(sides), np.abs(areas)
    yield (
        f"{'':14} σ_xy {np.median(found.sigma_xy[mine]):.2f} m; sides within 1 and 2 σ {np.mean(side < 1):.0%} "
        f"{np.mean(side < 2):.0%}; areas {np.mean(area < 1):.0%} {np.mean(area < 2):.0%}; right of confidence "
        + ", ".join(
            f"{low:.1f}–{high:.1f}: {np.mean(match.own[chosen] >= RIGHT):.0%} of {chosen.sum()}"
            for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 1.0))
            if (chosen := mine & (found.confidence >= low) & (found.confidence < high + (high == 1.0))).any()
        )
    )


HEAD = (
    f"{'classes':14} {'known':>6} {'found':>6} {'IoU':>7} {'≥ 0.5':>7} {'≥ 0.7':>7} {'in row':>6} {'split':>7} "
    f"{'alone':>7} {'false':>5}"
)


def outlined(points: PointCloud, bounds: BoundingBox) -> tuple[Footprints, float]:
    """The outlines in the bounds, and the seconds they took."""
    terrain = rasterise(points, Grid.covering(bounds, 0.5))
    began = time.perf_counter()
    return derive_footprints(points, terrain), time.perf_counter() - began


def simulated(folder: Path, window: BoundingBox | None) -> Iterator[str]:
    """The lines of a simulated city."""
    known = read_footprints(folder / "truth" / "buildings.gpkg")
    parcels = read_footprints(folder / "registers.gpkg", layer="parcels")
    for name in ("own", "true"):
        files = sorted((folder / ("truth/points" if name == "true" else "lidar")).glob("*.laz"))
        points = read_many(files, None if window is None else window.buffered(100.0))
        if name == "own":
            points = classified(points.with_classification(np.zeros(len(points), dtype=np.uint8)))
        bounds = window or points.bounds
        found, seconds = outlined(points, bounds.buffered(40.0) if window else bounds)
        yield from lines(name, known.polygons, found, bounds.polygon)
        yield from calibration(known.polygons, found, bounds.polygon)
        parted = parted_at_parcels(found, parcels.polygons)
        yield from lines(f"{name}, parcels", known.polygons, parted, bounds.polygon)
        yield f"{seconds:39.1f} s for {len(points):,d} points"


def _box(window: list[float], crs: CRS) -> BoundingBox:
    west, south, east, north = window
    return BoundingBox(west, south, east, north, crs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="ward", help="of the simulated city")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--density", type=float, nargs="+", default=[8.0, 2.0, 1.0], help="first returns per m²")
    parser.add_argument("--folder", type=Path, nargs="+", help="simulated cities that were made before, instead")
    parser.add_argument("--window", type=float, nargs=4, metavar=("X0", "Y0", "X1", "Y1"), help="a part of the city")
    parser.add_argument("--labelled", nargs="+", type=Path, metavar="FILE", help="surveys with classes, instead")
    parser.add_argument("--known", type=Path, help="outlines of their buildings")
    parser.add_argument("--crs", help="of files that do not say theirs")
    options = parser.parse_args()
    if options.labelled:
        crs = normalise(options.crs) if options.crs else None
        points = read_many(options.labelled, crs=crs)
        known = read_footprints_for(options.known, points.crs, crs)
        print(HEAD)
        for name in ("own", "labels"):
            cloud = points
            if name == "own":
                cloud = classified(points.with_classification(np.zeros(len(points), dtype=np.uint8)))
            found, _ = outlined(cloud, points.bounds)
            print(*lines(name, known.polygons, found, points.bounds.polygon), sep="\n")
        return
    for density in options.density if not options.folder else options.folder:
        with TemporaryDirectory(prefix="diaba-footprints-") as made:
            folder = Path(made)
            if options.folder:
                folder = density
            else:
                make_scene(folder, read_recipe(options.recipe), options.seed, density=density)
            crs = read_footprints(folder / "truth" / "buildings.gpkg").crs
            print(f"{options.recipe if not options.folder else folder}, {density}\n{HEAD}", flush=True)
            for line in simulated(folder, _box(options.window, crs) if options.window else None):
                print(line, flush=True)


if __name__ == "__main__":
    main()
