"""From a design to cells and a solid: storeys, roof, parapet, stair head, tank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from shapely import Polygon

from gis.city_model.building import Solid
from lidar.scene import roofs
from lidar.scene.designs import Design
from lidar.scene.randomness import between
from lidar.scene.shapes import Axes, Ring, is_convex
from lidar.scene.solids import Cell, build_solid, is_closed, level

STAIR_HEAD_M = 2.6
TANK_M = 1.7
WELL_FLOOR_M = 0.4


@dataclass(frozen=True, slots=True)
class Structure:
    """A design made solid."""

    solid: Solid
    ground: float
    eave: float
    main_top: float
    """Top of the main roof, without parapet and fixtures: what a permit limits."""
    roof: str


def structure(design: Design, ground: float, rng: Generator) -> Structure:
    """Make the solid; a roof that does not fit its footprint becomes a flat one."""
    eave = ground + design.eave_m
    cells, main_top = _cells(design, eave, rng)
    roof = design.roof
    solid = _sound(cells, ground)
    if solid is None:
        cells, main_top, roof = [Cell(design.ring, level(eave), design.holes)], eave, "flat"
        solid = build_solid(cells, ground)
    return Structure(solid, ground, eave, main_top, roof)


def _sound(cells: list[Cell], ground: float) -> Solid | None:
    try:
        solid = build_solid(cells, ground)
    except (ValueError, ZeroDivisionError):
        return None
    return solid if is_closed(solid) else None


def _cells(design: Design, eave: float, rng: Generator) -> tuple[list[Cell], float]:
    ring, axes, slope, roof = design.ring, design.axes, design.slope, design.roof
    convex = is_convex(ring) and not design.holes
    cells: list[Cell] = []
    if roof in ("gabled", "hipped", "dormer", "shed", "saw-tooth") and convex:
        cells = _pitched(design, eave)
    elif roof == "tiers" and convex:
        size, count = _size(ring, axes), int(design.options["tiers"])
        eaves = [eave - (count - 1 - k) * design.storey_m for k in range(count)]
        cells = roofs.tiers(axes, size, eaves, design.options["run"], slope)
    elif roof == "stepped" and convex:
        step = design.options["step"]
        cells = roofs.stepped(ring, axes, [step], [eave - design.storey_m, eave])
    elif roof == "terraces" and convex:
        podium = eave - design.eave_m + 4 * design.storey_m
        shoulder = eave - 3 * design.storey_m
        cells = roofs.terraces(ring, [2.5, 1.8], [podium, shoulder, eave])
    elif roof == "parapet" and not design.holes:
        cells = roofs.parapet(ring, eave, design.parapet_m)
    if not cells:
        cells = [Cell(ring, level(eave), design.holes)]
    if design.well:
        cells = roofs.with_well(cells, _well(design), eave - design.eave_m + WELL_FLOOR_M)
    cells = roofs.with_fixtures(cells, _fixtures(design, cells, rng))
    if roof in ("gabled", "hipped", "dormer", "shed", "saw-tooth", "tiers"):
        return cells, max(c.height_at(x, y) for c in cells for x, y in c.ring)
    return cells, eave


def _well(design: Design) -> Ring:
    """A light well (giếng trời) behind the middle of a long house."""
    local = [design.axes.to_local(x, y) for x, y in design.ring]
    u0, u1 = min(u for u, _ in local), max(u for u, _ in local)
    v0, v1 = min(v for _, v in local), max(v for _, v in local)
    u, v = u0 + 0.30 * (u1 - u0), v0 + 0.74 * (v1 - v0)
    return design.axes.rectangle(u, v, u + 0.4 * (u1 - u0), v + 1.8)


def _pitched(design: Design, eave: float) -> list[Cell]:
    ring, axes, slope = design.ring, design.axes, design.slope
    if design.roof == "gabled":
        a, b = _size(ring, axes)
        return roofs.gable(ring, axes, eave, slope, "v" if b >= a else "u")
    if design.roof == "shed":
        return roofs.shed(ring, axes, eave, slope)
    if design.roof == "saw-tooth":
        return roofs.saw_tooth(ring, axes, eave, slope, int(design.options["teeth"]))
    cells = roofs.hip(ring, axes, eave, slope)
    if design.roof == "dormer":
        o = design.options
        cells = roofs.with_dormer(cells, axes, slope, o["width"], o["out"], o["rise"])
    return cells


def _size(ring: Ring, axes: Axes) -> tuple[float, float]:
    local = [axes.to_local(x, y) for x, y in ring]
    us, vs = [u for u, _ in local], [v for _, v in local]
    return max(us) - min(us), max(vs) - min(vs)


def _fixtures(design: Design, cells: list[Cell], rng: Generator) -> list[tuple[Ring, float]]:
    """Stair head and tank on the highest level that is large enough."""
    made: list[tuple[Ring, float]] = []
    levels = [c for c in cells if c.plane[:2] == (0.0, 0.0) and Polygon(c.ring, c.holes).area > 9.0]
    if not levels or not (design.stair_head or design.tank):
        return made
    cell = max(levels, key=lambda c: (Polygon(c.ring, c.holes).area > 20.0, c.plane[2]))
    local = [design.axes.to_local(x, y) for x, y in cell.ring]
    u0, u1 = min(u for u, _ in local), max(u for u, _ in local)
    v0, v1 = min(v for _, v in local), max(v for _, v in local)
    z = cell.plane[2]
    back = v0 + 0.35 * (v1 - v0) + rng.random() * 0.2 * (v1 - v0)
    long = min(3.6, 0.28 * (v1 - v0))
    wide = min(2.6, 0.62 * (u1 - u0))
    left = u0 + 0.35 + rng.random() * max(u1 - u0 - wide - 0.8, 0.0)
    if design.stair_head:
        made.append((design.axes.rectangle(left, back, left + wide, back + long), z + STAIR_HEAD_M))
    if design.tank:
        size = between(rng, (0.9, 1.3))
        at = back + long + 0.5
        made.append((design.axes.rectangle(left + 0.1, at, left + 0.1 + size, at + size), z + TANK_M))
    return made


def roof_cells(design: Design, ground: float) -> list[Cell]:
    """The cells of a design's roof, whose planes its eaves continue."""
    return _cells(design, ground + design.eave_m, np.random.default_rng(0))[0]


def design_top(design: Design) -> float:
    """Height of the main roof's top above the ground, metres, without parapet and fixtures: what a permit limits."""
    _, top = _cells(design, design.eave_m, np.random.default_rng(0))
    return top
