"""The buildings that stand, each with what was permitted for it: some differ, and some only look as if they did."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.random import Generator
from shapely import Polygon

from lidar.scene.designs import Design, HalfPlane, facing, yards
from lidar.scene.land import NODE_M, Terrain
from lidar.scene.plots import Plan, Plot
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Recipe
from lidar.scene.roof_heights import RoofHeights, roof_heights
from lidar.scene.shapes import Ring, clip, snapped
from lidar.scene.structures import Structure, structure

DIFFERENCES = ("no_permit", "storeys", "footprint", "parcel_line", "setback")
LOOK_ALIKES = (
    "legacy_certificate",
    "renovation",
    "temporary",
    "roof_fixtures",
    "tree_over_roof",
    "tall_storeys",
    "older_parcel_uid",
    "missing_footprint",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A building that stands on a plot."""

    uid: str
    plot: int
    permitted: Design
    """What its permit or certificate says; for a building without either, what stands."""
    built: Design
    structure: Structure
    heights: RoofHeights
    footprint: Polygon
    difference: str | None = None
    look_alike: str | None = None


def parcel_uid(plot: int) -> str:
    """The parcel on a plot."""
    return f"p-{plot + 1:06d}"


def build_stock(plan: Plan, natural: dict[int, Design], terrain: Terrain, recipe: Recipe, seed: int) -> list[Standing]:
    """Build the owners' designs, by plot; plant differences and look-alikes."""
    planted, alike = _assign(plan, natural, recipe, seed)
    stock = []
    for plot_index, design in natural.items():
        plot = plan.plots[plot_index]
        rng = stream(seed, "building", plot_index)
        difference, look = planted.get(plot_index), alike.get(plot_index)
        permitted, built = _as_planted(plot, design, difference, rng)
        if permitted is None or built is None:
            permitted, built, difference = design, design, None
        permitted, built = _as_look_alike(permitted, built, look)
        if design.kind in ("house", "shop") and difference is None and look is None:
            built = _under_construction(built, recipe, rng)
        ground = ground_height(terrain, built.polygon)
        made = structure(built, ground, rng)
        footprint = snapped(built.polygon)
        uid = f"b-{plot_index + 1:06d}"
        stock.append(
            Standing(uid, plot_index, permitted, built, made, roof_heights(made.solid), footprint, difference, look)
        )
    return stock


def ground_height(terrain: Terrain, footprint: Polygon) -> float:
    """Terrain along the footprint's border, its 5th percentile."""
    count = max(8, ceil(footprint.exterior.length / NODE_M))
    points = [footprint.exterior.interpolate(k / count, normalized=True) for k in range(count)]
    x, y = np.array([p.x for p in points]), np.array([p.y for p in points])
    return round(float(np.quantile(terrain.at(x, y), 0.05)), 3)


def _assign(plan: Plan, natural: dict[int, Design], recipe: Recipe, seed: int) -> tuple[dict[int, str], dict[int, str]]:
    """Choose which buildings get which difference or look-alike; one each at most."""
    rng = stream(seed, "planted")
    houses = [i for i, d in natural.items() if d.kind in ("house", "shop", "villa")]
    free = [houses[k] for k in rng.permutation(len(houses))]
    planted: dict[int, str] = {}
    alike: dict[int, str] = {}
    wanted = recipe.planted
    for kind in DIFFERENCES:
        least = wanted.at_least_no_permit if kind == "no_permit" else wanted.at_least
        count = max(least, round(wanted.share * len(houses)))
        chosen = [i for i in free if _can_differ(plan.plots[i], natural[i], kind)][:count]
        planted.update(dict.fromkeys(chosen, kind))
        free = [i for i in free if i not in planted]
    for kind in LOOK_ALIKES:
        count = max(wanted.look_alike_at_least, round(wanted.look_alike_share * len(houses)))
        chosen = [i for i in free if _can_look(natural[i], kind)][:count]
        alike.update(dict.fromkeys(chosen, kind))
        free = [i for i in free if i not in alike]
    return planted, alike


def _can_differ(plot: Plot, design: Design, kind: str) -> bool:
    old = bool(design.options.get("old"))
    depth = design.polygon.area / plot.frontage_m
    if kind == "parcel_line":
        return design.kind != "villa" and not design.setback_front_m and plot.street.reserve_m >= 2.0
    if kind in ("footprint", "setback"):
        return not old and depth > 8.5 and len(design.ring) <= 6
    return not (kind == "storeys" and old)


def _can_look(design: Design, kind: str) -> bool:
    old = bool(design.options.get("old"))
    if kind == "legacy_certificate":
        return old
    if kind == "temporary":
        return design.floors <= 3 and design.kind == "house"
    if kind == "roof_fixtures":
        return design.roof == "parapet" and design.stair_head
    if kind == "tree_over_roof":
        return design.floors <= 3
    return not old


def _as_planted(plot: Plot, design: Design, kind: str | None, rng: Generator) -> tuple[Design | None, Design | None]:
    """(permitted, built) of a design that is to differ in this way; None where it cannot."""
    if kind == "storeys":
        return design, replace(design, floors=design.floors + int(rng.choice((1, 1, 2))))
    front, rear = _own_front(plot, design), _own_rear(plot, design)
    if kind == "footprint":
        cut = max(2.0, 0.13 * design.polygon.area / plot.frontage_m)
        return _with_ring(design, clip(design.ring, rear[0], rear[1], rear[2] + cut)), design
    if kind == "setback":
        cut = between(rng, (1.4, 2.4))
        less = _with_ring(design, clip(design.ring, *front[:2], front[2] + cut))
        if less is None:
            return None, None
        return replace(less, setback_front_m=round(yards(plot, less.ring)[0] - 0.02, 2)), design
    if kind == "parcel_line":
        out = between(rng, (0.6, 1.0)) if plot.street.reserve_m > 3 else between(rng, (0.45, 0.6))
        return design, _with_ring(design, pushed_out(design.ring, front, out))
    return design, design


def _own_front(plot: Plot, design: Design) -> HalfPlane:
    return facing(design.ring, plot.axes.uy, -plot.axes.ux)


def _own_rear(plot: Plot, design: Design) -> HalfPlane:
    return facing(design.ring, -plot.axes.uy, plot.axes.ux)


def _with_ring(design: Design, ring: Ring) -> Design | None:
    if len(ring) < 3 or not Polygon(ring).is_valid or Polygon(ring).area < 12.0:
        return None
    return replace(design, ring=ring)


def pushed_out(ring: Ring, side: HalfPlane, distance: float) -> Ring:
    """The ring with one side moved outwards."""
    nx, ny, c = side
    return [(x - nx * distance, y - ny * distance) if abs(nx * x + ny * y - c) < 0.06 else (x, y) for x, y in ring]


def _as_look_alike(permitted: Design, built: Design, look: str | None) -> tuple[Design, Design]:
    if look == "tall_storeys":
        taller = replace(built, storey_m=round(min(built.storey_m + 0.7, 4.3), 2))
        return taller, taller
    return permitted, built


def _under_construction(built: Design, recipe: Recipe, rng: Generator) -> Design:
    """Some houses have reached only part of their storeys, without roof."""
    if rng.random() >= recipe.houses.under_construction_share or built.floors < 2:
        return built
    reached = int(rng.integers(1, built.floors))
    return replace(
        built, floors=reached, roof="flat", slope=0.0, stair_head=False, tank=False, status="under_construction"
    )
