"""The same ward some years on: some houses are new, gone, higher, lower, larger or smaller; earth was moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import shapely
from shapely import Polygon

from lidar.scene.designs import Design, facing
from lidar.scene.land import NODE_M, Terrain
from lidar.scene.owners import draw_wishes
from lidar.scene.planting import pushed_out
from lidar.scene.plots import Plan, Plot
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Later
from lidar.scene.roof_heights import roof_heights
from lidar.scene.rows import FLIGHT_DAY, Row
from lidar.scene.scanner import Flight, plan_flight
from lidar.scene.shapes import clip, ring_of, snapped
from lidar.scene.stock import Standing, ground_height, parcel_uid
from lidar.scene.structures import structure
from lidar.scene.ward import EARTHWORK_DEPTH_M, Ward, assembled, terrain_of

LATER_DEPTH_M = {"excavation": 0.0, "filled": 0.0, "unfilled": -0.7}
"""An excavation was closed, what had been filled was carried away, a low lot and its pond were filled."""
SECOND_FLIGHT = 1_000_003
"""Added to the seed, so that the second flight's strips and noise are others."""
LEAST_AREA_M2 = 4.0
"""By less no house grows or shrinks: nobody would see it from the air."""
EXTENSION_M, REDUCTION_M = (2.0, 4.0), (2.0, 3.5)
MOVED_M = 0.05
"""Least change of a node's height that counts as earth moved."""

Change = Callable[[Plot, Design, np.random.Generator], Design | None]


def flown_again(later: Later) -> date:
    """The day of the second flight."""
    return FLIGHT_DAY + timedelta(days=round(365.25 * later.years))


def later_ward(ward: Ward) -> tuple[Ward, dict[str, Any]]:
    """The ward after its changes, and the document of `truth/changes.json`."""
    recipe, seed, plan = ward.recipe, ward.seed, ward.plan
    terrain = terrain_of(ward.layout, plan, recipe, seed, EARTHWORK_DEPTH_M | LATER_DEPTH_M)
    changed = _changed(ward)
    stock: list[Standing] = []
    rows: list[Row] = []
    for standing in ward.stock:
        change, design = changed.pop(standing.plot, ("", standing.built))
        if not change:
            stock.append(standing)
            continue
        after = None if design is None else _built(standing, design, terrain, seed)
        rows.append(_row(change, standing, after))
        if after is not None:
            stock.append(after)
    for plot, (change, design) in changed.items():
        if design is not None:
            after = _built(None, design, terrain, seed, plot)
            rows.append(_row(change, None, after))
            stock.append(after)
    stock.sort(key=lambda standing: standing.plot)
    made = assembled(recipe, seed, ward.layout, plan, terrain, stock, ward.registers)
    document = {
        "flown": [FLIGHT_DAY.isoformat(), flown_again(recipe.later).isoformat()],
        "shift_m": dict(zip(("east", "north", "up"), _shift(ward), strict=True)),
        "buildings": sorted(rows, key=lambda row: (row["building_uid"], row["change"])),
        "earth": _earth(plan, ward.terrain, terrain),
    }
    return made, document


def later_flight(ward: Ward) -> Flight:
    """Another flight over it, whose whole survey lies a little beside the first one's."""
    flight = Flight(ward.world, ward.recipe.scanner, ward.seed + SECOND_FLIGHT)
    later = ward.recipe.later
    beside = (later.east_m, -later.south_m, -later.low_m)
    flight.strips = [
        replace(strip, shift=(strip.shift[0] + beside[0], strip.shift[1] + beside[1], strip.shift[2] + beside[2]))
        for strip in flight.strips
    ]
    return flight


def _shift(ward: Ward) -> list[float]:
    """By how much the later survey lies beside the earlier: as the recipe says, and what its strips happen to have."""
    scanner, size, later = ward.recipe.scanner, ward.world.size, ward.recipe.later
    first, second = (
        np.mean([strip.shift for strip in plan_flight(scanner, size, ward.seed + more)], axis=0)
        for more in (0, SECOND_FLIGHT)
    )
    beside = np.array([later.east_m, -later.south_m, -later.low_m])
    return [round(float(x), 4) for x in beside + second - first]


def _changed(ward: Ward) -> dict[int, tuple[str, Design | None]]:
    """By plot: what happens, and what stands there afterwards."""
    later, plan = ward.recipe.later, ward.plan
    houses = {s.plot: s.built for s in ward.stock if s.built.kind in ("house", "shop", "villa")}
    rng = stream(ward.seed, "later")
    free = [int(plot) for plot in rng.permutation(sorted(houses))]
    made: dict[int, tuple[str, Design | None]] = {}
    wanted: list[tuple[str, float, Change]] = [
        ("demolished", later.demolished_share, lambda plot, design, rng: design),
        ("taller", later.taller_share, _taller),
        ("lower", later.lower_share, _lower),
        ("extended", later.extended_share, _extended),
        ("reduced", later.reduced_share, _reduced),
    ]
    for change, share, make in wanted:
        count = max(later.at_least, round(share * len(houses))) if share else 0
        for plot in [plot for plot in free if plot not in made]:
            if count == 0:
                break
            design = make(plan.plots[plot], houses[plot], stream(ward.seed, "later", plot))
            if design is not None:
                made[plot] = (change, None if change == "demolished" else design)
                count -= 1
    empty = draw_wishes(plan, ward.recipe, ward.seed).empty
    plots = [int(plot) for plot in stream(ward.seed, "later", "new").permutation(sorted(empty))]
    count = max(later.at_least, round(later.new_share * len(empty))) if later.new_share else 0
    return made | {plot: ("new", empty[plot]) for plot in plots[:count]}


def _taller(plot: Plot, design: Design, rng: np.random.Generator) -> Design | None:
    return replace(design, floors=design.floors + int(rng.choice((1, 1, 2))), status="finished")


def _lower(plot: Plot, design: Design, rng: np.random.Generator) -> Design | None:
    return replace(design, floors=design.floors - 1) if design.floors >= 3 else None


def _extended(plot: Plot, design: Design, rng: np.random.Generator) -> Design | None:
    """Built into the rear yard, as far as the plot goes."""
    rear = facing(design.ring, -plot.axes.uy, plot.axes.ux)
    if rear[:2] == (0.0, 0.0) or design.holes or design.kind == "villa":
        return None
    grown = Polygon(pushed_out(design.ring, rear, between(rng, EXTENSION_M)))
    inside = shapely.intersection(grown, plot.polygon) if grown.is_valid else Polygon()
    if inside.geom_type != "Polygon" or inside.area < design.polygon.area + LEAST_AREA_M2:
        return None
    cleaned = shapely.remove_repeated_points(inside, 0.05)
    return replace(design, ring=ring_of(cleaned)) if isinstance(cleaned, Polygon) else None


def _reduced(plot: Plot, design: Design, rng: np.random.Generator) -> Design | None:
    """The rear part was taken down."""
    rear = facing(design.ring, -plot.axes.uy, plot.axes.ux)
    if rear[:2] == (0.0, 0.0) or design.holes or design.well:
        return None
    ring = clip(design.ring, rear[0], rear[1], rear[2] + between(rng, REDUCTION_M))
    if len(ring) < 3 or not Polygon(ring).is_valid or Polygon(ring).area < 14.0:
        return None
    return replace(design, ring=ring) if Polygon(ring).area < design.polygon.area - LEAST_AREA_M2 else None


def _built(standing: Standing | None, design: Design, terrain: Terrain, seed: int, plot: int = -1) -> Standing:
    """What stands after the change; drawn by the same randomness as before, so that only the change is one."""
    plot = plot if standing is None else standing.plot
    made = structure(design, ground_height(terrain, design.polygon), stream(seed, "building", plot))
    uid = f"b-{plot + 1:06d}" if standing is None else standing.uid
    permitted = design if standing is None else standing.permitted
    return Standing(uid, plot, permitted, design, made, roof_heights(made.solid), snapped(design.polygon))


def _row(change: str, before: Standing | None, after: Standing | None) -> Row:
    """One change: heights of the roof's 70th percentile above the datum and areas, before and after."""
    subject = after or before
    assert subject is not None  # noqa: S101  one of both is there
    heights = [None if one is None else round(one.heights.p70, 3) for one in (before, after)]
    areas = [None if one is None else round(one.footprint.area, 2) for one in (before, after)]
    return {
        "building_uid": subject.uid,
        "parcel_uid": parcel_uid(subject.plot),
        "change": change,
        "roof_before": heights[0],
        "roof_after": heights[1],
        "area_before": areas[0],
        "area_after": areas[1],
    }


def _earth(plan: Plan, before: Terrain, after: Terrain) -> dict[str, Any]:
    """Volumes of the earth moved, exact on the terrain's nodes: in all, and by plot."""
    moved = after.heights.astype(np.float64) - before.heights
    moved[np.abs(moved) < MOVED_M] = 0.0
    cell = NODE_M**2
    plots = []
    for index, plot in enumerate(plan.plots):
        if plot.kind not in LATER_DEPTH_M:
            continue
        r, c = np.nonzero(moved)
        inside = shapely.contains_xy(plot.polygon, (c + 0.5) * NODE_M, (r + 0.5) * NODE_M)
        own = moved[r[inside], c[inside]]
        plots.append(
            {
                "parcel_uid": parcel_uid(index),
                "kind": plot.kind,
                "fill": round(float(own[own > 0].sum() * cell), 2),
                "cut": round(float(np.abs(own[own < 0]).sum() * cell), 2),
                "area": round(float(np.count_nonzero(own) * cell), 2),
            }
        )
    return {
        "fill": round(float(moved[moved > 0].sum() * cell), 2),
        "cut": round(float(np.abs(moved[moved < 0]).sum() * cell), 2),
        "plots": plots,
    }
