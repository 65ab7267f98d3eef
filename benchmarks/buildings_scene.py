"""Buildings of a simulated ward against the truth, with outlines that are true, shifted, missing and half wrong.

`python benchmarks/buildings_scene.py [--density 2 4 8 16] [--seed 11] [--every 5]` flies the recipe `ward` (or takes
`--scene FOLDER…`, made before), classifies the points by the whole chain, and reconstructs the buildings (every Nth,
or those of `--window X0 Y0 X1 Y1`) under outlines that are

* true;
* shifted: the whole map by 1 m, one way;
* strewn: each outline by 1 m, its own way;
* missing: those derived from points alone;
* half wrong: every second one dropped, made one with its neighbour, or scaled by 0.7 to 1.3 and turned by up to 15°, by
  chance; what the map lacks is derived from points, as the chain does it.

Given outlines are held against the points and moved where these say so, as `diaba lidar buildings` does; `--as-given`
leaves that out. A building's model is the one under its own outline; without such, the one whose outline has the
largest intersection over union with the true one, 0.5 at least. Of buildings without a model only that is counted.

Printed by kind of building, or of roof (`--by roof_type`):

* `model`, `valid`, `LoD 2.2`: share of buildings with a model, and of models that are valid and detailed;
* `RMSE`: of heights at random places half a metre inside the true outline, over all places; `median`: over buildings;
  `≤ 0.2 m`: share of places;
* `eave`, `ridge`: RMSE of the lowest edge of the roof along its outline, and of the highest line of the main roof.
  Faces that meet without a step are one part of a roof, the main roof is the parts that cover 30 % of the plan (or the
  largest): stair heads, tanks and dormers are no part of it; parapets count for neither, nor light wells that lie
  inside of the house. The same is done to the truth and to the model, each with its own outline;
* `|vol|`: median error of volume; `IoU`: median of common over whole volume, by columns of 0.2 m;
* `face F1`: faces of 1 m width and 2 m² at least, which LoD 2.2 asks for, matched where both share half of the larger
  one in plan; `faces`: share of buildings with the true number of them.

Nothing is chosen after the result.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import shapely
from _roofs import Compared, compared
from numpy.typing import NDArray
from shapely import affinity

from gis.city_model.building import Building
from gis.city_model.cityjson import read_cityjson
from gis.grid import Grid
from lidar.derive_footprints import derive_footprints
from lidar.footprints import Footprints
from lidar.match_footprints import match_footprints
from lidar.moved_models import reconstruct_matched
from lidar.pipeline import RESOLUTION, classified
from lidar.point_cloud import PointCloud
from lidar.read import read_many
from lidar.reconstruct import reconstruct_all
from lidar.scene.make import make_scene
from lidar.scene.recipe import read_recipe
from lidar.supplement import supplement
from lidar.terrain import Terrain, rasterise
from lidar.validate import defects

PLACES = 200
SHIFT = 1.0
"""m."""
SCALES, MOST_TURN = (0.7, 1.3), 15.0
FOUND = 0.5
"""Intersection over union from which an outline is a building's."""
VARIANTS = ("true", "shifted", "strewn", "missing", "half-wrong")
SURROUNDINGS = 100.0
"""m around a window that are read too."""
WRONG = 20.0
"""m: no error of eave or ridge counts more."""
HEAD = (
    f"{'':14}{'n':>6}{'model %':>9}{'valid %':>9}{'LoD 2.2':>9}{'RMSE m':>8}{'median':>8}{'≤0.2 m':>8}{'eave m':>8}"
    f"{'ridge m':>9}{'|vol| %':>9}{'IoU':>7}{'face F1':>9}{'faces %':>9}"
)


def outlines_of(variant: str, true: Footprints, derived: Footprints) -> Footprints:
    """The outlines of a variant; those that are given."""
    random = np.random.default_rng(2)
    if variant == "true":
        return true
    if variant == "missing":
        return derived
    if variant in ("shifted", "strewn"):
        turn = random.uniform(0, 2 * np.pi, len(true) if variant == "strewn" else 1) * np.ones(len(true))
        moved = [
            affinity.translate(polygon, SHIFT * np.cos(a), SHIFT * np.sin(a))
            for polygon, a in zip(true.polygons, turn, strict=True)
        ]
        return Footprints.of(zip(true.uids, moved, strict=True), true.crs)
    kept: dict[int, shapely.Geometry] = dict(enumerate(true.polygons))
    tree = shapely.STRtree(true.polygons)
    for index in range(0, len(true), 2):
        what, scale, turned = random.integers(3), random.uniform(*SCALES, 2), random.uniform(-MOST_TURN, MOST_TURN)
        polygon = true.polygons[index]
        if what == 0:
            del kept[index]
        elif what == 1:
            beside = [i for i in tree.query(polygon, predicate="dwithin", distance=0.1) if i % 2 and i in kept]
            whole = shapely.union_all([polygon, kept[beside[0]]], grid_size=0.001) if beside else polygon
            if beside and whole.geom_type == "Polygon":
                kept[index] = whole
                del kept[beside[0]]
        else:
            kept[index] = affinity.rotate(affinity.scale(polygon, *scale), turned)
    return Footprints.of(((true.uids[i], polygon) for i, polygon in kept.items()), true.crs)


def modelled(
    variant: str,
    as_given: bool,
    true: Footprints,
    wanted: NDArray[np.bool_],
    points: PointCloud,
    terrain: Terrain,
    derived: Footprints,
) -> tuple[dict[str, Building], float, str]:
    """The models of the wanted buildings by uid, the seconds that reconstruction took, and how the map lies."""
    given, told = outlines_of(variant, true, derived), ""
    match = None if variant == "missing" or as_given else match_footprints(given, derived)
    if match is not None:
        told = ", ".join(f"{count:,} {outcome}" for outcome, count in match.counts.items())
        shifts = [np.hypot(s.dx, s.dy) for s in match.shifts.values()]
        told += (
            f"; {np.count_nonzero(shifts)} of {len(shifts)} blocks moved, by {max(shifts, default=0.0):.2f} m at most"
        )
    placed = given if match is None else match.moved
    extra = Footprints.none(given.crs)
    if variant == "half-wrong":
        both = supplement(placed, derive_footprints(points, terrain, placed))
        extra = both.subset(both.derived)
    targets = dict(zip(true.uids, true.polygons, strict=True))
    names = [uid for uid, chosen in zip(true.uids, wanted, strict=True) if chosen]
    pool = Footprints.joined(placed, extra)
    own, index = set(placed.uids), {uid: i for i, uid in enumerate(pool.uids)}
    tree, chosen = shapely.STRtree(pool.polygons), dict[str, str]()
    for name in names:
        if name in own:
            chosen[name] = name
            continue
        near = tree.query(targets[name], predicate="intersects")
        common = shapely.area(shapely.intersection(pool.polygons[near], targets[name]))
        iou = common / (shapely.area(pool.polygons[near]) + targets[name].area - common)
        if len(near) and iou.max() >= FOUND:
            chosen[name] = pool.uids[near[iou.argmax()]]
    needed = set(chosen.values())
    began = time.process_time()
    made: list[Building] = []
    if match is not None:
        made += reconstruct_matched(match.of(needed & own), points, terrain)
    else:
        made += reconstruct_all(placed.subset([index[u] for u in placed.uids if u in needed]), points, terrain)
    made += reconstruct_all(extra.subset([i for i, u in enumerate(extra.uids) if u in needed]), points, terrain)
    spent = time.process_time() - began
    by_uid = {building.uid: building for building in made}
    return {name: by_uid[uid] for name, uid in chosen.items()}, spent, told


def rows_of(true: Sequence[Building], made: dict[str, Building], by: str) -> Iterator[str]:
    """A line for each kind, and one for all."""
    random = np.random.default_rng(1)
    found, counts = defaultdict[str, list[Compared]](list), defaultdict(lambda: np.zeros(4, dtype=int))
    for building in true:
        model = made.get(building.uid)
        has = model is not None and model.solid is not None
        row: Compared | None = None
        sound = False
        if model is not None and model.solid is not None:
            sound = not defects(model.solid)
            row = compared(building, model, PLACES, random)
        for kind in (str(building.attributes[by]), "all"):
            counts[kind] += (1, has, sound, has and model is not None and model.lod == "2.2")
            if row is not None:
                found[kind].append(row)
    for kind in [*sorted(set(counts) - {"all"}), "all"]:
        n, models, valid, best = counts[kind]
        yield f"{kind:14}{n:6}{100 * models / n:9.1f}" + figures(found[kind], valid, best)


def figures(rows: list[Compared], valid: int, best: int) -> str:
    """The rest of a line."""
    if not rows:
        return ""
    table = {
        name: np.array([getattr(row, name) for row in rows], dtype=float) for name in Compared.__dataclass_fields__
    }
    eave, ridge = (
        np.sqrt(np.nanmean(np.clip(np.nan_to_num(table[name], nan=WRONG), -WRONG, WRONG) ** 2))
        for name in ("eave", "ridge")
    )
    f1 = 2 * table["matched_faces"].sum() / max(table["true_faces"].sum() + table["made_faces"].sum(), 1)
    return (
        f"{100 * valid / len(rows):9.1f}{100 * best / len(rows):9.1f}{np.sqrt(np.nanmean(table['squared'])):8.3f}"
        f"{np.sqrt(np.nanmedian(table['squared'])):8.3f}{100 * np.nanmean(table['near']):8.1f}{eave:8.3f}{ridge:9.3f}"
        f"{100 * np.median(table['volume']):9.2f}{np.median(table['iou']):7.3f}{f1:9.3f}"
        f"{100 * np.mean(table['true_faces'] == table['made_faces']):9.1f}"
    )


def run(scene: Path, options: argparse.Namespace, label: str) -> list[str]:
    """All tables of a scene, printed, and the last line of each."""
    truths = [b for b in read_cityjson(scene / "truth" / "buildings.city.jsonl")[0] if b.solid is not None]
    window = None if options.window is None else shapely.box(*options.window)
    around = truths if window is None else [b for b in truths if b.footprint.dwithin(window, SURROUNDINGS / 2)]
    points = read_many(sorted((scene / "lidar").glob("*.laz")))
    if window is not None:
        inside = shapely.contains_xy(window.buffer(SURROUNDINGS), points.x, points.y)
        points = points.subset(inside)
    points = classified(points)
    terrain = rasterise(points, Grid.covering(points.bounds, RESOLUTION))
    began = time.process_time()
    derived = derive_footprints(points, terrain)
    print(
        f"{label}: {len(points):,} points, {len(derived):,} outlines from points in {time.process_time() - began:.0f} s"
    )
    true = Footprints.of([(b.uid, b.footprint) for b in around], points.crs)
    wanted = np.arange(len(around)) % options.every == 0
    if window is not None:
        wanted &= np.array([window.contains(b.footprint) for b in around])
    chosen = [b for b, want in zip(around, wanted, strict=True) if want]
    summary = []
    for variant in options.outlines:
        made, seconds, told = modelled(variant, options.as_given, true, wanted, points, terrain, derived)
        each = 1000 * seconds / max(len(made), 1)
        print(f"\n{label}, {variant} outlines{f' ({told})' if told else ''}: {each:.1f} ms a building\n{HEAD}")
        lines = list(rows_of(chosen, made, options.by))
        print("\n".join(lines), flush=True)
        summary.append(f"{label + ' ' + variant:14}".ljust(24) + lines[-1][14:])
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", type=Path, nargs="+", help="made before")
    parser.add_argument("--density", type=float, nargs="+", default=[2.0, 4.0, 8.0, 16.0])
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--outlines", choices=VARIANTS, nargs="+", default=VARIANTS)
    parser.add_argument("--as-given", action="store_true", help="do not move outlines")
    parser.add_argument("--by", choices=("kind", "roof_type"), default="kind")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="measure every Nth building")
    parser.add_argument("--window", type=float, nargs=4, metavar=("X0", "Y0", "X1", "Y1"), help="those inside alone")
    chosen = parser.parse_args()
    summary = []
    for scene in chosen.scene or ():
        summary += run(scene, chosen, scene.name)
    for density in () if chosen.scene else chosen.density:
        with TemporaryDirectory() as name:
            make_scene(Path(name), read_recipe("ward"), chosen.seed, density=density)
            summary += run(Path(name), chosen, f"{density:g}/m²")
    print(f"\nAll buildings\n{' ' * 10}{HEAD}")
    print("\n".join(summary))


if __name__ == "__main__":
    main()
