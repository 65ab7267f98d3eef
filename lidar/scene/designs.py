"""What an owner planned for a plot: footprint, storeys and roof; a permit is written for it, or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot

from numpy.random import Generator
from shapely import Polygon

from lidar.scene.plots import Plot
from lidar.scene.randomness import between
from lidar.scene.recipe import Houses
from lidar.scene.rules import density_pct, most_floors, rear_setback
from lidar.scene.shapes import Axes, Ring, clip, ring_of

GROUND_FLOOR_EXTRA_M = 0.4
LEAST_HOUSE_M2 = 14.0
VILLA_DEPTH_M = (9.0, 15.0)


@dataclass(frozen=True, slots=True)
class Design:
    """A building as planned, or as built."""

    kind: str
    ring: Ring
    """Footprint, counter-clockwise, scene frame."""
    axes: Axes
    """v points from the street inwards."""
    floors: int
    storey_m: float
    roof: str
    """flat, parapet, gabled, hipped, shed, stepped, saw-tooth, dormer, terraces, tiers, courtyard."""
    slope: float = 0.0
    holes: tuple[Ring, ...] = ()
    parapet_m: float = 0.0
    stair_head: bool = False
    tank: bool = False
    well: bool = False
    setback_front_m: float | None = None
    setback_rear_m: float | None = None
    status: str = "finished"
    options: dict[str, float] = field(default_factory=dict)
    """Further measures of the roof, metres."""

    @property
    def eave_m(self) -> float:
        """Height of the walls above the ground."""
        return self.floors * self.storey_m + GROUND_FLOOR_EXTRA_M

    @property
    def polygon(self) -> Polygon:
        """The footprint."""
        return Polygon(self.ring, self.holes)


HalfPlane = tuple[float, float, float]
"""(nx, ny, c): inside where nx·x + ny·y ≥ c; the normal has unit length and points inwards."""


def facing(ring: Ring, dx: float, dy: float) -> HalfPlane:
    """The side of a counter-clockwise ring that faces a direction most."""
    best, chosen = -1.0, (0.0, 0.0, 0.0)
    for k, (x1, y1) in enumerate(ring):
        x0, y0 = ring[k - 1]
        length = hypot(x1 - x0, y1 - y0)
        if length < 0.05:
            continue
        nx, ny = -(y1 - y0) / length, (x1 - x0) / length
        facing_it = -(nx * dx + ny * dy)
        if facing_it > 0.7 and length * facing_it > best:
            best, chosen = length * facing_it, (nx, ny, nx * x0 + ny * y0)
    return chosen


def front_line(plot: Plot) -> HalfPlane:
    """The side of a plot along its street."""
    return facing(ring_of(plot.polygon), plot.axes.uy, -plot.axes.ux)


def rear_line(plot: Plot) -> HalfPlane:
    """The side of a plot away from its street."""
    return facing(ring_of(plot.polygon), -plot.axes.uy, plot.axes.ux)


def yards(plot: Plot, ring: Ring) -> tuple[float, float]:
    """Least distance of a footprint from its plot's front line and from its rear line, metres; negative beyond it."""
    found = []
    for nx, ny, c in (front_line(plot), rear_line(plot)):
        found.append(min(nx * x + ny * y - c for x, y in ring) if (nx, ny) != (0.0, 0.0) else 99.0)
    return found[0], found[1]


def within_setbacks(plot: Plot, front: float, rear: float, sides: float = 0.0) -> Ring:
    """The plot without its yards; empty when nothing is left."""
    ring = ring_of(plot.polygon)
    lines = [(front_line(plot), front), (rear_line(plot), rear)]
    if sides:
        lines += [(facing(ring, s * plot.axes.ux, s * plot.axes.uy), sides) for s in (1, -1)]
    for (nx, ny, c), distance in lines:
        if distance != 0.0 and (nx, ny) != (0.0, 0.0):
            ring = clip(ring, nx, ny, c + distance)
    return ring if len(ring) > 2 and Polygon(ring).is_valid and Polygon(ring).area >= LEAST_HOUSE_M2 else []


def house(plot: Plot, houses: Houses, front_yard: float, rng: Generator) -> Design | None:
    """A tube house or a shop-house in a row; None where the plot is too small to build on."""
    area = plot.polygon.area
    rear = rear_setback(area, plot.depth_m)
    free = max(1.0 - density_pct(area) / 100.0, 0.0) * area / plot.frontage_m - rear - front_yard
    yard = rear + max(free, 0.0) + between(rng, (0.0, 0.4))
    old = rng.random() < 0.22
    if old:
        yard = between(rng, (0.0, 0.8)) + max(rear - 1.0, 0.0)
    ring = within_setbacks(plot, front_yard, yard)
    if not ring:
        return None
    most = most_floors(plot.street.reserve_m)
    floors = int(rng.integers(1, 3)) if old else max(2, most - int(rng.choice((0, 0, 1, 1, 2))))
    roof, slope = _house_roof(old, Polygon(ring).area, rng)
    return Design(
        plot.kind,
        ring,
        plot.axes,
        floors,
        round(between(rng, houses.storey_m), 2),
        roof,
        slope,
        parapet_m=round(between(rng, (0.4, 1.1)), 2) if roof in ("parapet", "stepped") else 0.0,
        stair_head=roof in ("parapet", "stepped") and rng.random() < 0.7,
        tank=roof in ("parapet", "stepped") and rng.random() < 0.6,
        well=not old and plot.depth_m > 14 and plot.frontage_m > 3.6 and rng.random() < 0.3,
        setback_front_m=front_yard if front_yard else None,
        setback_rear_m=rear if rear and not old else None,
        options={"old": float(old), "step": between(rng, (3.5, 4.5))},
    )


def _house_roof(old: bool, area: float, rng: Generator) -> tuple[str, float]:
    draw = rng.random()
    if old:
        if draw < 0.5:
            return "gabled", between(rng, (0.3, 0.55))
        return ("shed", between(rng, (0.08, 0.18))) if draw < 0.9 else ("flat", 0.0)
    if draw < 0.5:
        return "parapet", 0.0
    if draw < 0.7:
        return "shed", between(rng, (0.06, 0.15))
    if draw < 0.85 and area > 35:
        return "stepped", 0.0
    return ("gabled", between(rng, (0.25, 0.5))) if draw < 0.93 else ("flat", 0.0)


def villa(plot: Plot, houses: Houses, rng: Generator) -> Design | None:
    """A detached house in its garden."""
    front, rear, sides = between(rng, (3.0, 4.5)), between(rng, (2.2, 3.0)), between(rng, (1.2, 2.2))
    if plot.frontage_m < 8 or plot.depth_m < 12:
        return house(plot, houses, 0.0, rng)
    rear = max(rear, plot.depth_m - front - between(rng, VILLA_DEPTH_M))
    ring = within_setbacks(plot, front, rear, sides)
    if not ring or len(ring) > 6:
        return None
    roof = str(rng.choice(["hipped", "hipped", "dormer", "gabled", "parapet"]))
    return Design(
        "villa",
        ring,
        plot.axes,
        int(rng.integers(2, 4)),
        round(between(rng, (3.4, 3.8)), 2),
        roof,
        between(rng, (0.45, 0.7)) if roof != "parapet" else 0.0,
        parapet_m=0.9 if roof == "parapet" else 0.0,
        stair_head=roof == "parapet",
        tank=roof == "parapet",
        setback_front_m=round(front - 0.3, 1),
        setback_rear_m=2.0,
        options={"out": 2.6, "width": 1.8, "rise": 1.1},
    )
