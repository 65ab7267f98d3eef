"""A mask of cells to a polygon: traced, turned into its own direction, with right angles where the cells say so."""

from __future__ import annotations

from math import atan2, ceil, cos, hypot, pi, sin

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from scipy import ndimage
from shapely import Polygon, affinity

SHORTEST_EDGE = 1.25
"""m: a step in a wall below this is taken for the cells' doing."""
SMALLEST_COURT = 6.0
"""m²: a hole below this is closed."""
FINE = 0.25
"""m: cells of the mask when turned."""
SIMPLE = 0.75
"""m: how far a free outline may leave the cells."""
RIGHT_ANGLED = 0.55
"""Strength of the common direction (0 none, 1 all walls) from which right angles are tried."""
AGREEMENT = 0.80
"""Least intersection over union with the cells for a right-angled outline to stand."""


def outline_of(mask: NDArray[np.bool_], cell: float, origin: tuple[float, float]) -> Polygon | None:
    """The outline of the mask's largest connected part; None for an empty mask.

    Args:
        mask: (rows, columns), north first, its border all false.
        cell: m.
        origin: x and y of the upper-left corner.
    """
    traced = _largest(_traced(mask, Affine(cell, 0, origin[0], 0, -cell, origin[1])))
    if traced is None:
        return None
    direction, strength = _direction(traced)
    if strength >= RIGHT_ANGLED:
        fitted = _right_angled(mask, cell, origin, direction)
        if fitted is not None and _overlap(fitted, traced) >= AGREEMENT:
            return fitted
    free = traced.simplify(SIMPLE)
    return free if isinstance(free, Polygon) and free.is_valid and not free.is_empty else traced


def _traced(mask: NDArray[np.bool_], transform: Affine) -> list[Polygon]:
    """The mask's parts as polygons along cell edges, small holes closed."""
    rings = [g["coordinates"] for g, _ in shapes(mask.astype(np.uint8), mask=mask, transform=transform)]
    return [Polygon(outer, [h for h in holes if Polygon(h).area >= SMALLEST_COURT]) for outer, *holes in rings]


def _largest(polygons: list[Polygon]) -> Polygon | None:
    return max(polygons, key=lambda p: (float(p.area), p.bounds), default=None)


def _overlap(a: Polygon, b: Polygon) -> float:
    """Intersection over union."""
    common = float(a.intersection(b).area)
    return common / (float(a.area) + float(b.area) - common)


def _direction(traced: Polygon) -> tuple[float, float]:
    """The walls' common direction, radians in [-π/4, π/4), and how common it is.

    Each long side of the simplified outline votes, by its length squared, with the line fitted through the cell
    edges' midpoints along it.
    """
    steps = shapely.get_coordinates(traced.segmentize(0.5).exterior)[:-1]
    corners = shapely.get_coordinates(traced.exterior.simplify(SIMPLE))[:-1]
    place = {(float(x), float(y)): k for k, (x, y) in enumerate(steps)}
    at = [place[(float(x), float(y))] for x, y in corners]
    total, weight = 0j, 0.0
    for first, last in zip(at, at[1:] + at[:1], strict=True):
        run = np.arange(first, last + 1 if last > first else last + 1 + len(steps)) % len(steps)
        side = steps[run]
        middle = (side[1:] + side[:-1]) / 2.0
        length = hypot(*(side[-1] - side[0]))
        if length < 2.0:
            continue
        inner = middle[1:-1] if len(middle) > 6 else middle
        spread = inner - inner.mean(axis=0)
        angle = 0.5 * atan2(
            2.0 * float(spread[:, 0] @ spread[:, 1]), float((spread**2) @ (1, -1) @ np.ones(len(spread)))
        )
        total += length**2 * complex(cos(4 * angle), sin(4 * angle))
        weight += length**2
    if weight == 0:
        return 0.0, 0.0
    return atan2(total.imag, total.real) / 4.0, abs(total) / weight


def _right_angled(
    mask: NDArray[np.bool_], cell: float, origin: tuple[float, float], direction: float
) -> Polygon | None:
    """The outline in a frame turned into the direction, its short steps evened out, turned back."""
    rows, columns = mask.shape
    centre = (origin[0] + columns * cell / 2.0, origin[1] - rows * cell / 2.0)
    reach = ceil(hypot(rows, columns) * cell / 2.0 / FINE) + 2
    offsets = (np.arange(-reach, reach) + 0.5) * FINE
    across, up = np.meshgrid(offsets, offsets[::-1])
    x = centre[0] + across * cos(direction) - up * sin(direction)
    y = centre[1] + across * sin(direction) + up * cos(direction)
    soft = ndimage.uniform_filter(mask.astype(np.float32), 3)
    turned = ndimage.map_coordinates(
        soft, [(origin[1] - y) / cell - 0.5, (x - origin[0]) / cell - 0.5], order=1, cval=0.0
    ) >= 0.5  # fmt: skip
    found = _largest(_traced(turned, Affine(FINE, 0, -reach * FINE, 0, -FINE, reach * FINE)))
    if found is None:
        return None
    outer = _evened(shapely.get_coordinates(found.exterior)[:-1])
    if outer is None:
        return None
    holes = [h for h in (_evened(shapely.get_coordinates(hole)[:-1]) for hole in found.interiors) if h is not None]
    polygon = Polygon(outer, [h for h in holes if Polygon(h).area >= SMALLEST_COURT])
    if not polygon.is_valid or polygon.is_empty:
        return None
    return affinity.translate(affinity.rotate(polygon, direction * 180.0 / pi, origin=(0, 0)), *centre)


def _evened(ring: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """A ring of alternating horizontal and vertical edges without those shorter than `SHORTEST_EDGE`.

    Edges are kept as lines; taking out an edge makes one line of its two neighbours, in the mean place of both by
    their lengths. The shortest goes first. None when nothing is left.
    """
    lines = _lines(ring)
    while len(lines) > 4:
        n = len(lines)
        lengths = [abs(lines[(i + 1) % n] - lines[i - 1]) for i in range(n)]
        shortest = min(range(n), key=lengths.__getitem__)
        if lengths[shortest] >= SHORTEST_EDGE:
            break
        before, after = (shortest - 1) % n, (shortest + 1) % n
        weight = lengths[before] + lengths[after]
        place = (
            (lines[before] * lengths[before] + lines[after] * lengths[after]) / weight if weight > 0 else lines[before]
        )
        rolled = [lines[(before + k) % n] for k in range(n)]
        rest = [place, *rolled[3:]]
        # Lines alternate: keep vertical ones at even places.
        lines = rest if before % 2 == 0 else rest[-1:] + rest[:-1]
    if len(lines) < 4:
        return None
    n = len(lines)
    return np.array(
        [(lines[i], lines[(i + 1) % n]) if i % 2 == 0 else (lines[(i + 1) % n], lines[i]) for i in range(n)]
    )


def _lines(ring: NDArray[np.float64]) -> list[float]:
    """x, y, x, y, … of a rectilinear ring's edges, a vertical one first; collinear edges are one."""
    n = len(ring)
    turn = [k for k in range(n) if (ring[k - 1][0] == ring[k][0]) != (ring[k][0] == ring[(k + 1) % n][0])]
    corners = [ring[k] for k in turn]
    lines: list[float] = []
    for k, corner in enumerate(corners):
        following = corners[(k + 1) % len(corners)]
        lines.append(float(corner[0] if corner[0] == following[0] else corner[1]))
    vertical_first = corners[0][0] == corners[1][0]
    return lines if vertical_first else lines[1:] + lines[:1]
