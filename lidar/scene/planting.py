"""Which buildings differ from their permits and how, and which only look as if they did."""

from __future__ import annotations

from dataclasses import dataclass, replace

from numpy.random import Generator
from shapely import Polygon

from lidar.scene.comparison import compare
from lidar.scene.designs import Design, HalfPlane, facing, yards
from lidar.scene.plots import Plan, Plot
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Recipe
from lidar.scene.shapes import Ring, clip

DIFFERENCES = ("no_permit", "storeys", "footprint", "parcel_line", "setback")
LOOK_ALIKES = (
    "legacy_certificate",
    "renovation",
    "temporary",
    "roof_fixtures",
    "tree_over_roof",
    "tall_storeys",
    "older_parcel_uid",
    "missing_footprint",
)


@dataclass(frozen=True, slots=True)
class Planting:
    """What was planted, by plot; a plot has one difference or one look-alike at most."""

    differences: dict[int, Planted]
    look_alikes: dict[int, str]


@dataclass(frozen=True, slots=True)
class Planted:
    """A difference between a permit and what was built."""

    kind: str
    permitted: Design
    built: Design


def plant(plan: Plan, natural: dict[int, Design], recipe: Recipe, seed: int) -> Planting:
    """Choose buildings at random; a difference is planted only where it can be measured afterwards."""
    rng = stream(seed, "planted")
    houses = [i for i, d in natural.items() if d.kind in ("house", "shop", "villa")]
    free = [houses[k] for k in rng.permutation(len(houses))]
    made = Planting({}, {})
    wanted = recipe.planted
    for kind in DIFFERENCES:
        least = wanted.at_least_no_permit if kind == "no_permit" else wanted.at_least
        count = max(least, round(wanted.share * len(houses)))
        for index in free:
            if count == 0:
                break
            planted = _try(plan.plots[index], natural[index], kind, stream(seed, "planted", index))
            if planted is not None:
                made.differences[index] = planted
                count -= 1
        free = [i for i in free if i not in made.differences]
    for kind in LOOK_ALIKES:
        count = max(wanted.look_alike_at_least, round(wanted.look_alike_share * len(houses)))
        chosen = [i for i in free if _can_look(natural[i], kind)][:count]
        made.look_alikes.update(dict.fromkeys(chosen, kind))
        free = [i for i in free if i not in made.look_alikes]
    return made


def _try(plot: Plot, design: Design, kind: str, rng: Generator) -> Planted | None:
    """The difference, if it can be made there and measured."""
    if not _can_differ(plot, design, kind):
        return None
    if kind == "no_permit":
        return Planted(kind, design, design)
    permitted, built = _as_planted(plot, design, kind, rng)
    if permitted is None or built is None:
        return None
    kinds = {difference.kind for difference in compare(plot, permitted, built)}
    return Planted(kind, permitted, built) if kind in kinds else None


def _can_differ(plot: Plot, design: Design, kind: str) -> bool:
    old = bool(design.options.get("old"))
    depth = design.polygon.area / plot.frontage_m
    if kind == "parcel_line":
        return design.kind != "villa" and not design.setback_front_m and plot.street.reserve_m >= 2.0
    if kind in ("footprint", "setback"):
        return not old and depth > 8.5 and len(design.ring) <= 6
    return not (kind == "storeys" and old)


def _can_look(design: Design, kind: str) -> bool:
    old = bool(design.options.get("old"))
    if kind == "legacy_certificate":
        return old
    if kind == "temporary":
        return design.floors <= 3 and design.kind == "house"
    if kind == "roof_fixtures":
        return design.roof == "parapet" and design.stair_head
    if kind == "tree_over_roof":
        return design.floors <= 3
    return not old


def _as_planted(plot: Plot, design: Design, kind: str, rng: Generator) -> tuple[Design | None, Design | None]:
    """(permitted, built) of a design that is to differ in this way; None where it cannot."""
    if kind == "storeys":
        return design, replace(design, floors=design.floors + int(rng.choice((1, 1, 2))))
    front, rear = _own_front(plot, design), _own_rear(plot, design)
    if kind == "footprint":
        cut = max(2.0, 0.13 * design.polygon.area / plot.frontage_m)
        return _with_ring(design, clip(design.ring, rear[0], rear[1], rear[2] + cut)), design
    if kind == "setback":
        cut = between(rng, (1.4, 2.4))
        less = _with_ring(design, clip(design.ring, *front[:2], front[2] + cut))
        if less is None:
            return None, None
        return replace(less, setback_front_m=round(yards(plot, less.ring)[0] - 0.02, 2)), design
    if kind == "parcel_line":
        out = between(rng, (0.6, 1.0)) if plot.street.reserve_m > 3 else between(rng, (0.45, 0.6))
        return design, _with_ring(design, pushed_out(design.ring, front, out))
    return design, design


def _own_front(plot: Plot, design: Design) -> HalfPlane:
    return facing(design.ring, plot.axes.uy, -plot.axes.ux)


def _own_rear(plot: Plot, design: Design) -> HalfPlane:
    return facing(design.ring, -plot.axes.uy, plot.axes.ux)


def _with_ring(design: Design, ring: Ring) -> Design | None:
    if len(ring) < 3 or not Polygon(ring).is_valid or Polygon(ring).area < 12.0:
        return None
    return replace(design, ring=ring)


def pushed_out(ring: Ring, side: HalfPlane, distance: float) -> Ring:
    """The ring with one side moved outwards."""
    nx, ny, c = side
    return [(x - nx * distance, y - ny * distance) if abs(nx * x + ny * y - c) < 0.06 else (x, y) for x, y in ring]
