"""The buildings that stand, each with what was permitted for it: some differ, and some only look as if they did."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import shapely
from numpy.random import Generator
from shapely import Polygon

from lidar.scene.designs import Design
from lidar.scene.land import NODE_M, Terrain
from lidar.scene.planting import plant
from lidar.scene.plots import Plan
from lidar.scene.randomness import stream
from lidar.scene.recipe import Recipe
from lidar.scene.roof_heights import RoofHeights, roof_heights
from lidar.scene.shapes import snapped
from lidar.scene.structures import Structure, structure

TALLER_M = 0.7
"""A tall storey is this much higher than a usual one."""


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
    planting = plant(plan, natural, recipe, seed)
    stock = []
    for plot_index, design in natural.items():
        rng = stream(seed, "building", plot_index)
        planted, look = planting.differences.get(plot_index), planting.look_alikes.get(plot_index)
        permitted, built = (planted.permitted, planted.built) if planted else (design, design)
        if look == "tall_storeys":
            permitted = built = replace(design, storey_m=round(min(design.storey_m + TALLER_M, 4.3), 2))
        if design.kind in ("house", "shop") and planted is None and look is None:
            built = _under_construction(built, recipe, rng)
        ground = ground_height(terrain, built.polygon)
        made = structure(built, ground, rng)
        footprint = snapped(built.polygon)
        uid = f"b-{plot_index + 1:06d}"
        stock.append(
            Standing(
                uid,
                plot_index,
                permitted,
                built,
                made,
                roof_heights(made.solid),
                footprint,
                planted.kind if planted else None,
                look,
            )
        )
    return stock


def ground_height(terrain: Terrain, footprint: Polygon) -> float:
    """Terrain along the footprint's border, its 5th percentile."""
    count = max(8, ceil(footprint.exterior.length / NODE_M))
    border = shapely.line_interpolate_point(footprint.exterior, np.arange(count) / count, normalized=True)
    return round(float(np.quantile(terrain.at(shapely.get_x(border), shapely.get_y(border)), 0.05)), 3)


def _under_construction(built: Design, recipe: Recipe, rng: Generator) -> Design:
    """Some houses have reached only part of their storeys, without roof."""
    if rng.random() >= recipe.houses.under_construction_share or built.floors < 2:
        return built
    reached = int(rng.integers(1, built.floors))
    return replace(
        built, floors=reached, roof="flat", slope=0.0, stair_head=False, tank=False, status="under_construction"
    )
