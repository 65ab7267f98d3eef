"""Buildings of real surveys: against a reference, against planes labelled by hand, and against their own points.

`python benchmarks/buildings_real.py [--data FOLDER] [--pictures FOLDER] [NAME…]`, of delft, trondheim, amsterdam, ign
and ign_six. Each survey is taken twice, with the classes of its files and with those that the chain finds. Figures:

* (a) root mean square distance of the points of the roof's planes from them; of the reference what it states.
* (b) the same of all points of class building in the file inside the outline, from the nearest roof face.
* (c) the same upright, of those half a metre inside the outline; and the share of them within 0.2 m.
* (d) as (c), from the nearest face of the model, walls counted. Points of inner walls lie metres under a roof or over
  one, however good the model is: (c) tells how many of them a survey has as much as how good the models are.

Shares and lines "all" go over points, medians over buildings. Volumes in common are counted in upright columns of
0.2 m: neither model has overhangs, so that is exact but for the columns' width. Distances between solids are those of
places strewn over either surface from the other one. Where a survey comes without outlines they are derived; roofs
without ground (trondheim) stand on made-up level ground for that, and all that is derived of a file is one building.

roofer 1.1.0-beta.1 on the Delft files: (b) median 0.53 m; on 160 buildings around: (c) 0.47 m, 89 % within 0.2 m.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import laspy
import numpy as np
import shapely
from _models import Compared, Roof, compared, distances
from _oblique import draw
from _planes import tally
from numpy.typing import NDArray

from gis.city_model.building import Building, Solid
from gis.city_model.cityjson import read_cityjson
from gis.city_model.faces import triangles
from gis.crs import normalise
from gis.grid import Grid
from gis.raster import Raster
from lidar.derive_footprints import derive_footprints
from lidar.footprints import Footprints, read_footprints_for
from lidar.pipeline import RESOLUTION, classified
from lidar.point_cloud import Class, PointCloud
from lidar.read import read_many
from lidar.reconstruct import reconstruct_all
from lidar.roof_planes import roof_planes
from lidar.terrain import Terrain, rasterise
from lidar.validate import defects

Floats = NDArray[np.float64]

ERODED, NEAR = 0.5, 0.2
"""m inside the outline, and from the model."""
UNDER = 5.0
"""m under a roof without ground that it is put."""
SURVEYS = {
    "delft": ("delft_north/*.laz", "delft_north/footprints.geojson", "EPSG:7415"),
    "amsterdam": ("amsterdam_a/*.laz", "amsterdam_a/bag_buildings_demo.csv", "EPSG:7415"),
    "ign": ("ign_footprints/*.laz", "ign_footprints/870000_6618000.subset.postIA.shp", "EPSG:2154"),
    "ign_six": ("ign_six_tiles/test_data_*.laz", None, "EPSG:2154"),
}
"""Files of points, outlines, and the CRS of those that do not say it."""
REFERENCE = "delft_north/reference_lod22.city.jsonl"


@dataclass(frozen=True)
class Fit:
    """How points lie about a model; all (n,) in m."""

    roof: Floats
    """Of all of them, from the nearest roof face."""
    upright: Floats
    """Of those well inside, over the roof."""
    shell: Floats
    """Of the same, from the nearest face."""

    @classmethod
    def of(cls, solid: Solid, outline: shapely.Polygon, xyz: Floats) -> Fit:
        """Of points inside an outline; those that the model does not reach under tell nothing of heights."""
        roof = Roof.of(solid)
        core = xyz[shapely.contains_xy(outline.buffer(-ERODED), xyz[:, 0], xyz[:, 1])]
        off = core[:, 2] - roof.heights(core[:, :2])
        under = np.isfinite(off)
        faces = solid.vertices[triangles(solid)[0]] - roof.origin
        return cls(roof.away(xyz), off[under], np.asarray(distances(core[under] - roof.origin, faces)))

    def line(self) -> str:
        """Its figures."""
        near, by_shell = (
            100 * np.mean(np.abs(off) <= NEAR) if len(off) else np.nan for off in (self.upright, self.shell)
        )
        return f"{rms(self.roof):7.3f}{rms(self.upright):7.3f}{near:7.1f}{rms(self.shell):7.3f}{by_shell:7.1f}"


HEAD = f"{'(b)':>7}{'(c)':>7}{'% near':>7}{'(d)':>7}{'% near':>7}"


def rms(values: Floats) -> float:
    """Root mean square; NaN of nothing."""
    return float(np.sqrt(np.mean(values**2))) if len(values) else np.nan


def overall(fits: list[Fit]) -> str:
    """Figures over all points, and medians over buildings."""
    fits = [fit for fit in fits if len(fit.upright)]
    if not fits:
        return "no building with points inside"
    every = Fit(*(np.concatenate([getattr(fit, name) for fit in fits]) for name in ("roof", "upright", "shell")))
    best = np.sort(np.abs(every.upright))[: int(0.95 * len(every.upright))]
    medians = [np.median([rms(getattr(fit, name)) for fit in fits]) for name in ("roof", "upright", "shell")]
    return (
        f"all {every.line()}; medians (b) {medians[0]:.3f}, (c) {medians[1]:.3f}, (d) {medians[2]:.3f}; "
        f"(c) of the nearest 95 % {rms(best):.3f}"
    )


def points_of(data: Path, name: str) -> tuple[PointCloud, Footprints | None]:
    """A survey's points, as they are in the files, and outlines if there are any."""
    files, outlines, crs = SURVEYS[name]
    points = read_many(sorted(data.glob(files)), crs=normalise(crs))
    return points, None if outlines is None else read_footprints_for(data / outlines, points.crs, normalise(crs))


def run(data: Path, name: str, pictures: Path | None) -> None:
    """The tables of a survey."""
    points, known = points_of(data, name)
    reference = {}
    if name == "delft":
        reference = {building.uid: building for building in read_cityjson(data / REFERENCE)[0]}
    xyz = np.column_stack([points.x, points.y, points.z])
    truly = points.classification == Class.BUILDING
    for kind in ("file's", "own"):
        began = time.process_time()
        cloud = points
        if kind == "own":
            cloud = classified(points.with_classification(np.zeros(len(points), dtype=np.uint8)))
        terrain = rasterise(cloud, Grid.covering(cloud.bounds, RESOLUTION))
        between = time.process_time()
        outlines = derive_footprints(cloud, terrain) if known is None else known
        made = reconstruct_all(outlines, cloud, terrain)
        ended = time.process_time()
        print(
            f"\n{name}, {kind} classes: {len(points):,} points, {len(made)} outlines "
            f"{'derived' if known is None else 'known'}; classes and terrain {between - began:.1f} s, buildings "
            f"{ended - between:.1f} s of the processor"
        )
        show(made, reference, xyz[truly])
        if pictures is not None:
            shown = made if kind == "own" else [b for b in made if b.solid is not None]
            inside = shapely.contains_xy(
                shapely.union_all([b.footprint.buffer(1.0) for b in shown]), xyz[:, 0], xyz[:, 1]
            )
            high = inside & (truly if kind == "file's" else cloud.classification == Class.BUILDING)
            draw(pictures / f"{name}_{kind.replace(chr(39), '')}.png", f"{name}, {kind} classes", shown, xyz[high])


def show(made: tuple[Building, ...], reference: dict[str, Building], xyz: Floats) -> None:
    """A line a building, beside the reference's where there is one, and what they come to."""
    fits: list[Fit] = []
    others: list[Fit] = []
    planes: list[tuple[int, int]] = []
    stated: list[tuple[float, float]] = []
    solids: list[Compared] = []
    faults = 0
    print(f"{'building':>20}  LoD faults planes    (a){HEAD}" + " |  reference" * bool(reference))
    for building in made:
        uid, solid = building.uid[-20:], building.solid
        if solid is None:
            continue
        own = xyz[shapely.contains_xy(building.footprint, xyz[:, 0], xyz[:, 1])]
        fit, count = Fit.of(solid, building.footprint, own), len(set(Roof.of(solid).plane_of_face().tolist()))
        wrong = len(defects(solid))
        rmse = float(building.attributes.get("rmse_planes_m", np.nan))
        fits.append(fit)
        faults += wrong
        why = "" if building.reason.value == "none" else f"  {building.reason.value}"
        line = f"{uid:>20}  {building.lod:>3}{wrong:7d}{count:7d}{rmse:7.3f}{fit.line()}{why}"
        if building.uid in reference:
            other = reference[building.uid]
            model = other.models["2.2"]
            against = Fit.of(model, building.footprint, own)
            its = len(set(Roof.of(model).plane_of_face().tolist()))
            apart = compared(solid, model)
            others.append(against)
            planes.append((count, its))
            stated.append((rmse, float(other.attributes["rmse_lod22"])))
            solids.append(apart)
            line += (
                f" |{its:3d}{stated[-1][1]:7.3f}{against.line()} | IoU {apart.iou:.3f}, mean {apart.mean:.3f} m, "
                f"Hausdorff {apart.hausdorff:.2f} m"
            )
        print(line)
    lods = {lod: sum(b.lod == lod for b in made) for lod in sorted({b.lod for b in made}, reverse=True)}
    none = Counter(building.reason.value for building in made if building.solid is None)
    why = f" ({', '.join(f'{reason}: {n}' for reason, n in sorted(none.items()))})" if none else ""
    print(f"LoD {', '.join(f'{lod}: {n}' for lod, n in lods.items())} of {len(made)}{why}; {faults} faults")
    print(f"models     {overall(fits)}")
    if others:
        print(f"reference  {overall(others)}")
        ours, theirs = np.median(planes, axis=0)
        own_rmse, its_rmse = np.median(stated, axis=0)
        alike = [np.median([getattr(c, name) for c in solids]) for name in ("iou", "mean", "hausdorff")]
        print(
            f"planes: median {ours:g}, reference {theirs:g} ({100 * (ours / theirs - 1):+.0f} %); (a) median "
            f"{own_rmse:.3f}, reference {its_rmse:.3f}\nagainst the reference's solids, medians: IoU {alike[0]:.3f}, "
            f"mean distance {alike[1]:.3f} m, Hausdorff {alike[2]:.2f} m"
        )


def labelled(path: Path) -> tuple[PointCloud, NDArray[np.int64]]:
    """The points of one roof, each once, and the plane that the colour of each says."""
    file = laspy.read(path)
    xyz = np.column_stack([file.x, file.y, file.z])
    colour = np.unique(np.column_stack([file.red, file.green, file.blue]), axis=0, return_inverse=True)[1].reshape(-1)
    cloud = PointCloud.from_xyz(
        *xyz.T, normalise("EPSG:25832"), classification=np.full(len(xyz), Class.BUILDING, dtype=np.uint8)
    )
    return cloud, colour.astype(np.int64)


def level_ground(cloud: PointCloud) -> Terrain:
    """Flat ground under a roof."""
    grid = Grid.covering(cloud.bounds.buffered(10.0), RESOLUTION)
    floor = np.full(grid.shape, cloud.z.min() - UNDER, dtype=np.float32)
    sigma = np.full(grid.shape, 0.05, dtype=np.float32)
    return Terrain(Raster(floor, grid, {"sigma": sigma}), Raster(floor, grid), Raster(np.zeros_like(floor), grid))


def trondheim(data: Path, pictures: Path | None) -> None:
    """Planes of single roofs, as they are grown and as they are in the models."""
    grown, modelled = [], []
    shapes: list[Building] = []
    points: list[Floats] = []
    lods: list[str] = []
    for number, path in enumerate(sorted((data / "trondheim_roofs").glob("*.laz"))):
        cloud, known = labelled(path)
        terrain = level_ground(cloud)
        derived = derive_footprints(cloud, terrain)
        outline = shapely.union_all(shapely.buffer(derived.polygons, 0.05, join_style="mitre")).buffer(-0.05)
        whole = Footprints.of([(path.stem, outline)], cloud.crs)
        xyz = np.column_stack([cloud.x, cloud.y, cloud.z])
        density = len(xyz) / outline.area
        found = roof_planes(xyz - np.floor(xyz.min(axis=0)))
        grown.append((known, found.label, density))
        buildings = [b for b in reconstruct_all(whole, cloud, terrain) if b.solid is not None]
        lods += [b.lod for b in buildings]
        label = np.full(len(xyz), -1)
        for building in buildings:
            roof = Roof.of(building.solid)
            face = roof.face_at(xyz[:, :2])
            label = np.where(face >= 0, label.max() + 1 + roof.plane_of_face()[face], label)
        modelled.append((known, label, density))
        shift = np.array([30.0 * (number % 5), 30.0 * (number // 5), 0.0]) - xyz.min(axis=0)
        shapes += [moved(b, shift) for b in buildings]
        points.append(xyz + shift)
    print(f"\ntrondheim: {len(grown)} files, {len(lods)} outlines, LoD 2.2: {lods.count('2.2')}")
    print("planes                  known found  prec.  recall     F1 | complete correct quality")
    for name, roofs in (("grown", grown), ("in models", modelled)):
        for least in (0.0, 1.0, 10.0):
            count = tally(roofs, least)
            complete, correct, quality = count.quality
            print(
                f"{name:10} ≥ {least:4g} m² {count.known:9d}{count.found:6d}{count.precision:7.3f}{count.recall:8.3f}"
                f"{count.f1:7.3f} |{complete:9.3f}{correct:8.3f}{quality:8.3f}"
            )
    if pictures is not None:
        draw(pictures / "trondheim.png", "trondheim", shapes, np.concatenate(points))


def moved(building: Building, shift: Floats) -> Building:
    """A building elsewhere, for a picture."""
    solid = building.solid
    return replace(building, solid=Solid(solid.vertices + shift, solid.faces))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("DIABA_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="of surveys; all of them unless named")
    parser.add_argument("--data", type=Path, default=shared, help="where the surveys are")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the models")
    chosen = parser.parse_args()
    every = ["delft", "trondheim", *(name for name in SURVEYS if name != "delft")]
    if unknown := set(chosen.names) - set(every):
        parser.error(f"no survey {min(unknown)!r}; there are {', '.join(every)}")
    if not chosen.data.is_dir():
        print(f"no surveys at {chosen.data}: say where with --data or DIABA_SHARED_DATA")
        return
    for name in chosen.names or every:
        if name == "trondheim":
            trondheim(chosen.data, chosen.pictures)
        else:
            run(chosen.data, name, chosen.pictures)


if __name__ == "__main__":
    main()
