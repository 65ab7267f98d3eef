"""Make a scene: the ward, its registers, its truth, and the flight over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS
from rasterio.features import rasterize
from rasterio.transform import Affine

from gis.bounds import BoundingBox
from gis.crs import horizontal, name_of
from gis.grid import Grid
from gis.raster import Raster, write_cog
from gis.settings import DEFAULT_CRS
from lidar.point_cloud import Class
from lidar.scene.city_model import building_rows, write_city_model
from lidar.scene.differences import true_differences
from lidar.scene.furniture import make_furniture
from lidar.scene.infrastructure import bridge_decks, deck_meshes, make_power_lines
from lidar.scene.land import NODE_M, Cover, Earthwork, Ground, Terrain, make_terrain
from lidar.scene.layout import Layout, lay_out
from lidar.scene.mesh import Material, Mesh, solid_mesh
from lidar.scene.plots import Plan, make_plan
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Recipe
from lidar.scene.registers import Registers, make_registers
from lidar.scene.scanner import Flight, Returns, World
from lidar.scene.stock import Standing, build_stock
from lidar.scene.vegetation import make_crowns
from lidar.scene.write import write_json, write_layers, write_points

ROOFS = {"gabled": Material.TILE, "hipped": Material.TILE, "dormer": Material.TILE, "tiers": Material.TILE,
         "shed": Material.METAL, "saw-tooth": Material.METAL}  # fmt: skip

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how far it is and how far it goes."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything there is, before the flight."""

    recipe: Recipe
    seed: int
    layout: Layout
    plan: Plan
    terrain: Terrain
    stock: list[Standing]
    world: World
    decks: list[Any]
    registers: Registers


def build_scene(recipe: Recipe, seed: int) -> Scene:
    """Draw the ward and its registers."""
    layout = lay_out(recipe, seed)
    plan = make_plan(layout, recipe, seed)
    terrain = _terrain(layout, plan, recipe, seed)
    stock = build_stock(plan, terrain, recipe, seed)
    wires, poles = make_power_lines(layout, plan, terrain, recipe, seed)
    decks = bridge_decks(layout, terrain)
    meshes = [
        solid_mesh(s.structure.solid, Class.BUILDING, ROOFS.get(s.structure.roof, Material.CONCRETE), Material.PAINT)
        for s in stock
    ]
    furniture = make_furniture(plan, stock, terrain, recipe, seed)
    mesh = Mesh.joined(meshes + poles + deck_meshes(decks) + furniture)
    crowns = make_crowns(plan, stock, terrain, [polygon for polygon, _ in decks], recipe, seed)
    world = World(layout.size, terrain, mesh, crowns, wires)
    return Scene(recipe, seed, layout, plan, terrain, stock, world, decks, make_registers(plan, stock, recipe, seed))


def make_scene(
    out: Path, recipe: Recipe, seed: int, *, density: float | None = None, crs: CRS = DEFAULT_CRS, progress: Progress | None = None
) -> dict[str, Any]:
    """Write a scene folder; returns what `scene.json` holds."""
    say = progress or (lambda what, done, total: None)
    if density is not None:
        recipe = replace(recipe, scanner=replace(recipe.scanner, density_per_m2=density))
    say("city", 0, 1)
    scene = build_scene(recipe, seed)
    say("city", 1, 1)
    origin = recipe.extent.origin_m
    write_layers(scene.registers.layers, out / "registers.gpkg", origin, crs)
    write_layers({"buildings": building_rows(scene.stock)}, out / "truth" / "buildings.gpkg", origin, crs)
    write_city_model(scene.stock, out / "truth" / "buildings.city.jsonl", origin, crs)
    write_json(true_differences(scene.plan, scene.stock), out / "truth" / "differences.json")
    _write_rasters(scene, out, crs)
    flown = _fly(scene, out, crs, say)
    document = _document(scene, flown, crs)
    write_json(document, out / "scene.json")
    return document


def _terrain(layout: Layout, plan: Plan, recipe: Recipe, seed: int) -> Terrain:
    rng = stream(seed, "ground")
    kerbs = [(block, 0.12 + 0.25 * float(rng.random())) for block in plan.blocks]
    depth = {"excavation": 4.5, "filled": -1.1, "unfilled": 0.9}
    works = [
        Earthwork(plot.kind, plot.polygon, depth[plot.kind] * between(rng, (0.85, 1.15)))
        for plot in plan.plots
        if plot.kind in depth
    ]
    green = ("villa", "pagoda", "school_l", "school_u")
    pavements = [(p.polygon, Ground.GRASS if p.kind in green else Ground.CONCRETE) for p in plan.plots]
    pavements += [(s.area, Ground.ASPHALT if s.reserve_m >= 3 else Ground.CONCRETE) for s in plan.streets]
    return make_terrain(layout, recipe, seed, kerbs, works, pavements)


def _write_rasters(scene: Scene, out: Path, crs: CRS) -> None:
    size, (x, y) = scene.layout.size, scene.recipe.extent.origin_m
    grid = Grid.covering(BoundingBox(x, y, x + size, y + size, horizontal(crs)), NODE_M)
    dtm = Raster(np.ascontiguousarray(scene.terrain.heights[::-1]), grid)
    write_cog(dtm, out / "truth" / "dtm.tif", name="dtm", crs=crs)
    cover = Raster(np.ascontiguousarray(land_cover(scene)[::-1].astype(np.float32)), grid)
    write_cog(cover, out / "truth" / "land_cover.tif", name="land_cover")


def land_cover(scene: Scene) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Rows from south to north, as the terrain's nodes."""
    terrain = scene.terrain
    shape, transform = terrain.heights.shape, Affine(NODE_M, 0, 0, 0, NODE_M, 0)

    def drawn(polygons: list[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        if not polygons:
            return np.zeros(shape, dtype=bool)
        return np.asarray(rasterize(polygons, out_shape=shape, transform=transform, dtype="uint8")).astype(bool)

    cover = np.full(shape, Cover.OPEN, dtype=np.uint8)
    cover[drawn([s.area for s in scene.plan.streets if s.reserve_m < 4.05])] = Cover.ALLEY
    cover[terrain.bank] = Cover.BANK
    import shapely

    crowns = scene.world.crowns
    cover[drawn(list(shapely.points(crowns[:, :2]).__iter__()) and [shapely.Point(c[0], c[1]).buffer(c[3]) for c in crowns])] = Cover.UNDER_TREES
    cover[terrain.water] = Cover.WATER
    cover[terrain.pit] = Cover.EXCAVATION
    cover[drawn([polygon for polygon, _ in scene.decks])] = Cover.UNDER_BRIDGE
    cover[drawn([s.footprint for s in scene.stock])] = Cover.UNDER_BUILDING
    return cover


def _fly(scene: Scene, out: Path, crs: CRS, say: Progress) -> dict[str, Any]:
    """Fly the strips; a tile is written when no later strip can reach it."""
    extent, flight = scene.recipe.extent, Flight(scene.world, scene.recipe.scanner, scene.seed)
    tiles = round(extent.size_m / extent.tile_m)
    from shapely import box

    covers = [strip.covers() for strip in flight.strips]
    boxes = {
        (r, c): box(c * extent.tile_m, r * extent.tile_m, (c + 1) * extent.tile_m, (r + 1) * extent.tile_m)
        for r in range(tiles)
        for c in range(tiles)
    }
    last = {key: max((k for k, area in enumerate(covers) if area.intersects(shape)), default=0) for key, shape in boxes.items()}
    held: dict[tuple[int, int], list[Returns]] = {key: [] for key in boxes}
    total, done, points = flight.total_pulses, 0, 0
    classes = np.zeros(256, dtype=np.int64)
    for k, strip in enumerate(flight.strips):
        for pulses, returns in flight.returns_of(strip):
            done += pulses
            _sort_into(held, returns, extent.tile_m, tiles)
            say("flight", done, total)
        for key in [key for key in held if last[key] <= k]:
            parts = held.pop(key)
            if not parts:
                continue
            tile = Returns.joined(parts)
            points += len(tile.time)
            classes += np.bincount(tile.classes, minlength=256)
            name = f"tile_{round(extent.origin_m[0] + key[1] * extent.tile_m)}_{round(extent.origin_m[1] + key[0] * extent.tile_m)}.laz"
            write_points(tile, np.zeros_like(tile.classes), out / "lidar" / name, extent.origin_m, crs)
            write_points(tile, tile.classes, out / "truth" / "points" / name, extent.origin_m, crs)
    counts = {Class(code).name.lower(): int(n) for code, n in enumerate(classes) if n}
    return {"pulses": done, "points": points, "strips": len(flight.strips), "classes": counts}


def _sort_into(held: dict[tuple[int, int], list[Returns]], returns: Returns, tile: float, tiles: int) -> None:
    millimetres = np.round(returns.xyz[:, :2] * 1000)
    column = np.clip(millimetres[:, 0] // (tile * 1000), 0, tiles - 1).astype(np.int64)
    row = np.clip(millimetres[:, 1] // (tile * 1000), 0, tiles - 1).astype(np.int64)
    key = row * tiles + column
    for value in np.unique(key):
        held[(int(value) // tiles, int(value) % tiles)].append(returns.chosen(key == value))


def _document(scene: Scene, flown: dict[str, Any], crs: CRS) -> dict[str, Any]:
    extent = scene.recipe.extent
    x, y = extent.origin_m
    kinds: dict[str, int] = {}
    for standing in scene.stock:
        kinds[standing.built.kind] = kinds.get(standing.built.kind, 0) + 1
    return {
        "recipe": scene.recipe.name,
        "title": scene.recipe.title,
        "seed": scene.seed,
        "crs": name_of(crs),
        "bounds": [x, y, x + extent.size_m, y + extent.size_m],
        "tile_m": extent.tile_m,
        "flown": "2025-03-08",
        "counts": {
            "parcels": len(scene.plan.plots),
            "buildings": len(scene.stock),
            "by_kind": dict(sorted(kinds.items())),
            **{name: len(rows) for name, rows in scene.registers.layers.items() if name != "parcels"},
            **flown,
        },
        "points_per_m2": round(flown["points"] / extent.size_m**2, 2),
        "scanner": asdict(scene.recipe.scanner),
    }
