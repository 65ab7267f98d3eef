"""What stands about: cars, motorbikes, people, stalls, lamp posts, garden walls, a crane."""

from __future__ import annotations

from itertools import pairwise
from math import atan2, cos, pi, sin

import numpy as np
import shapely
from numpy.random import Generator
from numpy.typing import NDArray
from shapely import LineString, Polygon, STRtree

from lidar.point_cloud import Class
from lidar.scene.land import Terrain
from lidar.scene.mesh import Material, Mesh, box, prism
from lidar.scene.plots import Plan, Plot, Street
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Recipe
from lidar.scene.shapes import Axes
from lidar.scene.stock import Standing

Array = NDArray[np.float64]

CAR, MOTORBIKE, PERSON, STALL = (4.4, 1.8, 1.5), (1.9, 0.7, 1.1), (0.45, 0.35, 1.65), (2.2, 2.2, 2.3)
"""Length, width, height, metres."""
WALLED = ("villa", "school_l", "school_u", "pagoda", "apartments")
CRANE_M, JIB_M = 38.0, 26.0


def make_furniture(plan: Plan, stock: list[Standing], terrain: Terrain, recipe: Recipe, seed: int) -> list[Mesh]:
    """Meshes of class 1, unclassified."""
    rng = stream(seed, "furniture")
    built = STRtree([s.footprint for s in stock])
    made = _traffic(plan, terrain, built, recipe, rng)
    made += _lamps(plan, terrain, rng)
    for plot in plan.plots:
        if plot.kind in WALLED:
            made += _garden_wall(plot, terrain, rng)
        if plot.kind == "excavation":
            made += _crane(plot, terrain, rng)
    return made


def _height(terrain: Terrain, x: float, y: float) -> float:
    return float(terrain.at(np.array([x]), np.array([y]))[0])


def _place(street: Street, rng: Generator, size: tuple[float, float, float]) -> Axes | None:
    """A spot on a street, along it; None where the street is too narrow."""
    room = street.reserve_m / 2 - size[1] / 2 - 0.1
    if room <= 0 or street.axis.length < 6:
        return None
    at = between(rng, (2.0, street.axis.length - 2.0))
    a, b = street.axis.interpolate(at), street.axis.interpolate(min(at + 0.5, street.axis.length))
    turn = atan2(b.y - a.y, b.x - a.x) + (pi if rng.random() < 0.5 else 0.0) + float(rng.normal(0, 0.05))
    side = between(rng, (-room, room))
    return Axes(a.x - side * sin(turn), a.y + side * cos(turn), cos(turn), sin(turn))


def _traffic(plan: Plan, terrain: Terrain, built: STRtree, recipe: Recipe, rng: Generator) -> list[Mesh]:
    """Cars and vans on streets they fit into, motorbikes, people and stalls everywhere."""
    hectares = (recipe.extent.size_m / 100) ** 2
    wide = [s for s in plan.streets if s.reserve_m >= 4.5]
    every = list(plan.streets)
    things = [
        (wide, CAR, Material.CAR, recipe.greenery.cars_per_ha),
        (every, MOTORBIKE, Material.CAR, recipe.greenery.cars_per_ha * 1.5),
        (every, PERSON, Material.CLOTH, recipe.greenery.people_per_ha),
        (every, STALL, Material.CLOTH, recipe.greenery.people_per_ha * 0.15),
    ]
    made: list[Mesh] = []
    for streets, size, material, per_ha in things:
        lengths = np.array([s.axis.length for s in streets])
        if not len(lengths):
            continue
        for k in rng.choice(len(streets), int(per_ha * hectares), p=lengths / lengths.sum()):
            axes = _place(streets[int(k)], rng, size)
            if axes is None or built.query(shapely.Point(axes.x, axes.y).buffer(size[0] / 2), "intersects").size:
                continue
            ground = _height(terrain, axes.x, axes.y)
            grow = between(rng, (0.9, 1.15))
            u, v = size[0] / 2 * grow, size[1] / 2 * grow
            made.append(box(axes, -u, -v, u, v, ground + 0.15, ground + size[2] * grow, Class.UNCLASSIFIED, material))
    return made


def _lamps(plan: Plan, terrain: Terrain, rng: Generator) -> list[Mesh]:
    """Lamp posts along the wider streets."""
    made = []
    for street in plan.streets:
        if street.reserve_m < 7:
            continue
        line = street.axis.offset_curve(street.reserve_m / 2 - 0.5)
        if not isinstance(line, LineString):
            continue
        for at in np.arange(8.0, line.length - 4.0, 30.0):
            p = line.interpolate(at + rng.random())
            axes = Axes(p.x, p.y, 1.0, 0.0)
            ground = _height(terrain, p.x, p.y)
            made.append(box(axes, -0.09, -0.09, 0.09, 0.09, ground, ground + 8.0, Class.UNCLASSIFIED, Material.STEEL))
    return made


def _garden_wall(plot: Plot, terrain: Terrain, rng: Generator) -> list[Mesh]:
    """A wall just inside the plot's line, with a gate in front."""
    inner = plot.polygon.buffer(-0.15, join_style="mitre")
    if not isinstance(inner, Polygon) or inner.is_empty:
        return []
    high = between(rng, (1.7, 2.4))
    corners = list(inner.exterior.coords)
    made = []
    for (x0, y0), (x1, y1) in pairwise(corners):
        length = float(np.hypot(x1 - x0, y1 - y0))
        if length < 1.0:
            continue
        axes = Axes(x0, y0, (x1 - x0) / length, (y1 - y0) / length)
        front = abs(axes.ux * plot.axes.ux + axes.uy * plot.axes.uy) > 0.8 and plot.axes.to_local(x0, y0)[1] < 1.5
        spans = [(0.0, 0.35 * length), (0.35 * length + min(3.5, 0.4 * length), length)] if front else [(0.0, length)]
        for a, b in spans:
            ends = [axes.to_world(t, 0.0) for t in (a, b)]
            ground = [_height(terrain, *end) for end in ends]
            ring = axes.rectangle(a, -0.1, b, 0.1)
            tops = [ground[0], ground[1], ground[1], ground[0]]
            made.append(
                prism(ring, [z - 0.3 for z in tops], [z + high for z in tops], Class.UNCLASSIFIED, Material.CONCRETE)
            )
    return made


def _crane(plot: Plot, terrain: Terrain, rng: Generator) -> list[Mesh]:
    """A tower crane in a construction pit."""
    spot = plot.polygon.representative_point()
    ground, turn = _height(terrain, spot.x, spot.y), rng.random() * 2 * pi
    axes = Axes(spot.x, spot.y, cos(turn), sin(turn))
    legs = [
        box(axes, u - 0.09, v - 0.09, u + 0.09, v + 0.09, ground, ground + CRANE_M, Class.UNCLASSIFIED, Material.STEEL)
        for u in (-0.8, 0.8)
        for v in (-0.8, 0.8)
    ]
    top = ground + CRANE_M
    jib = box(axes, -8.0, -0.35, JIB_M, 0.35, top, top + 0.3, Class.UNCLASSIFIED, Material.STEEL)
    weight = box(axes, -8.0, -0.9, -6.0, 0.9, top - 1.2, top + 0.6, Class.UNCLASSIFIED, Material.CONCRETE)
    return [*legs, jib, weight]
