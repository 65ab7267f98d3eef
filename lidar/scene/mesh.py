"""Triangles of everything solid in the scene, and the grid of bins in which a ray finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numba
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Face, Solid, Surface
from lidar.scene.shapes import Axes, Ring, is_convex

SKIRT_M = 0.8
"""Walls reach this far into the ground, so that no beam slips below them on sloping land."""


class Material(IntEnum):
    """What a surface is made of: sets how much light it returns."""

    CONCRETE = 0
    TILE = 1
    METAL = 2
    PAINT = 3
    GLASS = 4
    STEEL = 5
    LEAF = 6
    CAR = 7
    CLOTH = 8
    DARK = 9


@dataclass(frozen=True, slots=True)
class Mesh:
    """k triangles."""

    corners: NDArray[np.float32]
    """(k, 3, 3) metres, scene frame."""
    classes: NDArray[np.uint8]
    """LAS class a return from it has in truth."""
    materials: NDArray[np.uint8]

    @classmethod
    def of(cls, triangles: NDArray[np.float64], code: int, material: int) -> Mesh:
        """Triangles of one class and material."""
        k = len(triangles)
        corners = np.asarray(triangles, dtype=np.float32).reshape(k, 3, 3)
        return cls(corners, np.full(k, code, dtype=np.uint8), np.full(k, material, dtype=np.uint8))

    @classmethod
    def joined(cls, meshes: Sequence[Mesh]) -> Mesh:
        """All triangles of several meshes."""
        if not meshes:
            return cls.of(np.empty((0, 3, 3)), 0, 0)
        return cls(
            np.concatenate([m.corners for m in meshes]),
            np.concatenate([m.classes for m in meshes]),
            np.concatenate([m.materials for m in meshes]),
        )


def solid_mesh(solid: Solid, code: int, roof: Material, wall: Material) -> Mesh:
    """The triangles of a solid's roof and walls."""
    base = float(solid.vertices[:, 2].min())
    triangles, materials = [], []
    for face in solid.faces:
        if face.surface is Surface.GROUND:
            continue
        found = triangles_of(solid, face)
        if face.surface is Surface.WALL:
            found = found.copy()
            found[..., 2] -= np.where(found[..., 2] <= base + 1e-6, SKIRT_M, 0.0)
        triangles.append(found)
        materials.append(np.full(len(found), roof if face.surface is Surface.ROOF else wall, dtype=np.uint8))
    corners = np.concatenate(triangles).astype(np.float32)
    return Mesh(corners, np.full(len(corners), code, dtype=np.uint8), np.concatenate(materials))


def triangles_of(solid: Solid, face: Face) -> NDArray[np.float64]:
    """(k, 3, 3) triangles that cover a face."""
    loops = [solid.vertices[list(ring)] for ring in face.rings]
    flat = [(float(x), float(y)) for x, y, _ in loops[0]]
    if face.surface is Surface.WALL or (len(loops) == 1 and is_convex(flat)):
        points = loops[0]
        first = np.broadcast_to(points[0], (len(points) - 2, 3))
        return np.stack([first, points[1:-1], points[2:]], axis=1)
    heights = {(float(x), float(y)): float(z) for loop in loops for x, y, z in loop}
    polygon = Polygon(flat, [[(x, y) for x, y, _ in loop] for loop in loops[1:]])
    parts = shapely.get_coordinates(shapely.constrained_delaunay_triangles(polygon)).reshape(-1, 4, 2)[:, :3]
    z = np.array([[heights[(float(x), float(y))] for x, y in part] for part in parts])
    return np.concatenate([parts, z[..., None]], axis=2)


def box(
    axes: Axes, u0: float, v0: float, u1: float, v1: float, low: float, high: float, code: int, material: int
) -> Mesh:
    """A box without its lower face."""
    return prism(axes.rectangle(u0, v0, u1, v1), [low] * 4, [high] * 4, code, material)


def prism(ring: Ring, low: Sequence[float], high: Sequence[float], code: int, material: int) -> Mesh:
    """A convex prism over a ring, with a height for each of its corners; without its lower face."""
    n = len(ring)
    top = np.array([[x, y, z] for (x, y), z in zip(ring, high, strict=True)])
    foot = np.array([[x, y, z] for (x, y), z in zip(ring, low, strict=True)])
    triangles = [top[[0, k, k + 1]] for k in range(1, n - 1)]
    for k in range(n):
        m = (k + 1) % n
        triangles += [np.array([foot[k], foot[m], top[m]]), np.array([foot[k], top[m], top[k]])]
    return Mesh.of(np.array(triangles), code, material)


@dataclass(frozen=True, slots=True)
class Bins:
    """Which items may be met above each cell of a square grid: `items[start[cell]:start[cell + 1]]`."""

    start: NDArray[np.int64]
    items: NDArray[np.int32]
    top: NDArray[np.float32]
    """Greatest height of the items of each cell; −∞ where there is none."""
    size: float
    """Side of a cell, metres."""
    n: int
    """Cells along a side."""


def bin_boxes(
    low: NDArray[np.float64], high: NDArray[np.float64], top: NDArray[np.float64], extent: float, size: float
) -> Bins:
    """Bin items by their rectangles, (k, 2) each."""
    n = int(np.ceil(extent / size))
    k = len(low)
    corners = np.empty((k, 3, 3), dtype=np.float32)
    corners[:, 0, :2], corners[:, 1, :2] = low, high
    return _bins(corners, low, high, top, n, size, boxes=True)


def bin_triangles(mesh: Mesh, extent: float, size: float) -> Bins:
    """Bin triangles by the cells their plan touches."""
    n = int(np.ceil(extent / size))
    flat = mesh.corners[..., :2].astype(np.float64)
    low, high = flat.min(axis=1), flat.max(axis=1)
    top = mesh.corners[..., 2].max(axis=1).astype(np.float64) if len(flat) else np.empty(0)
    return _bins(mesh.corners, low, high, top, n, size, boxes=False)


def _bins(
    corners: NDArray[np.float32],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    top: NDArray[np.float64],
    n: int,
    size: float,
    boxes: bool,
) -> Bins:
    if len(low) == 0:
        low, high = np.empty((0, 2)), np.empty((0, 2))
    counts = np.zeros(n * n + 1, dtype=np.int64)
    tops = np.full(n * n, -np.inf, dtype=np.float32)
    items = np.empty(0, dtype=np.int32)
    _fill(corners, low, high, top, n, size, boxes, counts, tops, items, False)
    start = np.concatenate([[0], np.cumsum(counts[:-1])]).astype(np.int64)
    items = np.empty(int(start[-1]), dtype=np.int32)
    _fill(corners, low, high, top, n, size, boxes, start[:-1].copy(), tops, items, True)
    return Bins(start, items, tops, size, n)


@numba.njit(cache=True, nogil=True)
def _fill(
    corners: Any,
    low: Any,
    high: Any,
    top: Any,
    n: int,
    size: float,
    boxes: bool,
    at: Any,
    tops: Any,
    items: Any,
    write: bool,
) -> None:
    """Count the items of each cell, or write them to their places."""
    slack = 0.02
    for k in range(len(low)):
        c0 = max(int(np.floor((low[k, 0] - slack) / size)), 0)
        c1 = min(int(np.floor((high[k, 0] + slack) / size)), n - 1)
        r0 = max(int(np.floor((low[k, 1] - slack) / size)), 0)
        r1 = min(int(np.floor((high[k, 1] + slack) / size)), n - 1)
        for r in range(r0, r1 + 1):
            for c in range(c0, c1 + 1):
                if not boxes and not _touches(corners[k], c * size - slack, r * size - slack, size + 2 * slack):
                    continue
                cell = r * n + c
                if write:
                    items[at[cell]] = k
                at[cell] += 1
                tops[cell] = max(tops[cell], top[k])


@numba.njit(cache=True, nogil=True)
def _touches(
    triangle: Any,
    x0: float,
    y0: float,
    size: float,
) -> bool:
    """Whether a square and a triangle's plan overlap, by the separating axes of the triangle's sides."""
    for k in range(3):
        ax, ay = triangle[k, 0], triangle[k, 1]
        bx, by = triangle[(k + 1) % 3, 0], triangle[(k + 1) % 3, 1]
        nx, ny = -(by - ay), bx - ax
        t0, t1, s0, s1 = np.inf, -np.inf, np.inf, -np.inf
        for m in range(3):
            d = nx * triangle[m, 0] + ny * triangle[m, 1]
            t0, t1 = min(t0, d), max(t1, d)
        for m in range(4):
            d = nx * (x0 + size * (m & 1)) + ny * (y0 + size * (m >> 1))
            s0, s1 = min(s0, d), max(s1, d)
        if s1 < t0 or t1 < s0:
            return False
    return True
