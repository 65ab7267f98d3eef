"""What the owner of each plot would build within the rules, and which plots are empty."""

from __future__ import annotations

from dataclasses import dataclass, replace

from numpy.random import Generator

from lidar.scene.designs import Design, house, villa, yards
from lidar.scene.institutions import SITES
from lidar.scene.plots import Plan, Plot
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Houses, Recipe

NO_BUILDING = ("excavation", "filled", "unfilled")
YARD_FROM_RESERVE_M, YARD_FROM_DEPTH_M, YARD_SHARE, YARD_M = 5.0, 13.0, 0.35, (1.8, 3.0)
"""Some rows on wider streets, of deep plots, stand back by a common yard in front."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Designs by plot."""

    built: dict[int, Design]
    empty: dict[int, Design]
    """What could stand, or once stood, on plots that are empty now."""


def draw_wishes(plan: Plan, recipe: Recipe, seed: int) -> Wishes:
    """Design a building for each plot that can bear one."""
    wishes = Wishes({}, {})
    row_yards: dict[tuple[int, str], float] = {}
    for index, plot in enumerate(plan.plots):
        rng = stream(seed, "design", index)
        if plot.kind in NO_BUILDING:
            continue
        if plot.kind in SITES:
            made, empty = _institution(plot, rng), False
        else:
            key = (plot.block, plot.street.uid)
            if key not in row_yards:
                row_yards[key] = _row_yard(plot, stream(seed, "yard", *key))
            empty = rng.random() < recipe.houses.empty_share
            made = _dwelling(plot, recipe.houses, row_yards[key], rng)
        if made is not None:
            (wishes.empty if empty else wishes.built)[index] = made
    return wishes


def _institution(plot: Plot, rng: Generator) -> Design | None:
    made = SITES[plot.kind](plot, rng)
    if made is None:
        return None
    free = yards(plot, made.ring)[0]
    return replace(made, setback_front_m=round(free - 0.5, 1) if free > 0.9 else None)


def _row_yard(plot: Plot, rng: Generator) -> float:
    wide = plot.street.reserve_m >= YARD_FROM_RESERVE_M and plot.depth_m > YARD_FROM_DEPTH_M
    return round(between(rng, YARD_M), 1) if wide and rng.random() < YARD_SHARE else 0.0


def _dwelling(plot: Plot, houses: Houses, yard: float, rng: Generator) -> Design | None:
    if plot.kind == "villa":
        return villa(plot, houses, rng)
    return house(plot, houses, yard, rng)
