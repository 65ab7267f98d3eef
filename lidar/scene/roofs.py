"""Roofs as plans of cells: flat with parapets, gabled, hipped, shed, saw-tooth, stepped, tiered, with dormers."""

from __future__ import annotations

from collections.abc import Sequence

from shapely import Polygon

from lidar.scene.shapes import Axes, Ring, clip, inset, is_convex, largest, ring_of, tidy
from lidar.scene.solids import Cell, Plane, level

PARAPET_THICKNESS_M = 0.15


def flat(ring: Ring, z: float) -> list[Cell]:
    """One level."""
    return [Cell(ring, level(z))]


def parapet(ring: Ring, z: float, height: float) -> list[Cell]:
    """A level behind a parapet; without one where the ring is too narrow."""
    inner = inset(ring, PARAPET_THICKNESS_M)
    if height < 0.05 or not inner or Polygon(inner).area < 2.0:
        return flat(ring, z)
    return [Cell(ring, level(z + height), (inner,)), Cell(inner, level(z))]


def with_fixtures(cells: Sequence[Cell], fixtures: Sequence[tuple[Ring, float]]) -> list[Cell]:
    """Put boxes (stair heads, tanks, machine rooms) on the flat cells that hold them whole; others are left out."""
    made = list(cells)
    for ring, top in fixtures:
        box = Polygon(ring)
        for k, cell in enumerate(made):
            if cell.plane[:2] != (0.0, 0.0) or top <= cell.plane[2] + 0.05:
                continue
            if Polygon(cell.ring, cell.holes).buffer(-0.05).contains(box):
                made[k] = Cell(cell.ring, cell.plane, (*cell.holes, ring))
                made.append(Cell(ring, level(top)))
                break
    return made


def with_well(cells: Sequence[Cell], ring: Ring, floor: float) -> list[Cell]:
    """Sink a light well into the cell that holds it whole; left out where none does."""
    made = list(cells)
    for k, cell in enumerate(made):
        if Polygon(cell.ring, cell.holes).buffer(-0.1).contains(Polygon(ring)):
            made[k] = Cell(cell.ring, cell.plane, (*cell.holes, ring))
            return [*made, Cell(ring, level(floor))]
    return made


def through(x: float, y: float, z: float, slope_x: float, slope_y: float) -> Plane:
    """The plane through a point, with slopes along x and y."""
    return (slope_x, slope_y, z - slope_x * x - slope_y * y)


def lower_envelope(ring: Ring, planes: Sequence[Plane]) -> list[Cell]:
    """Over a convex ring, the lowest of several planes: gables, hips and pyramids."""
    cells = []
    for k, (a, b, c) in enumerate(planes):
        part = list(ring)
        for m, (a2, b2, c2) in enumerate(planes):
            if m != k and part:
                part = clip(part, a2 - a, b2 - b, c - c2)
        if part:
            cells.append(Cell(part, (a, b, c)))
    return cells


def gable(ring: Ring, axes: Axes, eave: float, slope: float, along: str = "v") -> list[Cell]:
    """Two slopes; the ridge runs along u or v of the axes, in the middle of the ring."""
    (u0, u1), (v0, v1) = _spans(ring, axes)
    if along == "v":
        n, middle, half = (axes.ux, axes.uy), axes.to_world((u0 + u1) / 2, v0), (u1 - u0) / 2
    else:
        n, middle, half = (-axes.uy, axes.ux), axes.to_world(u0, (v0 + v1) / 2), (v1 - v0) / 2
    ridge = eave + slope * half
    planes = [through(*middle, ridge, -s * slope * n[0], -s * slope * n[1]) for s in (1, -1)]
    return lower_envelope(ring, planes)


def hip(ring: Ring, axes: Axes, eave: float, slope: float) -> list[Cell]:
    """Four slopes from the sides of the ring's box in these axes."""
    (u0, u1), (v0, v1) = _spans(ring, axes)
    sides = ((u0, v0, 1, 0), (u1, v0, -1, 0), (u0, v0, 0, 1), (u0, v1, 0, -1))
    planes = []
    for u, v, du, dv in sides:
        x, y = axes.to_world(u, v)
        gx, gy = du * axes.ux - dv * axes.uy, du * axes.uy + dv * axes.ux
        planes.append(through(x, y, eave, slope * gx, slope * gy))
    return lower_envelope(ring, planes)


def shed(ring: Ring, axes: Axes, eave: float, slope: float) -> list[Cell]:
    """One slope, rising along v."""
    (_, _), (v0, _) = _spans(ring, axes)
    x, y = axes.to_world(0.0, v0)
    return [Cell(ring, through(x, y, eave, -slope * axes.uy, slope * axes.ux))]


def saw_tooth(ring: Ring, axes: Axes, eave: float, slope: float, teeth: int) -> list[Cell]:
    """Parallel sheds along u."""
    (u0, u1), _ = _spans(ring, axes)
    step = (u1 - u0) / teeth
    cells = []
    for k in range(teeth):
        x, y = axes.to_world(u0 + k * step, 0.0)
        part = clip(ring, axes.ux, axes.uy, axes.ux * x + axes.uy * y)
        x1, y1 = axes.to_world(u0 + (k + 1) * step, 0.0)
        part = clip(part, -axes.ux, -axes.uy, -(axes.ux * x1 + axes.uy * y1)) if k < teeth - 1 else part
        if part:
            cells.append(Cell(part, through(x, y, eave, slope * axes.ux, slope * axes.uy)))
    return cells


def stepped(ring: Ring, axes: Axes, cuts: Sequence[float], heights: Sequence[float]) -> list[Cell]:
    """Levels one behind the other: cut along v (metres from the front), one height for each part."""
    cells = []
    _, (v0, _) = _spans(ring, axes)
    for k, z in enumerate(heights):
        part = list(ring)
        if k > 0:
            x, y = axes.to_world(0.0, v0 + cuts[k - 1])
            part = clip(part, -axes.uy, axes.ux, -axes.uy * x + axes.ux * y)
        if k < len(cuts):
            x, y = axes.to_world(0.0, v0 + cuts[k])
            part = clip(part, axes.uy, -axes.ux, axes.uy * x - axes.ux * y)
        if part:
            cells.append(Cell(part, level(z)))
    return cells


def terraces(ring: Ring, insets: Sequence[float], heights: Sequence[float]) -> list[Cell]:
    """A tower with setbacks: each level stands further in than the one below."""
    cells: list[Cell] = []
    current = ring
    for distance, z in zip(insets, heights[:-1], strict=True):
        inner = inset(current, distance)
        if not inner or Polygon(inner).area < 20.0:
            break
        cells.append(Cell(current, level(z), (inner,)))
        current = inner
    cells.append(Cell(current, level(heights[len(cells)])))
    return cells


def tiers(axes: Axes, size: tuple[float, float], eaves: Sequence[float], run: float, slope: float) -> list[Cell]:
    """A pagoda: skirts of roof around storeys that stand further in, a hipped roof on top; origin in the middle."""
    cells: list[Cell] = []
    a, b = size[0] / 2, size[1] / 2
    for z in eaves[:-1]:
        outer, inner = axes.rectangle(-a, -b, a, b), axes.rectangle(-a + run, -b + run, a - run, b - run)
        sides = ((-a, -b, 0, 1), (a, -b, -1, 0), (a, b, 0, -1), (-a, b, 1, 0))
        for k, (u, v, du, dv) in enumerate(sides):
            x, y = axes.to_world(u, v)
            gx, gy = du * axes.ux - dv * axes.uy, du * axes.uy + dv * axes.ux
            following = (k + 1) % 4
            ring = [outer[k], outer[following], inner[following], inner[k]]
            cells.append(Cell(ring, through(x, y, z, slope * gx, slope * gy)))
        a, b = a - run, b - run
    top = axes.rectangle(-a, -b, a, b)
    cells.extend(hip(top, axes, eaves[-1], slope * 1.3))
    return cells


def with_dormer(cells: Sequence[Cell], axes: Axes, slope: float, width: float, out: float, rise: float) -> list[Cell]:
    """A flat-topped dormer in the largest slope: it stands `out` metres below the top of the slope and `rise` above it.

    The dormer's roof is level; it meets the slope where this has the same height. Left out where there is no room.
    """
    made = list(cells)
    k = max(range(len(made)), key=lambda i: Polygon(made[i].ring).area)
    cell = made[k]
    gx, gy = cell.plane[0] / slope, cell.plane[1] / slope
    polygon = Polygon(cell.ring)
    centre = polygon.centroid
    front = cell.height_at(centre.x, centre.y) - slope * out / 2
    depth = rise / slope
    turned = Axes(centre.x, centre.y, gy, -gx)
    ring = turned.rectangle(-width / 2, -out / 2, width / 2, -out / 2 + depth)
    if is_convex(cell.ring) and polygon.buffer(-0.3).contains(Polygon(ring)):
        made[k] = Cell(cell.ring, cell.plane, (*cell.holes, ring))
        made.append(Cell(ring, level(front + rise)))
    return made


def without(ring: Ring, hole: Ring) -> Ring | None:
    """The ring with a notch or corner cut out; None where the hole would lie inside or cut it in two."""
    left = Polygon(ring).difference(Polygon(hole))
    found = largest(left)
    if not isinstance(left, Polygon) or found is None or found.interiors:
        return None
    return tidy(ring_of(found)) or None


def _spans(ring: Ring, axes: Axes) -> tuple[tuple[float, float], tuple[float, float]]:
    local = [axes.to_local(x, y) for x, y in ring]
    us, vs = [u for u, _ in local], [v for _, v in local]
    return (min(us), max(us)), (min(vs), max(vs))
