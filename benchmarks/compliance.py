"""How well differences between the measured and the permitted city are found, and how honest the false-alarm rate is.

Wards are simulated, surveyed and built; then every difference is known exactly. For each kind: recall of what is larger
than the survey can resolve (`gis.construction.compliance.resolvable`: told from density and accuracy alone) and of what
is smaller, precision of all that is flagged, recall by size, look-alikes flagged. The calibration puts every building's
limits where the building truly stands, less the tolerance, so that it is just legal: the share flagged then is the
false-alarm rate achieved, with its 95 % interval, beside the one chosen.

    .venv/bin/python benchmarks/compliance.py [--seeds 1 2 3 4 5] [--densities 8] [--size 1000] [--keep DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

import geopandas as gpd
import numpy as np
import shapely
from _compliance_truth import Real, Truth, read_truth
from scipy.stats import beta

from api.compliance import observations_of, permits_of, roads_of, zones_of
from gis.bounds import BoundingBox
from gis.construction.compliance import ComplianceParameters, Difference, Kind, Observation, Parcel, differences
from gis.construction.compliance.adjust import adjusted
from gis.construction.compliance.resolvable import Survey
from gis.construction.compliance.storeys import storeys_of
from gis.construction.compliance.walls import farthest_beyond, outside_of, walls_of
from gis.crs import horizontal
from gis.grid import Grid
from gis.settings import DEFAULT_CRS
from lidar.footprints import read_footprints
from lidar.pipeline import DEFAULT_BUFFER, RESOLUTION, process_tile
from lidar.scene.make import make_scene
from lidar.scene.recipe import Recipe, read_recipe
from lidar.tile import Tile

RATES = (0.001, 0.01, 0.05, 0.10)
BINS = (0.15, 0.30, 0.45, 0.60, 0.75, 0.90, 1.2, 2.0, 3.0, 4.5, inf)
"""m, of walls and heights."""
WALLS, FRONT = 4, 4.0
"""Of a row house: walls at a line, and metres of a wall in front."""
METRES = (Kind.STOREYS, Kind.FOOTPRINT, Kind.PARCEL_LINE, Kind.SETBACK, Kind.RESERVE)
COLUMNS = (
    "uid", "height", "sigma_height", "sigma_area", "point_density", "no_data_fraction", "attributes",
    "roof_height_max", "ground_height",
)  # fmt: skip


@dataclass(frozen=True)
class Ward:
    """One scene, compared."""

    seed: int
    density: float
    truth: Truth
    observations: list[Observation]
    found: list[Difference]
    seconds: float


class Table(TypedDict):
    """What the wards of one density show."""

    kinds: dict[str, dict[str, float]]
    """Kind → counts and shares, above and below what can be resolved."""
    curves: dict[str, list[list[float]]]
    """Kind → for each bin of sizes how many there are, and how many were found."""
    look_alikes: dict[str, int]
    calibration: dict[str, dict[str, list[float]]]
    seconds: list[float]
    buildings: list[int]


def main() -> None:
    """Make, compare, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    options.add_argument("--densities", type=float, nargs="+", default=[8.0])
    options.add_argument("--size", type=int, default=1000, help="Metres of a ward's side.")
    options.add_argument("--keep", type=Path, help="Folder for scenes and observations, used again by the next run.")
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    with TemporaryDirectory() as temporary:
        keep = asked.keep or Path(temporary)
        tables: dict[str, Table] = {}
        for density in asked.densities:
            wards = [_ward(keep, seed, density, asked.size) for seed in asked.seeds]
            tables[f"{density:g}"] = _table(wards)
            if not asked.json:
                _print(density, tables[f"{density:g}"])
    if asked.json:
        print(json.dumps(tables, indent=2))


def _ward(keep: Path, seed: int, density: float, size: int) -> Ward:
    folder = keep / f"ward_{size}_{seed}_{density:g}"
    measured = _measured(folder, seed, density, size)
    register = folder / "registers.gpkg"
    permits = gpd.read_file(register, layer="permits")
    permits = permits_of(permits[permits["status"] == "valid"])
    lots = gpd.read_file(register, layer="parcels")
    parcels = [Parcel(uid, boundary) for uid, boundary in zip(lots["uid"], lots.geometry, strict=True)]
    roads = roads_of(gpd.read_file(register, layer="roads"))
    zones = zones_of(gpd.read_file(register, layer="planning_zones"))
    observations = observations_of(measured)
    started = time.perf_counter()
    found = differences(observations, permits, parcels, roads, zones=zones)
    seconds = time.perf_counter() - started
    return Ward(seed, density, read_truth(folder, permits, roads, zones), observations, found, seconds)


def _measured(folder: Path, seed: int, density: float, size: int) -> gpd.GeoDataFrame:
    """The buildings the chain makes of a scene, without their models; kept beside the scene."""
    kept = folder / "measured.pkl"
    if kept.exists():
        return pickle.loads(kept.read_bytes())  # noqa: S301  written by this program
    recipe = _sized(read_recipe("ward"), size)
    print(f"making seed {seed}, {density:g} points/m², {size} m", file=sys.stderr)
    make_scene(folder, recipe, seed, density=density)
    crs = horizontal(DEFAULT_CRS)
    west, south = recipe.extent.origin_m
    bounds = BoundingBox(west, south, west + size, south + size, crs)
    known = read_footprints(folder / "registers.gpkg", layer="footprints")
    tile = Tile("ward", bounds, tuple(sorted((folder / "lidar").glob("*.laz"))), DEFAULT_CRS, DEFAULT_BUFFER)
    made = process_tile(tile, known, Grid.covering(bounds, RESOLUTION)).buildings
    frame = gpd.GeoDataFrame(
        {name: [getattr(one, name) for one in made] for name in COLUMNS},
        geometry=[one.footprint for one in made],
        crs=crs,
    )
    kept.write_bytes(pickle.dumps(frame))
    return frame


def _sized(recipe: Recipe, size: int) -> Recipe:
    """A ward of another side, with as many sites for its area."""
    if size == recipe.extent.size_m:
        return recipe
    share = (size / recipe.extent.size_m) ** 2
    sites = tuple(replace(site, count=int(site.count * share)) for site in recipe.sites)
    return replace(
        recipe,
        extent=replace(recipe.extent, size_m=float(size), tile_m=float(size)),
        sites=tuple(site for site in sites if site.count),
    )


def _table(wards: list[Ward]) -> Table:
    parameters = ComplianceParameters()
    kinds: dict[str, dict[str, float]] = {}
    curves: dict[str, list[list[float]]] = {}
    for kind in Kind:
        counts: dict[str, float] = defaultdict(float)
        by_size = np.zeros((len(BINS) - 1, 2))
        for ward in wards:
            survey = Survey(ward.density)
            flagged = [one for one in ward.found if one.kind is kind]
            hit = {key for one in flagged for key in (one.building_uid, one.parcel_uid) if key}
            for real in (one for one in ward.truth.real if one.kind is kind):
                is_found = real.building in hit or real.parcel in hit
                side = "above" if real.size >= _resolvable(real, ward.truth, survey, parameters) else "below"
                counts[side] += 1
                counts[f"{side}_found"] += is_found
                if kind in METRES:
                    place = int(np.clip(np.searchsorted(BINS, real.size, side="right") - 1, 0, len(BINS) - 2))
                    by_size[place] += (1, is_found)
            places = ward.truth.places
            counts["flagged"] += len(flagged)
            counts["false"] += sum(not _is_real(one, places) for one in flagged)
        if counts:
            kinds[kind.value] = _figures(counts)
        if by_size.any():
            curves[kind.value] = by_size.tolist()
    alike, seen = 0, 0
    for ward in wards:
        places = ward.truth.places
        wrong = {d.building_uid for d in ward.found if not _is_real(d, places)}
        wrong |= {f"b-{(d.parcel_uid or '').removeprefix('p-')}" for d in ward.found if not _is_real(d, places)}
        alike += sum(uid in wrong for uid in ward.truth.look_alikes)
        seen += len(ward.truth.look_alikes)
    return {
        "kinds": kinds,
        "curves": curves,
        "look_alikes": {"number": seen, "flagged_wrongly": alike},
        "calibration": _calibration(wards),
        "seconds": [round(ward.seconds, 1) for ward in wards],
        "buildings": [len(ward.observations) for ward in wards],
    }


def _is_real(found: Difference, places: set[tuple[str, str]]) -> bool:
    return any((found.kind.value, key) in places for key in (found.building_uid, found.parcel_uid) if key)


def _figures(counts: dict[str, float]) -> dict[str, float]:
    def share(part: float, whole: float) -> float:
        return round(part / whole, 4) if whole else float("nan")

    return {
        "above": counts["above"],
        "recall_above": share(counts["above_found"], counts["above"]),
        "below": counts["below"],
        "recall_below": share(counts["below_found"], counts["below"]),
        "flagged": counts["flagged"],
        "false": counts["false"],
        "precision": share(counts["flagged"] - counts["false"], counts["flagged"]),
    }


def _resolvable(real: Real, truth: Truth, survey: Survey, parameters: ComplianceParameters) -> float:
    """The least size of this kind that the survey finds in 95 of 100, for what is known of the building beforehand."""
    known = real.building in truth.on_map

    def wall(tolerance: float) -> float:
        return survey.wall_detectable(tolerance, FRONT, parameters, known=known, measured=True, walls=WALLS)

    if real.kind in (Kind.FOOTPRINT, Kind.SETBACK):
        return wall(parameters.outline_tolerance)
    if real.kind is Kind.RESERVE:
        return wall(parameters.line_tolerance)
    if real.kind is Kind.PARCEL_LINE:  # an outline from points tells no parcel line
        return wall(parameters.line_tolerance) if known else inf
    if real.kind is Kind.STOREYS:
        shape = truth.buildings.geometry[real.building]
        return survey.height_detectable(shape.area, shape.length, parameters)
    if real.kind is Kind.ZONE:
        row = truth.buildings.loc[real.building]
        sigma = survey.height_sigma(row.geometry.area, row.geometry.length)
        sure = storeys_of(row.height - 1.645 * sigma, sigma).more_than(row.floors - real.size)
        return 0.0 if real.size >= 1 and sure >= 1.0 - parameters.false_alarm_rate else inf
    return 0.0


def _calibration(wards: list[Ward]) -> dict[str, dict[str, list[float]]]:
    """Per kind and chosen rate: share flagged of buildings that are just legal, its 95 % interval, and how many."""
    tested: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    basic = ComplianceParameters()
    for ward in wards:
        real = {(one.building, one.kind) for one in ward.truth.real}
        for seen in adjusted(ward.observations):
            if seen.uid not in ward.truth.buildings.index or not np.isfinite(seen.height):
                continue
            true = ward.truth.buildings.loc[seen.uid]
            if (seen.uid, Kind.STOREYS) not in real:
                tested["storeys"].append(((seen.height - true.height) / seen.sigma_upward, 1))
            tested["ground_level"].append(((true.ground_height - seen.ground) / seen.sigma_level, 1))
            walls = walls_of(seen, seen.footprint)
            for name, tolerance in (("footprint", basic.outline_tolerance), ("parcel_line", basic.line_tolerance)):
                allowed = shapely.buffer(true.geometry, -tolerance, join_style="mitre")
                if shapely.is_empty(allowed):
                    continue
                beyond = farthest_beyond(walls, outside_of(allowed))
                if beyond is not None:
                    tested[name].append(((beyond.depth - tolerance) / beyond.sigma, beyond.walls))
    found: dict[str, dict[str, list[float]]] = {}
    for kind, rows in tested.items():
        table = np.array(rows)
        found[kind] = {}
        for rate in RATES:
            parameters = ComplianceParameters(false_alarm_rate=rate)
            limit = np.array([parameters.k_of(int(tests)) for tests in table[:, 1]])
            hits, n = int((table[:, 0] > limit).sum()), len(table)
            low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
            found[kind][f"{rate:g}"] = [hits / n, low, float(beta.ppf(0.975, hits + 1, n - hits)), n]
    return found


def _print(density: float, table: Table) -> None:
    print(f"\n{density:g} points/m²; buildings {table['buildings']}, compared in {table['seconds']} s")
    print(f"{'kind':13}{'above':>7}{'recall':>8}{'below':>7}{'recall':>8}{'flagged':>9}{'false':>7}{'precision':>11}")
    for kind, row in table["kinds"].items():
        print(
            f"{kind:13}{row['above']:7.0f}{row['recall_above']:8.3f}{row['below']:7.0f}{row['recall_below']:8.3f}"
            f"{row['flagged']:9.0f}{row['false']:7.0f}{row['precision']:11.3f}"
        )
    print("\nrecall by size, m" + "".join(f"{low:>9g}–" for low in BINS[:-1]))
    for kind, rows in table["curves"].items():
        print(f"{kind:17}" + "".join(f"{int(f):>5}/{int(n):<4}" if n else " " * 10 for n, f in rows))
    print("\nfalse alarms among the just legal: chosen → achieved [95 %]")
    for kind, rates in table["calibration"].items():
        told = "  ".join(f"{float(r):.1%} → {a:.2%} [{lo:.2%}, {hi:.2%}]" for r, (a, lo, hi, _) in rates.items())
        print(f"{kind:13}{told}  n {int(next(iter(rates.values()))[3])}")
    print(f"look-alikes: {table['look_alikes']}")


if __name__ == "__main__":
    main()
