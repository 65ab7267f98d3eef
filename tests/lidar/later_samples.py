"""A small scene at two dates as surveys would know it: rasters of its points, registers with errors of their σ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon
from shapely.affinity import translate

from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.grid import Grid
from gis.settings import DEFAULT_CRS
from lidar.change.buildings import Measured
from lidar.scene.later import later_flight, later_ward
from lidar.scene.recipe import read_recipe
from lidar.scene.scanner import Flight, Returns
from lidar.scene.ward import Ward, make_ward
from lidar.terrain import Terrain, rasterise

SIGMA_HEIGHT, SIGMA_OUTLINE = 0.08, 0.15


@dataclass(frozen=True)
class Survey:
    """What one date's survey says."""

    terrain: Terrain
    buildings: list[Measured]


@dataclass(frozen=True)
class TwoDates:
    """Both surveys, the land parcels, and what is true."""

    earlier: Survey
    later: Survey
    parcels: dict[str, Polygon]
    changes: dict[str, Any]


def two_dates(seed: int = 1, density: float = 4.0) -> TwoDates:
    """Fly over the alley twice; the later survey lies beside the earlier one as the recipe says."""
    recipe = read_recipe("alley")
    recipe = replace(recipe, scanner=replace(recipe.scanner, density_per_m2=density))
    before = make_ward(recipe, seed)
    after, changes = later_ward(before)
    origin = recipe.extent.origin_m
    shift = np.array([changes["shift_m"][name] for name in ("east", "north", "up")])
    parcels = {row["uid"]: translate(row["geom"], *origin) for row in before.registers.layers["parcels"]}
    earlier = Survey(_terrain(before, Flight(before.world, recipe.scanner, seed)), _buildings(before, seed, 0 * shift))
    later = Survey(_terrain(after, later_flight(after)), _buildings(after, seed + 1, shift))
    return TwoDates(earlier, later, parcels, changes)


def _terrain(ward: Ward, flight: Flight) -> Terrain:
    """Of the points under their true classes."""
    size, origin = ward.recipe.extent.size_m, ward.recipe.extent.origin_m
    returns = Returns.joined([part for strip in flight.strips for _, part in flight.returns_of(strip)])
    bounds = BoundingBox(*origin, origin[0] + size, origin[1] + size, horizontal(DEFAULT_CRS))
    return rasterise(returns.cloud(origin, DEFAULT_CRS), Grid.covering(bounds, 0.5))


def _buildings(ward: Ward, seed: int, shift: NDArray[np.float64]) -> list[Measured]:
    """The true buildings with errors of their σ, outlines as each survey derives its own."""
    random = np.random.default_rng(seed)
    found = []
    for standing in ward.stock:
        east, north = np.array(ward.recipe.extent.origin_m) + shift[:2] + random.normal(0, SIGMA_OUTLINE / 2, 2)
        roof = standing.heights.p70
        one = Measured(
            uid=standing.uid,
            footprint=translate(standing.footprint, east, north),
            roof=roof + shift[2] + random.normal(0, SIGMA_HEIGHT),
            height=roof - standing.structure.ground + random.normal(0, SIGMA_HEIGHT),
            sigma_height=SIGMA_HEIGHT,
            sigma_outline=SIGMA_OUTLINE,
            known=False,
        )
        found.append(one)
    return found


def on_the_map(later: list[Measured], earlier: list[Measured]) -> list[Measured]:
    """As the chain knows them where a base map has the earlier outlines: the same in both, what is added by itself."""
    known = {one.uid: one for one in earlier}
    found = []
    for one in later:
        old = known.get(one.uid)
        if old is None:
            found.append(one)
            continue
        found.append(replace(one, footprint=old.footprint, known=True))
        added = one.footprint.difference(old.footprint.buffer(0.4, join_style="mitre"))
        if added.geom_type == "Polygon" and added.area > 3:
            found.append(replace(one, uid=f"d-{one.uid}", footprint=added.buffer(0.4, join_style="mitre")))
    gone = [replace(one, known=True, standing=False) for uid, one in known.items() if uid not in {x.uid for x in later}]
    return found + gone
