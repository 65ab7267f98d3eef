"""What is measured of a roof against the true one: faces, heights, eave and ridge, volume, the columns of both."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import shapely
from _models import Roof, volume_in_common
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Building, Solid, Surface
from lidar.validate import signed_volume

INSIDE = 0.5
"""m from the true outline, where heights are compared: a wall's place is the outline's matter."""
NARROW, SMALL = 0.5, 2.0
"""m: half of the width of the narrowest face that counts, parapets are narrower; m²: the smallest, which LoD 2.2 asks
for (Biljecki et al. 2016): water tanks and what was put on a roof, which the true models lack, are smaller."""
AT_OUTLINE = 0.3
"""m in plan within which a roof reaches the outline."""
MAIN = 0.3
"""Share of the plan from which a part is main roof, not a fixture on it: a stair head of up to 30 % of the roof is no
storey (Circular 06/2021/TT-BXD)."""
SAME = 0.5
"""Share of the larger of two faces, in plan, that must be common for one to be the other."""


@dataclass(frozen=True)
class RoofFace:
    """A face of a roof."""

    ring: tuple[int, ...]
    corners: NDArray[np.float64]
    """(n, 3) of its outer ring."""
    plan: Polygon
    wide: bool


def roof_faces(solid: Solid) -> list[RoofFace]:
    """The faces of a roof."""
    found = []
    for face in solid.faces:
        if face.surface is Surface.ROOF:
            corners = solid.vertices[list(face.rings[0])]
            plan = Polygon(corners[:, :2], [solid.vertices[list(ring), :2] for ring in face.rings[1:]])
            counts = plan.area >= SMALL and not plan.buffer(-NARROW).is_empty
            found.append(RoofFace(face.rings[0], corners, plan, counts))
    return found


def eave_and_ridge(solid: Solid, faces: list[RoofFace]) -> tuple[float, float]:
    """The lowest edge of the roof along the outline, and the highest line of the main roof, metres; NaN without any.

    Faces of 1 m width and 2 m² at least count, so no parapets; those that meet without a step are one part of the roof.
    The eave is the lowest corner within 0.3 m of the outline of any part: a light well inside of a house is none, a low
    part beside a high one is. The main roof, whose highest corner is the ridge, is the parts that cover 30 % of the
    plan, or the largest one: no stair heads, dormers and tanks.
    """
    rings = [solid.vertices[list(ring), :2] for f in solid.faces if f.surface is Surface.GROUND for ring in f.rings]
    outline = shapely.MultiLineString([np.concatenate([ring, ring[:1]]) for ring in rings])
    parts = _parts([face for face in faces if face.wide])
    if not parts:
        return np.nan, np.nan
    area = np.array([sum(face.plan.area for face in part) for part in parts])
    main = (area >= MAIN * sum(face.plan.area for face in faces)) | (area == area.max())
    corners = [np.concatenate([face.corners for face in part]) for part in parts]
    every = np.concatenate(corners)
    at_outline = shapely.distance(outline, shapely.points(every[:, :2])) <= AT_OUTLINE
    return (
        float(every[at_outline, 2].min()) if at_outline.any() else np.nan,
        float(max(own[:, 2].max() for own, counts in zip(corners, main, strict=True) if counts)),
    )


def _parts(faces: list[RoofFace]) -> list[list[RoofFace]]:
    """Faces that share edges of the solid, together."""
    parent = list(range(len(faces)))

    def root(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    by_edge: dict[frozenset[int], int] = {}
    for k, face in enumerate(faces):
        for a, b in zip(face.ring, face.ring[1:] + face.ring[:1], strict=True):
            other = by_edge.setdefault(frozenset((a, b)), k)
            parent[root(k)] = root(other)
    parts: dict[int, list[RoofFace]] = defaultdict(list)
    for k, face in enumerate(faces):
        parts[root(k)].append(face)
    return list(parts.values())


def faces_matched(true: list[RoofFace], made: list[RoofFace]) -> int:
    """How many faces of the true roof have one of the model's that is the same half and more, and the reverse."""
    if not true or not made:
        return 0
    a, b = (np.array([f.plan for f in faces], dtype=object) for faces in (true, made))
    common = shapely.area(shapely.intersection(a[:, None], b[None, :]))
    larger = np.maximum(shapely.area(a)[:, None], shapely.area(b)[None, :])
    # Of two that share more than half of the larger there is one pair only; of those that share half, one is counted.
    return int(min((common >= SAME * larger).any(axis=0).sum(), (common >= SAME * larger).any(axis=1).sum()))


@dataclass(frozen=True)
class Compared:
    """One model against the truth."""

    squared: float
    """m², mean squared error of height."""
    near: float
    """Share of places within 0.2 m."""
    volume: float
    """Error over the true volume, without sign."""
    iou: float
    true_faces: int
    made_faces: int
    matched_faces: int
    eave: float
    """m, error."""
    ridge: float


def compared(true: Building, made: Building, places: int, random: np.random.Generator) -> Compared:
    """Both have a solid; without one they are not comparable.

    Raises:
        ValueError: one has none.
    """
    if true.solid is None or made.solid is None:
        raise ValueError("a building without a solid")
    true_faces, faces = roof_faces(true.solid), roof_faces(made.solid)
    core = true.footprint.buffer(-INSIDE)
    xy = random.uniform(*np.array(true.footprint.bounds).reshape(2, 2), (places, 2))
    xy = xy[shapely.contains_xy(core, xy[:, 0], xy[:, 1])]
    off = Roof.of(made.solid).heights(xy) - Roof.of(true.solid).heights(xy)
    off = off[np.isfinite(off)]
    wide, made_wide = [f for f in true_faces if f.wide], [f for f in faces if f.wide]
    eave, ridge = np.subtract(eave_and_ridge(made.solid, faces), eave_and_ridge(true.solid, true_faces))
    return Compared(
        squared=float(np.mean(off**2)) if len(off) else np.nan,
        near=float(np.mean(np.abs(off) <= 0.2)) if len(off) else np.nan,
        volume=abs(signed_volume(made.solid) / signed_volume(true.solid) - 1),
        iou=volume_in_common(true.solid, made.solid),
        true_faces=len(wide),
        made_faces=len(made_wide),
        matched_faces=faces_matched(wide, made_wide),
        eave=float(eave),
        ridge=float(ridge),
    )
