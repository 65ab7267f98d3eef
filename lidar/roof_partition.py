"""A footprint parted into the areas of its roof's planes: lines, faces between them, the labelling that costs least.

Each face may take any plane. It costs the area whose points do not lie on it, and each metre of border between planes
has a price: what is gained must be worth its outline. Faces without points follow their neighbours; no plane is used
where it would rise above all that was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from lidar.labelling import expansion_labels
from lidar.morphology import compiled
from lidar.noding import UNIT
from lidar.roof_lines import border_lines
from lidar.roof_planes import RoofPlanes
from lidar.subdivision import Subdivision, faces_at, subdivide

OFF, NOISES = 0.05, 3.0
"""m, and in standard deviations of noise: as far off a plane a point counts fully against it."""
BORDER = 0.3
"""m² per m of border between planes, in spacings of the points: a row of points a third of a spacing wide."""
EMPTY = 0.4
"""Price of a m² without points under another plane than that of the nearest point."""
ABOVE, BELOW = 0.3, 0.3
"""m above the highest point, and below the lowest roof allowed, where a plane may not go."""
LEVEL = 0.002
"""m: to which corners lie on the line in which a plane has a height, for slopes up to 75° and corners to 0.1 mm."""
FORBIDDEN = 4.0
"""Price of a m² under a plane that goes there."""
EXPECTED = 1.5
"""Area that a point vouches for, in squares of the spacing."""
WHOLE = 1000.0
"""Costs are whole thousandths of a m²."""


@dataclass(frozen=True, slots=True)
class RoofPartition:
    """The faces of a footprint and the plane over each."""

    parts: Subdivision
    label: NDArray[np.int64]
    """(f,) plane of each face."""
    planes: NDArray[np.float64]
    """(k, 3) the roof's planes, and a level one at the highest point allowed where one was needed."""


def partition(
    rings: NDArray[np.int64], xyz: NDArray[np.float64], roof: RoofPlanes, lowest: float
) -> RoofPartition | None:
    """Part a footprint; None if its lines do not come apart.

    Args:
        rings: (e, 4) edges of the footprint in units of 0.1 mm, the inside on the left.
        xyz: (n, 3) m, the points that `roof` labels.
        roof: at least one plane.
        lowest: m, the least height a roof has.
    """
    edges = np.asarray(rings * UNIT, dtype=np.float64)
    if len(roof) == 1:
        lines, cells, frame = np.empty((0, 4)), np.zeros((1, 1), np.int64), np.array([0.0, 0.0, 1e9])
    else:
        lines, cells, frame = border_lines(xyz[:, :2], roof, edges)
    heights = _allowed(xyz, roof, lowest)
    made = _parted(rings, lines, xyz, roof, cells, frame, heights)
    if made is None:
        return None
    beyond = _beyond(made, heights)
    if len(beyond) == 0:
        return made
    # Planes are cut off level where they would rise above, or fall below, what was measured.
    cuts = [_level_line(roof.planes[k], height, edges) for k, height in beyond]
    levels = np.array(sorted({height for _, height in beyond}))
    level_planes = np.column_stack([levels, np.zeros((len(levels), 2))])
    scatter = np.append(roof.scatter, np.full(len(levels), roof.noise))
    cut_off = replace(roof, planes=np.concatenate([roof.planes, level_planes]), scatter=scatter)
    heights = np.concatenate([heights, np.column_stack([levels, levels])])
    return _parted(rings, np.concatenate([lines, cuts]), xyz, cut_off, cells, frame, heights)


def _allowed(xyz: NDArray[np.float64], roof: RoofPlanes, lowest: float) -> NDArray[np.float64]:
    """(k, 2) m, the least and the greatest height each plane may have; a well's floor may be low."""
    heights: NDArray[np.float64] = _reached(xyz, roof.label, len(roof), lowest)
    return heights


@compiled
def _reached(xyz: Any, label: Any, count: Any, lowest: Any) -> Any:
    heights = np.full((count, 2), lowest)
    highest = -np.inf
    for i in range(xyz.shape[0]):
        if label[i] >= 0:
            heights[label[i], 0] = min(heights[label[i], 0], xyz[i, 2])
            highest = max(highest, xyz[i, 2])
    heights[:, 0] -= BELOW
    heights[:, 1] = highest + ABOVE
    return heights


def _parted(
    rings: NDArray[np.int64],
    lines: NDArray[np.float64],
    xyz: NDArray[np.float64],
    roof: RoofPlanes,
    cells: NDArray[np.int64],
    frame: NDArray[np.float64],
    heights: NDArray[np.float64],
) -> RoofPartition | None:
    segments = np.concatenate([rings, np.rint(lines / UNIT).astype(np.int64)])
    parts = subdivide(segments, np.arange(len(segments)) < len(rings))
    if parts is None:
        return None
    if len(roof) == 1 or len(parts.area) == 1:
        label = np.zeros(len(parts.area), dtype=np.int64)
        if len(parts.area) == 1 and len(roof) > 1:
            label[:] = np.argmax(np.bincount(cells[cells >= 0], minlength=len(roof)))
        return RoofPartition(parts, label, roof.planes)
    cost = _costs(xyz, roof, parts, cells, frame, heights)
    first, second, price = _borders(parts, BORDER * roof.spacing)
    label = expansion_labels(cost, first, second, price, np.argmin(cost, axis=1))
    return RoofPartition(parts, label, roof.planes)


def _beyond(made: RoofPartition, heights: NDArray[np.float64]) -> list[tuple[int, float]]:
    """Planes that pass one of the heights they may have at a corner of a face of theirs, with that height."""
    parts = made.parts
    passed = _passed(parts.vertices, parts.edges, parts.face, made.label, made.planes, heights)
    return [(int(k), float(heights[k, side])) for side in (1, 0) for k in np.flatnonzero(passed[:, side])]


@compiled
def _passed(vertices: Any, edges: Any, face: Any, label: Any, planes: Any, heights: Any) -> Any:
    """(k, 2) whether each plane, unless it is level, passes its least and its greatest height."""
    passed = np.zeros(heights.shape, dtype=np.bool_)
    for h in range(face.shape[0]):
        if face[h] < 0:
            continue
        k, v = label[face[h]], edges[h >> 1, h & 1]
        if planes[k, 1] != 0.0 or planes[k, 2] != 0.0:
            z = planes[k, 0] + planes[k, 1] * (vertices[v, 0] * UNIT) + planes[k, 2] * (vertices[v, 1] * UNIT)
            passed[k, 0] |= z < heights[k, 0] - LEVEL
            passed[k, 1] |= z > heights[k, 1] + LEVEL
    return passed


def _level_line(plane: NDArray[np.float64], height: float, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4,) both ends of the line in which a plane has a height, from one side of the footprint to the other."""
    p, q, r = plane
    steep = float(np.hypot(q, r))
    normal = np.array([q, r]) / steep
    run = np.array([-normal[1], normal[0]])
    foot = (height - p) / steep * normal
    along = edges[:, :2] @ run
    low, high = float(along.min()) - 1.0, float(along.max()) + 1.0
    return np.concatenate([foot + low * run, foot + high * run])


def rings_of(polygon: Polygon, origin: tuple[float, float]) -> NDArray[np.int64]:
    """(e, 4) edges of a polygon in units of 0.1 mm from an origin, the inside on the left."""
    places, ring = shapely.get_coordinates(shapely.get_rings(shapely.orient_polygons(polygon)), return_index=True)
    xy = np.rint((places - origin) / UNIT).astype(np.int64)
    edges: NDArray[np.int64] = np.concatenate([xy[:-1], xy[1:]], axis=1)[ring[1:] == ring[:-1]]
    return edges


def _costs(
    xyz: NDArray[np.float64],
    roof: RoofPlanes,
    parts: Subdivision,
    cells: NDArray[np.int64],
    frame: NDArray[np.float64],
    heights: NDArray[np.float64],
) -> NDArray[np.int64]:
    """(f, k) thousandths of a m² that each plane costs on each face."""
    corners = parts.vertices[parts.edges.reshape(-1)] * UNIT
    row, column = np.nonzero(cells >= 0)
    centres = np.column_stack([column + 0.5, row + 0.5]) * frame[2] + frame[:2]
    on_plane = xyz[roof.label >= 0]
    return np.asarray(
        _face_costs(
            corners, parts.face, parts.area, on_plane, faces_at(parts, on_plane[:, :2]), roof.planes,
            OFF + NOISES * roof.noise, EXPECTED * roof.spacing**2, faces_at(parts, centres), cells[row, column],
            heights,
        )
    )  # fmt: skip


@compiled
def _face_costs(
    corners: Any,
    face: Any,
    area: Any,
    xyz: Any,
    of_point: Any,
    planes: Any,
    off: Any,
    expected: Any,
    of_cell: Any,
    cell_label: Any,
    heights: Any,
) -> Any:
    faces, count = area.shape[0], planes.shape[0]
    misfit = np.zeros((faces, count))
    points = np.zeros(faces)
    for i in range(xyz.shape[0]):
        f = of_point[i]
        if f < 0:
            continue
        points[f] += 1.0
        for k in range(count):
            away = (planes[k, 0] + planes[k, 1] * xyz[i, 0] + planes[k, 2] * xyz[i, 1] - xyz[i, 2]) / off
            misfit[f, k] += min(away * away, 1.0)
    share = np.zeros((faces, count))
    total = np.zeros(faces)
    for c in range(of_cell.shape[0]):
        f = of_cell[c]
        if f >= 0:
            share[f, cell_label[c]] += 1.0
            total[f] += 1.0
    wrong = np.zeros((faces, count), dtype=np.bool_)
    for h in range(face.shape[0]):
        if face[h] >= 0:
            for k in range(count):
                z = planes[k, 0] + planes[k, 1] * corners[h, 0] + planes[k, 2] * corners[h, 1]
                wrong[face[h], k] |= z < heights[k, 0] - LEVEL or z > heights[k, 1] + LEVEL
    cost = np.zeros((faces, count), dtype=np.int64)
    for f in range(faces):
        known = min(points[f] * expected, area[f])
        for k in range(count):
            value = known * misfit[f, k] / points[f] if points[f] > 0 else 0.0
            near = share[f, k] / total[f] if total[f] > 0 else 0.0
            value += EMPTY * (area[f] - known) * (1.0 - near)
            value += FORBIDDEN * area[f] if wrong[f, k] else 0.0
            cost[f, k] = np.int64(np.rint(WHOLE * value))
    return cost


def _borders(parts: Subdivision, price: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Faces on both sides of each inner edge, and what it costs that they differ."""
    left, right = parts.face[0::2], parts.face[1::2]
    inner = np.flatnonzero((left >= 0) & (right >= 0) & (left != right))
    run = (parts.vertices[parts.edges[inner, 1]] - parts.vertices[parts.edges[inner, 0]]) * UNIT
    length = np.hypot(run[:, 0], run[:, 1])
    return left[inner], right[inner], np.rint(WHOLE * price * length).astype(np.int64)
