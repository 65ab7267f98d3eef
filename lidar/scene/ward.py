"""The ward before the flight: land, plots, buildings, greenery, infrastructure, registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shapely import Polygon

from lidar.point_cloud import Class
from lidar.scene.attachments import attachments
from lidar.scene.furniture import make_furniture
from lidar.scene.infrastructure import bridge_decks, deck_meshes, make_power_lines
from lidar.scene.land import Earthwork, Ground, Terrain, make_terrain
from lidar.scene.layout import Layout, lay_out
from lidar.scene.mesh import Material, Mesh, solid_mesh
from lidar.scene.owners import draw_wishes
from lidar.scene.plots import Plan, make_plan
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Recipe
from lidar.scene.registers import Registers, make_registers
from lidar.scene.scanner import World
from lidar.scene.stock import Standing, build_stock
from lidar.scene.vegetation import make_crowns

TILED = ("gabled", "hipped", "dormer", "tiers")
SHEETED = ("shed", "saw-tooth")
EARTHWORK_DEPTH_M = {"excavation": 4.5, "filled": -1.1, "unfilled": 0.9}
GREEN = ("villa", "pagoda", "school_l", "school_u")
KERB_M = (0.12, 0.37)


@dataclass(frozen=True, slots=True)
class Ward:
    """Everything there is, in the scene frame."""

    recipe: Recipe
    seed: int
    layout: Layout
    plan: Plan
    terrain: Terrain
    stock: list[Standing]
    world: World
    decks: list[Polygon]
    registers: Registers


def make_ward(recipe: Recipe, seed: int) -> Ward:
    """Draw the ward and its registers."""
    layout = lay_out(recipe, seed)
    plan = make_plan(layout, recipe, seed)
    terrain = terrain_of(layout, plan, recipe, seed, EARTHWORK_DEPTH_M)
    wishes = draw_wishes(plan, recipe, seed)
    stock = build_stock(plan, wishes.built, terrain, recipe, seed)
    registers = make_registers(plan, stock, wishes.empty, recipe, seed)
    return assembled(recipe, seed, layout, plan, terrain, stock, registers)


def assembled(
    recipe: Recipe,
    seed: int,
    layout: Layout,
    plan: Plan,
    terrain: Terrain,
    stock: list[Standing],
    registers: Registers,
) -> Ward:
    """All that stands and grows around the buildings."""
    wires, poles = make_power_lines(layout, plan, terrain, recipe, seed)
    decks = bridge_decks(layout, terrain)
    outlines = [polygon for polygon, _ in decks]
    meshes = [_mesh(standing) for standing in stock]
    meshes += poles + deck_meshes(decks) + make_furniture(plan, stock, terrain, recipe, seed)
    for standing in stock:
        meshes += attachments(standing, plan.plots[standing.plot], stream(seed, "attached", standing.plot))
    crowns = make_crowns(plan, stock, terrain, outlines, recipe, seed)
    world = World(layout.size, terrain, Mesh.joined(meshes), crowns, wires)
    return Ward(recipe, seed, layout, plan, terrain, stock, world, outlines, registers)


def _mesh(standing: Standing) -> Mesh:
    """A building's triangles, roofed after its kind of roof."""
    roof = standing.structure.roof
    cover = Material.TILE if roof in TILED else Material.METAL if roof in SHEETED else Material.CONCRETE
    if standing.plot % 17 == 3:
        cover = Material.DARK
    return solid_mesh(standing.structure.solid, Class.BUILDING, cover, Material.PAINT)


def terrain_of(layout: Layout, plan: Plan, recipe: Recipe, seed: int, depths: Mapping[str, float]) -> Terrain:
    """The land with earthworks on the plots of the kinds that have a depth (m; negative: filled up)."""
    rng = stream(seed, "ground")
    kerbs = [(block, between(rng, KERB_M)) for block in plan.blocks]
    works = [
        Earthwork(plot.kind, plot.polygon, depths[plot.kind] * between(rng, (0.85, 1.15)))
        for plot in plan.plots
        if plot.kind in depths
    ]
    pavements = [(p.polygon, Ground.GRASS if p.kind in GREEN else Ground.CONCRETE) for p in plan.plots]
    pavements += [(s.area, Ground.ASPHALT if s.reserve_m >= 3 else Ground.CONCRETE) for s in plan.streets]
    return make_terrain(layout, recipe, seed, kerbs, works, pavements)
