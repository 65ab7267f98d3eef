"""Make a scene folder: the ward, its registers, its truth, and the flight over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS

from gis.bounds import BoundingBox
from gis.crs import horizontal, name_of
from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster, write_cog
from gis.settings import DEFAULT_CRS
from lidar.scene.city_model import building_rows, write_city_model
from lidar.scene.differences import true_differences
from lidar.scene.land import NODE_M
from lidar.scene.land_cover import land_cover
from lidar.scene.later import flown_again, later_flight, later_ward
from lidar.scene.recipe import Recipe
from lidar.scene.rows import FLIGHT_DAY
from lidar.scene.scanner import Flight
from lidar.scene.survey import Flown, fly
from lidar.scene.ward import Ward, make_ward
from lidar.scene.write import write_json, write_layers

Progress = Callable[[str, int, int], None]
"""Called with what is being done ("ward" or "flight"), how far it is and how far it goes."""


def make_scene(
    out: Path,
    recipe: Recipe,
    seed: int,
    *,
    density: float | None = None,
    crs: CRS = DEFAULT_CRS,
    later: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a scene folder; the same recipe, seed and density give the same bytes.

    The later state of a scene has the same registers and another flight; `truth/changes.json` says what changed.

    Args:
        out: folder; files of the same names in it are replaced.
        recipe: the numbers.
        seed: not negative.
        density: first returns per m² instead of the recipe's (of the later flight: of its share of the recipe's).
        crs: compound CRS in whose coordinates the scene's origin is given.
        later: as the recipe's table `later` says, some years on.
        progress: told how far it is.

    Returns:
        What `scene.json` holds.

    Raises:
        BadParameter: the seed is negative or the density outside 0.1 … 100.
    """
    if seed < 0:
        raise BadParameter("seed", seed, "must not be negative")
    if density is None and later:
        density = recipe.scanner.density_per_m2 * recipe.later.density_share
    if density is not None:
        if not 0.1 <= density <= 100:
            raise BadParameter("density", density, "must lie between 0.1 and 100 points per m²")
        recipe = replace(recipe, scanner=replace(recipe.scanner, density_per_m2=density))
    say = progress or (lambda what, done, total: None)
    say("ward", 0, 1)
    ward = make_ward(recipe, seed)
    changes = None
    if later:
        ward, changes = later_ward(ward)
    say("ward", 1, 1)
    write_truth(ward, out, crs)
    if changes is not None:
        write_json(changes, out / "truth" / "changes.json")
    flight = later_flight(ward) if later else Flight(ward.world, recipe.scanner, seed)
    flown_on = flown_again(recipe.later) if later else FLIGHT_DAY
    flown = fly(flight, recipe.extent, out, crs, lambda done, total: say("flight", done, total), flown_on)
    document = {**describe(ward, flown, crs), "flown": flown_on.isoformat()}
    write_json(document, out / "scene.json")
    return document


def write_truth(ward: Ward, out: Path, crs: CRS) -> None:
    """Registers, true buildings, true differences, true terrain and land cover."""
    origin, truth = ward.recipe.extent.origin_m, out / "truth"
    write_layers(ward.registers.layers, out / "registers.gpkg", origin, crs)
    write_layers({"buildings": building_rows(ward.stock)}, truth / "buildings.gpkg", origin, crs)
    write_city_model(ward.stock, truth / "buildings.city.jsonl", origin, crs)
    write_json(true_differences(ward.plan, ward.stock), truth / "differences.json")
    x, y = origin
    grid = Grid.covering(BoundingBox(x, y, x + ward.layout.size, y + ward.layout.size, horizontal(crs)), NODE_M)
    north_first = np.ascontiguousarray(ward.terrain.heights[::-1])
    write_cog(Raster(north_first, grid), truth / "dtm.tif", name="dtm", crs=crs)
    cover = np.ascontiguousarray(land_cover(ward)[::-1].astype(np.float32))
    write_cog(Raster(cover, grid), truth / "land_cover.tif", name="land_cover")


def describe(ward: Ward, flown: Flown, crs: CRS) -> dict[str, Any]:
    """The document `scene.json`."""
    extent = ward.recipe.extent
    x, y = extent.origin_m
    layers = {name: len(rows) for name, rows in ward.registers.layers.items()}
    differences = true_differences(ward.plan, ward.stock)
    return {
        "recipe": ward.recipe.name,
        "title": ward.recipe.title,
        "seed": ward.seed,
        "crs": name_of(crs),
        "bounds": [x, y, x + extent.size_m, y + extent.size_m],
        "tile_m": extent.tile_m,
        "flown": FLIGHT_DAY.isoformat(),
        "invented": "parcels, people, permits and buildings are invented; only the coordinates' frame is real",
        "counts": {
            **layers,
            "buildings": len(ward.stock),
            "buildings_by_kind": dict(sorted(Counter(s.built.kind for s in ward.stock).items())),
            "buildings_by_roof": dict(sorted(Counter(s.structure.roof for s in ward.stock).items())),
            "differences": dict(sorted(Counter(row["kind"] for row in differences["differences"]).items())),
            "look_alikes": dict(sorted(Counter(row["kind"] for row in differences["look_alikes"]).items())),
            "triangles": len(ward.world.mesh.classes),
            "pulses": flown.pulses,
            "points": flown.points,
            "strips": flown.strips,
            "classes": flown.classes,
        },
        "tiles": list(flown.tiles),
        "points_per_m2": round(flown.points / extent.size_m**2, 2),
        "scanner": asdict(ward.recipe.scanner),
    }
