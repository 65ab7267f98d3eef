"""Power lines that hang as catenaries, their towers and poles; the canal's bridge and the underpass's deck."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely
from numpy.random import Generator
from numpy.typing import NDArray
from shapely import LineString, Polygon, STRtree

from lidar.point_cloud import Class
from lidar.scene.land import Terrain, underpass_half_width
from lidar.scene.layout import Layout
from lidar.scene.mesh import Material, Mesh, solid_mesh
from lidar.scene.plots import EMBANKMENT_ROAD, MAIN_ROAD, Plan
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Recipe
from lidar.scene.shapes import Axes, Ring, strip
from lidar.scene.solids import Cell, build_solid, level

Array = NDArray[np.float64]

HIGH_VOLTAGE_SPAN_M, HIGH_VOLTAGE_TOP_M, HIGH_VOLTAGE_SAG = 180.0, 30.0, 0.028
MEDIUM_VOLTAGE_SPAN_M, MEDIUM_VOLTAGE_TOP_M, MEDIUM_VOLTAGE_SAG = 38.0, 12.0, 0.018
SEGMENTS = 16
DECK_M = 0.9


def catenary(start: Array, end: Array, sag: float) -> Array:
    """(SEGMENTS, 6) pieces of a wire between two points that sags by this much in the middle.

    The curve is the true catenary of the span's sag: its parameter a solves a·(cosh(L/2a) − 1) = sag.
    """
    length = float(np.hypot(*(end - start)[:2]))
    a = length * length / (8 * sag)
    for _ in range(8):
        value = a * (np.cosh(length / (2 * a)) - 1) - sag
        step = a * 1e-4
        slope = ((a + step) * (np.cosh(length / (2 * (a + step))) - 1) - sag - value) / step
        a -= value / slope
    t = np.linspace(0.0, 1.0, SEGMENTS + 1)
    drop = a * (np.cosh((t - 0.5) * length / a) - np.cosh(0.5 * length / a))
    points = start + t[:, None] * (end - start)
    points[:, 2] += drop
    return np.concatenate([points[:-1], points[1:]], axis=1)


def upright_box(
    x: float, y: float, low: float, high: float, half: float, axes: Axes, half_v: float | None = None
) -> Mesh:
    """A box of steel or concrete, of class tower."""
    local = Axes(x, y, axes.ux, axes.uy)
    ring = local.rectangle(-half, -(half_v or half), half, half_v or half)
    return slab(ring, low, high, Class.TOWER, Material.STEEL)


def slab(ring: Ring, low: float, high: float, code: int, material: Material) -> Mesh:
    """A prism, all its faces but the lower."""
    mesh = solid_mesh(build_solid([Cell(ring, level(high))], low), code, material, material)
    corners = mesh.corners.copy()
    corners[..., 2] = np.maximum(corners[..., 2], np.float32(low))
    return Mesh(corners, mesh.classes, mesh.materials)


def make_power_lines(
    layout: Layout, plan: Plan, terrain: Terrain, recipe: Recipe, seed: int
) -> tuple[Array, list[Mesh]]:
    """Wires (k, 7) with their chance of a return, and the towers and poles that carry them."""
    rng = stream(seed, "power")
    wires, meshes = _high_voltage(layout, terrain, rng)
    built = STRtree([plot.polygon for plot in plan.plots])
    streets = sorted((s for s in plan.streets if s.reserve_m >= 4 and s.axis.length > 50), key=lambda s: -s.reserve_m)
    for street in streets[: max(1, len(streets) // 2)]:
        if street.name.startswith((EMBANKMENT_ROAD, MAIN_ROAD)):
            continue
        more, poles = _along(street.axis, street.reserve_m, terrain, built, rng)
        wires += more
        meshes += poles
    return (np.concatenate(wires) if wires else np.empty((0, 7))), meshes


def _high_voltage(layout: Layout, terrain: Terrain, rng: Generator) -> tuple[list[Array], list[Mesh]]:
    """A 110 kV line along the canal's dike: three phases on either side, one wire on top."""
    wires: list[Array] = []
    meshes: list[Mesh] = []
    reach = layout.size * 0.72
    first = layout.size / 2 - reach + between(rng, (0, 40))
    ps = np.arange(first, layout.size / 2 + reach, HIGH_VOLTAGE_SPAN_M)
    while len(ps) < 3:
        ps = np.append(ps, ps[-1] + HIGH_VOLTAGE_SPAN_M)
    q = layout.canal.at(ps) + layout.canal_corridor_m - 4.5
    x, y = layout.to_scene(ps, q)
    ground = terrain.at(np.clip(x, 1, layout.size - 1), np.clip(y, 1, layout.size - 1))
    axes = Axes(0.0, 0.0, np.cos(layout.angle), np.sin(layout.angle))
    across = np.array([-axes.uy, axes.ux])
    for k in range(len(ps)):
        if 2 < x[k] < layout.size - 2 and 2 < y[k] < layout.size - 2:
            meshes += _lattice(float(x[k]), float(y[k]), float(ground[k]), axes)
    arms = [(s * a, HIGH_VOLTAGE_TOP_M - h) for s in (-1, 1) for a, h in ((3.0, 4.0), (3.8, 8.0), (3.2, 12.0))] + [
        (0.0, HIGH_VOLTAGE_TOP_M)
    ]
    for k in range(len(ps) - 1):
        for out, height in arms:
            a = np.array([x[k] + out * across[0], y[k] + out * across[1], ground[k] + height])
            b = np.array([x[k + 1] + out * across[0], y[k + 1] + out * across[1], ground[k + 1] + height])
            pieces = catenary(a, b, HIGH_VOLTAGE_SAG * HIGH_VOLTAGE_SPAN_M)
            wires.append(np.column_stack([pieces, np.full(len(pieces), 0.35)]))
    return wires, meshes


def _lattice(x: float, y: float, ground: float, axes: Axes) -> list[Mesh]:
    """Four leaning legs in steps, and the cross-arms."""
    made = []
    steps = 6
    for k in range(steps):
        low, high = ground + k * 5.0, ground + (k + 1) * 5.0
        half = 2.6 * (1 - k / (steps + 1.2))
        for su in (-1, 1):
            for sv in (-1, 1):
                px, py = Axes(x, y, axes.ux, axes.uy).to_world(su * half, sv * half)
                made.append(upright_box(px, py, low, high, 0.11, axes))
        made.append(upright_box(x, y, high - 0.15, high, half, axes, 0.08))
    for out, down in ((3.2, 4.0), (4.0, 8.0), (3.4, 12.0)):
        top = ground + HIGH_VOLTAGE_TOP_M - down
        made.append(upright_box(x, y, top, top + 0.25, 0.12, axes, out))
    return made


def _along(
    axis: LineString, reserve: float, terrain: Terrain, built: STRtree, rng: Generator
) -> tuple[list[Array], list[Mesh]]:
    """A 22 kV line on poles at a street's edge: three wires on top, a bundle of cables below."""
    line = axis.offset_curve((1 if rng.random() < 0.5 else -1) * (reserve / 2 - 0.35))
    if not isinstance(line, LineString) or line.length < MEDIUM_VOLTAGE_SPAN_M:
        return [], []
    count = max(2, int(line.length // MEDIUM_VOLTAGE_SPAN_M) + 1)
    spots = [line.interpolate(k / (count - 1), normalized=True) for k in range(count)]
    spots = [p for p in spots if built.query(p, "intersects").size == 0]
    wires: list[Array] = []
    meshes: list[Mesh] = []
    direction = np.array(line.coords[-1]) - np.array(line.coords[0])
    direction /= np.hypot(*direction)
    across = np.array([-direction[1], direction[0]])
    axes = Axes(0, 0, float(direction[0]), float(direction[1]))
    tops = []
    for p in spots:
        ground = float(terrain.at(np.array([p.x]), np.array([p.y]))[0])
        meshes.append(upright_box(p.x, p.y, ground, ground + MEDIUM_VOLTAGE_TOP_M, 0.16, axes))
        arm = ground + MEDIUM_VOLTAGE_TOP_M - 0.4
        meshes.append(upright_box(p.x, p.y, arm, arm + 0.12, 0.06, axes, 0.9))
        tops.append(np.array([p.x, p.y, ground]))
    for a, b in pairwise(tops):
        span = float(np.hypot(*(b - a)[:2]))
        if not 8 < span < 2 * MEDIUM_VOLTAGE_SPAN_M:
            continue
        lines = [
            (-0.8, MEDIUM_VOLTAGE_TOP_M, 0.2),
            (0.0, MEDIUM_VOLTAGE_TOP_M + 0.3, 0.2),
            (0.8, MEDIUM_VOLTAGE_TOP_M, 0.2),
            (0.2, 6.5, 0.45),
        ]
        for out, height, chance in lines:
            shift = np.array([out * across[0], out * across[1], height])
            pieces = catenary(a + shift, b + shift, MEDIUM_VOLTAGE_SAG * span)
            wires.append(np.column_stack([pieces, np.full(len(pieces), chance)]))
    return wires, meshes


def bridge_decks(layout: Layout, terrain: Terrain) -> list[tuple[Polygon, float]]:
    """Decks over the canal and over the underpasses: outline and height of the surface."""
    decks = []
    for p in layout.main_roads:
        axis = layout.main_axis(p)
        canal = strip(layout.canal_axis(), 2 * (layout.canal_half_m + 3.5))
        decks.append(_deck(axis, canal, layout.main_reserve_m - 1.0, terrain, 0.15))
        crossing = layout.embankment_axis().intersection(axis)
        if not crossing.is_empty:
            gap = strip(axis, 2 * underpass_half_width(layout) + 1.2)
            width = layout_crest(layout)
            decks.append(_deck(layout.embankment_axis(), gap, width, terrain, 0.05))
    return [deck for deck in decks if deck is not None]


def layout_crest(layout: Layout) -> float:
    """Width of the road on the embankment."""
    return max(layout.embankment_crest_m - 0.2, 3.0)


def _deck(axis: LineString, gap: Polygon, width: float, terrain: Terrain, above: float) -> tuple[Polygon, float] | None:
    """The part of a road over a gap, at the height of the road on both sides."""
    area = strip(axis, width).intersection(gap)
    line = axis.intersection(gap)
    if not isinstance(area, Polygon) or area.is_empty or not isinstance(line, LineString) or line.is_empty:
        return None
    size = terrain.heights.shape[0] * 0.5
    ends = [shapely.Point(line.coords[0]), shapely.Point(line.coords[-1])]
    heights = []
    for end in ends:
        at = axis.project(end)
        for step in (0.5, -0.5):
            p = axis.interpolate(at + step)
            if not gap.contains(p) and 0 < p.x < size and 0 < p.y < size:
                heights.append(float(terrain.at(np.array([p.x]), np.array([p.y]))[0]))
    return (area, max(heights) + above) if heights else None


def deck_meshes(decks: list[tuple[Polygon, float]]) -> list[Mesh]:
    """Decks with kerbs, of class bridge deck."""
    made = []
    for polygon, top in decks:
        ring = [(float(x), float(y)) for x, y in polygon.exterior.coords[:-1]]
        ring = ring if polygon.exterior.is_ccw else ring[::-1]
        made.append(slab(ring, top - DECK_M, top, Class.BRIDGE_DECK, Material.CONCRETE))
    return made
