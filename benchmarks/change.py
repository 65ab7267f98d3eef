"""Buildings that changed between two simulated surveys, found by the whole chain, against the truth.

`python benchmarks/change.py [--recipe alley] [--seed 1 2 3] [--density 4 8] [--rate 0.01]` makes a scene and its later
state, flies over both, runs the whole chain (classify, terrain, outlines, reconstruct) on each with the base map of the
first, compares them, and prints for each kind of change, and for classes of its size (m of height, m² of area), how
many there were, how many were found (recall), how many of those flagged are true (precision), and the share of
unchanged buildings that were flagged beside the rate that was asked for. Then: how the surveys lie, estimated and true;
volumes of earth moved, measured and true. A change counts as found if one of its kind is flagged on its lot.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas as gpd
import shapely

from gis.bounds import BoundingBox
from gis.city_model.building import Building
from gis.crs import horizontal
from gis.grid import Grid
from gis.settings import DEFAULT_CRS
from lidar.catalog import scan, tiles_over
from lidar.change.buildings import Change, ChangeParameters, Measured, Surfaces, building_changes
from lidar.change.earth import earth_moved
from lidar.change.registration import register
from lidar.footprints import Footprints
from lidar.pipeline import DEFAULT_BUFFER, TileProducts, process_tile
from lidar.scene.make import make_scene
from lidar.scene.recipe import Recipe, read_recipe

CLASSES = {"m": (2.0, 3.0, 4.0, 6.0), "m²": (4.0, 6.0, 8.0, 12.0, 20.0, 50.0)}
"""Lower bounds of the classes of size."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="alley")
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--density", type=float, nargs="+", default=[8.0])
    parser.add_argument("--rate", type=float, default=0.01)
    chosen = parser.parse_args()
    for density in chosen.density:
        true, hits, false, unchanged = Counter[str](), Counter[str](), Counter[str](), 0
        for seed in chosen.seed:
            started = time.perf_counter()
            recipe = read_recipe(chosen.recipe)
            recipe = replace(recipe, scanner=replace(recipe.scanner, density_per_m2=density))
            found = compare(recipe, seed, chosen.rate)
            true.update(found["true"])
            hits.update(found["hits"])
            false.update(found["false"])
            unchanged += found["unchanged"]
            print(f"seed {seed}, {density:g} points/m²: {time.perf_counter() - started:.0f} s; {found['said']}")
        print(f"{'change':22}{'true':>6}{'found':>7}{'recall':>8}{'false':>7}{'precision':>11}")
        for name in sorted({*true, *false}):
            recall = hits[name] / true[name] if true[name] else float("nan")
            flagged = hits[name] + false[name]
            precision = hits[name] / flagged if flagged and " " not in name else float("nan")
            print(f"{name:22}{true[name]:6}{hits[name]:7}{recall:8.3f}{false[name]:7}{precision:11.3f}")
        alarms = sum(false.values())
        print(
            f"{alarms} false alarms on {unchanged} unchanged buildings, {alarms / max(unchanged, 1):.4f} in all kinds;"
        )
        print(f"asked for: {chosen.rate:g} for each of six kinds")


def compare(recipe: Recipe, seed: int, rate: float) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        scenes = [Path(folder) / name for name in ("earlier", "later")]
        for scene, later in zip(scenes, (False, True), strict=True):
            density = recipe.scanner.density_per_m2 * (recipe.later.density_share if later else 1)
            make_scene(scene, recipe, seed, density=density, later=later)
        registers = scenes[0] / "registers.gpkg"
        known, lots = (gpd.read_file(registers, layer=layer) for layer in ("footprints", "parcels"))
        before, after = (products(scene, recipe, known, lots) for scene in scenes)
        truth = json.loads((scenes[1] / "truth" / "changes.json").read_bytes())
    first, second = before.terrain, after.terrain
    lie = register(first.ndsm, second.ndsm, (first.dtm, second.dtm))
    surfaces = Surfaces(first.dsm, lie.put_back(second.dsm), first.ndsm, lie.put_back(second.ndsm, heights=False))
    registers_of = [[measured(one) for one in made.buildings] for made in (before, after)]
    plots = dict(zip(lots["uid"], lots.geometry, strict=True))
    found = building_changes(
        *registers_of, surfaces, lie, ChangeParameters(false_alarm_rate=rate), list(plots.values())
    )
    rows = {(row["parcel_uid"], row["change"]): row for row in truth["buildings"]}
    true, hits, false = Counter[str](), Counter[str](), Counter[str]()
    for (_, change), row in rows.items():
        true.update([change, sized(change, row)])
    seen = set()
    for one in found:
        plot = max(plots, key=lambda uid: float(shapely.area(plots[uid].intersection(one.place))))
        key = (plot, one.change.value)
        if key in rows and key not in seen:
            seen.add(key)
            hits.update([one.change.value, sized(one.change.value, rows[key])])
        elif key not in rows:
            false.update([one.change.value])
            print("  false:", one.uid, one.change.value, plot, round(one.delta, 2), dict(one.evidence))
    for key in rows:
        if key not in seen:
            print("  missed:", *key, sized(key[1], rows[key]))
    moved = earth_moved(first.dtm, second.dtm, registration=lie)
    shift = truth["shift_m"]
    said = (
        f"east {lie.east:+.3f} ± {lie.sigma_east:.3f} (true {shift['east']:+.3f}), north {lie.north:+.3f} ± "
        f"{lie.sigma_north:.3f} ({shift['north']:+.3f}), up {lie.up:+.3f} ± {lie.sigma_up:.3f} ({shift['up']:+.3f}); "
        f"fill {moved.fill.volume:,.0f} ± {moved.fill.sigma:,.0f} m³ (true {truth['earth']['fill']:,.0f}), "
        f"cut {moved.cut.volume:,.0f} ± {moved.cut.sigma:,.0f} m³ ({truth['earth']['cut']:,.0f})"
    )
    unchanged = len(before.buildings) - sum(change != "new" for _, change in rows)
    return {"true": true, "hits": hits, "false": false, "unchanged": unchanged, "said": said}


def products(scene: Path, recipe: Recipe, known: gpd.GeoDataFrame, lots: gpd.GeoDataFrame) -> TileProducts:
    x, y = recipe.extent.origin_m
    size, crs = recipe.extent.size_m, horizontal(DEFAULT_CRS)
    bounds = BoundingBox(x, y, x + size, y + size, crs)
    side = max(1000.0, size)
    (tile,) = tiles_over(scan([scene / "lidar"]), side, DEFAULT_BUFFER, bounds)
    outlines, plots = (
        Footprints.of(list(zip(frame["uid"], frame.geometry, strict=True)), crs) for frame in (known, lots)
    )
    return process_tile(tile, outlines, Grid.covering(bounds, 0.5), plots)


def measured(one: Building) -> Measured:
    gone = one.attributes.get("ground_fraction", 0.0) > 0.5
    return Measured(
        one.uid,
        one.footprint,
        one.roof_height_70p,
        one.height,
        one.sigma_height,
        one.sigma_area * 2**0.5 / one.footprint.length,
        standing=bool(not gone and one.height >= 2.0),
        known=one.attributes.get("footprint_source") != "derived",
    )


def sized(change: str, row: dict[str, Any]) -> str:
    """The class of a change's size."""
    by_height = change in (Change.TALLER, Change.LOWER)
    name = "roof" if by_height else "area"
    size = abs((row[f"{name}_after"] or 0) - (row[f"{name}_before"] or 0))
    unit = "m" if by_height else "m²"
    least = max((bound for bound in CLASSES[unit] if bound <= size), default=0.0)
    return f"{change} ≥ {least:g} {unit}"


if __name__ == "__main__":
    main()
