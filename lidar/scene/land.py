"""The terrain as a function of position, and what covers it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely import Polygon

from lidar.scene.layout import CANAL_INNER_RUN, DIKE_OUTER_RUN, Layout
from lidar.scene.randomness import stream
from lidar.scene.recipe import Land, Recipe

Array = NDArray[np.float64]

NODE_M = 0.5
"""Spacing of the terrain's nodes, which are the centres of the cells of the true DTM."""
RIVER_BANK_RUN = 1.5
UNDERPASS_MARGIN_M = 1.0
PIT_RUN = 0.35
"""A pit's walls are shored: horizontal metres for one of depth."""


class Ground(IntEnum):
    """What the bare ground is made of: sets how bright it is and whether grass stands on it."""

    SOIL = 0
    ASPHALT = 1
    CONCRETE = 2
    GRASS = 3
    ROUGH_GRASS = 4
    WATER = 5
    SAND = 6


@dataclass(frozen=True, slots=True)
class Earthwork:
    """A plot whose ground was changed or left as it was: an excavation, a filled or an unfilled lot."""

    kind: str
    polygon: Polygon
    depth_m: float
    """Below (positive) or above (negative) the land around."""


@dataclass(frozen=True, slots=True)
class Terrain:
    """Nodes every half metre, rows from south to north: node (r, c) is at ((c + ½)·0.5, (r + ½)·0.5)."""

    heights: NDArray[np.float32]
    """(n, n) metres above Hòn Dấu; the water level on water."""
    water: NDArray[np.bool_]
    bank: NDArray[np.bool_]
    """Bank, dike or embankment."""
    pit: NDArray[np.bool_]
    ground: NDArray[np.uint8]

    def at(self, x: Array, y: Array) -> Array:
        """Height by bilinear interpolation, positions in the scene's frame."""
        n = self.heights.shape[0]
        c = np.clip(np.asarray(x) / NODE_M - 0.5, 0, n - 1.001)
        r = np.clip(np.asarray(y) / NODE_M - 0.5, 0, n - 1.001)
        i, j = r.astype(np.int64), c.astype(np.int64)
        fr, fc = r - i, c - j
        h = self.heights
        south = h[i, j] * (1 - fc) + h[i, j + 1] * fc
        north = h[i + 1, j] * (1 - fc) + h[i + 1, j + 1] * fc
        return np.asarray(south * (1 - fr) + north * fr, dtype=np.float64)


def natural_height(layout: Layout, land: Land, seed: int, x: Array, y: Array) -> Array:
    """The land before anyone dug: rises from the river, and undulates."""
    rng = stream(seed, "undulation")
    p, _ = layout.to_plan(x, y)
    low, high = land.base_height_m
    along = np.clip((p - layout.bank.offset) / max(layout.size - layout.bank.offset, 1.0), 0.0, 1.0)
    height = low + (high - low) * along
    for length in (310.0, 130.0, 57.0):
        angle, phase = rng.random() * 2 * np.pi, rng.random() * 2 * np.pi
        height = height + land.undulation_m / 2 * np.sin(
            2 * np.pi / length * (np.cos(angle) * x + np.sin(angle) * y) + phase
        )
    return np.asarray(height)


def smoothstep(t: Array) -> Array:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True, slots=True)
class Formed:
    """Heights with the big earthworks; arrays of one shape."""

    height: Array
    water: NDArray[np.bool_]
    bank: NDArray[np.bool_]


def formed_height(layout: Layout, recipe: Recipe, seed: int, x: Array, y: Array) -> Formed:
    """The land with its river, canal, dike, embankment and road ramps."""
    land = recipe.land
    natural = natural_height(layout, land, seed, x, y)
    p, q = layout.to_plan(x, y)
    inland = p - layout.bank.at(q)
    from_canal = q - layout.canal.at(p)
    height = _dike(natural, from_canal, inland, layout, land)
    height = np.maximum(height, _ramps(natural, p, from_canal, layout, land))
    bank = height > natural + 0.25
    embanked = _embankment(natural, p, q, inland, layout, land)
    bank |= embanked > natural + 0.25
    height = np.maximum(height, embanked)
    rise = np.abs(from_canal) - layout.canal_half_m
    canal = land.canal_level_m + np.maximum(rise, 0.0) / CANAL_INNER_RUN
    bank |= (canal < height) & (rise > 0)
    height = np.minimum(height, canal)
    river = height + np.minimum(inland, 0.0) / RIVER_BANK_RUN
    bank |= (inland < 0) & (river > land.river_level_m)
    height = np.maximum(river, land.river_level_m)
    water = (height <= land.river_level_m + 1e-9) & (inland < 0)
    water |= (rise <= 0) & (height <= land.canal_level_m + 1e-9)
    return Formed(height, water, bank & ~water)


def _dike(natural: Array, from_canal: Array, inland: Array, layout: Layout, land: Land) -> Array:
    """A full dike on one side of the canal, a lower one on the other, both fading at the river."""
    fade = smoothstep(inland / 12.0)
    share = np.where(from_canal > 0, 1.0, 0.55)
    crest = natural + land.dike_height_m * share * fade
    foot = layout.canal_half_m + np.maximum(crest - land.canal_level_m, 0.0) * CANAL_INNER_RUN + land.dike_crest_m
    outer = crest - np.maximum(np.abs(from_canal) - foot, 0.0) / DIKE_OUTER_RUN
    return np.maximum(natural, outer)


def _ramps(natural: Array, p: Array, from_canal: Array, layout: Layout, land: Land) -> Array:
    """Main roads climb to the dike's crest on both sides of the bridge."""
    raised = natural.copy()
    for road in layout.main_roads:
        across = np.abs(p - road) - layout.main_reserve_m / 2
        along = 1.0 - (np.abs(from_canal) - layout.canal_corridor_m + 6.0) / 30.0
        top = natural + (land.dike_height_m + 0.1) * smoothstep(along)
        raised = np.maximum(raised, top - np.maximum(across, 0.0) / 0.8)
    return raised


def _embankment(natural: Array, p: Array, q: Array, inland: Array, layout: Layout, land: Land) -> Array:
    """A road on an embankment that ramps down to the river, with a gap where main roads pass beneath."""
    length = min(80.0, 0.3 * layout.size)
    fade = smoothstep((inland - 6.0) / length)
    top = natural + land.embankment_height_m * fade
    across = np.abs(q - layout.embankment_q) - land.embankment_crest_m / 2
    height = np.where(fade > 0, top - np.maximum(across, 0.0) / land.embankment_slope, natural)
    for road in layout.main_roads:
        gap = np.abs(p - road) < underpass_half_width(layout)
        height = np.where(gap, natural, height)
    return np.maximum(height, natural)


def underpass_half_width(layout: Layout) -> float:
    """Half of the clear opening between the abutments."""
    return layout.main_reserve_m / 2 + UNDERPASS_MARGIN_M


def nodes(size: float, rows: slice | None = None) -> tuple[Array, Array]:
    """X (columns,) and y (rows,) of the terrain's nodes in the scene's frame."""
    n = round(size / NODE_M)
    centres = (np.arange(n) + 0.5) * np.float64(NODE_M)
    return centres, centres[rows or slice(None)]


def make_terrain(
    layout: Layout,
    recipe: Recipe,
    seed: int,
    blocks: list[tuple[Polygon, float]],
    earthworks: list[Earthwork],
    pavements: list[tuple[Polygon, Ground]],
) -> Terrain:
    """Evaluate the terrain at its nodes.

    Args:
        layout: the big lines.
        recipe: the numbers.
        seed: of the scene.
        blocks: each with the height of its kerb above the streets.
        earthworks: lots that were dug, filled or left low.
        pavements: what the ground is made of; later ones lie over earlier ones.
    """
    size = layout.size
    n = round(size / NODE_M)
    transform = Affine(NODE_M, 0, 0, 0, NODE_M, 0)
    heights = np.empty((n, n), dtype=np.float32)
    water, bank = np.zeros((n, n), dtype=bool), np.zeros((n, n), dtype=bool)
    columns, _ = nodes(size)
    for start in range(0, n, 256):
        rows = slice(start, min(start + 256, n))
        x, y = np.meshgrid(columns, columns[rows])
        formed = formed_height(layout, recipe, seed, x, y)
        heights[rows], water[rows], bank[rows] = formed.height, formed.water, formed.bank
    if blocks:
        kerbs = rasterize(blocks, out_shape=(n, n), transform=transform, fill=0.0, dtype="float32")
        heights += np.where(water | bank, np.float32(0), kerbs)
    ground = np.full((n, n), Ground.SOIL, dtype=np.uint8)
    if pavements:
        shapes = [(polygon, int(kind)) for polygon, kind in pavements]
        ground[:] = rasterize(shapes, out_shape=(n, n), transform=transform, fill=int(Ground.SOIL), dtype="uint8")
    ground[bank] = np.where(ground[bank] == Ground.SOIL, Ground.ROUGH_GRASS, ground[bank])
    pit = np.zeros((n, n), dtype=bool)
    for work in earthworks:
        _work(heights, water, pit, ground, work)
    ground[water] = Ground.WATER
    return Terrain(heights, water, bank, pit, ground)


def _work(
    heights: NDArray[np.float32],
    water: NDArray[np.bool_],
    pit: NDArray[np.bool_],
    ground: NDArray[np.uint8],
    work: Earthwork,
) -> None:
    """Change the nodes of one lot."""
    n = heights.shape[0]
    west, south, east, north = work.polygon.bounds
    c0, c1 = max(int(west / NODE_M), 0), min(int(east / NODE_M) + 2, n)
    r0, r1 = max(int(south / NODE_M), 0), min(int(north / NODE_M) + 2, n)
    x, y = np.meshgrid((np.arange(c0, c1) + 0.5) * NODE_M, (np.arange(r0, r1) + 0.5) * NODE_M)
    points = shapely.points(x, y)
    shapely.prepare(work.polygon)
    inside = shapely.contains(work.polygon, points)
    depth = np.where(inside, shapely.distance(work.polygon.exterior, points), 0.0)
    window = (slice(r0, r1), slice(c0, c1))
    run = PIT_RUN if work.kind == "excavation" else 2.0
    change = np.minimum(np.maximum(depth - 0.6, 0.0) / run, abs(work.depth_m)) * (-1 if work.depth_m > 0 else 1)
    wet = water[window]
    heights[window] = np.where(wet, heights[window], heights[window] + change)
    touched = inside & (depth > 0.6) & ~wet
    if work.kind == "excavation":
        pit[window] |= touched
        ground[window][inside] = Ground.SOIL
    elif work.kind == "filled":
        ground[window][inside] = Ground.SAND
    else:
        ground[window][inside] = Ground.ROUGH_GRASS
        level = float(np.quantile(heights[window][touched], 0.3)) + 0.1 if touched.any() else 0.0
        pond = touched & (heights[window] < level) & (depth > 3.0)
        water[window] |= pond
        heights[window] = np.where(pond, np.float32(level), heights[window])
