"""Buildings that stand on a site of their own: apartment blocks, towers, schools, a market hall, a pagoda."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely
from numpy.random import Generator
from shapely import Polygon

from lidar.scene.designs import Design
from lidar.scene.plots import Plot
from lidar.scene.randomness import between
from lidar.scene.shapes import Axes, Ring


def _room(plot: Plot, front: float, rear: float, sides: float) -> tuple[Axes, float, float] | None:
    """A rectangle inside the plot, its frame's origin in its front left corner; None where the plot is too small."""
    inside = plot.polygon.buffer(-0.3)
    shapely.prepare(inside)
    best: tuple[float, Axes, float, float] | None = None
    for less_long in np.arange(0.0, plot.frontage_m, 1.5):
        for less_wide in np.arange(0.0, plot.depth_m, 1.5):
            length, width = plot.frontage_m - 2 * sides - less_long, plot.depth_m - front - rear - less_wide
            if length < 8 or width < 8 or (best is not None and length * width <= best[0]):
                continue
            for at in range(9):
                u, v = less_long * (0.5, 0.0, 1.0)[at % 3], less_wide * (0.0, 0.5, 1.0)[at // 3]
                x, y = plot.axes.to_world(sides + u, front + v)
                axes = Axes(x, y, plot.axes.ux, plot.axes.uy)
                if inside.contains(Polygon(axes.rectangle(0, 0, length, width))):
                    best = (length * width, axes, length, width)
                    break
    return None if best is None else best[1:]


def tower(plot: Plot, rng: Generator) -> Design | None:
    """A high-rise on a podium, with setbacks."""
    room = _room(plot, 4.0, 3.0, 2.5)
    if room is None:
        return None
    axes, length, width = room
    return _institution(
        "tower", axes, axes.rectangle(0, 0, length, width), int(rng.integers(16, 23)), 3.3, "terraces", 4.0
    )


def apartments(plot: Plot, rng: Generator) -> Design | None:
    """A slab block, with a courtyard where there is room."""
    room = _room(plot, 3.0, 2.5, 2.0)
    if room is None:
        return None
    axes, length, width = room
    holes: tuple[Ring, ...] = ()
    if width > 17 and length > 20:
        holes = (axes.rectangle(6.5, 6.5, length - 6.5, width - 6.5),)
    ring = axes.rectangle(0, 0, length, width)
    return _institution("apartments", axes, ring, int(rng.integers(5, 9)), 3.2, "courtyard", 3.0, holes=holes)


def school_l(plot: Plot, rng: Generator) -> Design | None:
    """Two wings at a right angle."""
    room = _room(plot, 2.5, 1.5, 1.5)
    if room is None:
        return None
    axes, a, b = room
    w = min(8.5, a / 2.2, b / 2.2)
    local = [(0, 0), (a, 0), (a, w), (w, w), (w, b), (0, b)]
    return _institution(
        "school", axes, [axes.to_world(*p) for p in local], int(rng.integers(2, 5)), 3.6, "parapet", 2.5
    )


def school_u(plot: Plot, rng: Generator) -> Design | None:
    """Three wings around a yard."""
    room = _room(plot, 2.5, 1.5, 1.5)
    if room is None:
        return None
    axes, a, b = room
    w = min(8.0, a / 3.2, b / 2.2)
    local = [(0, 0), (w, 0), (w, b - w), (a - w, b - w), (a - w, 0), (a, 0), (a, b), (0, b)]
    return _institution(
        "school", axes, [axes.to_world(*p) for p in local], int(rng.integers(2, 5)), 3.6, "parapet", 2.5
    )


def market(plot: Plot, rng: Generator) -> Design | None:
    """A hall under a saw-tooth roof."""
    room = _room(plot, 3.0, 2.0, 2.0)
    if room is None:
        return None
    axes, length, width = room
    options = {"teeth": float(max(3, int(length // 6)))}
    ring = axes.rectangle(0, 0, length, width)
    return _institution(
        "market", axes, ring, 1, between(rng, (5.0, 6.0)), "saw-tooth", 3.0, slope=0.35, options=options
    )


def pagoda(plot: Plot, rng: Generator) -> Design | None:
    """A temple of three tiers."""
    room = _room(plot, 3.0, 3.0, 3.0)
    if room is None:
        return None
    axes, length, width = room
    side = min(length, width, 18.0)
    centre = axes.to_world(length / 2, width / 2)
    middle = Axes(*centre, axes.ux, axes.uy)
    ring = middle.rectangle(-side / 2, -side * 0.42, side / 2, side * 0.42)
    options = {"tiers": 3.0, "run": side * 0.13}
    return _institution("pagoda", middle, ring, 3, between(rng, (3.0, 3.6)), "tiers", 3.0, slope=0.55, options=options)


def _institution(
    kind: str,
    axes: Axes,
    ring: Ring,
    floors: int,
    storey: float,
    roof: str,
    front: float,
    *,
    slope: float = 0.0,
    holes: tuple[Ring, ...] = (),
    options: dict[str, float] | None = None,
) -> Design:
    flat = roof in ("parapet", "courtyard", "terraces")
    return Design(
        kind,
        ring,
        axes,
        floors,
        round(storey, 2),
        roof,
        slope,
        holes=holes,
        parapet_m=1.1 if flat else 0.0,
        stair_head=flat,
        tank=flat,
        setback_front_m=round(front - 0.5, 1),
        options=options or {},
    )


SITES: dict[str, Callable[[Plot, Generator], Design | None]] = {
    "tower": tower,
    "apartments": apartments,
    "school_l": school_l,
    "school_u": school_u,
    "market": market,
    "pagoda": pagoda,
}
"""What stands on each kind of site; other kinds of site carry no building."""
