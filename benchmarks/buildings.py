"""Roofs of known shape from their points: how many come out with their true faces, how near, how fast.

`python benchmarks/buildings.py [--roofs 60] [--densities 1 2 4 8 10 16 50] [--noise 0.03]` makes roofs of each kind,
turned at random, 6 to 14 m wide and 8 to 20 m long, and reads them back from points scattered evenly over them with a
Gaussian error of height. Faces count as true when there are as many. Times are the processor's for LoD 1.2, 1.3 and 2.2
of a building with validation and attributes, on one core; then by stage. A saw-tooth of 120 × 120 m stands for the
large ones, thousands of buildings one after the other for memory (`--buildings 100000 --memory-density 2` is the long
run), and the same buildings in one and in two processes at once for scale. Nothing is chosen after the result.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from math import cos, radians, sin
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import shapely
from _building_stages import Stages
from _models import Roof
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Reason, Solid, Surface
from lidar.building_attributes import attributes_of
from lidar.reconstruct import block
from lidar.roof_models import detailed_models
from lidar.scene import roofs
from lidar.scene.shapes import Axes
from lidar.scene.solids import Cell, build_solid
from lidar.validate import defects, signed_volume

GROUND = 2.0
NOTHING = np.empty((0, 3))
KINDS = ("flat", "shed", "gable", "hip", "two levels", "dormer")
CORNER = (603_000.0, 1_191_000.0)


def made(kind: str, random: np.random.Generator) -> tuple[Polygon, list[Cell]]:
    """An outline and the cells of its roof."""
    turn = radians(random.uniform(0, 90))
    axes = Axes(*(np.array(CORNER) + random.uniform(0, 100, 2)), cos(turn), sin(turn))
    width, length = random.uniform(6, 14), random.uniform(8, 20)
    ring = axes.rectangle(0.0, 0.0, width, length)
    eave, slope = random.uniform(6, 15), random.uniform(0.3, 1.0)
    if kind == "flat":
        cells = roofs.flat(ring, eave)
    elif kind == "shed":
        cells = roofs.shed(ring, axes, eave, random.uniform(0.08, 0.4))
    elif kind == "gable":
        cells = roofs.gable(ring, axes, eave, slope)
    elif kind == "hip":
        cells = roofs.hip(ring, axes, eave, slope)
    elif kind == "two levels":
        cells = roofs.stepped(ring, axes, [random.uniform(0.3, 0.7) * length], [eave + random.uniform(1, 4), eave])
    else:
        cells = roofs.with_dormer(roofs.gable(ring, axes, eave, 0.8), axes, 0.8, 2.4, 2.0, 1.4)
    return shapely.set_precision(Polygon(ring), 0.001), cells


def scanned(cells: list[Cell], density: float, noise: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Points over the cells."""
    found = []
    for cell in cells:
        part = Polygon(cell.ring, cell.holes)
        low, high = np.array(part.bounds).reshape(2, 2)
        xy = random.uniform(low, high, (random.poisson(density * np.prod(high - low)), 2))
        xy = xy[shapely.contains_xy(part, xy[:, 0], xy[:, 1])]
        a, b, c = cell.plane
        found.append(np.column_stack([xy, xy @ (a, b) + c + random.normal(0, noise, len(xy))]))
    return np.concatenate(found)


def modelled(outline: Polygon, xyz: NDArray[np.float64]) -> tuple[dict[str, Solid], Reason]:
    """All models of a building, validated, with attributes."""
    roof = float(np.percentile(xyz[:, 2], 70))
    detailed = detailed_models(outline, xyz, NOTHING, GROUND, GROUND + 1.5)
    solids = {"1.2": block(outline, GROUND, round(roof, 3)), **detailed.solids}
    if defects(solids["1.2"]):
        raise SystemExit("the block is not valid")
    attributes_of(detailed, solids, xyz, GROUND, roof, (0.1, 1.0), outline.area)
    return solids, detailed.reason


def table(count: int, densities: list[float], noise: float) -> None:
    """Roofs with their true faces by kind, and errors over all."""
    print(f"{count} roofs of each kind; roofs with their true number of faces, %; noise {noise} m")
    print(
        "points/m²" + "".join(f"{kind:>11}" for kind in KINDS)
        + f"{'all':>8}{'RMSE m':>8}{'|vol| %':>8}{'LoD 2.2':>8}{'ms':>7}  reasons"
    )  # fmt: skip
    for density in densities:
        random = np.random.default_rng(5)
        true, errors, volumes, best, spent = Counter[str](), [], [], 0, 0.0
        reasons = Counter[str]()
        for kind in KINDS:
            for _ in range(count):
                outline, cells = made(kind, random)
                xyz = scanned(cells, density, noise, random)
                began = time.process_time()
                solids, reason = modelled(outline, xyz)
                spent += time.process_time() - began
                reasons[reason.value] += 1
                model = solids[max(solids)]
                best += "2.2" in solids
                faces = sum(face.surface is Surface.ROOF for face in model.faces)
                true[kind] += "2.2" in solids and faces == len(cells)
                truth = build_solid(cells, GROUND)
                volumes.append(abs(signed_volume(model) / signed_volume(truth) - 1))
                xy = random.uniform(*np.array(outline.bounds).reshape(2, 2), (400, 2))
                errors.append(float(np.nanmean((Roof.of(model).heights(xy) - Roof.of(truth).heights(xy)) ** 2)))
        every = count * len(KINDS)
        print(
            f"{density:9g}" + "".join(f"{100 * true[kind] / count:11.1f}" for kind in KINDS)
            + f"{100 * sum(true.values()) / every:8.1f}{np.sqrt(np.median(errors)):8.3f}{100 * np.median(volumes):8.2f}"
            f"{100 * best / every:8.1f}{1000 * spent / every:7.1f}  {dict(reasons)}",
            flush=True,
        )  # fmt: skip


def saw_tooth(side: float, density: float, noise: float) -> None:
    """A factory's roof."""
    random = np.random.default_rng(6)
    axes = Axes(*CORNER, cos(0.3), sin(0.3))
    ring = axes.rectangle(0.0, 0.0, side, side)
    cells = roofs.saw_tooth(ring, axes, 8.0, 0.5, round(side / 8.0))
    xyz = scanned(cells, density, noise, random)
    outline = shapely.set_precision(Polygon(ring), 0.001)
    modelled(outline, xyz)  # compiled code is loaded
    began = time.process_time()
    solids, reason = modelled(outline, xyz)
    spent = time.process_time() - began
    faces = sum(face.surface is Surface.ROOF for face in solids[max(solids)].faces)
    print(
        f"\nsaw-tooth {side:g} × {side:g} m, {len(xyz):,} points: {spent:.2f} s, LoD {max(solids)}, "
        f"{faces} faces of {len(cells)} ({reason.value})"
    )


def stages(count: int, density: float, noise: float) -> None:
    """Where the time of ordinary buildings goes."""
    random = np.random.default_rng(8)
    samples = [made(kind, random) for kind in KINDS for _ in range(count)]
    points = [scanned(cells, density, noise, random) for _, cells in samples]
    own = sys.modules[__name__]
    with Stages(
        ("block of LoD 1.2", own, "block"), ("its validity", own, "defects"), ("attributes", own, "attributes_of")
    ) as by:
        began = time.process_time()
        for (outline, _), xyz in zip(samples, points, strict=True):
            modelled(outline, xyz)
        total = time.process_time() - began
    print(f"\nby stage, {len(samples)} roofs at {density:g} points/m², {1000 * total / len(samples):.2f} ms each:")
    print(by.table(len(samples), total))


def memory(buildings: int, density: float, noise: float) -> None:
    """What many buildings one after the other leave behind."""
    random = np.random.default_rng(7)
    samples = [made(kind, random) for kind in KINDS]
    points = [scanned(cells, density, noise, random) for _, cells in samples]
    for (outline, _), xyz in zip(samples, points, strict=True):
        modelled(outline, xyz)
    gc.collect()
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the kernel counts the peak anew
    marks = []
    for k in range(buildings):
        modelled(samples[k % len(samples)][0], points[k % len(samples)])
        if (k + 1) % max(buildings // 10, 1) == 0:
            marks.append(_resident("VmRSS") - before)
    print(
        f"\nmemory beyond {before:.0f} MiB of program and points, {buildings:,} buildings at {density:g} points/m²: "
        f"peak {_resident('VmHWM') - before:.1f} MiB; after each tenth " + " ".join(f"{mark:.1f}" for mark in marks)
    )


def _resident(name: str) -> float:
    """MiB, of a line of /proc/self/status."""
    found = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith(name + ":"))
    return int(found.split()[1]) / 1024


def _worked(count: int, density: float, noise: float) -> tuple[float, float]:
    """When a process's buildings were done, by everybody's clock, and its processor's seconds for them."""
    random = np.random.default_rng(9)
    samples = [made(kind, random) for kind in KINDS]
    points = [scanned(cells, density, noise, random) for _, cells in samples]
    for (outline, _), xyz in zip(samples, points, strict=True):
        modelled(outline, xyz)
    began, spent = time.perf_counter(), time.process_time()
    for k in range(count):
        modelled(samples[k % len(samples)][0], points[k % len(samples)])
    return time.perf_counter() - began, time.process_time() - spent


def scale(count: int, density: float, noise: float) -> None:
    """Buildings in one process and in two at once: linear if two make twice as many in the time of one."""
    print(f"\nscale, {count:,} buildings a process at {density:g} points/m²:")
    rates = []
    for workers in (1, 2):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            found = list(pool.map(_worked, [count] * workers, [density] * workers, [noise] * workers))
        rates.append(sum(count / clock for clock, _ in found))
        cost = 1000 * sum(spent for _, spent in found) / (workers * count)
        print(f"  {workers} at once: {rates[-1]:6.1f} buildings/s, {cost:.2f} ms of the processor each")
    print(f"  two make {rates[1] / rates[0]:.2f} times as many as one")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roofs", type=int, default=60)
    parser.add_argument("--densities", type=float, nargs="+", default=[1, 2, 4, 8, 10, 16, 50])
    parser.add_argument("--noise", type=float, default=0.03)
    parser.add_argument("--buildings", type=int, default=5_000, help="one after the other, for memory")
    parser.add_argument("--memory-density", type=float, default=10.0)
    parser.add_argument("--each", type=int, default=600, help="buildings a process, for scale")
    parser.add_argument("--only", choices=("table", "stages", "saw-tooth", "memory", "scale"), help="one part")
    chosen = parser.parse_args()
    random = np.random.default_rng(0)
    outline, cells = made("dormer", random)
    modelled(outline, scanned(cells, 8.0, chosen.noise, random))  # compiles
    if chosen.only in (None, "table"):
        table(chosen.roofs, chosen.densities, chosen.noise)
    if chosen.only in (None, "stages"):
        stages(chosen.roofs, 10.0, chosen.noise)
    if chosen.only in (None, "saw-tooth"):
        saw_tooth(120.0, 10.0, chosen.noise)
    if chosen.only in (None, "memory"):
        memory(chosen.buildings, chosen.memory_density, chosen.noise)
    if chosen.only in (None, "scale"):
        scale(chosen.each, 10.0, chosen.noise)


if __name__ == "__main__":
    main()
