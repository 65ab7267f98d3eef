"""Where the big lines run: river, canal, embankment, main roads; in a frame turned against north."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, pi, radians, sin

import numpy as np
from numpy.typing import NDArray
from shapely import LineString, Polygon, box

from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Recipe

Array = NDArray[np.float64]

CANAL_INNER_RUN = 1.5
"""Metres of bank for one of height."""
DIKE_OUTER_RUN = 2.0
PATH_M = 3.0
"""Path along a bank or the foot of an embankment."""


@dataclass(frozen=True, slots=True)
class Wave:
    """A smooth line: offset + amplitude · sin(2π t / length + phase)."""

    offset: float
    amplitude: float
    length: float
    phase: float

    def at(self, t: Array) -> Array:
        """Ordinate at abscissa t, metres."""
        return self.offset + self.amplitude * np.sin(2 * pi / self.length * t + self.phase)


@dataclass(frozen=True, slots=True)
class Layout:
    """The frame (p, q) is the scene's, turned about its centre; p grows away from the river.

    All coordinates are metres; the scene's own frame has its origin in the south-west corner.
    """

    size: float
    angle: float
    """Radians, from the scene's x axis to p."""
    bank: Wave
    """p of the river's bank, by q."""
    canal: Wave
    """q of the canal's axis, by p."""
    canal_half_m: float
    canal_corridor_m: float
    """Half width of water, banks, dikes and paths."""
    embankment_q: float
    embankment_crest_m: float
    embankment_corridor_m: float
    main_roads: tuple[float, ...]
    """p of each main road's axis."""
    main_reserve_m: float

    def to_plan(self, x: Array, y: Array) -> tuple[Array, Array]:
        """From the scene's frame to (p, q)."""
        c, s, half = cos(self.angle), sin(self.angle), self.size / 2
        return half + c * (x - half) + s * (y - half), half - s * (x - half) + c * (y - half)

    def to_scene(self, p: Array, q: Array) -> tuple[Array, Array]:
        """From (p, q) to the scene's frame."""
        c, s, half = cos(self.angle), sin(self.angle), self.size / 2
        return half + c * (p - half) - s * (q - half), half + s * (p - half) + c * (q - half)

    @property
    def scene_box(self) -> Polygon:
        """The scene, in its own frame."""
        return box(0, 0, self.size, self.size)

    def line(self, p: Array, q: Array) -> LineString:
        """A line given in (p, q), in the scene's frame."""
        x, y = self.to_scene(p, q)
        return LineString(np.column_stack([x, y]))

    def _sweep(self) -> Array:
        reach = self.size * 0.75
        return np.arange(self.size / 2 - reach, self.size / 2 + reach + 1, 4.0)

    def river_area(self, inland_m: float = 0.0) -> Polygon:
        """Water side of the bank, grown inland by a strip."""
        q = self._sweep()
        p = self.bank.at(q) + inland_m
        x, y = self.to_scene(np.append(p, [-self.size, -self.size]), np.append(q, [q[-1], q[0]]))
        return Polygon(np.column_stack([x, y]))

    def canal_axis(self) -> LineString:
        """The middle of the canal."""
        p = self._sweep()
        return self.line(p, self.canal.at(p))

    def embankment_axis(self) -> LineString:
        """The middle of the embankment's crest."""
        p = self._sweep()
        return self.line(p, np.full_like(p, self.embankment_q))

    def main_axis(self, p: float) -> LineString:
        """The middle of a main road."""
        q = self._sweep()
        return self.line(np.full_like(q, p), q)


def lay_out(recipe: Recipe, seed: int) -> Layout:
    """Draw the big lines of a scene."""
    rng = stream(seed, "layout")
    land, size = recipe.land, recipe.extent.size_m
    quarter = int(rng.integers(4))
    angle = radians(between(rng, (5.0, 18.0)) * (1 if rng.random() < 0.5 else -1)) + quarter * pi / 2
    rise = max(land.base_height_m[1] - land.canal_level_m, 0.5) + land.dike_height_m
    canal_corridor = (
        land.canal_width_m / 2
        + rise * CANAL_INNER_RUN
        + land.dike_crest_m
        + land.dike_height_m * DIKE_OUTER_RUN
        + PATH_M
    )
    embankment_corridor = land.embankment_crest_m / 2 + land.embankment_height_m * land.embankment_slope + PATH_M
    amplitude = min(0.02 * size, 8.0)
    canal_q = between(rng, (0.24, 0.30)) * size
    count = land.main_roads
    first, last = 0.25, 0.85
    roads = tuple((first + (last - first) * (k + between(rng, (0.4, 0.6))) / count) * size for k in range(count))
    return Layout(
        size=size,
        angle=angle,
        bank=Wave(land.river_width_m, amplitude, size * 0.7, between(rng, (0, 2 * pi))),
        canal=Wave(canal_q, min(0.015 * size, 12.0), size * 0.9, between(rng, (0, 2 * pi))),
        canal_half_m=land.canal_width_m / 2,
        canal_corridor_m=canal_corridor,
        embankment_q=between(rng, (0.74, 0.80)) * size,
        embankment_crest_m=land.embankment_crest_m,
        embankment_corridor_m=embankment_corridor,
        main_roads=roads,
        main_reserve_m=recipe.streets.main_reserve_m,
    )


def unit(dx: float, dy: float) -> tuple[float, float]:
    """The direction of a vector."""
    length = hypot(dx, dy)
    return (dx / length, dy / length) if length else (1.0, 0.0)
