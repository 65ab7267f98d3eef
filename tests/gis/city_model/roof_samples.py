"""Buildings with roofs, by the extrusion that reconstruction uses: a hip roof, and random ones round a court."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon, box

from gis.city_model.building import Building, Solid
from lidar.reconstruct import block
from lidar.roof_solid import NotManifold, solid_of
from lidar.subdivision import Subdivision, subdivide

EAST, NORTH = 603000.0, 1191000.0
UNITS = 10_000
"""A metre in units of a subdivision."""
OUTLINE = [(0.0, 0.0), (10.0, 0.0), (10.0, 6.0), (0.0, 6.0)]
COURT = [(4.0, 2.0), (4.0, 4.0), (6.0, 4.0), (6.0, 2.0)]
HIP_VOLUME = 10 * 6 * 3 + 3.0 * (3.0 * 10 * 6 - 2 * 3.0 * 6) / 6 + 0.0
"""m³: a box of 3 m, on it a hip roof of 45°, a wedge of 3 m height whose ridge is 4 m long."""


def _segments(*lines: tuple[float, float, float, float]) -> NDArray[np.int64]:
    return np.rint(np.array(lines) * UNITS).astype(np.int64)


def _ring(corners: list[tuple[float, float]]) -> list[tuple[float, float, float, float]]:
    return [(*a, *b) for a, b in pairwise([*corners, corners[0]])]


def _middles(parts: Subdivision) -> list[NDArray[np.float64]]:
    """A place in each face: the mean of its corners, of convex ones."""
    ends = parts.edges.reshape(-1)
    return [parts.vertices[ends[parts.face == f]].mean(axis=0) / UNITS for f in range(len(parts.area))]


def hip_roof(east: float = EAST, north: float = NORTH, ground: float = 0.0) -> Solid:
    """10 × 6 m, eaves at 3 m, slopes of 45°, the ridge at 6 m."""
    lines = [(-1.0, 3.0, 11.0, 3.0), (-1, -1, 5, 5), (-1, 7, 5, 1), (11, -1, 5, 5), (11, 7, 5, 1)]
    parts = subdivide(_segments(*_ring(OUTLINE), *lines), np.array([True] * 4 + [False] * 5))
    planes = np.array([[3.0, 0.0, 1.0], [9.0, 0.0, -1.0], [3.0, 1.0, 0.0], [13.0, -1.0, 0.0]])
    label = np.array([int(np.argmin(planes[:, 0] + planes[:, 1:] @ xy)) for xy in _middles(parts)])
    planes[:, 0] += ground
    return solid_of(parts, label, planes, ground, (east, north))


def random_roofs(count: int, seed: int = 0, east: float = EAST, north: float = NORTH) -> list[Solid]:
    """Roofs of six planes at random places between random lines, round a court: many steps, corners and holes."""
    random = np.random.default_rng(seed)
    found: list[Solid] = []
    while len(found) < count:
        lines = []
        for _ in range(random.integers(3, 12)):
            turn = random.choice([0.0, np.pi / 2, random.uniform(0, np.pi)])
            middle = random.uniform([0, 0], [10, 6])
            half = np.array([np.cos(turn), np.sin(turn)]) * random.choice([20.0, 4.0])
            lines.append((*(middle - half), *(middle + half)))
        outline = [True] * (len(OUTLINE) + len(COURT)) + [False] * len(lines)
        parts = subdivide(_segments(*_ring(OUTLINE), *_ring(COURT), *lines), np.array(outline))
        planes = np.column_stack([random.uniform(3, 8, 6), random.uniform(-0.3, 0.3, (6, 2))])
        if parts is None:
            continue
        try:
            found.append(solid_of(parts, random.integers(0, 6, len(parts.area)), planes, 0.0, (east, north)))
        except NotManifold:
            continue
    return found


def house(uid: str, solid: Solid | None, outline: Polygon, ground: float = 0.0) -> Building:
    """A building of that model, with the block and one of two heights below it."""
    coarser = (
        {}
        if solid is None
        else {lod: block(outline, ground, ground + top) for lod, top in (("1.2", 4.5), ("1.3", 5.25))}
    )
    nan = float("nan")
    return Building(
        uid=uid, footprint=outline, ground_height=ground, roof_height_min=3.0, roof_height_50p=4.0,
        roof_height_70p=4.5, roof_height_max=6.0, height=4.5, sigma_height=0.11 if solid else nan, area=outline.area,
        sigma_area=1.5, lod="2.2" if solid else "0", solid=solid, point_count=600, point_density=10.0,
        no_data_fraction=0.02, attributes={"footprint_source": "known", "planes": 4, "rmse_m": nan},
        coarser=coarser,
    )  # fmt: skip


RECTANGLE = box(EAST, NORTH, EAST + 10, NORTH + 6)
WITH_COURT = RECTANGLE.difference(box(EAST + 4, NORTH + 2, EAST + 6, NORTH + 4))


def houses() -> list[Building]:
    """Twelve with roofs, most round a court, and one without a model."""
    beside = box(EAST + 20, NORTH, EAST + 30, NORTH + 6)
    return [
        house("hip roof 1", hip_roof(east=EAST + 20), beside),
        *(house(f"court-{n}", solid, WITH_COURT) for n, solid in enumerate(random_roofs(11))),
        house("nothing", None, beside),
    ]
