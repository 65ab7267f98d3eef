"""What is built onto houses and drawn on no plan: eaves, awnings, balconies, roof clutter, bars for the next storey."""

from __future__ import annotations

from math import hypot

import numpy as np
import shapely
from numpy.random import Generator
from shapely import LinearRing, Polygon

from lidar.point_cloud import Class
from lidar.scene.designs import facing, front_line
from lidar.scene.mesh import Material, Mesh, box, prism
from lidar.scene.plots import Plot
from lidar.scene.randomness import between
from lidar.scene.rules import balcony
from lidar.scene.shapes import Axes, Ring
from lidar.scene.stock import Standing
from lidar.scene.structures import roof_cells

AWNING_SHARE, BALCONY_SHARE, CLUTTER_SHARE = 0.3, 0.5, 0.4
EAVED, EAVE_M = ("villa", "pagoda", "market"), (0.35, 0.7)
PITCHED = ("gabled", "hipped", "dormer", "tiers", "saw-tooth")


def attachments(standing: Standing, plot: Plot, rng: Generator) -> list[Mesh]:
    """Meshes of class 6 that stand on or out of a building, over its footprint's edge; none is part of its solid."""
    design = standing.built
    if design.kind in EAVED:
        return _eaves(standing, between(rng, EAVE_M))
    if design.kind not in ("house", "shop"):
        return []
    nx, ny, c = facing(design.ring, plot.axes.uy, -plot.axes.ux)
    edge = [(x, y) for x, y in design.ring if abs(nx * x + ny * y - c) < 0.05]
    if len(edge) < 2:
        return []
    made: list[Mesh] = []
    a, b = edge[0], edge[-1]
    ground = standing.structure.ground
    if design.status == "under_construction":
        return _bars(design.ring, standing.structure.eave, rng)
    made += _roof_clutter(standing, rng)
    reserve = plot.street.reserve_m
    if rng.random() < AWNING_SHARE:
        out = min(between(rng, (0.9, 1.8)), 0.4 * reserve)
        z, drop = ground + between(rng, (2.7, 3.3)), 0.25
        made.append(_sheet(a, b, (-nx * out, -ny * out), z, z - drop, Material.METAL))
    if on_front_line(standing, plot) and balcony(reserve) > 0 and rng.random() < BALCONY_SHARE:
        out = balcony(reserve)
        for floor in range(1, design.floors - (1 if design.roof == "stepped" else 0)):
            z = ground + floor * design.storey_m + 0.4
            corners = [a, b, (b[0] - nx * out, b[1] - ny * out), (a[0] - nx * out, a[1] - ny * out)]
            if not Polygon(corners).exterior.is_ccw:
                corners.reverse()
            made.append(prism(corners, [z - 0.15] * 4, [z + 0.95] * 4, Class.BUILDING, Material.CONCRETE))
    return made


def _roof_clutter(standing: Standing, rng: Generator) -> list[Mesh]:
    """Plant tubs, drying racks, heaters and sheds that nobody drew on a plan."""
    design = standing.built
    if design.roof not in ("parapet", "flat") or rng.random() > CLUTTER_SHARE:
        return []
    inner = Polygon(design.ring).buffer(-0.8)
    made = []
    for u, v, size, tall in rng.random((int(rng.integers(1, 6)), 4)):
        west, south, east, north = standing.footprint.bounds
        axes = Axes(west + u * (east - west), south + v * (north - south), design.axes.ux, design.axes.uy)
        if inner.contains(shapely.Point(axes.x, axes.y)):
            half, top = 0.15 + 0.5 * size, standing.structure.eave + 0.3 + 1.2 * tall
            low = standing.structure.eave
            made.append(box(axes, -half, -half, half, half, low, top, Class.BUILDING, Material.METAL))
    return made


def on_front_line(standing: Standing, plot: Plot) -> bool:
    """Whether the house stands on its plot's front line, so that balconies stand out over the street."""
    nx, ny, c = front_line(plot)
    return min(abs(nx * x + ny * y - c) for x, y in standing.built.ring) < 0.05


def _sheet(
    a: tuple[float, float], b: tuple[float, float], out: tuple[float, float], z: float, lower: float, material: int
) -> Mesh:
    """A thin sloping sheet from a wall."""
    p = np.array([[*a, z], [*b, z], [b[0] + out[0], b[1] + out[1], lower], [a[0] + out[0], a[1] + out[1], lower]])
    return Mesh.of(p[[[0, 1, 2], [0, 2, 3]]], Class.BUILDING, material)


def _bars(ring: Ring, top: float, rng: Generator) -> list[Mesh]:
    """Columns begun for the next storey."""
    made = []
    centre = Polygon(ring).centroid
    for x, y in ring:
        axes = Axes(x + 0.06 * (centre.x - x), y + 0.06 * (centre.y - y), 1.0, 0.0)
        tall = between(rng, (0.5, 1.6))
        made.append(box(axes, -0.12, -0.12, 0.12, 0.12, top, top + tall, Class.BUILDING, Material.CONCRETE))
    return made


def _eaves(standing: Standing, out: float) -> list[Mesh]:
    """Pitched roofs of detached buildings go on beyond their walls, in the same planes."""
    if standing.structure.roof not in PITCHED:
        return []
    outline = LinearRing(standing.built.ring)
    made = []
    for cell in roof_cells(standing.built, standing.structure.ground):
        for (x0, y0), (x1, y1) in zip(cell.ring, [*cell.ring[1:], cell.ring[0]], strict=True):
            length = hypot(x1 - x0, y1 - y0)
            if length < 0.3 or outline.distance(shapely.Point((x0 + x1) / 2, (y0 + y1) / 2)) > 0.005:
                continue
            nx, ny = (y1 - y0) / length * out, -(x1 - x0) / length * out
            corners = [(x0, y0), (x1, y1), (x1 + nx, y1 + ny), (x0 + nx, y0 + ny)]
            p = np.array([[x, y, cell.height_at(x, y)] for x, y in corners])
            made.append(Mesh.of(p[[[0, 1, 2], [0, 2, 3]]], Class.BUILDING, Material.TILE))
    return made
