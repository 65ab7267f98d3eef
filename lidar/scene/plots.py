"""Streets, blocks and parcels: a quarter is cut by streets until its blocks are small enough, a block into plots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
import shapely
from numpy.random import Generator
from shapely import LineString, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from lidar.scene.layout import PATH_M, Layout
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Recipe, Site
from lidar.scene.shapes import Axes, Box, largest, lines_of, oriented_box, polygons_of, snapped, strip

MAIN_ROAD, EMBANKMENT_ROAD = "Đường chính", "Đường dẫn"
LEAST_PLOT_M2 = 20.0
QUARTERS_FROM_BANK_M = 7.8
ONE_ROW_BELOW = 0.68
"""A block less deep than this share of two rows' depth has one row."""


@dataclass(frozen=True, slots=True)
class Street:
    """A street, an alley or a path along water."""

    uid: str
    name: str
    reserve_m: float
    axis: LineString
    area: Polygon


@dataclass(frozen=True, slots=True)
class Plot:
    """A piece of land in one use. v of its frame points from the street inwards; v = 0 is its front line."""

    kind: str
    """house, villa, shop, or a site's kind."""
    polygon: Polygon
    axes: Axes
    frontage_m: float
    depth_m: float
    street: Street
    block: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The ward from above."""

    streets: tuple[Street, ...]
    blocks: tuple[Polygon, ...]
    plots: tuple[Plot, ...]


def make_plan(layout: Layout, recipe: Recipe, seed: int) -> Plan:
    """Draw streets, blocks and plots."""
    rng = stream(seed, "plan")
    namer = _Namer()
    streets = _big_streets(layout, recipe, namer)
    blocks: list[Polygon] = []
    for quarter in _quarters(layout):
        for item in _cut(quarter, recipe, rng, 0):
            if isinstance(item, Polygon):
                blocks.append(item)
            else:
                streets.append(namer.street(*item, strip(*item)))
    streets = _on_land(streets, layout)
    near = _Nearest(streets)
    sites, rest = _take_sites(blocks, recipe, rng)
    plots: list[Plot] = []
    final: list[Polygon] = []
    for site, polygon in sites:
        if site.kind in ("villa", "shop"):
            plots.extend(_rows(polygon, recipe, rng, near, len(final), site.kind))
        else:
            plots.extend(_site_plots(site, polygon, near, len(final)))
        final.append(polygon)
    for polygon in rest:
        plots.extend(_rows(polygon, recipe, rng, near, len(final)))
        final.append(polygon)
    return Plan(tuple(streets), tuple(final), tuple(plots))


class _Namer:
    """Names streets in the order in which they are made."""

    def __init__(self) -> None:
        self.count = 0

    def street(self, axis: LineString, width: float, area: Polygon, what: str = "") -> Street:
        self.count += 1
        word = what or ("Đường số" if width >= 5 else "Hẻm")
        return Street(f"r-{self.count:05d}", f"{word} {self.count} (hư cấu)", round(width, 1), axis, area)


def _big_streets(layout: Layout, recipe: Recipe, namer: _Namer) -> list[Street]:
    reserve = recipe.streets.main_reserve_m
    made = []
    for road in layout.main_roads:
        axis = layout.main_axis(road)
        made.append(namer.street(axis, reserve, strip(axis, reserve), MAIN_ROAD))
    crest = recipe.land.embankment_crest_m
    axis = layout.embankment_axis()
    made.append(namer.street(axis, crest, strip(axis, crest), EMBANKMENT_ROAD))
    p = np.arange(-layout.size * 0.25, layout.size * 1.25, 4.0)
    for offset in (-1.0, 1.0):
        reach = layout.canal_corridor_m - PATH_M / 2
        line = layout.line(p, layout.canal.at(p) + offset * reach)
        made.append(namer.street(line, PATH_M, strip(line, PATH_M), "Đường ven kênh"))
        reach = layout.embankment_corridor_m - PATH_M / 2
        line = layout.line(p, np.full_like(p, layout.embankment_q + offset * reach))
        made.append(namer.street(line, PATH_M, strip(line, PATH_M), "Đường gom"))
    q = p
    line = layout.line(layout.bank.at(q) + 2.0 + 2.5, q)
    made.append(namer.street(line, 5.0, strip(line, 5.0), "Đường bờ sông"))
    return made


def _quarters(layout: Layout) -> list[Polygon]:
    """What is left of the scene when the big lines are taken out."""
    left: BaseGeometry = layout.scene_box.buffer(-1.0)
    left = left.difference(layout.river_area(inland_m=QUARTERS_FROM_BANK_M))
    left = left.difference(strip(layout.canal_axis(), 2 * layout.canal_corridor_m))
    left = left.difference(strip(layout.embankment_axis(), 2 * layout.embankment_corridor_m))
    for p in layout.main_roads:
        left = left.difference(strip(layout.main_axis(p), layout.main_reserve_m))
    return [shapely.simplify(polygon, 0.4) for polygon in polygons_of(left, 60.0)]


def _cut(quarter: Polygon, recipe: Recipe, rng: Generator, level: int) -> Iterator[Polygon | tuple[LineString, float]]:
    """Cut a quarter in two by a street until it is a block. Yields blocks, and streets as axis and width."""
    streets = recipe.streets
    frame = oriented_box(quarter)
    deep, long = frame.width > streets.block_depth_m, frame.length > streets.block_length_m
    if level > 14 or not (deep or long) or quarter.area < 250:
        yield quarter
        return
    width = _reserve(quarter.area, recipe, rng)
    across = not deep or frame.length > 1.5 * frame.width
    axis = _cutting_line(frame, across, between(rng, (0.42, 0.58)), between(rng, (-1, 1)) * streets.skew_deg)
    parts = polygons_of(quarter.difference(strip(axis, width)), 40.0)
    inside = axis.intersection(quarter)
    if len(parts) < 2 or inside.is_empty:
        yield quarter
        return
    for line in lines_of(inside):
        if line.length > 2:
            yield line, width
    for part in parts:
        yield from _cut(part, recipe, rng, level + 1)


def _reserve(area: float, recipe: Recipe, rng: Generator) -> float:
    streets = recipe.streets
    for least, width in zip(streets.ladder_area_m2, streets.ladder_reserve_m, strict=False):
        if area >= least:
            return width
    if rng.random() < 0.35:
        return streets.ladder_reserve_m[-1]
    return round(between(rng, streets.alley_reserve_m), 1)


def _cutting_line(frame: Box, across: bool, share: float, skew_deg: float) -> LineString:
    """A line through the box: across its length, or along it."""
    u, v = ((share - 0.5) * frame.length, 0.0) if across else (0.0, (share - 0.5) * frame.width)
    angle = radians(skew_deg + (90 if across else 0))
    du, dv = cos(angle), sin(angle)
    reach = frame.length + frame.width
    return LineString(
        [frame.axes.to_world(u - reach * du, v - reach * dv), frame.axes.to_world(u + reach * du, v + reach * dv)]
    )


def _on_land(streets: list[Street], layout: Layout) -> list[Street]:
    """Streets cut at the scene's border and at the water; main roads alone cross the canal."""
    land = layout.scene_box.difference(layout.river_area(inland_m=0.5))
    dry = land.difference(strip(layout.canal_axis(), 2 * layout.canal_half_m + 6.0))
    kept = []
    for street in streets:
        area = land if street.name.startswith(MAIN_ROAD) else dry
        axis, ground = street.axis.intersection(area), largest(street.area.intersection(area))
        if ground is None or axis.is_empty:
            continue
        lines = lines_of(axis)
        longest = max(lines, key=lambda line: line.length, default=None)
        if longest is not None:
            kept.append(Street(street.uid, street.name, street.reserve_m, longest, ground))
    return kept


class _Nearest:
    """The street a side of a plot lies on: the widest one within reach, else the nearest."""

    def __init__(self, streets: list[Street]) -> None:
        self.streets = streets
        self.tree = STRtree([street.area for street in streets])

    def of(self, x: float, y: float) -> tuple[Street, float]:
        point = shapely.Point(x, y)
        best = int(self.tree.nearest(point))
        return self.streets[best], self.streets[best].area.distance(point)


def _take_sites(
    blocks: list[Polygon], recipe: Recipe, rng: Generator
) -> tuple[list[tuple[Site, Polygon]], list[Polygon]]:
    """Give each site a block or a piece of one; what is left over goes to the rows of houses."""
    pool = [(block, oriented_box(block).width) for block in blocks]
    wanted = sorted((site for site in recipe.sites for _ in range(site.count)), key=lambda s: -s.area_m2)
    sites: list[tuple[Site, Polygon]] = []
    for site in wanted:
        if not pool:
            break
        order = rng.permutation(len(pool))
        fits = [k for k in order if pool[k][1] >= site.depth_m and pool[k][0].area >= 0.9 * site.area_m2]
        if fits:
            best = min(fits[:6], key=lambda k: pool[k][0].area)
        else:
            best = max(range(len(pool)), key=lambda k: pool[k][1] * min(pool[k][0].area, site.area_m2))
        chosen, _ = pool.pop(best)
        piece, left = _cut_off(chosen, site.area_m2)
        sites.append((site, piece))
        pool += [(part, oriented_box(part).width) for part in left]
    return sites, [block for block, _ in pool]


def _cut_off(block: Polygon, area: float) -> tuple[Polygon, list[Polygon]]:
    """A piece of about this area from one end of a block, and the rest."""
    if block.area < 1.45 * area:
        return block, []
    frame = oriented_box(block)
    low, high = -frame.length / 2, frame.length / 2
    for _ in range(20):
        middle = (low + high) / 2
        half = Polygon(frame.axes.rectangle(-frame.length, -frame.width, middle, frame.width))
        low, high = (middle, high) if block.intersection(half).area < area else (low, middle)
    half = Polygon(frame.axes.rectangle(-frame.length, -frame.width, low, frame.width))
    piece = largest(block.intersection(half))
    return (piece or block), polygons_of(block.difference(half), 60.0)


def _site_plots(site: Site, polygon: Polygon, near: _Nearest, block: int) -> list[Plot]:
    frame = oriented_box(polygon)
    axes, width = frame.axes, frame.width
    sides = []
    for turn in (1, -1):
        side = Axes(axes.x, axes.y, axes.ux * turn, axes.uy * turn)
        street, distance = near.of(*side.to_world(0.0, -width / 2))
        sides.append((distance > 3.0, -street.reserve_m, turn, side, street))
    *_, side, street = min(sides, key=lambda s: s[:3])
    return [_plot(site.kind, polygon, side, street, block)]


def _plot(kind: str, polygon: Polygon, axes: Axes, street: Street, block: int) -> Plot:
    """A plot with the origin of its frame on the left end of its front line."""
    polygon = snapped(polygon)
    local = [axes.to_local(x, y) for x, y in polygon.exterior.coords[:-1]]
    u0, u1 = min(u for u, _ in local), max(u for u, _ in local)
    v0, v1 = min(v for _, v in local), max(v for _, v in local)
    x, y = axes.to_world(u0, v0)
    return Plot(kind, polygon, Axes(x, y, axes.ux, axes.uy), u1 - u0, v1 - v0, street, block)


def _rows(
    block: Polygon, recipe: Recipe, rng: Generator, near: _Nearest, index: int, wanted: str | None = None
) -> Iterator[Plot]:
    """Cut a block into one row of plots, or two back to back."""
    frame = oriented_box(block)
    axes, length, width = frame.axes, frame.length, frame.width
    kind, frontage = _row_kind(recipe, rng, width, wanted)
    two = width >= ONE_ROW_BELOW * recipe.streets.block_depth_m and kind != "villa"
    middle = between(rng, (-0.06, 0.06)) * width if two else None
    for turn in (1, -1):
        side = Axes(axes.x, axes.y, axes.ux * turn, axes.uy * turn)
        if middle is None:
            fronts = [near.of(*Axes(axes.x, axes.y, axes.ux * t, axes.uy * t).to_world(0, -width / 2)) for t in (1, -1)]
            best = 1 if (fronts[0][1], -fronts[0][0].reserve_m) <= (fronts[1][1], -fronts[1][0].reserve_m) else -1
            if turn != best:
                continue
            back = width
        else:
            back = middle * turn
        row = block.intersection(Polygon(side.rectangle(-length, -width, length, back)))
        for piece in polygons_of(row, LEAST_PLOT_M2):
            yield from _row(kind, frontage, piece, side, length, width, rng, near, index)


def _row_kind(recipe: Recipe, rng: Generator, width: float, wanted: str | None) -> tuple[str, tuple[float, float]]:
    houses, draw = recipe.houses, rng.random()
    if wanted == "villa" or (wanted is None and draw < houses.villa_share and width > 14):
        return "villa", houses.villa_frontage_m
    if wanted == "shop" or (wanted is None and draw < houses.villa_share + houses.shop_share):
        return "shop", houses.shop_frontage_m
    return "house", houses.frontage_m


def _row(
    kind: str,
    frontage: tuple[float, float],
    row: Polygon,
    side: Axes,
    length: float,
    width: float,
    rng: Generator,
    near: _Nearest,
    index: int,
) -> Iterator[Plot]:
    """Cut a row by lines across it; a remainder too small to build on joins the plot before it."""
    ends = [side.to_local(x, y)[0] for x, y in row.exterior.coords]
    u, end = min(ends), max(ends)
    usual = between(rng, frontage)
    pieces: list[Polygon] = []
    while u < end - 0.05:
        step = usual if rng.random() < 0.6 else between(rng, frontage)
        if end - u - step < 0.75 * frontage[0]:
            step = end - u + 1
        strip_ = Polygon(side.rectangle(u, -2 * width, u + step, 2 * width))
        piece = largest(row.intersection(strip_))
        u += step
        if piece is None:
            continue
        if pieces and (piece.area < 1.6 * LEAST_PLOT_M2 or pieces[-1].area < 1.6 * LEAST_PLOT_M2):
            joined = pieces[-1].union(piece)
            if isinstance(joined, Polygon):
                pieces[-1] = joined
                continue
        pieces.append(piece)
    for piece in pieces:
        plot = _plot(kind, piece, side, near.streets[0], index)
        if plot.polygon.is_empty or plot.polygon.area < LEAST_PLOT_M2:
            continue
        street, _ = near.of(*plot.axes.to_world(plot.frontage_m / 2, 0.0))
        yield Plot(kind, plot.polygon, plot.axes, plot.frontage_m, plot.depth_m, street, index)
