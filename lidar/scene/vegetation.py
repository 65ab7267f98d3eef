"""Trees as groups of ellipsoids of leaves, on streets, in gardens and over roofs."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.random import Generator
from numpy.typing import NDArray
from shapely import Polygon, STRtree

from lidar.scene.land import Terrain
from lidar.scene.plots import EMBANKMENT_ROAD, Plan
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Recipe
from lidar.scene.stock import Standing

Array = NDArray[np.float64]
BUILT_CLEARANCE_M = 0.8
DECK_CLEARANCE_M = 5.0


def make_crowns(
    plan: Plan, stock: list[Standing], terrain: Terrain, decks: list[Polygon], recipe: Recipe, seed: int
) -> Array:
    """(k, 6) ellipsoids: x, y, z of the centre, radius, half height, extinction a metre."""
    rng = stream(seed, "trees")
    size = recipe.extent.size_m
    kept_clear = [b.footprint for b in stock] + [deck.buffer(DECK_CLEARANCE_M) for deck in decks]
    built = STRtree(kept_clear)
    spots = _along_streets(plan, recipe, rng) + _in_the_open(plan, recipe, rng)
    crowns: list[Array] = []
    for x, y, tall in spots:
        if not (0 < x < size and 0 < y < size):
            continue
        if _is_barren(terrain, x, y) or built.query(shapely.Point(x, y).buffer(BUILT_CLEARANCE_M), "intersects").size:
            continue
        ground = float(terrain.at(np.array([x]), np.array([y]))[0])
        crowns.append(tree(x, y, ground, tall, rng))
    crowns += [_over_roof(standing, rng) for standing in stock if standing.look_alike == "tree_over_roof"]
    return np.concatenate(crowns) if crowns else np.empty((0, 6))


def tree(x: float, y: float, ground: float, height: float, rng: Generator) -> Array:
    """A few overlapping ellipsoids above a bare stem; small ones are bushes down to the ground."""
    bush = height < 3.0
    stem = 0.05 * height if bush else between(rng, (0.25, 0.4)) * height
    radius = between(rng, (0.3, 0.45)) * (height - stem) + 0.3
    density = between(rng, (0.35, 0.8))
    lobes = 1 if bush else int(rng.integers(3, 6))
    made = np.empty((lobes, 6))
    for k in range(lobes):
        angle, out = rng.random() * 2 * np.pi, (0.0 if k == 0 else 0.55 * radius)
        part = 1.0 if k == 0 else between(rng, (0.55, 0.8))
        half = (height - stem) / 2 * part
        middle = ground + stem + half + (0.0 if k == 0 else rng.random() * (height - stem - 2 * half))
        made[k] = (x + out * np.cos(angle), y + out * np.sin(angle), middle, radius * part, half, density)
    return made


def _along_streets(plan: Plan, recipe: Recipe, rng: Generator) -> list[tuple[float, float, float]]:
    spots = []
    for street in plan.streets:
        if street.reserve_m < 5 or street.name.startswith(EMBANKMENT_ROAD):
            continue
        spacing = recipe.greenery.street_tree_spacing_m
        for side in (-1, 1):
            line = street.axis.offset_curve(side * (street.reserve_m / 2 - 0.9))
            for k in range(int(line.length // spacing)):
                if rng.random() < 0.7:
                    point = line.interpolate((k + rng.random()) * spacing)
                    spots.append((point.x, point.y, between(rng, (4.0, 12.0))))
    return spots


def _in_the_open(plan: Plan, recipe: Recipe, rng: Generator) -> list[tuple[float, float, float]]:
    size = recipe.extent.size_m
    count = int(recipe.greenery.trees_per_ha * size * size / 10_000)
    streets = STRtree([s.area for s in plan.streets])
    spots = []
    for x, y, tall, draw in rng.random((count, 4)):
        point = shapely.Point(x * size, y * size)
        if streets.query(point, "intersects").size == 0:
            spots.append((x * size, y * size, 0.6 + 1.8 * tall if draw < 0.35 else 3.0 + 11.0 * tall))
    return spots


def _over_roof(standing: Standing, rng: Generator) -> Array:
    """A tall tree beside the house whose crown hangs over its roof."""
    centre: Polygon = standing.footprint
    point = centre.representative_point()
    ground = standing.structure.ground
    top = standing.heights.highest + between(rng, (2.5, 4.5))
    radius = min(3.2, 0.3 * (centre.bounds[3] - centre.bounds[1]) + 1.2)
    return np.array(
        [
            [point.x, point.y, top - 1.6, radius, 1.6, 0.5],
            [point.x + 1.0, point.y - 0.7, (ground + top) / 2 + 2, 1.6, 2.0, 0.4],
        ]
    )


def _is_barren(terrain: Terrain, x: float, y: float) -> bool:
    n = len(terrain.water)
    row, column = min(int(y * 2), n - 1), min(int(x * 2), n - 1)
    return bool(terrain.water[row, column] or terrain.pit[row, column])
