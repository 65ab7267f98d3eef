"""Buildings of a simulated ward against the truth, by kind of roof, with true and with shifted outlines.

`python benchmarks/buildings_scene.py [--scene FOLDER] [--density 8] [--seed 11]` flies the recipe `ward` (or takes a
scene made before), classifies the points by the whole chain, and reconstructs every finished building twice: under its
true outline and under one shifted by 1 m. Heights are compared at random places half a metre inside the outline; faces
count that are at least 1 m wide, so no parapets. Eave and ridge are the lowest and the highest roof of the truth,
parapets left out. Nothing is chosen after the result.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import shapely
from buildings import heights
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Building, Solid, Surface
from gis.city_model.cityjson import read_cityjson
from gis.grid import Grid
from lidar.footprints import Footprints
from lidar.pipeline import RESOLUTION, classified
from lidar.read import read_many
from lidar.reconstruct import reconstruct_all
from lidar.scene.make import make_scene
from lidar.scene.recipe import read_recipe
from lidar.terrain import rasterise
from lidar.validate import defects, signed_volume

INSIDE, NARROW = 0.5, 0.5
"""m from the outline, and half of the width of the narrowest face that counts."""
PLACES = 200


def wide_faces(solid: Solid) -> list[NDArray[np.float64]]:
    """Outer rings of roof faces that are no parapets."""
    found = []
    for face in solid.faces:
        if face.surface is Surface.ROOF:
            rings = [solid.vertices[list(ring)] for ring in face.rings]
            if not Polygon(rings[0][:, :2], [r[:, :2] for r in rings[1:]]).buffer(-NARROW).is_empty:
                found.append(rings[0])
    return found


def compared(truth: Building, made: Building, random: np.random.Generator) -> tuple[float, ...]:
    """Mean squared error of height, share within 0.2 m, error of volume, of faces, of eave and ridge."""
    if truth.solid is None or made.solid is None:
        return (np.nan,) * 6
    core = truth.footprint.buffer(-INSIDE)
    xy = random.uniform(*np.array(truth.footprint.bounds).reshape(2, 2), (PLACES, 2))
    xy = xy[shapely.contains_xy(core, xy[:, 0], xy[:, 1])]
    off = heights(made.solid, xy) - heights(truth.solid, xy)
    off = off[np.isfinite(off)]
    true_faces, faces = wide_faces(truth.solid), wide_faces(made.solid)
    true_z, z = np.concatenate(true_faces)[:, 2], np.concatenate(faces)[:, 2] if faces else np.array([np.nan])
    return (
        float(np.mean(off**2)) if len(off) else np.nan,
        float(np.mean(np.abs(off) <= 0.2)) if len(off) else np.nan,
        abs(signed_volume(made.solid) / signed_volume(truth.solid) - 1),
        float(len(faces) == len(true_faces)),
        float(z.min() - true_z.min()),
        float(z.max() - true_z.max()),
    )


def show(name: str, truths: list[Building], kinds: dict[str, str], made: tuple[Building, ...], seconds: float) -> None:
    """The table of one set of outlines."""
    random = np.random.default_rng(1)
    rows, counts = defaultdict(list), defaultdict(lambda: np.zeros(3, dtype=int))
    for truth, building in zip(truths, made, strict=True):
        kind = kinds[truth.uid]
        valid = building.solid is not None and not defects(building.solid)
        counts[kind] += (1, building.lod == "2.2", valid)
        if building.solid is not None:
            rows[kind].append(compared(truth, building, random))
    total = sum(counts.values())
    print(
        f"\n{name} outlines: {len(made)} buildings, {1000 * seconds / len(made):.1f} ms each; {total[2]} valid models"
    )
    print("roof              n  LoD 2.2   model  RMSE m  ≤ 0.2 m  |vol| %  faces %   eave m  ridge m")
    for kind in [*sorted(rows), "all"]:
        values = np.array(rows[kind] if kind in rows else [row for own in rows.values() for row in own])
        n, best, models = counts[kind] if kind in rows else total
        print(
            f"{kind:12}{n:7}{100 * best / n:9.1f}{100 * models / n:8.1f}{np.sqrt(np.nanmedian(values[:, 0])):8.3f}"
            f"{100 * np.nanmean(values[:, 1]):9.1f}{100 * np.median(values[:, 2]):9.2f}{100 * values[:, 3].mean():9.1f}"
            f"{np.sqrt(np.nanmean(np.clip(values[:, 4], -9, 9) ** 2)):9.3f}"
            f"{np.sqrt(np.nanmean(np.clip(values[:, 5], -9, 9) ** 2)):9.3f}"
        )


def run(scene: Path) -> None:
    """Both tables of a scene."""
    truths = [b for b in read_cityjson(scene / "truth" / "buildings.city.jsonl")[0] if b.solid is not None]
    kinds = {b.uid: str(b.attributes.get("roof_type")) for b in truths}
    points = classified(read_many(sorted((scene / "lidar").glob("*.laz"))))
    terrain = rasterise(points, Grid.covering(points.bounds, RESOLUTION))
    random = np.random.default_rng(2)
    for name, shift in (("true", 0.0), ("shifted", 1.0)):
        turn = random.uniform(0, 2 * np.pi, len(truths))
        moved = [
            shapely.affinity.translate(b.footprint, shift * np.cos(a), shift * np.sin(a))
            for b, a in zip(truths, turn, strict=True)
        ]
        outlines = Footprints.of(zip([b.uid for b in truths], moved, strict=True), points.crs)
        began = time.process_time()
        made = reconstruct_all(outlines, points, terrain)
        show(name, truths, kinds, made, time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", type=Path)
    parser.add_argument("--density", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=11)
    chosen = parser.parse_args()
    if chosen.scene is not None:
        run(chosen.scene)
        return
    with TemporaryDirectory() as name:
        make_scene(Path(name), read_recipe("ward"), chosen.seed, density=chosen.density)
        run(Path(name))


if __name__ == "__main__":
    main()
