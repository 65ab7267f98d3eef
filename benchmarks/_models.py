"""Measures of models of buildings: against the points they were made from, and against other models.

Both are solids without overhangs: above each place there is one stretch from the ground to the roof, so that volumes
in common are counted in upright columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Solid, Surface
from gis.city_model.faces import normals, triangles

Floats = NDArray[np.float64]

COLUMN = 0.2
"""m: side of a column."""
SAMPLES = 8.0
"""Places per m² of surface that distances between models are taken at, strewn at random."""
SAME_SLOPE, SAME_HEIGHT = 0.01, 0.02
"""Rise over run, and m: roof faces that differ by less are one plane."""


@dataclass(frozen=True)
class Roof:
    """The roof faces of a solid, as polygons in plan under a height each."""

    parts: NDArray[np.object_]
    planes: Floats
    """(k, 3) a, b, c of z = a + b (x - x0) + c (y - y0)."""
    origin: Floats
    triangles: Floats
    """(t, 3, 3) m from the origin."""

    @classmethod
    def of(cls, solid: Solid) -> Roof:
        """The roof of a solid; upright faces that are called roofs have no place in plan and are left out there."""
        origin = np.append(solid.vertices[:, :2].min(axis=0), 0.0)
        normal, _ = normals(solid)
        parts, planes = [], []
        for face, own in zip(solid.faces, normal, strict=True):
            if face.surface is not Surface.ROOF or not own[2] > 1e-3:
                continue
            rings = [solid.vertices[list(ring)] - origin for ring in face.rings]
            part = shapely.make_valid(Polygon(rings[0][:, :2], [ring[:, :2] for ring in rings[1:]]))
            middle = rings[0].mean(axis=0)
            b, c = -own[:2] / own[2]
            parts.append(part)
            planes.append((middle[2] - b * middle[0] - c * middle[1], b, c))
        corners, of = triangles(solid)
        roof = np.array([face.surface is Surface.ROOF for face in solid.faces])
        return cls(_objects(parts), np.array(planes).reshape(-1, 3), origin, solid.vertices[corners[roof[of]]] - origin)

    def face_at(self, xy: Floats) -> NDArray[np.int64]:
        """(n,) the face over each place, the highest where there are several; -1 where there is none."""
        local = xy - self.origin[:2]
        found, height = np.full(len(xy), -1), np.full(len(xy), -np.inf)
        for k, (part, (a, b, c)) in enumerate(zip(self.parts, self.planes, strict=True)):
            z = a + b * local[:, 0] + c * local[:, 1]
            above = shapely.intersects_xy(part, local[:, 0], local[:, 1]) & (z > height)
            found[above], height[above] = k, z[above]
        return found

    def heights(self, xy: Floats) -> Floats:
        """(n,) m; NaN off the roof."""
        face, local = self.face_at(xy), xy - self.origin[:2]
        planes = self.planes[face]
        return np.where(face >= 0, planes[:, 0] + (planes[:, 1:] * local).sum(axis=1), np.nan)

    def away(self, xyz: Floats) -> Floats:
        """(n,) m from the nearest roof face."""
        return np.asarray(distances(xyz - self.origin, self.triangles))

    def plane_of_face(self) -> NDArray[np.int64]:
        """(k,) a number for each face, the same for faces of one plane, be they apart or not."""
        number = np.arange(len(self.planes))
        middles = shapely.get_coordinates(shapely.centroid(self.parts)).reshape(-1, 2)
        for k in range(len(self.planes)):
            for m in range(k):
                turn = np.abs(self.planes[k, 1:] - self.planes[m, 1:]).max()
                there = np.column_stack([np.ones(2), middles[[k, m]]]) @ (self.planes[k] - self.planes[m])
                if turn < SAME_SLOPE and np.abs(there).max() < SAME_HEIGHT:
                    number[k] = number[m]
                    break
        return number


@dataclass(frozen=True)
class Compared:
    """Two solids."""

    iou: float
    """Volume in common over that of both."""
    mean: float
    """m, mean distance of places on either surface from the other one."""
    hausdorff: float
    """m, the greatest such distance."""


def compared(one: Solid, other: Solid, seed: int = 0) -> Compared:
    """Hold two solids against each other."""
    random = np.random.default_rng(seed)
    origin = np.append(np.minimum(one.vertices[:, :2].min(axis=0), other.vertices[:, :2].min(axis=0)), 0.0)
    surfaces = [solid.vertices[triangles(solid)[0]] - origin for solid in (one, other)]
    away = [
        np.asarray(distances(_strewn(a, random), b)) for a, b in (surfaces, surfaces[::-1])
    ]  # fmt: skip
    return Compared(
        volume_in_common(one, other), float(np.mean([a.mean() for a in away])), float(max(a.max() for a in away))
    )


def volume_in_common(one: Solid, other: Solid) -> float:
    """Intersection over union, by columns."""
    every = np.concatenate([one.vertices, other.vertices])
    (west, south, _), (east, north, _) = every.min(axis=0), every.max(axis=0)
    x, y = np.meshgrid(np.arange(west, east, COLUMN) + COLUMN / 2, np.arange(south, north, COLUMN) + COLUMN / 2)
    xy = np.column_stack([x.ravel(), y.ravel()])
    roofs = [np.nan_to_num(Roof.of(solid).heights(xy), nan=-np.inf) for solid in (one, other)]
    floors = [float(solid.vertices[:, 2].min()) for solid in (one, other)]
    own = [np.maximum(roof - floor, 0.0).sum() for roof, floor in zip(roofs, floors, strict=True)]
    common = np.maximum(np.minimum(*roofs) - max(floors), 0.0).sum()
    return float(common / (own[0] + own[1] - common))


def _strewn(surface: Floats, random: np.random.Generator) -> Floats:
    """(n, 3) places on triangles, by their area."""
    a, b, c = surface.transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0
    count = int(np.ceil(SAMPLES * area.sum()))
    at = random.choice(len(area), count, p=area / area.sum())
    u, v = random.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    return np.asarray(a[at] + u * (b - a)[at] + v * (c - a)[at])


@njit(cache=True, nogil=True)
def distances(xyz, corners):  # type: ignore[no-untyped-def]
    """(n,) m from each point to the nearest of (t, 3, 3) triangles: Ericson, Real-Time Collision Detection, 5.1.5."""
    found = np.full(xyz.shape[0], np.inf)
    for i in range(xyz.shape[0]):
        p = xyz[i]
        for t in range(corners.shape[0]):
            a = corners[t, 0]
            ab, ac, ap = corners[t, 1] - a, corners[t, 2] - a, p - a
            d1, d2 = np.dot(ab, ap), np.dot(ac, ap)
            bp, cp = p - corners[t, 1], p - corners[t, 2]
            d3, d4 = np.dot(ab, bp), np.dot(ac, bp)
            d5, d6 = np.dot(ab, cp), np.dot(ac, cp)
            va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
            if d1 <= 0 and d2 <= 0:
                v, w = 0.0, 0.0
            elif d3 >= 0 and d4 <= d3:
                v, w = 1.0, 0.0
            elif d6 >= 0 and d5 <= d6:
                v, w = 0.0, 1.0
            elif vc <= 0 and d1 >= 0 and d3 <= 0:
                v, w = d1 / (d1 - d3), 0.0
            elif vb <= 0 and d2 >= 0 and d6 <= 0:
                v, w = 0.0, d2 / (d2 - d6)
            elif va <= 0 and d4 - d3 >= 0 and d5 - d6 >= 0:
                w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
                v = 1.0 - w
            else:
                total = va + vb + vc
                if total == 0.0:
                    continue
                v, w = vb / total, vc / total
            away = ap - v * ab - w * ac
            found[i] = min(found[i], np.dot(away, away))
    return np.sqrt(found)


def _objects(items: list[Polygon]) -> NDArray[np.object_]:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array
